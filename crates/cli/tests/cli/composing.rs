//! `warg compose`: from a WAC document and published packages to what runs.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wargate_testkit::vectors::testdata;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::schema::check;
use crate::with_registry::{COMPONENT, Registry, Session};

/// A tower of languages, and what it answers.
const TOWER: &str = "\
package demo:tower;

let bottom = new demo:greeter {};
let script = new demo:script@1.0.0 { greeting: bottom.greeting, ... };
let top = new demo:rust { ...script };

export top.greeting;
";
const ANSWER: &str = "Rust[Claw[Rust says hello to Ada]]";

/// A user with a folder, and a registry that has the links of the tower.
struct Builder<'a> {
    session: Session<'a>,
    folder: PathBuf,
}

impl<'a> Builder<'a> {
    fn new(registry: &'a Registry) -> Self {
        let session = Session::new(registry);
        let folder = session.user.home().join("here");
        session.fine(&["key", "new"]);
        let builder = Self { session, folder };
        for (package, version, component) in [
            ("demo:greeter", "1.0.0", "greeter-rust"),
            ("demo:script", "1.0.0", "tower-claw"),
            ("demo:script", "2.0.0", "greeter-rust"),
            ("demo:rust", "1.0.0", "tower-rust"),
        ] {
            builder.publish(package, version, component);
        }
        builder.write("tower.wac", TOWER);
        builder
    }

    fn publish(&self, package: &str, version: &str, component: &str) {
        let path = testdata().join(format!("components/{component}.wasm"));
        fs::copy(path, self.folder.join("release.wasm")).unwrap();
        self.session.fine(&["publish", "release.wasm", "--name", package, "--release", version]);
        fs::remove_file(self.folder.join("release.wasm")).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
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

/// What a component that needs nothing says to Ada.
fn greet(bytes: &[u8]) -> String {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, bytes).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let interface = instance.get_export_index(&mut store, None, "example:greet/greeting@0.1.0");
    let greet = instance.get_export_index(&mut store, interface.as_ref(), "greet").unwrap();
    let greet = instance.get_typed_func::<(&str,), (String,)>(&mut store, &greet).unwrap();
    greet.call(&mut store, ("Ada",)).unwrap().0
}

#[test]
fn a_tower_of_languages_is_composed_pinned_and_run() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    let made = builder.json(&["compose", "tower.wac"]);
    assert_eq!(made["path"], "tower.wasm");
    assert_eq!(made["sources"].as_array().unwrap().len(), 4, "the document and three packages");
    let tower = builder.read("tower.wasm");
    assert_eq!(greet(&tower), ANSWER);

    // What is locked stays, whatever is released later, and needs nobody to be asked.
    session.fine(&["lock", "tower.wac"]);
    builder.publish("demo:greeter", "1.1.0", "tower-rust");
    session.fine(&["compose", "tower.wac", "--offline", "-o", "again.wasm"]);
    assert_eq!(builder.read("again.wasm"), tower);
    let tree = session.fine(&["dependencies", "tower.wac", "--offline"]);
    assert!(tree.contains("tower.wac\n├── demo:greeter@1.0.0"), "{tree}");
    session.fine(&["fetch"]);
    session.fine(&["compose", "tower.wac", "--vendored", "deps", "--offline", "-o", "deps.wasm"]);
    assert_eq!(builder.read("deps.wasm"), tower);

    // A lock that somebody names is not done without.
    let typo = session.run(&["compose", "tower.wac", "--file", "wrag.lock", "-o", "typo.wasm"]);
    assert!(typo.code == Some(2) && typo.err.contains("there is no wrag.lock"), "{typo}");

