//! `warg add`, `remove`, `update` and `outdated`: a project's `warg.toml` and the lock beside it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use wargate_component::lock::Lock;

use crate::schema::check;
use crate::with_registry::{Registry, Session};

/// A user with a project, and a registry with packages.
struct Project<'a> {
    session: Session<'a>,
    folder: PathBuf,
}

impl<'a> Project<'a> {
    fn new(registry: &'a Registry) -> Self {
        let session = Session::new(registry);
        let folder = session.user.home().join("here");
        session.fine(&["key", "new"]);
        let project = Self { session, folder };
        for (package, version, import) in [
            ("demo:add", "1.0.0", ""),
            ("demo:add", "1.1.0", ""),
            ("demo:inc", "0.1.0", "unlocked-dep=<demo:add@{>=1.0.0 <2.0.0}>"),
            ("demo:pre", "2.0.0-rc.1", ""),
        ] {
            project.publish(package, version, import);
        }
        project
    }

    fn publish(&self, package: &str, version: &str, import: &str) {
        let import = if import.is_empty() {
            String::new()
        } else {
            format!("(import {import:?} (instance))")
        };
        let path = self.folder.join("release.wasm");
        fs::write(&path, wat::parse_str(format!("(component {import})")).unwrap()).unwrap();
        self.session.fine(&["publish", "release.wasm", "--name", package, "--release", version]);
        fs::remove_file(path).unwrap();
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.session.fine(&[arguments, &["--json"]].concat());
        let value = serde_json::from_str(&text).unwrap();
        check(arguments[0], &value);
        value
    }

    fn toml(&self) -> String {
        fs::read_to_string(self.folder.join("warg.toml")).unwrap()
    }

    fn locked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("warg.lock")).unwrap();
        Lock::from_text(&text).unwrap().packages.keys().map(ToString::to_string).collect()
    }
}

#[test]
fn what_is_added_is_locked_and_what_is_removed_is_not() {
    let registry = Registry::start();
    let project = Project::new(&registry);
    let session = &project.session;
    project.json(&["add", "demo:inc"]);
    assert_eq!(project.toml(), "[dependencies]\n\"demo:inc\" = \"0.1.0\"\n");
    assert_eq!(project.locked(), ["demo:add@1.1.0", "demo:inc@0.1.0"]);

    // What else is in the file stays, and the one above counts in every directory below.
    let own = "# mine\n[dependencies] # these\n\"demo:inc\" = \"0.1\" # for counting\n";
    fs::write(project.folder.join("warg.toml"), own).unwrap();
    fs::create_dir(project.folder.join("below")).unwrap();
    let mut command = session.user.command(&["add", "demo:add@=1.0.0"]);
    command.current_dir(project.folder.join("below")).env("WARG_REGISTRY", &registry.url);
    assert!(command.status().unwrap().success());
    assert_eq!(project.toml(), format!("{own}\"demo:add\" = \"=1.0.0\"\n"));
    assert_eq!(project.locked(), ["demo:add@1.0.0", "demo:inc@0.1.0"]);
    session.fine(&["lock", "--check", "--offline"]);

    // What cannot be leaves both as they are.
    let before = (project.toml(), project.locked());
    for (line, code) in [
        (vec!["add", "demo:none"], 3),
        (vec!["add", "demo:inc@^7"], 3),
        (vec!["add", "demo:pre"], 3),
        (vec!["add", "demo:pre@^9", "--prereleases", "--no-lock"], 3),
        (vec!["add", "demo:inc@nonsense"], 2),
        (vec!["remove", "demo:pre"], 2),
    ] {
        let output = session.run(&line);
        assert_eq!(output.code, Some(code), "{line:?}: {output}");
        assert!(output.err.contains("hint: "), "{line:?}: {output}");
        assert_eq!((project.toml(), project.locked()), before, "{line:?}");
    }
    session.fine(&["add", "demo:pre", "--prereleases", "--no-lock"]);
    assert!(project.toml().contains("\"demo:pre\" = \"2.0.0-rc.1\""), "{}", project.toml());
    let removed = project.json(&["remove", "demo:pre", "demo:add"]);
    assert_eq!(removed["lock"]["changed"], true);
    assert_eq!(project.toml(), own);
    session.fine(&["remove", "demo:inc"]);
    assert_eq!(project.toml(), "");
    assert!(project.locked().is_empty());
}

