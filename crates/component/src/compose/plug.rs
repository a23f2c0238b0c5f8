//! Plugs in sockets.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use wac_graph::types::{SubtypeChecker, are_semver_compatible};
use wac_graph::{CompositionGraph, NodeId, PackageId};
use wac_types::Package;
use wargate_protocol::Version;

use super::{
    ComposeError, Composition, Form, Reference, Wiring, assemble, contained, graph, options, pinned,
};
use crate::adapt::Adapter;

/// A component that is plugged, or into which others are.
#[derive(Clone, Debug)]
pub struct Plug<'a> {
    /// What it is called.
    pub reference: Reference,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Which plug an import gets something of.
struct Match {
    plug: usize,
    export: String,
}

/// A plug in the graph.
struct Piece {
    package: PackageId,
    /// What stands for it, as soon as somebody needs it.
    instance: Option<NodeId>,
    /// The plugs that it gets something of, directly or not.
    needs: HashSet<usize>,
}

/// Gives a socket what plugs export: interfaces of its imports' names, or of compatible versions, and of
/// their types. A plug gets its own imports from the others in the same way, unless it would come back to
/// itself. Where several fit, the first counts. Each plug has one instance, and what nobody gives stays
/// imported.
///
/// Returns the component, and the places of the plugs of which nothing was wanted.
///
/// # Errors
/// [`ComposeError::NothingPlugged`], or that of a component.
pub fn plug(
    socket: &Plug<'_>,
    plugs: &[Plug<'_>],
    adapters: &BTreeMap<Adapter, &[u8]>,
    form: Form,
) -> Result<(Composition, Vec<usize>), ComposeError> {
    let prepared = |it: &Plug<'_>| Ok((it.reference.clone(), prepare(it, adapters)?.into_owned()));
    let all = [socket].into_iter().chain(plugs).map(prepared);
    let prepared = all.collect::<Result<Vec<_>, ComposeError>>()?;
    let parts: Vec<_> = prepared.iter().map(|(name, bytes)| (name, bytes.as_slice())).collect();
    assemble(&parts, |outlines| {
        let names = parts.iter().map(|(name, _)| (*name).clone());
        let wiring = wire_plugs(names.zip(outlines.to_vec()).collect(), form)?;
        let bytes = outlines.fill(&wiring.frame)?.to_vec();
        Ok((Composition { bytes, graph: wiring.graph }, wiring.unused))
    })
}

fn prepare<'a>(
    plug: &Plug<'a>,
    adapters: &BTreeMap<Adapter, &[u8]>,
) -> Result<Cow<'a, [u8]>, ComposeError> {
    super::prepare(&plug.reference, plug.bytes, adapters)
}

/// Wires outlines: that of the socket, and then those of plugs.
///
/// # Errors
/// As those of [`plug`].
pub fn wire_plugs(outlines: Vec<(Reference, Vec<u8>)>, form: Form) -> Result<Wiring, ComposeError> {
    contained(|| {
        let mut composition = CompositionGraph::new();
        let named: Vec<_> = outlines.iter().map(|(reference, _)| reference.clone()).collect();
        let register = |(reference, bytes)| register(&mut composition, &reference, bytes);
        let packages = outlines.into_iter().map(register).collect::<Result<Vec<_>, _>>()?;
        let Some((&socket, plugs)) = packages.split_first() else {
            return Err(ComposeError::NothingPlugged { imports: Vec::new(), exports: Vec::new() });
        };
        let piece = |package: &PackageId| Piece {
            package: *package,
            instance: None,
            needs: HashSet::new(),
        };
        let mut pieces: Vec<_> = plugs.iter().map(piece).collect();
        wire(&mut composition, socket, &mut pieces)?;
        let frame = composition.encode(options(form));
        let frame = frame.map_err(|error| ComposeError::of_graph(&error))?;
        let frame = pinned(frame, form, &named)?;
        let unused = (0..pieces.len()).filter(|at| pieces[*at].instance.is_none()).collect();
        Ok(Wiring { frame, graph: graph::picture(&composition), unused })
    })
}

