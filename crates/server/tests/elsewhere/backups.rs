//! Snapshots in object storage: what comes back, and what happens when somebody or something is in the
//! way.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::runtime::Runtime;
use wargate_testkit::proxy::{Fault, Proxy, Seen};
use wargate_testkit::s3::{BUCKET, S3Server, SECRET_KEY};

use crate::S3;
use crate::client::{Release, some_bytes};
use crate::objects::files;
use crate::program::Place;

const MIB: usize = 1 << 20;

/// Object storage, and a registry whose data directory has its content.
struct Scene {
    s3: S3Server,
    place: Place,
    url: String,
}

impl Scene {
    fn new() -> Self {
        let s3 = S3Server::start(S3).unwrap();
        let place = reaching(s3.address());
        Self { s3, place, url: format!("s3://{BUCKET}/deep/backup") }
    }

    /// Publishes packages of these sizes.
    fn publish(&self, name: &str, sizes: &[usize]) -> Vec<Release> {
        let release = |(number, size): (usize, &usize)| {
            let content = some_bytes((name.len() * 1000 + number) as u64, *size);
            Release::new(&format!("test:{name}{number}"), content)
        };
        let releases: Vec<_> = sizes.iter().enumerate().map(release).collect();
        let server = self.place.start();
        for release in &releases {
            release.publish_all(server.address);
        }
        server.stop();
        releases
    }

    fn snapshot(&self) -> Value {
        json(&self.place.run(&["--json", "snapshot", &self.url, "--with-keys"]))
    }

    /// Checks every snapshot; how many there are.
    #[track_caller]
    fn verify_all(&self) -> usize {
        verify_all(&self.place, &self.url)
    }

    /// Names of locks that are there.
    fn locks(&self) -> Vec<String> {
        let locks = files(&self.s3.bucket().join("deep/backup/locks"));
        locks.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// The newest snapshot in another data directory, which its server serves.
    #[track_caller]
    fn assert_comes_back(&self, releases: &[Release]) {
        let other = reaching(self.s3.address());
        json(&other.run(&["--json", "restore", &self.url]));
        other.assert_clean();
        let server = other.start();
        for release in releases {
            release.assert_there(server.address);
        }
        server.stop();
    }
}

/// A data directory of its own, from where object storage is reached.
fn reaching(s3: SocketAddr) -> Place {
    let mut place = Place::local();
    for (name, value) in S3Server::variables(s3) {
        place.set(&name, &value);
    }
    place
}

#[track_caller]
fn verify_all(place: &Place, url: &str) -> usize {
    let list = json(&place.run(&["--json", "snapshot", "list", url]));
    for row in list.as_array().unwrap() {
        let id = row["snapshot"].as_str().unwrap();
        let report = json(&place.run(&["--json", "snapshot", "verify", url, "--snapshot", id]));
        assert_eq!(report["findings"], serde_json::json!([]));
    }
    list.as_array().unwrap().len()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    let said = format!("{}\n{out}{err}", output.status);
    assert!(!said.contains("hush") && !said.contains("AKIATEST"), "{said}");
    said
}

#[track_caller]
fn json(output: &Output) -> Value {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn error(output: &Output) -> String {
    let said = said(output);
    assert!(!output.status.success(), "{said}");
    said
}

#[test]
fn a_registry_comes_back_from_a_bucket() {
    let scene = Scene::new();
    let mut releases = scene.publish("first", &[10, 100_000, 9 * MIB, 20 * MIB + 7]);
    let first = scene.snapshot();
    assert!(first["newBytes"].as_u64().unwrap() > 29 * MIB as u64);
    releases.extend(scene.publish("more", &[2 * MIB]));
    let second = scene.snapshot();
    let new_bytes = second["newBytes"].as_u64().unwrap();
    assert!((2 * MIB as u64..3 * MIB as u64).contains(&new_bytes), "what is there stays there");
    assert_eq!(scene.verify_all(), 2);
    scene.assert_comes_back(&releases);
    let pruned =
        json(&scene.place.run(&["--json", "snapshot", "prune", &scene.url, "--keep", "1"]));
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 1);
    assert!(pruned["removedParts"].as_u64().unwrap() > 0);
    assert_eq!(scene.verify_all(), 1);
    scene.assert_comes_back(&releases);
    assert_eq!(scene.locks(), [""; 0]);
    for file in files(&scene.s3.bucket()) {
        let text = fs::read(file).unwrap();
        assert!(!text.windows(SECRET_KEY.len()).any(|part| part == SECRET_KEY.as_bytes()));
    }
}

#[test]
fn content_in_a_bucket_goes_to_another_place_of_it() {
    let s3 = S3Server::start(S3).unwrap();
    let (place, url) = (Place::new(s3.address()), format!("s3://{BUCKET}/backup"));
    let scene = Scene { s3, place, url };
    let releases = scene.publish("one", &[10, 3 * MIB, 9 * MIB]);
    scene.snapshot();
    // Whatever becomes of the first place.
    fs::remove_dir_all(scene.s3.bucket().join("registry")).unwrap();
    let other = reaching(scene.s3.address());
    json(&other.run(&["--json", "restore", &scene.url]));
    let server = other.start();
    for release in &releases {
        release.assert_there(server.address);
    }
    server.stop();
    other.assert_clean();
}

#[test]
fn several_are_taken_at_once_while_the_registry_is_written() {
    let scene = Scene::new();
    scene.publish("first", &[10, 2 * MIB]);
    let server = scene.place.start();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| scene.snapshot());
        }
        for number in 0..10 {
            let content = some_bytes(500 + number, 100_000);
            Release::new(&format!("test:beside{number}"), content).publish_all(server.address);
        }
    });
    server.stop();
    let count = scene.verify_all();
    assert!((1..=3).contains(&count), "two of one moment may be the same");
    assert_eq!(scene.locks(), [""; 0]);
}

