//! A registry under a mixed load in a process of its own: publishers and readers who behave well,
//! clients who do not, and an operator who takes snapshots beside the server. Fails on any error for
//! those who behave, on memory that grows after the beginning, on files that stay open, on data that
//! does not agree with its log in the end, and if the last snapshot does not come back.
//!
//! Who behaves comes from 127.0.0.1, who does not from 127.0.0.2, so that limits by address tell them
//! apart.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program speaks to a person"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use wargate_api::paths;
use wargate_bench::hammer::{Connection, Content, Package, Until, Workload};
use wargate_bench::process::{End, Process, Serve, Server};
use wargate_crypto::Digest;

/// Mix good and bad load
#[derive(Parser)]
struct Options {
    /// The server's program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// A folder for the data
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// For how long
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Publishers at the same time
    #[arg(long, default_value_t = 4)]
    publishers: u64,
    /// Readers at the same time
    #[arg(long, default_value_t = 4)]
    readers: u64,
    /// How long to wait between a snapshot and the next
    #[arg(long, default_value_t = 60)]
    snapshot_seconds: u64,
}

impl Options {
    /// Where the registry is.
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where its snapshots are.
    fn snapshots(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    /// Where the last of them comes back.
    fn restored(&self) -> PathBuf {
        self.folder.join("restored")
    }
}

/// How many snapshots are kept.
const SNAPSHOTS_KEPT: &str = "3";

/// How often the server is looked at.
const SAMPLE: Duration = Duration::from_secs(5);

/// How much more memory there may be in the last third than in the second, in KiB and as a share.
const GROWTH_KIB_MAX: u64 = 16 << 10;
const GROWTH_MAX: f64 = 1.15;

/// How long one who behaves rests after each package: all of them together stay below every limit,
/// however fast the machine is.
const PACE: Duration = Duration::from_millis(50);

/// How many packages a reader chooses from.
const SHELF: usize = 1000;

/// What all share.
struct World {
    address: SocketAddr,
    stop: AtomicBool,
    /// What was published last.
    shelf: Mutex<Vec<Arc<Package>>>,
    counts: Counts,
    errors: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Counts {
    published: AtomicU64,
    read: AtomicU64,
    hostile: AtomicU64,
    limited: AtomicU64,
    snapshots: AtomicU64,
    errors: AtomicU64,
}

/// What the server took at a moment.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    seconds: f64,
    anonymous_kib: u64,
    open_files: u64,
    published: u64,
    read: u64,
    hostile: u64,
    limited: u64,
    snapshots: u64,
    errors: u64,
}

/// What was found when the load was gone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Judgement {
    /// Whether the registry agrees with its log.
    fsck_clean: bool,
    /// How many records the last snapshot has.
    snapshot_records: u64,
    /// How many of them came back.
    restored_records: u64,
    /// Whether what came back agrees with its log.
    restored_clean: bool,
    errors: Vec<String>,
}

fn main() -> Result<()> {
    let options = Arc::new(Options::parse());
    let server = Server::start(
        &options.server,
        &options.data(),
        &Serve { flags: flags(), ..Serve::default() },
    )?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let world = Arc::new(World {
        address: server.address,
        stop: AtomicBool::new(false),
        shelf: Mutex::default(),
        counts: Counts::default(),
        errors: Mutex::default(),
    });
    let (samples, snapshot_records) = runtime.block_on(soak(&options, &world, server.process()))?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    server.end(End::Terminate)?;
    let judgement = Judgement {
        fsck_clean: is_clean(&options, &options.data())?,
        snapshot_records,
        restored_records: restore(&options)?,
        restored_clean: is_clean(&options, &options.restored())?,
        errors: std::mem::take(&mut *lock(&world.errors)),
    };
    print(&samples, &judgement)?;
    judge(&samples, &judgement)
}

