//! Bad requests as bytes on a socket, against the real process: what HTTP itself makes of them, and
//! clients that hold a connection or a stream without using it.
//!
//! What HTTP's own reader refuses never becomes a request; it is answered with a status, no body, and
//! the end of the connection.

mod http2;
mod limits;
mod slow;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::program::{Folder, Server, wargate};

/// How long the server waits for a client in these tests.
const PATIENCE: &str = "300ms";

/// No answer takes longer than this; a test that waits so long has failed.
const FOREVER: Duration = Duration::from_mins(1);

fn start(folder: &Folder, more: &[&str]) -> Server {
    let mut command = wargate(folder);
    Server::start(command.args(["--listen", "127.0.0.1:0"]).args(more))
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.said("listening on")).unwrap();
    stream.set_read_timeout(Some(FOREVER)).unwrap();
    stream
}

/// All that comes until the server ends the connection, by whatever means.
fn until_the_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the server keeps the connection: {error}"),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends bytes on a connection of its own, and says which answers came.
fn answers(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server);
    // The server may have had enough before all has come.
    let _ = stream.write_all(bytes);
    let text = until_the_end(&mut stream);
    let lines = text.lines().filter(|line| line.starts_with("HTTP/"));
    let said: Vec<_> = lines.map(|line| line.split(' ').nth(1).unwrap()).collect();
    let bodies = text.matches("\"status\":").count();
    match said.as_slice() {
        [] => "closed".into(),
        said => format!("{}{}", said.join(" "), if bodies > 0 { " with a body" } else { "" }),
    }
}

/// A request with these lines behind `Host`.
fn get(lines: &str) -> Vec<u8> {
    format!("GET /v1/ledger HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").into_bytes()
}

/// A request whose body is what stands behind the empty line.
fn post(lines: &str, body: &str) -> Vec<u8> {
    let line =
        "POST /v1/fetch/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{line}{lines}\r\n{body}").into_bytes()
}

