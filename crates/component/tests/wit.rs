//! WIT text of real files, of wit-component's own tests, and of files that WIT has no words for.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use wargate_component::diff::diff;
use wargate_component::inspect::examine;
use wargate_component::wit::{Note, Wit, WitError, WitFolder, folder, wit};
use wargate_component::{InspectError, Kind, Limits};
use wargate_testkit::vectors::testdata;
use wasm_encoder::{CustomSection, Module};
use wit_component_258::{StringEncoding, embed_component_metadata};
use wit_parser::decoding::decode;
use wit_parser::{PackageId, Resolve};

fn say(bytes: &[u8]) -> Wit {
    wit(bytes, &Limits::default()).unwrap()
}

fn resolve() -> Resolve {
    Resolve { all_features: true, ..Resolve::default() }
}

fn binary(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

fn parse(text: &str) -> (Resolve, PackageId) {
    let mut resolve = resolve();
    let id = resolve.push_str("text.wit", text).unwrap();
    (resolve, id)
}

fn package(text: &str) -> Vec<u8> {
    let (resolve, id) = parse(text);
    wit_component_258::encode(&resolve, id).unwrap()
}

/// Every Wasm file in a folder, with its name, in the order of the names.
fn files(path: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(testdata().join(path)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "wasm")).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// Writes the files into a folder, and reads it as build tools do.
fn reread(folder: &WitFolder) -> (Resolve, PackageId) {
    let place = tempfile::tempdir().unwrap();
    for file in &folder.files {
        let path = place.path().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.text).unwrap();
    }
    let mut resolve = resolve();
    let (id, _) = resolve.push_dir(place.path()).unwrap();
    (resolve, id)
}

/// Text and folder must say the same as the library reads in the file.
fn check_round_trip(name: &str, bytes: &[u8]) {
    let said = say(bytes);
    let decoded = decode(bytes).unwrap();
    let original = wit_component_258::encode(decoded.resolve(), decoded.package()).unwrap();
    let again = package(&said.text);
    let changes = diff(&original, &again, &Limits::default()).unwrap().changes;
    assert!(changes.is_empty(), "{name}: {changes:#?}\n{}", said.text);

    let folder = folder(bytes, &Limits::default()).unwrap();
    let (resolve, id) = reread(&folder);
    assert_eq!(wit_component_258::encode(&resolve, id).unwrap(), again, "{name}");
    assert_eq!((&folder.package, &folder.notes), (&said.package, &said.notes), "{name}");
    assert_eq!(wit(&again, &Limits::default()).unwrap().text, said.text, "{name}");
}

#[test]
fn all_files_of_the_librarys_own_tests_survive() {
    let components = files("wit-component/components");
    let packages = files("wit-component/interfaces");
    assert_eq!((components.len(), packages.len()), (126, 41));
    let mut noted = Vec::new();
    for (name, bytes) in components.iter().chain(&packages) {
        examine(bytes, &Limits::default()).unwrap();
        check_round_trip(name, bytes);
        noted.extend(say(bytes).notes.into_iter().map(|note| (name.as_str(), note)));
    }
    // It imports less of the interface than it exports.
    let merged = Note::Merged { interface: "a:b/name".to_owned() };
    assert_eq!(noted, [("import-partial-export-full.wasm", merged)]);
    for list in [&components, &packages] {
        for (place, (name, bytes)) in list.iter().enumerate() {
            let same = diff(bytes, bytes, &Limits::default()).unwrap();
            assert!(same.identical && same.changes.is_empty(), "{name}");
            let (_, other) = &list[(place + 1) % list.len()];
            let there = diff(bytes, other, &Limits::default()).unwrap();
            let back = diff(other, bytes, &Limits::default()).unwrap();
            assert_eq!(there.changes.is_empty(), back.changes.is_empty(), "{name}");
        }
    }
}

#[test]
fn all_real_components_survive() {
    let real = [files("components"), files("components/foreign")].concat();
    assert!(real.len() >= 17);
    for (name, bytes) in &real {
        check_round_trip(name, bytes);
    }
    for (place, (name, bytes)) in real.iter().enumerate() {
        let (_, other) = &real[(place + 1) % real.len()];
        let there = diff(bytes, other, &Limits::default()).unwrap();
        let back = diff(other, bytes, &Limits::default()).unwrap();
        assert_eq!(there.changes.is_empty(), back.changes.is_empty(), "{name}");
    }
}

