//! Core modules as components, where components fit, and what components say of their sources.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use wargate_component::adapt::{AdaptError, Adapter, Look, adapt, embed, look};
use wargate_component::compose::{ComposeError, Form, Packages, Reference, compose};
use wargate_component::inspect::{Limits, inspect};
use wargate_component::provenance::{Made, Provenance, ProvenanceError, Role, Source, present};
use wargate_component::targets::{Host, TargetError, fit, oldest_wasi};
use wargate_component::wasi::{PREVIEW2, PREVIEW3};
use wargate_component::wit::{WitFile, encode};
use wargate_crypto::Digest;
use wargate_testkit::vectors::testdata;

fn real(name: &str) -> Vec<u8> {
    fs::read(testdata().join(format!("components/{name}.wasm"))).unwrap()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn names(bytes: &[u8], exports: bool) -> Vec<String> {
    let found = inspect(bytes, &Limits::default()).unwrap();
    let list = if exports { found.exports } else { found.imports };
    list.into_iter().map(|item| item.name).collect()
}

#[test]
fn a_module_gets_the_adapter_that_fits() {
    let command = real("modules/command-rust-wasip1");
    let link = real("modules/link-rust-wasip1");
    let needs = |adapter, has_world| Look { adapter, has_world };
    assert_eq!(look(&command).unwrap(), needs(Some(Adapter::Command), false));
    assert_eq!(look(&link).unwrap(), needs(Some(Adapter::Reactor), true));
    assert_eq!(look(&wat("(module)")).unwrap(), needs(None, false));
    assert_eq!(look(&proxy()).unwrap(), needs(Some(Adapter::Proxy), true));
    assert_eq!(look(&real("greeter-rust")), Err(AdaptError::NoModule));
    let old =
        wat(r#"(module (import "wasi_unstable" "fd_close" (func (param i32) (result i32))))"#);
    assert_eq!(look(&old), Err(AdaptError::TooOld));

    let made = adapt(&command, Some(&real("modules/adapter-command"))).unwrap();
    assert_eq!(names(&made, true), ["wasi:cli/run@0.2.12"]);
    assert!(names(&made, false).iter().all(|name| name.starts_with("wasi:")));
    let made = adapt(&link, Some(&real("modules/adapter-reactor"))).unwrap();
    assert_eq!(names(&made, true), ["example:greet/greeting@0.1.0"]);
    assert!(names(&made, false).contains(&"example:greet/greeting@0.1.0".to_owned()));
    assert_eq!(adapt(&link, Some(&real("modules/adapter-reactor"))).unwrap(), made);
    let made = adapt(&proxy(), Some(&real("modules/adapter-proxy"))).unwrap();
    assert_eq!(names(&made, true), ["wasi:http/incoming-handler@0.2.12"]);

    assert_eq!(adapt(&link, None), Err(AdaptError::NeedsAdapter(Adapter::Reactor)));
    assert_eq!(adapt(&wat("(module)"), None), Err(AdaptError::NoWorld));
    let wrong = adapt(&command, Some(&wat("(module)")));
    assert!(matches!(wrong, Err(AdaptError::Module { .. })), "{wrong:?}");
    let junk = adapt(&command, Some(b"junk"));
    assert!(matches!(junk, Err(AdaptError::Adapter { .. })), "{junk:?}");
    assert!(matches!(adapt(b"\0asm\x01\0\0\0junk", None), Err(AdaptError::Module { .. })));
}

/// A module that handles requests of HTTP and writes to its standard output as WASI 0.1 has it.
fn proxy() -> Vec<u8> {
    let module = wat(r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)))"#);
    let mut files = Vec::new();
    for package in PREVIEW2.packages().unwrap() {
        let text = wargate_component::wit::wit(&package.bytes, &Limits::default()).unwrap().text;
        // The packages that it needs are within, and are files of their own here.
        let text = text.split("\npackage ").next().unwrap().to_owned();
        files.push(WitFile { path: format!("deps/{}.wit", package.name.name()), text });
    }
    let text = "package a:b; world w { export wasi:http/incoming-handler@0.2.12; \
                import wasi:http/types@0.2.12; }";
    files.push(WitFile { path: "world.wit".into(), text: text.into() });
    embed(&module, &encode(&files).unwrap(), None).unwrap()
}