#[test]
fn the_database_is_held_by_nobody_while_object_storage_is_slow() {
    let scene = Scene::new();
    let server = scene.place.start();
    let half = Release::half("test:half", some_bytes(77, MIB));
    assert_eq!(half.publish(server.address).status, 202);
    half.upload(server.address).unwrap();
    assert_eq!(half.state(server.address), "sourcing");
    // What is pending comes first, so this is its content.
    let gate =
        Gate::new(scene.s3.address(), |seen| seen.method == "PUT" && seen.path.contains("/parts/"));
    let taking = gate.stop(&scene.place, &["--json", "snapshot", &scene.url]);
    let meanwhile = Release::new("test:meanwhile", some_bytes(78, 1000));
    meanwhile.publish_all(server.address);
    // The log that is written ahead can begin anew: nobody reads from what it was before.
    let database = rusqlite::Connection::open(scene.place.data().join("registry.db")).unwrap();
    let is_busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    assert!(!database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy).unwrap());
    drop(database);
    gate.go_on.send(()).unwrap();
    let taken = json(&taking.wait_with_output().unwrap());
    assert_eq!(taken["length"], 1, "of the moment when it began");
    server.stop();
    assert_eq!(scene.verify_all(), 1);
    let other = reaching(scene.s3.address());
    json(&other.run(&["--json", "restore", &scene.url]));
    other.assert_clean();
}

