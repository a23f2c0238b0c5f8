//! `warg bundle`, `warg lock --component` and `warg fetch`: from published packages to what runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::program::User;
use crate::schema::check;
use crate::with_registry::{Registry, Session};

/// The designers' example: each release with its package, its version and its text.
fn releases() -> Vec<(&'static str, &'static str, String)> {
    let add = r#"(component
        (core module $m (func (export "add") (param i32 i32) (result i32)
            local.get 0 local.get 1 i32.add))
        (core instance $i (instantiate $m))
        (func (export "add") (param "a" u32) (param "b" u32) (result u32)
            (canon lift (core func $i "add"))))"#;
    // `n` more than what is given, by way of `add`.
    let caller = |import: &str, name: &str, n: u32| {
        format!(
            r#"(component
                (import "{import}" (instance $add
                    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
                (core func $add (canon lower (func $add "add")))
                (core module $m (import "" "add" (func $add (param i32 i32) (result i32)))
                    (func (export "f") (param i32) (result i32)
                        local.get 0 i32.const {n} call $add))
                (core instance $i (instantiate $m (with "" (instance
                    (export "add" (func $add))))))
                (func (export "{name}") (param "n" u32) (result u32)
                    (canon lift (core func $i "f"))))"#
        )
    };
    vec![
        ("demo:add", "1.0.0", add.to_owned()),
        (
            "demo:add",
            "1.1.0",
            add.replace("(core instance", "(@custom \"x\" \"1.1\") (core instance"),
        ),
        ("demo:inc", "0.1.0", caller("unlocked-dep=<demo:add@{>=1.0.0 <2.0.0}>", "inc", 1)),
        ("demo:five", "1.0.0", caller("unlocked-dep=<demo:add@*>", "five", 5)),
        ("demo:meet", "1.0.0", MEET.to_owned()),
    ]
}

const MEET: &str = r#"(component
    (import "unlocked-dep=<demo:inc@{>=0.1.0 <0.2.0}>" (instance $inc
        (export "inc" (func (param "n" u32) (result u32)))))
    (import "unlocked-dep=<demo:five>" (instance $five
        (export "five" (func (param "n" u32) (result u32)))))
    (core func $inc (canon lower (func $inc "inc")))
    (core func $five (canon lower (func $five "five")))
    (core module $m
        (import "" "inc" (func $inc (param i32) (result i32)))
        (import "" "five" (func $five (param i32) (result i32)))
        (func (export "meet") (param i32) (result i32)
            local.get 0 call $inc call $five))
    (core instance $i (instantiate $m (with "" (instance
        (export "inc" (func $inc)) (export "five" (func $five))))))
    (func (export "meet") (param "n" u32) (result u32) (canon lift (core func $i "meet"))))"#;

/// A user with a folder, and a registry that has the releases, published in some order.
struct Tower<'a> {
    session: Session<'a>,
    folder: PathBuf,
}

impl<'a> Tower<'a> {
    fn new(registry: &'a Registry, order: &[usize]) -> Self {
        let session = Session::new(registry);
        let folder = session.user.home().join("here");
        session.fine(&["key", "new"]);
        let releases = releases();
        for (package, version, text) in order.iter().map(|at| &releases[*at]) {
            fs::write(folder.join("release.wasm"), wat::parse_str(text).unwrap()).unwrap();
            session.fine(&["publish", "release.wasm", "--name", package, "--release", version]);
        }
        fs::remove_file(folder.join("release.wasm")).unwrap();
        Self { session, folder }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.session.fine(&[arguments, &["--json"]].concat());
        let value = serde_json::from_str(&text).unwrap();
        check(arguments[0], &value);
        value
    }
}

/// What `meet` of a component without imports makes of a number.
fn meet(bytes: &[u8], number: u32) -> u32 {
    let engine = Engine::default();
    let component = Component::new(&engine, bytes).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let meet = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "meet").unwrap();
    meet.call(&mut store, (number,)).unwrap().0
}

