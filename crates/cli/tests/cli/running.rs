//! `warg run` and `warg serve`: what was published, found by name, verified, linked and run.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::User;
use crate::schema::check;
use crate::with_registry::{Registry, Session};

const COMMAND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/runner/command.wasm");
const HTTP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/runner/http.wasm");

/// A command that depends on a package: it ends well if two and three are what the package says.
const SUM: &str = r#"(component
    (import "unlocked-dep=<demo:add@{>=1.0.0 <2.0.0}>" (instance $add
        (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
    (core func $add (canon lower (func $add "add")))
    (core module $m
        (import "" "add" (func $add (param i32 i32) (result i32)))
        (func (export "run") (result i32)
            (i32.ne (call $add (i32.const 2) (i32.const 3)) (i32.const 5))))
    (core instance $i (instantiate $m (with "" (instance (export "add" (func $add))))))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))"#;

const ADD: &str = r#"(component
    (core module $m (func (export "add") (param i32 i32) (result i32)
        local.get 0 local.get 1 i32.add))
    (core instance $i (instantiate $m))
    (func (export "add") (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $i "add"))))"#;

/// The program that runs components, beside ours. It is built if it is not there.
fn runner() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_warg")).with_file_name("warg-run");
    if !path.exists() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "wargate-runner", "--bin", "warg-run"])
            .status()
            .unwrap();
        assert!(status.success(), "the program that runs components cannot be built");
    }
    path
}

#[test]
fn what_was_published_is_run_by_name() {
    runner();
    let registry = Registry::start();
    let session = Session::new(&registry);
    let here = session.user.home().join("here");
    session.fine(&["key", "new"]);
    session.fine(&["publish", COMMAND, "--name", "demo:tool", "--release", "1.0.0"]);
    let tool =
        session.run(&["run", "demo:tool", "--env", "A=b", "--", "environment", "name", "exit=7"]);
    assert_eq!(tool.code, Some(7), "{tool}");
    assert_eq!(tool.out, "environment: [\"A=b\"]\nname: demo:tool@1.0.0\n", "{tool}");
    fs::write(here.join("in.txt"), "of mine").unwrap();
    for (grants, said) in [(&[][..], "read: error"), (&["--dir", "."], "read: of mine")] {
        let line = [&["run", "demo:tool@^1"], grants, &["--", "read=in.txt"]].concat();
        let output = session.run(&line);
        assert!(output.code == Some(0) && output.out.starts_with(said), "{output}");
    }
    // A component that needs nothing else is run where it is, and no registry is asked for what is locked.
    session.fine(&["lock", "demo:tool"]);
    let kept = session.user.home().join(".cache/wargate/client/.running");
    assert!(!kept.join("bundles").exists() && kept.join("code").exists());
    let user = session.user;
    drop(registry);
    let offline = user.run(&["run", "--offline", "--", "clock"]);
    assert_eq!((offline.code, offline.out.as_str()), (Some(0), "clock: true\n"), "{offline}");
    let missing = user.run(&["run", "demo:other", "--offline"]);
    assert!(missing.code == Some(2) && missing.err.contains("--no-lock"), "{missing}");
}

#[test]
fn what_depends_on_packages_is_linked_first() {
    runner();
    let registry = Registry::start();
    let session = Session::new(&registry);
    let here = session.user.home().join("here");
    session.fine(&["key", "new"]);
    fs::write(here.join("add.wasm"), wat::parse_str(ADD).unwrap()).unwrap();
    session.fine(&["publish", "add.wasm", "--name", "demo:add", "--release", "1.0.0"]);
    fs::write(here.join("sum.wasm"), wat::parse_str(SUM).unwrap()).unwrap();
    let bundles = session.user.home().join(".cache/wargate/client/.running/bundles");
    for _ in 0..2 {
        let output = session.run(&["run", "sum.wasm"]);
        assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{output}");
        let kept: Vec<_> = fs::read_dir(&bundles).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(kept.len(), 1);
        // What has rotten is not run.
        fs::write(&kept[0], b"rotten").unwrap();
    }
    session.fine(&["lock", "sum.wasm"]);
    fs::write(here.join("sum.wasm"), wat::parse_str(SUM.replace("const 5", "const 6")).unwrap())
        .unwrap();
    let changed = session.run(&["run"]);
    assert!(changed.err.contains("sum.wasm was changed since it was locked"), "{changed}");
    assert_eq!(session.run(&["run", "sum.wasm", "--no-lock"]).code, Some(1));
    session.fine(&["clear"]);
    assert!(!bundles.exists());
}

