//! The program under test, as a process.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wargate_registry::fsck::{Depth, Report, check};
use wargate_store_sqlite::{FileBlobs, SqliteStore};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wargate");
const SIGKILL: i32 = 9;

/// How long a server that was asked to stop may take.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// More of the environment.
pub(crate) type Environment = Vec<(&'static str, OsString)>;

/// A process that starts.
pub(crate) struct Starting {
    process: Process,
    output: BufReader<ChildStdout>,
}

/// A registry that is ready.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Process,
    /// Kept open: the program may go on writing.
    _output: BufReader<ChildStdout>,
}

/// Ends with the value.
struct Process {
    child: Mutex<Child>,
    log: PathBuf,
}

/// `wargate serve` on a data directory. What it logs goes to a file beside that.
pub(crate) fn start(data_dir: &Path, environment: &Environment) -> Starting {
    let log = data_dir.with_extension("log");
    let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--content", "any", "--log", "warn"]);
    command.arg("--data-dir").arg(data_dir).env_clear().envs(environment.iter().cloned());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Starting { process: Process { child: Mutex::new(child), log }, output }
}

/// Another command of the program, to its end.
pub(crate) fn run(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--data-dir").arg(data_dir).env_clear().output().unwrap()
}

/// The oracle, without a process of its own. Nothing may be damaged; a registry that never began is
/// not.
#[track_caller]
pub(crate) fn assert_clean(data_dir: &Path, depth: Depth) {
    let report = fsck(data_dir, depth).unwrap();
    assert!(report.is_none_or(|report| report.is_clean()));
}

/// `None` if there is no registry yet. Says what is wrong.
pub(crate) fn fsck(data_dir: &Path, depth: Depth) -> Result<Option<Report>, String> {
    let database = data_dir.join("registry.db");
    if !database.exists() {
        return Ok(None);
    }
    let store = SqliteStore::open(&database).map_err(|error| error.to_string())?;
    let blobs = FileBlobs::open(&data_dir.join("content")).map_err(|error| error.to_string())?;
    let report = check(&store, &blobs, depth).map_err(|error| error.to_string())?;
    for finding in &report.findings {
        eprintln!("fsck: {finding}");
    }
    Ok(Some(report))
}

impl Starting {
    /// Waits until the registry is ready. Otherwise it says what the program said.
    pub(crate) fn ready(mut self) -> Result<Server, String> {
        let mut address = None;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                let status = self.process.end();
                let log = fs::read_to_string(&self.process.log).unwrap();
                return Err(format!("it did not start ({status}):\n{log}"));
            }
            if let Some(value) = line.trim().strip_prefix("listening on") {
                address = Some(value.trim().parse().unwrap());
            }
            if line.starts_with("Ctrl-C") {
                let Self { process, output } = self;
                return Ok(Server { address: address.unwrap(), process, _output: output });
            }
        }
    }

    /// Waits for the first line, or for the end of the program.
    pub(crate) fn wait_for_output(&mut self) {
        self.output.read_line(&mut String::new()).unwrap();
    }

    pub(crate) fn kill(self) {
        self.process.kill();
        self.process.assert_killed();
    }
}

impl Server {
    /// `kill -9`.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// Waits for the end, which nothing but [`Server::kill`] may have caused.
    #[track_caller]
    pub(crate) fn assert_killed(self) {
        self.process.assert_killed();
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        let id = self.process.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits until it has stopped.
    pub(crate) fn stopped(self) -> ExitStatus {
        let Self { process, .. } = self;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let status = process.child.lock().unwrap().wait().unwrap();
            let _ = sender.send(status);
        });
        receiver.recv_timeout(STOPS_WITHIN).unwrap()
    }

    /// Stops it in peace.
    pub(crate) fn stop(self) {
        self.terminate();
        assert!(self.stopped().success());
    }
}

impl Process {
    fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    fn end(&self) -> ExitStatus {
        self.child.lock().unwrap().wait().unwrap()
    }

    #[track_caller]
    fn assert_killed(&self) {
        let status = self.end();
        let log = fs::read_to_string(&self.log).unwrap();
        assert_eq!(status.signal(), Some(SIGKILL), "it ended by itself ({status}):\n{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(child.kill());
        drop(child.wait());
    }
}
