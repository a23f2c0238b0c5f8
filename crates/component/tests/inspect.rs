//! What is found in real files, and in files written for one question each.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use wargate_component::{
    Extern, ExternKind, ImportName, InspectError, Inspection, Kind, Limits, Producer, inspect,
    limits,
};
use wargate_testkit::vectors::testdata;
use wit_parser::Resolve;
use wit_parser::decoding::{DecodedWasm, decode};

fn sample(name: &str) -> Vec<u8> {
    fs::read(testdata().join("components").join(name)).unwrap()
}

fn look(bytes: &[u8]) -> Result<Inspection, InspectError> {
    inspect(bytes, &Limits::default())
}

fn text(wat: &str) -> Inspection {
    look(&wat::parse_str(wat).unwrap()).unwrap()
}

fn names(externs: &[Extern]) -> Vec<&str> {
    externs.iter().map(|each| each.name.as_str()).collect()
}

/// A custom section.
fn section(name: &str, contents: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| {
        let (low, high) = (bytes.len() & 0x7f, bytes.len() >> 7);
        [u8::try_from(low | 0x80).unwrap(), u8::try_from(high | 0x80).unwrap(), 0x00]
    };
    let body = [&length(name.as_bytes()), name.as_bytes(), contents].concat();
    [&[0][..], &length(&body), &body].concat()
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// An empty component with custom sections.
fn with(sections: &[(&str, &[u8])]) -> Inspection {
    let sections: Vec<u8> = sections.iter().flat_map(|(name, text)| section(name, text)).collect();
    look(&[COMPONENT, &sections].concat()).unwrap()
}

#[test]
fn real_components_say_what_they_need_and_offer_but_not_what_they_are() {
    let rust = look(&sample("tower-rust.wasm")).unwrap();
    assert_eq!((rust.kind, &rust.package), (Kind::Component, &None));
    assert_eq!(names(&rust.imports), ["example:greet/greeting@0.1.0"]);
    assert_eq!(names(&rust.exports), ["example:greet/greeting@0.1.0"]);
    assert_eq!(rust.imports[0].kind, ExternKind::Instance);
    let producer = Producer {
        field: "processed-by".to_owned(),
        name: "wit-component".to_owned(),
        version: "0.259.0".to_owned(),
    };
    assert_eq!(rust.metadata.producers, [producer]);

    assert!(look(&sample("greeter-rust.wasm")).unwrap().imports.is_empty());
    let c = look(&sample("greeter-c-wasip2.wasm")).unwrap();
    assert_eq!((c.imports.len(), c.exports.len()), (12, 1));
    assert_eq!(c.imports[11].name, "wasi:clocks/monotonic-clock@0.2.6");
    assert!(c.imports.iter().all(|import| {
        matches!(import.name.parse().unwrap(), ImportName::Interface(name)
            if name.package.namespace().as_str() == "wasi")
    }));
}

#[test]
fn both_encodings_of_wit_packages_say_their_package() {
    let mut resolve = Resolve::default();
    let wit = fs::read_to_string(testdata().join("components/greet.wit")).unwrap();
    let package = resolve.push_str("greet.wit", &wit).unwrap();
    let encoded = wit_component_258::encode(&resolve, package).unwrap();
    assert!(matches!(decode(&encoded).unwrap(), DecodedWasm::WitPackage(..)));
    let found = look(&encoded).unwrap();
    assert_eq!(found.kind, Kind::WitPackage);
    let package = found.package.unwrap();
    assert_eq!(package.name, "example:greet");
    assert_eq!(package.version, Some("0.1.0".parse().unwrap()));
    assert_eq!(names(&found.exports), ["greeting", "greeter", "tower"]);
    assert!(found.exports.iter().all(|export| export.kind == ExternKind::Type));

    let old = r#"(component (type (component (export "a" (instance)) (export "w" (component))))
        (export "a:b-1/wit@1.0.0-rc.1" (type 0)))"#;
    let package = text(old).package.unwrap();
    assert_eq!((&*package.name, package.version), ("a:b-1", Some("1.0.0-rc.1".parse().unwrap())));
    assert!(text(&old.replace("@1.0.0-rc.1", "")).package.unwrap().version.is_none());
}

