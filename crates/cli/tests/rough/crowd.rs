//! Many processes at once on one cache and one configuration, a third of them killed.

use std::collections::HashSet;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use wargate_crypto::Digest;

use crate::files::{below, component, watch};
use crate::program::User;
use crate::server::{Server, fine, log_length};

const PROCESSES: u32 = 32;
const ROUNDS: u32 = 4;

/// Bytes of each component: enough to be seen half written.
const BYTES: u32 = 300_000;

/// Random numbers that a seed repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % limit
    }
}

/// One process: what it was asked, and whether it is to be killed.
struct Process {
    line: String,
    child: Child,
    killed: bool,
}

#[test]
fn a_crowd_on_one_cache_and_one_configuration_harms_nothing() {
    let seed = 20_261_121;
    let server = Server::new();
    let (user, url) = (User::new(), server.url());
    let here = user.home().join("here");
    let outputs = here.join("out");
    std::fs::create_dir(&outputs).unwrap();
    let mut known = HashSet::new();
    for number in 0..=2 * ROUNDS {
        let bytes = component(number, BYTES);
        known.insert(Digest::of(&bytes));
        std::fs::write(here.join(format!("{number}.wasm")), bytes).unwrap();
    }
    fine(&user, &url, &["config", "--registry", &url]);
    fine(&user, &url, &["key", "new"]);
    fine(&user, &url, &["publish", "0.wasm", "--name", "crowd:base", "--release", "1.0.0"]);
    let (cache, places) = (user.home().join(".cache"), outputs.clone());
    let (stop, until) = mpsc::channel();
    let watcher = std::thread::spawn(move || watch(&cache, &places, &known, &until));
    let mut dice = Dice(seed);
    for round in 0..ROUNDS {
        one_round(&user, &url, round, &mut dice);
    }
    drop(stop);
    let (looked, wrong) = watcher.join().unwrap();
    assert!(looked > 0 && wrong.is_empty(), "seed {seed}: {looked} looked at, {wrong:?}");
    afterwards(&user, &url);
}

/// What a process does: publish one of two files as one of two versions, or read.
fn line(round: u32, dice: &mut Dice) -> String {
    let (number, output) = (dice.below(2), dice.below(6));
    let file = 1 + 2 * round + number;
    match dice.below(6) {
        0 | 1 => format!("publish {file}.wasm --name crowd:p{round} --release 1.{number}.0"),
        2 | 3 => format!("get crowd:base -o out/{output}.wasm"),
        4 => "update crowd:base".into(),
        _ => "show crowd:base".into(),
    }
}

fn one_round(user: &User, url: &str, round: u32, dice: &mut Dice) {
    // Content comes anew in every other round.
    if round % 2 == 1 {
        fine(user, url, &["clear"]);
    }
    let start = |at: u32, dice: &mut Dice| {
        let line = line(round, dice);
        let words: Vec<&str> = line.split(' ').collect();
        let child =
            user.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Process { line, child, killed: at.is_multiple_of(3) }
    };
    let mut processes: Vec<Process> = (0..PROCESSES).map(|at| start(at, dice)).collect();
    // Nobody sends anything: this only lets some time pass, which differs from seed to seed.
    let (_keep, never) = mpsc::channel::<()>();
    for process in processes.iter_mut().filter(|process| process.killed) {
        let _ = never.recv_timeout(Duration::from_millis(u64::from(dice.below(120))));
        let _ = process.child.kill();
    }
    for process in processes {
        let output = process.child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        let well = output.status.code() == Some(0);
        assert!(well || process.killed, "{}: {:?}: {words}", process.line, output.status);
    }
}

/// Everything works, nothing is left, and everything was published once.
fn afterwards(user: &User, url: &str) {
    let mut records = 3;
    for round in 0..ROUNDS {
        for number in 0..2 {
            let (file, name) =
                (format!("{}.wasm", 1 + 2 * round + number), format!("crowd:p{round}"));
            let version = format!("1.{number}.0");
            fine(user, url, &["publish", &file, "--name", &name, "--release", &version]);
            fine(user, url, &["get", &format!("{name}@{version}"), "-o", "copy.wasm"]);
            let here = user.home().join("here");
            let bytes = std::fs::read(here.join("copy.wasm")).unwrap();
            assert!(bytes == std::fs::read(here.join(&file)).unwrap(), "{name}@{version}");
            records += 1;
        }
        let log = fine(user, url, &["log", &format!("crowd:p{round}"), "--json"]);
        let log: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(log["records"].as_array().unwrap().len(), 2, "{log:#}");
    }
    assert_eq!(log_length(user, url), records);
    for line in ["update", "info", "trust", "whoami", "config show", "clear", "reset"] {
        fine(user, url, &line.split(' ').collect::<Vec<_>>());
    }
    let partial = below(&user.home().join(".cache"));
    assert!(partial.is_empty(), "{partial:?}");
    fine(user, url, &["get", "crowd:base", "-o", "copy.wasm"]);
}
