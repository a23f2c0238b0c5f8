//! `warg dependencies` and `warg lock`, from published packages to a lock and back.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wargate_component::lock::Lock;

use crate::schema::check;
use crate::with_registry::{Registry, Session};

const ADD: &str = "unlocked-dep=<demo:add@{>=1.0.0 <2.0.0}>";
const ADD_2: &str = "unlocked-dep=<demo:add@{>=2.0.0 <3.0.0}>";
const INC: &str = "unlocked-dep=<demo:inc>";

/// A user with a folder of components, and a registry that has the designers' tower: `meet` needs `inc`
/// and `five`, which need `add`.
struct Tower<'a> {
    session: Session<'a>,
    folder: PathBuf,
}

impl<'a> Tower<'a> {
    fn new(registry: &'a Registry) -> Self {
        let session = Session::new(registry);
        let folder = session.user.home().join("here");
        session.fine(&["key", "new"]);
        let tower = Self { session, folder };
        for (package, version, imports) in [
            ("demo:add", "1.0.0", &[][..]),
            ("demo:add", "1.1.0", &["wasi:cli/environment@0.2.0"]),
            ("demo:inc", "0.1.0", &[ADD]),
            ("demo:five", "1.0.0", &[ADD, INC]),
            ("demo:meet", "1.0.0", &[INC, "locked-dep=<demo:five@1.0.0>", "custom-hook"]),
        ] {
            tower.publish(package, version, imports);
        }
        tower
    }

    /// Writes a component with these imports.
    fn write(&self, name: &str, imports: &[&str]) -> PathBuf {
        let imports: Vec<String> =
            imports.iter().map(|import| format!("(import {import:?} (instance))")).collect();
        let path = self.folder.join(name);
        let text = format!("(component {})", imports.concat());
        fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    }

    fn publish(&self, package: &str, version: &str, imports: &[&str]) {
        let path = self.write("release.wasm", imports);
        let path = path.to_str().unwrap();
        self.session.fine(&["publish", path, "--name", package, "--release", version]);
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.session.fine(&[arguments, &["--json"]].concat());
        let value = serde_json::from_str(&text).unwrap();
        check(arguments[0], &value);
        value
    }

    fn lock(&self) -> Lock {
        let text = fs::read_to_string(self.folder.join("warg.lock")).unwrap();
        Lock::from_text(&text).unwrap()
    }

    fn locked(&self) -> Vec<String> {
        self.lock().packages.keys().map(ToString::to_string).collect()
    }
}

#[test]
fn dependencies_are_a_tree_reasons_and_a_picture() {
    let registry = Registry::start();
    let tower = Tower::new(&registry);
    tower.write("app.wasm", &[INC, "wasi:cli/run@0.2.0"]);
    let tree = tower.session.fine(&["dependencies", "demo:meet", "app.wasm"]);
    let expected = "\
demo:meet@1.0.0  d8a8478857f0
├── demo:five@1.0.0  9ac48835e450
│   ├── demo:add@1.1.0  a215392083c9
│   └── demo:inc@0.1.0  b5647e956320
│       └── demo:add@1.1.0
└── demo:inc@0.1.0 (*)
app.wasm
└── demo:inc@0.1.0 (*)

(*) shown above
";
    assert_eq!(tree, expected);

    let why = tower.session.fine(&["dependencies", "demo:meet@1.0.0", "--why", "demo:add"]);
    let expected = format!(
        "\
demo:meet@1.0.0
└── demo:five@1.0.0  (locked-dep=<demo:five@1.0.0>)
    └── demo:add@1.1.0  ({ADD})
demo:meet@1.0.0
└── demo:inc@0.1.0  ({INC})
    └── demo:add@1.1.0  ({ADD})
"
    );
    assert!(why.ends_with(&expected) || why.contains("demo:add@1.1.0"), "{why}");
    assert_eq!(why.matches(ADD).count(), 2, "{why}");

    let all = tower.json(&["dependencies", "demo:meet", "app.wasm"]);
    assert_eq!(all["packages"].as_array().unwrap().len(), 4);
    let dot = tower.session.fine(&["dependencies", "app.wasm", "--dot"]);
    assert!(dot.starts_with("digraph {") && dot.contains("demo:add\\n1.1.0"), "{dot}");
    let svg = tower.session.fine(&["dependencies", "app.wasm", "--svg"]);
    assert!(svg.starts_with("<svg") && svg.contains(">demo:add</text>"), "{svg}");

    // What depends on a package is known a moment after it was published: each question takes some time.
    let asked = (0..1000).map(|_| tower.json(&["dependencies", "--reverse", "demo:add"]));
    let mut asked = asked.filter(|found| found["dependents"].as_array().unwrap().len() == 2);
    let found = asked.next().unwrap();
    assert_eq!(found["dependents"][0]["package"], "demo:inc");
    assert_eq!(found["dependents"][1]["import"], ADD);
}

