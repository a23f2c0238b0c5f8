//! A person's computer, as far as a client can see: a home directory and a working directory.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::terminal::{self, Answer};

/// How long a command may take.
pub(crate) const COMMAND_MAX: Duration = Duration::from_mins(2);

/// A computer on which nothing was done yet.
pub(crate) struct Machine {
    home: PathBuf,
    desk: PathBuf,
}

/// What a command left behind.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    /// Standard output and standard error, one after the other, or as a terminal shows them.
    pub(crate) text: String,
}

impl Machine {
    /// A new computer with everything below `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let (home, desk) = (folder.join("home"), folder.join("desk"));
        for folder in [&home, &desk] {
            fs::create_dir_all(folder)?;
        }
        Ok(Self { home, desk })
    }

    /// Puts a file into the working directory.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        write(&self.desk.join(name), bytes.as_ref())
    }

    /// Puts a file into the home directory.
    pub(crate) fn write_home(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        write(&self.home.join(name), bytes.as_ref())
    }

    /// Reads a file of the working directory.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.desk.join(name);
        fs::read(&path).with_context(|| format!("there is no file {name}"))
    }

    /// Whether a file or folder is in the home directory.
    pub(crate) fn has_home(&self, name: &str) -> bool {
        self.home.join(name).exists()
    }

    /// Runs a command in the folder `below` of the working directory, without a terminal.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], below: &str) -> Result<Output> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.desk.join(below));
        command.env_clear().envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let (sender, receiver) = mpsc::channel();
        let out = child.stdout.take().context("no standard output to read")?;
        let err = child.stderr.take().context("no standard error to read")?;
        read(out, sender.clone());
        read(err, sender);
        let mut text = String::new();
        for _ in 0..2 {
            let Ok(part) = receiver.recv_timeout(COMMAND_MAX) else {
                child.kill().and_then(|()| child.wait()).context("could not end a command")?;
                bail!("no end after {} s; so far it said:\n{text}", COMMAND_MAX.as_secs());
            };
            text.push_str(&part);
        }
        Ok(Output { status: child.wait()?, text })
    }

    /// Runs a command at a terminal and answers its questions in turn.
    pub(crate) fn type_into(
        &self,
        program: &Path,
        arguments: &[&str],
        answers: &[Answer<'_>],
    ) -> Result<Output> {
        terminal::run(program, arguments, &self.desk, &self.environment(), answers)
    }

    fn environment(&self) -> Vec<(String, PathBuf)> {
        let mut environment = vec![("HOME".to_owned(), self.home.clone())];
        let folders = [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
        ];
        environment.extend(folders.map(|(name, folder)| (name.to_owned(), self.home.join(folder))));
        environment.extend([
            ("RUST_BACKTRACE".to_owned(), "0".into()),
            ("NO_PROXY".to_owned(), "127.0.0.1".into()),
            ("TERM".to_owned(), "xterm".into()),
        ]);
        // The compiler belongs to the surroundings, and so does what it was told.
        let home = env::home_dir();
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let there = env::var_os(name).map(PathBuf::from);
            let there = there.or_else(|| Some(home.as_ref()?.join(folder)));
            environment.extend(there.map(|path| (name.to_owned(), path)));
        }
        let path = env::var_os("PATH").map(PathBuf::from);
        environment.extend(path.map(|path| ("PATH".to_owned(), path)));
        environment
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
}

/// Sends everything that comes out of `from`, when it has ended.
fn read(mut from: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is worth seeing; the exit status decides.
        let _ = from.read_to_end(&mut bytes);
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
    });
}