#[test]
fn a_place_that_cannot_be_is_refused_with_what_to_do() {
    let scene = Scene::new();
    scene.publish("one", &[10]);
    let refused = |url: &str| error(&scene.place.run(&["snapshot", url]));
    for wrong in ["s3://id:hush-hush@bucket/a", "ftp://bucket/a", "s3://", "file:///tmp"] {
        assert!(refused(wrong).contains("hint: "));
    }
    assert!(refused("s3://no-such-bucket/a").contains("there is no bucket of that name"));
    // Of others, of a newer program, and without any.
    fs::create_dir_all(scene.s3.bucket().join("taken/by")).unwrap();
    fs::write(scene.s3.bucket().join("taken/by/others"), "").unwrap();
    assert!(refused("s3://bucket/taken").contains("something else in it (by)"));
    assert!(refused("s3://bucket").contains("something else in it (taken)"));
    fs::create_dir(scene.s3.bucket().join("newer")).unwrap();
    let newer = "wargate snapshots, version 9\n";
    fs::write(scene.s3.bucket().join("newer/wargate-snapshots"), newer).unwrap();
    assert!(refused("s3://bucket/newer").contains("use a newer program"));
    for command in [&["snapshot", "list"][..], &["snapshot", "verify"], &["restore"]] {
        let said = error(&scene.place.run(&[command, &["s3://bucket/none"]].concat()));
        assert!(said.contains("there are no snapshots"), "{said}");
    }
    assert!(!scene.s3.bucket().join("none").exists(), "looking writes nothing");
    let with = |name: &str, value: &str| {
        let mut command = scene.place.command(&["snapshot", &scene.url]);
        error(&command.env(name, value).env("AWS_MAX_ATTEMPTS", "1").output().unwrap())
    };
    let said = with("AWS_SECRET_ACCESS_KEY", "hush-not-this-one");
    assert!(said.contains("refuses the credentials") && said.contains("hint: "), "{said}");
    let said = with("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    assert!(said.contains("cannot be reached") && said.contains("hint: "), "{said}");
    assert!(!scene.s3.bucket().join("deep").exists());
}

/// Stops the first request of a kind until it is told to go on.
struct Gate {
    /// Dropped first, which opens it: the proxy's threads end only then.
    go_on: mpsc::Sender<()>,
    reached: mpsc::Receiver<()>,
    proxy: Proxy,
    _runtime: Runtime,
}

impl Gate {
    fn new(server: SocketAddr, is_it: fn(&Seen) -> bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(4).enable_all().build().unwrap();
        let ((reach, reached), (go_on, gone_on)) = (mpsc::channel(), mpsc::channel());
        let (gone_on, first) = (Mutex::new(gone_on), AtomicBool::new(true));
        let proxy = runtime.block_on(Proxy::faulty(server, move |seen| {
            if is_it(seen) && first.swap(false, Ordering::SeqCst) {
                reach.send(()).unwrap();
                let _ = gone_on.lock().unwrap().recv();
            }
            Fault::None
        }));
        Self { go_on, reached, proxy: proxy.unwrap(), _runtime: runtime }
    }

    /// Starts a command that comes to it, and waits until it has.
    fn stop(&self, place: &Place, arguments: &[&str]) -> Child {
        let mut command = place.command(arguments);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.proxy.address()));
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        self.reached.recv_timeout(Duration::from_mins(2)).unwrap();
        child
    }
}

#[test]
fn nothing_is_removed_while_a_snapshot_is_taken() {
    let scene = Scene::new();
    scene.publish("one", &[10, MIB]);
    scene.snapshot();
    scene.publish("another", &[MIB]);
    let gate = Gate::new(scene.s3.address(), |seen| {
        seen.method == "PUT" && seen.path.contains("/manifests/")
    });
    let prune = ["snapshot", "prune", &scene.url, "--keep", "1"];
    let taking = gate.stop(&scene.place, &["--json", "snapshot", &scene.url]);
    // Its parts are there, and no manifest names them.
    let said = error(&scene.place.run(&prune));
    assert!(said.contains("somebody takes or removes snapshots"), "{said}");
    gate.go_on.send(()).unwrap();
    json(&taking.wait_with_output().unwrap());
    assert_eq!(scene.verify_all(), 2);
    json(&scene.place.run(&[&["--json"][..], &prune].concat()));
    assert_eq!(scene.verify_all(), 1);
}

