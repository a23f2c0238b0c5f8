//! What cannot be run here, and what cannot be understood.

use std::fs;

use crate::program::{COMMAND, run};

/// A command that imports something more, and does nothing.
fn importing(imports: &str, version: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            {imports}
            (core module $m (func (export "run") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@{version}" (instance $run)))"#
    ))
    .unwrap()
}

fn import(name: &str, function: &str) -> String {
    format!(r#"(import "{name}" (instance (export "{function}" (func))))"#)
}

#[test]
fn all_that_is_missing_is_said_at_once() {
    let there = tempfile::tempdir().unwrap();
    let path = there.path().join("a.wasm");
    let path = path.to_str().unwrap();
    let strange = [
        import("my:own/thing@1.0.0", "do"),
        import("wasi:keyvalue/store@0.2.0-draft", "open"),
        r#"(import "bare" (func))"#.to_owned(),
        r#"(import "wasi:cli/environment@0.2.0" (instance
            (export "initial-cwd" (func (result (option string))))
            (export "of-tomorrow" (func))))"#
            .to_owned(),
    ]
    .concat();
    let older = import("wasi:cli/environment@0.2.0-rc-2023-11-10", "initial-cwd");
    let newer = import("wasi:cli/environment@0.3.0", "get-arguments");
    let other = import("wasi:cli/environment@0.2.3", "initial-cwd");
    let tomorrow = import("wasi:cli/weather@0.2.99", "look-outside");
    for (imports, said) in [
        (
            strange,
            "a.wasm imports what this host does not have:\n  my:own/thing@1.0.0\n  \
             wasi:keyvalue/store@0.2.0-draft\n  bare\n  wasi:cli/environment@0.2.0: of-tomorrow\nhint: \
             other components have to provide it",
        ),
        (
            older,
            "\n  wasi:cli/environment@0.2.0-rc-2023-11-10\nhint: it was made for a draft of WASI 0.2",
        ),
        (newer, "\n  wasi:cli/environment@0.3.0\nhint: it was made for WASI 0.3"),
        (tomorrow, "\n  wasi:cli/weather@0.2.99\nhint: this host has the interfaces of WASI 0.2"),
        (other, "a.wasm does not fit this host"),
    ] {
        fs::write(path, importing(&imports, "0.2.0")).unwrap();
        let output = run(&["run", path]);
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.err.contains(said), "{output}");
    }
    let many: String = (0..150).map(|n| import(&format!("my:own/thing{n}@1.0.0"), "do")).collect();
    fs::write(path, importing(&many, "0.2.0")).unwrap();
    assert!(run(&["run", path]).err.contains("my:own/thing99@1.0.0\n  and 50 more"));
    // What is there in another version of the same track is enough.
    let known = r#"(import "wasi:cli/environment@0.2.9" (instance
        (export "initial-cwd" (func (result (option string))))))"#;
    fs::write(path, importing(known, "0.2.7")).unwrap();
    let output = run(&["run", path]);
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{output}");
}

#[test]
fn what_the_host_has_is_not_listed() {
    // It uses resources of `wasi:io` in many interfaces.
    let hello = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/guides/hello.wasm");
    let output = run(&["run", hello]);
    let said = "error: hello.wasm imports what this host does not have:\n  \
                example:greet/greeting@0.1.0\nhint: other components have to provide it";
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.starts_with(said), "{output}");
    let there = tempfile::tempdir().unwrap();
    let path = there.path().join("a.wasm");
    let path = path.to_str().unwrap();
    // A resource is missing where it is from, and not where it is used; types are missing nowhere.
    let imports = r#"
        (import "my:own/types@1.0.0" (instance
            (type $size u32) (export "size" (type (eq $size)))))
        (import "my:own/things@1.0.0" (instance $things (export "thing" (type (sub resource)))))
        (alias export $things "thing" (type $thing))
        (import "wasi:cli/environment@0.2.0" (instance
            (export "thing" (type (eq $thing)))
            (export "initial-cwd" (func (result (option string))))))"#;
    fs::write(path, importing(imports, "0.2.0")).unwrap();
    let output = run(&["run", path]);
    let said = "does not have:\n  my:own/things@1.0.0\nhint: ";
    assert!(output.code == Some(2) && output.err.contains(said), "{output}");
}

