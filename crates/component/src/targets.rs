//! Whether a component fits a world, and on which hosts it runs.
//!
//! [`fit`] compares with a world of a WIT package; [`Host`] names hosts whose worlds are known here. A
//! component fits if it imports nothing that the world does not import, exports all that the world
//! exports, and the types agree. Versions of interfaces that are compatible count as one interface.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wac_types::{ExternKind, ItemKind, Package, Type, Types, WorldId, validate_target};
use wargate_protocol::Version;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, Stability, WorldItem, WorldKey};

use crate::compose::caught;
use crate::inspect::{Kind, Limits, inspect, one_line};
use crate::limits::REASON_BYTES_MAX;
use crate::wasi::{PREVIEW2, PREVIEW3};

/// How a component fits a world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// What it imports and the world does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_offered: Vec<String>,
    /// What the world exports and it does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_exported: Vec<String>,
    /// What both have, with other types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
}

/// An import or export whose types are not those of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// Its name.
    pub name: String,
    /// Whether the component exports it; it imports it otherwise.
    pub is_export: bool,
    /// What differs.
    pub reason: String,
}

impl Fit {
    /// Whether nothing is in the way.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.not_offered.is_empty() && self.not_exported.is_empty() && self.mismatches.is_empty()
    }
}

/// Why a component cannot be compared with a world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TargetError {
    /// The component cannot be read, or is none.
    #[error("{reason}")]
    Component {
        /// Why.
        reason: String,
    },
    /// The world cannot be read.
    #[error("the world: {reason}")]
    World {
        /// Why.
        reason: String,
    },
    /// The package has no such world, or several, of which one is to be named.
    #[error("the package has {}", worlds_in_words(.worlds))]
    NoSuchWorld {
        /// The worlds that there are.
        worlds: Vec<String>,
    },
    /// Nobody here knows this host.
    #[error("there is no host `{name}`")]
    NoSuchHost {
        /// What was asked for.
        name: String,
    },
}

/// Compares a component with a world of a WIT package in its binary form. The world may be left unsaid if
/// there is one.
///
/// # Errors
/// [`TargetError`].
pub fn fit(component: &[u8], wit: &[u8], world: Option<&str>) -> Result<Fit, TargetError> {
    check(component)?;
    let of_world = |reason: String| TargetError::World { reason };
    let found = inspect(wit, &Limits::default()).map_err(|error| of_world(error.to_string()))?;
    if found.kind != Kind::WitPackage {
        return Err(of_world("it is no WIT package".into()));
    }
    contained(|| {
        let mut types = Types::default();
        let read = Package::from_bytes("wit", None, wit, &mut types)
            .map_err(|error| of_world(one_line(&format!("{error:#}"))))?;
        let target = select(&types, read.ty(), world)?;
        compare(component, types, target)
    })
}

/// A host whose worlds are known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it is called, as in `wasmtime@48` or `wasi:http/proxy@0.2.3`.
    pub name: String,
    /// What it is, for people.
    pub about: &'static str,
    /// What it offers and wants, as lines of a world.
    world: &'static str,
    /// The release of WASI 0.2 that it offers; nothing else of that is newer.
    pub offers: Version,
}

/// Names of hosts, without version, what they are, and their worlds.
const HOSTS: [(&str, &str, &str); 4] = [
    (
        "wasmtime",
        "wasmtime 48, with `run` or `serve`",
        "include wasi:cli/imports@0.2.12; include wasi:http/imports@0.2.12; \
         include wasi:cli/imports@0.3.0; import wasi:http/types@0.3.0; import wasi:http/client@0.3.0;",
    ),
    ("wasi", "a host of WASI 0.2: all of it but HTTP", "include wasi:cli/imports@0.2.12;"),
    ("wasi:cli/command", "a host that runs programs", "include wasi:cli/command@0.2.12;"),
    ("wasi:http/proxy", "a host that hands on requests of HTTP", "include wasi:http/proxy@0.2.12;"),
];

/// The one version of wasmtime that is known.
const WASMTIME: &str = "48";

