//! A registry's process, from its start until it is dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::fixtures::OPERATOR_KEY;
use crate::recording::ServerOptions;

/// A program that serves a registry.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// Ours.
    Wargate(PathBuf),
    /// The reference implementation's server, to see whether a scenario describes what is usual.
    Reference(PathBuf),
}

/// A running registry. Dropping it ends it, as a power cut would.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

/// How long a server may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a registry, which keeps its data in `folder` and tells its clients to use the URL
    /// `public`, and waits until it listens. If the folder has data, it goes on with them.
    pub(crate) fn start(
        program: &Program,
        options: &ServerOptions,
        folder: &Path,
        public: &str,
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let log = folder.join("stderr.txt");
        let stderr = File::options().create(true).append(true).open(&log)?;
        let mut command = command(program, options, folder, public)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut process =
            command.spawn().with_context(|| format!("could not start {program:?}"))?;
        let stdout = process.stdout.take().context("no standard output to read")?;
        let (sender, receiver) = mpsc::channel();
        // Reads on after the line that counts, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = address(&line) {
                    // Only the first line is waited for.
                    let _ = sender.send(address);
                }
            }
        });
        let Ok(address) = receiver.recv_timeout(START_MAX) else {
            process.kill().and_then(|()| process.wait()).context("could not end the server")?;
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("the server did not say where it listens:\n{log}");
        };
        Ok(Self { process, address })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; the scenario has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(
    program: &Program,
    options: &ServerOptions,
    folder: &Path,
    public: &str,
) -> Result<Command> {
    let mut command = match program {
        Program::Wargate(path) => {
            let mut command = Command::new(path);
            command.args(["serve", "--public-url", public, "--define-namespaces", "false"]);
            // Long enough that nothing happens by itself while a scenario lasts.
            command.args(["--checkpoint-interval", "1h", "--log", "debug"]);
            command.arg("--data-dir").arg(folder.join("data"));
            for namespace in &options.namespaces {
                command.args(["--namespace", namespace]);
            }
            command
        }
        Program::Reference(path) => {
            let mut command = Command::new(path);
            // Ours makes a key for itself.
            let key = folder.join("operator.key");
            fs::write(&key, OPERATOR_KEY)?;
            command.arg("--operator-key-file").arg(&key);
            command.args(["--verbose", "--content-base-url", public]);
            command.arg("--content-dir").arg(folder.join("content"));
            // It takes no more than one.
            for namespace in options.namespaces.iter().take(1) {
                command.args(["--namespace", namespace]);
            }
            command
        }
    };
    command.args(["--listen", "127.0.0.1:0"]);
    if let Some(text) = &options.authorized_keys {
        let file = folder.join("authorized-keys.toml");
        fs::write(&file, text)?;
        command.arg("--authorized-keys-file").arg(&file);
    }
    // The options of whoever runs the tests do not concern this server.
    command.env_clear().current_dir(folder);
    Ok(command)
}

/// The address in the line that says where a server listens.
fn address(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on")?;
    address.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_servers_say_where_they_listen() {
        let expected = Some("127.0.0.1:4321".parse().unwrap());
        assert_eq!(address("  listening on  127.0.0.1:4321"), expected);
        assert_eq!(address("2026-01-01 INFO server: listening on 127.0.0.1:4321"), expected);
        assert_eq!(address("  registry      http://127.0.0.1:4321/"), None);
    }
}
