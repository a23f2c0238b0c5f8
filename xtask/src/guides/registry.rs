//! The registry of one guide's reader.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

/// A running registry, which ends when it is dropped.
pub(super) struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    /// Starts one that keeps its data in `folder`, and its log beside that.
    pub(super) fn start(server: &Path, folder: &Path) -> Result<Self> {
        let path = folder.with_added_extension("log");
        let log = File::create(&path)?;
        let mut command = Command::new(server);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let process = command.spawn().with_context(|| format!("starting {}", server.display()))?;
        let mut registry = Self { process, address: String::new() };
        let stdout = registry.process.stdout.take().context("no standard output to read")?;
        let (sender, receiver) = mpsc::channel();
        // Reads on after the line that counts, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.trim().strip_prefix("listening on") {
                    // Only the first is waited for.
                    let _ = sender.send(address.trim().to_owned());
                }
            }
        });
        registry.address = receiver.recv().with_context(|| format!("see {}", path.display()))?;
        Ok(registry)
    }

    /// Its host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; the guide has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
