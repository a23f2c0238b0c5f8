//! An S3 server, as a process of its own that can be killed.
//!
//! The process is the test program itself, started once more: a program with tests that need a server
//! has one test more, which is the server if it is started by [`S3Server::start`] and does nothing
//! otherwise.
//!
//! ```ignore
//! #[test]
//! fn s3_server() {
//!     wargate_testkit::s3::serve_if_asked();
//! }
//! ```

#![expect(clippy::expect_used, reason = "for tests only")]

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The folder that the server keeps its buckets in, for the process that is the server.
const FOLDER: &str = "WARGATE_TEST_S3_FOLDER";
/// The port that it listens on; 0 for any.
const PORT: &str = "WARGATE_TEST_S3_PORT";
/// What it says once it listens, with its address behind.
const READY: &str = "S3 is ready on ";

/// The bucket that is there from the beginning.
pub const BUCKET: &str = "bucket";
/// Who may do everything.
pub const ACCESS_KEY: &str = "AKIATESTTESTTEST";
/// What they sign with. No test may find it in anything that is written or shown.
pub const SECRET_KEY: &str = "hush-hush-this-is-a-secret";

/// A server, until it is dropped.
#[derive(Debug)]
pub struct S3Server {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl S3Server {
    /// Starts a server with an empty bucket. `test` is the whole name of the test that calls
    /// [`serve_if_asked`].
    ///
    /// # Errors
    /// Those of starting it.
    pub fn start(test: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let (child, address) = spawn(test, folder.path().to_owned(), 0)?;
        Ok(Self { folder, child, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder with the bucket's objects as files.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The variables with which this server is reached, or a proxy in front of it.
    pub fn variables(at: SocketAddr) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{at}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Kills it with all that it was doing.
    ///
    /// # Errors
    /// Those of the system.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it once more, with what it kept, at the same address.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn start_again(&mut self, test: &str) -> io::Result<()> {
        let (child, address) = spawn(test, self.folder.path().to_owned(), self.address.port())?;
        (self.child, self.address) = (child, address);
        Ok(())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn spawn(test: &str, folder: PathBuf, port: u16) -> io::Result<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(PORT, port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(out).lines();
    let address = loop {
        let line = lines.next().ok_or_else(|| io::Error::other("the S3 server has ended"))??;
        if let Some((_, address)) = line.split_once(READY) {
            break address.trim().parse().map_err(io::Error::other)?;
        }
    };
    Ok((child, address))
}

/// In the process that was started for it, serves until it is killed, or whoever started it has gone.
///
/// # Panics
/// If it cannot serve.
pub fn serve_if_asked() {
    let (Some(folder), Ok(port)) = (std::env::var_os(FOLDER), std::env::var(PORT)) else { return };
    // Whoever started it holds the other end of its input for as long as they live.
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let port = port.parse().expect("a port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(serve(folder.into(), port)).expect("a server");
}

async fn serve(folder: PathBuf, port: u16) -> io::Result<()> {
    let files =
        s3s_fs::FileSystem::new(folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    {
        use std::io::Write;
        let mut out = io::stdout().lock();
        writeln!(out, "\n{READY}{}", listener.local_addr()?)?;
        out.flush()?;
    }
    loop {
        let (socket, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let connections = Builder::new(TokioExecutor::new());
            let _ = connections.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