    // What the lock does not have is not composed as if it had, and is shown in the document.
    let other = TOWER.replace("demo:script@1.0.0", "demo:script@2.0.0");
    builder.write("tower.wac", &other);
    let changed = session.run(&["compose", "tower.wac", "--offline"]);
    assert!(changed.code == Some(2) && changed.err.contains("tower.wac:"), "{changed}");
    assert!(changed.err.contains("demo:script@2.0.0") && changed.err.contains("^^^"), "{changed}");
    builder.write("tower.wac", &TOWER.replace("demo:script@1.0.0", "demo:script@9.0.0"));
    let changed = session.run(&["compose", "tower.wac", "--no-lock", "--json"]);
    let failed: Value = serde_json::from_str(&changed.out).unwrap();
    check("compose", &failed);
    let place = &failed["error"]["places"][0];
    let line = other.lines().position(|line| line.contains("demo:script")).unwrap();
    let wanted = (&"tower.wac".into(), &(line + 1).into());
    assert_eq!((&place["file"], &place["line"]), wanted, "{failed}");
    builder.write("tower.wac", &TOWER.replace("demo:script@1.0.0", "demo:script@^1"));
    let range = session.run(&["compose", "tower.wac"]);
    assert!(range.code == Some(2) && range.err.contains("[dependencies]"), "{range}");

    // A file may stand in the place of a package.
    let local = testdata().join("components/greeter-rust.wasm");
    fs::copy(local, builder.folder.join("mine.wasm")).unwrap();
    builder.write("tower.wac", TOWER);
    let with = "demo:greeter@9.0.0=mine.wasm";
    session.fine(&["compose", "tower.wac", "--no-lock", "--with", with, "-o", "with.wasm"]);
    assert_eq!(greet(&builder.read("with.wasm")), ANSWER);

    // What is left open is imported by its name, and a bundle of it closes it again.
    session.fine(&["compose", "tower.wac", "--import-dependencies", "-o", "open.wasm"]);
    let open = builder.json(&["inspect", "open.wasm"]);
    assert!(open.to_string().contains("\"locked-dep=<demo:script@1.0.0>"), "{open}");

    let output = session.run(&["--json", "compose", "tower.wac", "--dot"]);
    assert!(output.code == Some(2) && output.out.contains("both content and JSON"), "{output}");
    let dot = session.fine(&["compose", "tower.wac", "--dot"]);
    assert!(dot.starts_with("digraph {") && dot.contains("demo:script"), "{dot}");
    assert!(session.fine(&["compose", "tower.wac", "--svg"]).starts_with("<svg"));
}

#[test]
fn faults_of_a_document_are_shown_where_they_are() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    for (text, shown) in [
        ("package a:b;\nlet x = 5;\n", "  2 | let x = 5;\n    |         ^"),
        ("package a:b;\nlet x = new demo:greeter { nothing: y };\n", "  2 | let x = new demo"),
        ("package a:b;\nlet x = new demo:rust {};\n", "^"),
        ("package a:b;\nlet x = new demo:none {};\n", "demo:none"),
        ("package a:b;\nlet x = new demo:greeter@7.0.0 {};\n", "demo:greeter"),
        ("\u{1b}[2J", "tower.wac"),
    ] {
        builder.write("tower.wac", text);
        let output = builder.session.run(&["compose", "tower.wac"]);
        assert!(matches!(output.code, Some(2 | 3)), "{text}: {output}");
        assert!(output.err.contains(shown) && !output.err.contains('\u{1b}'), "{text}: {output}");
    }
    let output = builder.session.run(&["compose", "tower.wasm"]);
    assert!(output.code == Some(2) && output.err.contains("no WAC document"), "{output}");
    builder.write("tower.wac", TOWER);
    let output = builder.session.run(&["compose", "tower.wac", "-o", "tower.wac"]);
    assert!(output.code == Some(2) && output.err.contains("written over"), "{output}");
}

