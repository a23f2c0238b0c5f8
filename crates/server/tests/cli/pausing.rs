//! A registry that is paused, beside a running server and across restarts.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::program::{Folder, Server, run, wargate};

/// Asks a server; returns all that it answers.
fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
    let address = server.said("listening on");
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A record that begins a package.
fn record() -> (String, String) {
    use wargate_crypto::PrivateKey;
    use wargate_protocol::{Entry, LogId, PackageEnvelope, PackageName, PackageRecord, Timestamp};
    let text = format!("ecdsa-p256:{}", wargate_protocol::base64::encode(&[7; 32]));
    let key = PrivateKey::from_text(&text).unwrap();
    let name: PackageName = "some:package".parse().unwrap();
    let time = Timestamp::from_seconds(1_700_000_000);
    let record = PackageRecord::new(None, time, vec![Entry::init(key.public_key())]);
    let envelope = PackageEnvelope::sign(&record, &key).unwrap();
    let body = serde_json::json!({ "packageName": name.as_str(), "record": envelope.signed() });
    (format!("/v1/package/{}/record", LogId::package(&name)), body.to_string())
}

#[test]
fn writes_are_answered_with_503_while_reading_goes_on_also_after_a_restart() {
    let folder = Folder::new("paused");
    let command = |arguments: &[&str]| {
        let output = run(wargate(&folder).args(arguments).args(["--data-dir", "data"]));
        assert_eq!(output.code, Some(0), "{output:?}");
        output.out
    };
    let start =
        || Server::start(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    let (path, body) = record();
    let mut server = start();
    command(&["pause", "--reason", "the disk is being moved"]);
    for restarts in 0..2 {
        let refused = ask(&server, "POST", &path, &body);
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.to_ascii_lowercase().contains("retry-after: 30"), "{refused}");
        assert!(refused.contains("paused by its operator (the disk is being moved)"), "{refused}");
        let read = ask(&server, "GET", "/v1/fetch/checkpoint", "");
        assert!(read.starts_with("HTTP/1.1 200"), "{read}");
        let ready = ask(&server, "GET", "/readyz", "");
        assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("being moved"), "{ready}");
        assert!(command(&["operator", "show"]).contains("paused"));
        if restarts == 0 {
            assert_eq!(server.stop().0, Some(0));
            server = start();
        }
    }
    // The operator's own commands go on, and paused once more is paused.
    command(&["operator", "define", "another"]);
    command(&["pause"]);
    command(&["resume"]);
    let ready = ask(&server, "GET", "/readyz", "");
    assert!(!ready.contains("paused"), "{ready}");
    let taken = ask(&server, "POST", &path, &body);
    assert!(taken.starts_with("HTTP/1.1 202") && taken.contains("published"), "{taken}");
    assert_eq!(server.stop().0, Some(0));
    // Without a server, for the next one.
    command(&["pause", "--reason", "later"]);
    let server = start();
    assert!(ask(&server, "POST", &path, &body).starts_with("HTTP/1.1 503"));
    command(&["resume"]);
    assert!(!command(&["operator", "show"]).contains("paused"));
}
