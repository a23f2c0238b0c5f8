//! Composition: WAC documents, and plugs in sockets.
//!
//! A [document](https://github.com/bytecodealliance/wac) names packages and says how they are wired.
//! [`references`] lists the packages, [`compose`] makes a component of the document and their bytes. Both
//! are functions: the same text and the same bytes give the same component.
//!
//! A package that is a core module becomes a component where the document instantiates it, with the
//! [adapter](crate::adapt) that it needs.
//!
//! The libraries that read WAC trust what they get, and copy it more than once. So they get outlines of the
//! packages, without code: [`assemble`] makes those, validates the packages, and puts them where the
//! outlines are in what [`wire`] made of these. Texts and their nesting are bounded, and a panic becomes
//! [`ComposeError::Panicked`]. Time and memory have no limit in `wire`: whoever composes what strangers
//! wrote does that in a process that has one.

pub mod config;
mod error;
mod graph;
mod outline;
mod plug;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use wac_graph::EncodeOptions;
use wac_parser::Document;
use wac_types::BorrowedPackageKey;
use wargate_protocol::{PackageName, Version};
use wasmparser::Parser;

pub use error::{ComposeError, Label};
pub use outline::{Outlines, outline};
pub use plug::{Plug, plug, wire_plugs};

use crate::adapt::{self, AdaptError, Adapter};
use crate::inspect::{InspectError, Limits, one_line, validate_beside};
use crate::limits::{
    LINK_BYTES_MAX, REASON_BYTES_MAX, WAC_BYTES_MAX, WAC_NESTING_MAX, WAC_PACKAGES_MAX,
};
use crate::names::{ImportName, PackageRange};
use crate::picture::Graph;
use crate::wit::rename::with_imports;

/// A package that a document names: without a version, any will do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The package.
    pub package: PackageName,
    /// Its version, if the document says one.
    pub version: Option<Version>,
}

impl Reference {
    /// The import that asks for the package.
    pub fn to_import(&self) -> ImportName {
        let (package, projection) = (self.package.clone(), None);
        match &self.version {
            Some(version) => {
                let version = Some(version.clone());
                ImportName::Locked { package, projection, version, integrity: None }
            }
            None => ImportName::Unlocked { package, projection, range: PackageRange::ANY },
        }
    }
}

/// What a document is composed of.
#[derive(Clone, Debug, Default)]
pub struct Packages<'a> {
    /// The bytes of the packages: components, WIT packages as Wasm, or core modules.
    pub contents: BTreeMap<Reference, &'a [u8]>,
    /// The adapters that core modules among them need.
    pub adapters: BTreeMap<Adapter, &'a [u8]>,
}

/// How a document becomes a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// It holds its packages.
    Whole,
    /// It imports them, as `unlocked-dep`.
    Open,
}

/// A component that was composed.
#[derive(Clone, Debug)]
pub struct Composition {
    /// Its bytes, which are valid.
    pub bytes: Vec<u8>,
    /// What is wired with what.
    pub graph: Graph,
}

/// Outlines that are wired: what the libraries of WAC make.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// A component that holds the outlines. Nobody validated it.
    pub frame: Vec<u8>,
    /// What is wired with what.
    pub graph: Graph,
    /// Of plugs, the places of those of which nothing was wanted.
    pub unused: Vec<usize>,
}

/// The packages that a document names, each once, in the order of the text, with the byte in it where
/// each is first named.
///
/// # Errors
/// [`ComposeError`] of the text.
pub fn references(source: &str) -> Result<Vec<(Reference, usize)>, ComposeError> {
    contained(|| {
        let document = parse(source)?;
        let keys = wac_resolver::packages(&document).map_err(|error| ComposeError::of(&error))?;
        let reference = |(key, span): (BorrowedPackageKey<'_>, miette::SourceSpan)| {
            Ok((to_reference(&key, span)?, span.offset()))
        };
        keys.into_iter().map(reference).collect()
    })
}