type Case = (&'static str, Vec<u8>);

fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn long() -> String {
    "x".repeat(1 << 20)
}

/// A body of 15 bytes.
const LOGS: &str = r#"{"logLength":1}"#;

/// First lines, hosts and targets.
fn targets() -> Vec<Case> {
    let long = long();
    vec![
        ("a good one", get("")),
        ("nothing", Vec::new()),
        ("a line end", b"\r\n\r\n\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("noise", (0..=255).cycle().take(4096).collect()),
        ("HTTP/0.9", b"GET /v1/ledger\r\n\r\n".to_vec()),
        ("HTTP/1.0 without a host", b"GET /v1/ledger HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/1.0", line("GET /v1/ledger HTTP/1.0")),
        ("HTTP/1.1 without a host", b"GET /v1/ledger HTTP/1.1\r\n\r\n".to_vec()),
        ("HTTP/1.2", line("GET /v1/ledger HTTP/1.2")),
        ("HTTP/9.9", line("GET /v1/ledger HTTP/9.9")),
        ("another host", b"GET /v1/ledger HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec()),
        ("two hosts", get("Host: evil.example\r\n")),
        ("an empty host", b"GET /v1/ledger HTTP/1.1\r\nHost:\r\n\r\n".to_vec()),
        ("a host with a user", b"GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n".to_vec()),
        ("an absolute target", line("GET http://localhost/v1/ledger HTTP/1.1")),
        ("an absolute target elsewhere", line("GET http://evil.example/v1/ledger HTTP/1.1")),
        ("a target of CONNECT", line("CONNECT evil.example:443 HTTP/1.1")),
        ("a target *", line("OPTIONS * HTTP/1.1")),
        ("a target without a slash", line("GET v1/ledger HTTP/1.1")),
        ("a space in the target", line("GET /v1/ ledger HTTP/1.1")),
        ("a NUL in the target", line("GET /v1/\0ledger HTTP/1.1")),
        ("bytes that are no ASCII in the target", {
            let mut bytes = b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
            bytes.push(b'\n');
            bytes
        }),
        ("a target of 1 MB", line(&format!("GET /{long} HTTP/1.1"))),
        ("a query of 1 MB", line(&format!("GET /v1/ledger?{long} HTTP/1.1"))),
    ]
}

fn headers() -> Vec<Case> {
    let long = long();
    let many = (0..500).fold(String::new(), |mut lines, at| {
        write!(lines, "X-{at}: y\r\n").unwrap();
        lines
    });
    vec![
        ("a header of 1 MB", get(&format!("X: {long}\r\n"))),
        ("500 headers", get(&many)),
        ("a header without a name", get(": x\r\n")),
        ("a space before the colon", get("Content-Length : 0\r\n")),
        ("a folded header", get("X: a\r\n b\r\n")),
        ("a NUL in a header", get("X: a\0b\r\n")),
        ("a bare CR in a header", get("X: a\rInjected: b\r\n")),
        ("only LF", b"GET /v1/ledger HTTP/1.1\nHost: localhost\n\n".to_vec()),
    ]
}

/// How long a body is said to be, in contradiction to itself.
fn lengths() -> Vec<Case> {
    let nested = "POST /v1/fetch/logs HTTP/1.1\r\nHost: localhost\r\n\r\n";
    vec![
        (
            "length and chunks",
            post(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                &format!("f\r\n{LOGS}\r\n0\r\n\r\n"),
            ),
        ),
        (
            "chunks and length, smuggling",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                &format!("0\r\n\r\n{nested}"),
            ),
        ),
        ("two lengths", post("Content-Length: 15\r\nContent-Length: 0\r\n", LOGS)),
        ("two lengths in one", post("Content-Length: 15, 15\r\n", LOGS)),
        ("a length with a sign", post("Content-Length: +15\r\n", LOGS)),
        ("a length below zero", post("Content-Length: -1\r\n", LOGS)),
        ("a length in hexadecimal", post("Content-Length: 0xf\r\n", LOGS)),
        ("a length of 2^64", post("Content-Length: 18446744073709551616\r\n", LOGS)),
        ("a length of 3 MB", post("Content-Length: 3000000\r\n", LOGS)),
        ("more than the length", post("Content-Length: 15\r\n", &format!("{LOGS}GARBAGE\r\n\r\n"))),
        ("less than the length", post("Content-Length: 16\r\n", LOGS)),
        ("two encodings", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")),
        ("another encoding", post("Transfer-Encoding: gzip\r\n", "x")),
        (
            "an encoding with a tab",
            post("Transfer-Encoding:\tchunked\r\n", &format!("f\r\n{LOGS}\r\n0\r\n\r\n")),
        ),
        ("an obscured encoding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        (
            "an encoding in HTTP/1.0",
            format!(
                "POST /v1/fetch/logs HTTP/1.0\r\nHost: localhost\r\n\
            Transfer-Encoding: chunked\r\n\r\nf\r\n{LOGS}\r\n0\r\n\r\n"
            )
            .into_bytes(),
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let long = long();
    vec![
        ("a chunk's size that is none", post("Transfer-Encoding: chunked\r\n", "x\r\n")),
        ("a chunk's size of 2^64", post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n")),
        ("a chunk's size below zero", post("Transfer-Encoding: chunked\r\n", "-1\r\n")),
        (
            "a chunk longer than its size",
            post("Transfer-Encoding: chunked\r\n", &format!("3\r\n{LOGS}\r\n0\r\n\r\n")),
        ),
        ("chunks without end", post("Transfer-Encoding: chunked\r\n", &format!("f\r\n{LOGS}\r\n"))),
        (
            "a chunk's extension of 1 MB",
            post("Transfer-Encoding: chunked\r\n", &format!("f;{long}\r\n{LOGS}\r\n0\r\n\r\n")),
        ),
        (
            "trailers of 1 MB",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("f\r\n{LOGS}\r\n0\r\nX: {long}\r\n\r\n"),
            ),
        ),
        (
            "a body of 3 MB in chunks",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("2dc6c0\r\n{}\r\n0\r\n\r\n", " ".repeat(3_000_000)),
            ),
        ),
    ]
}

fn others() -> Vec<Case> {
    vec![
        ("a body behind GET", get("Content-Length: 5\r\n").into_iter().chain(*b"hello").collect()),
        (
            "an upgrade to h2c",
            get(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            ),
        ),
        ("an upgrade to a web socket", get("Connection: Upgrade\r\nUpgrade: websocket\r\n")),
        ("expecting nonsense", post("Expect: 200-maybe\r\nContent-Length: 15\r\n", LOGS)),
        ("two good ones", [get(""), get("")].concat()),
        ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\n".to_vec()),
    ]
}

#[test]
fn bytes_that_are_no_good_requests() {
    let folder = Folder::new("hostile");
    // Whoever sends half a request is not waited for, and a good one leaves the connection idle.
    let server = start(&folder, &["--client-patience", PATIENCE]);
    let mut page: Vec<(String, Vec<&str>)> = Vec::new();
    let cases = [targets(), headers(), lengths(), chunks(), others()].concat();
    for (name, bytes) in cases {
        let answer = answers(&server, &bytes);
        assert!(!answer.contains(" 5") && !answer.starts_with('5'), "{name}: {answer}");
        match page.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, names)) => names.push(name),
            None => page.push((answer, vec![name])),
        }
    }
    let lines = page.iter().map(|(answer, names)| format!("{answer}\n  {}\n", names.join("\n  ")));
    insta::assert_snapshot!("bytes", lines.collect::<String>());
    // And it serves as before.
    assert_eq!(answers(&server, &get("Connection: close\r\n")), "200");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
}

#[test]
fn what_has_a_length_and_chunks_is_the_last_of_its_connection() {
    let folder = Folder::new("hostile-lengths");
    let server = start(&folder, &["--client-patience", PATIENCE]);
    let count = |bytes: &[u8]| {
        let mut stream = connect(&server);
        stream.write_all(bytes).unwrap();
        until_the_end(&mut stream).matches("HTTP/1.1 ").count()
    };
    assert_eq!(count(&[get(""), get("")].concat()), 2);
    let body = format!("f\r\n{LOGS}\r\n0\r\n\r\n");
    let both = ["Content-Length: 24", "Transfer-Encoding: chunked"];
    for [first, second] in [both, [both[1], both[0]]] {
        let request = post(&format!("{first}\r\n{second}\r\n"), &body);
        assert_eq!(count(&[request, get("")].concat()), 1, "{first}");
    }
    server.stop();
}