impl Host {
    /// All hosts, each with the newest WASI that is known.
    #[must_use]
    pub fn all() -> Vec<Self> {
        HOSTS.iter().filter_map(|(name, ..)| Self::named(name).ok()).collect()
    }

    /// The host of a name: `wasmtime`, `wasmtime@48`, `wasi`, `wasi@0.2.3`, `wasi:cli/command@0.2.3`,
    /// `wasi:http/proxy`. Without a version, it is the newest that is known.
    ///
    /// # Errors
    /// [`TargetError::NoSuchHost`].
    pub fn named(name: &str) -> Result<Self, TargetError> {
        let unknown = || TargetError::NoSuchHost { name: name.to_owned() };
        let (host, version) = match name.split_once('@') {
            Some((host, version)) => (host, Some(version)),
            None => (name, None),
        };
        let newest: Version = PREVIEW2.version.parse().map_err(|_| unknown())?;
        let &(host, about, world) =
            HOSTS.iter().find(|(known, ..)| *known == host).ok_or_else(unknown)?;
        let (shown, offers) = match version {
            None if host == "wasmtime" => (WASMTIME.to_owned(), newest),
            Some(version) if host == "wasmtime" => {
                let major = version.split('.').next().unwrap_or(version);
                if major != WASMTIME {
                    return Err(unknown());
                }
                (version.to_owned(), newest)
            }
            None => (newest.to_string(), newest),
            Some(version) => {
                let version: Version = version.parse().map_err(|_| unknown())?;
                let (asked, known) = (version.as_semver(), newest.as_semver());
                let of_line = (asked.major, asked.minor) == (0, 2) && asked.pre.is_empty();
                if !of_line || asked.patch > known.patch {
                    return Err(unknown());
                }
                (version.to_string(), version)
            }
        };
        Ok(Self { name: format!("{host}@{shown}"), about, world, offers })
    }

    /// Compares a component with what the host offers and wants.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn fit(&self, component: &[u8]) -> Result<Fit, TargetError> {
        check(component)?;
        contained(|| {
            let of_world = |error: &anyhow::Error| TargetError::World {
                reason: one_line(&format!("{error:#}")),
            };
            let mut resolve = Resolve::default();
            PREVIEW2.add_to(&mut resolve).map_err(|error| of_world(&error))?;
            PREVIEW3.add_to(&mut resolve).map_err(|error| of_world(&error))?;
            let text = format!("package wargate:host; world host {{ {} }}", self.world);
            let package = resolve.push_str("host.wit", &text).map_err(|error| of_world(&error))?;
            let wit =
                wit_component_258::encode(&resolve, package).map_err(|error| of_world(&error))?;
            let mut types = Types::default();
            let read = Package::from_bytes("wit", None, wit, &mut types)
                .map_err(|error| of_world(&error))?;
            let target = select(&types, read.ty(), None)?;
            let mut fit = compare(component, types, target)?;
            for (name, since) in wants(component, &resolve)? {
                if since > self.offers && !fit.not_offered.contains(&name) {
                    let reason = format!("it is there since WASI {since}");
                    fit.mismatches.push(Mismatch { name, is_export: false, reason });
                }
            }
            Ok(fit)
        })
    }
}

/// The oldest release of WASI 0.2 that has all that a component imports of it, if it imports any. It may
/// be older than the one for which the component was built.
///
/// # Errors
/// [`TargetError`].
pub fn oldest_wasi(component: &[u8]) -> Result<Option<Version>, TargetError> {
    check(component)?;
    contained(|| {
        let mut resolve = Resolve::default();
        PREVIEW2
            .add_to(&mut resolve)
            .map_err(|error| TargetError::World { reason: one_line(&format!("{error:#}")) })?;
        Ok(wants(component, &resolve)?.into_iter().map(|(_, since)| since).max())
    })
}

