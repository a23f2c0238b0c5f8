//! What one key may have fetched, beside others.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use super::{Source, answer, fetching_place, settled};
use crate::client::{Release, new_key, some_bytes};

/// Contents that are fetched at the same time, and records that wait for that, of one key.
const FETCHES_PER_KEY: usize = 2;
const JOBS_PER_KEY: usize = 50;

/// Connections whose other end nobody has closed.
fn open(connections: &[TcpStream]) -> usize {
    let is_open = |mut connection: &TcpStream| {
        connection.set_nonblocking(true).unwrap();
        let read = connection.read(&mut [0]);
        connection.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    connections.iter().filter(|connection| is_open(connection)).count()
}

#[test]
fn a_key_whose_sources_never_answer_keeps_nobody_else_waiting() {
    let place = fetching_place();
    let server = place.start();
    let at = server.address;
    let (silent, good) = (Source::start(), Source::start());
    let greedy = new_key();
    let mut releases: Vec<Release> = (0..=JOBS_PER_KEY)
        .map(|number| {
            let content = some_bytes(number as u64, 1000);
            let release = Release::signed(&format!("test:greedy{number}"), content, &greedy);
            release.with_source(&silent.url(&number.to_string()))
        })
        .collect();
    let last = releases.pop().unwrap();
    for release in &releases {
        assert_eq!(release.publish(at).json()["state"], "processing");
    }
    let mut held: Vec<TcpStream> =
        (0..FETCHES_PER_KEY).map(|_| silent.requests.recv().unwrap()).collect();

    // One more is too much for this key. Its record waits for an upload.
    let refused = last.publish(at);
    assert_eq!(refused.status, 503);
    assert!(refused.has("retry-after:"), "{:?}", refused.headers);
    assert!(refused.json()["message"].as_str().unwrap().contains("of this key"));
    assert_eq!(last.state(at), "sourcing");

    // And nothing to anybody else.
    let publish_another = |name: &str, at| {
        let other =
            Release::new(name, some_bytes(100, 300_000 + name.len())).with_source(&good.url("a"));
        assert_eq!(other.publish(at).json()["state"], "processing");
        good.answer(200, &other.content);
        assert_eq!(settled(&other, at), "published");
    };
    publish_another("test:other", at);
    held.extend(silent.requests.try_iter());
    assert_eq!(open(&held), FETCHES_PER_KEY);

    // What was taken belongs to the key after a restart, too.
    server.kill();
    drop(held);
    silent.requests.try_iter().for_each(drop);
    let server = place.start();
    let at = server.address;
    let mut held: Vec<TcpStream> =
        (0..FETCHES_PER_KEY).map(|_| silent.requests.recv().unwrap()).collect();
    assert_eq!(last.publish(at).status, 503);
    publish_another("test:one-more", at);
    held.extend(silent.requests.try_iter());
    assert_eq!(open(&held), FETCHES_PER_KEY);

    // With a source that answers, the queue goes on, and has room.
    answer(&mut held[0], 404, b"");
    answer(&mut silent.requests.recv().unwrap(), 404, b"");
    while last.publish(at).status == 503 {
        std::thread::yield_now();
    }
    assert_eq!(last.state(at), "processing");
}