#[test]
fn a_tower_is_published_locked_bundled_and_run() {
    let registry = Registry::start();
    let tower = Tower::new(&registry, &[0, 1, 2, 3, 4]);
    let session = &tower.session;
    let tree = session.fine(&["dependencies", "demo:meet"]);
    assert_eq!(tree.matches("demo:add@1.1.0").count(), 2, "{tree}");
    session.fine(&["lock", "demo:meet", "--component", "meet.locked.wasm"]);
    let said = session.fine(&["bundle", "-o", "first.wasm"]);
    assert!(said.contains("meet -> first.wasm (holds 3 releases"), "{said}");
    let bundle = tower.read("first.wasm");
    assert_eq!(meet(&bundle, 7), 13);

    // The locked component says the same as the lock, and so does a bundle of it.
    session.fine(&["bundle", "meet.locked.wasm", "--no-lock", "-o", "of-locked.wasm"]);
    assert_eq!(meet(&tower.read("of-locked.wasm"), 7), 13);
    let tree = session.fine(&["dependencies", "meet.locked.wasm"]);
    assert!(tree.contains("demo:meet@1.0.0") && tree.contains("demo:add@1.1.0"), "{tree}");

    // The same bytes once more, without the network, and after something newer was published.
    let again = tower.json(&["bundle", "--offline"]);
    assert_eq!(again["path"], "meet.bundle.wasm");
    assert_eq!(tower.read("meet.bundle.wasm"), bundle);
    let newer = wat::parse_str(&releases()[0].2).unwrap();
    fs::write(tower.folder.join("newer.wasm"), newer).unwrap();
    session.fine(&["publish", "newer.wasm", "--name", "demo:add", "--release", "1.2.0"]);
    session.fine(&["publish", "yank", "--name", "demo:add", "--version", "1.1.0", "--yes"]);
    session.fine(&["bundle", "demo:meet", "-o", "again.wasm"]);
    assert_eq!(tower.read("again.wasm"), bundle);
    session.fine(&["bundle", "demo:meet", "--no-lock", "-o", "newest.wasm"]);
    assert_ne!(tower.read("newest.wasm"), bundle);
    assert_eq!(meet(&tower.read("newest.wasm"), 7), 13);

    // On another machine, with nothing but the lock.
    let elsewhere = User::new();
    fs::write(elsewhere.home().join("here/warg.lock"), tower.read("warg.lock")).unwrap();
    let output = elsewhere.run(&["bundle", "-o", "there.wasm"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(fs::read(elsewhere.home().join("here/there.wasm")).unwrap(), bundle);

    // And from a registry to which all was published the other way round.
    let other = Registry::start();
    let shuffled = Tower::new(&other, &[4, 2, 1, 3, 0]);
    shuffled.session.fine(&["bundle", "demo:meet", "-o", "other.wasm"]);
    assert_eq!(shuffled.read("other.wasm"), bundle);
}

#[test]
fn what_a_lock_names_is_fetched_and_never_taken_for_something_else() {
    let registry = Registry::start();
    let tower = Tower::new(&registry, &[0, 1, 2, 3, 4]);
    let session = &tower.session;
    fs::write(tower.folder.join("app.wasm"), wat::parse_str(MEET).unwrap()).unwrap();
    session.fine(&["lock", "app.wasm"]);
    let fetched = tower.json(&["fetch"]);
    assert_eq!(fetched["packages"].as_array().unwrap().len(), 3);
    assert!(tower.folder.join("deps/demo/add/1.1.0.wasm").is_file());
    let again = tower.json(&["fetch"]);
    assert!(again["packages"].as_array().unwrap().iter().all(|it| it["fetched"] == false));
    session.fine(&["fetch", "--cache-only"]);

    // Nobody needs the registry any more.
    let other = User::new();
    let here = other.home().join("here");
    for name in ["app.wasm", "warg.lock", "deps/demo/add/1.1.0.wasm"] {
        copy(&tower.folder, &here, name);
    }
    copy(&tower.folder, &here, "deps/demo/inc/0.1.0.wasm");
    let offline = ["bundle", "app.wasm", "--offline", "--vendored", "deps"];
    let output = other.run(&offline);
    assert_eq!(output.code, Some(3), "it lacks one: {output}");
    copy(&tower.folder, &here, "deps/demo/five/1.0.0.wasm");
    let output = other.run(&offline);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(meet(&fs::read(here.join("app.bundle.wasm")).unwrap(), 1), 7);

    // A file that is something else is neither linked nor left as it is.
    let add = "deps/demo/add/1.1.0.wasm";
    let right = tower.read(add);
    fs::copy(tower.folder.join("app.wasm"), tower.folder.join(add)).unwrap();
    let output = session.run(&["bundle", "app.wasm", "--vendored", "deps"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.contains("and was to be sha256:"), "{output}");
    session.fine(&["fetch"]);
    assert_eq!(tower.read(add), right);

    // What was changed since it was locked is not bundled, and links lead nowhere.
    let app = tower.read("app.wasm");
    fs::write(tower.folder.join("app.wasm"), tower.read("deps/demo/inc/0.1.0.wasm")).unwrap();
    let output = session.run(&["bundle", "app.wasm"]);
    assert!(output.err.contains("app.wasm was changed since it was locked"), "{output}");
    fs::write(tower.folder.join("app.wasm"), app).unwrap();
    let outside = session.user.home().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(tower.folder.join("into")).unwrap();
    std::os::unix::fs::symlink(&outside, tower.folder.join("into/demo")).unwrap();
    let output = session.run(&["fetch", "-o", "into"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.contains("is a link"), "{output}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let output = session.run(&["bundle", "app.wasm", "--vendored", "nowhere"]);
    assert_eq!(output.code, Some(2), "{output}");

    // A lock that says something else than the log is believed in nothing.
    let text = fs::read_to_string(tower.folder.join("warg.lock")).unwrap();
    let digest = wargate_crypto::Digest::of(&right).to_string();
    let other = wargate_crypto::Digest::of(b"other").to_string();
    fs::write(tower.folder.join("warg.lock"), text.replace(&digest, &other)).unwrap();
    let output = session.run(&["bundle", "app.wasm"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.contains("`demo:add@1.1.0` is locked to"), "{output}");
}

#[test]
fn what_a_lock_names_no_more_is_removed_on_demand_and_nothing_else() {
    let registry = Registry::start();
    let tower = Tower::new(&registry, &[0]);
    tower.session.fine(&["lock", "demo:add"]);
    tower.session.fine(&["fetch"]);
    fs::write(tower.folder.join("deps/demo/add/0.9.0.wasm"), b"old").unwrap();
    fs::write(tower.folder.join("deps/demo/add/notes.txt"), b"mine").unwrap();
    let pruned = tower.json(&["fetch", "--prune"]);
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 1, "{pruned}");
    assert!(!tower.folder.join("deps/demo/add/0.9.0.wasm").exists());
    assert!(tower.folder.join("deps/demo/add/notes.txt").exists());
    assert!(tower.folder.join("deps/demo/add/1.0.0.wasm").exists());
}

#[test]
fn what_does_not_fit_is_explained() {
    let registry = Registry::start();
    let tower = Tower::new(&registry, &[0, 1, 2, 3, 4]);
    let session = &tower.session;
    let wrong = MEET.replace("(param \"n\" u32) (result u32)", "(param \"n\" s64) (result u32)");
    let wrong = wrong.replace("(param i32) (result i32)", "(param i64) (result i32)");
    fs::write(
        tower.folder.join("app.wasm"),
        wat::parse_str(wrong.replace("call $inc call", "call $inc i64.extend_i32_u call")).unwrap(),
    )
    .unwrap();
    let output = session.run(&["bundle", "app.wasm"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.err.contains("the root imports demo:"), "{output}");
    assert!(output.err.contains("but that is not what it asks for"), "{output}");
    assert!(!tower.folder.join("app.bundle.wasm").exists());
    let several = session.run(&["lock", "demo:inc", "demo:five", "--component", "x.wasm"]);
    assert_eq!(several.code, Some(2), "{several}");
    assert!(!tower.folder.join("warg.lock").exists(), "no lock of what was not linked");
    session.fine(&["lock", "demo:inc"]);
    let others = session.run(&["bundle", "demo:meet"]);
    assert!(others.err.contains("--no-lock"), "{others}");
}

fn copy(from: &Path, to: &Path, name: &str) {
    fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
    fs::copy(from.join(name), to.join(name)).unwrap();
}
