//! Processes of this machine: what they take, and the registry as one of them. Linux tells in `/proc`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

/// A process, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// What a process keeps in memory, in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// All that is in memory now: its own, of files and shared.
    pub resident_kib: u64,
    /// The most that there ever was.
    pub peak_kib: u64,
    /// Its own: stacks and heaps.
    pub anonymous_kib: u64,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// The one that asks.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Seconds on a processor so far, of all threads.
    ///
    /// # Errors
    /// If there is no such process, or no Linux.
    pub fn busy_seconds(self) -> Result<f64> {
        Ok(self.ticks(11)? + self.ticks(12)?)
    }

    /// Seconds on a processor of all processes that it has started, and waited for until they ended.
    ///
    /// # Errors
    /// As [`Self::busy_seconds`].
    pub fn ended_seconds(self) -> Result<f64> {
        Ok(self.ticks(13)? + self.ticks(14)?)
    }

    /// A time that Linux counts, in seconds; fields are counted from behind the name.
    fn ticks(self, field: usize) -> Result<f64> {
        /// What Linux tells everybody, whatever it counts in itself.
        const TICKS_PER_SECOND: f64 = 100.0;
        let text = self.read("stat")?;
        // The name comes second, in parentheses, and may have any characters.
        let (_, fields) = text.rsplit_once(')').context("a process has a name")?;
        let field = fields.split_whitespace().nth(field).context("a process has times")?;
        Ok(field.parse::<f64>()? / TICKS_PER_SECOND)
    }

    /// What it keeps in memory.
    ///
    /// # Errors
    /// As [`Self::busy_seconds`].
    pub fn memory(self) -> Result<Memory> {
        let text = self.read("status")?;
        let field = |name: &str| -> Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let value = line.and_then(|line| line.split_whitespace().next());
            Ok(u64::from_str(value.with_context(|| format!("a process has no {name}"))?)?)
        };
        Ok(Memory {
            resident_kib: field("VmRSS")?,
            peak_kib: field("VmHWM")?,
            anonymous_kib: field("RssAnon")?,
            threads: field("Threads")?,
        })
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    }
}

/// How a process is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It may finish what it does.
    Terminate,
    /// It may not.
    Kill,
}

/// Where a registry listens, and what it calls itself.
#[derive(Clone, Debug, Default)]
pub struct Serve {
    /// Where it listens; on a free port of this machine if not said.
    pub listen: Option<SocketAddr>,
    /// What clients are told to use.
    pub public_url: Option<String>,
    /// Further flags.
    pub flags: Vec<String>,
}

/// A registry in a process of its own. It is killed when it is dropped.
pub struct Server {
    child: Child,
    /// It goes on speaking, and would fail if nobody could hear it.
    _out: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `wargate serve` over a directory, and waits until it says where it listens.
    ///
    /// # Errors
    /// If it does not start; what it says on standard error is in a file beside the directory.
    pub fn start(program: &Path, data_dir: &Path, serve: &Serve) -> Result<Self> {
        fs::create_dir_all(data_dir)?;
        let log_file = data_dir.with_extension("log");
        let mut command = Command::new(program);
        let listen = serve.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        command.args(["serve", "--content", "any", "--listen", &listen.to_string()]);
        if let Some(url) = &serve.public_url {
            command.args(["--public-url", url]);
        }
        command.args(&serve.flags);
        command.arg("--data-dir").arg(data_dir).stdin(Stdio::null()).stdout(Stdio::piped());
        let log = fs::OpenOptions::new().create(true).append(true).open(&log_file)?;
        let mut child = command.stderr(log).spawn().context("the server cannot be started")?;
        let mut out = BufReader::new(child.stdout.take().context("its output")?);
        let address = address(&mut out);
        if address.is_err() {
            // The reason that is told is the one above.
            let _ = child.kill().and_then(|()| child.wait());
        }
        let address = address.with_context(|| format!("{} says why", log_file.display()))?;
        Ok(Self { child, _out: out, address })
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it, and waits until it has ended.
    ///
    /// # Errors
    /// If it cannot be told to, or fails when it may finish what it does.
    pub fn end(mut self, how: End) -> Result<()> {
        match how {
            End::Kill => self.child.kill()?,
            End::Terminate => {
                let pid = self.child.id().to_string();
                let told = Command::new("kill").args(["-TERM", &pid]).status()?;
                ensure!(told.success(), "the server could not be told to stop");
            }
        }
        let status = self.child.wait()?;
        ensure!(how == End::Kill || status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// What a server that has started says of itself.
fn address(out: &mut impl BufRead) -> Result<SocketAddr> {
    let mut line = String::new();
    while out.read_line(&mut line)? > 0 {
        if let Some(address) = line.trim().strip_prefix("listening on") {
            return Ok(address.trim().parse()?);
        }
        line.clear();
    }
    bail!("the server did not start")
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
