//! The help of every command, as it stands.

use crate::program::{User, commands};

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let user = User::new();
    for command in [String::new()].into_iter().chain(commands(&user)) {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let output = user.run(&words);
        assert_eq!(output.code, Some(0), "{command}: {output}");
        let lines: Vec<&str> = output.out.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(format!("help {command}").trim(), lines.join("\n"));
    }
}

#[test]
fn flags_of_the_reference_client_are_understood_everywhere() {
    let user = User::new();
    // Each fails later, for want of a registry or a package, and not as a wrong command line.
    for line in [
        "download a:b -v 1.0.0 -o x --registry https://127.0.0.1:1 --offline",
        "info a:b -n --registry r.example",
        "publish list --registry https://127.0.0.1:1",
        "publish --registry https://127.0.0.1:1 abort",
        "publish wait a:b sha256:00 --config none.json",
        "update --offline --registry r.example",
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = user.run(&words);
        assert!(!output.err.contains("Usage:") || line.contains("wait"), "{line}: {output}");
    }
    for line in ["--version", "info --version", "config -V", "key new -V"] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(user.run(&words).out.contains("0.1.0"), "{line}");
    }
    for (line, meant) in [("dowload a:b", "download"), ("publish releas", "release")] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = user.run(&words);
        assert!(output.code == Some(2) || output.err.contains(meant), "{line}: {output}");
    }
}