/// What was seen, and how many records the last snapshot has.
async fn soak(
    options: &Arc<Options>,
    world: &Arc<World>,
    process: Process,
) -> Result<(Vec<Sample>, u64)> {
    let mut tasks = Vec::new();
    for number in 0..options.publishers {
        tasks.push(tokio::spawn(behaved(Arc::clone(world), number, true)));
    }
    for number in 0..options.readers {
        tasks.push(tokio::spawn(behaved(Arc::clone(world), number, false)));
    }
    for kind in [Hostile::Flood, Hostile::Garbage, Hostile::Slow, Hostile::Squatter] {
        tasks.push(tokio::spawn(hostile(Arc::clone(world), kind)));
    }
    let operator = tokio::spawn(operator(Arc::clone(world), Arc::clone(options)));
    let (began, mut samples) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(options.seconds) {
        rest(SAMPLE).await;
        let sample = world.sample(began, process)?;
        eprintln!(
            "{:>6.0} s  {:>7} KiB  {:>4} files  {:>8} published  {:>8} read  {:>9} hostile  {:>9} \
             limited  {:>3} snapshots  {} errors",
            sample.seconds,
            sample.anonymous_kib,
            sample.open_files,
            sample.published,
            sample.read,
            sample.hostile,
            sample.limited,
            sample.snapshots,
            sample.errors
        );
        samples.push(sample);
    }
    world.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        // A slow one may be in the middle of doing nothing.
        let _ = tokio::time::timeout(Duration::from_secs(20), task).await;
    }
    // A snapshot that was begun is finished.
    Ok((samples, operator.await?))
}

impl World {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn sample(&self, began: Instant, process: Process) -> Result<Sample> {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { published, read, hostile, limited, snapshots, errors } = &self.counts;
        let files = std::fs::read_dir(format!("/proc/{}/fd", process.0))?.count();
        Ok(Sample {
            seconds: began.elapsed().as_secs_f64(),
            anonymous_kib: process.memory()?.anonymous_kib,
            open_files: files as u64,
            published: of(published),
            read: of(read),
            hostile: of(hostile),
            limited: of(limited),
            snapshots: of(snapshots),
            errors: of(errors),
        })
    }

    /// Counts what should not have happened.
    fn fail(&self, error: &anyhow::Error) {
        eprintln!("error: {error:#}");
        self.counts.errors.fetch_add(1, Ordering::Relaxed);
        let mut errors = lock(&self.errors);
        if errors.len() < 20 {
            errors.push(format!("{error:#}"));
        }
    }
}

/// One who publishes or reads, and whose every step must succeed.
async fn behaved(world: Arc<World>, number: u64, publishes: bool) {
    let mut round = 0_u64;
    let mut connection = None;
    while world.goes_on() {
        round += 1;
        let done = async {
            let on = match &mut connection {
                Some(open) => open,
                none => none.insert(Connection::open(world.address).await?),
            };
            if publishes {
                publish(&world, on, number * 1_000_000_000 + round).await
            } else {
                read(&world, on, round).await
            }
        };
        if let Err(error) = done.await {
            world.fail(&error);
            connection = None;
        }
        rest(PACE).await;
    }
}

async fn publish(world: &World, on: &mut Connection, run: u64) -> Result<()> {
    // Some of it is small enough for the database, some is not.
    let content_bytes = if run.is_multiple_of(10) { 100_000 } else { 1000 };
    let (namespace, content) = ("load".into(), Content::Module);
    let workload = Workload { packages: 1, content_bytes, namespace, run, content };
    let package = workload.prepare()?.pop().context("a package")?;
    package.publish(on, Until::Published).await?;
    world.counts.published.fetch_add(1, Ordering::Relaxed);
    let mut shelf = lock(&world.shelf);
    if shelf.len() >= SHELF {
        let place = usize::try_from(run).unwrap_or(0) % SHELF;
        shelf.swap_remove(place);
    }
    shelf.push(Arc::new(package));
    Ok(())
}