#[test]
fn plugs_are_files_and_packages_and_feed_each_other() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    let local = testdata().join("components/tower-claw.wasm");
    fs::copy(local, builder.folder.join("script.wasm")).unwrap();
    let plugged = ["plug", "demo:rust", "--plug", "demo:greeter", "--plug", "script.wasm"];
    let made = builder.json(&[&plugged[..], &["-o", "tower.wasm"]].concat());
    assert_eq!(made["sources"].as_array().unwrap().len(), 2);
    // The greeting of the first plug fits the socket, and so nobody wants the second one.
    assert_eq!(made["unused"][0], "script.wasm");
    let plugged = ["plug", "demo:rust", "--plug", "script.wasm", "--plug", "demo:greeter"];
    session.fine(&[&plugged[..], &["-o", "tower.wasm"]].concat());
    assert_eq!(greet(&builder.read("tower.wasm")), ANSWER);
    assert!(session.fine(&[&plugged[..], &["--svg"]].concat()).contains("demo:rust"));

    let shown = session.fine(&["inspect", "tower.wasm"]);
    assert!(shown.contains("PLUGGED FROM") && shown.contains("demo:rust@1.0.0"), "{shown}");
    let output = session.run(&["plug", "demo:greeter", "--plug", "demo:rust"]);
    assert!(output.code == Some(2) && output.err.contains("imports nothing"), "{output}");
    let output =
        session.run(&["plug", "script.wasm", "--plug", "demo:greeter", "-o", "script.wasm"]);
    assert!(output.code == Some(2) && output.err.contains("written over"), "{output}");
}

#[test]
fn what_a_component_was_made_from_is_verified() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    session.fine(&["compose", "tower.wac"]);
    let said = session.fine(&["verify", "--deep", "tower.wasm"]);
    for package in ["demo:greeter@1.0.0", "demo:script@1.0.0", "demo:rust@1.0.0"] {
        let line = said.lines().find(|line| line.contains(package)).unwrap();
        assert!(line.starts_with("ok:") && line.contains("unchanged"), "{said}");
    }
    session.fine(&["publish", "yank", "--name", "demo:greeter", "--version", "1.0.0", "--yes"]);
    let said = session.fine(&["verify", "--deep", "tower.wasm"]);
    assert!(said.contains("note: demo:greeter@1.0.0 was yanked"), "{said}");

    // Somebody who claims what was never released is found out.
    let tower = builder.read("tower.wasm");
    for (from, to, shown) in [
        ("demo:script", "demo:absent", "no registry has demo:absent"),
        ("\"1.0.0\"", "\"1.0.9\"", "has no release 1.0.9"),
        ("sha256:", "sha256:00", "cannot be read"),
    ] {
        let at = tower.windows(12).rposition(|bytes| bytes == b"warg-sources").unwrap();
        let text = String::from_utf8(tower[at..].to_vec()).unwrap().replacen(from, to, 1);
        let (mut lie, text) = (tower[..at].to_vec(), &text[..tower.len() - at]);
        lie.extend(text.as_bytes());
        fs::write(builder.folder.join("lie.wasm"), lie).unwrap();
        let output = session.run(&["verify", "--deep", "lie.wasm"]);
        assert!(output.code == Some(6) && output.out.contains(shown), "{to}: {output}");
    }
    let local = testdata().join("components/greeter-rust.wasm");
    fs::copy(local, builder.folder.join("plain.wasm")).unwrap();
    let output = session.run(&["verify", "--deep", "plain.wasm"]);
    assert!(output.code == Some(6) && output.out.contains("does not say"), "{output}");

    // The statement of another one, and something that no source is.
    let at = tower.windows(12).rposition(|bytes| bytes == b"warg-sources").unwrap();
    let header = tower[..at].iter().rposition(|byte| *byte == 0).unwrap();
    let (made, section) = tower.split_at(header);
    let hollow = [&b"\0asm\x0d\0\x01\0"[..], section].concat();
    let more = [made, &b"\x04\x08\0asm\x0d\0\x01\0"[..], section].concat();
    let module = [&b"\0asm\x01\0\0\0"[..], section].concat();
    for (lie, shown) in [
        (hollow, "is not within, as the file says"),
        (more, "none of the sources as it was released"),
        (module, "the file is no component"),
    ] {
        fs::write(builder.folder.join("lie.wasm"), lie).unwrap();
        let output = session.run(&["verify", "--deep", "lie.wasm"]);
        assert!(output.code == Some(6) && output.out.contains(shown), "{shown}: {output}");
    }
    let output = session.run(&["verify", "--deep", "tower.wasm", "--offline"]);
    assert!(output.code == Some(3) && !output.out.contains("problem"), "{output}");

    // A file in the place of a package is no release, whatever it is called.
    let with = ["--with", "demo:greeter@1.0.0=plain.wasm"];
    let made = builder.json(&[&["compose", "tower.wac", "-o", "with.wasm"][..], &with].concat());
    let parts = made["sources"].as_array().unwrap().iter().filter(|it| it["package"].is_string());
    assert_eq!(parts.count(), 2, "{made}");
    session.fine(&["verify", "--deep", "with.wasm"]);

    // What is left open is imported by the name of its package, and said to be.
    let open = ["plug", "demo:rust", "--plug", "demo:script", "--import-dependencies"];
    session.fine(&[&open[..], &["-o", "open.wasm"]].concat());
    assert!(session.fine(&["inspect", "open.wasm"]).contains("locked-dep=<demo:script@2.0.0>"));
    assert!(session.fine(&["verify", "--deep", "open.wasm"]).contains("; imported"));
    let output = session.run(&[&open[..], &["--plug", "plain.wasm"]].concat());
    assert!(output.code == Some(2) && output.err.contains("no package to be imported"), "{output}");
}

