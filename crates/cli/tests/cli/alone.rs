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
fn projects_end_at_their_repository_and_at_home() {
    let user = User::new();
    let home_of = |directory: &str, variables: &[(&str, &str)]| {
        let mut command = user.command(&["config", "show", "registry", "--json"]);
        let output =
            command.envs(variables.iter().copied()).current_dir(directory).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        json["registry"]["value"].as_str().map(str::to_owned)
    };
    let path = |below: &str| user.home().join(below).display().to_string();
    user.write("here/a/b/file", "");
    user.write("warg.toml", "registry = \"above.example\"\n");
    // The home directory is the last one that is looked into.
    assert_eq!(home_of(&path("here/a/b"), &[]).unwrap(), "https://above.example/");
    let home = [("HOME", path("here/a"))];
    let home = home.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(home_of(&path("here/a/b"), &home), None);
    // A link that leads home is home.
    std::os::unix::fs::symlink(path("here/a"), user.home().join("link")).unwrap();
    assert_eq!(home_of(&path("here/a/b"), &[("HOME", &path("link"))]), None);
    // A repository is a directory with `.git`, which is a file in a work tree.
    user.write("here/a/.git", "gitdir: elsewhere\n");
    assert_eq!(home_of(&path("here/a/b"), &[]), None);
    user.write("here/a/warg-config.json", "{\"homeUrl\": \"of-repository.example\"}");
    assert_eq!(home_of(&path("here/a/b"), &[]).unwrap(), "https://of-repository.example/");
    user.write("here/a/b/warg.toml", "registry = \"nearest.example\"\n");
    assert_eq!(home_of(&path("here/a/b"), &[]).unwrap(), "https://nearest.example/");
}

