//! What takes the space in a file, which WASI it is made for, and what it depends on.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use wargate_component::inspect::{Examination, WasiRelease, examine};
use wargate_component::{Kind, Limits, limits};
use wargate_testkit::vectors::testdata;
use wit_component_258::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn look(bytes: &[u8]) -> Examination {
    examine(bytes, &Limits::default()).unwrap()
}

fn text(wat: &str) -> Examination {
    look(&wat::parse_str(wat).unwrap())
}

/// Every real component, with its name.
fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = testdata().join("components");
    let mut files = Vec::new();
    for folder in [folder.clone(), folder.join("foreign"), folder.join("modules")] {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "wasm")));
    }
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn greet() -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let wit = fs::read_to_string(testdata().join("components/greet.wit")).unwrap();
    let package = resolve.push_str("greet.wit", &wit).unwrap();
    (resolve, package)
}

#[test]
fn sizes_of_real_files_add_up_to_the_files() {
    let samples = samples();
    assert!(samples.len() >= 20, "the folder of components is not whole");
    for (name, bytes) in samples {
        let found = look(&bytes).anatomy;
        assert_eq!(found.bytes, bytes.len() as u64, "{name}");
        let custom: u64 = found.custom.iter().map(|custom| custom.bytes).sum();
        assert_eq!(custom, found.sizes.custom, "{name}");
        assert!(found.custom.is_sorted_by(|a, b| a.bytes >= b.bytes), "{name}");
        for part in &found.parts {
            let own = part.sizes;
            let own = own.code + own.data + own.custom + own.structure;
            let within = |other: &&wargate_component::inspect::NestedPart| {
                other.depth == part.depth + 1
                    && (part.offset..part.offset + part.bytes).contains(&other.offset)
            };
            let inner: u64 = found.parts.iter().filter(within).map(|inner| inner.bytes).sum();
            assert_eq!(own + inner, part.bytes, "{name} at {}", part.offset);
        }
    }
}

#[test]
fn the_largest_part_of_a_component_is_known() {
    let found = look(&fs::read(testdata().join("components/greeter-go.wasm")).unwrap());
    let largest = found.anatomy.parts.iter().max_by_key(|part| part.bytes).unwrap();
    assert_eq!((largest.kind, largest.depth), (Kind::CoreModule, 1));
    assert!(largest.bytes * 10 > found.anatomy.bytes * 9 && largest.sizes.code > 500_000);

    let nested = text(
        r#"(component (component $a (component $b (core module $c (data "0123456789")))) (core module $d
            (memory 1) (func nop)))"#,
    );
    let parts = nested.anatomy.parts.iter();
    let parts: Vec<_> = parts.map(|part| (part.name.as_deref().unwrap(), part.depth)).collect();
    assert_eq!(parts, [("a", 1), ("b", 2), ("c", 3), ("d", 1)]);
    assert_eq!(nested.anatomy.parts[2].sizes.data, 13);

    let many = "(core module)".repeat(limits::PARTS_MAX + 3);
    let many = text(&format!("(component {many})")).anatomy;
    assert_eq!((many.parts.len(), many.parts_omitted), (limits::PARTS_MAX, 3));
    assert_eq!(many.bytes, many.sizes.structure);
}

#[test]
fn the_targeted_wasi_is_the_highest_that_is_mentioned() {
    let instance = |side: &str, name: &str| match side {
        "import" => format!("(import \"{name}\" (instance))"),
        _ => format!("(instance $i{}) (export \"{name}\" (instance 0))", name.len()),
    };
    let component = |names: &[&str]| {
        let imports = names.iter().map(|name| instance("import", name));
        text(&format!("(component {})", imports.collect::<String>())).wasi
    };
    let version = |text: &str| Some(WasiRelease::Version(text.parse().unwrap()));
    for (imports, release) in [
        (&["wasi:cli/stdin@0.2.0", "wasi:io/streams@0.2.3"][..], version("0.2.3")),
        (&["wasi:io/streams@0.2.10", "wasi:io/poll@0.2.9"], version("0.2.10")),
        (
            &["wasi:cli/stdin@0.2.6", "wasi:cli/stdout@0.3.0-rc-2025-09-16"],
            version("0.3.0-rc-2025-09-16"),
        ),
        (&["wasi:cli/stdin@0.2.6", "wasi:nn/graph@0.9.0"], version("0.2.6")),
        (&["wasi:nn/graph@0.9.0", "acme:cli/run@7.0.0"], None),
        (&["wasi:io/streams"], None),
    ] {
        let found = component(imports).unwrap();
        assert_eq!(found.release, release, "{imports:?}");
    }
    assert_eq!(component(&["acme:cli/run@0.2.0", "plain"]), None);
    let versions =
        component(&["wasi:io/poll@0.2.3", "wasi:io/streams@0.2.0", "wasi:io/error@0.2.3"]);
    let packages = versions.unwrap().packages;
    assert_eq!(
        serde_json::to_value(packages).unwrap(),
        serde_json::json!([{ "name": "wasi:io", "versions": ["0.2.0", "0.2.3"] }])
    );
    let exported = format!("(component {})", instance("export", "wasi:cli/run@0.2.1"));
    assert_eq!(text(&exported).wasi.unwrap().release, version("0.2.1"));

    let module = |modules: &[&str]| {
        let imports = modules.iter().map(|name| format!("(import \"{name}\" \"f\" (func))"));
        text(&format!("(module {})", imports.collect::<String>()))
            .wasi
            .and_then(|wasi| wasi.release)
    };
    assert_eq!(module(&["env"]), None);
    assert_eq!(module(&["wasi_unstable"]), Some(WasiRelease::Preview0));
    for both in
        [["wasi_unstable", "wasi_snapshot_preview1"], ["wasi_snapshot_preview1", "wasi_unstable"]]
    {
        assert_eq!(module(&both), Some(WasiRelease::Preview1));
    }
    // As the modules within components import, and adapters.
    assert_eq!(module(&["wasi:io/streams@0.2.3", "wasi:cli/stdin@0.2.0"]), version("0.2.3"));
    let mixed =
        ["wasi_snapshot_preview1", "wasi:http/types@0.2.3", "[export]wasi:http/types@0.2.3"];
    assert_eq!(module(&mixed), Some(WasiRelease::Preview1));
    assert_eq!(module(&["acme:io/streams@0.2.3"]), None);
    let c = look(&fs::read(testdata().join("components/greeter-c-wasip2.wasm")).unwrap());
    assert_eq!(c.wasi.unwrap().release, version("0.2.6"));
}

