//! Graphs as pictures: Graphviz's DOT, and SVG that needs no other program.
//!
//! Texts may be a stranger's: they are escaped, and stay texts.

mod svg;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A directed graph without cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The arrows: from and to, as places in `nodes`. Those that lead nowhere are left out.
    pub edges: Vec<(usize, usize)>,
}

/// A box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is called.
    pub title: String,
    /// What is said of it, in small print; perhaps nothing.
    pub detail: String,
    /// How it is drawn.
    pub kind: NodeKind,
}

/// How a box is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// Where it begins.
    Root,
    /// Like most.
    #[default]
    Plain,
    /// One that deserves a look.
    Warning,
}

impl Graph {
    /// The graph as Graphviz reads it.
    pub fn to_dot(&self) -> String {
        Dot(self).to_string()
    }

    /// The graph as a picture, from left to right, which follows the light or dark mode of whoever looks
    /// at it.
    pub fn to_svg(&self) -> String {
        svg::Drawing::of(self).to_string()
    }

    /// The arrows that lead from a box to a box.
    fn arrows(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.nodes.len();
        self.edges.iter().copied().filter(move |(from, to)| *from < count && *to < count)
    }
}

struct Dot<'a>(&'a Graph);

impl fmt::Display for Dot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph {{")?;
        writeln!(f, "    rankdir = LR")?;
        writeln!(f, "    node [shape = box, style = rounded, fontname = \"sans-serif\"]")?;
        for (place, Node { title, detail, kind }) in self.0.nodes.iter().enumerate() {
            let more = match kind {
                NodeKind::Root => ", penwidth = 2",
                NodeKind::Plain => "",
                NodeKind::Warning => ", color = \"#c2410c\"",
            };
            let line = if detail.is_empty() { "" } else { "\\n" };
            writeln!(
                f,
                "    n{place} [label = \"{}{line}{}\"{more}]",
                Quoted(title),
                Quoted(detail)
            )?;
        }
        for (from, to) in self.0.arrows() {
            writeln!(f, "    n{from} -> n{to}")?;
        }
        writeln!(f, "}}")
    }
}

/// A text inside a string of DOT.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            other if other.is_control() => f.write_str(" "),
            other => write!(f, "{other}"),
        })
    }
}
