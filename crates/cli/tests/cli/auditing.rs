//! `warg verify` and `warg monitor` against a running registry.

use serde_json::Value;

use crate::with_registry::{COMPONENT, Registry, Session};

fn publish(session: &Session<'_>, version: &str) {
    let line = ["publish", COMPONENT, "--name", "demo:greet", "--release", version];
    session.fine(&line);
}

#[test]
fn files_packages_and_registries_are_verified() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["login", "--no-token"]);
    publish(&session, "1.0.0");
    let file = session.fine(&["verify", COMPONENT, "--package", "demo:greet"]);
    assert!(file.contains("ok: it is `demo:greet@1.0.0`, released by sha256:"), "{file}");
    let package = session.fine(&["verify", "demo:greet@1.0.0", "--contents"]);
    assert!(package.contains("1 content of") && package.contains("bytes hashed"), "{package}");
    let all = session.fine(&["verify", "--all", "--contents"]);
    assert!(all.contains("3 records in 2 logs") && all.contains("recomputed"), "{all}");
    // One that is no release ends with another code, and says so to programs too.
    session.user.write("here/other.wasm", "something");
    let other = session.run(&["verify", "other.wasm", "--package", "demo:greet", "--json"]);
    assert_eq!(other.code, Some(6), "{other}");
    let report: Value = serde_json::from_str(&other.out).unwrap();
    assert_eq!(report["problemCount"], 1);
    for (line, code) in [
        (&["verify", "demo:greet@2.0.0"][..], 3),
        (&["verify", "demo:nothing"], 3),
        (&["verify", "nothing.wasm"], 2),
        (&["verify"], 2),
        (&["verify", "--checkpoint", "other.wasm"], 2),
    ] {
        let output = session.run(line);
        assert_eq!(output.code, Some(code), "{line:?}: {output}");
    }
    // Two users compare what they were shown.
    let early = session.fine(&["verify", "--export-checkpoint"]);
    session.user.write("here/early.json", &early);
    publish(&session, "1.1.0");
    let compared = session.fine(&["verify", "--checkpoint", "early.json"]);
    assert!(compared.contains("its 3 records are the first of the 4 that we see"), "{compared}");
    let another = Registry::start();
    let stranger = Session::new(&another);
    stranger.user.write("here/early.json", &early);
    let output = stranger.run(&["verify", "--checkpoint", "early.json"]);
    assert_eq!(output.code, Some(6), "{output}");
}

#[test]
fn a_monitor_goes_on_where_it_ended() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["login", "--no-token"]);
    publish(&session, "1.0.0");
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let out = session.fine(arguments);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let watch = ["monitor", &registry.url, "--once", "--json"];
    let events = lines(&watch);
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["started", "verified"]);
    assert_eq!(events[1]["records"], 3);
    publish(&session, "1.1.0");
    let events = lines(&watch);
    assert_eq!(events[0]["knownLength"], 3);
    assert_eq!((&events[1]["records"], &events[1]["releases"]), (&1.into(), &1.into()));
    let text = session.fine(&["monitor", "--once"]);
    assert!(text.contains("nothing new; 4 records"), "{text}");
    let gone = session.run(&["monitor", "http://127.0.0.1:9", "--once"]);
    assert_eq!(gone.code, Some(5), "{gone}");
}