#[test]
fn a_snapshot_waits_until_others_are_removed() {
    let scene = Scene::new();
    scene.publish("one", &[10, MIB]);
    scene.snapshot();
    let releases = scene.publish("another", &[MIB]);
    scene.snapshot();
    // It is about to remove what nobody needs.
    let gate = Gate::new(scene.s3.address(), |seen| {
        seen.method == "DELETE" || (seen.method == "POST" && seen.path.contains("delete"))
    });
    let prune = ["--json", "snapshot", "prune", &scene.url, "--keep", "1"];
    let removing = gate.stop(&scene.place, &prune);
    thread::scope(|scope| {
        let taking = scope.spawn(|| scene.snapshot());
        while !scene.locks().iter().any(|name| name.starts_with("add-")) && !taking.is_finished() {
            thread::yield_now();
        }
        assert!(!taking.is_finished(), "it did not wait");
        gate.go_on.send(()).unwrap();
        taking.join().unwrap();
    });
    json(&removing.wait_with_output().unwrap());
    assert_eq!(scene.verify_all(), 2);
    scene.assert_comes_back(&releases);
}

#[test]
fn who_was_killed_is_in_nobodys_way_for_ever() {
    let scene = Scene::new();
    let releases = scene.publish("one", &[10, MIB]);
    scene.snapshot();
    scene.publish("another", &[MIB]);
    let gate = Gate::new(scene.s3.address(), |seen| {
        seen.method == "PUT" && seen.path.contains("/manifests/")
    });
    let mut taking = gate.stop(&scene.place, &["snapshot", &scene.url]);
    taking.kill().unwrap();
    taking.wait().unwrap();
    assert_eq!(scene.verify_all(), 1);
    let prune = ["--json", "snapshot", "prune", &scene.url, "--keep", "1"];
    assert!(error(&scene.place.run(&prune)).contains("was interrupted within the last hour"));
    // Others who add do not mind.
    scene.snapshot();
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    for lock in files(&scene.s3.bucket().join("deep/backup/locks")) {
        File::options().write(true).open(lock).unwrap().set_modified(long_ago).unwrap();
    }
    let pruned = json(&scene.place.run(&prune));
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 1);
    assert_eq!((scene.locks().len(), scene.verify_all()), (0, 1));
    scene.assert_comes_back(&releases);
}

/// A request, and which it is.
type Call = (&'static str, fn(&Seen) -> bool);

fn is_list_of(seen: &Seen, folder: &str) -> bool {
    seen.method == "GET" && seen.path.contains("list-type=2") && seen.path.contains(folder)
}

/// Those of a snapshot.
const WRITES: [Call; 8] = [
    ("read the mark", |seen| seen.method == "GET" && seen.path.contains("/wargate-snapshots")),
    ("put the lock", |seen| seen.method == "PUT" && seen.path.contains("/locks/")),
    ("list the locks", |seen| is_list_of(seen, "locks")),
    ("look for a part", |seen| seen.method == "HEAD" && seen.path.contains("/parts/")),
    ("put a part", |seen| {
        seen.method == "PUT" && seen.path.contains("/parts/") && !seen.path.contains('?')
    }),
    ("put a piece of a part", |seen| seen.method == "PUT" && seen.path.contains("partNumber=2")),
    ("end a part of pieces", |seen| seen.method == "POST" && seen.path.contains("uploadId")),
    ("put the manifest", |seen| seen.method == "PUT" && seen.path.contains("/manifests/")),
];

/// Those of a restore.
const READS: [Call; 3] = [
    ("list the snapshots", |seen| is_list_of(seen, "manifests")),
    ("get the manifest", |seen| seen.method == "GET" && seen.path.contains("/manifests/")),
    ("get a part", |seen| seen.method == "GET" && seen.path.contains("/parts/")),
];

fn faults() -> Vec<(&'static str, Fault)> {
    let status = |status| Fault::Answer(status, Vec::new(), b"<Error>hush-hush</Error>".to_vec());
    vec![
        ("500", status(500)),
        ("403", status(403)),
        ("answer lost", Fault::LoseAnswer),
        ("request cut off", Fault::CutRequest(100)),
        ("other bytes sent", Fault::FlipRequest(50)),
        ("other bytes come", Fault::FlipAnswer(50)),
        ("answer cut off", Fault::CutAnswer(50)),
        ("no answer", Fault::Silence),
    ]
}

/// Does something with every fault of every call, once and for ever, through a line that has it.
fn rows(s3: &S3Server, calls: &[Call], row: impl Fn(usize, SocketAddr, &Call, &str, bool) + Sync) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut jobs = Vec::new();
    for call in calls {
        for (name, fault) in faults() {
            for always in [false, true] {
                jobs.push((call, name, fault.clone(), always));
            }
        }
    }
    let jobs = Mutex::new(jobs.into_iter().enumerate());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap().next();
                    let Some((number, (call, name, fault, always))) = job else { break };
                    let (first, is_it) = (AtomicBool::new(true), call.1);
                    let proxy = runtime.block_on(Proxy::faulty(s3.address(), move |seen| {
                        let hit = is_it(seen) && (first.swap(false, Ordering::SeqCst) || always);
                        if hit { fault.clone() } else { Fault::None }
                    }));
                    let proxy = proxy.unwrap();
                    row(number, proxy.address(), call, name, always);
                    let hit = proxy.seen().iter().any(call.1);
                    assert!(hit, "{}: the fault has not happened", call.0);
                }
            });
        }
    });
}

