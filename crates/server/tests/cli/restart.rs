//! Stopping without losing what was begun, and starting anew behind a socket that was passed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::exchange::{PATIENCE, ask, get, raw};
use crate::program::{Folder, Server, run, wargate};
use crate::publishing::Publication;

/// The program, started as a service manager starts it: with a socket as its third file.
fn passed(folder: &Folder, sockets: &[&TcpListener], names: &str, more: &[&str]) -> Command {
    let mut command = wargate(folder);
    let program = command.get_program().to_owned();
    // Standard input and output can be given; the shell moves them.
    let moves = match sockets.len() {
        1 => "exec 3<&0 </dev/null",
        _ => "exec 3<&0 4<&1 </dev/null >&2",
    };
    let script = format!("{moves}; export LISTEN_PID=$$; exec \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(program).args(more);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("LISTEN_FDS", sockets.len().to_string()).env("LISTEN_FDNAMES", names);
    shell.current_dir(folder.path());
    let first = OwnedFd::from(sockets[0].try_clone().unwrap());
    shell.stdin(Stdio::from(first));
    command = shell;
    command
}

#[test]
fn nobody_is_refused_while_the_registry_starts_anew() {
    let folder = Folder::new("restart");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let start = || Server::start(&mut passed(&folder, &[&socket], "wargate", &[]));
    let mut server = start();
    assert_eq!(server.said("listening on"), address);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let (stop, asked, address) = (stop.clone(), asked.clone(), address.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        assert_eq!(get(&address, "/v1/fetch/checkpoint").status, 200);
                    } else {
                        keep_asking(&address, &stop);
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = |than: usize| {
        while asked.load(Ordering::Relaxed) < than + 20 {
            assert!(!clients.iter().any(thread::JoinHandle::is_finished), "a client failed");
            thread::yield_now();
        }
    };
    for _ in 0..3 {
        more(asked.load(Ordering::Relaxed));
        // The next one starts while this one still holds the data, and waits.
        server.signal("-TERM");
        let next = start();
        assert_eq!(server.stopped().0, Some(0));
        server = next;
    }
    more(asked.load(Ordering::Relaxed));
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(server.stop().0, Some(0));
}

/// Asks on one connection until the server says that it ends, and not otherwise.
fn keep_asking(address: &str, stop: &AtomicBool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with('}') {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "cut off behind {text:?}");
            text.push(char::from(byte[0]));
        }
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        if text.contains("connection: close") {
            return;
        }
    }
}

#[test]
fn what_was_begun_ends_before_the_process_does() {
    let folder = Folder::new("begun");
    let mut command = wargate(&folder);
    let server = Server::start(command.args(["--listen", "127.0.0.1:0"]));
    let address = server.said("listening on").to_owned();
    // Half of a request is there when the stop comes; the rest follows.
    let body = "{\"logs\":{}}";
    let head = format!(
        "POST /v1/proof/consistency HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: 15\r\n\r\n{{\"from\":"
    );
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // And somebody has connected, and says something only now.
    let mut quiet = TcpStream::connect(&address).unwrap();
    quiet.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(ask(&address, "POST", "/v1/fetch/logs", "", body).status, 422);
    server.signal("-TERM");
    quiet.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    while TcpStream::connect(&address).is_ok() {
        thread::yield_now();
    }
    stream.write_all(b"1,\"to\":").unwrap();
    let mut text = String::new();
    quiet.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert_eq!(server.stopped().0, Some(0));
}

#[test]
fn an_upload_that_was_begun_is_taken_to_its_end_and_its_record_published() {
    let folder = Folder::new("upload");
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0", "--content", "any"]);
    let server = Server::start(&mut command);
    let address = server.said("listening on").to_owned();
    let content = "x".repeat(300_000);
    let publication = Publication::new("my:pkg", content.as_bytes());
    assert_eq!(publication.submit(&address, "").status, 202);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        publication.content_path(),
        content.len()
    );
    let (first, rest) = content.split_at(200_000);
    stream.write_all(format!("{head}{first}").as_bytes()).unwrap();
    server.signal("-TERM");
    while TcpStream::connect(&address).is_ok() {
        thread::yield_now();
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    assert_eq!(server.stopped().0, Some(0));
    let server = Server::start(&mut command);
    let state = publication.state(server.said("listening on"));
    assert_eq!(state["state"], "published", "{state}");
}

#[test]
fn the_service_manager_is_told_and_sees_that_the_process_works() {
    let folder = Folder::new("notify");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 512];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let until = |word: &str| while !heard().contains(word) {};
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path);
    let server = Server::start(command.env("WATCHDOG_USEC", "60000"));
    until("READY=1");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    // `systemctl reload` where there is nothing to read anew.
    server.signal("-HUP");
    until("WATCHDOG=1");
    server.signal("-TERM");
    until("STOPPING=1");
    assert_eq!(server.stopped().0, Some(0));
}

#[test]
fn a_socket_that_others_can_reach_trusts_nobody_by_default() {
    let folder = Folder::new("passed-wide");
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let output = run(&mut passed(&folder, &[&socket], "wargate", &[]));
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("--authorized-keys-file"), "{}", output.err);
    // Whoever has no socket of his own does not wait for the data.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(&mut passed(&folder, &[&socket], "wargate", &[]));
    let address = server.said("listening on").to_owned();
    assert_eq!(raw(&address, b"GET /healthz HTTP/1.0\r\n\r\n").unwrap().status, 200);
    let output = run(wargate(&folder).args(["--listen", "127.0.0.1:0"]));
    assert!(output.err.contains("held by another process"), "{}", output.err);
    assert_eq!(server.stop().0, Some(0));
}
