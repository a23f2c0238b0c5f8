//! The drills of `docs/backup.md`, with both programs: the disk is lost, and keys are.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{Output, User};
use crate::with_registry::{COMPONENT, OTHER, server};

/// A registry whose operator makes mistakes. It keeps its address.
struct Registry {
    folder: tempfile::TempDir,
    child: Option<Child>,
    address: String,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut registry = Self { folder, child: None, address: "127.0.0.1:0".into() };
        registry.serve();
        registry
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(server());
        command.args(arguments).arg("--data-dir").arg(self.path("data"));
        command.env_clear().current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Another command of the program.
    fn fine(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn state(&self) -> Value {
        let shown = self.fine(&["operator", "show", "--json"]);
        serde_json::from_str::<Value>(&shown).unwrap()["state"].clone()
    }

    fn serve(&mut self) {
        let mut command = self.command(&["serve", "--listen", &self.address]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ready = false;
        for line in lines.map_while(Result::ok) {
            if let Some(address) = line.trim().strip_prefix("listening on") {
                address.trim().clone_into(&mut self.address);
            }
            if line.contains("Ctrl-C stops") {
                ready = true;
                break;
            }
        }
        assert!(ready, "the server did not start");
        self.child = Some(child);
    }

    /// `kill -9`.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn lose_the_disk(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.path("data")).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who uses it.
struct Client<'a>(User, &'a str);

impl Client<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        self.0.run_with(&[("WARG_REGISTRY", self.1)], arguments)
    }

    #[track_caller]
    fn fine(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output}");
        output.out
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_ne!(output.code, Some(0), "{arguments:?}: {output}");
        output
    }

    fn evidence(&self) -> Vec<String> {
        let known: Value = serde_json::from_str(&self.fine(&["trust", "--json"])).unwrap();
        let registries = known["registries"].as_array().unwrap();
        let evidence = registries.iter().flat_map(|it| it["evidence"].as_array().unwrap());
        evidence.map(|id| id.as_str().unwrap().to_owned()).collect()
    }
}

fn publish<'a>(name: &'a str, version: &'a str, file: &'a str) -> [&'a str; 6] {
    ["publish", file, "--name", name, "--release", version]
}

#[test]
fn a_registry_whose_disk_is_lost_comes_back_and_clients_are_told_the_truth() {
    let mut registry = Registry::start();
    let url = registry.url();
    let [author, reader, stranger] = [0; 3].map(|_| Client(User::new(), &url));
    author.fine(&["login", "--no-token"]);
    author.fine(&publish("demo:one", "1.0.0", COMPONENT));
    reader.fine(&["get", "demo:one", "-o", "one.wasm"]);
    registry.fine(&["snapshot", "copies", "--with-keys"]);
    author.fine(&publish("demo:one", "1.1.0", OTHER));
    author.fine(&publish("demo:two", "1.0.0", COMPONENT));
    reader.fine(&["get", "demo:two", "-o", "two.wasm"]);

    registry.lose_the_disk();
    let restored = registry.fine(&["restore", "copies"]);
    assert!(restored.contains("All of it agrees with the log."), "{restored}");
    registry.serve();
    // Up to the snapshot all of it is there, for those who saw no more.
    stranger.fine(&["get", "demo:one@1.0.0", "-o", "one.wasm"]);
    // Who saw more is told so, keeps the evidence, and believes nothing new.
    for client in [&reader, &author] {
        let refused = client.refused(&["get", "demo:one", "-o", "again.wasm"]);
        assert!(refused.err.contains("--forget"), "{refused}");
        assert!(!client.evidence().is_empty(), "{refused}");
    }
    // The way forward: the operator has said what happened, users agree to it, publishers publish
    // what was lost once more.
    for client in [&reader, &author] {
        client.fine(&["trust", &url, "--forget"]);
    }
    author.fine(&publish("demo:two", "1.0.0", COMPONENT));
    author.fine(&publish("demo:one", "1.1.0", OTHER));
    reader.fine(&["get", "demo:two", "-o", "two-again.wasm"]);
    reader.fine(&["get", "demo:one@1.1.0", "-o", "one-again.wasm"]);
    assert!(!reader.evidence().is_empty(), "what was evidence stays evidence");
    // The next snapshot goes to the same place, though history went another way.
    registry.fine(&["snapshot", "copies"]);
    registry.fine(&["snapshot", "verify", "copies"]);
    registry.kill();
    assert!(registry.fine(&["fsck"]).contains("All of it agrees with the log."));
}