/// A command whose requests go there, and are not made again very often.
fn run_through(place: &Place, at: SocketAddr, arguments: &[&str]) -> Output {
    let mut command = place.command(arguments);
    command.env("AWS_ENDPOINT_URL", format!("http://{at}"));
    command.env("AWS_TIMEOUT", "3s").env("AWS_MAX_ATTEMPTS", "2").output().unwrap()
}

#[test]
fn whatever_fails_leaves_no_snapshot_that_is_taken_for_whole() {
    let scene = Scene::new();
    scene.publish("one", &[10, 100_000, 9 * MIB]);
    rows(&scene.s3, &WRITES, |number, at, call, fault, always| {
        let url = format!("s3://{BUCKET}/row{number}");
        let output = run_through(&scene.place, at, &["snapshot", &url]);
        let (what, taken) =
            (format!("{} {fault} {always}: {}", call.0, said(&output)), output.status.success());
        match (fault, always) {
            ("500", false) => assert!(taken, "{what}"),
            ("500" | "403", _) => assert!(!taken, "{what}"),
            _ => {}
        }
        assert!(taken || what.contains("error: "), "{what}");
        // It is whole if it is there, and what is not there is taken the next time.
        if taken {
            assert_eq!(verify_all(&scene.place, &url), 1, "{what}");
        }
        json(&scene.place.run(&["--json", "snapshot", &url]));
        assert!((1..=2).contains(&verify_all(&scene.place, &url)), "{what}");
    });
}

#[test]
fn whatever_fails_is_not_restored_wrongly() {
    let scene = Scene::new();
    let releases = scene.publish("one", &[10, 100_000, 9 * MIB]);
    scene.snapshot();
    rows(&scene.s3, &READS, |_, at, call, fault, always| {
        let other = reaching(scene.s3.address());
        let output = run_through(&other, at, &["--json", "restore", &scene.url]);
        let (what, restored) =
            (format!("{} {fault} {always}: {}", call.0, said(&output)), output.status.success());
        match (fault, always) {
            ("500", false) => assert!(restored, "{what}"),
            ("500" | "403", _) | ("other bytes come", true) => assert!(!restored, "{what}"),
            _ => {}
        }
        if !restored {
            assert!(what.contains("error: "), "{what}");
            json(&other.run(&["--json", "restore", &scene.url]));
        }
        other.assert_clean();
    });
    scene.assert_comes_back(&releases);
}