#[test]
fn what_decodes_as_wit_is_what_we_call_a_wit_package() {
    let one = r#"(type (component (export "a:b/c@1.0.0" (instance)))) (export "c" (type 0))"#;
    let other = r#"(type (component (export "a:b/d@2.0.0" (instance)))) (export "d" (type 2))"#;
    for inside in [
        String::new(),
        one.to_owned(),
        // Interfaces of two packages.
        format!("{one} {other}"),
        // Something else is imported or exported beside it.
        format!("{one} (instance (export \"x\" (type 0))) (export \"y\" (instance 0))"),
        format!("(import \"x\" (func)) {one}"),
        // The name inside is no interface's, or there is none, or more than one.
        r#"(type (component (export "c" (instance)))) (export "c" (type 0))"#.to_owned(),
        r#"(type (component)) (export "c" (type 0))"#.to_owned(),
        r#"(type (component (export "a:b/c" (instance)) (export "a:b/d" (instance))))
           (export "c" (type 0))"#
            .to_owned(),
        // Two packages in the old encoding.
        r#"(type (component)) (export "a:b/wit" (type 0)) (export "a:c/wit" (type 0))"#.to_owned(),
        r#"(type (component)) (export "a:b/wit" (type 0))"#.to_owned(),
        r#"(type (component (export "f" (func)))) (export "a:b/wit" (type 0))"#.to_owned(),
        r#"(type (instance)) (export "c" (type 0))"#.to_owned(),
    ] {
        let bytes = wat::parse_str(format!("(component {inside})")).unwrap();
        let theirs = match decode(&bytes) {
            Ok(DecodedWasm::WitPackage(resolve, id)) => {
                let name = &resolve.packages[id].name;
                let version = name.version.as_ref().map(ToString::to_string);
                Some((format!("{}:{}", name.namespace, name.name), version))
            }
            // What looks like a package but decodes to none is a component to us.
            Ok(DecodedWasm::Component(..)) | Err(_) => None,
        };
        let ours = look(&bytes).unwrap();
        assert_eq!(ours.kind == Kind::WitPackage, theirs.is_some(), "{inside}");
        let ours = ours
            .package
            .map(|package| (package.name, package.version.map(|version| version.to_string())));
        assert_eq!(ours, theirs, "{inside}");
    }
}

#[test]
fn core_modules_import_fields_of_modules() {
    let found = text(
        r#"(module (import "env" "f" (func)) (import "env" "t" (table 1 funcref))
            (memory (export "m") 1) (global (export "g") i32 (i32.const 0)) (tag (export "e")))"#,
    );
    assert_eq!(found.kind, Kind::CoreModule);
    let import = |index: usize| {
        let import = &found.imports[index];
        (import.module.as_deref(), &*import.name, import.kind)
    };
    assert_eq!(import(0), (Some("env"), "f", ExternKind::Func));
    assert_eq!(import(1), (Some("env"), "t", ExternKind::Table));
    let kinds: Vec<_> = found.exports.iter().map(|export| (&*export.name, export.kind)).collect();
    let expected = [("m", ExternKind::Memory), ("g", ExternKind::Global), ("e", ExternKind::Tag)];
    assert_eq!(kinds, expected);
    assert!(found.exports.iter().all(|export| export.module.is_none()));
}

#[test]
fn dependency_names_are_valid_imports() {
    let wanted = [
        "unlocked-dep=<acme:tool>",
        "unlocked-dep=<acme:tool@*>",
        "unlocked-dep=<acme:tool@{>=1.2.3-rc <1.2.4}>",
        "locked-dep=<acme:tool>",
        "locked-dep=<acme:tool@1.2.3>",
        "locked-dep=<acme:tool@1.2.3>,integrity=<sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=>",
        "url=<https://example.com/tool.wasm>",
        "integrity=<sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=>",
        "wasi:http/types@0.2.0",
        "custom-hook",
    ];
    let imports = wanted.map(|name| format!("(import \"{name}\" (component))")).concat();
    let found = text(&format!("(component {imports})"));
    assert_eq!(names(&found.imports), wanted);
    assert!(found.imports.iter().all(|import| import.kind == ExternKind::Component));
}