/// What a component imports of WASI 0.2, as interface or interface and function, with the version since
/// which there is such a thing. What WASI does not have is left out.
fn wants(component: &[u8], wasi: &Resolve) -> Result<BTreeSet<(String, Version)>, TargetError> {
    let read = decode(component)
        .map_err(|error| TargetError::Component { reason: one_line(&format!("{error:#}")) })?;
    let DecodedWasm::Component(resolve, world) = read else { return Ok(BTreeSet::new()) };
    let since = |stability: &Stability| match stability {
        Stability::Stable { since, .. } => since.to_string().parse::<Version>().ok(),
        _ => None,
    };
    let mut wants = BTreeSet::new();
    for (key, item) in &resolve.worlds[world].imports {
        let (WorldKey::Interface(_), WorldItem::Interface { id, .. }) = (key, item) else {
            continue;
        };
        let Some(name) = resolve.id_of(*id) else { continue };
        let bare = name.split('@').next().unwrap_or(&name);
        let known = wasi.interfaces.iter().find(|(id, _)| {
            wasi.id_of(*id).is_some_and(|known| {
                known.split('@').next() == Some(bare) && name.contains("@0.2.")
            })
        });
        let Some((_, known)) = known else { continue };
        wants.extend(since(&known.stability).map(|since| (name.clone(), since)));
        for function in resolve.interfaces[*id].functions.keys() {
            let found = known.functions.get(function).and_then(|it| since(&it.stability));
            wants.extend(found.map(|since| (format!("{name}#{function}"), since)));
        }
    }
    Ok(wants)
}

fn compare(component: &[u8], mut types: Types, target: WorldId) -> Result<Fit, TargetError> {
    let read = Package::from_bytes("component", None, component, &mut types)
        .map_err(|error| TargetError::Component { reason: one_line(&format!("{error:#}")) })?;
    let Err(report) = validate_target(&types, target, read.ty()) else { return Ok(Fit::default()) };
    let mismatches = report.mismatched_types().map(|(name, side, error)| {
        let mut reason = one_line(&format!("{error:#}"));
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        Mismatch { name: name.to_owned(), is_export: *side == ExternKind::Export, reason }
    });
    Ok(Fit {
        not_offered: report.imports_not_in_target().map(ToOwned::to_owned).collect(),
        not_exported: report.missing_exports().map(|(name, _)| name.to_owned()).collect(),
        mismatches: mismatches.collect(),
    })
}

/// The world of a WIT package, which is the type of a component within a type of a component.
fn select(types: &Types, package: WorldId, world: Option<&str>) -> Result<WorldId, TargetError> {
    // Within the type is an export with the whole name, which is the world.
    let worlds = types[package].exports.values().filter_map(|item| match item {
        ItemKind::Type(Type::World(id)) => types[*id].exports.first(),
        _ => None,
    });
    let worlds = worlds.filter_map(|(name, item)| match item {
        ItemKind::Component(id) => Some((name, *id)),
        _ => None,
    });
    let worlds: Vec<_> = worlds.collect();
    let mut wanted = worlds.iter().filter(|(name, _)| {
        world.is_none_or(|world| {
            let bare = name.split('@').next().unwrap_or(name);
            world == *name || world == bare || bare.rsplit('/').next() == Some(world)
        })
    });
    match (wanted.next(), wanted.next()) {
        (Some((_, id)), None) => Ok(*id),
        _ => Err(TargetError::NoSuchWorld {
            worlds: worlds.into_iter().map(|(name, _)| name.clone()).collect(),
        }),
    }
}

fn check(component: &[u8]) -> Result<(), TargetError> {
    let unreadable = |reason: String| TargetError::Component { reason };
    let found =
        inspect(component, &Limits::default()).map_err(|error| unreadable(error.to_string()))?;
    match found.kind {
        Kind::Component => Ok(()),
        Kind::CoreModule => Err(unreadable("it is a core module: adapt it first".into())),
        Kind::WitPackage => Err(unreadable("it is a WIT package, and no component".into())),
    }
}

/// Does work of the libraries, which panic where they know no way on.
fn contained<T>(work: impl FnOnce() -> Result<T, TargetError>) -> Result<T, TargetError> {
    caught(work).unwrap_or_else(|reason| Err(TargetError::Component { reason }))
}

fn worlds_in_words(worlds: &[String]) -> String {
    match worlds {
        [] => "no world".to_owned(),
        worlds => format!("the worlds {}; name one", worlds.join(", ")),
    }
}
