//! Where options come from, and what is refused with a hint.

use crate::program::{Folder, Output, Server, run, wargate};

#[test]
fn on_an_address_that_others_can_reach_something_must_be_said() {
    let folder = Folder::new("reach");
    let refused = |arguments: &[&str]| {
        let Output { code, err, .. } = run(wargate(&folder).args(arguments));
        assert_eq!(code, Some(1), "{arguments:?}: {err}");
        err
    };
    let err = refused(&["--listen", "0.0.0.0:0"]);
    assert!(err.contains("hint: ") && err.contains("--public-url"), "{err}");
    assert!(err.contains("--authorized-keys-file"), "{err}");
    let err = refused(&["--listen", "[::]:0", "--public-url", "https://r.example"]);
    assert!(!err.contains("--public-url") && err.contains("--authorized-keys-file"), "{err}");
    let err = refused(&["--listen", "0.0.0.0:0", "--allow-any-key"]);
    assert!(err.contains("--public-url"), "{err}");
    // A proxy in front makes reachable what listens on this machine alone.
    let proxied = ["--listen", "127.0.0.1:0", "--public-url", "https://r.example/warg"];
    let err = refused(&proxied);
    assert!(err.contains("use https://r.example/warg/") && err.contains("hint: "), "{err}");
    assert!(err.contains("--authorized-keys-file") && !err.contains("--public-url"), "{err}");
    assert!(!folder.path().join(".local").exists(), "something was made all the same");
    let server = Server::start(wargate(&folder).args(proxied).arg("--allow-any-key"));
    assert!(server.said("may publish").contains("in the namespaces that are defined"));
    drop(server);
    let mut command = wargate(&folder);
    command.args(["--listen", "0.0.0.0:0", "--allow-any-key", "--public-url", "https://r.example"]);
    let server = Server::start(&mut command);
    assert_eq!(server.said("registry"), "https://r.example/");
    assert!(server.said("may publish").contains("in the namespaces that are defined"));
}

#[test]
fn a_flag_counts_before_the_environment_and_that_before_the_file() {
    let folder = Folder::new("precedence");
    let file = folder.path().join("wargate.toml");
    let text = "data_dir = \"of-file\"\npublic_url = \"https://file.example\"\nlisten = \"127.0.0.1:0\"\n\
                checkpoint_interval = \"5min\"\nnamespace = [\"one\", \"two\"]\ncontent = [\"component\"]\n\
                allow_any_key = true\n";
    std::fs::write(&file, text).unwrap();
    let with = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = wargate(&folder);
        command.arg("--config").arg(&file);
        change(&mut command);
        let server = Server::start(&mut command);
        (server.said("registry").to_owned(), server.said("data").to_owned())
    };
    assert_eq!(with(&|_| {}), ("https://file.example/".into(), "of-file".into()));
    let environment = |command: &mut std::process::Command| {
        command.env("WARGATE_PUBLIC_URL", "https://env.example").env("WARGATE_DATA_DIR", "of-env");
    };
    assert_eq!(with(&environment), ("https://env.example/".into(), "of-env".into()));
    let flags = |command: &mut std::process::Command| {
        environment(command);
        command.args(["--public-url", "https://flag.example/path", "--data-dir", "of-flag"]);
    };
    assert_eq!(with(&flags), ("https://flag.example/path/".into(), "of-flag".into()));
    let Output { out, .. } =
        run(wargate(&folder).args(["operator", "show", "--data-dir", "of-file", "--json"]));
    assert!(out.contains("\"one\": \"defined\"") && out.contains("\"two\": \"defined\""), "{out}");
}

#[test]
fn what_cannot_be_is_refused_and_named() {
    let folder = Folder::new("refused");
    std::fs::write(folder.path().join("typo.toml"), "listne = \"127.0.0.1:0\"").unwrap();
    std::fs::write(folder.path().join("keys.toml"), "[namespaces.a]\nkeys = []").unwrap();
    std::fs::write(folder.path().join("no.key"), "no key").unwrap();
    let rows: &[(&[&str], &str)] = &[
        (&["--config", "missing.toml"], "missing.toml"),
        (&["--config", "typo.toml"], "listne"),
        (&["--authorized-keys-file", "keys.toml"], "namespaces"),
        (&["--authorized-keys-file", "missing.toml"], "missing.toml"),
        (&["--public-url", "ftp://r.example"], "ftp://r.example"),
        (&["--public-url", "https://r.example/?a"], "public URL"),
        (&["--public-url", "https://r.example/a+b"], "'+' cannot be"),
        (&["--public-url", "https://r.example/a+b"], "--public-url"),
        (&["--namespace", "9no"], "9no"),
        (&["--log", "a=b=c"], "log level"),
        (&["--listen", "127.0.0.1:0", "--operator-key-file", "no.key"], "no.key"),
        (&["fsck"], "no registry"),
        (&["operator", "show"], "no registry"),
        (&["rebuild"], "no registry"),
    ];
    for (arguments, word) in rows {
        let Output { code, err, .. } = run(wargate(&folder).args(*arguments));
        assert_eq!(code, Some(1), "{arguments:?}: {err}");
        assert!(err.starts_with("error: ") && err.contains(word), "{arguments:?}: {err}");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = port.local_addr().unwrap().to_string();
    let Output { code, err, .. } = run(wargate(&folder).args(["--listen", &taken]));
    assert_eq!(code, Some(1));
    assert!(err.contains("hint: another program"), "{err}");
}