#[test]
fn what_is_added_at_once_is_all_there() {
    let registry = Registry::start();
    let project = Project::new(&registry);
    let spawn = |package: &str| {
        let mut command = project.session.user.command(&["add", package]);
        command.current_dir(&project.folder).env("WARG_REGISTRY", &registry.url);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = ["demo:add@*", "demo:inc", "demo:add"].map(spawn).into();
    for one in running {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let toml = project.toml();
    assert!(toml.contains("demo:add") && toml.contains("demo:inc"), "{toml}");
    assert_eq!(project.locked(), ["demo:add@1.1.0", "demo:inc@0.1.0"]);
    project.session.fine(&["lock", "--check"]);
}

#[test]
fn what_is_read_is_not_written_over() {
    let registry = Registry::start();
    let project = Project::new(&registry);
    let session = &project.session;
    let app = r#"(component (import "unlocked-dep=<demo:inc>" (instance)))"#;
    let app = wat::parse_str(app).unwrap();
    fs::write(project.folder.join("app.wasm"), &app).unwrap();
    fs::write(project.folder.join("demo:inc"), "a file that is called as a package").unwrap();
    session.fine(&["lock", "app.wasm", "demo:inc@*"]);
    for line in [
        &["lock", "app.wasm", "--component", "app.wasm"][..],
        &["lock", "app.wasm", "--export-wkg", "warg.lock"],
        &["bundle", "app.wasm", "--no-lock", "-o", "./app.wasm"],
    ] {
        let output = session.run(line);
        assert_eq!(output.code, Some(2), "{line:?}: {output}");
        assert!(output.err.contains("written over"), "{line:?}: {output}");
    }
    assert_eq!(fs::read(project.folder.join("app.wasm")).unwrap(), app);

    // A project's lock stays that of the project.
    session.fine(&["add", "demo:add"]);
    let before = fs::read(project.folder.join("warg.lock")).unwrap();
    let other = session.run(&["lock", "app.wasm"]);
    assert!(other.code == Some(2) && other.err.contains("--file other.lock"), "{other}");
    session.fine(&["lock", "app.wasm", "--file", "other.lock"]);
    assert_eq!(fs::read(project.folder.join("warg.lock")).unwrap(), before);
}

#[test]
fn the_files_of_a_project_are_roots_of_its_lock() {
    let registry = Registry::start();
    let project = Project::new(&registry);
    let session = &project.session;
    let text = "[package]\nfiles = [\"app.wasm\"]\n[dependencies]\n\"demo:add\" = \"1\"\n";
    fs::write(project.folder.join("warg.toml"), text).unwrap();
    let output = session.run(&["lock"]);
    assert!(output.err.contains("build it first"), "{output}");
    let app = r#"(component (import "unlocked-dep=<demo:inc>" (instance)))"#;
    fs::write(project.folder.join("app.wasm"), wat::parse_str(app).unwrap()).unwrap();
    session.fine(&["lock"]);
    assert_eq!(project.locked(), ["demo:add@1.1.0", "demo:inc@0.1.0"]);
    let text = fs::read_to_string(project.folder.join("warg.lock")).unwrap();
    assert!(text.contains("file = \"app.wasm\""), "{text}");
    fs::write(project.folder.join("warg.toml"), text.replace("app.wasm", "../app.wasm")).unwrap();
    let outside = session.run(&["lock"]);
    assert_eq!(outside.code, Some(2), "{outside}");
}

#[test]
fn newer_releases_are_shown_and_taken_on_demand() {
    let registry = Registry::start();
    let project = Project::new(&registry);
    let session = &project.session;
    session.fine(&["add", "demo:inc"]);
    let nothing = project.json(&["outdated"]);
    assert_eq!(nothing["packages"].as_array().unwrap().len(), 0);
    project.publish("demo:add", "1.2.0", "");
    project.publish("demo:add", "2.0.0", "");
    project.publish("demo:inc", "0.1.1", "unlocked-dep=<demo:add>");
    session.fine(&["publish", "yank", "--name", "demo:add", "--version", "1.1.0", "--yes"]);
    let found = session.run(&["outdated", "--check"]);
    assert_eq!(found.code, Some(1), "{found}");
    let expected = "\
PACKAGE   LOCKED  UPDATE  NEWEST
demo:add  1.1.0   2.0.0   2.0.0   yanked
demo:inc  0.1.0   0.1.1   0.1.1

`warg update` takes what stands under UPDATE.
";
    assert_eq!(found.out, expected);
    let found = project.json(&["outdated"]);
    assert_eq!(found["packages"][0]["yanked"], true);

    // One package, one version, or all; and first of all, nothing.
    let before = project.locked();
    let dry = project.json(&["update", "--dry-run"]);
    assert_eq!((&dry["lock"]["changed"], project.locked()), (&true.into(), before));
    session.fine(&["update", "demo:add"]);
    assert_eq!(project.locked(), ["demo:add@1.2.0", "demo:inc@0.1.0"]);
    session.fine(&["update", "--precise", "demo:add@1.0.0"]);
    assert_eq!(project.locked(), ["demo:add@1.0.0", "demo:inc@0.1.0"]);
    project.json(&["update"]);
    assert_eq!(project.locked(), ["demo:add@2.0.0", "demo:inc@0.1.1"]);
    let nothing = session.run(&["update", "--precise", "demo:none@1.0.0"]);
    assert_eq!(nothing.code, Some(3), "{nothing}");
    session.fine(&["outdated", "--check"]);
}