#[test]
fn modules_are_adapted_with_what_the_registry_was_seeded_with() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    let path = testdata().join("components/modules/command-rust-wasip1.wasm");
    fs::copy(path, builder.folder.join("command.wasm")).unwrap();
    let output = session.run(&["adapt", "command.wasm"]);
    assert!(output.code == Some(3) && output.err.contains("wargate seed"), "{output}");
    let seeded = registry.operate(&["seed"]);
    assert_eq!(seeded.matches("published").count(), 16, "{seeded}");
    let again = registry.operate(&["seed"]);
    assert_eq!(again.matches("is there").count(), 16, "{again}");

    // An adapter is no module to be adapted, and does not fit every module.
    let place = testdata().join("components/modules/adapter-proxy.wasm");
    fs::copy(place, builder.folder.join("proxy.wasm")).unwrap();
    let output = session.run(&["adapt", "proxy.wasm"]);
    assert!(output.code == Some(2) && output.err.contains("it is an adapter"), "{output}");
    let output = session.run(&["adapt", "command.wasm", "--adapter", "proxy.wasm"]);
    assert!(output.code == Some(2) && output.err.contains("of another kind"), "{output}");

    // What others released under such a name is not taken for it.
    let other = Registry::start();
    let stranger = Session::new(&other);
    stranger.fine(&["key", "new"]);
    let name = "bytecodealliance:preview1-command";
    stranger.fine(&["publish", COMPONENT, "--name", name, "--release", "50.0.1"]);
    let left = other.refuse(&["seed"]);
    assert!(left.contains("left alone: somebody released another content"), "{left}");

    let made = builder.json(&["adapt", "command.wasm"]);
    assert_eq!(
        (&made["adapter"], &made["path"]),
        (&"command".into(), &"command.component.wasm".into())
    );
    let fits = builder.json(&["targets", "command.component.wasm", "wasi:cli/command"]);
    assert_eq!(fits["targets"][0]["fits"], true, "{fits}");
    session.fine(&["verify", "--deep", "command.component.wasm"]);
    let world = session.run(&["targets", "command.component.wasm", "wasi:http/proxy@0.2.12"]);
    assert!(world.code == Some(1) && world.out.contains("it does not export"), "{world}");
    session.fine(&["targets", "command.component.wasm", "wasi:cli/imports@0.2.12"]);
    let later = session.run(&["targets", "command.component.wasm", "wasi:cli/imports@0.3.0"]);
    assert!(later.code == Some(1) && later.out.contains("it imports wasi:cli/exit"), "{later}");
}