/// Fetches checkpoint, record and content of a package, and believes none of it.
async fn read(world: &World, on: &mut Connection, round: u64) -> Result<()> {
    let chosen = {
        let shelf = lock(&world.shelf);
        let place = usize::try_from(round * 7919).unwrap_or(0);
        shelf.get(place % shelf.len().max(1)).cloned()
    };
    let Some(package) = chosen else {
        rest(Duration::from_millis(50)).await;
        return Ok(());
    };
    let (log, record) = package.ids();
    let checkpoint: Value = on.fetch(paths::FETCH_CHECKPOINT).await?;
    let length = &checkpoint["contents"]["logLength"];
    let question = json!({ "logLength": length, "packages": { log.to_string(): null } });
    let logs: Value = on.ask(paths::FETCH_LOGS, &question).await?;
    let first = &logs["packages"][log.to_string()][0];
    let envelope = serde_json::from_value(first.clone()).context("a record")?;
    let envelope = wargate_protocol::PackageEnvelope::decode(envelope)?;
    ensure!(envelope.record_id() == record, "another record than was published");
    let leaf = json!({ "logLength": length, "leafs": [first["registryIndex"]] });
    let proof: Value = on.ask("v1/proof/inclusion", &leaf).await?;
    ensure!(proof["log"].is_string() && proof["map"].is_string(), "no proof: {proof}");
    let wanted = package.digest();
    let path = format!("content/{}", wanted.to_string().replace(':', "-"));
    let (status, bytes) = on.send(Method::GET, &path, None).await?;
    ensure!(status == StatusCode::OK, "content was answered {status}");
    ensure!(Digest::of(&bytes) == wanted, "other bytes than were published");
    world.counts.read.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// One who takes snapshots and removes old ones while everybody else goes on. How many records the last
/// one has.
async fn operator(world: Arc<World>, options: Arc<Options>) -> u64 {
    let mut records = 0;
    while world.goes_on() {
        let (next, options) = (Arc::clone(&options), Arc::clone(&options));
        let taken = tokio::task::spawn_blocking(move || snapshot(&next)).await;
        match taken.map_err(Into::into).flatten() {
            Ok(length) => {
                records = length;
                world.counts.snapshots.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => world.fail(&error),
        }
        let taken = Instant::now();
        let wait = Duration::from_secs(options.snapshot_seconds);
        while world.goes_on() && taken.elapsed() < wait {
            rest(Duration::from_millis(500)).await;
        }
    }
    records
}

/// Takes a snapshot and removes those that are too many. How many records it has.
fn snapshot(options: &Options) -> Result<u64> {
    let (program, place) = (&options.server, options.snapshots());
    let mut take = Command::new(program);
    take.args(["--json", "snapshot"]).arg(&place).arg("--data-dir").arg(options.data());
    let taken = told(&mut take)?;
    told(
        Command::new(program)
            .args(["--json", "snapshot", "prune", "--keep", SNAPSHOTS_KEPT])
            .arg(&place),
    )?;
    taken["length"].as_u64().context("a snapshot has a length")
}

/// Makes a new registry of the newest snapshot. How many records it has.
fn restore(options: &Options) -> Result<u64> {
    let mut restore = Command::new(&options.server);
    restore.args(["--json", "restore"]).arg(options.snapshots());
    let restored = told(restore.arg("--data-dir").arg(options.restored()))?;
    restored["length"].as_u64().context("a registry has a length")
}

/// What a command answers.
fn told(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).output()?;
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?} ended with {}: {out}{err}", output.status);
    Ok(serde_json::from_str(&out)?)
}

#[derive(Clone, Copy, Debug)]
enum Hostile {
    /// As many requests as go through.
    Flood,
    /// Bytes that are no requests, and bodies that are none.
    Garbage,
    /// Connections that are kept without being used.
    Slow,
    /// Records whose content never comes.
    Squatter,
}

