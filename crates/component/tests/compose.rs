//! Composition: documents and plugs, of handwritten components and of real ones.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use wargate_component::compose::{
    ComposeError, Form, Packages, Plug, Reference, compose, plug, references,
};
use wargate_component::inspect::{Limits, glance, inspect, skim};
use wargate_testkit::vectors::testdata;
use wasm_encoder::Encode;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

fn reference(text: &str) -> Reference {
    let (package, version) = match text.split_once('@') {
        Some((package, version)) => (package, Some(version.parse().unwrap())),
        None => (text, None),
    };
    Reference { package: package.parse().unwrap(), version }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn real(name: &str) -> Vec<u8> {
    fs::read(testdata().join(format!("components/{name}.wasm"))).unwrap()
}

/// Composes a document with packages.
fn composed(source: &str, packages: &[(&str, &[u8])], form: Form) -> Result<Vec<u8>, ComposeError> {
    let contents = packages.iter().map(|(name, bytes)| (reference(name), *bytes)).collect();
    let packages = Packages { contents, adapters: BTreeMap::new() };
    let once = compose(source, &packages, form)?;
    assert_eq!(compose(source, &packages, form)?.bytes, once.bytes, "the same again");
    Ok(once.bytes)
}

fn imports(bytes: &[u8]) -> Vec<String> {
    let found = inspect(bytes, &Limits::default()).unwrap();
    found.imports.into_iter().map(|import| import.name).collect()
}

#[test]
fn references_are_those_of_the_text_each_once() {
    let source = "package a:b targets c:d/e@1.0.0;\nlet x = new f:g {};\nlet y = new f:g@2.0.0 {};\n\
                  let z = new f:g { ... };\nimport h: i:j/k@0.1.0;";
    let found = references(source).unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|(it, at)| {
            format!(
                "{} {:?} {}",
                it.package,
                it.version.as_ref().map(ToString::to_string),
                &source[*at..*at + 3]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "c:d Some(\"1.0.0\") c:d",
            "f:g None f:g",
            "f:g Some(\"2.0.0\") f:g",
            "i:j Some(\"0.1.0\") i:j"
        ]
    );
    assert_eq!(found[1].0.to_import().to_string(), "unlocked-dep=<f:g>");
    assert_eq!(found[2].0.to_import().to_string(), "locked-dep=<f:g@2.0.0>");
}

#[test]
fn two_versions_of_a_package_are_two() {
    let one = wat(r#"(component (import "old" (func)) (export "f" (func 0)))"#);
    let two = wat(r#"(component (import "new" (func)) (export "f" (func 0)))"#);
    let source = "package a:b;\nlet one = new x:y@1.0.0 { ... };\nlet two = new x:y@2.0.0 { ... };\n\
                  export one.f as \"one\";\nexport two.f as \"two\";";
    let bytes = composed(source, &[("x:y@1.0.0", &one), ("x:y@2.0.0", &two)], Form::Whole).unwrap();
    assert_eq!(imports(&bytes), ["old", "new"]);
    let open = composed(source, &[("x:y@1.0.0", &one), ("x:y@2.0.0", &two)], Form::Open).unwrap();
    // Who names a version means that one, and not whatever comes after it.
    assert_eq!(imports(&open), ["old", "new", "locked-dep=<x:y@1.0.0>", "locked-dep=<x:y@2.0.0>"]);
}

#[test]
fn faults_are_told_with_their_place() {
    let component = wat(r#"(component (import "f" (func)))"#);
    let module = wat("(module)");
    for (source, packages, message, place) in [
        ("package a:b;\nlet x = 5;", &[][..], "expected", "5"),
        ("package a:b;\nlet x = new c:d {};", &[], "no package `c:d`", "c:d"),
        ("package a:b;\nlet x = new c:d {};", &[("c:d", &*component)], "missing", "c:d"),
        ("package a:b;\nlet x = new c:d { g: y };", &[("c:d", &*component)], "y", "y"),
    ] {
        let error = composed(source, packages, Form::Whole).unwrap_err();
        let ComposeError::Document { labels, .. } = &error else { panic!("{error:?}") };
        assert!(error.to_string().contains(message), "{error}");
        let label = &labels[0];
        let shown = &source[label.offset..label.offset + label.length];
        assert!(shown.contains(place), "{error}: {shown}");
    }
    let error = composed("package a:b;\nlet x = new c:d {};", &[("c:d", &*module)], Form::Whole);
    assert!(matches!(error, Err(ComposeError::Package { .. })), "{error:?}");
    // Brackets that are none do not count, and hide none.
    let comments =
        format!("package a:b;\n{}/* {} */\n", "// if a < b\n".repeat(200), "(".repeat(200));
    composed(&comments, &[], Form::Whole).unwrap();
    let hidden = format!("package a:b;\nlet x = {};", "((//))\n".repeat(10_000));
    let error = composed(&hidden, &[], Form::Whole);
    assert!(matches!(error, Err(ComposeError::TooDeep { .. })), "{error:?}");
    let deep = format!("package a:b;\nlet x = {}y{};", "(".repeat(10_000), ")".repeat(10_000));
    let error = composed(&deep, &[], Form::Whole);
    assert!(matches!(error, Err(ComposeError::TooDeep { .. })), "{error:?}");
}

#[test]
fn plugs_feed_the_socket_and_each_other() {
    let tower = real("tower-rust");
    let lower = real("tower-c-wasip2");
    let terminal = real("greeter-go");
    let named = |name, bytes| Plug { reference: reference(name), bytes };
    let plugs = [named("x:c", &*lower), named("x:go", &terminal), named("x:spare", &terminal)];
    let (made, unused) =
        plug(&named("x:rust", &tower), &plugs, &BTreeMap::new(), Form::Whole).unwrap();
    assert_eq!(unused, [2]);
    assert!(
        imports(&made.bytes).iter().all(|name| name.starts_with("wasi:")),
        "{:?}",
        imports(&made.bytes)
    );
    assert_eq!(made.graph.nodes.iter().filter(|node| node.title.starts_with("x:")).count(), 3);
    let again = plug(&named("x:rust", &tower), &plugs, &BTreeMap::new(), Form::Whole).unwrap();
    assert_eq!(again.0.bytes, made.bytes);

    // Two that each want what the other gives do not go round.
    let round = [named("x:c", &*lower), named("x:other", &tower)];
    let (open, unused) =
        plug(&named("x:rust", &tower), &round, &BTreeMap::new(), Form::Whole).unwrap();
    assert_eq!(unused.len(), 0);
    assert!(imports(&open.bytes).iter().any(|name| !name.starts_with("wasi:")));

    let error =
        plug(&named("x:go", &terminal), &plugs[..1], &BTreeMap::new(), Form::Whole).unwrap_err();
    assert!(matches!(error, ComposeError::NothingPlugged { .. }), "{error:?}");
}

#[test]
fn a_tower_of_languages_runs() {
    let source = "package example:tower;\n\
                  let bottom = new tower:greeter {};\n\
                  let script = new tower:script { greeting: bottom.greeting, ... };\n\
                  let top = new tower:rust { ...script };\n\
                  export top.greeting;";
    let (rust, script, greeter) = (real("tower-rust"), real("tower-claw"), real("greeter-rust"));
    let packages: [(&str, &[u8]); 3] =
        [("tower:greeter", &greeter), ("tower:script", &script), ("tower:rust", &rust)];
    let bytes = composed(source, &packages, Form::Whole).unwrap();
    assert_eq!(imports(&bytes), [""; 0]);
    assert_eq!(greet(&bytes, "Ada"), "Rust[Claw[Rust says hello to Ada]]");
}

/// Calls the greeting of a component that needs nothing.
fn greet(bytes: &[u8], name: &str) -> String {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, bytes).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let interface = instance.get_export_index(&mut store, None, "example:greet/greeting@0.1.0");
    let greet = instance.get_export_index(&mut store, interface.as_ref(), "greet").unwrap();
    let greet = instance.get_typed_func::<(&str,), (String,)>(&mut store, &greet).unwrap();
    greet.call(&mut store, (name,)).unwrap().0
}

/// What the libraries make by themselves of the same.
fn of_wac(source: &str, packages: &[(&str, &[u8])], form: Form) -> Vec<u8> {
    let document = wac_parser::Document::parse(source).unwrap();
    let keys = wac_resolver::packages(&document).unwrap();
    let contents = keys.into_keys().map(|key| {
        let (_, bytes) = packages.iter().find(|(name, _)| *name == key.name).unwrap();
        (key, bytes.to_vec())
    });
    let define_components = form == Form::Whole;
    let options = wac_graph::EncodeOptions { define_components, validate: true, processor: None };
    document.resolve(contents.collect()).unwrap().encode(options).unwrap()
}

#[test]
fn outlines_make_what_whole_components_make() {
    let source = "package demo:tower;\n\
                  let go = new demo:go { ... };\nlet c = new demo:c { ...go, ... };\n\
                  let script = new demo:script { ...c, ... };\n\
                  let rust = new demo:rust { ...script, ... };\nexport rust...;\n";
    let files = ["greeter-go", "tower-c-wasip2", "tower-qjs", "tower-rust"].map(real);
    let names = ["demo:go", "demo:c", "demo:script", "demo:rust"];
    let packages: Vec<_> = names.into_iter().zip(files.iter().map(Vec::as_slice)).collect();
    for form in [Form::Whole, Form::Open] {
        let ours = composed(source, &packages, form).unwrap();
        assert!(ours == of_wac(source, &packages, form), "{form:?}");
    }

    // Two packages with the same types, and even with the same bytes, are told apart.
    let source = "package demo:two;\nlet a = new demo:a {};\nlet b = new demo:b {};\n\
                  let c = new demo:c {};\nexport a.f as a;\nexport b.f as b;\nexport c.f as c;\n";
    let says = |number: u32| {
        wat(&format!(
            r#"(component
                (core module $m (memory 1) (data (i32.const 0) "{number}")
                    (func (export "f") (result i32) i32.const {number}))
                (core instance $i (instantiate $m))
                (func (export "f") (result u32) (canon lift (core func $i "f"))))"#
        ))
    };
    let (one, two) = (says(1), says(2));
    let packages = [("demo:a", &*one), ("demo:b", &*two), ("demo:c", &*one)];
    let ours = composed(source, &packages, Form::Whole).unwrap();
    assert!(ours == of_wac(source, &packages, Form::Whole));
}

#[test]
fn who_has_invalid_code_is_told() {
    let good = wat("(component)");
    let bad = wat("(component (core module (func (result i32))))");
    let packages = [("demo:good", &*good), ("demo:bad", &*bad)];
    for source in ["let a = new demo:good {};\nlet b = new demo:bad {};", "let a = new demo:bad {"]
    {
        let source = format!("package a:b;\n{source}");
        let error = composed(&source, &packages, Form::Whole).unwrap_err();
        assert!(
            matches!(&error, ComposeError::Package { package, reason, .. }
                if package.as_str() == "demo:bad" && reason.contains("valid")),
            "{error:?}"
        );
    }

    // A section that claims more functions than it has room for; a component in components in components.
    let code = [3, 5, 255, 255, 255, 255, 15, 10, 5, 255, 255, 255, 255, 15];
    let header = |layer: u8| if layer == 0 { b"\0asm\x01\0\0\0" } else { b"\0asm\x0d\0\x01\0" };
    let module = [header(0).as_slice(), &code].concat();
    let mut many = [header(1).as_slice(), &[1]].concat();
    module.encode(&mut many);
    let mut deep = header(1).to_vec();
    while deep.len() < 1 << 12 {
        let within = std::mem::replace(&mut deep, [header(1).as_slice(), &[4]].concat());
        within.encode(&mut deep);
    }
    for hostile in [many, deep, b"\0asm\x0d\0\x01\0\x04\x7f".to_vec(), b"junk".to_vec()] {
        let source = "package a:b;\nlet a = new demo:bad {};";
        let error = composed(source, &[("demo:bad", &hostile)], Form::Whole).unwrap_err();
        assert!(matches!(error, ComposeError::Package { .. }), "{error:?}");
    }
}

#[test]
fn a_glance_sees_what_an_inspection_sees() {
    let mut seen = 0;
    let mut folders = vec![testdata().join("components")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let whole = inspect(&bytes, &Limits::default());
            assert_eq!(skim(&bytes, &Limits::default()), whole, "{}", path.display());
            assert_eq!(glance(&bytes, &Limits::default()), whole, "{}", path.display());
            seen += usize::from(whole.is_ok());
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn code_has_one_budget_however_many_threads_there_are() {
    let (results, targets) = ("i32 ".repeat(1000), "0 ".repeat(70_000));
    let costly = wat(&format!(
        "(component (core module (type $t (func (result {results})))
            (func (type $t) unreachable br_table {targets})
            (func (type $t) unreachable br_table {targets})))"
    ));
    let source = "package a:b; let a = new demo:a {}; let b = new demo:b {};";
    for other in [&wat("(component)"), &costly] {
        let contents = [(reference("demo:a"), &*costly), (reference("demo:b"), &**other)];
        let packages = Packages { contents: contents.into(), adapters: BTreeMap::new() };
        let made = compose(source, &packages, Form::Whole);
        assert_eq!(made.is_ok(), *other != costly, "{made:?}");
    }
}
