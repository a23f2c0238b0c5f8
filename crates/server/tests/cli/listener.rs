//! Clients that keep a connection without using it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::program::{Folder, Server, wargate};

/// A whole request, on a connection that stays open.
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
}

/// The head of an answer and what follows it, up to where the connection is idle again.
fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{text}");
        text.push(char::from(byte[0]));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    text
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.said("listening on")).unwrap()
}

#[test]
fn a_request_that_does_not_come_to_its_end_does_not_hold_up_the_stop() {
    let folder = Folder::new("half");
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0", "--shutdown-grace", "100ms"]);
    let server = Server::start(&mut command);
    let (mut idle, mut half, mut silent) = (connect(&server), connect(&server), connect(&server));
    ask(&mut idle);
    assert!(answer(&mut idle).starts_with("HTTP/1.1 200"));
    ask(&mut half);
    assert!(answer(&mut half).starts_with("HTTP/1.1 200"));
    half.write_all(b"GET /healthz HTTP/1.1\r\nHo").unwrap();
    silent.write_all(b"PRI * HT").unwrap();
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("everything that was acknowledged"), "{log}");
}

#[test]
fn whoever_finds_no_room_waits_for_it() {
    let folder = Folder::new("room");
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0", "--connections-max", "1"]);
    let server = Server::start(&mut command);
    let mut first = connect(&server);
    ask(&mut first);
    assert!(answer(&mut first).starts_with("HTTP/1.1 200"));
    let mut second = connect(&server);
    ask(&mut second);
    ask(&mut first);
    assert!(answer(&mut first).starts_with("HTTP/1.1 200"));
    second.set_nonblocking(true).unwrap();
    let early = second.read(&mut [0]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    assert!(answer(&mut second).starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop().0, Some(0));
}
