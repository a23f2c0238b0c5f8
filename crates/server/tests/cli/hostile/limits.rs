//! Limits of a real process: given by flags, the environment and the file; shown by the operator's
//! command; checked by fsck.

use std::io::Write;

use super::{answers, get, start};
use crate::program::{Folder, Output, Server, run, wargate};

#[test]
fn an_address_has_the_limits_that_were_given() {
    let folder = Folder::new("rates");
    let server = start(&folder, &["--limit-reads", "3/h"]);
    let asked: Vec<_> = (0..5).map(|_| answers(&server, &get("Connection: close\r\n"))).collect();
    assert_eq!(asked, ["200", "200", "200", "429 with a body", "429 with a body"]);
    // A proxy on this machine is believed, since nobody else can connect.
    let through = |client: &str| {
        answers(&server, &get(&format!("Connection: close\r\nX-Forwarded-For: {client}\r\n")))
    };
    assert_eq!(through("192.0.2.1"), "200");
    assert_eq!(through("127.0.0.1"), "429 with a body");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn without_a_word_only_registries_for_others_have_limits() {
    let folder = Folder::new("defaults");
    let ask = |server: &Server| {
        let mut stream = super::connect(server);
        let one = get("");
        let bytes = one.repeat(1100);
        stream.write_all(&[bytes, get("Connection: close\r\n")].concat()).unwrap();
        super::until_the_end(&mut stream).matches("HTTP/1.1 429").count()
    };
    let server = start(&folder, &[]);
    assert_eq!(ask(&server), 0);
    drop(server);
    let public = ["--public-url", "https://r.example", "--allow-any-key"];
    let server = start(&folder, &public);
    assert!(ask(&server) > 0, "1000 at once, and 100 a second");
    drop(server);
    let server = start(&folder, &[&public[..], &["--rate-limits", "false"]].concat());
    assert_eq!(ask(&server), 0);
}

#[test]
fn nonsense_is_refused_with_a_word_about_the_form() {
    let folder = Folder::new("forms");
    for (arguments, word) in [
        (["--limit-reads", "fast"], "100/s:1000"),
        (["--namespace-quota", "pages=1"], "packages=10"),
        (["--trusted-proxies", "proxy.example"], "10.0.0.0/8"),
    ] {
        let Output { code, err, .. } = run(wargate(&folder).arg("serve").args(arguments));
        assert_ne!(code, Some(0));
        assert!(err.contains(word), "{err}");
    }
    let file = folder.path().join("wargate.toml");
    for text in
        ["[limits]\nspeed = 1\n", "[quotas]\nkey = { pages = 1 }\n", "[limits]\nreads = 5\n"]
    {
        std::fs::write(&file, text).unwrap();
        let Output { code, err, .. } = run(wargate(&folder).arg("--config").arg(&file));
        assert_eq!(code, Some(1), "{text}");
        assert!(err.contains("is not valid"), "{err}");
    }
}

#[test]
fn the_operator_sees_who_uses_how_much() {
    let folder = Folder::new("usage");
    let server = start(&folder, &["--namespace", "acme", "--namespace-quota", "packages=3"]);
    let Output { code, out, err } = run(wargate(&folder).args(["operator", "usage"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("KIND"), "{out}");
    drop(server);
    let Output { code, out, err } = run(wargate(&folder).args(["operator", "usage", "--json"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("\"rows\": []") && out.contains("\"more\": false"), "{out}");
    let Output { code, out, .. } = run(wargate(&folder).arg("fsck"));
    assert_eq!(code, Some(0), "{out}");
}