/// Instantiates the socket with the plugs, and exports what it exports.
fn wire(
    composition: &mut CompositionGraph,
    socket: PackageId,
    pieces: &mut [Piece],
) -> Result<(), ComposeError> {
    let root = composition.instantiate(socket);
    fill(composition, pieces, root, socket, None)?;
    if pieces.iter().all(|piece| piece.instance.is_none()) {
        let names = |package: PackageId, exports: bool| -> Vec<String> {
            let world = &composition.types()[composition[package].ty()];
            let names = if exports { &world.exports } else { &world.imports };
            names.keys().cloned().collect()
        };
        return Err(ComposeError::NothingPlugged {
            imports: names(socket, false),
            exports: pieces.iter().flat_map(|piece| names(piece.package, true)).collect(),
        });
    }
    let exports = composition.types()[composition[socket].ty()].exports.keys().cloned();
    for name in exports.collect::<Vec<_>>() {
        let of_graph = |error: &dyn std::error::Error| ComposeError::of_graph(error);
        let export = composition.alias_instance_export(root, &name).map_err(|it| of_graph(&it))?;
        composition.export(export, &name).map_err(|it| of_graph(&it))?;
    }
    Ok(())
}

fn register(
    composition: &mut CompositionGraph,
    reference: &Reference,
    bytes: Vec<u8>,
) -> Result<PackageId, ComposeError> {
    let Reference { package, version } = reference;
    let unusable = |reason: String| ComposeError::Package {
        package: package.clone(),
        version: version.clone(),
        reason,
    };
    let number = version.as_ref().map(Version::as_semver);
    let types = composition.types_mut();
    let read = Package::from_bytes(package.as_str(), number, bytes, types)
        .map_err(|error| unusable(format!("{error:#}")))?;
    composition.register_package(read).map_err(|error| unusable(error.to_string()))
}

/// Gives an instance what the plugs have for it, and the plugs in turn. `plug` is the one whose instance
/// it is.
fn fill(
    composition: &mut CompositionGraph,
    pieces: &mut [Piece],
    instance: NodeId,
    package: PackageId,
    plug: Option<usize>,
) -> Result<(), ComposeError> {
    let mut open = vec![(instance, package, plug)];
    while let Some((instance, package, plug)) = open.pop() {
        let imports = composition.types()[composition[package].ty()].imports.keys().cloned();
        for import in imports.collect::<Vec<_>>() {
            let Some(found) = find(composition, pieces, package, plug, &import) else { continue };
            let piece = &mut pieces[found.plug];
            let given = piece.instance.unwrap_or_else(|| {
                let given = composition.instantiate(piece.package);
                open.push((given, piece.package, Some(found.plug)));
                given
            });
            piece.instance = Some(given);
            if let Some(plug) = plug {
                lean(pieces, plug, found.plug);
            }
            let alias = composition
                .alias_instance_export(given, &found.export)
                .map_err(|error| ComposeError::of_graph(&error))?;
            composition
                .set_instantiation_argument(instance, &import, alias)
                .map_err(|error| ComposeError::of_graph(&error))?;
        }
    }
    Ok(())
}

/// Keeps that a plug needs another, and with it whoever needs that plug.
fn lean(pieces: &mut [Piece], plug: usize, on: usize) {
    let mut added = pieces[on].needs.clone();
    added.insert(on);
    for (at, piece) in pieces.iter_mut().enumerate() {
        if at == plug || piece.needs.contains(&plug) {
            piece.needs.extend(&added);
        }
    }
}

/// The first plug that has what an import wants, under its very name or else under a compatible one.
fn find(
    composition: &CompositionGraph,
    pieces: &[Piece],
    package: PackageId,
    plug: Option<usize>,
    import: &str,
) -> Option<Match> {
    let types = composition.types();
    let wanted = *types[composition[package].ty()].imports.get(import)?;
    let mut cache = HashSet::new();
    let mut fits =
        |given| SubtypeChecker::new(&mut cache).is_subtype(given, types, wanted, types).is_ok();
    let is_free =
        |at: &usize| plug.is_none_or(|plug| plug != *at && !pieces[*at].needs.contains(&plug));
    (0..pieces.len()).filter(is_free).find_map(|plug| {
        let exports = &types[composition[pieces[plug].package].ty()].exports;
        let exact = exports.get_key_value(import);
        let compatible = exports.iter().filter(|(name, _)| are_semver_compatible(name, import));
        let mut candidates = exact.into_iter().chain(compatible);
        let (export, _) = candidates.find(|(_, given)| fits(**given))?;
        Some(Match { plug, export: export.clone() })
    })
}
