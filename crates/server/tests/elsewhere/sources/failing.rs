//! Names that nobody looks up to the end, and sources that fail for long: on a machine whose names and
//! clock are the test's.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Source, answer, fetching_place, settled};
use crate::client::{Release, new_key, some_bytes};
use crate::machine::{Lookup, Machine};

/// Names that are looked up at the same time.
const LOOKUPS: usize = 4;
/// Contents that are fetched at the same time of one key.
const FETCHES_PER_KEY: usize = 2;
/// Attempts with all pauses between them.
const ATTEMPTS: usize = 6;

/// Publishes as many records with one key as that may have fetched at the same time, with the same
/// content at hosts of their own.
fn publish_by_name(who: &str, content: &[u8], port: u16, at: SocketAddr) -> Vec<Release> {
    let key = new_key();
    let publish = |number: usize| {
        let name = format!("test:{who}{number}");
        let release = Release::signed(&name, content.to_owned(), &key);
        let release = release.with_source(&format!("http://{who}{number}.test:{port}/a"));
        assert_eq!(release.publish(at).json()["state"], "processing");
        release
    };
    (0..FETCHES_PER_KEY).map(publish).collect()
}

#[test]
fn lookups_that_hang_keep_nothing_else_waiting() {
    let mut place = fetching_place();
    let machine = Machine::of(&mut place);
    let server = place.start();
    let at = server.address;
    let source = Source::start();
    let port = source.address.port();
    let content = some_bytes(1, 1000);
    let mut named = Vec::new();
    for who in ["a", "b", "c"] {
        named.extend(publish_by_name(who, &content, port, at));
    }
    let hanging: Vec<Lookup> = (0..LOOKUPS).map(|_| machine.lookup()).collect();
    // None of the threads that read and write files.
    assert!(hanging.iter().all(|lookup| lookup.thread == "lookup"));

    // A source that needs no lookup is fetched meanwhile.
    let addressed = Release::new("test:addressed", some_bytes(1, 300_000));
    let addressed = addressed.with_source(&source.url("a"));
    assert_eq!(addressed.publish(at).json()["state"], "processing");
    source.answer(200, &addressed.content);
    assert_eq!(settled(&addressed, at), "published");
    // Now all that may be fetched at a time hangs, and requests that need files are answered.
    named.extend(publish_by_name("d", &content, port, at));
    Release::new("test:uploaded", some_bytes(2, 300_000)).publish_all(at);
    addressed.assert_there(at);
    assert_eq!(machine.lookups().count(), 0, "more names are looked up at a time");

    // When somebody answers, or does later, what they lead to is fetched.
    for lookup in hanging {
        lookup.answer("127.0.0.1");
    }
    while named.iter().any(|release| release.state(at) != "published") {
        for lookup in machine.lookups() {
            lookup.answer("127.0.0.1");
        }
        for mut connection in source.requests.try_iter() {
            answer(&mut connection, 200, &content);
        }
    }

    // Nor is a server that is to stop kept from it.
    publish_by_name("e", b"other", port, at);
    let _hanging = machine.lookup();
    server.stop();
    place.assert_clean();
}

/// The only content that a record waits for can be uploaded, and is this one.
#[track_caller]
fn assert_asked_for(release: &Release, at: SocketAddr) {
    let state = release.record_state(at).json();
    assert_eq!(state["state"], "sourcing");
    let missing = state["missingContent"].as_object().unwrap();
    assert_eq!(missing.keys().collect::<Vec<_>>(), [&release.digest.to_string()]);
    let upload = &missing[&release.digest.to_string()]["upload"][0];
    let path = format!("/content/{}", release.digest);
    assert!(upload["url"].as_str().unwrap().ends_with(&path), "{upload}");
}

#[test]
fn after_a_minute_of_failures_the_publisher_may_upload() {
    let mut place = fetching_place();
    let mut machine = Machine::of(&mut place);
    let server = place.start();
    let at = server.address;
    let source = Source::start();
    let release = |name: &str| {
        let release = Release::new(name, some_bytes(name.len() as u64, 300_000));
        let release = release.with_source(&source.url("a"));
        assert_eq!(release.publish(at).json()["state"], "processing");
        release
    };
    let jobs = || std::fs::read_dir(place.data().join("sources")).unwrap().count();

    // One that is uploaded while it is still tried.
    let early = release("test:early");
    source.answer(503, b"");
    // The next attempt: the first has failed for sure.
    let mut second = source.requests.recv().unwrap();
    assert_eq!(early.state(at), "processing");
    machine.pass(Duration::from_mins(1));
    assert_asked_for(&early, at);
    answer(&mut second, 503, b"");
    assert_asked_for(&early, at);
    assert_eq!(early.upload(at).unwrap().status, 201);
    assert_eq!(early.state(at), "published");
    early.assert_there(at);
    // It is not asked for any more, and forgotten.
    while jobs() > 0 {
        machine.pass(Duration::from_mins(1));
        assert_eq!(early.state(at), "published");
    }
    assert!(source.requests.try_recv().is_err());

    // One whose sources were tried as often as it is worth.
    let before = place.logged().matches("content was not fetched").count();
    let late = release("test:longer");
    source.answer(503, b"");
    answer(&mut source.requests.recv().unwrap(), 503, b"");
    while !place.logged().contains("content is not fetched any more") {
        if let Ok(mut connection) = source.requests.recv_timeout(Duration::from_millis(100)) {
            answer(&mut connection, 503, b"");
        } else {
            machine.pass(Duration::from_mins(20));
            assert_asked_for(&late, at);
        }
    }
    let attempts = place.logged().matches("content was not fetched").count() - before;
    assert_eq!(attempts, ATTEMPTS);
    while jobs() > 0 {
        std::thread::yield_now();
    }
    machine.pass(Duration::from_hours(1));
    assert_asked_for(&late, at);
    assert!(source.requests.try_recv().is_err());
    assert_eq!(late.upload(at).unwrap().status, 201);
    assert_eq!(late.state(at), "published");
    late.assert_there(at);
    server.stop();
    place.assert_clean();
}