#[test]
fn components_of_every_released_proposal_are_valid() {
    for source in [
        r#"(component (import "f" (func async (param "s" (stream u8)) (result (future string)))))"#,
        r#"(component (type (list u8 4)) (import "e" (func (result error-context))))"#,
        r#"(component (import "m" (func (result (map string u32)))))"#,
        r#"(component (import "hook" (implements "acme:tool/hook") (instance)))"#,
        "(module (memory i64 1) (func (result i32) try (result i32) i32.const 1 catch_all \
          i32.const 2 end))",
        "(module (type (struct (field i32))) (tag) (func (result (ref 0)) (struct.new 0 \
          (i32.const 1))) (func (throw 0)))",
        "(module (memory 1 1 shared) (memory 1 (pagesize 1)))",
    ] {
        let bytes = wat::parse_str(source).unwrap();
        assert!(look(&bytes).is_ok(), "{source}: {:?}", look(&bytes));
    }
    let hook = text(r#"(component (import "hook" (implements "acme:tool/hook") (instance)))"#);
    assert_eq!(hook.imports[0].implements.as_deref(), Some("acme:tool/hook"));
}

#[test]
fn only_the_name_of_a_package_is_a_package() {
    let named = |own: &str, version: Option<&str>| {
        let length = u8::try_from(own.len()).unwrap();
        let name = [&[0, length + 1, length], own.as_bytes()].concat();
        let mut sections = vec![("component-name", &*name)];
        sections.extend(version.map(|version| ("version", version.as_bytes())));
        let package = with(&sections).package?;
        Some((package.name, package.version.map(|version| version.to_string())))
    };
    let package = |version: Option<&str>| Some(("a:b".to_owned(), version.map(str::to_owned)));
    assert_eq!(named("a:b", None), package(None));
    assert_eq!(named("a:b@1.0.0", None), package(Some("1.0.0")));
    assert_eq!(named("a:b", Some("2.0.0")), package(Some("2.0.0")));
    assert_eq!(named("a:b@2.0.0", Some("2.0.0")), package(Some("2.0.0")));
    assert_eq!(named("a:b", Some("v2")), package(None));
    assert_eq!(named("a:b@1.0.0", Some("2.0.0")), package(None), "two versions are none");
    for other in ["root-component", "", "a:b/c", "a:b/c@1.0.0", "a:b@", "a:b@1", "A:b", "a::b"] {
        assert_eq!(named(other, Some("1.0.0")), None, "{other}");
    }
    let (one, two) = (b"\0\x04\x03a:b", b"\0\x04\x03a:c");
    assert_eq!(with(&[("component-name", one), ("component-name", two)]).package, None);
    assert!(with(&[("component-name", one), ("component-name", one)]).package.is_some());
    assert_eq!(with(&[("name", b"\0\xff")]).package, None);
    let module = [MODULE, &section("name", b"\0\x04\x03a:b")].concat();
    assert_eq!(look(&module).unwrap().package.unwrap().name, "a:b");
}

#[test]
fn metadata_is_read_from_the_outermost_level() {
    let found = with(&[
        ("description", b"old"),
        ("description", b"Greets."),
        ("licenses", b"MIT"),
        ("authors", b"Ada"),
        ("source", b"https://example.com/source"),
        ("homepage", b"https://example.com"),
        ("revision", b"0123abc"),
        ("version", b"1.0.0"),
        ("unknown", b"?"),
        ("producers", b"\x01\x08language\x01\x04Rust\x041.95"),
    ]);
    let expected = serde_json::json!({
        "kind": "component",
        "metadata": {
            "description": "Greets.",
            "licenses": "MIT",
            "authors": "Ada",
            "source": "https://example.com/source",
            "homepage": "https://example.com",
            "revision": "0123abc",
            "version": "1.0.0",
            "producers": [{ "field": "language", "name": "Rust", "version": "1.95" }],
        },
    });
    assert_eq!(serde_json::to_value(&found).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Inspection>(expected).unwrap(), found);

    let inner = text(r#"(component (component (@custom "description" "inner")) (core module))"#);
    assert_eq!(inner.metadata.description, None);
    let broken = with(&[
        ("licenses", b"MIT"),
        ("licenses", b"\xff"),
        ("authors", b""),
        ("producers", b"\x09"),
    ]);
    assert_eq!(serde_json::to_value(&broken.metadata).unwrap(), serde_json::json!({}));
}

#[test]
fn inspections_survive_their_json_form() {
    for name in ["greeter-rust.wasm", "tower-rust.wasm", "greeter-c-wasip2.wasm"] {
        let found = look(&sample(name)).unwrap();
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Inspection>(&json).unwrap(), found);
    }
    let one = text(r#"(component (import "f" (func)))"#);
    let expected = r#"{"kind":"component","imports":[{"name":"f","kind":"func"}],"metadata":{}}"#;
    assert_eq!(serde_json::to_string(&one).unwrap(), expected);
}

#[test]
fn long_texts_are_cut_and_long_lists_are_errors() {
    let long = "ä".repeat(8_000);
    let cut = with(&[("description", &long.as_bytes()[..16_000])]).metadata.description.unwrap();
    assert_eq!(cut, long[..limits::TEXT_BYTES_MAX]);
    let values = b"\x01a\x01b".repeat(100);
    let producers = [b"\x01\x03sdk\x64", &*values].concat();
    assert_eq!(with(&[("producers", &producers)]).metadata.producers.len(), limits::PRODUCERS_MAX);

    let imports = |count: usize, bytes: usize| {
        let import = |n| format!("(import \"{n:0>bytes$}\" \"\" (func))");
        let list: Vec<String> = (0..count).map(import).collect();
        look(&wat::parse_str(format!("(module {})", list.concat())).unwrap())
    };
    assert!(imports(limits::EXTERNS_MAX, 5).is_ok());
    assert!(matches!(
        imports(limits::EXTERNS_MAX + 1, 5),
        Err(InspectError::TooManyExterns { what: "imports", .. })
    ));
    assert!(imports(1, limits::EXTERN_NAME_BYTES_MAX).is_ok());
    let too_long = imports(1, limits::EXTERN_NAME_BYTES_MAX + 1).unwrap_err();
    assert!(matches!(too_long, InspectError::NamesTooLong { what: "imports", .. }), "{too_long}");
    let fits = limits::EXTERN_NAMES_BYTES_MAX / 1024;
    assert!(imports(fits, 1024).is_ok());
    assert!(matches!(imports(fits + 1, 1024), Err(InspectError::NamesTooLong { .. })));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let small = Limits { bytes_max: 7 };
    assert_eq!(inspect(MODULE, &small), Err(InspectError::TooLarge { bytes: 8, bytes_max: 7 }));
    for (bytes, expected, offset) in [
        (&b""[..], "the file ends at byte 0", Some(0)),
        (b"\0as", "the file ends at byte 3", Some(3)),
        (b"\0asm\x01\0\0", "the file ends at byte 7", Some(7)),
        (b"\x7fELF\0\0\0\0", "does not begin with", Some(0)),
        (b"(component)", "does not begin with", Some(0)),
        (b"PK", "does not begin with", Some(0)),
        (b"\0asm\x02\0\0\0", "version 2 of layer 0 at byte 4", Some(4)),
        (b"\0asm\x0c\0\x01\0", "version 12 of layer 1 at byte 4", Some(4)),
        (b"\0asm\x0d\0\0\0", "version 13 of layer 0 at byte 4", Some(4)),
        (b"\0asm\x01\0\0\0\x01\x09", "no valid WebAssembly at byte 10", Some(10)),
        (b"\0asm\x01\0\0\0\x01\x01\x07", "no valid WebAssembly at byte", None),
    ] {
        let error = look(bytes).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(offset.is_none_or(|offset| error.offset() == Some(offset)), "{error:?}");
    }
    let quoting =
        format!("(component (import \"{0}\" (func)) (import \"{0}\" (func)))", "a".repeat(4000));
    let InspectError::Invalid { reason, .. } = look(&wat::parse_str(quoting).unwrap()).unwrap_err()
    else {
        unreachable!("two imports of one name are invalid");
    };
    assert_eq!(reason.len(), limits::REASON_BYTES_MAX);
}