async fn hostile(world: Arc<World>, kind: Hostile) {
    let mut round = 0_u64;
    while world.goes_on() {
        round += 1;
        let done = match kind {
            Hostile::Flood => flood(&world).await,
            Hostile::Garbage => garbage(&world, round).await,
            Hostile::Slow => slow(&world).await,
            Hostile::Squatter => squat(&world, round).await,
        };
        // Whatever the server does to him serves him right.
        if done.is_err() {
            rest(Duration::from_millis(20)).await;
        }
    }
}

/// The rhythm of those who ask and of whoever looks at the server.
async fn rest(time: Duration) {
    tokio::time::interval_at(tokio::time::Instant::now() + time, time).tick().await;
}

/// A connection from the address of those who do not behave.
async fn connect(world: &World) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
    Ok(socket.connect(world.address).await?)
}

/// Sends all of it and reads for a while; counts answers.
async fn send(world: &World, bytes: &[u8]) -> Result<()> {
    let mut stream = connect(world).await?;
    let (mut from, mut to) = stream.split();
    let reading = async {
        let mut answer = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while let Ok(Ok(read @ 1..)) =
            tokio::time::timeout(Duration::from_millis(500), from.read(&mut buffer)).await
        {
            answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answer);
            let limited = text.matches("HTTP/1.1 429").count() as u64;
            world.counts.limited.fetch_add(limited, Ordering::Relaxed);
            ensure!(!text.contains("HTTP/1.1 500"), "the server made a mistake");
            answer.clear();
        }
        Ok(())
    };
    let (sent, read) = tokio::join!(to.write_all(bytes), reading);
    if let Err(error) = &read {
        world.fail(error);
    }
    sent?;
    world.counts.hostile.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn flood(world: &World) -> Result<()> {
    let one = b"GET /v1/ledger HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
    let last = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    send(world, &[&one, &last[..]].concat()).await
}