#[test]
fn http_components_are_served_by_name() {
    runner();
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    session.fine(&["publish", HTTP, "--name", "demo:site", "--release", "0.1.0"]);
    let mut command =
        session.user.command(&["serve", "demo:site", "--listen=127.0.0.1:0", "--json"]);
    command.env("WARG_REGISTRY", &registry.url);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let said: Value =
        serde_json::Deserializer::from_reader(out).into_iter().next().unwrap().unwrap();
    check("serve", &said);
    assert_eq!(said["component"], "demo:site@0.1.0");
    let address = said["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /teapot HTTP/1.0\r\nhost: a.example\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("418") && answer.ends_with("short and stout"), "{answer}");
    // It took the place of `warg`.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(TcpStream::connect(address).is_err());
    let failed = session.run(&["serve", "demo:site", "--dir=none", "--json"]);
    check("serve", &serde_json::from_str(&failed.out).unwrap());
    assert_eq!(failed.code, Some(2), "{failed}");
}

#[test]
fn grants_are_those_of_the_program_that_runs_components() {
    let user = User::new();
    for verb in ["run", "serve"] {
        let ours = user.run(&[verb, "--help"]).out;
        let theirs = Command::new(runner()).args([verb, "--help"]).output().unwrap();
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        let grants = |help: &str| {
            let (_, grants) = help.split_once("\nGrants:\n").unwrap();
            let lines = grants.lines().take_while(|line| !line.is_empty());
            lines
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(grants(&ours), grants(&theirs), "{verb}");
        for flag in
            ours.split_whitespace().filter(|word| word.starts_with("--max") || *word == "--timeout")
        {
            assert!(theirs.contains(flag), "{verb} {flag}");
        }
    }
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_fetched() {
    let user = User::new();
    // There is no such registry, which nobody gets to ask.
    for (line, said) in [
        (&["serve", "a:b", "--listen=nonsense"][..], "ADDRESS:PORT"),
        (&["serve", "a:b", "--listen=127.0.0.1"], "ADDRESS:PORT"),
        (&["serve", "a:b", "--listen=127.0.0.1:99999"], "ADDRESS:PORT"),
        (&["serve", "a:b", "--timeout=0"], "nothing is done in no time"),
        (&["run", "a:b", "--timeout=0s"], "nothing is done in no time"),
        (&["run"], "nothing is named to run, and there is no warg.lock\nhint: name a file"),
        (&["serve"], "nothing is named to serve, and there is no warg.lock"),
        (&["run", "--no-lock"], "nothing is named to run, and the lock is not to count"),
    ] {
        let output = user.run_with(&[("WARG_REGISTRY", "http://127.0.0.1:1")], line);
        assert!(output.code == Some(2) && output.err.contains(said), "{line:?}: {output}");
    }
}

#[test]
fn the_program_that_runs_components_is_found_or_missed() {
    let user = User::new();
    let named =
        |path: &str| user.run_with(&[("WARG_RUNNER", path)], &["run", COMMAND, "--", "clock"]);
    assert_eq!(named(runner().to_str().unwrap()).out, "clock: true\n");
    let wrong = named("/nowhere/warg-run");
    assert!(wrong.code == Some(2) && wrong.err.contains("which WARG_RUNNER names"), "{wrong}");
    // Elsewhere, nothing is beside it.
    let alone = user.home().join("warg");
    if fs::hard_link(env!("CARGO_BIN_EXE_warg"), &alone).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_warg"), &alone).unwrap();
    }
    let run = |path: &Path| {
        let mut command = Command::new(&alone);
        command.args(["run", COMMAND, "--", "clock"]).env_clear().env("HOME", user.home());
        command.env("PATH", path).output().unwrap()
    };
    let missed = run(Path::new("."));
    assert_eq!(missed.status.code(), Some(8), "{missed:?}");
    assert!(String::from_utf8_lossy(&missed.stderr).contains("cargo install --path crates/runner"));
    let on_path = run(runner().parent().unwrap());
    assert_eq!(on_path.stdout, b"clock: true\n", "{on_path:?}");
    let json = user.run(&["run", COMMAND, "--json"]);
    assert!(json.code == Some(2) && json.out.contains("leave out `--json`"), "{json}");
}