#[test]
fn files_of_other_users_are_refused() {
    let user = User::new();
    user.write("here/warg.toml", "registry = \"evil.example\"\n");
    let path = user.home().join("here/warg.toml");
    if std::os::unix::fs::lchown(&path, Some(12345), None).is_err() {
        // Only the administrator can give files away, as in CI's containers.
        return;
    }
    insta::assert_snapshot!(user.tame(&user.run(&["config", "show", "registry"])), @r"
    exit: 2
    --- stderr
    error: ~/here/warg.toml belongs to another user of this machine, who could choose with it what you get and where you publish
    hint: if you trust it, make it yours with `chown`, or set WARG_SAFE_DIRECTORIES=~/here or `safe-directories` in your own configuration
    ");
    // A link of theirs to a file of ours, too, and the other name.
    std::fs::rename(&path, user.home().join("kept")).unwrap();
    user.write("ours", "{\"homeUrl\": \"evil.example\"}");
    let link = user.home().join("here/warg-config.json");
    std::os::unix::fs::symlink("../ours", &link).unwrap();
    assert_eq!(user.run(&["config", "show"]).code, Some(0));
    std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
    let refused = user.run(&["config", "show"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("warg-config.json belongs"),
        "{refused}"
    );
    // The user may trust a directory, in the environment or in a file of their own, and a project may not.
    let here = user.home().join("here").display().to_string();
    for (safe, code) in [(here.as_str(), 0), ("*", 0), ("/elsewhere:/", 2)] {
        let output = user.run_with(&[("WARG_SAFE_DIRECTORIES", safe)], &["config", "show"]);
        assert_eq!(output.code, Some(code), "{safe}: {output}");
    }
    user.write(".config/warg/config.toml", &format!("safe-directories = [\"{here}\"]\n"));
    assert_eq!(user.run(&["config", "show"]).code, Some(0));
    // A name may have spaces in it, and the hint is for a shell.
    user.write(".config/warg/config.toml", "");
    user.write("a b/warg.toml", "registry = \"evil.example\"\n");
    let spaced = user.home().join("a b");
    std::os::unix::fs::lchown(spaced.join("warg.toml"), Some(12345), None).unwrap();
    let spaced = spaced.display().to_string();
    let there = |safe: &str| {
        let mut command = user.command(&["config", "show"]);
        command.current_dir(&spaced).env("WARG_SAFE_DIRECTORIES", safe).output().unwrap()
    };
    assert_eq!(there(&format!("/elsewhere:{spaced}")).status.code(), Some(0));
    let refused = String::from_utf8(there("").stderr).unwrap();
    assert!(refused.contains(&format!("WARG_SAFE_DIRECTORIES='{spaced}'")), "{refused}");
    user.write("here/warg.toml", &format!("safe-directories = [\"{here}\"]\n"));
    assert_eq!(user.run(&["config", "show"]).code, Some(2));
}

#[test]
fn what_came_with_a_project_is_read_and_never_written() {
    let user = User::new();
    user.write(
        ".config/warg/config.json",
        "{\"homeUrl\": \"mine.example\", \"ignoreFederationHints\": true}",
    );
    user.write("victim.json", "{\"homeUrl\": \"theirs.example\"}");
    std::os::unix::fs::symlink("../victim.json", user.home().join("here/warg-config.json"))
        .unwrap();
    let show = |key: &str| user.run(&["config", "show", key]).out;
    // It adds to the user's own file, and does not hide it.
    assert!(show("registry").contains("theirs.example") && show("hints").contains("ignore"));
    for arguments in [&["config", "--registry", URL][..], &["key", "new"], &["login", "--no-token"]]
    {
        let output = user.run(arguments);
        assert_eq!(output.code, Some(0), "{output}");
    }
    assert_eq!(user.read("victim.json"), "{\"homeUrl\": \"theirs.example\"}");
    let own = user.read(".config/warg/config.json");
    assert!(own.contains(URL) && own.contains("\"default\""), "{own}");
    // Unless it is named.
    let named = ["--config", "warg-config.json", "config", "--registry", URL];
    let output = user.run(&named);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(user.read("victim.json").contains(URL));
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
    // Whatever is wrong with a configuration.
    user.write("here/warg.toml", "key-file = \"/etc/passwd\"\n");
    for arguments in [
        &["completions", "bash"][..],
        &["man", "--markdown"],
        &["--help"],
        &["--version"],
        &["get", "--help"],
    ] {
        let output = user.run(arguments);
        assert!(output.code == Some(0) && output.err.is_empty(), "{arguments:?}: {output}");
    }
    assert_eq!(user.run(&["whoami"]).code, Some(2));
}

#[test]
fn no_path_or_word_reaches_the_terminal_as_a_command() {
    let user = User::new();
    let evil = "\x1b]0;mine\x07\u{202e}";
    let directory = format!("here/{evil}");
    user.write(&format!("{directory}/warg.toml"), "registry = [\n");
    user.write(&format!("{directory}/x.wasm"), "no component");
    let file = format!("{evil}/x.wasm");
    let none = format!("{evil}/none.wasm");
    let flag = format!("--{evil}");
    let lines: &[&[&str]] = &[
        &["publish", &file],
        &["publish", &none],
        &["publish", "release", &none, "--name", "a:b", "--version", "1.0.0"],
        &["get", &file],
        &["show", &flag],
        &["--config", &none, "whoami"],
        &["config", &none, "--registry", URL],
        &["man", "--out", &file],
        &["man", "--out", &directory["here/".len()..]],
        &["verify", &none],
    ];
    for line in lines {
        let said = user.run(line);
        let text = said.to_string();
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{line:?}: {text:?}");
    }
    let mut inside = user.command(&["whoami"]);
    let said = inside.current_dir(user.home().join(&directory)).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("mine") && !said.contains(['\x1b', '\x07', '\u{202e}']), "{said:?}");
}

#[test]
fn a_variable_that_is_nearly_that_of_the_registry_is_warned_of() {
    let user = User::new();
    let variables = [("WARG_REGISTRY", URL), ("WARG_TOKEN_127_0_0_1_8090", "x")];
    let said = user.run_with(&variables, &["config", "show", "registry"]);
    assert!(said.err.contains("did you mean `WARG_TOKEN_127_0_0_1__8090`?"), "{said}");
    let variables = [("WARG_REGISTRY", URL), ("WARG_TOKEN_127_0_0_1__8090", "x")];
    assert_eq!(user.run_with(&variables, &["config", "show", "registry"]).err, "");
    let refused = user.run(&["config", "--registry", "5"]);
    assert!(refused.code == Some(2) && refused.err.contains("its host is a number"), "{refused}");
}
