//! The registry of the demonstration: the program `wargate`, for as long as it is needed.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::output::note;

/// How long it may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Most bytes of its greeting.
const GREETING_BYTES_MAX: u64 = 64 << 10;

/// The registry's program: the one that is named, or the one beside this one.
pub(super) async fn program(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        return Err(Failure::usage(format!("there is no program {}", path.display()))
            .hint("`--server` names the program `wargate`"));
    }
    let ours = ours()?;
    let path = ours.with_file_name(format!("wargate{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        build(&ours).await;
    }
    if path.is_file() {
        return Ok(path);
    }
    let message = format!("the registry's program is not here: there is no {}", path.display());
    Err(Failure::local(message).hint(
        "`cargo build --release --workspace` in Wargate's repository makes it; `--server FILE` names \
         one that is elsewhere",
    ))
}

/// This program.
pub(super) fn ours() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::local(format!("cannot tell where this program is: {error}")))
}

/// Builds the registry's program beside ours, if cargo has built and started ours. If that fails, cargo
/// says why, and the program is not there.
async fn build(ours: &Path) {
    let cargo = std::env::var_os("CARGO").zip(std::env::var_os("CARGO_MANIFEST_DIR"));
    let Some((cargo, repository)) = cargo else { return };
    let profile = ours.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let release = match profile {
        Some("release") => &["--release"][..],
        Some("debug") => &[],
        _ => return,
    };
    let Some(target) = ours.parent().and_then(Path::parent) else { return };
    note("Building the registry's program first.");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "wargate-server", "--bin", "wargate"]);
    command.args(release).arg("--target-dir").arg(target);
    let built = command.current_dir(repository).kill_on_drop(true).status().await;
    if let Err(error) = built {
        note(&format!("cargo cannot be started: {error}"));
    }
}

/// A registry that runs.
pub(super) struct Registry {
    child: Child,
    address: SocketAddr,
}

impl Registry {
    /// Starts the program on a port that the system chooses. People reach it under this URL.
    pub(super) async fn start(
        program: &Path,
        data: &Path,
        log: &Path,
        url: &str,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::local(format!("the registry cannot be started: {error}"))
                .hint("`--server FILE` names another program")
        };
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--public-url", url, "--data-dir"]);
        command.arg(data).env_clear().envs(system()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(failed)?;
        let Some(greeting) = child.stdout.take() else {
            return Err(failed(io::Error::other("it has no output")));
        };
        let address = tokio::time::timeout(START_TIME_MAX, address(greeting)).await;
        match address {
            Ok(Some(address)) => Ok(Self { child, address }),
            // It ends with its value.
            Ok(None) => Err(failed(io::Error::other("it ended before it was ready"))),
            Err(_) => Err(failed(io::Error::other("it was not ready in time"))),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it. What it has acknowledged is on the disk, so there is nothing to wait for.
    pub(super) async fn stop(mut self) {
        // It may have ended by itself, at Ctrl-C for example.
        let _ = self.child.kill().await;
    }
}

/// Reads the greeting, to its end, and finds the address in it.
async fn address(greeting: impl tokio::io::AsyncRead + Unpin) -> Option<SocketAddr> {
    let mut lines = BufReader::new(greeting.take(GREETING_BYTES_MAX)).lines();
    let mut address = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(found) = line.trim().strip_prefix("listening on") {
            address = found.trim().parse().ok();
        }
        if line.contains("Ctrl-C") {
            return address;
        }
    }
    None
}

/// What programs need of the environment on some systems.
pub(super) fn system() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["SystemRoot", "TEMP", "TMP", "TMPDIR"];
    names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// Copies a directory's files, and those below it. What is neither a file nor a directory, such as a
/// socket, is left out.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
