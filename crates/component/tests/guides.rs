//! What the guides build, and the interfaces that they build it from. `cargo xtask guides` follows the
//! guides themselves.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use wargate_component::{Extern, Limits, inspect};
use wargate_testkit::vectors::testdata;
use wit_parser::Resolve;

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Kept>,
}

/// A file that is kept, and what its guide says of it.
#[derive(Deserialize)]
struct Kept {
    file: String,
    guide: Option<String>,
    kind: Value,
    imports: Vec<String>,
    exports: Vec<String>,
    /// What a link says around what it hears.
    answer: Option<String>,
}

const GREETING: &str = "example:greet/greeting@0.1.0";

fn folder() -> PathBuf {
    testdata().join("guides")
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What something is imported from, or called.
fn origin(it: &Extern) -> &str {
    it.module.as_deref().unwrap_or(&it.name)
}

/// Whether a name is of WASI in either preview, or of what toolchains do among themselves.
fn is_plumbing(name: &str) -> bool {
    ["wasi:", "wasi_", "cabi_", "_", "memory"].iter().any(|start| name.starts_with(start))
}

#[test]
fn kept_components_are_what_the_guides_say() {
    let text = fs::read_to_string(folder().join("manifest.json")).unwrap();
    let Manifest { files } = serde_json::from_str(&text).unwrap();
    for Kept { file, guide, kind, imports, exports, answer } in &files {
        let bytes = fs::read(folder().join(file)).unwrap();
        let found = inspect(&bytes, &Limits::default()).unwrap();
        assert_eq!(&serde_json::to_value(found.kind).unwrap(), kind, "{file}");
        let names = found.imports.iter().map(origin).filter(|name| !is_plumbing(name));
        assert_eq!(&names.collect::<Vec<_>>(), imports, "{file}");
        // What a command exports is of WASI.
        let is_command = exports.iter().all(|name| is_plumbing(name));
        let names = found.exports.iter().map(|export| export.name.as_str());
        let names = names.filter(|name| is_command || !is_plumbing(name));
        assert_eq!(&names.collect::<Vec<_>>(), exports, "{file}");
        let is_link = [imports, exports].iter().all(|names| *names == &[GREETING]);
        assert_eq!(is_link, answer.is_some(), "{file}");
        if let Some(guide) = guide {
            let guide = testdata().join(format!("../docs/guides/{guide}.md"));
            assert!(guide.is_file(), "{file} is of no guide");
        }
    }
    let named: BTreeSet<_> = files.iter().map(|kept| folder().join(&kept.file)).collect();
    let is_wasm = |path: &PathBuf| path.extension().is_some_and(|it| it == "wasm");
    let kept: BTreeSet<_> = entries(&folder()).into_iter().filter(is_wasm).collect();
    assert_eq!(named, kept);
}

#[test]
fn examples_share_one_interface() {
    let greet = fs::read_to_string(testdata().join("components/greet.wit")).unwrap();
    let folders = entries(&testdata().join("../examples"));
    let folders: Vec<_> =
        folders.iter().map(|it| it.join("wit")).filter(|it| it.is_dir()).collect();
    assert!(folders.len() >= 6, "{folders:?}");
    for folder in folders {
        let mut resolve = Resolve::default();
        resolve.push_str("greet.wit", &greet).unwrap();
        let copy = folder.join("greet.wit");
        if copy.is_file() {
            assert_eq!(fs::read_to_string(&copy).unwrap(), greet, "{}", copy.display());
            continue;
        }
        // What it needs comes out of the registry.
        for file in entries(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            let package = resolve.push_str(&file, &text).unwrap();
            let world = resolve.select_world(&[package], None).unwrap();
            let keys = resolve.worlds[world].imports.keys();
            let imports: Vec<_> = keys.map(|key| resolve.name_world_key(key)).collect();
            assert_eq!(imports, [GREETING], "{}", file.display());
        }
    }
}