#[test]
fn a_component_is_a_world_and_the_interfaces_that_it_needs() {
    let tower = say(&fs::read(testdata().join("components/tower-rust.wasm")).unwrap());
    assert_eq!((tower.kind, &*tower.package), (Kind::Component, "root:component"));
    assert_eq!((tower.interfaces.len(), &*tower.worlds), (0, &["root".to_owned()][..]));
    let expected = "package root:component;\n\nworld root {\n  import example:greet/greeting@0.1.0;\n\n  \
                    export example:greet/greeting@0.1.0;\n}\npackage example:greet@0.1.0 {\n  \
                    interface greeting {\n    greet: func(name: string) -> string;\n  }\n}\n";
    assert_eq!(tower.text, expected);
    let json = serde_json::to_string(&tower).unwrap();
    assert_eq!(serde_json::from_str::<Wit>(&json).unwrap(), tower);

    let go = fs::read(testdata().join("components/greeter-go.wasm")).unwrap();
    let folder = folder(&go, &Limits::default()).unwrap();
    let paths: Vec<_> = folder.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths[0], "world.wit");
    assert!(
        paths.contains(&"deps/wasi-io-0.2.12/package.wit")
            || paths.iter().any(|path| {
                path.starts_with("deps/wasi-io-0.2.") && path.ends_with("/package.wit")
            }),
        "{paths:?}"
    );
}

#[test]
fn a_wit_package_keeps_its_documentation() {
    let text = "/// All of it.\npackage a:b@1.0.0;\n\n/// Things.\ninterface i {\n  /// One.\n  \
                @since(version = 1.0.0)\n  f: func();\n\n  @unstable(feature = later)\n  g: func();\n}\n\n\
                /// Where.\nworld w {\n  import i;\n}\n";
    let said = say(&package(text));
    assert_eq!(said.package, "a:b@1.0.0");
    assert_eq!((said.interfaces, said.worlds), (vec!["i".into()], vec!["w".into()]));
    assert_eq!(said.text, text);
    let file = &folder(&package(text), &Limits::default()).unwrap().files[0];
    assert_eq!((&*file.path, &*file.text), ("b.wit", text));

    // Documentation of what is not there.
    let bytes = package("package a:b; interface i { /// One.\n f: func(); }");
    let at = bytes.windows(12).position(|window| window == b"package-docs").unwrap();
    let name = at + bytes[at..].windows(3).position(|window| window == b"\"f\"").unwrap() + 1;
    let mut broken = bytes;
    broken[name] = b'x';
    let said = say(&broken);
    assert!(said.text.contains("f: func();") && !said.text.contains("One."));
    assert!(matches!(&*said.notes, [Note::Undocumented { .. }]), "{:?}", said.notes);
}

