//! Commands: what they see, what they may do, and how they end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::program::{COMMAND, Output, program, read, run, tell};

/// Has the command do things, with these grants.
fn act(grants: &[&str], deeds: &[&str]) -> Output {
    run(&[&["run", COMMAND], grants, &["--"], deeds].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn nothing_is_granted_that_was_not_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("connect={}", listener.local_addr().unwrap());
    let mut command = program(&["run", COMMAND, "--", "environment", "list=.", "list=/", &connect]);
    command.args([
        "read=/etc/passwd",
        "write=x",
        "lookup=localhost",
        "listen=127.0.0.1:0",
        "clock",
    ]);
    let output = read(command.env("SECRET", "x").output().unwrap());
    assert_eq!(output.code, Some(0), "{output}");
    let lines: Vec<&str> = output.out.lines().collect();
    assert_eq!((lines[0], lines[8]), ("environment: []", "clock: true"), "{output}");
    assert!(lines[1..8].iter().all(|line| line.contains(": error: ")), "{output}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "it was here");
}

#[test]
fn directories_are_seen_and_written_to_as_granted() {
    let there = tempfile::tempdir().unwrap();
    let seen = there.path().join("seen");
    fs::create_dir(&seen).unwrap();
    fs::write(seen.join("a.txt"), "of a").unwrap();
    fs::write(there.path().join("secret"), "secret").unwrap();
    let seen = text(&seen);
    let deeds = ["list=/data", "read=/data/a.txt", "read=/data/../secret", "write=/data/b.txt"];
    let output = act(&["--dir", &format!("{seen}::/data")], &deeds);
    let lines: Vec<&str> = output.out.lines().collect();
    assert_eq!(lines[..2], ["list: [\"a.txt\"]", "read: of a"], "{output}");
    assert!(lines[2].contains("error") && lines[3].contains("error"), "{output}");
    let output = act(&["--dir", &format!("{seen}::/data:rw")], &deeds);
    assert!(output.out.contains("write: done") && !output.out.contains("secret"), "{output}");
    assert_eq!(fs::read_to_string(Path::new(seen).join("b.txt")).unwrap(), "written by the guest");
    let output =
        act(&["--dir", seen], &[&format!("read={seen}/a.txt"), &format!("write={seen}/c")]);
    assert!(output.out.starts_with("read: of a\nwrite: error"), "{output}");
}

#[test]
fn links_lead_nowhere_else() {
    #[cfg(unix)]
    {
        let there = tempfile::tempdir().unwrap();
        let seen = there.path().join("seen");
        fs::create_dir(&seen).unwrap();
        fs::write(there.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret", seen.join("link")).unwrap();
        std::os::unix::fs::symlink(there.path().join("secret"), seen.join("whole")).unwrap();
        let grant = format!("{}::.:rw", text(&seen));
        let output = act(&["--dir", &grant], &["read=link", "read=whole", "write=link"]);
        assert_eq!(output.out.matches(": error: ").count(), 3, "{output}");
        assert_eq!(fs::read_to_string(there.path().join("secret")).unwrap(), "secret");
    }
}

#[test]
fn variables_and_arguments_are_handed_over() {
    let arguments = ["run", COMMAND, "--env", "A=b=c", "--env", "MINE", "--name", "my:tool", "--"];
    let mut command =
        program(&[&arguments[..], &["environment", "name", "arguments", "--env"]].concat());
    let output = read(command.env("MINE", "of mine").env("OTHER", "x").output().unwrap());
    let said = r#"environment: ["A=b=c", "MINE=of mine"]
name: my:tool
arguments: ["environment", "name", "arguments", "--env"]
--env: unknown
"#;
    assert_eq!(output.out, said, "{output}");
    let output = tell("through the pipe", &["run", COMMAND, "--", "stdin", "stderr=aside"]);
    assert_eq!(
        (output.out.as_str(), output.err.as_str()),
        ("stdin: through the pipe\nstderr: done\n", "aside\n")
    );
}

#[test]
fn the_network_is_reached_where_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port();
    let answering = std::thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(format!("you said {line}").as_bytes()).unwrap();
        }
    });
    let connect = format!("connect={address}");
    for grant in [format!("{address}"), format!("*:{port}"), "localhost:*".to_owned()] {
        let output = act(&["--allow-connect", &grant], &[&connect]);
        assert_eq!(output.out, "connect: you said hello\n\n", "{grant}: {output}");
    }
    answering.join().unwrap();
    for grant in [format!("127.0.0.2:{port}"), "127.0.0.1:1".to_owned()] {
        let output = act(&["--allow-connect", &grant], &[&connect, "listen=127.0.0.1:0"]);
        assert_eq!(output.out.matches(": error: ").count(), 2, "{grant}: {output}");
    }
    let output =
        act(&["--allow-connect", "localhost:1"], &["lookup=localhost", "lookup=other.invalid"]);
    assert!(output.out.starts_with("lookup: 1 found\nlookup: error"), "{output}");
    let deeds = ["listen=127.0.0.1:0", "listen=127.0.0.2:0", "listen=0.0.0.0:0", connect.as_str()];
    let output = act(&["--allow-listen", "127.0.0.1:0"], &deeds);
    assert!(output.out.starts_with("listen: listens\nlisten: error"), "{output}");
    assert_eq!(output.out.matches(": error: ").count(), 3, "{output}");
}