/// Makes a component of a document and its packages.
///
/// # Errors
/// [`ComposeError`] of the text, or of a package.
pub fn compose(
    source: &str,
    packages: &Packages<'_>,
    form: Form,
) -> Result<Composition, ComposeError> {
    let mut prepared = Vec::new();
    for (name, bytes) in &packages.contents {
        prepared.push((name, prepare(name, bytes, &packages.adapters)?));
    }
    let parts: Vec<_> = prepared.iter().map(|(name, bytes)| (*name, bytes.as_ref())).collect();
    assemble(&parts, |outlines| {
        let names = parts.iter().map(|(name, _)| (*name).clone());
        let wiring = wire(source, names.zip(outlines.to_vec()).collect(), form)?;
        Ok(Composition { bytes: outlines.fill(&wiring.frame)?.to_vec(), graph: wiring.graph })
    })
}

/// Wires the outlines of packages as a document says.
///
/// # Errors
/// [`ComposeError`] of the text, or of a package.
pub fn wire(
    source: &str,
    mut outlines: BTreeMap<Reference, Vec<u8>>,
    form: Form,
) -> Result<Wiring, ComposeError> {
    contained(|| {
        let document = parse(source)?;
        let keys = wac_resolver::packages(&document).map_err(|error| ComposeError::of(&error))?;
        let (mut contents, mut named) = (IndexMap::new(), Vec::new());
        for (key, span) in keys {
            let reference = to_reference(&key, span)?;
            let bytes = outlines.remove(&reference).ok_or_else(|| {
                ComposeError::unknown_package(&reference, Label::at(span, "nothing is known of it"))
            })?;
            contents.insert(key, bytes);
            named.push(reference);
        }
        let resolution = document.resolve(contents).map_err(|error| ComposeError::of(&error))?;
        let frame = resolution.encode(options(form)).map_err(|error| ComposeError::of(&error))?;
        let frame = pinned(frame, form, &named)?;
        Ok(Wiring { frame, graph: graph::picture(resolution.graph()), unused: Vec::new() })
    })
}

/// What is encoded is validated later.
fn options(form: Form) -> EncodeOptions<'static> {
    let define_components = form == Form::Whole;
    EncodeOptions { define_components, validate: false, processor: None }
}

/// A frame whose imports ask for the very versions that were named. The libraries import a package that they
/// leave out as `unlocked-dep=<a:b@{>=1.0.0}>`, which any later release answers.
fn pinned(frame: Vec<u8>, form: Form, named: &[Reference]) -> Result<Vec<u8>, ComposeError> {
    if form == Form::Whole {
        return Ok(frame);
    }
    let pins = named.iter().filter_map(|reference| {
        let Reference { package, version } = reference;
        let before = format!("unlocked-dep=<{package}@{{>={}}}>", version.as_ref()?);
        Some((before, reference.to_import().to_string()))
    });
    let pins: BTreeMap<String, String> = pins.collect();
    let label = |name: &str| pins.get(name).cloned();
    with_imports(&frame, label, &[]).map_err(|error| ComposeError::invalid(&error))
}

