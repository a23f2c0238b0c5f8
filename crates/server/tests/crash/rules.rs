//! Who may use a data directory, and how a server stops.

use std::fs;

use crate::dice::seed;
use crate::folder::Folder;
use crate::load::Trigger;
use crate::server::{self, Environment};
use crate::world::World;

#[test]
fn a_data_directory_has_one_user() {
    let folder = Folder::new("one-user");
    let data_dir = folder.path().join("data");
    let server = server::start(&data_dir, &Environment::new()).ready().unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["fsck", "--json"]] {
        let output = server::run(command, &data_dir);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("is held by another process"), "{command:?}: {said}");
        assert!(said.contains("\nhint: "), "{command:?}: {said}");
    }
    server.stop();
    assert!(server::run(&["fsck", "--json"], &data_dir).status.success());
}

#[test]
fn a_server_that_is_asked_to_stop_keeps_what_it_acknowledged() {
    let folder = Folder::new("terminate");
    let data_dir = folder.path().join("data");
    let mut world = World::new(&data_dir, seed("terminate"));
    for after in [0, 3, 50, 200] {
        let server = world.start(&Environment::new());
        world.check(&server);
        world.publish(&server, &Trigger::new(after, after == 50, || server.terminate()));
        assert!(server.stopped().success());
        assert!(server::run(&["fsck"], &data_dir).status.success());
    }
    world.finish(&Environment::new());
}

#[test]
fn damage_is_found() {
    let folder = Folder::new("damage");
    let data_dir = folder.path().join("data");
    let mut world = World::new(&data_dir, seed("damage"));
    let server = world.start(&Environment::new());
    world.publish(&server, &Trigger::new(300, false, || server.terminate()));
    assert!(server.stopped().success());
    let content = data_dir.join("content/sha256");
    let shards = fs::read_dir(content).unwrap().map(|shard| shard.unwrap().path());
    let mut files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    fs::write(files.next().unwrap().unwrap().path(), "other bytes").unwrap();
    let output = server::run(&["fsck"], &data_dir);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