#[test]
fn core_modules_say_their_worlds() {
    let (resolve, id) = parse(
        "package a:b; interface i { f: func(); } world w { import i; } world v { export g: func(); }",
    );
    let module = |worlds: &[&str]| {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for world in worlds {
            let world = resolve.packages[id].worlds[*world];
            embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        }
        module
    };
    let one = say(&module(&["w"]));
    assert_eq!((&*one.package, &*one.worlds), ("a:b", &["w".to_owned()][..]));
    let both = say(&module(&["w", "v"]));
    assert_eq!((both.kind, &*both.package), (Kind::CoreModule, "root:root"));
    assert!(both.text.contains("import a:b/i;") && both.text.contains("export g: func();"));
    parse(&both.text);

    let none = wit(&module(&[]), &Limits::default()).unwrap_err();
    assert_eq!(none, WitError::NoInterfaces);
    let broken =
        [&module(&["w"])[..], &binary(r#"(module (@custom "component-type:x" "?"))"#)[8..]]
            .concat();
    assert_eq!(say(&broken).notes, [Note::UnreadableWorlds { count: 1 }]);
    for text in
        ["?", "\\03", "\\03\\00", "\\03\\00\\ff\\ff\\ff\\ff\\0f", "\\03\\00\\01w", "\\00asm"]
    {
        let unknown = binary(&format!(r#"(module (@custom "component-type:x" "{text}"))"#));
        let error = wit(&unknown, &Limits::default()).unwrap_err();
        assert_eq!(error, WitError::UnreadableWorlds { count: 1 }, "{text}");
        assert_eq!(folder(&unknown, &Limits::default()).unwrap_err(), error, "{text}");
    }
}

#[test]
fn worlds_of_real_core_modules_are_said_in_the_formats_of_all_tools() {
    let mut modules = files("components/modules");
    modules.retain(|(name, _)| name.starts_with("adapter-"));
    let names: Vec<_> = modules.iter().map(|(name, _)| &**name).collect();
    let wanted = ["command-old", "command", "proxy", "reactor"];
    assert_eq!(names, wanted.map(|name| format!("adapter-{name}.wasm")));
    for (name, bytes) in &modules {
        let said = say(bytes);
        assert_eq!((said.kind, said.worlds.len(), &*said.notes), (Kind::CoreModule, 1, &[][..]));
        let folder = folder(bytes, &Limits::default()).unwrap();
        let (resolve, id) = reread(&folder);
        assert_eq!(wit_component_258::encode(&resolve, id).unwrap(), package(&said.text), "{name}");
        let same = diff(bytes, bytes, &Limits::default()).unwrap();
        assert!(same.identical && same.changes.is_empty(), "{name}");
    }
    // In 2023 a section had the whole package, another world of it included, which the module is not for.
    let [old, new, ..] = &modules[..] else { unreachable!("{names:?}") };
    let (old, new) = (say(&old.1), say(&new.1));
    assert_eq!((&*old.package, &*new.package), ("wasi:cli@0.2.0", "wasi:cli@0.2.12"));
    assert_eq!((&*old.worlds, &old.worlds), (&["command".to_owned()][..], &new.worlds));
}

/// A section of that format, whose package has this text.
#[test]
fn the_old_format_of_embedded_worlds_names_one_of_several() {
    let text = "package a:b@1.0.0; interface i { f: func(); } world w { import i; } \
                world v { export g: func(); }";
    let module = |name: &str| {
        let mut data = vec![3, 0, u8::try_from(name.len()).unwrap()];
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(&package(text));
        let mut module = Module::new();
        module.section(&CustomSection { name: "component-type:a".into(), data: (&data).into() });
        module.finish()
    };
    for (name, world) in [("w", "w"), ("v", "v"), ("a:b/w@1.0.0", "w")] {
        let bytes = module(name);
        let said = say(&bytes);
        assert_eq!((&*said.package, &*said.worlds), ("a:b@1.0.0", &[world.to_owned()][..]));
        assert_eq!(
            examine(&bytes, &Limits::default()).unwrap().worlds,
            [format!("a:b/{world}@1.0.0")]
        );
    }
    let changes = diff(&module("w"), &module("v"), &Limits::default()).unwrap().changes;
    let names: Vec<_> = changes.iter().map(|change| &*change.name).collect();
    assert_eq!(names, ["a:b/i@1.0.0", "g"], "of two single worlds their contents are compared");
    let missing = module("x");
    let error = wit(&missing, &Limits::default()).unwrap_err();
    assert_eq!(error, WitError::UnreadableWorlds { count: 1 });
    assert!(examine(&missing, &Limits::default()).unwrap().worlds.is_empty());
}

#[test]
fn dependencies_are_in_the_text_or_in_the_notes() {
    let f = "(instance (export \"f\" (func)))";
    let source = format!(
        r#"(component
            (import "unlocked-dep=<a:b@{{>=1.0.0 <2.0.0}}>" {f})
            (import "locked-dep=<a:b@1.0.0>" {f})
            (import "a-b-n3" (func))
            (import "unlocked-dep=<a:c>" (component))
            (import "url=<https://x.test/x.wasm>" {f})
            (import "plain" (core module))
            (import "a:d/e@1.0.0" {f}))"#
    );
    let said = say(&binary(&source));
    let expected = "world root {\n  /// unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>\n  import a-b: interface {\n    \
                    f: func();\n  }\n  /// locked-dep=<a:b@1.0.0>\n  import a-b-n2: interface {";
    assert!(said.text.contains(expected), "{}", said.text);
    parse(&said.text);
    let notes: Vec<_> = said
        .notes
        .iter()
        .map(|note| match note {
            Note::Renamed { import, label } => (import.name.as_str(), label.as_str()),
            Note::Omitted { import } => (import.name.as_str(), "-"),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(
        notes,
        [
            ("unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>", "a-b"),
            ("locked-dep=<a:b@1.0.0>", "a-b-n2"),
            ("url=<https://x.test/x.wasm>", "dependency"),
            ("unlocked-dep=<a:c>", "-"),
            ("plain", "-"),
        ]
    );
    reread(&folder(&binary(&source), &Limits::default()).unwrap());
}

#[test]
fn interfaces_that_differ_on_both_sides_are_noted() {
    let side = |types: &str| {
        format!(
            r#"(component (import "a:b/c@1.0.0" (instance {types}))
            (import "x" (instance $i (export "f" (func)))) (export "a:b/c@1.0.0" (instance $i)))"#
        )
    };
    assert_eq!(say(&binary(&side(r#"(export "f" (func))"#))).notes, []);
    let merged = Note::Merged { interface: "a:b/c@1.0.0".to_owned() };
    for types in [r#"(export "g" (func))"#, r#"(export "f" (func (param "a" u8)))"#, ""] {
        assert_eq!(say(&binary(&side(types))).notes, std::slice::from_ref(&merged), "{types}");
    }
}

#[test]
fn folders_have_no_two_files_of_one_path() {
    let import = |name: &str| format!(r#"(import "{name}" (instance (export "f" (func))))"#);
    let imports =
        ["a-b:c/i@1.0.0", "a:b-c/i@1.0.0", "a:b-c/i@1.1.0-rc", "a:b-c/i@1.1.0-RC", "a:b-c/i"]
            .map(import);
    let folder =
        folder(&binary(&format!("(component {})", imports.concat())), &Limits::default()).unwrap();
    let mut paths: Vec<_> = folder.files.iter().map(|file| file.path.to_lowercase()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 6, "{paths:?}");
    reread(&folder);
}

#[test]
fn what_has_no_form_in_wit_is_an_error_and_no_panic() {
    for source in [
        r#"(component (component $c) (export "c" (component $c)))"#,
        r#"(component (type $t (resource (rep i32))) (export "t" (type $t)))"#,
        r#"(component (import "a" (instance $a (export "r" (type (sub resource)))))
            (export "b" (instance $a)))"#,
        r#"(component (import "a" (instance (export "i" (instance)))))"#,
        r#"(component (import "a" (instance $a (export "r" (type $r (sub resource)))))
            (alias export $a "r" (type $q)) (type $o (own $q)) (type $f (func (param "x" $o)))
            (import "f" (func (type $f))))"#,
    ] {
        let bytes = binary(source);
        match wit(&bytes, &Limits::default()) {
            // No world can use what an interface without a name has, and the library says that it does.
            Ok(said) => {
                assert!(source.contains("(own $q)"), "{source}");
                let [Note::Unparsable { reason }] = &*said.notes else { unreachable!("{said:?}") };
                assert!(reason.contains("name `r` does not exist"), "{reason}");
            }
            Err(WitError::Inexpressible { reason }) => {
                assert!(!reason.contains("defect"), "{source}");
            }
            Err(other) => unreachable!("{source}: {other}"),
        }
    }
    let invalid = wit(b"\0asm", &Limits::default()).unwrap_err();
    assert_eq!(invalid, WitError::Inspect(InspectError::Truncated { offset: 4 }));
}

#[test]
fn interfaces_that_take_too_much_text_are_refused() {
    let record = |number: usize| {
        let fields = (0..1000).map(|field| format!("(field \"a{field:0>900}\" u8)"));
        let fields: String = fields.collect();
        format!(
            "(type $a{number} (record {fields})) (export \"b{number}\" (type $b{number} (eq $a{number})))"
        )
    };
    let records: String = (0..10).map(record).collect();
    let bytes = binary(&format!("(component (import \"a:b/c\" (instance {records})))"));
    let error = wit(&bytes, &Limits::default()).unwrap_err();
    assert!(matches!(error, WitError::Inspect(InspectError::TextTooLong { .. })), "{error}");
    assert!(diff(&bytes, &bytes, &Limits::default()).is_err());
}
