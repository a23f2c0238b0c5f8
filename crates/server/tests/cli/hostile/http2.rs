//! HTTP/2 as it should not be spoken, frame by frame.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{PATIENCE, answers, connect, get, start};
use crate::program::{Folder, Server};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Settings with the size of new streams' windows.
fn settings(window: u32) -> Vec<u8> {
    let mut payload = vec![0, 4];
    payload.extend(window.to_be_bytes());
    frame(SETTINGS, 0, 0, &payload)
}

/// `GET` of a path, in literal header fields.
fn request(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    for (index, value) in [(4, path), (1, "localhost")] {
        block.extend([index, u8::try_from(value.len()).unwrap()]);
        block.extend_from_slice(value.as_bytes());
    }
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// The next frame: kind, flags, and payload; `None` when the server has ended the connection.
fn next(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    match stream.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) => {
            use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
            assert!(matches!(error.kind(), ConnectionReset | UnexpectedEof), "{error}");
            return None;
        }
    }
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((head[3], head[4], payload))
}

/// Reads until the server ends the connection, answering its pings as a client that is alive does.
/// Returns how many bytes of bodies came.
fn alive_until_the_end(stream: &mut TcpStream) -> usize {
    let mut bytes = 0;
    while let Some((kind, flags, payload)) = next(stream) {
        match kind {
            PING if flags & ACK == 0 => drop(stream.write_all(&frame(PING, ACK, 0, &payload))),
            SETTINGS if flags & ACK == 0 => drop(stream.write_all(&frame(SETTINGS, ACK, 0, &[]))),
            DATA => bytes += payload.len(),
            _ => {}
        }
    }
    bytes
}

fn begin(server: &Server, window: u32) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(&[PREFACE, &settings(window)].concat()).unwrap();
    stream
}

/// Clients that are alive and take nothing of what they have asked for.
#[test]
fn who_opens_no_window_is_left() {
    let folder = Folder::new("window");
    let server = start(&folder, &["--client-patience", PATIENCE]);
    for window in [0, 1, 100] {
        let mut stream = begin(&server, window);
        stream.write_all(&[request(1, "/openapi.json"), request(3, "/")].concat()).unwrap();
        let bytes = alive_until_the_end(&mut stream);
        assert!(bytes <= 2 * window as usize, "{bytes} bytes for a window of {window}");
    }
    // And one that asks for nothing.
    let mut stream = begin(&server, 65_535);
    assert_eq!(alive_until_the_end(&mut stream), 0);
    assert_eq!(server.stop().0, Some(0));
}

/// Streams that are opened and reset at once, as fast as the line takes them (CVE-2023-44487).
#[test]
fn streams_that_are_reset_as_fast_as_they_are_opened_end_the_connection() {
    let folder = Folder::new("reset");
    let server = start(&folder, &[]);
    let mut stream = begin(&server, 65_535);
    let mut sender = stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        for number in 0..100_000_u32 {
            let id = 2 * number + 1;
            let reset = frame(RST_STREAM, 0, id, &8_u32.to_be_bytes());
            if sender.write_all(&[request(id, "/openapi.json"), reset].concat()).is_err() {
                return number;
            }
        }
        100_000
    });
    let mut went_away = false;
    while let Some((kind, ..)) = next(&mut stream) {
        went_away |= kind == GOAWAY;
    }
    let sent = flood.join().unwrap();
    assert!(went_away || sent < 100_000, "all of {sent} streams were taken");
    assert_eq!(answers(&server, &get("Connection: close\r\n")), "200");
    assert_eq!(server.stop().0, Some(0));
}

/// Frames that break the protocol end the connection, and nothing else.
#[test]
fn frames_that_break_the_protocol_end_the_connection() {
    let folder = Folder::new("frames");
    let server = start(&folder, &["--client-patience", PATIENCE]);
    let cases: &[Vec<u8>] = &[
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(SETTINGS, 0, 1, &[]),
        frame(DATA, 0, 1, b"no such stream"),
        frame(DATA, 0, 0, b"no stream at all"),
        frame(HEADERS, END_HEADERS, 2, &[0x82]),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 64]),
        frame(PING, 0, 0, &[0; 7]),
        frame(RST_STREAM, 0, 9, &8_u32.to_be_bytes()),
        [0xff, 0xff, 0xff, HEADERS, 0, 0, 0, 0, 1].to_vec(),
        // A header that never ends.
        [frame(HEADERS, 0, 1, &[0x82]), frame(9, 0, 1, &[0; 16_000]).repeat(100)].concat(),
        // A window that is opened beyond its end.
        frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let mut stream = begin(&server, 65_535);
        let _ = stream.write_all(bytes);
        assert_eq!(alive_until_the_end(&mut stream), 0, "case {number}");
    }
    assert_eq!(answers(&server, &get("Connection: close\r\n")), "200");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

/// A client that does it right, beside them.
#[test]
fn who_takes_an_answer_piece_by_piece_gets_all_of_it() {
    let folder = Folder::new("pieces");
    let server = start(&folder, &["--client-patience", "10s"]);
    let whole = {
        let mut stream = begin(&server, 1 << 20);
        stream.write_all(&request(1, "/openapi.json")).unwrap();
        body(&mut stream, 0)
    };
    assert!(whole > 30_000, "{whole}");
    let mut stream = begin(&server, 1000);
    stream.write_all(&request(1, "/openapi.json")).unwrap();
    assert_eq!(body(&mut stream, 1), whole);
    assert_eq!(server.stop().0, Some(0));
}

/// Reads a body to its end. Opens the connection's window again for each piece, and that of a stream if one
/// is named.
fn body(stream: &mut TcpStream, open: u32) -> usize {
    let mut bytes = 0;
    loop {
        let (kind, flags, payload) = next(stream).unwrap();
        if kind == DATA {
            bytes += payload.len();
            if flags & END_STREAM != 0 {
                return bytes;
            }
            let more = u32::try_from(payload.len()).unwrap().to_be_bytes();
            let windows = [0].into_iter().chain((open > 0).then_some(open));
            for window in windows.filter(|_| !payload.is_empty()) {
                stream.write_all(&frame(8, 0, window, &more)).unwrap();
            }
        }
    }
}
