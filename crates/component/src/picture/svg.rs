//! A layered drawing: each box stands right of all that lead to it.

use std::fmt;

use super::{Graph, Node, NodeKind};

/// Widths and heights, in pixels.
const TITLE_WIDTH: f64 = 8.0;
const DETAIL_WIDTH: f64 = 6.4;
const PADDING: f64 = 14.0;
const HEIGHT: f64 = 46.0;
const GAP_BETWEEN_LAYERS: f64 = 72.0;
const GAP_WITHIN_LAYER: f64 = 16.0;
const MARGIN: f64 = 20.0;

/// How often boxes are put next to what they are connected with.
const SWEEPS: usize = 4;

const STYLE: &str = "\
svg{font-family:ui-sans-serif,system-ui,sans-serif;background:#fff}\
rect{fill:#f8fafc;stroke:#64748b;stroke-width:1.2}.root rect{fill:#eef2ff;stroke:#4f46e5;stroke-width:2}\
.warning rect{fill:#fff7ed;stroke:#c2410c}text{fill:#0f172a;font-size:14px}\
.detail{fill:#64748b;font-size:11px}path{fill:none;stroke:#94a3b8;stroke-width:1.3}\
marker path{fill:#94a3b8;stroke:none}@media(prefers-color-scheme:dark){svg{background:#0b1120}\
rect{fill:#1e293b;stroke:#94a3b8}.root rect{fill:#312e81;stroke:#a5b4fc}\
.warning rect{fill:#431407;stroke:#fb923c}text{fill:#e2e8f0}.detail{fill:#94a3b8}\
path{stroke:#64748b}marker path{fill:#64748b}}";

/// Where everything is.
pub(super) struct Drawing<'a> {
    graph: &'a Graph,
    boxes: Vec<Place>,
    width: f64,
    height: f64,
}

#[derive(Clone, Copy, Default)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
}

impl<'a> Drawing<'a> {
    pub(super) fn of(graph: &'a Graph) -> Self {
        let layers = ordered(graph, layers(graph));
        let mut boxes = vec![Place::default(); graph.nodes.len()];
        let height_of = |layer: &Vec<usize>| count(layer.len()) * (HEIGHT + GAP_WITHIN_LAYER);
        let height = layers.iter().map(height_of).fold(0.0, f64::max) - GAP_WITHIN_LAYER;
        let mut x = MARGIN;
        for layer in &layers {
            let width = layer.iter().map(|node| width(&graph.nodes[*node])).fold(0.0, f64::max);
            let mut y = MARGIN + (height - (height_of(layer) - GAP_WITHIN_LAYER)) / 2.0;
            for node in layer {
                boxes[*node] = Place { x, y, width };
                y += HEIGHT + GAP_WITHIN_LAYER;
            }
            x += width + GAP_BETWEEN_LAYERS;
        }
        let width = (x - GAP_BETWEEN_LAYERS + MARGIN).max(2.0 * MARGIN);
        Self { graph, boxes, width, height: height.max(0.0) + 2.0 * MARGIN }
    }
}

/// The boxes of each layer: one more than the highest of those that lead to a box.
fn layers(graph: &Graph) -> Vec<Vec<usize>> {
    let mut layer_of = vec![0; graph.nodes.len()];
    // A graph with a cycle would go on for ever; none has a longer way than it has boxes.
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for (from, to) in graph.arrows() {
            let right = layer_of[from] + 1;
            if layer_of[to] < right && right < graph.nodes.len() {
                layer_of[to] = right;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
    for (node, layer) in layer_of.into_iter().enumerate() {
        layers[layer].push(node);
    }
    layers.retain(|layer| !layer.is_empty());
    layers
}

/// The same, each box near the middle of those that it is connected with, so that few arrows cross.
fn ordered(graph: &Graph, mut layers: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); graph.nodes.len()];
    for (from, to) in graph.arrows() {
        neighbours[from].push(to);
        neighbours[to].push(from);
    }
    let mut height = vec![0.0; graph.nodes.len()];
    for _ in 0..SWEEPS {
        for layer in &mut layers {
            for (place, node) in layer.iter().enumerate() {
                height[*node] = (count(place) + 0.5) / count(layer.len());
            }
        }
        for layer in &mut layers {
            let middle = |node: &usize| {
                let near = &neighbours[*node];
                let sum: f64 = near.iter().map(|near| height[*near]).sum();
                if near.is_empty() { height[*node] } else { sum / count(near.len()) }
            };
            layer.sort_by(|one, other| middle(one).total_cmp(&middle(other)));
            for (place, node) in layer.iter().enumerate() {
                height[*node] = (count(place) + 0.5) / count(layer.len());
            }
        }
    }
    layers
}

fn width(Node { title, detail, .. }: &Node) -> f64 {
    let title = count(title.chars().count()) * TITLE_WIDTH;
    title.max(count(detail.chars().count()) * DETAIL_WIDTH) + 2.0 * PADDING
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, boxes, width, height } = self;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">"
        )?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(
            f,
            "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/></marker></defs>"
        )?;
        for (from, to) in graph.arrows() {
            let (from, to) = (boxes[from], boxes[to]);
            let (x, y, end, level) =
                (from.x + from.width, from.y + HEIGHT / 2.0, to.x, to.y + HEIGHT / 2.0);
            let bend = (end - x) / 2.0;
            writeln!(
                f,
                "<path d=\"M{x:.1} {y:.1}C{:.1} {y:.1} {:.1} {level:.1} {end:.1} {level:.1}\" \
                 marker-end=\"url(#tip)\"/>",
                x + bend,
                end - bend
            )?;
        }
        for (Place { x, y, width }, node) in boxes.iter().zip(&graph.nodes) {
            let class = match node.kind {
                NodeKind::Root => "root",
                NodeKind::Plain => "plain",
                NodeKind::Warning => "warning",
            };
            let (text, first) = (x + PADDING, if node.detail.is_empty() { 28.0 } else { 20.0 });
            writeln!(
                f,
                "<g class=\"{class}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{HEIGHT}\" rx=\"8\"/><text x=\"{text:.1}\" y=\"{:.1}\">{}</text>",
                y + first,
                Escaped(&node.title)
            )?;
            if !node.detail.is_empty() {
                writeln!(
                    f,
                    "<text class=\"detail\" x=\"{text:.1}\" y=\"{:.1}\">{}</text>",
                    y + 36.0,
                    Escaped(&node.detail)
                )?;
            }
            writeln!(f, "</g>")?;
        }
        writeln!(f, "</svg>")
    }
}

/// A text inside an element.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            // XML has no way to write most of these.
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => {
                f.write_str(" ")
            }
            other => write!(f, "{other}"),
        })
    }
}
