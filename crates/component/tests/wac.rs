//! The documents that wac's own crates are tested with, out of the very crates that this one is built of:
//! they have the same outcome here.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wargate_component::compose::{ComposeError, Form, Packages, Reference, compose, references};
use wargate_component::inspect::{Kind, Limits, inspect};
use wargate_component::wit::{WitFile, encode};
use wargate_testkit::vectors::testdata;

/// The folder of a crate's sources, as Cargo has it.
fn sources(name: &str) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name).unwrap();
    Path::new(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// The documents of a folder, in the order of their names.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "wac")).collect();
    found.sort();
    found
}

/// The bytes of a package, as wac's tests have them: Wasm, its text, or a folder of WIT.
fn package(folder: &Path, reference: &Reference) -> Option<Vec<u8>> {
    let mut path = folder.join(reference.package.namespace().as_str());
    path.push(reference.package.name());
    if let Some(version) = &reference.version {
        path.push(version.to_string());
    }
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_some_and(|extension| extension == "wit") {
                files.push(WitFile { path: name, text: fs::read_to_string(path).unwrap() });
            }
        }
        return encode(&files).ok();
    }
    let with = |extension: &str| {
        let name = format!("{}.{extension}", path.file_name().unwrap().to_str().unwrap());
        path.with_file_name(name)
    };
    let text = with("wat");
    if text.exists() { wat::parse_file(text).ok() } else { fs::read(with("wasm")).ok() }
}

/// Composes a document with the packages of the folder that has its name.
fn composed(document: &Path) -> Result<Vec<u8>, ComposeError> {
    let source = fs::read_to_string(document).unwrap();
    let references = references(&source)?;
    let folder = document.with_extension("");
    let found = references
        .into_iter()
        .filter_map(|(reference, _)| Some((reference.clone(), package(&folder, &reference)?)));
    let found: BTreeMap<_, _> = found.collect();
    let contents = found.iter().map(|(reference, bytes)| (reference.clone(), &**bytes)).collect();
    let packages = Packages { contents, adapters: BTreeMap::new() };
    Ok(compose(&source, &packages, Form::Open)?.bytes)
}

/// An error as wac's tests print it: what is wrong, and where.
fn expected(document: &Path) -> (String, Option<(usize, usize)>) {
    let text = fs::read_to_string(document.with_extension("wac.result")).unwrap();
    let (_, message) = text.split_once("× ").unwrap();
    let message = message.lines().take_while(|line| !line.contains("╭─["));
    let message: Vec<_> =
        message.map(|line| line.trim_start_matches([' ', '│', '├', '╰', '─', '▶'])).collect();
    let place = text.split_once(".wac:").and_then(|(_, rest)| {
        let (line, rest) = rest.split_once(':')?;
        Some((line.parse().ok()?, rest.split_once(']')?.0.parse().ok()?))
    });
    (message.join(" ").trim().to_owned(), place)
}

/// Line and column of a byte, from 1 on.
fn place(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..offset];
    let line = before.matches('\n').count() + 1;
    (line, before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1)
}

/// Words, without what differs in how a message is broken into lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace([':', '`'], "")
}

#[test]
fn documents_of_wac_that_fail_fail_here_at_the_same_place() {
    let tests = sources("wac-parser").join("tests");
    let mut count = 0;
    for folder in ["parser/fail", "resolution/fail", "encoding/fail"] {
        for document in documents(&tests.join(folder)) {
            count += 1;
            let shown = document.display();
            let (message, at) = expected(&document);
            let source = fs::read_to_string(&document).unwrap();
            let Err(error) = composed(&document) else {
                panic!("{shown}: composed, and was to fail: {message}");
            };
            let ComposeError::Document { message: said, labels, .. } = &error else {
                // What is no component is told before the document is looked at, and whose it is.
                let is_package = matches!(&error, ComposeError::Package { .. });
                assert!(is_package && message.contains("package"), "{shown}: {error:?}\n{message}");
                continue;
            };
            let (said, wanted) = (words(said), words(&message));
            // Who asks finds the packages, and told wac that one could not be had.
            let unfound = said.contains("no package")
                && ["failed to resolve package", "unknown package"]
                    .iter()
                    .any(|words| wanted.starts_with(words));
            assert!(
                unfound || wanted.starts_with(&said) || said.starts_with(&wanted),
                "{shown}:\n{said}\n{wanted}"
            );
            let first = labels.iter().map(|label| place(&source, label.offset)).min();
            if let (Some(at), Some(first)) = (at, first) {
                let any = labels.iter().any(|label| place(&source, label.offset) == at);
                assert!(any || first == at, "{shown}: {first:?} instead of {at:?}");
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn documents_of_wac_that_compose_compose_here_to_the_same() {
    let tests = sources("wac-parser").join("tests");
    let mut count = 0;
    for folder in ["parser", "resolution", "encoding"] {
        for document in documents(&tests.join(folder)) {
            let shown = document.display();
            if folder == "parser" {
                // They are read, and name packages that nobody has.
                references(&fs::read_to_string(&document).unwrap())
                    .unwrap_or_else(|error| panic!("{shown}: {error}"));
                continue;
            }
            count += 1;
            let bytes = composed(&document).unwrap_or_else(|error| panic!("{shown}: {error}"));
            if folder == "encoding" {
                let text = wasmprinter::print_bytes(&bytes).unwrap();
                let wanted = fs::read_to_string(document.with_extension("wac.result")).unwrap();
                assert_eq!(text.trim(), wanted.trim(), "{shown}");
            }
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn the_example_of_wac_composes() {
    let foreign = |name: &str| fs::read(testdata().join(format!("components/foreign/{name}.wasm")));
    let (hello, greeter) = (foreign("wac-hello").unwrap(), foreign("wac-greeter").unwrap());
    let reference = |name: &str| Reference { package: name.parse().unwrap(), version: None };
    let contents =
        [(reference("example:hello"), &*hello), (reference("example:greeter"), &*greeter)].into();
    let packages = Packages { contents, adapters: BTreeMap::new() };
    let made = compose(EXAMPLE, &packages, Form::Whole).unwrap();
    let found = inspect(&made.bytes, &Limits::default()).unwrap();
    assert_eq!(found.kind, Kind::Component);
    assert!(found.exports.iter().any(|export| export.name == "greet"), "{found:?}");
}

/// What the example of its program says.
const EXAMPLE: &str = "package example:composition;\nlet hello = new example:hello { ... };\n\
    let greeter = new example:greeter { hello: hello.hello, ... };\nexport greeter.greet;\n";
