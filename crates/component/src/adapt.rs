//! Core modules as components.
//!
//! [`look`] says what a module needs for that, [`embed`] tells it which world it is for, and [`adapt`]
//! makes the component.
//!
//! A module of WASI 0.1 (`wasi_snapshot_preview1`) needs an adapter, which does with the component
//! model's WASI what the module asks of the older one. There are three: [`Adapter`] says which fits.
//! They are packages of a registry like anything else, and bytes here.

use serde::{Deserialize, Serialize};
use wargate_protocol::PackageName;
use wasmparser::{Parser, Payload};
use wit_component_258::metadata::{self, Bindgen};
use wit_component_258::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, World, WorldItem};

use crate::compose::caught;
use crate::inspect::{Kind, Limits, glance, inspect, one_line};
use crate::limits::REASON_BYTES_MAX;

/// What modules of WASI 0.1 import from.
const PREVIEW1: &str = "wasi_snapshot_preview1";
/// What came before it; there is no adapter for it.
const PREVIEW0: &str = "wasi_unstable";
/// What adapters import from: the module that they adapt.
const ADAPTED: &str = "__main_module__";
/// What hosts call of a program.
const RUN: &str = "wasi:cli/run@";

/// An adapter from WASI 0.1, by what the component is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Adapter {
    /// A program: the module exports `_start`, the component `wasi:cli/run`.
    Command,
    /// A library: what the module exports is called from outside.
    Reactor,
    /// It handles requests of HTTP, on hosts that offer `wasi:http/proxy` and nothing more.
    Proxy,
}

impl Adapter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Command, Self::Reactor, Self::Proxy];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Reactor => "reactor",
            Self::Proxy => "proxy",
        }
    }

    /// The package that it is in registries, as in `bytecodealliance:preview1-command`.
    ///
    /// # Errors
    /// None: all of these are names of packages.
    pub fn package(self) -> Result<PackageName, AdaptError> {
        let name = format!("bytecodealliance:preview1-{}", self.name());
        name.parse().map_err(|_| AdaptError::Defect { reason: format!("{name} names no package") })
    }
}

/// What a module needs to become a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The adapter that fits best; none is needed where nothing is imported from WASI 0.1.
    pub adapter: Option<Adapter>,
    /// Whether it says which world it is for, as bindings of guest languages leave it in custom sections.
    /// A program of WASI 0.1 needs none.
    pub has_world: bool,
}

/// Why a module does not become a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AdaptError {
    /// It is a component already, or a WIT package.
    #[error("it is no core module: it is a component already, or a WIT package")]
    NoModule,
    /// It cannot be read, or does not fit its world or the adapter.
    #[error("{reason}")]
    Module {
        /// Why; at most [`REASON_BYTES_MAX`] bytes.
        reason: String,
    },
    /// It is made for WASI 0.0.
    #[error(
        "it imports from `wasi_unstable`, which came before WASI 0.1: there is no adapter for it"
    )]
    TooOld,
    /// It is itself an adapter.
    #[error("it is an adapter: it becomes part of the component that another module is made")]
    IsAdapter,
    /// It is a program, and what the adapter makes of it is none.
    #[error("it exports `_start`, and the adapter does not call that: it is of another kind")]
    OtherKind,
    /// It needs an adapter, and there was none.
    #[error("it imports from `wasi_snapshot_preview1` and needs the adapter `{}`", .0.name())]
    NeedsAdapter(Adapter),
    /// It does not say which world it is for.
    #[error("it does not say which world it is for, and is no program of WASI 0.1")]
    NoWorld,
    /// The adapter cannot be used.
    #[error("the adapter: {reason}")]
    Adapter {
        /// Why.
        reason: String,
    },
    /// The WIT has no such world, or several, or more bytes than are read.
    #[error("{reason}")]
    World {
        /// Why.
        reason: String,
    },
    /// The library that adapts knows no way on with it.
    #[error("it is beyond what this program can adapt: {reason}")]
    Panicked {
        /// Its last words.
        reason: String,
    },
    /// A fault of this program.
    #[error("a fault of this program, please report it: {reason}")]
    Defect {
        /// What is known.
        reason: String,
    },
}

/// Says what a module needs.
///
/// # Errors
/// [`AdaptError::NoModule`], [`AdaptError::Module`] or [`AdaptError::TooOld`].
pub fn look(module: &[u8]) -> Result<Look, AdaptError> {
    let found = inspect(module, &Limits::default())
        .map_err(|error| AdaptError::Module { reason: error.to_string() })?;
    if found.kind != Kind::CoreModule {
        return Err(AdaptError::NoModule);
    }
    let imports_from =
        |name: &str| found.imports.iter().any(|import| import.module.as_deref() == Some(name));
    if imports_from(PREVIEW0) {
        return Err(AdaptError::TooOld);
    }
    if imports_from(ADAPTED) {
        return Err(AdaptError::IsAdapter);
    }
    let has_world = Parser::new(0).parse_all(module).flatten().any(|payload| match payload {
        Payload::CustomSection(section) => section.name().starts_with("component-type"),
        _ => false,
    });
    let exports = |name: &str| found.exports.iter().any(|export| export.name == name);
    let adapter = match imports_from(PREVIEW1) {
        false => None,
        true if exports("_start") => Some(Adapter::Command),
        true if has_world && is_proxy(module)? => Some(Adapter::Proxy),
        true => Some(Adapter::Reactor),
    };
    Ok(Look { adapter, has_world })
}

