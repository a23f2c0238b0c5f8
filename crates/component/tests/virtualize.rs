//! Components with their environment and files sealed inside, run.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "virtualize/host.rs"]
mod host;

use std::collections::BTreeMap;

use host::{Host, imports};
use wargate_component::virtualize::{
    Entry, Folder, Options, Sealed, Virtualized, VirtualizeError, virtualize,
};

const PROBE: &[u8] = include_bytes!("../../../testdata/virtualize/probe.wasm");

#[test]
fn a_command_sees_what_was_sealed_and_nothing_else() {
    let probe = seal(PROBE, Options::default()).bytes;
    let rows = [
        ("environment", "GREETING=hello there NAME=Ada"),
        ("arguments", "probe -v"),
        ("list /", "big empty hello.txt nested/ nothing/"),
        ("list .", "big empty hello.txt nested/ nothing/"),
    ];
    let host = Host::new();
    let script: String = rows.iter().map(|(line, _)| format!("{line}\n")).collect();
    let said = host.run(&probe, &script, &[]).unwrap();
    assert_eq!(said, rows.map(|(_, answer)| format!("{answer}\n")).concat());
}

fn file(text: &str) -> Entry {
    Entry::File(text.into())
}

fn folder<const N: usize>(entries: [(&str, Entry); N]) -> Folder {
    Folder(entries.map(|(name, entry)| (name.to_owned(), entry)).into())
}

fn big() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number % 251) as u8).collect()
}

fn sealed() -> Sealed {
    let deep = folder([("c.txt", file("deep\n"))]);
    let nested = folder([("a.txt", file("a")), ("b", Entry::Folder(deep))]);
    let root = folder([
        ("hello.txt", file("Hello, Ada.")),
        ("empty", file("")),
        ("big", Entry::File(big())),
        ("nested", Entry::Folder(nested)),
        ("nothing", Entry::Folder(Folder::default())),
    ]);
    let data = folder([("only.txt", file("data"))]);
    let variables = [("NAME", "Ada"), ("GREETING", "hello there")];
    Sealed {
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        arguments: vec!["probe".to_owned(), "-v".to_owned()],
        folders: [("/".to_owned(), root), ("/data".to_owned(), data)].into(),
    }
}

fn seal(component: &[u8], options: Options) -> Virtualized {
    virtualize(component, &sealed(), options).unwrap()
}