#[test]
fn it_ends_as_the_command_does() {
    for (deed, code, said) in [
        ("clock", 0, ""),
        ("fail", 1, ""),
        ("exit=0", 0, ""),
        ("exit=7", 7, ""),
        ("exit=255", 255, ""),
        ("trap", 134, "it.wasm trapped: wasm `unreachable` instruction executed"),
        ("memory=1000", 134, "`--max-memory` gives it more"),
        ("loop", 124, "it.wasm was not done after 300ms, and was ended"),
    ] {
        let grants = ["--name", "it.wasm", "--timeout", "300ms", "--max-memory", "64MiB"];
        // Only what does not end must be ended.
        let grants =
            if deed == "loop" { &grants[..] } else { &[&grants[..2], &grants[4..]].concat() };
        let output = act(grants, &[deed]);
        assert_eq!(output.code, Some(code), "{deed}: {output}");
        assert!(output.err.contains(said), "{deed}: {output}");
        assert!(!said.is_empty() || output.err.is_empty(), "{deed}: {output}");
    }
    let output = act(&["--max-memory", "64MiB"], &["memory=32"]);
    assert_eq!((output.code, output.out.as_str()), (Some(0), "memory: 32 MiB\n"), "{output}");
    let output = act(&["--max-memory", "64KiB"], &["clock"]);
    assert_eq!(output.code, Some(134), "it has too little to begin with: {output}");
}

#[test]
fn compiled_code_is_kept_and_found_again() {
    let there = tempfile::tempdir().unwrap();
    let cache = there.path().join("some/where");
    let first = act(&["--cache", text(&cache)], &["clock"]);
    assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "{first}");
    let count = || files(&cache);
    let kept = count();
    assert!(kept > 0, "nothing was kept");
    let second = act(&["--cache", text(&cache)], &["clock"]);
    assert_eq!((second.out, count()), (first.out, kept));
    // Where nothing can be kept, it runs all the same.
    let file = there.path().join("file");
    fs::write(&file, "").unwrap();
    let third = act(&["--cache", text(&file)], &["clock"]);
    assert_eq!((third.code, third.out.as_str()), (Some(0), "clock: true\n"), "{third}");
    assert!(third.err.starts_with("warning: compiled code is not kept in"), "{third}");
}

/// Files of compiled code below a directory; what the cache notes beside them comes and goes.
fn files(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let counts = entries.map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => usize::from(path.extension().is_none()),
    });
    counts.sum()
}
