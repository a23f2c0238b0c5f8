//! The machine that the program runs on, as far as a test decides what it does: the addresses of names,
//! and the time. A library that is preloaded into the program (`machine.c`) asks here.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::Place;

const SHIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/elsewhere/machine.c");

/// What is preloaded, and what it asks.
pub(crate) struct Machine {
    folder: TempDir,
    lookups: Receiver<Lookup>,
    ahead: u64,
}

/// A name below `.test` that a program looks up. It cannot be found if this is dropped.
pub(crate) struct Lookup {
    /// The name of the thread that looks it up.
    pub(crate) thread: String,
    program: UnixStream,
}

impl Machine {
    /// For the programs of a place that start from now on.
    pub(crate) fn of(place: &mut Place) -> Self {
        let folder = TempDir::new().unwrap();
        let [shim, names, clock] =
            ["machine.so", "names", "clock"].map(|name| folder.path().join(name));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&shim).arg(SHIM);
        assert!(compiler.args(["-pthread", "-ldl"]).status().unwrap().success());
        fs::write(&clock, 0_u64.to_ne_bytes()).unwrap();
        let listener = UnixListener::bind(&names).unwrap();
        let (sender, lookups) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if sender.send(Lookup::read(connection.unwrap())).is_err() {
                    return;
                }
            }
        });
        place
            .set("LD_PRELOAD", shim.to_str().unwrap())
            .set("MACHINE_NAMES", names.to_str().unwrap())
            .set("MACHINE_CLOCK", clock.to_str().unwrap());
        Self { folder, lookups, ahead: 0 }
    }

    /// Waits until somebody looks up a name. Until it is answered, that hangs.
    pub(crate) fn lookup(&self) -> Lookup {
        self.lookups.recv().unwrap()
    }

    /// Those that hang and were not told of yet.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = Lookup> {
        self.lookups.try_iter()
    }

    /// Lets time pass in an instant. A program that sleeps sees it when the next thing happens to it.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.ahead += time.as_secs();
        let clock = fs::OpenOptions::new().write(true).open(self.folder.path().join("clock"));
        clock.unwrap().write_all_at(&self.ahead.to_ne_bytes(), 0).unwrap();
    }
}

impl Lookup {
    fn read(program: UnixStream) -> Self {
        let mut line = String::new();
        BufReader::new(&program).read_line(&mut line).unwrap();
        Self { thread: line.trim_end().to_owned(), program }
    }

    pub(crate) fn answer(mut self, address: &str) {
        let _ = writeln!(self.program, "{address}");
    }
}
