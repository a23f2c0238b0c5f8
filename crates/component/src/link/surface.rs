//! What the contents import and export, and which release answers which import.

use std::collections::{HashMap, HashSet, VecDeque};

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};
use wasmparser::component_types::ComponentItem;
use wasmparser::types::Types;

use super::{Chain, LinkError, Root};
use crate::inspect::walk::Outside;
use crate::inspect::{InspectError, Kind, Limits, watched_with_types};
use crate::limits::LINK_BYTES_MAX;
use crate::names::{ImportName, ImportNameError};
use crate::solve::{Edge, Solution, Step};

/// What a component shows from outside.
pub(super) struct Surface {
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<Export>,
    pub(super) types: Types,
}

/// An import of a component.
pub(super) struct Import {
    /// As it stands in the file.
    pub(super) name: String,
    pub(super) reading: ImportName,
    pub(super) item: ComponentItem,
}

/// An export of a component.
pub(super) struct Export {
    pub(super) name: String,
    pub(super) item: ComponentItem,
}

/// The root and the releases that it needs, in the order in which imports lead to them, breadth-first:
/// the root is number 0.
pub(super) struct Parts<'a>(Vec<Part<'a>>);

/// The root or a release.
pub(super) struct Part<'a> {
    pub(super) release: Option<Identity>,
    pub(super) bytes: &'a [u8],
    pub(super) surface: Surface,
    /// For each import the number of the part that answers it, if it is an import of a package.
    pub(super) answers: Vec<Option<usize>>,
    /// The part and the number of its import that led here first.
    came_by: Option<(usize, usize)>,
}

/// Which release a part is.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) package: PackageName,
    pub(super) version: Version,
    pub(super) digest: Digest,
}

/// Why a content has no surface.
pub(super) enum Fault {
    Content(InspectError),
    Kind(Kind),
    Name(ImportNameError),
}

impl Fault {
    pub(super) fn at(self, chain: Chain) -> LinkError {
        match self {
            Self::Content(error) => LinkError::Content { chain, error },
            Self::Kind(kind) => LinkError::NoComponent { chain, kind },
            Self::Name(error) => LinkError::Name { chain, error },
        }
    }
}

impl Surface {
    /// Validates all of a content but its code.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let limits = Limits { bytes_max: LINK_BYTES_MAX };
        let (inspection, types) =
            watched_with_types(bytes, limits, Outside::new).map_err(Fault::Content)?;
        if inspection.kind != Kind::Component {
            return Err(Fault::Kind(inspection.kind));
        }
        let mut imports = Vec::with_capacity(inspection.imports.len());
        for import in inspection.imports {
            let reading = import.name.parse().map_err(Fault::Name)?;
            let item = types.as_ref().component_item_for_import(&import.name).cloned();
            let item = item.ok_or(Fault::Content(InspectError::Defect))?;
            imports.push(Import { name: import.name, reading, item });
        }
        let mut exports = Vec::with_capacity(inspection.exports.len());
        for export in inspection.exports {
            let item = types.as_ref().component_item_for_export(&export.name).cloned();
            let item = item.ok_or(Fault::Content(InspectError::Defect))?;
            exports.push(Export { name: export.name, item });
        }
        Ok(Self { imports, exports, types })
    }

    /// The imports of packages.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| import.reading.dependency().is_some())
    }
}