/// Makes something of packages, all of which are components. `make` gets their outlines, in their order,
/// has them wired, and fills what comes of it. While it does so, other threads validate the packages: what
/// it makes is worth nothing if they are not valid, and is not returned.
///
/// # Errors
/// [`ComposeError`] of a package, whatever `make` says; or that of `make`.
pub fn assemble<'a, T, E: From<ComposeError>>(
    packages: &[(&Reference, &'a [u8])],
    make: impl FnOnce(&Outlines<'a>) -> Result<T, E>,
) -> Result<T, E> {
    let fault = |at: Option<usize>, error: &InspectError| {
        let package = at.and_then(|at| packages.get(at));
        package.map(|(reference, _)| (*reference).clone()).map_or_else(
            || ComposeError::invalid(error),
            |Reference { package, version }| ComposeError::Package {
                package,
                version,
                reason: error.to_string(),
            },
        )
    };
    let files: Vec<&[u8]> = packages.iter().map(|(_, bytes)| *bytes).collect();
    let bytes = files.iter().fold(0, |sum, file| sum + file.len());
    if bytes > LINK_BYTES_MAX {
        return Err(ComposeError::TooLarge { bytes_max: LINK_BYTES_MAX }.into());
    }
    let outlines = Outlines::new(&files).map_err(|(at, error)| fault(Some(at), &error))?;
    let (done, valid) = validate_beside(&files, Limits::default(), || make(&outlines));
    valid.map_err(|(at, error)| fault(at, &error))?;
    done
}

/// Reads a text that is no longer and no deeper than it may be.
fn parse(source: &str) -> Result<Document<'_>, ComposeError> {
    if source.len() > WAC_BYTES_MAX {
        return Err(ComposeError::TooLong { bytes_max: WAC_BYTES_MAX });
    }
    if let Some(offset) = too_deep(source) {
        return Err(ComposeError::TooDeep { offset, levels_max: WAC_NESTING_MAX });
    }
    let document = Document::parse(source).map_err(|error| ComposeError::of(&error))?;
    let keys = wac_resolver::packages(&document).map_err(|error| ComposeError::of(&error))?;
    if keys.len() > WAC_PACKAGES_MAX {
        return Err(ComposeError::TooManyPackages { packages_max: WAC_PACKAGES_MAX });
    }
    Ok(document)
}

/// Where a text is nested deeper than it may be. Brackets in comments and strings, and the one of `->`,
/// are none.
fn too_deep(source: &str) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(rest) = source.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = match rest {
            [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'"', rest @ ..] => rest.iter().position(|byte| *byte == b'"').map_or(1, |it| it + 2),
            [b'-', b'>', ..] => 2,
            [b'(' | b'{' | b'<' | b'[', ..] => {
                depth += 1;
                1
            }
            [b')' | b'}' | b'>' | b']', ..] => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => 1,
        };
        if depth > WAC_NESTING_MAX {
            return Some(at);
        }
        at += skipped;
    }
    None
}

/// How many bytes a comment between `/*` and `*/` has, in which others may stand.
fn block_comment(source: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        match source.get(at..) {
            Some([b'/', b'*', ..]) => (depth, at) = (depth + 1, at + 2),
            Some([b'*', b'/', ..]) => (depth, at) = (depth.saturating_sub(1), at + 2),
            Some([_, ..]) => at += 1,
            _ => return source.len(),
        }
        if depth == 0 {
            return at;
        }
    }
}

/// A package as our protocol calls it. WAC lets packages be nested in one another; registries do not.
fn to_reference(
    key: &BorrowedPackageKey<'_>,
    span: miette::SourceSpan,
) -> Result<Reference, ComposeError> {
    let package = key.name.parse().map_err(|error| ComposeError::Document {
        message: format!("`{}` is the name of no package: {error}", key.name),
        labels: vec![Label::at(span, "it is NAMESPACE:NAME")],
        hint: None,
    })?;
    // Both read versions alike.
    let version = key.version.and_then(|version| version.to_string().parse().ok());
    Ok(Reference { package, version })
}

/// A package as a component, if it is a core module: it is adapted.
fn prepare<'a>(
    reference: &Reference,
    bytes: &'a [u8],
    adapters: &BTreeMap<Adapter, &[u8]>,
) -> Result<Cow<'a, [u8]>, ComposeError> {
    let Reference { package, version } = reference;
    let unreadable = |reason: String| ComposeError::Package {
        package: package.clone(),
        version: version.clone(),
        reason,
    };
    if !Parser::is_core_wasm(bytes) {
        return Ok(bytes.into());
    }
    let refused = |error: AdaptError| match error {
        AdaptError::NeedsAdapter(adapter) => ComposeError::NeedsAdapter {
            package: package.clone(),
            version: version.clone(),
            adapter,
        },
        error => unreadable(error.to_string()),
    };
    let adapter = adapt::look(bytes).map_err(refused)?.adapter;
    let adapter = adapter.and_then(|adapter| adapters.get(&adapter).copied());
    adapt::adapt(bytes, adapter).map(Cow::Owned).map_err(refused)
}

/// Does work of the libraries, which panic where they know no way on.
fn contained<T>(work: impl FnOnce() -> Result<T, ComposeError>) -> Result<T, ComposeError> {
    caught(work).unwrap_or_else(|reason| Err(ComposeError::Panicked { reason }))
}

/// Does work that may panic, and says the last words of what did. Nothing outlives a panic: what is run
/// owns all that it changes.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        let mut words = one_line(&words.unwrap_or_default());
        words.truncate(words.floor_char_boundary(REASON_BYTES_MAX));
        words
    })
}
