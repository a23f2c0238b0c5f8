//! Towers of real components: each greets by means of the one below.

use std::fs;
use std::path::Path;

use wargate_component::ImportName;
use wargate_component::solve::{Edge, Node, Solution};
use wargate_crypto::Digest;
use wasmparser::{Parser, Payload};

/// The interface that all of them have.
pub(crate) const GREETING: &str = "example:greet/greeting@0.1.0";

/// What is linked: the root, the solution, and the contents.
pub(crate) type Tower = (Vec<u8>, Solution, Vec<Vec<u8>>);

/// A real component.
pub(crate) fn component(name: &str) -> Vec<u8> {
    // Other workspaces include this file, too.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let components = folders.find_map(|folder| {
        let components = folder.join("testdata/components");
        components.is_dir().then_some(components)
    });
    fs::read(components.unwrap().join(format!("{name}.wasm"))).unwrap()
}

/// A tower of the named components, the root first. Each is a release of its own, whatever it is.
pub(crate) fn tower(names: &[&str]) -> Tower {
    let package = |level: usize| format!("example:level{level}");
    let mut nodes: Vec<Node> = Vec::new();
    let mut contents = Vec::new();
    let mut root = None;
    for (level, name) in names.iter().enumerate().rev() {
        let mut bytes = component(name);
        let mut edges = Vec::new();
        if level + 1 < names.len() {
            let import = format!("unlocked-dep=<{}/greeting@{{>=1.0.0}}>", package(level + 1));
            bytes = renamed_import(&bytes, GREETING, &import);
            edges.push(Edge { import: import.parse().unwrap(), to: nodes.len() - 1 });
        }
        if level == 0 {
            root = Some((bytes, edges));
            continue;
        }
        bytes = renamed_export(&bytes, GREETING, &format!("{}/greeting@1.0.0", package(level)));
        // No two levels are the same content.
        bytes.extend(section(0, &[5, b'l', b'e', b'v', b'e', b'l', u8::try_from(level).unwrap()]));
        bytes.shrink_to_fit();
        nodes.push(Node {
            package: package(level).parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest::of(&bytes),
            yanked: false,
            edges,
        });
        contents.push(bytes);
    }
    let (root, roots) = root.unwrap();
    assert!(roots.iter().all(|edge| matches!(edge.import, ImportName::Unlocked { .. })));
    (root, Solution { roots, nodes }, contents)
}

/// A component with another name for an import.
fn renamed_import(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    renamed(bytes, from, to, |payload| match payload {
        Payload::ComponentImportSection(section) => Some((10, section.range())),
        _ => None,
    })
}

/// A component with another name for an export.
fn renamed_export(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    renamed(bytes, from, to, |payload| match payload {
        Payload::ComponentExportSection(section) => Some((11, section.range())),
        _ => None,
    })
}

/// Replaces a name in the outermost sections that `select` says, with the sections' numbers.
fn renamed(
    bytes: &[u8],
    from: &str,
    to: &str,
    select: impl Fn(&Payload<'_>) -> Option<(u8, std::ops::Range<u64>)>,
) -> Vec<u8> {
    let (mut written, mut at, mut end, mut depth) = (Vec::new(), 0, 0, 0);
    let position = |offset: u64| usize::try_from(offset).unwrap();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.unwrap();
        match &payload {
            Payload::Version { range, .. } if depth == 0 => end = position(range.end),
            Payload::End(_) => depth -= 1,
            _ => {}
        }
        if let (0, Some((id, range))) = (depth, select(&payload)) {
            let contents = &bytes[position(range.start)..position(range.end)];
            written.extend_from_slice(&bytes[at..end]);
            written.extend(section(id, &replaced(contents, from, to)));
            at = position(range.end);
        }
        if let Some((_, range)) = payload.as_section() {
            end = end.max(position(range.end));
        }
        depth += i32::from(matches!(
            payload,
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. }
        ));
    }
    written.extend_from_slice(&bytes[at..]);
    written
}

fn replaced(contents: &[u8], from: &str, to: &str) -> Vec<u8> {
    let prefixed = |name: &str| [&length(name.len()), name.as_bytes()].concat();
    let (from, to) = (prefixed(from), prefixed(to));
    let found = contents.windows(from.len()).position(|window| window == from);
    found.map_or_else(
        || contents.to_vec(),
        |at| [&contents[..at], &to, &contents[at + from.len()..]].concat(),
    )
}

/// A section.
pub(crate) fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id], length(contents.len()).as_slice(), contents].concat()
}

fn length(mut left: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while left > 0x7f {
        bytes.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    bytes.push(u8::try_from(left).unwrap());
    bytes
}
