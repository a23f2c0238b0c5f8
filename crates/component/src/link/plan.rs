//! What is instantiated, in which order, and what each import gets.

use wasmparser::component_types::ComponentEntityType;

use super::surface::{Export, Identity, Import, Parts, Surface};
use super::{Chain, Form, LinkError, locked_name};
use crate::inspect::ExternKind;
use crate::names::{ImportName, InterfaceName};
use crate::solve::track;

/// What is instantiated.
pub(super) struct Plan {
    /// The parts that are instantiated, each behind those that it needs; the root is the last.
    pub(super) instances: Vec<usize>,
    /// The parts that are there as components: those of `instances`, and those that are passed.
    pub(super) components: Vec<usize>,
    /// For each part what its imports get; empty for those that are not instantiated.
    pub(super) wires: Vec<Vec<Wire>>,
}

/// What an import gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// The instance of a part.
    Instance(usize),
    /// An export of the instance of a part.
    Export(usize, String),
    /// Exports of the instance of a part, under other names: what it is to be called, and what it is.
    Renamed(usize, Vec<(String, String)>),
    /// A part as it is.
    Component(usize),
    /// Items of several instances, and what each is to be called.
    Mixed(Vec<(String, Source)>),
    /// An import of the result.
    Open,
}

/// Where an item is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An export of the instance of a part.
    Export(usize, String),
    /// An item of what becomes of an import of the same part that stays open.
    Open(usize, String),
}

impl Wire {
    /// Whether an import of this number stays open, if only for some of its items.
    pub(super) fn is_open(&self, number: usize) -> bool {
        match self {
            Self::Open => true,
            Self::Mixed(items) => {
                let open = |source: &Source| matches!(source, Source::Open(it, _) if *it == number);
                items.iter().any(|(_, source)| open(source))
            }
            _ => false,
        }
    }

    /// The part that must be instantiated before.
    const fn needs(&self) -> Option<usize> {
        match self {
            Self::Instance(part) | Self::Export(part, _) | Self::Renamed(part, _) => Some(*part),
            // What is mixed is not planned here.
            Self::Component(_) | Self::Mixed(_) | Self::Open => None,
        }
    }
}

impl Plan {
    pub(super) fn make(parts: &Parts<'_>, form: Form) -> Result<Self, LinkError> {
        let mut plan = Self {
            instances: Vec::new(),
            components: Vec::new(),
            wires: parts.iter().map(|_| Vec::new()).collect(),
        };
        let mut state = vec![State::New; plan.wires.len()];
        // The parts that are being visited, and how many of their imports were looked at.
        let mut open = vec![(0, 0)];
        plan.visit(parts, 0, form)?;
        while let Some((part, looked_at)) = open.last_mut() {
            let part = *part;
            state[part] = State::Open;
            let Some(wire) = plan.wires[part].get(*looked_at) else {
                state[part] = State::Done;
                plan.instances.push(part);
                plan.components.push(part);
                open.pop();
                continue;
            };
            *looked_at += 1;
            let Some(needed) = wire.needs() else { continue };
            match state[needed] {
                State::Done => {}
                State::New => {
                    plan.visit(parts, needed, form)?;
                    open.push((needed, 0));
                }
                State::Open => return Err(cycle(parts, &open, needed)),
            }
        }
        let passed: Vec<usize> = plan.wires.iter().flatten().filter_map(Wire::passed).collect();
        for part in passed {
            if !plan.components.contains(&part) {
                plan.components.push(part);
            }
        }
        Ok(plan)
    }

    /// Whether the root is a locked component already.
    pub(super) fn is_locked(&self, parts: &Parts<'_>) -> bool {
        let imports = parts[0].surface.imports.iter().zip(&self.wires[0]);
        imports.filter(|(import, _)| import.reading.dependency().is_some()).all(|(import, wire)| {
            let Wire::Component(part) = wire else { return false };
            let release = parts[*part].release.as_ref();
            release.is_some_and(|Identity { package, version, digest }| {
                import.name == locked_name(package, version, digest)
            })
        })
    }

