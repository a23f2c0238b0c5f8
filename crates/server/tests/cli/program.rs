//! Running the program.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A folder that goes with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wargate-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, with nothing of this process's environment that it would listen to.
pub(crate) fn wargate(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wargate"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["WARGATE_", "XDG_", "OTEL_", "LISTEN_"].iter().any(|own| text.starts_with(own)) {
            command.env_remove(name);
        }
    }
    command.env("HOME", folder.path()).current_dir(folder.path()).stdin(Stdio::null());
    command
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server that is killed with its value.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it said until it was ready.
    pub(crate) greeting: String,
}

impl Server {
    /// Starts a server, and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C stops") {
            if out.read_line(&mut greeting).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("the server did not start: {greeting}{err}");
            }
        }
        Self { child, out, greeting }
    }

    /// What stands behind a word of the greeting.
    pub(crate) fn said(&self, word: &str) -> &str {
        let line = self.greeting.lines().find_map(|line| line.trim().strip_prefix(word));
        line.unwrap().trim()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Stops it politely; returns its exit code and all that it has logged.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        self.signal("-TERM");
        self.stopped()
    }

    /// Waits until it has stopped; returns the same.
    pub(crate) fn stopped(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