#[test]
fn every_form_of_dependency_is_listed() {
    let digest = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let rows = [
        ("unlocked-dep=<a:b>", r#"{"form":"unlocked","package":"a:b","range":"*"}"#.to_owned()),
        (
            "unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>",
            r#"{"form":"unlocked","package":"a:b","range":"{>=1.0.0 <2.0.0}"}"#.to_owned(),
        ),
        ("locked-dep=<a:c>", r#"{"form":"locked","package":"a:c"}"#.to_owned()),
        (
            &format!("locked-dep=<a:d@1.0.0>,integrity=<{digest}>"),
            format!(
                r#"{{"form":"locked","package":"a:d","version":"1.0.0","integrity":"{digest}"}}"#
            ),
        ),
        (
            "url=<https://x.test/a.wasm>",
            r#"{"form":"url","url":"https://x.test/a.wasm"}"#.to_owned(),
        ),
        (
            &format!("integrity=<{digest}>"),
            format!(r#"{{"form":"integrity","integrity":"{digest}"}}"#),
        ),
    ];
    let imports = rows.iter().map(|(name, _)| format!("(import \"{name}\" (component))"));
    let other = r#"(import "plain" (func)) (import "a:b/c@1.0.0" (instance))"#;
    let found = text(&format!("(component {other} {})", imports.collect::<String>()));
    assert_eq!(found.dependencies.len(), rows.len());
    for (found, (name, form)) in found.dependencies.iter().zip(&rows) {
        let mut json = serde_json::to_value(found).unwrap();
        let members = json.as_object_mut().unwrap();
        assert_eq!(members.remove("import").unwrap(), *name);
        assert_eq!(members.remove("kind").unwrap(), "component");
        assert_eq!(json, serde_json::from_str::<serde_json::Value>(form).unwrap());
    }
    // Core modules import from modules of any name.
    let module = r#"(module (import "unlocked-dep=<a:b>" "unlocked-dep=<a:b>" (func)))"#;
    assert!(text(module).dependencies.is_empty());
}

#[test]
fn interfaces_and_worlds_have_their_full_names() {
    let (resolve, package) = greet();
    let found = look(&wit_component_258::encode(&resolve, package).unwrap());
    assert_eq!(found.interfaces, ["example:greet/greeting@0.1.0"]);
    assert_eq!(found.worlds, ["example:greet/greeter@0.1.0", "example:greet/tower@0.1.0"]);

    let old = r#"(component (type (component (export "a:b/i@1.0.0" (instance))
        (export "a:b/w@1.0.0" (component)))) (export "a:b/wit@1.0.0" (type 0)))"#;
    let found = text(old);
    assert_eq!(
        (found.interfaces, found.worlds),
        (vec!["a:b/i@1.0.0".into()], vec!["a:b/w@1.0.0".into()])
    );

    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let world = resolve.packages[package].worlds["tower"];
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    assert_eq!(look(&module).worlds, ["example:greet/tower@0.1.0"]);
    let broken = text(r#"(module (@custom "component-type" "?"))"#);
    assert!(broken.worlds.is_empty());
    for (name, world) in [
        ("adapter-command", "wasi:cli/command@0.2.12"),
        ("adapter-proxy", "wasmtime:adapter/adapter"),
        // It has a package of several worlds, and says which.
        ("adapter-command-old", "wasi:cli/command@0.2.0"),
    ] {
        let path = testdata().join(format!("components/modules/{name}.wasm"));
        assert_eq!(look(&fs::read(path).unwrap()).worlds, [world], "{name}");
    }
}

#[test]
fn examinations_survive_their_json_form_and_contain_inspections() {
    for (name, bytes) in samples() {
        let found = look(&bytes);
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Examination>(&json).unwrap(), found, "{name}");
        assert_eq!(
            found.inspection,
            wargate_component::inspect(&bytes, &Limits::default()).unwrap(),
            "{name}"
        );
    }
}