#[test]
fn a_module_is_told_its_world() {
    let module = wat(r#"(module (func (export "a:b/i#f") (result i32) i32.const 7))"#);
    let wit = |text: &str| encode(&[WitFile { path: "w.wit".into(), text: text.into() }]);
    let package =
        wit("package a:b; interface i { f: func() -> u32; } world w { export i; } world v {}");
    let package = package.unwrap();
    let told = embed(&module, &package, Some("w")).unwrap();
    assert_eq!(names(&adapt(&told, None).unwrap(), true), ["a:b/i"]);
    for (world, wit) in [(None, &*package), (Some("x"), &package), (None, b"junk"), (None, &module)]
    {
        let error = embed(&module, wit, world);
        assert!(matches!(error, Err(AdaptError::World { .. })), "{error:?}");
    }
    let other = embed(&wat("(module)"), &package, Some("w")).unwrap();
    assert!(matches!(adapt(&other, None), Err(AdaptError::Module { .. })));
    let error = wit("package a:b; world w { export nothing; }").unwrap_err().to_string();
    assert!(error.contains("nothing") && error.contains("w.wit:1"), "{error}");
}

#[test]
fn a_module_in_a_document_is_adapted_where_it_is_instantiated() {
    let reference = |name: &str| Reference { package: name.parse().unwrap(), version: None };
    let source = "package a:b;\nlet low = new x:low {};\n\
                  let top = new x:module { ...low, ... };\nexport top...;";
    let (low, module, adapter) =
        (real("greeter-rust"), real("modules/link-rust-wasip1"), real("modules/adapter-reactor"));
    let contents: BTreeMap<Reference, &[u8]> =
        [(reference("x:low"), &*low), (reference("x:module"), &*module)].into();
    let packages = Packages { contents: contents.clone(), adapters: BTreeMap::new() };
    let error = compose(source, &packages, Form::Whole).unwrap_err();
    assert!(
        matches!(error, ComposeError::NeedsAdapter { adapter: Adapter::Reactor, .. }),
        "{error}"
    );
    let packages = Packages { contents, adapters: [(Adapter::Reactor, &*adapter)].into() };
    let made = compose(source, &packages, Form::Whole).unwrap();
    assert_eq!(names(&made.bytes, true), ["example:greet/greeting@0.1.0"]);
    assert!(names(&made.bytes, false).iter().all(|name| name.starts_with("wasi:")));
}

#[test]
fn components_fit_hosts_or_say_what_is_in_the_way() {
    let all: Vec<_> = Host::all().into_iter().map(|host| host.name).collect();
    assert_eq!(
        all,
        ["wasmtime@48", "wasi@0.2.12", "wasi:cli/command@0.2.12", "wasi:http/proxy@0.2.12"]
    );
    let command =
        adapt(&real("modules/command-rust-wasip1"), Some(&real("modules/adapter-command")))
            .unwrap();
    let http = real("foreign/oci-wasm-http");
    let tower = real("tower-rust");
    let newer = wat(r#"(component (import "wasi:filesystem/types@0.2.12" (instance
            (export "d" (type (sub resource))))))"#);
    for (name, component, host, wanted) in [
        ("command", &command, "wasmtime", &[][..]),
        ("command", &command, "wasi@0.2.0", &[]),
        ("command", &command, "wasi:cli/command@0.2.3", &[]),
        (
            "command",
            &command,
            "wasi:http/proxy",
            &["imports wasi:cli/environment", "incoming-handler"],
        ),
        ("http", &http, "wasmtime@48.0.8", &[]),
        ("http", &http, "wasi:cli/command", &["imports wasi:http/types", "wasi:cli/run"]),
        ("tower", &tower, "wasmtime", &["imports example:greet/greeting@0.1.0"]),
        ("newer", &newer, "wasi", &["wasi:filesystem/types"]),
    ] {
        let fit = Host::named(host).unwrap().fit(component).unwrap();
        let mut said: Vec<String> =
            fit.not_offered.iter().map(|import| format!("imports {import}")).collect();
        said.extend(fit.not_exported.iter().cloned());
        said.extend(fit.mismatches.iter().map(|it| format!("{}: {}", it.name, it.reason)));
        assert_eq!(fit.is_complete(), wanted.is_empty(), "{name} on {host}: {said:#?}");
        for wanted in wanted {
            assert!(said.iter().any(|said| said.contains(wanted)), "{name} on {host}: {said:#?}");
        }
    }
    for host in ["wasmtime@7", "wasi@0.2.99", "wasi@0.3.0", "wasi:io/streams", "spin", "wasi@x"] {
        assert!(matches!(Host::named(host), Err(TargetError::NoSuchHost { .. })), "{host}");
    }
    let module = Host::named("wasi").unwrap().fit(&wat("(module)"));
    assert!(matches!(module, Err(TargetError::Component { .. })), "{module:?}");
}