    /// Finds out what the imports of a part get.
    fn visit(&mut self, parts: &Parts<'_>, part: usize, form: Form) -> Result<(), LinkError> {
        if let (Form::Bundle, Some(import)) = (form, remote(&parts[part].surface)) {
            return Err(LinkError::Remote { chain: parts.chain_to_import(part, import) });
        }
        let imports = parts[part].surface.imports.iter().enumerate();
        self.wires[part] = imports
            .map(|(number, import)| match parts[part].answers[number] {
                Some(answer) => wire(parts, (part, number), import, answer),
                None => Ok(Wire::Open),
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl Wire {
    const fn passed(&self) -> Option<usize> {
        match self {
            Self::Component(part) => Some(*part),
            _ => None,
        }
    }
}

/// How far a part was visited.
#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// The first import that a bundle cannot hold.
pub(super) fn remote(surface: &Surface) -> Option<usize> {
    surface.imports.iter().position(|import| {
        matches!(import.reading, ImportName::Url { .. } | ImportName::Integrity(_))
    })
}

/// What an import of a package gets, which `answer` is.
fn wire(
    parts: &Parts<'_>,
    (part, number): (usize, usize),
    import: &Import,
    answer: usize,
) -> Result<Wire, LinkError> {
    let chain = || parts.chain_to_import(part, number);
    let answering = &parts[answer];
    match (import.item.ty, projection(&import.reading)) {
        (ComponentEntityType::Component(ty), _) => {
            let declared = &parts[part].surface.types[ty].imports;
            let open = answering
                .surface
                .dependencies()
                .find(|dependency| !declared.contains_key(&dependency.name));
            match open {
                None => Ok(Wire::Component(answer)),
                Some(open) => Err(LinkError::Open { chain: chain(), import: open.name.clone() }),
            }
        }
        (_, Some(projection)) => {
            let Some(Identity { package, version, .. }) = &answering.release else {
                return Err(LinkError::Defect);
            };
            let export = projected(&answering.surface.exports, projection, package, version);
            match export {
                Some(export) => Ok(Wire::Export(answer, export.to_owned())),
                None => Err(LinkError::NoExport {
                    chain: chain(),
                    version: version.clone(),
                    projection: projection.to_owned(),
                }),
            }
        }
        (ComponentEntityType::Instance(ty), None) => {
            let asked = parts[part].surface.types[ty].exports.keys();
            Ok(whole(answer, asked, &answering.surface.exports))
        }
        (other, None) => Err(LinkError::Kind { chain: chain(), kind: kind(&other) }),
    }
}

fn projection(import: &ImportName) -> Option<&str> {
    match import {
        ImportName::Unlocked { projection, .. } | ImportName::Locked { projection, .. } => {
            projection.as_deref()
        }
        _ => None,
    }
}

/// The export that is meant by `package/projection`.
fn projected<'e>(
    exports: &'e [Export],
    projection: &str,
    package: &wargate_protocol::PackageName,
    version: &wargate_protocol::Version,
) -> Option<&'e str> {
    let interfaces = exports.iter().filter_map(|export| {
        let name = interface(&export.name)?;
        (name.package == *package && name.interface == projection)
            .then_some((name.version, export.name.as_str()))
    });
    // The version of the release, then the highest, then one without.
    let best = interfaces.max_by_key(|(own, _)| (own.as_ref() == Some(version), own.clone()));
    let plain = || exports.iter().map(|export| export.name.as_str()).find(|it| *it == projection);
    best.map(|(_, name)| name).or_else(plain)
}

/// The instance of a part for an import that asks for some exports.
fn whole<'n>(
    answer: usize,
    asked: impl Iterator<Item = &'n String> + Clone,
    exports: &[Export],
) -> Wire {
    let has = |name: &str| exports.iter().any(|export| export.name == name);
    let mut renamed = Vec::new();
    let mut differs = false;
    for asked in asked {
        if has(asked) {
            renamed.push((asked.clone(), asked.clone()));
        } else if let Some(compatible) = compatible(exports, asked) {
            differs = true;
            renamed.push((asked.clone(), compatible.to_owned()));
        }
    }
    if differs { Wire::Renamed(answer, renamed) } else { Wire::Instance(answer) }
}

/// The export of the highest version that is compatible with an interface, and not lower.
fn compatible<'e>(exports: &'e [Export], asked: &str) -> Option<&'e str> {
    let asked = interface(asked)?;
    let lowest = asked.version.as_ref().filter(|version| !version.is_prerelease())?;
    let candidates = exports.iter().filter_map(|export| {
        let name = interface(&export.name)?;
        let version = name.version.filter(|version| !version.is_prerelease())?;
        let fits = name.package == asked.package
            && name.interface == asked.interface
            && track(&version) == track(lowest)
            && version >= *lowest;
        fits.then_some((version, export.name.as_str()))
    });
    candidates.max().map(|(_, name)| name)
}

fn interface(name: &str) -> Option<InterfaceName> {
    match name.parse() {
        Ok(ImportName::Interface(name)) => Some(name),
        _ => None,
    }
}

const fn kind(ty: &ComponentEntityType) -> ExternKind {
    match ty {
        ComponentEntityType::Module(_) => ExternKind::Module,
        ComponentEntityType::Func(_) => ExternKind::Func,
        ComponentEntityType::Value(_) => ExternKind::Value,
        ComponentEntityType::Type { .. } => ExternKind::Type,
        ComponentEntityType::Instance(_) => ExternKind::Instance,
        ComponentEntityType::Component(_) => ExternKind::Component,
    }
}

/// The cycle that is closed by the last part of `open` needing `again`.
fn cycle(parts: &Parts<'_>, open: &[(usize, usize)], again: usize) -> LinkError {
    let from = open.iter().position(|(part, _)| *part == again).unwrap_or_default();
    let steps = open[from..].iter().filter_map(|(part, looked_at)| {
        let import = looked_at.checked_sub(1)?;
        parts.chain_to_import(*part, import).0.pop()
    });
    LinkError::Cycle { chain: Chain(steps.collect()) }
}