#[test]
fn a_lock_stays_as_it_is_until_it_no_longer_answers() {
    let registry = Registry::start();
    let tower = Tower::new(&registry);
    let session = &tower.session;
    tower.write("app.wasm", &[INC]);
    session.fine(&["lock", "app.wasm", "demo:five@^1"]);
    let all = ["demo:add@1.1.0", "demo:five@1.0.0", "demo:inc@0.1.0"];
    assert_eq!(tower.locked(), all);
    let text = fs::read(tower.folder.join("warg.lock")).unwrap();

    // What is published later changes nothing, nor does the network that is not there.
    tower.publish("demo:add", "1.2.0", &[]);
    session.fine(&["lock"]);
    session.fine(&["lock", "--check"]);
    session.fine(&["lock", "--check", "--offline"]);
    session.fine(&["lock", "app.wasm", "demo:five@^1", "--offline"]);
    assert_eq!(fs::read(tower.folder.join("warg.lock")).unwrap(), text);
    session.fine(&["publish", "yank", "--name", "demo:add", "--version", "1.1.0", "--yes"]);
    session.fine(&["lock", "--check"]);

    // Who wrote the lock and who has it must have seen one log.
    let root = tower.lock().registries.values().next().unwrap().log_root.to_string();
    let other = wargate_crypto::Digest::of(b"another log").to_string();
    let path = tower.folder.join("warg.lock");
    fs::write(&path, String::from_utf8(text.clone()).unwrap().replace(&root, &other)).unwrap();
    let split = session.run(&["lock", "--check"]);
    assert_eq!(split.code, Some(6), "{split}");
    assert!(split.err.contains("does not show that its log goes on from"), "{split}");
    fs::write(&path, &text).unwrap();

    // A file that changed does, and is never taken for what it was.
    tower.write("app.wasm", &[INC, ADD_2]);
    let stale = session.run(&["lock", "--check", "--offline"]);
    assert_eq!(stale.code, Some(2), "{stale}");
    assert!(stale.err.contains("demo:add"), "{stale}");
    tower.publish("demo:add", "2.0.0", &[]);
    let stale = session.run(&["lock", "--check"]);
    assert_eq!(stale.code, Some(1), "{stale}");
    assert!(stale.out.contains("+ demo:add@2.0.0"), "{stale}");
    assert_eq!(fs::read(tower.folder.join("warg.lock")).unwrap(), text, "a check writes nothing");
    session.fine(&["lock"]);
    let with_two = ["demo:add@1.1.0", "demo:add@2.0.0", "demo:five@1.0.0", "demo:inc@0.1.0"];
    assert_eq!(tower.locked(), with_two);

    // On demand, all that is newest.
    session.fine(&["lock", "--update"]);
    assert!(tower.locked().contains(&"demo:add@1.2.0".to_owned()), "{:?}", tower.locked());
    session.fine(&["lock", "--precise", "demo:add@1.0.0"]);
    assert!(tower.locked().contains(&"demo:add@1.0.0".to_owned()), "{:?}", tower.locked());

    session.fine(&["lock", "--export-wkg", "wkg.lock"]);
    let wkg = fs::read_to_string(tower.folder.join("wkg.lock")).unwrap();
    assert!(wkg.contains("name = \"demo:five\"") && wkg.contains("version = 1"), "{wkg}");
    // `wkg` knows it by this name, and not by that of our files.
    let host = registry.url.trim_start_matches("http://").trim_end_matches('/');
    assert!(wkg.contains(&format!("registry = \"{host}\"")), "{wkg}");
}

#[test]
fn a_file_takes_the_place_of_a_package() {
    let registry = Registry::start();
    let tower = Tower::new(&registry);
    let session = &tower.session;
    fs::create_dir(tower.folder.join("build")).unwrap();
    tower.write("app.wasm", &[INC]);
    tower.write("build/add.wasm", &[]);
    let with = ["--with", "demo:add@1.0.7=build/add.wasm"];
    let tree = session.fine(&[&["dependencies", "app.wasm"], &with[..]].concat());
    assert!(tree.contains("demo:add@1.0.7 = build/add.wasm"), "{tree}");
    session.fine(&[&["lock", "app.wasm"], &with[..]].concat());
    let text = fs::read_to_string(tower.folder.join("warg.lock")).unwrap();
    assert!(text.contains("file = \"build/add.wasm\""), "{text}");
    session.fine(&["lock", "--check", "--offline"]);

    // Its content is looked at again each time.
    tower.write("build/add.wasm", &["other-hook"]);
    let changed = session.run(&["lock", "--check", "--offline"]);
    assert_eq!(changed.code, Some(1), "{changed}");
    assert!(changed.out.contains("~ demo:add@1.0.7"), "{changed}");
    fs::remove_file(tower.folder.join("build/add.wasm")).unwrap();
    let gone = session.run(&["lock", "--check", "--offline"]);
    assert_eq!(gone.code, Some(2), "{gone}");
}