/// Makes a component of a module, with the adapter that it [needs](look).
///
/// # Errors
/// [`AdaptError`].
pub fn adapt(module: &[u8], adapter: Option<&[u8]>) -> Result<Vec<u8>, AdaptError> {
    let look = look(module)?;
    if let (Some(needed), None) = (look.adapter, adapter) {
        return Err(AdaptError::NeedsAdapter(needed));
    }
    if !look.has_world && look.adapter != Some(Adapter::Command) {
        return Err(AdaptError::NoWorld);
    }
    contained(|| {
        let refused = |error: &anyhow::Error| AdaptError::Module { reason: reason(error) };
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).module(module).map_err(|error| refused(&error))?;
        if let Some(adapter) = adapter.filter(|_| look.adapter.is_some()) {
            inspect(adapter, &Limits::default())
                .map_err(|error| AdaptError::Adapter { reason: error.to_string() })?;
            encoder
                .adapter(PREVIEW1, adapter)
                .map_err(|error| AdaptError::Adapter { reason: reason(&error) })?;
        }
        let made = encoder.encode().map_err(|error| refused(&error))?;
        if look.adapter == Some(Adapter::Command) && !runs(&made)? {
            return Err(AdaptError::OtherKind);
        }
        Ok(made)
    })
}

/// Whether a component is a program.
fn runs(component: &[u8]) -> Result<bool, AdaptError> {
    let found = glance(component, &Limits::default())
        .map_err(|error| AdaptError::Defect { reason: error.to_string() })?;
    Ok(found.exports.iter().any(|export| export.name.starts_with(RUN)))
}

/// Tells a module which world it is for: one of a WIT package in its binary form. The world may be left
/// unsaid if there is one.
///
/// # Errors
/// [`AdaptError::World`] of the package, or that of the module.
pub fn embed(module: &[u8], wit: &[u8], world: Option<&str>) -> Result<Vec<u8>, AdaptError> {
    look(module)?;
    let unreadable = |reason: String| AdaptError::World { reason };
    let found = inspect(wit, &Limits::default()).map_err(|error| unreadable(error.to_string()))?;
    if found.kind != Kind::WitPackage {
        return Err(unreadable("it is no WIT package".into()));
    }
    contained(|| {
        let bad = |error: &anyhow::Error| AdaptError::World { reason: reason(error) };
        let DecodedWasm::WitPackage(resolve, package) = decode(wit).map_err(|error| bad(&error))?
        else {
            return Err(unreadable("it is no WIT package".into()));
        };
        let world = resolve.select_world(&[package], world).map_err(|error| bad(&error))?;
        let mut module = module.to_vec();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| bad(&error))?;
        Ok(module)
    })
}

/// Whether the world of a module handles requests of HTTP, and asks for nothing that hosts of
/// `wasi:http/proxy` do not offer.
fn is_proxy(module: &[u8]) -> Result<bool, AdaptError> {
    contained(|| {
        let read = metadata::decode(module);
        let (_, Bindgen { resolve, world, .. }) =
            read.map_err(|error| AdaptError::Module { reason: reason(&error) })?;
        let world = &resolve.worlds[world];
        let handles = interfaces(&resolve, world, true)
            .any(|name| name.starts_with("wasi:http/incoming-handler"));
        let mut wanted =
            interfaces(&resolve, world, false).filter(|name| name.starts_with("wasi:"));
        Ok(handles && wanted.all(|name| PROXY.iter().any(|offered| name.starts_with(offered))))
    })
}

/// What hosts of `wasi:http/proxy` offer.
const PROXY: [&str; 5] =
    ["wasi:http/", "wasi:io/", "wasi:clocks/", "wasi:random/random", "wasi:cli/std"];

/// The names of the interfaces that a world imports or exports.
fn interfaces<'a>(
    resolve: &'a Resolve,
    world: &'a World,
    exports: bool,
) -> impl Iterator<Item = String> + 'a {
    let items = if exports { &world.exports } else { &world.imports };
    items.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id),
        _ => None,
    })
}

/// Does work of the libraries, which panic where they know no way on.
fn contained<T>(work: impl FnOnce() -> Result<T, AdaptError>) -> Result<T, AdaptError> {
    caught(work).unwrap_or_else(|reason| Err(AdaptError::Panicked { reason }))
}

fn reason(error: &anyhow::Error) -> String {
    let mut words = one_line(&format!("{error:#}"));
    words.truncate(words.floor_char_boundary(REASON_BYTES_MAX));
    words
}
