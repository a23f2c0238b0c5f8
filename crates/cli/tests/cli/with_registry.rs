//! Commands against a running registry.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program::{Output, User};
use crate::schema::check;

pub(crate) const COMPONENT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/components/greeter-rust.wasm");
pub(crate) const OTHER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/components/tower-rust.wasm");

/// A registry in a directory of its own; it ends with its value.
pub(crate) struct Registry {
    child: Child,
    pub(crate) url: String,
    data: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(server())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut url = String::new();
        // The greeting ends with how to stop it.
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some(found) = line.trim().strip_prefix("registry") {
                found.trim().clone_into(&mut url);
            }
            if line.contains("Ctrl-C stops") {
                break;
            }
        }
        assert!(!url.is_empty(), "the server did not start");
        Self { child, url, data }
    }
}

impl Registry {
    /// Lets its operator import a namespace from another one.
    fn import(&self, namespace: &str, from: &str) {
        self.operate(&["operator", "import", namespace, from]);
    }

    /// Does something with its data directory, and returns what was said.
    pub(crate) fn operate(&self, arguments: &[&str]) -> String {
        let output = self.ask_server(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, of what fails.
    pub(crate) fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.ask_server(arguments);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn ask_server(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(server());
        command.args(arguments).arg("--data-dir").arg(self.data.path().join("data"));
        command.output().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program, beside ours. It is built if it is not there.
pub(crate) fn server() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_warg")).with_file_name("wargate");
    if !path.exists() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "wargate-server", "--bin", "wargate"])
            .status()
            .unwrap();
        assert!(status.success(), "the server cannot be built");
    }
    path
}

/// Someone who uses this registry.
pub(crate) struct Session<'a> {
    pub(crate) user: User,
    pub(crate) registry: &'a Registry,
}

impl<'a> Session<'a> {
    pub(crate) fn new(registry: &'a Registry) -> Self {
        Self { user: User::new(), registry }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.user.run_with(&[("WARG_REGISTRY", &self.registry.url)], arguments)
    }

    pub(crate) fn fine(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output}");
        output.out
    }

    /// What a command says, without what differs from run to run.
    fn shown(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let address = self.registry.url.trim_start_matches("http://").trim_end_matches('/');
        let text = self.user.tame(&output).replace(address, "HOST");
        let text = text.replace(&address.replace(':', "-"), "HOST").replace(COMPONENT, "COMPONENT");
        masked(&text)
    }
}

/// Hashes, keys and times give way to a word.
pub(crate) fn masked(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "+/=:-…".contains(letter);
    let mut masked = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\0']) {
        if is_word(letter) {
            word.push(letter);
            continue;
        }
        let date = word.len() == 20 && word.ends_with('Z') && word.starts_with("20");
        masked.push_str(match word.split_once(':') {
            _ if date => "TIME",
            _ if word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit()) => "SECONDS",
            Some(("sha256", hash)) if hash.ends_with('…') => "SHORT",
            Some(("sha256", hash)) if hash.len() > 20 => "HASH",
            Some(("ecdsa-p256", _)) => "KEY",
            _ => &word,
        });
        word.clear();
        if letter != '\0' {
            masked.push(letter);
        }
    }
    masked
}

#[test]
fn a_package_is_published_shown_and_fetched() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    let mut all = String::new();
    for line in [
        "login --no-token",
        "publish COMPONENT",
        "publish COMPONENT --name demo:greet --release 1.0.0 --dry-run",
        "publish COMPONENT --name demo:greet --release 1.0.0",
        "publish COMPONENT --name demo:greet --release 1.0.0",
        "publish init demo:greet",
        "versions demo:greet",
        "show demo:greet",
        "show demo:greet@1.0.0",
        "show demo:greet@3.0.0",
        "log demo:greet",
        "get demo:greet",
        "get demo:greet@^2",
        "get demo:gret",
        "download demo:greet -o out",
        "info",
        "trust",
        "update",
        "publish yank -n demo:greet -v 1.0.0",
        "publish yank -n demo:greet -v 1.0.0 --yes",
        "get demo:greet@1.0.0",
        "get demo:greet",
        "clear",
        "reset",
    ] {
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|word| if word == "COMPONENT" { COMPONENT } else { word })
            .collect();
        all.push_str(&["$ warg ", line, "\n", &session.shown(&words), "\n"].concat());
    }
    insta::assert_snapshot!(all);
    let component = std::fs::read(COMPONENT).unwrap();
    for name in ["greet.wasm", "out.wasm"] {
        assert!(std::fs::read(session.user.home().join("here").join(name)).unwrap() == component);
    }
    // Nothing unfinished lies about.
    assert_eq!(std::fs::read_dir(session.user.home().join("here")).unwrap().count(), 2);
}