#[test]
fn what_is_no_such_component_is_told_apart() {
    let there = tempfile::tempdir().unwrap();
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata");
    let components = |name: &str| format!("{testdata}/{name}");
    let own = |name: &str, bytes: &[u8]| {
        let path = there.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let whole = fs::read(COMMAND).unwrap();
    let damaged = [&whole[..whole.len() / 2], &[0xff; 64]].concat();
    for (verb, path, code, said) in [
        ("run", components("runner/http.wasm"), 2, "`warg serve` has it answer HTTP requests"),
        ("serve", components("runner/command.wasm"), 2, "`warg run` runs it"),
        (
            "run",
            components("components/greeter-rust.wasm"),
            2,
            "it exports example:greet/greeting@0.1.0",
        ),
        ("run", components("components/modules/adapter-command.wasm"), 2, "is a core module"),
        ("run", own("empty.wasm", b""), 2, "empty.wasm is no WebAssembly component"),
        ("run", own("text.wasm", b"#!/bin/sh"), 2, "is no WebAssembly component"),
        ("run", own("nothing.wasm", b"\0asm\x0d\0\x01\0"), 2, "it exports nothing"),
        ("run", own("damaged.wasm", &damaged), 2, "damaged.wasm cannot be compiled"),
        (
            "run",
            own("later.wasm", &importing("", "0.3.0")),
            2,
            "wasi:cli/run@0.3.0, and this host runs WASI 0.2",
        ),
        ("run", own("older.wasm", &importing("", "0.2.0-rc-2023-12-05")), 2, "a draft of WASI 0.2"),
        ("run", components("runner/none.wasm"), 8, "cannot read"),
        ("run", components("runner"), 8, "cannot read"),
    ] {
        let output = run(&[verb, &path]);
        assert_eq!(output.code, Some(code), "{path}: {output}");
        assert!(output.err.starts_with("error: ") && output.err.contains(said), "{path}: {output}");
        assert_eq!(output.out, "", "{path}");
    }
    let output = run(&["serve", COMMAND, "--json={\"component\":\"a\"}"]);
    assert!(output.err.is_empty() && output.out.contains(r#""code": "not-runnable""#), "{output}");
}

#[test]
fn grants_that_cannot_be_understood_are_refused_before_anything_runs() {
    for (flag, value) in [
        ("--dir", "no/such/directory"),
        ("--dir", COMMAND),
        ("--env", "NO_SUCH_VARIABLE"),
        ("--env", "=x"),
        ("--allow-http", "http://a.example"),
        ("--allow-connect", "a.example"),
        ("--allow-listen", "a.example:80"),
        ("--max-memory", "much"),
        ("--timeout", "long"),
        ("--timeout", "0"),
        ("--timeout", "0ms"),
        ("--dir", ".::a:wr"),
        ("--net", "all"),
    ] {
        let output = run(&["run", COMMAND, &format!("{flag}={value}"), "--", "clock"]);
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{flag} {value}: {output}");
        assert!(output.err.contains(flag), "{flag}: {output}");
    }
    for (said, grants) in [
        ("the variable A is named twice", ["--env=A=1", "--env=A=2"]),
        ("two directories are to be a\n", ["--dir=.::a", "--dir=src::a"]),
        ("command.wasm is a file, and no directory", ["--dir", COMMAND]),
    ] {
        let output = run(&[&["run", COMMAND], &grants[..], &["--", "clock"]].concat());
        assert!(output.code == Some(2) && output.err.contains(said), "{output}");
    }
    let output = run(&["run", COMMAND, "--name", "\x1b[31mred", "--", "trap"]);
    assert!(!output.err.contains('\x1b') && output.err.contains("red trapped"), "{output}");
}