#[test]
fn documents_are_locked_with_the_adapters_of_their_modules() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    let path = testdata().join("components/modules/link-rust-wasip1.wasm");
    fs::copy(path, builder.folder.join("link.wasm")).unwrap();
    // Where nobody has an adapter, the rest is locked, and that is said.
    session.fine(&["publish", "link.wasm", "--name", "demo:module", "--release", "1.0.0"]);
    builder.write(
        "adapted.wac",
        "package demo:adapted;\nlet low = new demo:greeter {};\n\
         let top = new demo:module { ...low, ... };\nexport top...;\n",
    );
    let output = session.run(&["lock", "adapted.wac"]);
    assert!(output.code == Some(0) && output.err.contains("without an adapter"), "{output}");
    let output = session.run(&["compose", "adapted.wac"]);
    assert!(output.code == Some(2) && output.err.contains("preview1-reactor"), "{output}");
    fs::remove_file(builder.folder.join("warg.lock")).unwrap();
    registry.operate(&["seed"]);

    // A package that is a module is adapted where a document instantiates it.
    let made = builder.json(&["compose", "adapted.wac"]);
    let roles: Vec<_> = made["sources"].as_array().unwrap().iter().map(|it| &it["role"]).collect();
    assert_eq!(roles, ["document", "part", "part", "adapter"]);
    // Its adapter is locked with it, and stays so, whoever locks and with what network.
    let adapter = "bytecodealliance:preview1-reactor";
    assert!(session.fine(&["lock", "adapted.wac"]).contains(adapter));
    let lock = builder.read("warg.lock");
    for again in [&["adapted.wac"][..], &[], &["adapted.wac", "--offline"], &["--offline"]] {
        session.fine(&[&["lock", "--check"], again].concat());
    }
    session.fine(&["update", "demo:module"]);
    assert_eq!(builder.read("warg.lock"), lock);
    session.fine(&["compose", "adapted.wac", "-o", "locked.wasm", "--offline"]);
    assert_eq!(builder.read("locked.wasm"), builder.read("adapted.wasm"));

    // So does a module by itself: what the lock says of the adapter counts.
    session.fine(&["adapt", "link.wasm"]);
    let lock = String::from_utf8(builder.read("warg.lock")).unwrap();
    let name = "name = \"bytecodealliance:preview1-reactor\"";
    let (before, adapter) = lock.split_once(name).unwrap();
    let digest = adapter.split_once("sha256:").unwrap().1.split_at(64).0;
    let other = adapter.replacen(digest, &"0".repeat(64), 1);
    builder.write("warg.lock", &format!("{before}{name}{other}"));
    let output = session.run(&["adapt", "link.wasm"]);
    assert!(output.code != Some(0) && output.err.contains("preview1-reactor"), "{output}");
}

#[test]
fn what_takes_too_much_is_ended() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    for (bound, shown) in [
        (["--time-limit", "1ns"], "it takes longer than 1ns"),
        (["--memory-limit", "16"], "it needs more than 16 MiB of memory"),
        (["--time-limit", "0"], "nothing is done in no time"),
        (["--memory-limit", "0GiB"], "a size is like 512MiB"),
    ] {
        let output = builder.session.run(&[&["compose", "tower.wac"][..], &bound].concat());
        assert!(output.code == Some(2) && output.err.contains(shown), "{output}");
    }
}

#[test]
fn packages_are_files_and_ranges_where_a_project_says_so() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    let session = &builder.session;
    // Without a version, the newest is taken; a project may say in which range.
    builder.publish("demo:greeter", "2.0.0", "tower-rust");
    let output = session.run(&["compose", "tower.wac"]);
    assert!(output.code == Some(2) && output.err.contains("greeting"), "{output}");
    builder.write("warg.toml", "[dependencies]\n\"demo:greeter\" = \"^1\"\n");
    session.fine(&["compose", "tower.wac"]);
    assert_eq!(greet(&builder.read("tower.wasm")), ANSWER);

    // The lock of the project takes in the documents that are named to it, and keeps them.
    session.fine(&["lock"]);
    let output = session.run(&["compose", "tower.wac", "-o", "locked.wasm"]);
    assert!(output.code == Some(2) && output.err.contains("warg lock"), "{output}");
    session.fine(&["lock", "tower.wac"]);
    session.fine(&["compose", "tower.wac", "-o", "locked.wasm", "--offline"]);
    assert_eq!(builder.read("locked.wasm"), builder.read("tower.wasm"));
    let lock = builder.read("warg.lock");
    session.fine(&["lock"]);
    session.fine(&["lock", "--check", "tower.wac"]);
    assert_eq!(builder.read("warg.lock"), lock);
    fs::remove_file(builder.folder.join("warg.lock")).unwrap();

    // Two local files of one package stand beside each other, and so do files as `wac` finds them.
    fs::create_dir_all(builder.folder.join("deps/demo/script")).unwrap();
    for (file, component) in [
        ("demo/greeter.wasm", "greeter-rust"),
        ("demo/rust.wasm", "tower-rust"),
        ("demo/script/1.0.0.wasm", "tower-claw"),
    ] {
        let path = testdata().join(format!("components/{component}.wasm"));
        fs::copy(path, builder.folder.join("deps").join(file)).unwrap();
    }
    fs::remove_file(builder.folder.join("warg.toml")).unwrap();
    session.fine(&["compose", "tower.wac", "--deps-dir", "deps", "-o", "local.wasm"]);
    assert_eq!(greet(&builder.read("local.wasm")), ANSWER);
    builder.write(
        "two.wac",
        "package demo:two;\nlet low = new demo:link@0.1.0 {};\n\
         let top = new demo:link@0.2.0 { ...low };\nexport top...;\n",
    );
    let with = [
        "--with",
        "demo:link@0.1.0=deps/demo/greeter.wasm",
        "--with",
        "demo:link@0.2.0=deps/demo/rust.wasm",
    ];
    session.fine(&[&["compose", "two.wac"][..], &with].concat());
    assert_eq!(greet(&builder.read("two.wasm")), "Rust[Rust says hello to Ada]");
}

