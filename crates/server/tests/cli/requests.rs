//! Names of requests, and what the log says of them.

use serde_json::Value;

use crate::exchange::{ask, get, raw};
use crate::program::{Folder, Server, wargate};

fn start(folder: &Folder, more: &[&str]) -> Server {
    let mut command = wargate(folder);
    command.args(["--listen", "127.0.0.1:0"]).args(more);
    Server::start(&mut command)
}

/// The lines of a log in JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn is_made(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn every_request_has_a_name_in_its_answer_and_in_its_lines() {
    let folder = Folder::new("names");
    let server = start(&folder, &["--log", "debug", "--log-format", "json"]);
    let address = server.said("listening on").to_owned();
    let chosen = ask(&address, "GET", "/healthz", "x-request-id: from.Proxy-1_a\r\n", "");
    assert_eq!(chosen.header("x-request-id"), Some("from.Proxy-1_a"));
    let mut made = Vec::new();
    for (method, path, header) in [
        ("GET", "/healthz", ""),
        ("GET", "/nowhere", ""),
        ("POST", "/healthz", ""),
        ("BREW", "/v1/fetch/checkpoint", ""),
        ("GET", "/healthz", "x-request-id: with space\r\n"),
        ("GET", "/healthz", "x-request-id: a\\nERROR\r\n"),
    ] {
        let answer = ask(&address, method, path, header, "");
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(is_made(&id), "{id}");
        assert!(!made.contains(&id));
        made.push(id);
    }
    let oversized = format!("x-request-id: {}\r\n", "x".repeat(65));
    let answer = ask(&address, "GET", "/healthz", &oversized, "");
    assert!(is_made(answer.header("x-request-id").unwrap()));
    let stranger =
        raw(&address, b"GET /v1/fetch/checkpoint HTTP/1.0\r\nhost: evil.example\r\n\r\n");
    let stranger = stranger.unwrap();
    assert_eq!(stranger.status, 421);
    assert!(is_made(stranger.header("x-request-id").unwrap()));
    let (status, log) = server.stop();
    assert_eq!(status, Some(0));
    let lines = lines(&log);
    let of = |id: &str| {
        let found = lines
            .iter()
            .find(|line| line["target"] == "wargate::access" && line["fields"]["id"] == id);
        found.unwrap_or_else(|| panic!("{id} has no line")).clone()
    };
    let line = of("from.Proxy-1_a");
    assert_eq!(line["level"], "DEBUG");
    let fields = &line["fields"];
    assert_eq!((&fields["method"], &fields["route"]), (&"GET".into(), &"/healthz".into()));
    assert_eq!((&fields["status"], &fields["whole"]), (&200.into(), &true.into()));
    assert_eq!(fields["bytes"], chosen.body.len());
    assert!(fields["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(fields["micros"].is_u64());
    let line = of(&made[1]);
    assert_eq!((&line["fields"]["route"], &line["fields"]["status"]), (&"".into(), &404.into()));
    assert_eq!(of(&made[3])["fields"]["method"], "other");
}

#[test]
fn what_publishes_is_told_and_reading_is_not() {
    let folder = Folder::new("levels");
    let server = start(&folder, &["--log-format", "json"]);
    let address = server.said("listening on").to_owned();
    get(&address, "/v1/fetch/checkpoint");
    let log = format!("/v1/package/sha256:{}/record", "0".repeat(64));
    assert_eq!(ask(&address, "POST", &log, "", "{}").status, 422);
    let (_, log) = server.stop();
    let lines = lines(&log);
    let access: Vec<_> = lines.iter().filter(|line| line["target"] == "wargate::access").collect();
    assert_eq!(access.len(), 1, "{log}");
    assert_eq!(access[0]["fields"]["route"], "/v1/package/{logId}/record");
    assert_eq!(access[0]["fields"]["status"], 422);
}

#[test]
fn nobody_writes_lines_of_his_own_into_the_log() {
    let folder = Folder::new("forged");
    let server = start(&folder, &["--log", "trace"]);
    let address = server.said("listening on").to_owned();
    let forged = "2026-01-01T00:00:00Z ERROR forged";
    for path in ["/a%0a%0d", "/v1/content/%0aERROR%20forged", "/v1/content/sha256:%1b[31m"] {
        get(&address, path);
    }
    let answer = ask(&address, "GET", "/", &format!("x-request-id: {forged}\r\n"), "");
    assert!(is_made(answer.header("x-request-id").unwrap()));
    // A request that is none: the library answers it, or closes.
    raw(&address, format!("GET / HTTP/1.1\nx: {forged}\n\n{forged}\n\n").as_bytes());
    let record = format!("/v1/package/sha256:{}/record", "0".repeat(64));
    let body = "{\"packageName\":\"a\\n2026-01-01T00:00:00Z ERROR forged:b\",\"record\":{}}";
    ask(&address, "POST", &record, "authorization: Bearer hush-token\r\n", body);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    for line in log.lines() {
        // Each begins with its time, and none with what came.
        assert!(line.starts_with("20") && line.contains('Z'), "{line:?}");
        assert!(!line.starts_with(forged), "{line:?}");
    }
    assert!(!log.contains('\u{1b}'), "an escape sequence came through");
    assert!(!log.contains("hush-token"), "a token is in the log");
}
