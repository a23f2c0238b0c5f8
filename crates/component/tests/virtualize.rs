//! Components with their environment and files sealed inside.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "virtualize/host.rs"]
mod host;
#[path = "virtualize/real.rs"]
mod real;
#[path = "virtualize/refused.rs"]
mod refused;
#[path = "virtualize/seen.rs"]
mod seen;

use wargate_component::virtualize::{Entry, Folder, Options, Sealed, Virtualized, virtualize};

/// `testdata/virtualize/probe`, which does what the lines of its standard input say.
const PROBE: &[u8] = include_bytes!("../../../testdata/virtualize/probe.wasm");

fn sealed() -> Sealed {
    let deep = folder([("c.txt", file("deep"))]);
    let nested = folder([("a.txt", file("a")), ("b", Entry::Folder(deep))]);
    let root = folder([
        ("hello.txt", file("Hello, Ada.")),
        ("same.txt", file("Hello, Ada.")),
        ("empty", file("")),
        ("big", Entry::File(big())),
        ("nested", Entry::Folder(nested)),
        ("nothing", Entry::Folder(Folder::default())),
    ]);
    let data = folder([("only.txt", file("data")), ("\u{e9}t\u{e9}", file("summer"))]);
    let variables = [("NAME", "Ada"), ("GREETING", "hello there"), ("EMPTY", "")];
    Sealed {
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        arguments: vec!["probe".to_owned(), "-v".to_owned()],
        folders: [("/".to_owned(), root), ("/data".to_owned(), data)].into(),
    }
}

/// More than is read at once.
fn big() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number % 251) as u8).collect()
}

fn file(text: &str) -> Entry {
    Entry::File(text.into())
}

fn folder<const N: usize>(entries: [(&str, Entry); N]) -> Folder {
    Folder(entries.map(|(name, entry)| (name.to_owned(), entry)).into())
}

fn seal(component: &[u8], options: Options) -> Virtualized {
    virtualize(component, &sealed(), options).unwrap_or_else(|error| panic!("{error}"))
}