#[test]
fn a_configuration_of_wasm_tools_is_composed_and_converted() {
    let registry = Registry::start();
    let builder = Builder::new(&registry);
    for name in ["tower-rust", "tower-claw", "greeter-rust"] {
        let path = testdata().join(format!("components/{name}.wasm"));
        fs::copy(path, builder.folder.join(format!("{name}.wasm"))).unwrap();
    }
    builder.write(
        "config.yml",
        "dependencies:\n  low: greeter-rust.wasm\n  high: { path: tower-claw.wasm }\n\
         instantiations:\n  root:\n    arguments:\n      example:greet/greeting@0.1.0: middle\n  \
         middle:\n    dependency: high\n    arguments:\n      example:greet/greeting@0.1.0:\n        \
         instance: low\n        export: example:greet/greeting@0.1.0\n",
    );
    let compose = ["compose", "tower-rust.wasm", "--yaml", "config.yml"];
    builder.session.fine(&compose);
    assert_eq!(greet(&builder.read("tower-rust.composed.wasm")), ANSWER);

    // The document that it becomes makes the same.
    let said = builder.session.fine(&[&compose[..], &["--to-wac"]].concat());
    builder.write("same.wac", &said);
    let with = said.lines().filter_map(|line| line.strip_prefix("// --with "));
    let with: Vec<&str> = with.flat_map(|with| ["--with", with]).collect();
    builder.session.fine(&[&["compose", "same.wac"][..], &with].concat());
    assert_eq!(greet(&builder.read("same.wasm")), ANSWER);

    // What nobody refers to is told.
    let text = String::from_utf8(builder.read("config.yml")).unwrap();
    builder.write("config.yml", &format!("{text}  lost: {{ dependency: low }}\n"));
    let output = builder.session.run(&compose);
    assert!(output.code == Some(0) && output.err.contains("nothing refers to `lost`"), "{output}");

    // What provides an interface for everybody comes before all else.
    builder.write("config.yml", "definitions: [greeter-rust.wasm]\ndisallow-imports: true\n");
    builder.session.fine(&compose);
    let composed = builder.read("tower-rust.composed.wasm");
    assert_eq!(greet(&composed), "Rust[Rust says hello to Ada]");

    for (text, shown) in [
        ("dependencies: [", "config.yml"),
        ("unknown: 1", "unknown"),
        ("disallow-imports: true", "there is no component"),
        ("definitions: [none.wasm]", "none.wasm"),
        ("instantiations: { root: { arguments: { a: b } } }", "no import `a`"),
        (
            "instantiations: { root: { arguments: { example:greet/greeting@0.1.0: root } } }",
            "of itself",
        ),
    ] {
        builder.write("config.yml", text);
        let output = builder.session.run(&compose);
        assert!(output.code == Some(2) && output.err.contains(shown), "{text}: {output}");
    }
}
