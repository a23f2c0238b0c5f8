//! Pictures of graphs.

use wargate_component::picture::{Graph, Node, NodeKind};

fn node(title: &str, detail: &str, kind: NodeKind) -> Node {
    Node { title: title.into(), detail: detail.into(), kind }
}

/// A diamond whose names mean harm.
fn diamond() -> Graph {
    let nodes = vec![
        node("my:app", "app.wasm", NodeKind::Root),
        node("test:b", "1.0.0", NodeKind::Plain),
        node("<script>\"&\\", "a\u{1b}[2Jb\u{0}", NodeKind::Warning),
        node("test:d", "", NodeKind::Plain),
    ];
    Graph { nodes, edges: vec![(0, 1), (0, 2), (1, 3), (2, 3), (3, 9)] }
}

#[test]
fn dot_has_all_boxes_and_arrows_and_no_text_gets_out_of_its_quotes() {
    let expected = r##"digraph {
    rankdir = LR
    node [shape = box, style = rounded, fontname = "sans-serif"]
    n0 [label = "my:app\napp.wasm", penwidth = 2]
    n1 [label = "test:b\n1.0.0"]
    n2 [label = "<script>\"&\\\na [2Jb ", color = "#c2410c"]
    n3 [label = "test:d"]
    n0 -> n1
    n0 -> n2
    n1 -> n3
    n2 -> n3
}
"##;
    assert_eq!(diamond().to_dot(), expected);
}

/// The numbers of an attribute, in the order of the picture.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    let mark = format!("<rect {attribute}=\"");
    let parts = svg.split(&mark).skip(1);
    let numbers = parts.filter_map(|part| part.split('"').next()?.parse().ok());
    numbers.collect()
}

#[test]
fn svg_stands_from_left_to_right_and_no_text_becomes_an_element() {
    let svg = diamond().to_svg();
    assert_eq!(svg, diamond().to_svg());
    assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&quot;&amp;\\"), "{svg}");
    assert!(!svg.chars().any(|it| it.is_control() && it != '\n'));
    let xs = numbers(&svg, "x");
    assert!(xs[0] < xs[1] && (xs[1] - xs[2]).abs() < 0.1 && xs[2] < xs[3], "{xs:?}");
    assert_eq!(svg.matches("marker-end").count(), 4);
    assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
}

#[test]
fn any_graph_can_be_drawn() {
    assert!(Graph::default().to_svg().contains("</svg>"));
    let nodes = vec![Node::default(); 300];
    // A chain, a star, and what is no tree at all.
    let chain = (0..299).map(|at| (at, at + 1)).collect();
    let star = (1..300).map(|at| (0, at)).collect();
    let cycle = (0..300).map(|at| (at, (at + 1) % 300)).collect();
    for edges in [chain, star, cycle] {
        let graph = Graph { nodes: nodes.clone(), edges };
        assert_eq!(graph.to_svg().matches("<rect").count(), 300);
        assert!(!graph.to_svg().contains("NaN"));
    }
}
