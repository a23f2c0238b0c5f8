//! The fault table: every call that a publish and a download make of object storage, and everything
//! that may happen to it.
//!
//! What holds in every row, and is asserted beside the table: nothing that was acknowledged is lost, no
//! wrong byte is part of an answer that came to its end, once the fault is over the same request
//! succeeds, and fsck finds nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wargate_testkit::proxy::{Fault, Proxy, Seen};
use wargate_testkit::s3::S3Server;

use crate::S3;
use crate::client::{Release, request, some_bytes};
use crate::program::Place;

const MIB: usize = 1 << 20;

/// A call: its name, and which requests it is.
type Call = (&'static str, usize, fn(&Seen) -> bool);

/// Those of a publish, with the size of the content that makes them.
const WRITES: [Call; 6] = [
    ("put an object", 2 * MIB, |seen| seen.method == "PUT"),
    ("look at its size", 2 * MIB, |seen| seen.method == "HEAD"),
    ("begin an upload in parts", 9 * MIB, |seen| {
        seen.method == "POST" && seen.path.contains("?uploads")
    }),
    ("put a part", 9 * MIB, |seen| seen.method == "PUT"),
    ("end an upload in parts", 9 * MIB, |seen| {
        seen.method == "POST" && seen.path.contains("uploadId")
    }),
    ("look at the size of the parts", 9 * MIB, |seen| seen.method == "HEAD"),
];

/// Those of a download.
const READS: [Call; 3] = [
    ("get an object of one piece", MIB, |seen| seen.method == "GET"),
    ("get the first piece", 2 * MIB + 5000, |seen| {
        seen.header("range").is_some_and(|range| range.starts_with("bytes=0-"))
    }),
    ("get the last piece", 2 * MIB + 5000, |seen| {
        seen.header("range").is_some_and(|range| range.starts_with("bytes=2097152-"))
    }),
];

fn faults() -> Vec<(&'static str, Fault)> {
    let status = |status| Fault::Answer(status, Vec::new(), b"<Error>hush-hush</Error>".to_vec());
    vec![
        ("slow", Fault::Late(Duration::from_millis(300))),
        ("500", status(500)),
        ("503", status(503)),
        ("503 with Retry-After", Fault::busy(503, "1")),
        ("429", status(429)),
        ("429 with Retry-After", Fault::busy(429, "1")),
        ("403", status(403)),
        ("404", status(404)),
        ("answer lost", Fault::LoseAnswer),
        ("request cut off", Fault::CutRequest(1000)),
        ("other bytes sent", Fault::FlipRequest(500)),
        ("other bytes come", Fault::FlipAnswer(500)),
        ("answer cut off", Fault::CutAnswer(1000)),
        ("answer stalls", Fault::StallAnswer(1000)),
        ("length too large", Fault::WrongLength(7)),
        ("length too small", Fault::WrongLength(-7)),
        ("no answer", Fault::Silence),
    ]
}

/// What is going on with the content of a digest: which requests, what happens, and how often.
type Plans = Arc<Mutex<BTreeMap<String, (fn(&Seen) -> bool, Fault, u32)>>>;

/// The S3 server with a proxy in front of it, and a registry that knows the proxy only.
struct Scene {
    _runtime: tokio::runtime::Runtime,
    _s3: S3Server,
    _proxy: Proxy,
    place: Place,
    plans: Plans,
}

impl Scene {
    fn new() -> Self {
        let s3 = S3Server::start(S3).unwrap();
        let plans = Plans::default();
        let (server, planned) = (s3.address(), Arc::clone(&plans));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let proxy = runtime.block_on(Proxy::faulty(server, move |seen| next(&planned, seen)));
        let proxy = proxy.unwrap();
        let place = Place::new(proxy.address());
        Self { _runtime: runtime, _s3: s3, _proxy: proxy, place, plans }
    }

    /// Lets a fault happen to requests for a content, so often.
    fn plan(&self, release: &Release, call: &Call, fault: &Fault, times: u32) {
        let plan = (call.2, fault.clone(), times);
        self.plans.lock().unwrap().insert(hex(release), plan);
    }

    /// Ends it. It must have happened, or the row would say nothing.
    #[track_caller]
    fn end(&self, release: &Release, times: u32) {
        let (.., left) = self.plans.lock().unwrap().remove(&hex(release)).unwrap();
        assert!(left < times, "the fault has not happened");
    }
}

fn hex(release: &Release) -> String {
    release.digest.to_string().replace("sha256:", "")
}

fn next(plans: &Plans, seen: &Seen) -> Fault {
    let mut plans = plans.lock().unwrap();
    let plan = plans.iter_mut().find(|(hex, _)| seen.path.contains(hex.as_str()));
    let Some((_, (is_it, fault, times))) = plan else { return Fault::None };
    if *times == 0 || !is_it(seen) {
        return Fault::None;
    }
    *times -= 1;
    fault.clone()
}

/// Every call with every fault, once and for ever, several at a time.
fn rows(
    calls: &'static [Call],
    row: impl Fn(usize, &Call, &str, &Fault, u32) -> String + Sync,
) -> String {
    let mut jobs = Vec::new();
    for call in calls {
        for (name, fault) in faults() {
            for times in [1, u32::MAX] {
                jobs.push((call, name, fault.clone(), times));
            }
        }
    }
    let (jobs, done) = (Mutex::new(jobs.into_iter().enumerate()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap().next();
                    let Some((number, (call, name, fault, times))) = job else { break };
                    let said = row(number, call, name, &fault, times);
                    let often = if times == 1 { "once" } else { "always" };
                    let line = format!("{:30} {name:22} {often:7} {said}", call.0);
                    done.lock().unwrap().insert(number, line);
                }
            });
        }
    });
    let mut table = String::new();
    for line in done.into_inner().unwrap().values() {
        writeln!(table, "{}", line.trim_end()).unwrap();
    }
    table
}

