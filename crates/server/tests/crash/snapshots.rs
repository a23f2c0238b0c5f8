//! Snapshots of a registry under load, and what is made of them when its disk is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use wargate_registry::fsck::Depth;

use crate::dice::{Dice, seed};
use crate::folder::Folder;
use crate::load::Trigger;
use crate::server::{self, Environment, assert_clean};
use crate::world::World;

/// Steps of every publisher between two looks.
const STEPS: u64 = 25;
/// Snapshots and restores that are killed.
const KILLS: u32 = 12;
/// Turns of a loop within which they are: about the time that they take.
const TURNS: u64 = 3_000_000;

struct Place {
    folder: Folder,
    data: PathBuf,
    target: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let data = folder.path().join("data");
        let target = folder.path().join("snapshots").to_str().unwrap().to_owned();
        Self { folder, data, target }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Value {
        let output = server::run(&[arguments, &["--json"]].concat(), &self.data);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn snapshot(&self) -> Value {
        self.run(&["snapshot", &self.target, "--with-keys"])
    }

    #[track_caller]
    fn verify_all(&self) -> usize {
        let list = self.run(&["snapshot", "list", &self.target]);
        let ids = list.as_array().unwrap();
        for id in ids {
            let id = id["snapshot"].as_str().unwrap();
            let report = self.run(&["snapshot", "verify", &self.target, "--snapshot", id]);
            assert_eq!(report["findings"], serde_json::json!([]));
        }
        ids.len()
    }

    /// The disk is lost, and the newest snapshot takes its place.
    fn lose_and_restore(&self) -> Value {
        fs::remove_dir_all(&self.data).unwrap();
        self.run(&["restore", &self.target])
    }

    fn spawn(&self, arguments: &[&str]) -> std::process::Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wargate"));
        command.args(arguments).arg("--data-dir").arg(&self.data).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{}\n{out}{err}", output.status)
}

#[test]
fn everything_that_was_acknowledged_comes_back_from_a_snapshot() {
    let place = Place::new("snapshots");
    let mut world = World::new(&place.data, seed("snapshots"));
    let server = world.start(&Environment::new());
    for _ in 0..3 {
        world.publish_times(&server, STEPS, &Trigger::never());
        // Of a server that runs.
        place.snapshot();
    }
    server.kill();
    server.assert_killed();
    // What waits for content waits there, too, and is finished there: the publishers see to it.
    place.lose_and_restore();
    let server = world.start(&Environment::new());
    world.check(&server);
    assert!(world.publish_times(&server, STEPS, &Trigger::never()) < STEPS);
    world.check(&server);
    server.stop();
    // Of one that does not.
    place.snapshot();
    assert_eq!(place.verify_all(), 4);
    place.lose_and_restore();
    world.finish(&Environment::new());
}

#[test]
fn snapshots_are_taken_in_a_loop_while_publishers_publish_and_each_is_whole() {
    let place = Place::new("snapshot-loop");
    let mut world = World::new(&place.data, seed("snapshot-loop"));
    let server = world.start(&Environment::new());
    world.publish_times(&server, 3, &Trigger::never());
    let done = AtomicBool::new(false);
    let count = thread::scope(|scope| {
        let snapshots = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::SeqCst) {
                // Two at once into one place.
                let other = scope.spawn(|| place.snapshot());
                place.snapshot();
                other.join().unwrap();
                count += 2;
            }
            count
        });
        for _ in 0..4 {
            world.publish_times(&server, STEPS, &Trigger::never());
        }
        done.store(true, Ordering::SeqCst);
        snapshots.join().unwrap()
    });
    let kept = place.verify_all();
    assert!(kept > 1 && kept <= count);
    place.snapshot();
    let pruned = place.run(&["snapshot", "prune", &place.target, "--keep", "2"]);
    assert_eq!(pruned["kept"].as_array().unwrap().len(), 2);
    assert_eq!(place.verify_all(), 2);
    server.kill();
    server.assert_killed();
    place.lose_and_restore();
    world.finish(&Environment::new());
}

