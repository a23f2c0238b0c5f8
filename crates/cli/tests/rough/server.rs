//! A registry behind a line on which things go wrong.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use wargate_testkit::proxy::{Fault, Proxy, Seen};

use crate::program::{Output, User};

/// A registry in a directory of its own; it ends with its value.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Server {
    /// Starts one that people reach under this URL, or its own.
    fn start(address: SocketAddr, url: &str) -> Option<Self> {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(program())
            .args(["serve", "--public-url", url, "--listen"])
            .arg(address.to_string())
            .arg("--data-dir")
            .arg(data.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("Ctrl-C stops")));
        let server = Self { child, address, _data: data };
        ready.then_some(server)
    }

    /// Starts one, on a port that was free a moment ago.
    pub(crate) fn new() -> Self {
        let start = || {
            let address = free();
            Self::start(address, &format!("http://{address}/"))
        };
        std::iter::repeat_with(start).take(10).flatten().next().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The server's program, beside ours. It is built if it is not there.
pub(crate) fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_warg")).with_file_name("wargate");
    if !path.exists() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "wargate-server", "--bin", "wargate"])
            .status()
            .unwrap();
        assert!(status.success(), "the server cannot be built");
    }
    path
}

type Plan = Box<dyn Fn(&Seen) -> Fault + Send>;

/// A registry behind a line, and how things go wrong on it now.
pub(crate) struct Rough {
    _server: Server,
    proxy: Proxy,
    plan: Arc<Mutex<Plan>>,
    _runtime: tokio::runtime::Runtime,
}

impl Rough {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|_| Fault::None)));
        let start = || {
            let (address, plan) = (free(), Arc::clone(&plan));
            let decide = move |seen: &Seen| plan.lock().unwrap()(seen);
            let proxy = runtime.block_on(Proxy::faulty(address, decide)).unwrap();
            let server = Server::start(address, &format!("http://{}/", proxy.address()))?;
            Some((proxy, server))
        };
        let (proxy, server) = std::iter::repeat_with(start).take(10).flatten().next().unwrap();
        Self { _server: server, proxy, plan, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.proxy.address())
    }

    /// Lets this happen from now on.
    pub(crate) fn let_happen(&self, plan: impl Fn(&Seen) -> Fault + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// Lets these happen to requests whose path contains a text, one after the other, and then the last
    /// one for ever.
    pub(crate) fn let_happen_to(&self, path: &'static str, faults: &[Fault]) {
        let faults = Mutex::new(faults.to_vec());
        self.let_happen(move |seen| {
            let mut faults = faults.lock().unwrap();
            match &mut **faults {
                _ if !seen.path.contains(path) => Fault::None,
                [] => Fault::None,
                [last] => last.clone(),
                _ => faults.remove(0),
            }
        });
    }

    /// Lets nothing go wrong any more.
    pub(crate) fn calm(&self) {
        self.let_happen(|_| Fault::None);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.proxy.seen()
    }
}

/// Runs the program for a user of this registry.
pub(crate) fn run(user: &User, url: &str, attempts: &str, arguments: &[&str]) -> Output {
    user.run_with(&[("WARG_REGISTRY", url), ("WARG_ATTEMPTS", attempts)], arguments)
}

/// Runs the program, which has to end well.
pub(crate) fn fine(user: &User, url: &str, arguments: &[&str]) -> String {
    let output = run(user, url, "4", arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output}");
    output.out
}

/// How many records the registry's log has, after all of it was verified.
pub(crate) fn log_length(user: &User, url: &str) -> u64 {
    let report: Value =
        serde_json::from_str(&fine(user, url, &["verify", "--all", "--contents", "--json"]))
            .unwrap();
    assert_eq!(report["problemCount"], 0, "{report:#}");
    let checkpoint = fine(user, url, &["verify", "--export-checkpoint"]);
    let checkpoint: Value = serde_json::from_str(&checkpoint).unwrap();
    checkpoint["contents"]["logLength"].as_u64().unwrap()
}