#[test]
fn what_cannot_be_satisfied_is_explained() {
    let registry = Registry::start();
    let tower = Tower::new(&registry);
    let narrow = "unlocked-dep=<demo:add@{>=1.0.0 <1.0.1}>";
    let high = "unlocked-dep=<demo:add@{>=1.1.0}>";
    tower.write("app.wasm", &[narrow, high]);
    let conflict = tower.session.run(&["dependencies", "app.wasm"]);
    assert_eq!(conflict.code, Some(3), "{conflict}");
    assert!(conflict.err.contains("the root imports demo:add@{>=1.1.0}"), "{conflict}");
    assert!(conflict.err.contains("hint: widen one of the ranges"), "{conflict}");
    tower.write("app.wasm", &["unlocked-dep=<demo:nobody>"]);
    let missing = tower.session.run(&["lock", "app.wasm"]);
    assert!(missing.err.contains("no package demo:nobody"), "{missing}");
    assert!(!tower.folder.join("warg.lock").exists());
}

#[test]
fn what_cannot_be_read_does_not_count_as_without_dependencies() {
    let registry = Registry::start();
    let tower = Tower::new(&registry);
    let session = &tower.session;
    tower.write("app.wasm", &[INC]);
    session.fine(&["lock", "app.wasm"]);
    let before = fs::read(tower.folder.join("warg.lock")).unwrap();
    fs::write(tower.folder.join("notes.txt"), "no component").unwrap();
    let make_pipe = std::process::Command::new("mkfifo").arg(tower.folder.join("pipe")).status();
    assert!(make_pipe.unwrap().success());
    fs::write(tower.folder.join("a:b.wasm"), fs::read(tower.folder.join("app.wasm")).unwrap())
        .unwrap();
    for line in [
        vec!["lock", "notes.txt"],
        vec!["dependencies", "notes.txt"],
        vec!["lock", "app.wasm", "--with", "demo:add@1.0.9=notes.txt"],
        // A device or a pipe may never end.
        vec!["lock", "/dev/zero"],
        vec!["lock", "pipe"],
        vec!["inspect", "pipe"],
        // No lock can name it.
        vec!["lock", "./a:b.wasm"],
        vec!["lock", "app.wasm", "--with", "demo:none@1.0.0=app.wasm"],
        vec!["lock", "app.wasm", "--precise", "demo:add@1.0.0", "--precise", "demo:add@1.1.0"],
        vec!["lock", "app.wasm", "--component", "-", "--json"],
    ] {
        let output = session.run(&line);
        assert_eq!(output.code, Some(2), "{line:?}: {output}");
        assert_eq!(fs::read(tower.folder.join("warg.lock")).unwrap(), before, "{line:?}");
    }
    // Beside a component on standard output there is nothing else.
    let mut command = session.user.command(&["lock", "app.wasm", "--component", "-"]);
    command.env("WARG_REGISTRY", &registry.url);
    let bytes = command.output().unwrap().stdout;
    let said = wargate_component::inspect(&bytes, &wargate_component::Limits::default()).unwrap();
    assert!(said.imports.iter().any(|it| it.name.starts_with("locked-dep=<demo:inc@0.1.0>")));
}

#[test]
fn a_lock_keeps_its_registries_and_its_content() {
    let (registry, other) = (Registry::start(), Registry::start());
    let tower = Tower::new(&registry);
    tower.write("app.wasm", &[INC]);
    tower.session.fine(&["lock", "app.wasm"]);
    let before = fs::read_to_string(tower.folder.join("warg.lock")).unwrap();
    // Another registry has packages of these names, and becomes the home.
    let stranger = Tower::new(&other);
    stranger.write("app.wasm", &[INC]);
    fs::write(stranger.folder.join("warg.lock"), &before).unwrap();
    for line in [&["lock"][..], &["lock", "--check"], &["outdated"], &["update"]] {
        stranger.session.fine(line);
        let now = fs::read_to_string(stranger.folder.join("warg.lock")).unwrap();
        assert_eq!(now, before, "{line:?}");
    }
    // Somebody with nothing but the lock and the component.
    let user = crate::program::User::new();
    for name in ["warg.lock", "app.wasm"] {
        fs::copy(tower.folder.join(name), user.home().join("here").join(name)).unwrap();
    }
    for line in [&["lock", "--check"][..], &["outdated"], &["dependencies"]] {
        let output = user.run(line);
        assert_eq!(output.code, Some(0), "{line:?}: {output}");
    }
    // Content that the log does not have is not mended in silence.
    let digest = tower.lock().packages.values().next().unwrap().digest.to_string();
    let wrong = wargate_crypto::Digest::of(b"other").to_string();
    fs::write(tower.folder.join("warg.lock"), before.replace(&digest, &wrong)).unwrap();
    let output = tower.session.run(&["lock"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.contains("is locked to"), "{output}");
}
