//! Clients that take their time: with a header, a body, an upload, or an answer.

use std::io::{Read, Write};

use super::{PATIENCE, connect, start, until_the_end};
use crate::program::Folder;

/// A client that sends one byte and then nothing, at every point of a request.
#[test]
fn who_stops_in_the_middle_is_left() {
    let folder = Folder::new("slow");
    let server = start(&folder, &["--client-patience", PATIENCE]);
    let body =
        "POST /v1/fetch/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let chunked = format!("{body}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"lo");
    let half = format!("{body}Content-Length: 15\r\n\r\n{{\"log");
    for (bytes, status) in [
        ("", ""),
        ("G", ""),
        ("GET / HTTP/1.1\r\nHost: loc", ""),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", ""),
        (&half, "HTTP/1.1 400"),
        (&chunked, "HTTP/1.1 400"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(bytes.as_bytes()).unwrap();
        let text = until_the_end(&mut stream);
        assert!(text.starts_with(status), "{bytes:?}: {text}");
    }
    assert_eq!(server.stop().0, Some(0));
}

/// A client that asks for much and reads nothing of it.
#[test]
fn who_does_not_read_is_left() {
    let folder = Folder::new("unread");
    let server = start(&folder, &["--client-patience", PATIENCE]);
    let mut stream = connect(&server);
    // More answers than fit into the buffers of both sides.
    let one = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut sent = 0;
    while sent < 4000 && stream.write_all(one).is_ok() {
        sent += 1;
    }
    // Whatever is in the buffers can still be read, and then it ends.
    let mut buffer = vec![0; 1 << 20];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                break;
            }
        }
    }
    assert_eq!(server.stop().0, Some(0));
}