#[test]
fn keys_are_replaced_and_a_lost_one_is_recovered_with_the_one_made_for_that() {
    let mut registry = Registry::start();
    let url = registry.url();
    let [author, reader] = [0; 2].map(|_| Client(User::new(), &url));
    author.fine(&["login", "--no-token"]);
    author.fine(&publish("demo:one", "1.0.0", COMPONENT));
    let goes_on = |version: &str| {
        author.fine(&publish("demo:one", version, OTHER));
        reader.fine(&["get", &format!("demo:one@{version}"), "-o", &format!("{version}.wasm")]);
    };
    goes_on("1.1.0");
    registry.fine(&["operator", "checkpoint-key"]);
    goes_on("1.2.0");
    registry.fine(&["operator", "rotate"]);
    goes_on("1.3.0");
    registry.fine(&["operator", "recovery-key", "offline.key"]);
    let twice = registry.command(&["operator", "recovery-key", "offline.key"]).output().unwrap();
    assert!(!twice.status.success());
    let running = registry.command(&["operator", "rotate", "--signed-by", "offline.key"]);
    let running = { running }.output().unwrap();
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop the server"), "{running:?}");
    let before = registry.state();
    let lost = before["operatorKey"].as_str().unwrap().to_owned();

    registry.kill();
    std::fs::remove_file(registry.path("data/keys/operator.key")).unwrap();
    let start = registry.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(String::from_utf8_lossy(&start.stderr).contains("no operator key"), "{start:?}");
    registry.fine(&["operator", "rotate", "--signed-by", "offline.key"]);
    registry.serve();
    let after = registry.state();
    assert_ne!(after["operatorKey"], before["operatorKey"]);
    assert_eq!(after["permissions"][&lost], serde_json::json!([]));
    assert_eq!(after["checkpointKey"], before["checkpointKey"]);
    // Clients go on as if nothing had happened, and so does a new one.
    goes_on("1.4.0");
    Client(User::new(), &url).fine(&["get", "demo:one@1.0.0", "-o", "one.wasm"]);
    // A key that the log does not know recovers nothing.
    registry.kill();
    registry.fine(&["key", "new", "stranger.key"]);
    let stranger = registry.command(&["operator", "rotate", "--signed-by", "stranger.key"]);
    let stranger = { stranger }.output().unwrap();
    assert!(!stranger.status.success());
    registry.serve();
    goes_on("1.5.0");
    registry.kill();
    assert!(registry.fine(&["fsck"]).contains("All of it agrees with the log."));
}

#[test]
fn without_any_key_a_new_operator_takes_over_and_clients_are_told() {
    let mut registry = Registry::start();
    let url = registry.url();
    let [author, reader] = [0; 2].map(|_| Client(User::new(), &url));
    author.fine(&["login", "--no-token"]);
    author.fine(&publish("demo:one", "1.0.0", COMPONENT));
    reader.fine(&["get", "demo:one", "-o", "one.wasm"]);
    let shown = reader.fine(&["info", "demo:one", "--json"]);
    registry.fine(&["snapshot", "copies"]);
    let before = registry.state()["operatorKey"].clone();

    registry.lose_the_disk();
    let said = registry.fine(&["restore", "copies", "--new-operator-key"]);
    assert!(said.contains("new operator") && said.contains("--forget"), "{said}");
    registry.serve();
    assert_ne!(registry.state()["operatorKey"], before);
    assert_eq!(registry.state()["namespaces"]["demo"], "defined");
    for client in [&reader, &author] {
        let refused = client.refused(&["get", "demo:one", "-o", "again.wasm"]);
        assert!(refused.err.contains("--forget"), "{refused}");
        client.fine(&["trust", &url, "--forget"]);
    }
    // The publisher's own log is the same, record by record, and goes on.
    reader.fine(&["get", "demo:one", "-o", "same.wasm"]);
    let again = reader.fine(&["info", "demo:one", "--json"]);
    let head = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(value["packages"][0]["versions"][0]["digest"].is_string(), "{value}");
        value["packages"].clone()
    };
    assert_eq!(head(&shown), head(&again));
    author.fine(&publish("demo:one", "1.1.0", OTHER));
    reader.fine(&["get", "demo:one@1.1.0", "-o", "new.wasm"]);
    registry.kill();
    assert!(registry.fine(&["fsck"]).contains("All of it agrees with the log."));
}