#[test]
fn what_is_written() {
    let scene = Scene::new();
    let server = scene.place.start();
    let at = server.address;
    let published = Mutex::new(Vec::new());
    let table = rows(&WRITES, |number, call, _, fault, times| {
        let content = some_bytes(number as u64 + 1, call.1);
        let release = Release::new(&format!("test:row{number}"), content);
        assert_eq!(release.publish(at).status, 202);
        scene.plan(&release, call, fault, times);
        let answer = release.upload(at).unwrap();
        assert!(!String::from_utf8_lossy(&answer.body).contains("hush"));
        let state = release.state(at);
        scene.end(&release, times);
        // What was acknowledged is there; what was not is asked for again, and comes.
        assert_eq!(answer.status == 201, state == "published");
        assert_eq!(answer.status == 503, answer.has("retry-after:"));
        let again = if answer.status == 201 { "" } else { ", then 201 and published" };
        if answer.status != 201 {
            assert_eq!(release.upload(at).unwrap().status, 201);
            assert_eq!(release.state(at), "published");
        }
        release.assert_there(at);
        // These bytes are not content, and differ from run to run: what they say then, nobody knows.
        let is_open = call.0.starts_with("end") && matches!(fault, Fault::FlipRequest(_));
        let said = if is_open {
            "published in the end".to_owned()
        } else {
            format!("{} {state}{again}", answer.status)
        };
        published.lock().unwrap().push(release);
        said
    });
    insta::assert_snapshot!("writes", table);
    server.kill();
    let server = scene.place.start();
    for release in published.into_inner().unwrap() {
        release.assert_there(server.address);
    }
    server.stop();
    scene.place.assert_clean();
}

#[test]
fn what_is_read() {
    let scene = Scene::new();
    let server = scene.place.start();
    let count = READS.len() * faults().len() * 2;
    let release = |number: usize| {
        let call = &READS[number / (count / READS.len())];
        Release::new(&format!("test:row{number}"), some_bytes(number as u64 + 1, call.1))
    };
    let releases: Vec<Release> = (0..count).map(release).collect();
    for release in &releases {
        release.publish_all(server.address);
    }
    // It knows no hashes then, and believes object storage nothing.
    server.stop();
    let server = scene.place.start();
    let at = server.address;
    let table = rows(&READS, |number, call, _, fault, times| {
        let release = &releases[number];
        scene.plan(release, call, fault, times);
        let first = seen(release, at);
        scene.end(release, times);
        scene.plan(release, call, fault, times);
        let part = seen_part(release, at);
        scene.end(release, times);
        release.assert_there(at);
        // Now the hashes are known, and no byte is sent that is not right.
        scene.plan(release, call, fault, times);
        let second = seen(release, at);
        scene.end(release, times);
        release.assert_there(at);
        format!("{first:22} part: {part:22} known: {second}")
    });
    insta::assert_snapshot!("reads", table);
    server.stop();
    scene.place.assert_clean();
}

/// What a client sees of a download, in which no answer that came to its end is wrong.
fn seen(release: &Release, at: SocketAddr) -> String {
    let answer = release.download(at);
    assert!(!String::from_utf8_lossy(&answer.body).contains("hush"));
    match (answer.status, answer.whole) {
        (200, true) => {
            assert!(answer.body == release.content, "wrong bytes were served as content");
            "200".into()
        }
        (200, false) => {
            assert!(answer.body.len() < release.content.len());
            "200, broken off".into()
        }
        (status, _) => {
            assert!(answer.has("retry-after:"));
            status.to_string()
        }
    }
}

/// The same for the last bytes alone.
fn seen_part(release: &Release, at: SocketAddr) -> String {
    let from = release.content.len() - 100;
    let head = format!("GET {}\nrange: bytes={from}-", release.content_path());
    let answer = request(at, &head, &[]);
    match (answer.status, answer.whole) {
        (206, true) => {
            assert!(answer.body == release.content[from..], "wrong bytes were served as content");
            "206".into()
        }
        (206, false) => "206, broken off".into(),
        (status, _) => status.to_string(),
    }
}
