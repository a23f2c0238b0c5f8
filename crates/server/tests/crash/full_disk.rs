//! A disk that is full, for real.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dice::seed;
use crate::folder::Folder;
use crate::http::Client;
use crate::load::Trigger;
use crate::server::{self, Environment};
use crate::world::World;

/// A small file system in memory.
struct Disk(PathBuf);

impl Disk {
    /// `None` if this process may not mount one.
    fn mount(at: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also if a file is still open.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_and_serves_what_is_there() {
    let folder = Folder::new("full-disk");
    let at = folder.path().join("disk");
    fs::create_dir(&at).unwrap();
    let Some(_disk) = Disk::mount(&at) else {
        eprintln!("skipped: this test mounts a small file system, which needs root");
        return;
    };
    let ballast = at.join("ballast");
    File::create(&ballast).unwrap().write_all(&vec![1; 4 << 20]).unwrap();
    let data_dir = at.join("data");
    let mut world = World::new(&data_dir, seed("full-disk"));
    let server = world.start(&Environment::new());
    let mut refused = 0;
    for _ in 0..1000 {
        refused = world.publish_times(&server, 5, &Trigger::never());
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 20, "the disk was never full");
    // All of it can be read.
    world.check(&server);
    let mut client = Client::connect(server.address).unwrap();
    assert_eq!(client.get("readyz").unwrap().status, 200);
    fs::remove_file(&ballast).unwrap();
    let before = world.published();
    assert_eq!(world.publish_times(&server, 5, &Trigger::never()), 0);
    assert!(world.published() > before);
    world.check(&server);
    world.kill_under_load(server, 20, true);
    assert!(server::run(&["fsck"], &data_dir).status.success());
    world.finish(&Environment::new());
}
