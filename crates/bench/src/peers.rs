//! Servers beside ours: the reference implementation's, in memory and over PostgreSQL, and nginx. Each is
//! a process of its own, which is killed when its value is dropped.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::Process;

/// A test key; it is public and signs nothing real.
const OPERATOR_KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server.
pub struct Peer {
    child: Child,
    /// What it needs to run.
    _behind: Option<Box<Peer>>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Peer {
    /// The reference implementation's server, with everything in memory, but for content.
    ///
    /// # Errors
    /// If it does not start; what it says is in a file in the folder.
    pub fn reference(program: &Path, folder: &Path, namespace: &str) -> Result<Self> {
        let command = reference(program, folder, namespace)?;
        Self::start(command, folder, None)
    }

    /// The same over a PostgreSQL of its own, whose programs are in `postgres`.
    ///
    /// # Errors
    /// If one of them does not start.
    pub fn reference_over_postgres(
        program: &Path,
        postgres: &Path,
        folder: &Path,
        namespace: &str,
    ) -> Result<Self> {
        let database = Self::postgres(postgres, &folder.join("postgres"))?;
        let url = format!("postgres://postgres@{}/postgres", database.address);
        let mut command = reference(program, folder, namespace)?;
        command.args(["--data-store", "postgres", "--database-run-migrations"]);
        command.args(["--database-url", &url]);
        Self::start(command, folder, Some(Box::new(database)))
    }

    /// nginx that serves the files of a folder. `sendfile` is said as its configuration has it.
    ///
    /// # Errors
    /// If it does not start.
    pub fn nginx(program: &Path, files: &Path, folder: &Path, sendfile: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (address, folder) = (free()?, fs::canonicalize(folder)?);
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile {sendfile}; default_type application/wasm;\n\
             client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n\
             uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             server {{ listen {address}; root {files}; }} }}\n",
            folder = folder.display(),
            files = fs::canonicalize(files)?.display(),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&file);
        Self::spawn(command, &folder, None, address)
    }

    fn postgres(programs: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let data = folder.join("data");
        let mut init = unprivileged(&programs.join("initdb"), &folder)?;
        init.args(["--auth=trust", "--username=postgres", "--pgdata"]).arg(&data);
        let made = init.stdout(Stdio::null()).status().context("initdb cannot be started")?;
        ensure!(made.success(), "initdb failed");
        let address = free()?;
        let mut command = unprivileged(&programs.join("postgres"), &folder)?;
        command.arg("-D").arg(&data).arg("-k").arg(&folder);
        command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
        Self::spawn(command, &folder, None, address)
    }

    fn start(mut command: Command, folder: &Path, behind: Option<Box<Self>>) -> Result<Self> {
        let address = free()?;
        command.args(["--listen", &address.to_string()]);
        Self::spawn(command, folder, behind, address)
    }

    fn spawn(
        mut command: Command,
        folder: &Path,
        behind: Option<Box<Self>>,
        address: SocketAddr,
    ) -> Result<Self> {
        let log_file = folder.join("log");
        let log = fs::File::create(&log_file)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let mut peer = Self { child, _behind: behind, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = peer.child.try_wait()?.is_some();
            if ended || began.elapsed() > PATIENCE {
                bail!("{command:?} does not listen on {address}; {} says why", log_file.display());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(peer)
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // One that has ended already is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reference(program: &Path, folder: &Path, namespace: &str) -> Result<Command> {
    let content = folder.join("content");
    fs::create_dir_all(&content)?;
    let key = folder.join("operator.key");
    fs::write(&key, OPERATOR_KEY)?;
    let mut command = Command::new(program);
    command.arg("--operator-key-file").arg(&key).arg("--content-dir").arg(content);
    // It would write several lines for each request.
    command.args(["--namespace", namespace]).env("RUST_LOG", "error");
    Ok(command)
}

/// A command that the administrator may not run as himself.
fn unprivileged(program: &Path, folder: &Path) -> Result<Command> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| owner(&it) == 0);
    if !is_root {
        return Ok(Command::new(program));
    }
    let given = Command::new("chown").arg("-R").arg("postgres").arg(folder).status()?;
    ensure!(given.success(), "{} cannot be given to the user postgres", folder.display());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=TERM"]);
    command.arg(program);
    Ok(command)
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

#[cfg(not(unix))]
fn owner(_metadata: &fs::Metadata) -> u32 {
    1
}

/// A port that nobody listens on just now.
fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The newest of PostgreSQL's folders of programs on this machine.
pub fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").is_file()).max()
}