#[test]
fn what_is_newer_than_a_host_is_told_with_its_release() {
    let exit = wat(r#"(component (import "wasi:cli/exit@0.2.12" (instance
            (export "exit" (func (param "status" (result))))))
           (import "wasi:cli/terminal-stdin@0.2.12" (instance)))"#);
    assert_eq!(oldest_wasi(&exit).unwrap().unwrap().to_string(), "0.2.0");
    assert_eq!(oldest_wasi(&real("greeter-rust")).unwrap(), None);
    let old = real("greeter-c-wasip2");
    let oldest = oldest_wasi(&old).unwrap().unwrap();
    assert_eq!(
        oldest.to_string(),
        "0.2.0",
        "it imports 0.2.6 and asks for nothing newer than that"
    );
}

#[test]
fn components_fit_worlds_of_packages() {
    let text = fs::read_to_string(testdata().join("components/greet.wit")).unwrap();
    let package = encode(&[WitFile { path: "greet.wit".into(), text }]).unwrap();
    for (component, world, complete) in [
        ("greeter-rust", Some("greeter"), true),
        ("greeter-rust", Some("tower"), true),
        ("tower-rust", Some("example:greet/tower"), true),
        ("tower-rust", Some("example:greet/tower@0.1.0"), true),
        ("tower-rust", Some("greeter"), false),
        ("tower-claw", Some("tower"), true),
    ] {
        let fit = fit(&real(component), &package, world).unwrap();
        assert_eq!(fit.is_complete(), complete, "{component} in {world:?}: {fit:?}");
    }
    for world in [None, Some("none")] {
        let error = fit(&real("greeter-rust"), &package, world).unwrap_err();
        assert!(error.to_string().contains("example:greet/greeter"), "{error}");
    }
    let error = fit(&real("greeter-rust"), &real("greeter-rust"), None);
    assert!(matches!(error, Err(TargetError::World { .. })), "{error:?}");
    assert_eq!(PREVIEW3.packages().unwrap().len(), 6);
}

#[test]
fn components_say_what_they_were_made_from() {
    let part = real("greeter-rust");
    let source = |digest| Source {
        role: Role::Part,
        package: Some("a:b".parse().unwrap()),
        version: Some("1.0.0".parse().unwrap()),
        digest,
    };
    let said = Provenance { made: Made::Composed, sources: vec![source(Digest::of(&part))] };
    let mut whole = part.clone();
    assert_eq!(Provenance::read(&whole), Ok(None));
    said.append_to(&mut whole);
    inspect(&whole, &Limits::default()).unwrap();
    assert_eq!(Provenance::read(&whole), Ok(Some(said.clone())));

    // What a part says of itself is not said of the whole, and the part is found as it is.
    let mut outer = wasm_encoder::Component::new();
    outer.section(&wasm_encoder::RawSection { id: 4, data: &whole });
    let outer = outer.finish();
    inspect(&outer, &Limits::default()).unwrap();
    assert_eq!(Provenance::read(&outer), Ok(None));
    let wanted: BTreeSet<Digest> = [Digest::of(&whole), Digest::of(b"else")].into();
    let within = present(&outer, &wanted).unwrap();
    assert_eq!((within.found, within.others), ([Digest::of(&whole)].into(), 0));
    assert_eq!(present(&outer, &BTreeSet::new()).unwrap().others, 1);

    said.append_to(&mut whole);
    let twice = Provenance::read(&whole);
    assert!(matches!(twice, Err(ProvenanceError::Section { .. })), "{twice:?}");
    let mut junk = part;
    junk.extend([0, 14, 12]);
    junk.extend(b"warg-sources{");
    let read = Provenance::read(&junk);
    assert!(matches!(read, Err(ProvenanceError::Section { .. })), "{read:?}");
    assert!(matches!(Provenance::read(b"junk"), Err(ProvenanceError::Unreadable { .. })));
}