impl<'a> Parts<'a> {
    /// Reads the releases that the root needs, and compares all contents with their digests.
    pub(super) fn read(
        root: &Root<'a>,
        surface: Surface,
        solution: &Solution,
        contents: &[&'a [u8]],
    ) -> Result<Self, LinkError> {
        let identities = identities(solution, contents)?;
        let release = root.release.clone().map(|(package, version)| Identity {
            package,
            version,
            digest: Digest::of(root.bytes),
        });
        let mut parts = Self(vec![Part::new(release, root.bytes, surface, None)]);
        let mut edges = VecDeque::from([&solution.roots]);
        let mut numbers = HashMap::new();
        let mut importer = 0;
        while let Some(of_importer) = edges.pop_front() {
            let answers = parts.answers(importer, of_importer)?;
            for (import, node) in answers {
                let chain = || parts.chain_to_import(importer, import);
                let identity =
                    identities.get(node).ok_or_else(|| LinkError::NoNode { chain: chain() })?;
                fits(&parts[importer].surface.imports[import].reading, identity, chain)?;
                let number = if let Some(number) = numbers.get(&node) {
                    *number
                } else {
                    let surface =
                        Surface::read(contents[node]).map_err(|fault| fault.at(chain()))?;
                    let came_by = Some((importer, import));
                    let release = Some(identity.clone());
                    parts.0.push(Part::new(release, contents[node], surface, came_by));
                    edges.push_back(&solution.nodes[node].edges);
                    numbers.insert(node, parts.0.len() - 1);
                    parts.0.len() - 1
                };
                parts.0[importer].answers[import] = Some(number);
            }
            importer += 1;
        }
        Ok(parts)
    }

    /// A component, and one that is no release and answers some of its imports.
    pub(super) fn two(root: (&'a [u8], Surface), other: (&'a [u8], Surface)) -> Self {
        Self([root, other].map(|(bytes, surface)| Part::new(None, bytes, surface, None)).into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part<'a>> {
        self.0.iter()
    }

    /// How the root comes to a part.
    pub(super) fn chain_to(&self, part: usize) -> Chain {
        let mut steps = Vec::new();
        let mut next = self[part].came_by;
        while let Some((importer, import)) = next {
            steps.push(self.step(importer, import));
            next = self[importer].came_by;
        }
        steps.reverse();
        Chain(steps)
    }

    /// How the root comes to an import of a part.
    pub(super) fn chain_to_import(&self, part: usize, import: usize) -> Chain {
        self.chain_to(part).then(self.step(part, import))
    }

    fn step(&self, part: usize, import: usize) -> Step {
        let import = self[part].surface.imports[import].reading.clone();
        Step { importer: self.importer(part), import }
    }

    fn importer(&self, part: usize) -> Option<(PackageName, Version)> {
        let release = self[part].release.as_ref().filter(|_| part > 0);
        release.map(|release| (release.package.clone(), release.version.clone()))
    }

    /// The imports of a part and the nodes of the solution that answer them.
    fn answers(&self, part: usize, edges: &[Edge]) -> Result<Vec<(usize, usize)>, LinkError> {
        let mut nodes: HashMap<&ImportName, usize> =
            edges.iter().map(|edge| (&edge.import, edge.to)).collect();
        let mut answers = Vec::new();
        let mut used = Vec::new();
        for (number, import) in self[part].surface.imports.iter().enumerate() {
            if import.reading.dependency().is_some() {
                let Some(node) = nodes.get(&import.reading) else {
                    return Err(LinkError::NoAnswer { chain: self.chain_to_import(part, number) });
                };
                answers.push((number, *node));
                used.push(&import.reading);
            }
        }
        for reading in used {
            nodes.remove(reading);
        }
        let left = edges.iter().find(|edge| nodes.contains_key(&edge.import));
        if let Some(edge) = left {
            let step = Step { importer: self.importer(part), import: edge.import.clone() };
            return Err(LinkError::NoImport { chain: self.chain_to(part).then(step) });
        }
        Ok(answers)
    }
}

impl<'a> std::ops::Index<usize> for Parts<'a> {
    type Output = Part<'a>;

    fn index(&self, number: usize) -> &Part<'a> {
        &self.0[number]
    }
}

impl<'a> Part<'a> {
    fn new(
        release: Option<Identity>,
        bytes: &'a [u8],
        surface: Surface,
        came_by: Option<(usize, usize)>,
    ) -> Self {
        let answers = vec![None; surface.imports.len()];
        Self { release, bytes, surface, answers, came_by }
    }
}

/// The releases of the solution, whose contents are right.
fn identities(solution: &Solution, contents: &[&[u8]]) -> Result<Vec<Identity>, LinkError> {
    if contents.len() != solution.nodes.len() {
        let (contents, nodes) = (contents.len(), solution.nodes.len());
        return Err(LinkError::Contents { contents, nodes });
    }
    let mut known = HashSet::new();
    let mut identities = Vec::with_capacity(contents.len());
    for (node, content) in solution.nodes.iter().zip(contents) {
        let (package, version) = (node.package.clone(), node.version.clone());
        if !known.insert((&node.package, &node.version)) {
            return Err(LinkError::Twice { package, version });
        }
        let found = Digest::of(content);
        if found != node.digest {
            return Err(LinkError::OtherContent { package, version, found });
        }
        identities.push(Identity { package, version, digest: found });
    }
    Ok(identities)
}

/// Checks that a release is what an import names.
fn fits(
    import: &ImportName,
    release: &Identity,
    chain: impl Fn() -> Chain,
) -> Result<(), LinkError> {
    let Identity { package, version, digest } = release;
    let other = || LinkError::OtherRelease {
        chain: chain(),
        package: package.clone(),
        version: version.clone(),
    };
    if import.dependency() != Some(package) {
        return Err(other());
    }
    match import {
        ImportName::Unlocked { range, .. } => {
            let below = range.lower().is_some_and(|lower| version < lower);
            let above = range.upper().is_some_and(|upper| version >= upper);
            if below || above { Err(other()) } else { Ok(()) }
        }
        ImportName::Locked { version: demanded, integrity, .. } => {
            if demanded.as_ref().is_some_and(|demanded| demanded != version) {
                return Err(other());
            }
            match integrity {
                Some(integrity) if integrity.sha256() != Some(*digest) => {
                    Err(LinkError::OtherIntegrity { chain: chain(), found: *digest })
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
