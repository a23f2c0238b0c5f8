//! The lock file: what it says, that it is read back, and what is no lock.

#![cfg(feature = "lock")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use wargate_component::ImportName;
use wargate_component::lock::{Lock, LockError, LockedFile, LockedRegistry, Origin, PackageId};
use wargate_component::solve::{Answer, Options, Release, Snapshot, solve};
use wargate_crypto::Digest;
use wargate_protocol::LogLength;

fn names(imports: &[&str]) -> Vec<ImportName> {
    imports.iter().map(|import| import.parse().unwrap()).collect()
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn checkpoint() -> LockedRegistry {
    let (log_root, map_root) = (digest("log"), digest("map"));
    LockedRegistry { log_length: LogLength::new(12), log_root, map_root }
}

/// The designers' tower, with one package out of a file.
fn tower() -> Lock {
    let mut snapshot = Snapshot::default();
    for (package, version, imports) in [
        ("test:add", "1.0.0+linux", &[][..]),
        ("test:inc", "0.1.0", &["unlocked-dep=<test:add@{>=1.0.0}>"]),
        ("test:five", "1.0.0-rc.1", &["unlocked-dep=<test:add>", "unlocked-dep=<test:inc/calc>"]),
    ] {
        let digest = digest(package);
        let imports = names(imports).into();
        let version = version.parse().unwrap();
        let release = Release { version, digest, yanked: false, imports };
        snapshot.insert(package.parse().unwrap(), vec![release]).unwrap();
    }
    let roots = names(&["unlocked-dep=<test:five@{>=1.0.0-rc.1 <2.0.0}>", "wasi:cli/run@0.2.0"]);
    let answer = solve(&roots, &snapshot, &Options::default()).unwrap();
    let Answer::Solved(solution) = answer else { panic!("{answer:?}") };
    let file = LockedFile { path: "build/my \"app\".wasm".into(), digest: digest("app") };
    let origin = |id: &PackageId| match id.package.as_str() {
        "test:inc" => Origin::File("../inc.wasm".into()),
        _ => Origin::Registry("registry.example".into()),
    };
    let mut lock = Lock::new(&[(Some(file), roots)], &solution, origin);
    lock.registries.insert("registry.example".into(), checkpoint());
    lock
}

const TEXT: &str = r#"# Made by `warg lock`. It belongs in version control, and is not changed by hand.
format = 1

[[registry]]
name = "registry.example"
log-length = 12
log-root = "LOG"
map-root = "MAP"

[[root]]
file = "build/my \"app\".wasm"
digest = "APP"
dependencies = [
    { import = "unlocked-dep=<test:five@{>=1.0.0-rc.1 <2.0.0}>", package = "test:five@1.0.0-rc.1" },
]

[[package]]
name = "test:add"
version = "1.0.0+linux"
digest = "ADD"
registry = "registry.example"

[[package]]
name = "test:five"
version = "1.0.0-rc.1"
digest = "FIVE"
registry = "registry.example"
dependencies = [
    { import = "unlocked-dep=<test:add>", package = "test:add@1.0.0+linux" },
    { import = "unlocked-dep=<test:inc/calc>", package = "test:inc@0.1.0" },
]

[[package]]
name = "test:inc"
version = "0.1.0"
digest = "INC"
file = "../inc.wasm"
dependencies = [
    { import = "unlocked-dep=<test:add@{>=1.0.0}>", package = "test:add@1.0.0+linux" },
]
"#;

/// The text with real digests.
fn text() -> String {
    let digests = [
        ("LOG", "log"),
        ("MAP", "map"),
        ("APP", "app"),
        ("ADD", "test:add"),
        ("FIVE", "test:five"),
        ("INC", "test:inc"),
    ];
    let put = |text: String, (mark, of): (&str, &str)| {
        text.replace(&format!("\"{mark}\""), &format!("\"{}\"", digest(of)))
    };
    digests.into_iter().fold(TEXT.to_owned(), put)
}

#[test]
fn a_lock_is_written_for_people_and_read_back() {
    assert_eq!(tower().to_string(), text());
    assert_eq!(Lock::from_text(&text()).unwrap(), tower());
    assert_eq!(Lock::from_text("format = 1").unwrap(), Lock::default());
    let windows = text().replace('\n', "\r\n");
    assert_eq!(Lock::from_text(&windows).unwrap(), tower());
    let pins = tower().pins();
    assert_eq!(pins.len(), 3);
}

#[test]
fn what_no_root_needs_can_be_left_out() {
    let mut lock = tower();
    let whole = lock.clone().reached();
    assert_eq!(whole, lock);
    let inc: PackageId = "test:inc@0.1.0".parse().unwrap();
    let mut root = lock.roots.pop_first().unwrap();
    root.dependencies = lock.packages[&inc].dependencies.clone();
    lock.roots.insert(root);
    let less = lock.clone().reached();
    let left: Vec<_> = less.packages.keys().map(PackageId::to_string).collect();
    assert_eq!(left, ["test:add@1.0.0+linux"]);
    lock.roots.clear();
    assert_eq!(lock.reached(), Lock::default());
}

#[test]
fn what_wkg_reads_has_the_same_digests() {
    let text = tower().to_wkg(|registry| format!("{registry}:8443"));
    let read: toml::Value = toml::from_str(&text).unwrap();
    let packages = read["packages"].as_array().unwrap();
    let rows: BTreeMap<_, _> = packages
        .iter()
        .map(|package| {
            assert_eq!(package["registry"].as_str(), Some("registry.example:8443"));
            let version = &package["versions"][0];
            let texts =
                ["requirement", "version", "digest"].map(|it| version[it].as_str().unwrap());
            (package["name"].as_str().unwrap(), texts.map(str::to_owned))
        })
        .collect();
    let row = |version: &str, of: &str| {
        [format!("={version}"), version.to_owned(), digest(of).to_string()]
    };
    let expected = [
        ("test:add", row("1.0.0+linux", "test:add")),
        ("test:five", row("1.0.0-rc.1", "test:five")),
    ];
    assert_eq!(rows, expected.into(), "what comes from files is not there");
}

#[test]
fn what_is_no_lock_is_refused_with_the_place() {
    let text = text();
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Lock::from_text(&text.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let edge = "package = \"test:add@1.0.0+linux\"";
    let of_registry = "registry = \"registry.example\"";
    for (from, to, why) in [
        ("format = 1", "format = 2", "format 2, this program knows format 1"),
        ("format = 1", "", "missing field `format`"),
        ("log-length", "log-lengths", "unknown field"),
        ("name = \"test:add\"", "name = \"Test:add\"", "line 18"),
        ("version = \"1.0.0+linux\"", "version = \"1\"", "line 19"),
        (
            "name = \"test:add\"",
            "name = \"test:other\"",
            "needs test:add@1.0.0+linux, which it does not have",
        ),
        (edge, "package = \"test:inc@0.1.0\"", "asks for something else"),
        (edge, "package = \"test:add\"", "no package in a version"),
        ("test:add>", "test:add@{>=1.0.1}>", "asks for something else"),
        ("unlocked-dep=<test:add>", "custom-hook", "asks for something else"),
        (of_registry, "registry = \"other.example\"", "has no checkpoint of it"),
        (
            of_registry,
            "registry = \"registry.example\"\nfile = \"x\"",
            "a registry, or a file instead",
        ),
        (of_registry, "", "a registry, or a file instead"),
        ("../inc.wasm", "/inc.wasm", "a path is relative"),
        ("../inc.wasm", "C:inc.wasm", "a path is relative"),
        ("../inc.wasm", "..\\\\inc.wasm", "a path is relative"),
        ("../inc.wasm", "", "a path is relative"),
        ("../inc.wasm", "a\\u001b[2Jb", "control characters"),
        (
            "name = \"test:inc\"\nversion = \"0.1.0\"",
            "name = \"test:add\"\nversion = \"1.0.0+linux\"",
            "twice",
        ),
        ("<test:inc/calc>", "<test:add>", "twice"),
        ("<test:inc/calc>", "<test:add@*>", "twice"),
    ] {
        let error = change(from, to);
        assert!(error.contains(why), "{from} -> {to}: {error}");
    }
    let long = format!("format = 1\n#{}", "x".repeat(16 << 20));
    assert!(matches!(Lock::from_text(&long), Err(LockError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn any_change_of_a_byte_is_refused_or_says_something_else(at in 0_usize..2000, byte in 0x20_u8..0x7f) {
        let mut bytes = text().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(lock) = Lock::from_text(&text) {
            // What was read is written so that it is read again.
            prop_assert_eq!(Lock::from_text(&lock.to_string()).unwrap(), lock);
        }
    }
}
