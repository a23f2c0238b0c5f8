//! Commands that need no registry.

use serde_json::Value;

use crate::program::User;

const URL: &str = "http://127.0.0.1:8090";

#[test]
fn a_configuration_is_written_in_the_form_of_both_clients() {
    let user = User::new();
    let output = user.run(&["config", "--registry", URL]);
    assert_eq!(
        user.tame(&output),
        "exit: 0\nWrote the configuration ~/.config/warg/config.json.\n"
    );
    insta::assert_snapshot!(user.read(".config/warg/config.json"), @r#"
    {
      "homeUrl": "http://127.0.0.1:8090/",
      "keyringAuth": false,
      "ignoreFederationHints": false,
      "disableAutoAcceptFederationHints": false,
      "disableAutoPackageInit": false,
      "disableInteractive": false
    }
    "#);
    // What is there and not ours stays.
    user.write(".config/warg/config.json", "{\"later\": [1], \"homeUrl\": \"r.example\"}");
    let output = user.run(&["config", "--ignore-federation-hints", "true"]);
    assert_eq!(output.code, Some(0), "{output}");
    let json: Value = serde_json::from_str(&user.read(".config/warg/config.json")).unwrap();
    assert_eq!((&json["later"][0], &json["homeUrl"]), (&1.into(), &"r.example".into()));
    assert_eq!(json["ignoreFederationHints"], true);
    // A file that is named is changed only if that is said.
    user.write("here/other.json", "{}");
    let again = ["config", "other.json", "--registry", URL];
    assert!(user.run(&again).err.contains("hint: `--overwrite` changes it"));
    assert_eq!(user.read("here/other.json"), "{}");
    let output = user.run(&["config", "other.json", "--registry", URL, "--overwrite"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(user.run(&["config"]).code, Some(2));
}

#[test]
fn our_own_file_is_changed_if_there_is_one_and_keeps_its_comments() {
    let user = User::new();
    user.write(".config/warg/config.toml", "# mine\nattempts = 2 # few\n");
    let output = user.run(&["config", "--registry", URL, "--disable-auto-package-init", "true"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(
        user.read(".config/warg/config.toml"),
        "# mine\nattempts = 2 # few\nregistry = \"http://127.0.0.1:8090/\"\ncreate-packages = \"ask\"\n"
    );
    assert!(!user.home().join(".config/warg/config.json").exists());
}

#[test]
fn every_value_says_where_it_comes_from() {
    let user = User::new();
    user.write(".config/warg/config.json", "{\n  \"homeUrl\": \"https://a.example\"\n}");
    user.write(".config/warg/config.toml", "attempts = 2\ncache-dir = \"c\"\n");
    user.write("here/warg.toml", "[package]\nname = \"a:b\"\n");
    let variables = [("WARG_HINTS", "ask"), ("WARG_REGISTY", "x")];
    let output = user.run_with(&variables, &["config", "show", "--origin", "--offline"]);
    // How wide a column is depends on where the home directory is.
    let lines: Vec<String> = user
        .tame(&output)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    let output = user.run(&["config", "show", "registry", "--json"]);
    let json: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(json["registry"]["value"], "https://a.example/");
    let output = user.run(&["config", "show", "registy"]);
    assert_eq!((output.code, output.err.contains("did you mean `registry`?")), (Some(2), true));
}

#[test]
fn a_projects_file_cannot_name_files_of_the_machine() {
    let user = User::new();
    user.write("here/warg.toml", "key-file = \"/etc/passwd\"\n");
    let output = user.run(&["whoami"]);
    insta::assert_snapshot!(user.tame(&output), @r"
    exit: 2
    --- stderr
    error: ~/here/warg.toml:1: a project may not set `key-file`: it is about your machine, and this file came with the project; put it into your own configuration
    hint: docs/configuration.md describes every setting; `warg config show --origin` shows which count
    ");
}

#[test]
fn failures_are_for_people_and_for_programs() {
    let user = User::new();
    insta::assert_snapshot!(user.tame(&user.run(&["show", "a:b"])), @r"
    exit: 2
    --- stderr
    error: no registry is given
    hint: name one with `--registry URL`, WARG_REGISTRY, or `warg config --registry URL`
    ");
    insta::assert_snapshot!(user.tame(&user.run(&["show", "a:b", "--json"])), @r#"
    exit: 2
    {
      "error": {
        "code": "no-registry",
        "hint": "name one with `--registry URL`, WARG_REGISTRY, or `warg config --registry URL`",
        "kind": "usage",
        "message": "no registry is given"
      }
    }
    "#);
    insta::assert_snapshot!(user.tame(&user.run(&["get", "a:b", "--offline", "--registry", URL])), @r"
    exit: 3
    --- stderr
    error: the log of `a:b` is not at hand, and the network is not to be used
    hint: leave out `--offline`, or unset WARG_OFFLINE
    ");
    assert_eq!(user.run(&["get", "nonsense"]).code, Some(2));
    assert_eq!(user.run(&["--config", "none.toml", "whoami"]).code, Some(2));
}

#[test]
fn colour_is_for_those_who_want_it() {
    let user = User::new();
    let red = |variables: &[(&str, &str)], arguments: &[&str]| {
        user.run_with(variables, arguments).err.contains("\x1b[")
    };
    assert!(!red(&[], &["show", "a:b"]));
    assert!(red(&[], &["show", "a:b", "--color", "always"]));
    assert!(red(&[("CLICOLOR_FORCE", "1")], &["show", "a:b"]));
    assert!(!red(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["show", "a:b"]));
    assert!(!red(&[("CLICOLOR_FORCE", "1")], &["show", "a:b", "--color", "never"]));
}

#[test]
fn completions_and_manual_pages_are_made() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = user.run(&["completions", shell]);
        assert!(output.code == Some(0) && output.out.contains("versions"), "{shell}");
    }
    assert!(user.run(&["man"]).out.contains(".TH warg"));
    assert_eq!(user.run(&["man", "--out", "pages"]).code, Some(0));
    assert!(user.read("here/pages/warg-publish-release.1").contains(".TH"));
}
