//! Content that publishers have elsewhere, fetched by the program.

#[cfg(target_os = "linux")]
mod failing;
mod shares;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use crate::client::{Release, request, some_bytes};
use crate::program::Place;

/// Hands every request to the test, which answers it when it likes.
struct Source {
    address: SocketAddr,
    requests: Receiver<TcpStream>,
}

impl Source {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut reader = BufReader::new(connection.unwrap());
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                }
                if sender.send(reader.into_inner()).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Waits for a request and answers it.
    fn answer(&self, status: u16, body: &[u8]) {
        answer(&mut self.requests.recv().unwrap(), status, body);
    }
}

fn answer(connection: &mut TcpStream, status: u16, body: &[u8]) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = connection.write_all(&[head.as_bytes(), body].concat());
}

fn fetching_place() -> Place {
    place_with("copy")
}

fn place_with(policy: &str) -> Place {
    let mut place = Place::local();
    place
        .set("WARGATE_CONTENT_SOURCES", policy)
        .set("WARGATE_CONTENT_SOURCES_ALLOW", "127.0.0.0/8");
    // Whoever used it would reach nothing.
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        place.set(proxy, "http://127.0.0.1:1");
    }
    place
}

/// Waits for a state that is not `processing`. The server holds each question for a moment.
fn settled(release: &Release, at: SocketAddr) -> String {
    loop {
        let state = release.state(at);
        if state != "processing" {
            return state;
        }
        std::thread::yield_now();
    }
}

#[test]
fn content_is_fetched_and_kept() {
    let place = fetching_place();
    let server = place.start();
    let at = server.address;
    let source = Source::start();
    for size in [5, 3 << 20] {
        let release = Release::new(&format!("test:size{size}"), some_bytes(1, size));
        let release = release.with_source(&source.url("content"));
        let answer = release.publish(at);
        assert_eq!((answer.status, answer.json()["state"].as_str()), (202, Some("processing")));
        // Sent again, it is the same, and not fetched twice.
        assert_eq!(release.publish(at).json()["state"], "processing");
        assert_eq!(release.state(at), "processing");
        source.answer(200, &release.content);
        assert_eq!(settled(&release, at), "published");
        release.assert_there(at);
        assert!(source.requests.try_recv().is_err());
    }
    server.stop();
    assert_eq!(std::fs::read_dir(place.data().join("sources")).unwrap().count(), 0);
    place.assert_clean();
}

#[test]
fn what_is_to_be_fetched_survives_a_kill() {
    let place = fetching_place();
    let server = place.start();
    let source = Source::start();
    let release = Release::new("test:one", some_bytes(1, 300_000)).with_source(&source.url("a"));
    assert_eq!(release.publish(server.address).json()["state"], "processing");
    let mut half = source.requests.recv().unwrap();
    half.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n").unwrap();
    half.write_all(&release.content[..100_000]).unwrap();
    server.kill();
    let server = place.start();
    assert_eq!(release.state(server.address), "processing");
    source.answer(200, &release.content);
    assert_eq!(settled(&release, server.address), "published");
    release.assert_there(server.address);
    server.stop();
    place.assert_clean();
}

#[test]
fn what_cannot_be_fetched_is_asked_for() {
    let place = fetching_place();
    let server = place.start();
    let at = server.address;
    let source = Source::start();
    for (number, (status, body)) in
        [(404, Vec::new()), (200, b"other bytes".to_vec()), (200, Vec::new())]
            .into_iter()
            .enumerate()
    {
        let release = Release::new(&format!("test:row{number}"), some_bytes(number as u64, 70_000));
        let release = release.with_source(&source.url("a"));
        assert_eq!(release.publish(at).json()["state"], "processing");
        source.answer(status, &body);
        assert_eq!(settled(&release, at), "sourcing");
        let missing = &release.record_state(at).json()["missingContent"];
        assert_eq!(missing[release.digest.to_string()]["upload"].as_array().unwrap().len(), 1);
        // Named again, it is tried again; or it is uploaded.
        if number == 0 {
            assert_eq!(release.publish(at).json()["state"], "processing");
            source.answer(200, &release.content);
            assert_eq!(settled(&release, at), "published");
        } else {
            assert_eq!(release.upload(at).unwrap().status, 201);
            assert_eq!(release.state(at), "published");
        }
    }
    server.stop();
    place.assert_clean();
}

#[test]
fn what_fails_for_now_is_tried_again() {
    let place = fetching_place();
    let server = place.start();
    let source = Source::start();
    let release = Release::new("test:one", some_bytes(1, 70_000)).with_source(&source.url("a"));
    release.publish(server.address);
    source.answer(503, b"");
    assert_eq!(release.state(server.address), "processing");
    source.answer(200, &release.content);
    assert_eq!(settled(&release, server.address), "published");
}

#[test]
fn what_is_too_large_is_not_read_to_its_end() {
    let mut place = fetching_place();
    place.set("WARGATE_CONTENT_BYTES_MAX", "100000");
    let server = place.start();
    let source = Source::start();
    let release = Release::new("test:one", some_bytes(1, 100_001)).with_source(&source.url("a"));
    release.publish(server.address);
    let mut endless = source.requests.recv().unwrap();
    let sent = Arc::new(Mutex::new(0_u64));
    let counted = Arc::clone(&sent);
    let sender = std::thread::spawn(move || {
        endless.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        let chunk = [b"1000\r\n".as_slice(), &[0; 0x1000], b"\r\n"].concat();
        while endless.write_all(&chunk).is_ok() {
            *counted.lock().unwrap() += 0x1000;
        }
    });
    assert_eq!(settled(&release, server.address), "sourcing");
    sender.join().unwrap();
    assert!(*sent.lock().unwrap() < 64 << 20);
}

