//! A composition as a picture.

use std::collections::HashMap;

use wac_graph::{CompositionGraph, NodeId, NodeKind};

use crate::picture::{self, Graph, Node};

/// What is instantiated, imported and exported. An arrow leads from who needs something to who gives it.
pub(super) fn picture(composition: &CompositionGraph) -> Graph {
    let mut graph = Graph::default();
    let mut places: HashMap<NodeId, usize> = HashMap::new();
    let mut outside = Vec::new();
    for id in composition.node_ids() {
        let node = &composition[id];
        let (title, detail) = match node.kind() {
            NodeKind::Instantiation(_) => {
                let Some(package) = node.package().map(|package| &composition[package]) else {
                    continue;
                };
                let version = package.version().map(ToString::to_string).unwrap_or_default();
                (package.name().to_owned(), version)
            }
            NodeKind::Import(name) => (name.clone(), "import".to_owned()),
            NodeKind::Definition | NodeKind::Alias => continue,
        };
        places.insert(id, graph.nodes.len());
        graph.nodes.push(Node { title, detail, kind: picture::NodeKind::Plain });
    }
    for id in composition.node_ids() {
        // What is taken out of an instance is the instance's.
        let giver = |id: NodeId| {
            let mut at = id;
            while let Some((source, _)) = composition.get_alias_source(at) {
                at = source;
            }
            places.get(&at).copied()
        };
        if composition[id].export_name().is_some() {
            outside.extend(giver(id));
        }
        if let (Some(&to), NodeKind::Instantiation(_)) = (places.get(&id), composition[id].kind()) {
            let arguments = composition.get_instantiation_arguments(id);
            graph.edges.extend(arguments.filter_map(|(_, from)| Some((to, giver(from)?))));
        }
    }
    for at in outside {
        if let Some(node) = graph.nodes.get_mut(at) {
            node.kind = picture::NodeKind::Root;
        }
    }
    graph.edges.sort_unstable();
    graph.edges.dedup();
    graph
}
