//! What counts as a change, and which changes break.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use wargate_component::diff::{ChangeKind, Diff, DiffError, Effect, Place, Step, What, diff};
use wargate_component::{InspectError, Limits};
use wargate_protocol::Version;
use wargate_testkit::vectors::testdata;
use wit_component_258::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn compare(before: &[u8], after: &[u8]) -> Diff {
    let found = diff(before, after, &Limits::default()).unwrap();
    assert_eq!(found.compatible, found.changes.iter().all(|each| each.effect < Effect::Breaking));
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Diff>(&json).unwrap(), found);
    found
}

fn binary(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

/// A component with an export for each name and its type.
fn exporting(interfaces: &[(&str, &str)]) -> Vec<u8> {
    let one = |(number, (name, types)): (usize, &(&str, &str))| {
        format!(
            "(import \"x{number}\" (instance $i{number} {types})) (export \"{name}\" (instance $i{number}))"
        )
    };
    binary(&format!("(component {})", interfaces.iter().enumerate().map(one).collect::<String>()))
}

/// A component with an import for each name and its type.
fn importing(imports: &[(&str, &str)]) -> Vec<u8> {
    let one = |(name, types): &(&str, &str)| format!("(import \"{name}\" {types})");
    binary(&format!("(component {})", imports.iter().map(one).collect::<String>()))
}

/// A WIT package in its binary form.
fn package(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let id = resolve.push_str("a.wit", wit).unwrap();
    wit_component_258::encode(&resolve, id).unwrap()
}

/// The change that counts most, of those that are listed first.
fn worst(found: &Diff) -> Option<Effect> {
    found.changes.iter().map(|change| change.effect).max()
}

const F: &str = r#"(export "f" (func))"#;
const G: &str = r#"(export "g" (func))"#;

#[test]
fn what_is_exported_may_grow_and_nothing_else() {
    let both = format!("{F} {G}");
    let record = |fields: &str| {
        format!(
            r#"(type $t (record {fields})) (export "t" (type $u (eq $t))) (export "f" (func (param "a" $u)))"#
        )
    };
    let (small, large) = (record(r#"(field "x" u8)"#), record(r#"(field "x" u8) (field "y" u8)"#));
    let resource = |more: &str| {
        format!(
            r#"(export "r" (type $r (sub resource))) (export "[constructor]r" (func (result (own $r)))) {more}"#
        )
    };
    let alias = |of: &str, used: &str| {
        format!(
            r#"(export "k" (type $k (eq $v{of}))) (export "s" (type $s (eq $k)))
            (type $l (list {used})) (export "f" (func (param "a" $l)))"#
        )
    };
    let alias = |of: &str, used: &str| format!("(type $v{of} {of}) {}", alias(of, used));
    let method = r#"(export "[method]r.m" (func (param "self" (borrow $r))))"#;
    for (name, before, after, effect) in [
        ("a:b/c@1.0.0", F, &*both, Some(Effect::Addition)),
        ("a:b/c@1.0.0", &*both, F, Some(Effect::Breaking)),
        ("c", F, &*both, Some(Effect::Addition)),
        ("a:b/c@1.0.0", F, r#"(export "f" (func (param "a" u8)))"#, Some(Effect::Breaking)),
        ("a:b/c@1.0.0", F, r#"(export "f" (func (result string)))"#, Some(Effect::Breaking)),
        ("a:b/c@1.0.0", F, r#"(export "f" (func async))"#, Some(Effect::Breaking)),
        (
            "a:b/c@1.0.0",
            r#"(export "f" (func (param "a" u8)))"#,
            r#"(export "f" (func (param "b" u8)))"#,
            Some(Effect::Breaking),
        ),
        ("a:b/c@1.0.0", &small, &small, None),
        ("a:b/c@1.0.0", &small, &large, Some(Effect::Breaking)),
        ("a:b/c@1.0.0", &resource(""), &resource(method), Some(Effect::Addition)),
        ("a:b/c@1.0.0", &resource(method), &resource(""), Some(Effect::Breaking)),
        // Values are what they consist of; only records and the like go by their names.
        ("a:b/c@1.0.0", &alias("string", "$k"), &alias("string", "$s"), None),
        ("a:b/c@1.0.0", &alias("string", "$k"), &alias("u8", "$k"), Some(Effect::Breaking)),
        // The same interface, whose declarations stand in another order.
        ("a:b/c@1.0.0", &both, &format!("{G} {F}"), None),
    ] {
        let (a, b) = (exporting(&[(name, before)]), exporting(&[(name, after)]));
        let mut found = compare(&a, &b);
        // What is exported here is imported as well, which is not what is asked about.
        found.changes.retain(|change| change.place == Place::Exports);
        assert_eq!(worst(&found), effect, "{before} {after}: {found:#?}");
    }
}

#[test]
fn what_is_imported_may_shrink_and_demand_more_of_what_is_known() {
    let instance = |types: &str| format!("(instance {types})");
    let (f, both) = (instance(F), instance(&format!("{F} {G}")));
    let (f, both) = (f.as_str(), both.as_str());
    let types = r#"(instance (type $t (record (field "x" u8))) (export "t" (type (eq $t))))"#;
    let resource = r#"(instance (export "r" (type (sub resource))))"#;
    let component = "(component)";
    let io = "wasi:io/poll@0.2.3";
    for (before, after, effect) in [
        (&[][..], &[][..], None),
        (&[(io, f)], &[], Some(Effect::Neutral)),
        (&[], &[(io, f)], Some(Effect::Breaking)),
        (&[], &[("host", f)], Some(Effect::Breaking)),
        (&[], &[("f", "(func)")], Some(Effect::Breaking)),
        (&[], &[(io, types)], Some(Effect::Demand)),
        (&[], &[(io, resource)], Some(Effect::Breaking)),
        (&[(io, both)], &[(io, f)], Some(Effect::Neutral)),
        (&[(io, f)], &[(io, both)], Some(Effect::Demand)),
        (&[("a:b/c", f)], &[("a:b/c", both)], Some(Effect::Breaking)),
        (&[("host", f)], &[("host", both)], Some(Effect::Breaking)),
        (&[(io, f)], &[("wasi:io/poll@0.2.6", f)], Some(Effect::Demand)),
        (&[(io, f)], &[("wasi:io/poll@0.2.0", f)], Some(Effect::Neutral)),
        (&[(io, f)], &[("wasi:io/poll@0.3.0", f)], Some(Effect::Breaking)),
        (&[("a:b/c@1.2.0", f)], &[("a:b/c@1.9.0", both)], Some(Effect::Demand)),
        (&[("a:b/c@1.2.0", f)], &[("a:b/c@2.0.0", f)], Some(Effect::Breaking)),
        (&[("a:b/c@0.0.1", f)], &[("a:b/c@0.0.2", f)], Some(Effect::Breaking)),
        (&[("a:b/c@1.0.0-rc.1", f)], &[("a:b/c@1.0.0", f)], Some(Effect::Breaking)),
        (&[("f", "(func)")], &[("f", r#"(func (param "a" u8))"#)], Some(Effect::Breaking)),
        (&[], &[("unlocked-dep=<a:b>", component)], Some(Effect::Demand)),
        (&[("unlocked-dep=<a:b>", component)], &[], Some(Effect::Neutral)),
        (
            &[("unlocked-dep=<a:b@{>=1.0.0}>", component)],
            &[("unlocked-dep=<a:b@{>=1.2.0}>", component)],
            Some(Effect::Demand),
        ),
        (
            &[("unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>", component)],
            &[("unlocked-dep=<a:b@{>=1.0.0}>", component)],
            Some(Effect::Neutral),
        ),
        (
            &[("unlocked-dep=<a:b@{>=1.0.0}>", component)],
            &[("locked-dep=<a:b@1.4.0>", component)],
            Some(Effect::Demand),
        ),
        (
            &[("c", component)],
            &[("c", r#"(component (import "f" (func)))"#)],
            Some(Effect::Neutral),
        ),
    ] {
        let found = compare(&importing(before), &importing(after));
        assert_eq!(worst(&found), effect, "{before:?} {after:?}: {found:#?}");
        assert_eq!(found.demanding, effect == Some(Effect::Demand));
    }
}

#[test]
fn interfaces_are_paired_by_name_then_by_version() {
    let f = "(instance (export \"f\" (func)))";
    let before = importing(&[("a:b/c@1.0.0", f), ("a:b/c@2.0.0", f)]);
    let after = importing(&[("a:b/c@2.0.0", f), ("a:b/c@1.1.0", f), ("a:b/c@3.0.0", f)]);
    let found = compare(&before, &after);
    let names: Vec<_> = found.changes.iter().map(|change| (&*change.name, change.kind)).collect();
    assert_eq!(names, [("a:b/c@1.0.0", ChangeKind::Changed), ("a:b/c@3.0.0", ChangeKind::Added)]);
    assert_eq!(found.changes[0].after.as_deref(), Some("a:b/c@1.1.0"));
}

#[test]
fn both_signatures_are_told_as_text() {
    let interface = |ty: &str| {
        format!(
            r#"(import "wasi:io/poll@0.2.0" (instance $p (export "pollable" (type (sub resource)))))
            (alias export $p "pollable" (type $q))
            (import "a:b/c@1.0.0" (instance
                (alias outer 1 $q (type $outer)) (export "pollable" (type $q (eq $outer)))
                (type $v (variant (case "none") (case "some" (list u8)))) (export "v" (type $w (eq $v)))
                (type $p (option (tuple $w (borrow $q)))) (type $r (result $w (error string)))
                (export "f" (func (param "a" {ty}) (result $r)))))"#
        )
    };
    let (a, b) = (
        binary(&format!("(component {})", interface("$p"))),
        binary(&format!("(component {})", interface("$w"))),
    );
    let found = compare(&a, &b);
    let change = &found.changes[0];
    assert_eq!(
        (found.changes.len(), change.what, change.member.as_deref()),
        (1, What::Function, Some("f"))
    );
    assert_eq!(
        change.before.as_deref(),
        Some("func(a: option<tuple<v, borrow<pollable>>>) -> result<v, string>")
    );
    assert_eq!(change.after.as_deref(), Some("func(a: v) -> result<v, string>"));
    let none = compare(&binary("(component)"), &a);
    assert_eq!(
        none.changes[1].after.as_deref(),
        Some(
            "pollable: use wasi:io/poll@0.2.0.{pollable}\nv: variant { none, some(list<u8>) }\n\
             f: func(a: option<tuple<v, borrow<pollable>>>) -> result<v, string>"
        )
    );
    // The interface that a type is used of may have a newer compatible version.
    let newer = interface("$p").replace("wasi:io/poll@0.2.0", "wasi:io/poll@0.2.1");
    let found = compare(&a, &binary(&format!("(component {newer})")));
    assert_eq!((found.changes.len(), worst(&found)), (1, Some(Effect::Demand)), "{found:#?}");
}

#[test]
fn wit_packages_are_contracts() {
    let wit = |version: &str, body: &str| package(&format!("package a:b@{version}; {body}"));
    let base =
        "interface i { f: func(); } interface j { g: func(); } world w { import i; export j; }";
    for (after, effect) in [
        (base.to_owned(), None),
        (base.replace("f: func();", "f: func(); h: func();"), Some(Effect::Addition)),
        (base.replace("f: func();", "f: func(); record t { x: u8 }"), Some(Effect::Addition)),
        (base.replace("f: func();", "h: func();"), Some(Effect::Breaking)),
        (base.replace("f: func();", "f: func() -> u8;"), Some(Effect::Breaking)),
        (format!("{base} interface k {{ f: func(); }}"), Some(Effect::Addition)),
        (format!("{base} world v {{ import i; }}"), Some(Effect::Addition)),
        (base.replace("world w", "world v"), Some(Effect::Breaking)),
        // Components that were made for the world do not have what it exports now.
        (base.replace("g: func();", "g: func(); h: func();"), Some(Effect::Breaking)),
        (base.replace("export j;", "export j; export i;"), Some(Effect::Breaking)),
        (base.replace("export j;", ""), Some(Effect::Addition)),
        // They may use what it imports.
        (base.replace("import i;", "import i; import j;"), Some(Effect::Addition)),
        (base.replace("import i;", ""), Some(Effect::Breaking)),
        (base.replace("f: func();", "/// Does it.\n f: func();"), Some(Effect::Neutral)),
    ] {
        for version in ["1.0.0", "1.1.0", "2.0.0"] {
            let found = compare(&wit("1.0.0", base), &wit(version, &after));
            assert_eq!(worst(&found), effect, "{after} {version}: {found:#?}");
        }
    }
    let documented = base.replace("f: func();", "/// Does it.\n f: func();");
    let found = compare(&wit("1.0.0", base), &wit("1.0.0", &documented));
    let change = &found.changes[0];
    assert_eq!((&*change.name, change.what), ("interfaces/i/funcs/f/docs", What::Documentation));
    assert_eq!(change.after.as_deref(), Some("Does it."));
    assert_eq!(found.step, Step::Patch);
}

#[test]
fn memories_of_core_modules_may_grow() {
    let module = |memory: &str| binary(&format!("(module (memory (export \"m\") {memory}))"));
    let needs =
        |memory: &str| binary(&format!("(module (import \"env\" \"m\" (memory {memory})))"));
    for (before, after, offered, asked) in [
        ("1", "1", None, None),
        ("1", "2", Some(Effect::Neutral), Some(Effect::Breaking)),
        ("2", "1", Some(Effect::Breaking), Some(Effect::Neutral)),
        ("1 4", "1 2", Some(Effect::Neutral), Some(Effect::Breaking)),
        ("1 2", "1", Some(Effect::Breaking), Some(Effect::Neutral)),
        ("1 2", "i64 1 2", Some(Effect::Breaking), Some(Effect::Breaking)),
    ] {
        let (a, b) =
            (compare(&module(before), &module(after)), compare(&needs(before), &needs(after)));
        assert_eq!((worst(&a), worst(&b)), (offered, asked), "{before} {after}");
    }
    let (a, b) = ("(module (func (export \"f\") (param i32)))", "(module (func (export \"f\")))");
    let found = compare(&binary(a), &binary(b));
    assert_eq!(found.changes[0].before.as_deref(), Some("func(i32)"));
    assert_eq!(found.step, Step::Major);
}

#[test]
fn worlds_in_core_modules_are_compared() {
    let module = |wit: &str| {
        let mut resolve = Resolve::default();
        let id = resolve.push_str("a.wit", wit).unwrap();
        let world = resolve.packages[id].worlds["w"];
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    };
    let wit =
        "package a:b@1.0.0; interface i { f: func(); } world w { import i; export g: func(); }";
    let a = module(wit);
    let same = compare(&a, &a);
    assert!(same.identical && same.changes.is_empty() && same.step == Step::None);
    let found = compare(&a, &module(&wit.replace("g: func()", "g: func() -> u8")));
    assert_eq!(found.changes[0].world.as_deref(), Some("a:b/w@1.0.0"));
    assert_eq!((found.changes[0].place, worst(&found)), (Place::Exports, Some(Effect::Breaking)));
    let found = compare(&a, &module(&wit.replace("import i;", "")));
    assert_eq!(worst(&found), Some(Effect::Neutral));
    let found = compare(&a, b"\0asm\x01\0\0\0");
    assert_eq!(worst(&found), Some(Effect::Breaking));
}

#[test]
fn files_of_different_kinds_do_not_replace_one_another() {
    let found = compare(b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0");
    assert_eq!((found.changes[0].what, found.step), (What::File, Step::Major));
    let error = diff(b"\0asm\x0d\0\x01\0", b"", &Limits::default()).unwrap_err();
    assert_eq!(error, DiffError::After(InspectError::Truncated { offset: 0 }));
}

#[test]
fn steps_say_which_version_may_follow() {
    let version = |text: &str| text.parse::<Version>().unwrap();
    for (step, before, lowest, refused) in [
        (Step::Patch, "1.2.3", "1.2.4", "1.2.3"),
        (Step::Minor, "1.2.3", "1.3.0", "1.2.9"),
        (Step::Major, "1.2.3", "2.0.0", "1.9.0"),
        (Step::Patch, "0.2.3", "0.2.4", "0.2.2"),
        (Step::Minor, "0.2.3", "0.2.4", "0.2.3"),
        (Step::Major, "0.2.3", "0.3.0", "0.2.4"),
        (Step::Major, "0.0.3", "0.0.4", "0.0.3"),
        (Step::Major, "1.0.0-rc.1", "1.0.0", "1.0.0-rc.0"),
    ] {
        let (before, lowest) = (version(before), version(lowest));
        assert_eq!(step.after(&before), lowest, "{step:?} {before}");
        assert!(step.allows(&before, &lowest), "{step:?} {before}");
        assert!(!step.allows(&before, &version(refused)), "{step:?} {before} {refused}");
    }
    assert!(Step::Major.allows(&version("1.2.3"), &version("2.0.0-rc.1")));
    assert!(!Step::Major.allows(&version("1.2.3"), &version("1.3.0-rc.1")));
}

#[test]
fn real_components_are_compatible_with_themselves_and_not_with_others() {
    let read = |name: &str| fs::read(testdata().join("components").join(name)).unwrap();
    let names = [
        "greeter-rust.wasm",
        "greeter-c-wasip2.wasm",
        "greeter-go.wasm",
        "tower-rust.wasm",
        "foreign/wac-http-v020.wasm",
        "foreign/wac-http-v023.wasm",
        "foreign/wkg-wasi-http-wit.wasm",
    ];
    for name in names {
        let bytes = read(name);
        let found = compare(&bytes, &bytes);
        assert!(found.identical && found.changes.is_empty(), "{name}");
    }
    // The greeting is the same; one imports nothing of WASI.
    let less = compare(&read("greeter-c-wasip2.wasm"), &read("greeter-rust.wasm"));
    assert!(less.compatible && !less.demanding && less.step == Step::Patch, "{less:#?}");
    let more = compare(&read("greeter-rust.wasm"), &read("greeter-c-wasip2.wasm"));
    assert!(!more.compatible && more.changes.iter().all(|each| each.place != Place::Exports));
    let http = compare(&read("foreign/wac-http-v020.wasm"), &read("foreign/wac-http-v023.wasm"));
    let breaking: Vec<_> = http.changes.iter().filter(|c| c.effect == Effect::Breaking).collect();
    assert!(http.compatible, "{breaking:#?}");
}