#[test]
fn sources_are_refused_where_they_must_be() {
    let source = Source::start();
    // Not allowed at all.
    let server = Place::local();
    let server = server.start();
    let release = Release::new("test:one", some_bytes(1, 100)).with_source(&source.url("a"));
    let answer = release.publish(server.address);
    assert_eq!(answer.status, 501);
    assert!(answer.json()["message"].as_str().unwrap().contains("upload"));
    // Only the internet.
    let mut place = Place::local();
    place.set("WARGATE_CONTENT_SOURCES", "copy");
    let server = place.start();
    for url in [&*source.url("a"), "file:///etc/passwd", "http://a:b@example.com/", "http://[::1]/"]
    {
        let release = Release::new("test:one", some_bytes(1, 100)).with_source(url);
        let answer = release.publish(server.address);
        assert_eq!(answer.status, 400, "{url}");
        assert_eq!(release.state(server.address), "");
    }
    // A name tells nothing before it is looked up, and then leads nowhere.
    let port = source.address.port();
    let named = format!("http://localhost:{port}/");
    let release = Release::new("test:one", some_bytes(1, 100)).with_source(&named);
    assert_eq!(release.publish(server.address).status, 400, "a port of its own");
    let release = release.with_source("http://localhost/");
    assert_eq!(release.publish(server.address).status, 202);
    assert_eq!(settled(&release, server.address), "sourcing");
    assert!(place.logged().contains("not the internet's"));
    assert!(source.requests.try_recv().is_err());
}

/// Where the registry says that the content is.
fn place_of(release: &Release, at: SocketAddr) -> String {
    let answer = request(at, &format!("GET /v1/content/{}", release.digest), &[]).json();
    answer["contentSources"][release.digest.to_string()][0]["url"].as_str().unwrap().to_owned()
}

#[test]
fn content_is_looked_at_and_only_referred_to() {
    let place = place_with("refer");
    let server = place.start();
    let at = server.address;
    let source = Source::start();
    let url = source.url("content?a=b");
    let mut releases = Vec::new();
    for size in [5, 3 << 20] {
        let release = Release::new(&format!("test:size{size}"), some_bytes(1, size));
        let release = release.with_source(&format!("{url}#part"));
        assert_eq!(release.publish(at).json()["state"], "processing");
        source.answer(200, &release.content);
        assert_eq!(settled(&release, at), "published");
        releases.push(release);
    }
    let assert_referred = |at| {
        for release in &releases {
            assert_eq!(place_of(release, at), url);
            let sent_on = release.download(at);
            assert_eq!(sent_on.status, 307);
            assert!(sent_on.has(&format!("location: {url}")), "{:?}", sent_on.headers);
            // A browser would show what is there as if it were ours.
            let followed = format!("{}\nsec-fetch-mode: navigate", release.content_path());
            let refused = request(at, &format!("GET {followed}"), &[]);
            assert!(refused.status == 403 && !refused.has("location:"), "{:?}", refused.headers);
            assert_eq!(request(at, &format!("HEAD {followed}"), &[]).status, 200);
        }
    };
    assert_referred(at);
    let shards = std::fs::read_dir(place.data().join("content/sha256")).unwrap();
    let kept = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    assert_eq!(kept.count(), 0);
    server.kill();
    let server = place.start();
    assert_referred(server.address);
    // It is in snapshots as what it is, and comes back so.
    let copies = place.data().with_file_name("copies");
    let taken = place.run(&["snapshot", copies.to_str().unwrap()]);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    server.stop();
    std::fs::remove_dir_all(place.data()).unwrap();
    let restored = place.run(&["restore", copies.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let checked = place.run(&["fsck"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("2 digests was not checked"), "{said}");
    place.assert_clean();
}

#[test]
fn other_bytes_are_not_referred_to_and_what_two_have_is_kept() {
    let place = place_with("refer");
    let server = place.start();
    let at = server.address;
    let (source, other) = (Source::start(), Source::start());
    let content = some_bytes(1, 100_000);
    let release = Release::new("test:one", content.clone()).with_source(&source.url("a"));
    release.publish(at);
    source.answer(200, b"other bytes");
    assert_eq!(settled(&release, at), "sourcing");
    assert_eq!(release.publish(at).json()["state"], "processing");
    source.answer(200, &content);
    assert_eq!(settled(&release, at), "published");
    assert_eq!(place_of(&release, at), source.url("a"));
    // The first publisher's place may vanish, and the second one does not depend on it.
    let second = Release::new("test:two", content.clone()).with_source(&other.url("b"));
    assert_eq!(second.publish(at).json()["state"], "processing");
    other.answer(200, &content);
    assert_eq!(settled(&second, at), "published");
    assert!(place_of(&second, at).starts_with(&format!("http://{at}/content/")));
    second.assert_there(at);
    server.stop();
    place.assert_clean();
}
