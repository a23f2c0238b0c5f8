//! Towers of real components, of which both sides make one component with the same wiring.

#[path = "../../crates/component/benches/link/tower.rs"]
mod tower;

use std::io;

use wac_graph::{CompositionGraph, EncodeOptions, NodeId};
use wac_types::Package;
use wargate_component::link::{Root, bundle};
use wargate_component::solve::{Edge, Node, Solution};

use tower::GREETING;

/// A root and the releases that it needs, each of which needs the one before.
#[derive(Clone)]
pub struct Tower {
    root: Vec<u8>,
    solution: Solution,
    contents: Vec<Vec<u8>>,
}

/// A component of which `wac` becomes the owner.
struct Piece {
    name: String,
    bytes: Vec<u8>,
    /// What it imports, each with the number of the piece that answers.
    arguments: Vec<(String, usize)>,
    /// What others get of it.
    export: String,
}

impl Tower {
    /// A tower of components in `testdata/components`, the root first.
    pub fn of(names: &[&str]) -> Self {
        let (root, solution, contents) = tower::tower(names);
        Self { root, solution, contents }
    }

    /// The bytes of all components together.
    pub fn bytes(&self) -> usize {
        self.contents.iter().map(Vec::len).sum::<usize>() + self.root.len()
    }

    /// Writes our bundle.
    pub fn write_ours(&self, writer: &mut impl io::Write) {
        let contents: Vec<&[u8]> = self.contents.iter().map(Vec::as_slice).collect();
        let root = Root { bytes: &self.root, release: None };
        bundle(&root, &self.solution, &contents).unwrap().write_to(writer).unwrap();
    }

    /// What `wac` takes, which wants to own its bytes.
    pub fn into_theirs(self) -> Theirs {
        let Self { root, solution, contents } = self;
        let export = |node: &Node| format!("{}/greeting@{}", node.package, node.version);
        let arguments = |edges: &[Edge]| {
            edges.iter().map(|edge| (edge.import.to_string(), edge.to)).collect::<Vec<_>>()
        };
        let mut pieces = Vec::new();
        for (node, bytes) in solution.nodes.iter().zip(contents) {
            let arguments = arguments(&node.edges);
            pieces.push(Piece {
                name: node.package.to_string(),
                bytes,
                arguments,
                export: export(node),
            });
        }
        let (name, export) = ("example:root".to_owned(), GREETING.to_owned());
        pieces.push(Piece { name, bytes: root, arguments: arguments(&solution.roots), export });
        Theirs(pieces)
    }
}

/// A tower for `wac`.
pub struct Theirs(Vec<Piece>);

impl Theirs {
    /// Writes the component that `wac` makes: every component within, none imported, and validated, as
    /// its command line does.
    pub fn write(self, writer: &mut impl io::Write) {
        let mut graph = CompositionGraph::new();
        let mut instances: Vec<(NodeId, String)> = Vec::new();
        for Piece { name, bytes, arguments, export } in self.0 {
            let package = Package::from_bytes(&name, None, bytes, graph.types_mut()).unwrap();
            let package = graph.register_package(package).unwrap();
            let instance = graph.instantiate(package);
            for (import, from) in arguments {
                let (from, export) = &instances[from];
                let alias = graph.alias_instance_export(*from, export).unwrap();
                graph.set_instantiation_argument(instance, &import, alias).unwrap();
            }
            instances.push((instance, export));
        }
        let (root, _) = instances.last().unwrap();
        let package = graph[*root].package().unwrap();
        let exports = graph.types()[graph[package].ty()].exports.keys().cloned();
        for export in exports.collect::<Vec<_>>() {
            let alias = graph.alias_instance_export(*root, &export).unwrap();
            graph.export(alias, export).unwrap();
        }
        let options = EncodeOptions { define_components: true, validate: true, processor: None };
        writer.write_all(&graph.encode(options).unwrap()).unwrap();
    }
}
