//! Power loss at random moments: what was not flushed is gone, or some of it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use wargate_registry::fsck::Depth;

use crate::dice::{Dice, seed};
use crate::folder::Folder;
use crate::medium::{Medium, Survivors};
use crate::server::{self, assert_clean};
use crate::world::World;

/// Power losses, of both kinds.
const LOSSES: u32 = 100;
/// How many of them a registry lives through before a new one begins.
const LIFE: u32 = 10;

#[test]
fn what_was_acknowledged_survives_if_nothing_else_does() {
    losses("power-none", |_| Survivors::None);
}

#[test]
fn what_was_acknowledged_survives_beside_parts_of_the_rest() {
    losses("power-some", |dice| Survivors::Some([5, 50, 90][dice.index(3)]));
}

fn losses(test: &str, survivors: impl Fn(&mut Dice) -> Survivors) {
    let (mut dice, folder) = (Dice::new(seed(test)), Folder::new(test));
    let medium = Medium::new(folder.path());
    let environment = medium.environment(None);
    for _ in 0..LOSSES / LIFE {
        let mut world = World::new(&medium.path().join("data"), dice.next());
        for _ in 0..LIFE {
            world.round(&environment, || medium.flush_everything());
            medium.lose_power(survivors(&mut dice), &mut dice);
        }
        world.finish(&environment);
        medium.clear();
    }
}

/// At every single flush of a registry that begins: whatever is left, the next start takes it up.
#[test]
fn a_registry_that_loses_power_while_it_begins_can_begin_again() {
    let test = "power-beginnings";
    let (mut dice, folder) = (Dice::new(seed(test)), Folder::new(test));
    let medium = Medium::new(folder.path());
    let data_dir = medium.path().join("data");
    let kinds = [None, Some(10), Some(50), Some(50), Some(90), Some(100)];
    let mut failed = Vec::new();
    for survivors in kinds.map(|percent| percent.map_or(Survivors::None, Survivors::Some)) {
        for flush in 1.. {
            let mut environment = medium.environment(None);
            environment.push(("UNSYNCED_KILL_AT", flush.to_string().into()));
            let begun = server::start(&data_dir, &environment).ready();
            let ready = begun.is_ok();
            drop(begun);
            medium.lose_power(survivors, &mut dice);
            let again = server::start(&data_dir, &medium.environment(None)).ready();
            failed.extend(again.err().map(|why| format!("{survivors:?}, flush {flush}: {why}")));
            medium.clear();
            if ready {
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The layer itself: programs that flush nothing, a file only, or a file and its name.
#[test]
fn what_is_not_flushed_is_lost() {
    let folder = Folder::new("power-layer");
    let medium = Medium::new(folder.path());
    let script = "echo a > a; echo b > b; sync b; mkdir c; echo d > c/d; sync c/d c; echo e > c/e";
    let run = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(medium.path()).envs(medium.environment(None));
        assert!(shell.status().unwrap().success());
    };
    let left = |name: &str| fs::read_to_string(medium.path().join(name)).ok();
    let mut dice = Dice::new(0);
    run(script);
    medium.lose_power(Survivors::Some(100), &mut dice);
    assert!(["a", "b", "c/d", "c/e"].iter().all(|name| left(name).is_some()));
    medium.clear();
    run(script);
    medium.lose_power(Survivors::None, &mut dice);
    assert!(["a", "b", "c"].iter().all(|name| !medium.path().join(name).exists()));
    run(&format!("{script}; sync ."));
    medium.lose_power(Survivors::None, &mut dice);
    // The names were flushed, of the bytes only some.
    let expected = [("a", Some("")), ("b", Some("b\n")), ("c/d", Some("d\n")), ("c/e", None)];
    for (name, text) in expected {
        assert_eq!(left(name).as_deref(), text, "{name}");
    }
    run("echo new > b; mv c/d c/f; rm a");
    medium.lose_power(Survivors::None, &mut dice);
    for (name, text) in expected {
        assert_eq!(left(name).as_deref(), text, "{name}");
    }
    run("mv c/d c/f; echo g >> c/f; sync c/f c");
    medium.lose_power(Survivors::None, &mut dice);
    assert_eq!((left("c/d"), left("c/f").as_deref()), (None, Some("d\ng\n")));
}

/// The harness: a registry on a disk that lies is caught, whatever it lies about. A write-ahead log
/// that is never flushed is what `synchronous=OFF` would do.
#[test]
fn a_registry_that_does_not_flush_is_caught() {
    let folder = Folder::new("power-lies");
    let medium = Medium::new(folder.path());
    let mut dice = Dice::new(seed("power-lies"));
    for lies in [None, Some("registry.db-wal"), Some("/content/"), Some("folders")] {
        let environment = medium.environment(lies);
        let mut world = World::new(&medium.path().join("data"), dice.next());
        let server = world.start(&environment);
        world.kill_under_load(server, 200, false);
        medium.lose_power(Survivors::None, &mut dice);
        let survived = catch_unwind(AssertUnwindSafe(|| {
            assert_clean(&medium.path().join("data"), Depth::Bytes);
            let server = world.start(&environment);
            world.check(&server);
        }));
        assert_eq!(survived.is_ok(), lies.is_none(), "lies about {lies:?}");
        medium.clear();
    }
}
