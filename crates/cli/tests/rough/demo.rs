//! `warg demo`, as a newcomer runs it.

use std::process::Command;

use serde_json::Value;

use crate::files::below;
use crate::program::User;
use crate::server::program;

/// The program, with a temporary directory that can be looked into.
fn demo(user: &User, arguments: &[&str]) -> Command {
    let mut command = user.command(arguments);
    let temporary = user.home().join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary);
    command
}

#[test]
fn every_step_of_the_demonstration_ends_as_it_says() {
    program();
    let user = User::new();
    let output = demo(&user, &["demo", "--json", "--transcript", "story.md"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 9, "{json:#}");
    let mut exits = Vec::new();
    for step in steps {
        let parts = step["parts"].as_array().unwrap();
        assert!(parts.iter().any(|part| part["told"].is_string()), "{step:#}");
        exits.extend(parts.iter().filter(|part| part["command"].is_string()).cloned());
    }
    // What is refused, and the words for it.
    let refused: Vec<&Value> = exits.iter().filter(|done| done["exit"] != 0).collect();
    let words = [
        ("carol", "is not that"),
        ("dave", "cannot be believed"),
        ("bob", "the log has 3 records, but had 5 before"),
        ("bob", "there are two different states of the log at length 5"),
        ("bob", "ALARM"),
    ];
    assert_eq!(refused.len(), words.len(), "{refused:#?}");
    for (done, (person, words)) in refused.iter().zip(words) {
        assert_eq!((&done["person"], &done["exit"]), (&person.into(), &6.into()), "{done:#}");
        let said = format!("{}{}", done["stdout"], done["stderr"]);
        assert!(said.contains(words), "{words}: {done:#}");
    }
    let evidence = exits
        .iter()
        .find(|done| done["command"].as_str().unwrap().starts_with("warg trust --evidence "));
    let piece: Value = serde_json::from_str(evidence.unwrap()["stdout"].as_str().unwrap()).unwrap();
    assert!(piece["convicted"].as_str().unwrap().starts_with("sha256:"), "{piece:#}");
    let transcript = user.read("here/story.md");
    for words in ["## 9. ", "alice$ warg publish greeter.wasm", "Exit code 6.", "```console"] {
        assert!(transcript.contains(words), "{words}: {transcript}");
    }
    assert!(!transcript.contains(&user.home().display().to_string()), "{transcript}");
    // Nothing is left but what was asked for: no directory, and nothing of this user's was touched.
    let left = below(user.home());
    assert_eq!(left, [user.home().join("here/story.md")]);
}

#[test]
fn the_demonstration_is_a_story_and_is_kept_on_demand() {
    program();
    let user = User::new();
    let output = demo(&user, &["demo", "--keep"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in
        ["1. A registry starts", "alice$ warg key new", "(exit code 6)", "Every lie was caught"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let kept = below(&user.home().join("tmp"));
    assert!(kept.iter().any(|path| path.ends_with("transcript.md")), "{kept:?}");
}

#[test]
fn a_demonstration_without_a_registry_says_what_is_missing() {
    let user = User::new();
    let output = user.run(&["demo", "--server", "nowhere/wargate"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.err.contains("there is no program nowhere/wargate"), "{output}");
    // Beside a copy of the program there is none either.
    let alone = user.home().join("warg");
    std::fs::copy(env!("CARGO_BIN_EXE_warg"), &alone).unwrap();
    let output = Command::new(alone).arg("demo").env_clear().env("HOME", user.home()).output();
    let err = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(err.contains("cargo build --release --workspace"), "{err}");
}

#[test]
fn a_demonstration_that_is_stopped_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    program();
    let user = User::new();
    let mut child = demo(&user, &["demo"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("3. Bob")));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // It goes on writing until it hears of it.
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(below(&user.home().join("tmp")), Vec::<std::path::PathBuf>::new());
}