async fn garbage(world: &World, round: u64) -> Result<()> {
    let head = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let cases = [
        format!("POST /v1/fetch/logs HTTP/1.1\r\n{head}Content-Length: 5\r\n\r\n[[[[["),
        format!("POST /v1/proof/inclusion HTTP/1.1\r\n{head}Content-Length: 99999999\r\n\r\n{{"),
        format!("POST /v1/fetch/names HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        format!("GET /content/..%2f..%2fkeys HTTP/1.1\r\n{head}\r\n"),
        format!("GET /{} HTTP/1.1\r\n{head}\r\n", "x".repeat(100_000)),
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{9}\0\0\0\0\u{1}".to_owned(),
        format!("POST /v1/fetch/logs HTTP/1.1\r\n{head}Content-Length: 3000000\r\n\r\n"),
    ];
    let case = usize::try_from(round).unwrap_or(0) % cases.len();
    send(world, cases[case].as_bytes()).await
}

async fn slow(world: &World) -> Result<()> {
    let mut open = Vec::new();
    for at in 0..20 {
        let mut stream = connect(world).await?;
        let part = &b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX: "[..=at * 2];
        stream.write_all(part).await?;
        open.push(stream);
    }
    // Until the server has had enough of each.
    for mut stream in open {
        let mut buffer = [0; 1024];
        while let Ok(1..) = stream.read(&mut buffer).await {}
        world.counts.hostile.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn squat(world: &World, round: u64) -> Result<()> {
    let run = 900_000_000_000 + round;
    let (namespace, content) = ("load".into(), Content::Module);
    let workload = Workload { packages: 1, content_bytes: 10, namespace, run, content };
    let package = workload.prepare()?.pop().context("a package")?;
    let (log, _) = package.ids();
    let path = paths::publish(&log);
    let body = package.request();
    let mut request = format!(
        "POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    send(world, &request).await
}

/// A third of the samples.
fn third(samples: &[Sample], number: usize) -> &[Sample] {
    let length = samples.len();
    &samples[length * number / 3..length * (number + 1) / 3]
}

fn most(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    samples.iter().map(of).max().unwrap_or(0)
}

fn print(samples: &[Sample], judgement: &Judgement) -> Result<()> {
    let last = samples.last().context("too short to look at it")?;
    println!("{:<28} {:>12} {:>12} {:>12}", "", "first third", "second", "last");
    for (name, of) in [
        ("memory at most, KiB", (|it| it.anonymous_kib) as fn(&Sample) -> u64),
        ("open files at most", |it| it.open_files),
    ] {
        let [a, b, c] = [0, 1, 2].map(|number| most(third(samples, number), of));
        println!("{name:<28} {a:>12} {b:>12} {c:>12}");
    }
    for (name, count) in [
        ("published", last.published),
        ("read and verified", last.read),
        ("hostile", last.hostile),
        ("told to wait", last.limited),
        ("snapshots", last.snapshots),
        ("records in the last one", judgement.snapshot_records),
        ("of them restored", judgement.restored_records),
        ("errors for the well-behaved", last.errors),
    ] {
        println!("{name:<28} {count:>12}");
    }
    let clean = |is| if is { "clean" } else { "not clean" };
    println!("{:<28} {:>12}", "fsck", clean(judgement.fsck_clean));
    println!("{:<28} {:>12}", "fsck of what was restored", clean(judgement.restored_clean));
    println!("{}", json!({ "samples": samples, "judgement": judgement }));
    Ok(())
}

fn judge(samples: &[Sample], judgement: &Judgement) -> Result<()> {
    let last = samples.last().context("too short to look at it")?;
    let errors = &judgement.errors;
    // One may have come after the last look.
    ensure!(errors.is_empty(), "{} errors for the well-behaved: {errors:#?}", last.errors);
    ensure!(last.published > 0 && last.read > 0, "nobody got anything done");
    ensure!(last.limited > 0, "no limit was hit");
    let [before, after] = [1, 2].map(|number| most(third(samples, number), |it| it.anonymous_kib));
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = after as f64 / before.max(1) as f64;
    let grown = share > GROWTH_MAX && after > before + GROWTH_KIB_MAX;
    ensure!(!grown, "memory grew from {before} to {after} KiB");
    let [before, after] = [1, 2].map(|number| most(third(samples, number), |it| it.open_files));
    ensure!(after <= before + 64, "open files grew from {before} to {after}");
    ensure!(judgement.fsck_clean, "fsck found something");
    let Judgement { snapshot_records, restored_records, .. } = judgement;
    ensure!(*snapshot_records > 0, "no snapshot has a record");
    ensure!(snapshot_records == restored_records, "not all of the last snapshot came back");
    ensure!(judgement.restored_clean, "fsck found something in what was restored");
    Ok(())
}

/// Limits that are soon hit: far more than those who behave do, and less than those who do not.
fn flags() -> Vec<String> {
    let pairs = [
        ("--log", "warn"),
        ("--namespace", "load"),
        ("--client-patience", "3s"),
        ("--limit-reads", "500/s:1000"),
        ("--limit-proofs", "500/s:1000"),
        ("--limit-publishes", "1000/s:2000"),
        ("--limit-sourcing", "100/min:2000"),
        ("--trusted-proxies", "192.0.2.1"),
        ("--pending-time-max", "1min"),
        ("--checkpoint-interval", "10s"),
        ("--sourcing-records-max", "5000"),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]).collect()
}

/// Whether a registry agrees with its log.
fn is_clean(options: &Options, data_dir: &Path) -> Result<bool> {
    let mut fsck = Command::new(&options.server);
    fsck.arg("fsck").arg("--data-dir").arg(data_dir);
    Ok(fsck.stdout(Stdio::null()).status()?.success())
}

/// Nothing can be half done when a lock is released.
fn lock<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