#[test]
fn snapshots_and_restores_that_are_killed_leave_nothing_that_is_taken_for_whole() {
    let place = Place::new("snapshot-kills");
    let mut dice = Dice::new(seed("snapshot-kills"));
    let mut world = World::new(&place.data, dice.next());
    let server = world.start(&Environment::new());
    for _ in 0..KILLS {
        world.publish_times(&server, 3, &Trigger::never());
        let mut child = place.spawn(&["snapshot", &place.target, "--with-keys"]);
        dice.hesitate(TURNS);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    place.snapshot();
    place.verify_all();
    server.stop();
    fs::remove_dir_all(&place.data).unwrap();
    for _ in 0..KILLS {
        let mut child = place.spawn(&["restore", &place.target]);
        dice.hesitate(TURNS * 2);
        child.kill().unwrap();
        child.wait().unwrap();
        if place.data.join("restoring").exists() {
            let started = server::run(&["serve", "--listen", "127.0.0.1:0"], &place.data);
            assert!(said(&started).contains("restore` again"), "{}", said(&started));
            let snapshot = server::run(&["snapshot", &place.target], &place.data);
            assert!(said(&snapshot).contains("restore` again"), "{}", said(&snapshot));
        } else if place.data.exists() && fs::read_dir(&place.data).unwrap().count() > 1 {
            // It was faster.
            assert_clean(&place.data, Depth::Bytes);
            fs::remove_dir_all(&place.data).unwrap();
        }
    }
    if place.data.exists() {
        let entries: Vec<_> = fs::read_dir(&place.data).unwrap().flatten().collect();
        if entries.iter().all(|entry| entry.file_name() == "lock") {
            fs::remove_dir_all(&place.data).unwrap();
        }
    }
    place.run(&["restore", &place.target]);
    world.finish(&Environment::new());
}

#[test]
fn a_full_disk_makes_no_snapshot_and_a_restore_onto_one_is_none() {
    let place = Place::new("snapshot-full");
    let at = place.folder.path().join("disk");
    fs::create_dir(&at).unwrap();
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", "size=200k", "tmpfs"]).arg(&at);
    if !command.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this test mounts a small file system, which needs root");
        return;
    }
    let _unmounted = Unmount(&at);
    let mut world = World::new(&place.data, seed("snapshot-full"));
    let server = world.start(&Environment::new());
    world.publish_times(&server, STEPS, &Trigger::never());
    let target = at.join("snapshots");
    let full = server::run(&["snapshot", target.to_str().unwrap()], &place.data);
    assert!(!full.status.success(), "{}", said(&full));
    assert!(said(&full).contains("No space left"), "{}", said(&full));
    let list = place.run(&["snapshot", "list", target.to_str().unwrap()]);
    assert_eq!(list, serde_json::json!([]));
    assert_eq!(
        fs::read_dir(target.join("tmp")).unwrap().count(),
        0,
        "what was half written is gone"
    );
    fs::remove_dir_all(&target).unwrap();
    place.snapshot();
    let data = at.join("data");
    let full = server::run(&["restore", &place.target], &data);
    assert!(!full.status.success(), "{}", said(&full));
    assert!(data.join("restoring").exists(), "{}", said(&full));
    server.stop();
    world.finish(&Environment::new());
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[cfg(unix)]
#[test]
fn links_and_strangers_in_the_place_of_snapshots_are_refused() {
    use std::os::unix::fs::symlink;
    let place = Place::new("snapshot-links");
    let mut world = World::new(&place.data, seed("snapshot-links"));
    let server = world.start(&Environment::new());
    world.publish_times(&server, 5, &Trigger::never());
    let elsewhere = place.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("mine"), "mine").unwrap();
    let refused = server::run(&["snapshot", elsewhere.to_str().unwrap()], &place.data);
    assert!(said(&refused).contains("something else in it (mine)"), "{}", said(&refused));
    fs::remove_file(elsewhere.join("mine")).unwrap();

    place.snapshot();
    let target = PathBuf::from(&place.target);
    let id = place.run(&["snapshot", "list", &place.target])[0]["snapshot"].clone();
    let manifest = target.join("manifests").join(format!("{}.json", id.as_str().unwrap()));
    // A part, a folder of parts and a manifest, each a link to what it is.
    let text = fs::read_to_string(&manifest).unwrap();
    let text: Value = serde_json::from_str(&text).unwrap();
    let digest = text["segments"][0]["part"]["digest"].as_str().unwrap().to_owned();
    let digits = digest.strip_prefix("sha256:").unwrap();
    let part = target.join("parts").join(&digits[..2]).join(digits);
    for at in [&part, &manifest] {
        let moved = elsewhere.join(at.file_name().unwrap());
        fs::rename(at, &moved).unwrap();
        symlink(&moved, at).unwrap();
        let verified = server::run(&["snapshot", "verify", &place.target], &place.data);
        assert!(!verified.status.success(), "{}", said(&verified));
        let fresh = place.folder.path().join("fresh");
        let restored = server::run(&["restore", &place.target], &fresh);
        assert!(!restored.status.success(), "{}", said(&restored));
        let _ = fs::remove_dir_all(&fresh);
        fs::remove_file(at).unwrap();
        fs::rename(&moved, at).unwrap();
        place.verify_all();
    }
    let moved = elsewhere.join("parts");
    fs::rename(target.join("parts"), &moved).unwrap();
    symlink(&moved, target.join("parts")).unwrap();
    let refused = server::run(&["snapshot", &place.target], &place.data);
    assert!(said(&refused).contains("perhaps a link"), "{}", said(&refused));
    server.stop();
    world.finish(&Environment::new());
}
