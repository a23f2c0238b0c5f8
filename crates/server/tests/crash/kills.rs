//! `kill -9` at random moments.

use crate::dice::{Dice, seed};
use crate::folder::Folder;
use crate::server::{self, Environment};
use crate::world::World;

/// Of a registry that lives through all of them.
const KILLS: u32 = 100;
/// Registries that are killed while they begin.
const BEGINNINGS: u32 = 25;

#[test]
fn a_hundred_kills() {
    kills("kills-1");
}

#[test]
fn another_hundred_kills() {
    kills("kills-2");
}

#[test]
fn a_third_hundred_kills() {
    kills("kills-3");
}

fn kills(test: &str) {
    let (seed, folder) = (seed(test), Folder::new(test));
    let mut world = World::new(&folder.path().join("data"), seed);
    for _ in 0..KILLS {
        world.round(&Environment::new(), || ());
    }
    world.finish(&Environment::new());
}

#[test]
fn a_registry_that_is_killed_while_it_begins_can_begin_again() {
    let test = "beginnings";
    let (mut dice, folder) = (Dice::new(seed(test)), Folder::new(test));
    for number in 0..BEGINNINGS {
        let data_dir = folder.path().join(format!("{number}"));
        for _ in 0..=dice.below(3) {
            let starting = server::start(&data_dir, &Environment::new());
            dice.hesitate(2_000_000);
            starting.kill();
        }
        let mut world = World::new(&data_dir, dice.next());
        let server = world.start(&Environment::new());
        world.check(&server);
        world.kill_under_load(server, 10, false);
        world.finish(&Environment::new());
    }
}