#[test]
fn several_files_become_one_record_and_come_back_offline() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    session.user.write(
        "here/warg.toml",
        "[package]\nname = \"demo:tools\"\nversion = \"0.1.0\"\nfiles = [\"tower.wasm\"]\n",
    );
    std::fs::copy(OTHER, session.user.home().join("here/tower.wasm")).unwrap();
    let out = session.fine(&["publish", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let published = &json["published"][0];
    assert_eq!(published["state"], "published");
    assert_eq!(published["releases"][0]["version"], "0.1.0");
    assert_eq!(published["checkpoint"]["contents"]["logLength"], 3);
    session.fine(&["get", "demo:tools", "-o", "a.wasm"]);
    let refused = session.run(&["get", "demo:tools", "-o", "a.wasm", "--no-clobber"]);
    assert!(refused.code == Some(2) && refused.err.contains("hint: "), "{refused}");
    session.fine(&["get", "demo:tools@0.1.0", "-o", "b.wasm", "--offline"]);
    let other = std::fs::read(OTHER).unwrap();
    assert!(std::fs::read(session.user.home().join("here/b.wasm")).unwrap() == other);
    let printed = session
        .user
        .command(&["get", "demo:tools", "-o", "-", "--offline"])
        .env("WARG_REGISTRY", &registry.url)
        .output()
        .unwrap();
    assert!(printed.stdout == other);
}

#[test]
fn changes_are_collected_and_a_second_key_is_let_in() {
    let registry = Registry::start();
    let (owner, friend) = (Session::new(&registry), Session::new(&registry));
    owner.fine(&["key", "new"]);
    let key = friend.fine(&["key", "new"]);
    let public = key.lines().find_map(|line| line.strip_prefix("Public Key: ")).unwrap();
    let id = key.lines().find_map(|line| line.strip_prefix("Key ID: ")).unwrap();
    let release = |version| ["publish", "release", "-n", "demo:pair", "-v", version, COMPONENT];
    owner.fine(&["publish", "start", "demo:pair"]);
    owner.fine(&["publish", "init", "demo:pair"]);
    assert!(owner.fine(&release("1.0.0")).contains("pending"));
    assert_eq!(owner.run(&["publish", "init", "demo:other"]).code, Some(2));
    assert!(owner.fine(&["publish", "list"]).contains("release 1.0.0"));
    assert!(owner.fine(&["publish", "submit"]).contains("Created and published"));
    assert_eq!(owner.run(&["publish", "submit"]).code, Some(2));
    let refused = friend.run(&release("1.1.0"));
    assert!(refused.code == Some(4) && refused.err.contains("warg publish grant"), "{refused}");
    owner.fine(&["publish", "grant", "-n", "demo:pair", "--permission", "release", public]);
    friend.fine(&release("1.1.0"));
    owner.fine(&["publish", "revoke", "-n", "demo:pair", "--permission", "release", id]);
    assert_eq!(friend.run(&release("1.2.0")).code, Some(4));
    let taken = owner.run(&["publish", "release", "-n", "demo:pair", "-v", "1.1.0", OTHER]);
    assert!(taken.code == Some(7) && taken.err.contains("choose a new one"), "{taken}");
    let submitted =
        owner.fine(&["publish", "release", "-n", "demo:pair", "-v", "2.0.0", OTHER, "--no-wait"]);
    let record = submitted.lines().find_map(|line| line.strip_prefix("Record: ")).unwrap();
    assert!(owner.fine(&["publish", "wait", "demo:pair", record]).contains("Published"));
}

#[test]
fn a_registry_that_is_not_there_is_one_that_may_come_back() {
    let user = User::new();
    let variables = [("WARG_REGISTRY", "http://127.0.0.1:1"), ("WARG_ATTEMPTS", "1")];
    let output = user.run_with(&variables, &["get", "a:b"]);
    assert!(output.code == Some(5) && output.err.contains("hint: "), "{output}");
}

/// A WIT package in its binary form, which says what it is called.
fn wit_package(name: &str) -> Vec<u8> {
    let text = |text: &str| [&[0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let section =
        |id: u8, body: Vec<u8>| [vec![id, u8::try_from(body.len()).unwrap()], body].concat();
    // One type: a component that exports an instance of the first type in it, which is empty.
    let types = [&[1, 0x41, 2, 1, 0x42, 0, 4][..], &text(name), &[5, 0]].concat();
    let exports = [&[1][..], &text("api"), &[3, 0, 0]].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(7, types), section(11, exports)].concat()
}

#[test]
fn what_was_published_before_a_failure_is_told() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    for name in ["one", "two"] {
        let bytes = wit_package(&format!("demo:{name}/api@1.0.0"));
        std::fs::write(session.user.home().join(format!("here/{name}.wasm")), bytes).unwrap();
    }
    session.fine(&["publish", COMPONENT, "--name", "demo:two", "--release", "1.0.0"]);
    let output = session.run(&["publish", "one.wasm", "two.wasm"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert!(output.out.starts_with("Created and published demo:one at "), "{output}");
    assert!(output.err.contains("error: `demo:two@1.0.0` is released already"), "{output}");
    let output = session.run(&["publish", "one.wasm", "two.wasm", "--json"]);
    assert_eq!(output.code, Some(7), "{output}");
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    check("publish", &document);
    assert_eq!(document["published"][0]["package"], "demo:one");
    assert_eq!(document["error"]["code"], "already-released");
    // So it is with files that are written.
    session.user.write("here/out/one.wasm/in-the-way", "");
    let output = session.run(&["get", "demo:two", "demo:one", "--output", "out", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    check("get", &document);
    assert_eq!(
        (output.code, document["packages"][0]["path"].as_str()),
        (Some(8), Some("out/two.wasm"))
    );
}

#[test]
fn a_project_that_says_something_else_than_its_file_is_refused() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    let bytes = wit_package("demo:one/api@1.0.0");
    std::fs::write(session.user.home().join("here/one.wasm"), bytes).unwrap();
    for (project, hint) in
        [("name = \"demo:other\"", "`--name`"), ("version = \"2.0.0\"", "`--release`")]
    {
        session.user.write("here/warg.toml", &format!("[package]\n{project}\n"));
        let output = session.run(&["publish", "one.wasm", "--dry-run"]);
        assert!(output.code == Some(2) && output.err.contains(hint), "{output}");
    }
    let line = ["publish", "one.wasm", "--release", "2.0.0", "--dry-run"];
    assert!(session.fine(&line).contains("release 2.0.0"));
    session.user.write("here/warg.toml", "[package]\nname = \"demo:one\"\n");
    assert!(session.fine(&["publish", "one.wasm", "--dry-run"]).contains("for demo:one at "));
}

#[test]
fn a_publish_that_is_pending_elsewhere_is_left_alone() {
    let user = User::new();
    let at = |url: &str, words: &[&str]| user.run_with(&[("WARG_REGISTRY", url)], words);
    let (here, there) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
    assert_eq!(at(there, &["publish", "start", "demo:pair"]).code, Some(0));
    let by_flag = ["publish", "abort", "--registry", here];
    for refused in [
        at(here, &["publish", "submit"]),
        at(here, &["publish", "abort"]),
        at(here, &["publish", "list"]),
        user.run(&by_flag),
    ] {
        let message = "no publish is pending at 127.0.0.1-1; there is one at 127.0.0.1-2";
        assert!(refused.code == Some(2) && refused.err.contains(message), "{refused}");
    }
    // Who names none means the only one.
    user.write(".config/warg/config.toml", &format!("registry = \"{here}\"\n"));
    let dropped = user.run(&["publish", "abort"]);
    assert!(dropped.code == Some(0) && dropped.out.contains("Dropped"), "{dropped}");
    let none = at(here, &["publish", "abort"]);
    assert!(none.err.contains("error: no publish is pending\n"), "{none}");
}

#[test]
fn only_regular_files_are_published_and_of_a_project_only_its_own() {
    let user = User::new();
    let run = |words: &[&str]| user.run_with(&[("WARG_REGISTRY", "http://127.0.0.1:1")], words);
    assert!(Command::new("mkfifo").arg(user.home().join("here/pipe")).status().unwrap().success());
    let long = std::fs::File::create(user.home().join("here/long")).unwrap();
    long.set_len((4 << 30) + 1).unwrap();
    for (file, said) in [
        ("pipe", "no regular file"),
        ("/dev/zero", "no regular file"),
        ("long", "is longer than 4294967296 bytes"),
        (".", "is a directory"),
        ("-", "No such file"),
    ] {
        for line in [
            &["publish", file, "--name", "a:b", "--release", "1.0.0"][..],
            &["publish", "release", file, "--name", "a:b", "--version", "1.0.0"],
        ] {
            let refused = run(line);
            assert!(refused.code == Some(2) && refused.err.contains(said), "{line:?}: {refused}");
        }
    }
    user.write("secret.wasm", "secret");
    user.write("here/inside/a.wasm", "a");
    let link = |to: &str, from: &str| {
        std::os::unix::fs::symlink(to, user.home().join(from)).unwrap();
    };
    link("../secret.wasm", "here/link.wasm");
    link("inside/a.wasm", "here/own.wasm");
    for (file, said) in [
        ("../secret.wasm", "is not below the directory of"),
        ("/etc/passwd", "is not below the directory of"),
        ("link.wasm", "is not below the directory of"),
        ("/dev/zero", "is not below the directory of"),
        ("pipe", "no regular file"),
        ("none.wasm", "cannot read"),
        // It is read, and no component.
        ("own.wasm", "cannot be published"),
        ("inside/../own.wasm", "cannot be published"),
    ] {
        user.write("here/warg.toml", &format!("[package]\nfiles = [{file:?}]\n"));
        let refused = run(&["publish"]);
        assert!(refused.code == Some(2) && refused.err.contains(said), "{file}: {refused}");
    }
    // The user may name any.
    assert!(run(&["publish", "link.wasm"]).err.contains("cannot be published"));
}

#[test]
fn whoever_gets_a_package_from_another_registry_is_told() {
    let (home, other) = (Registry::start(), Registry::start());
    let publisher = Session::new(&other);
    publisher.fine(&["key", "new"]);
    publisher.fine(&["publish", COMPONENT, "--name", "far:greet", "--release", "1.0.0"]);
    let name = other.url.trim_start_matches("http://").trim_end_matches('/').replace(':', "-");
    home.import("far", &name);
    let session = Session::new(&home);
    let told = format!("far:greet is at another registry: {name}\n");
    // When the way is found, and whenever it is known.
    for _ in 0..2 {
        let output = session.run(&["get", "far:greet"]);
        assert!(output.code == Some(0) && output.err.matches(&told).count() == 1, "{output}");
    }
    assert_eq!(session.run(&["versions", "far:greet", "--quiet"]).err, "");
    let document: serde_json::Value =
        serde_json::from_str(&session.fine(&["show", "far:greet", "--json"])).unwrap();
    check("show", &document);
    let notice = serde_json::json!({
        "notice": "elsewhere", "package": "far:greet", "registry": name });
    assert_eq!(document["notices"], serde_json::json!([notice]));
    let info = session.fine(&["info", "--namespaces"]);
    assert!(info.contains(&format!("  far -> {name}\n")), "{info}");
    // Whoever names the registry is not told.
    let url = ("WARG_REGISTRY", other.url.as_str());
    assert!(!session.user.run_with(&[url], &["get", "far:greet"]).err.contains("another registry"));
}
