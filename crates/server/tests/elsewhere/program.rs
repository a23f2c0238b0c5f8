//! The program under test, with its content in a bucket.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use wargate_testkit::s3::{BUCKET, S3Server, SECRET_KEY};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wargate");

/// A data directory, and where its content is.
pub(crate) struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// A registry that is ready, killed when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) child: Child,
}

impl Place {
    /// An S3 server at this address, or what stands in front of it.
    pub(crate) fn new(s3: SocketAddr) -> Self {
        let mut place = Self::local();
        place.variables.extend(S3Server::variables(s3));
        let url = format!("s3://{BUCKET}/registry");
        place.set("WARGATE_CONTENT_STORE", &url).set("AWS_TIMEOUT", "1s");
        place.set("AWS_MAX_ATTEMPTS", "3");
        place
    }

    /// Content in the data directory.
    pub(crate) fn local() -> Self {
        Self { folder: TempDir::new().unwrap(), variables: Vec::new() }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.retain(|(found, _)| found != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.retain(|(found, _)| found != name);
        self
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--data-dir").arg(self.data()).env_clear();
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Another command, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn start(&self) -> Running {
        self.try_start().unwrap_or_else(|said| panic!("it did not start: {said}"))
    }

    /// `wargate serve`; what it says if it does not start.
    pub(crate) fn try_start(&self) -> Result<Running, String> {
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--content", "any"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = None;
        loop {
            let Some(Ok(line)) = lines.next() else {
                child.wait().unwrap();
                return Err(fs::read_to_string(self.log()).unwrap());
            };
            if let Some((_, found)) = line.split_once("listening on  ") {
                address = Some(found.trim().parse().unwrap());
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        Ok(Running { address: address.unwrap(), child })
    }

    /// Everything agrees with the log, and nothing secret stands anywhere.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let checked = self.run(&["fsck", "--json"]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
        assert!(said.contains("\"findings\": []"), "{said}");
        self.assert_no_secrets();
    }

    #[track_caller]
    pub(crate) fn assert_no_secrets(&self) {
        let mut texts = vec![fs::read(self.log()).unwrap_or_default()];
        read_all(&self.data(), &mut texts);
        let is_there = |text: &[u8], secret: &str| {
            text.windows(secret.len()).any(|part| part == secret.as_bytes())
        };
        assert!(!texts.iter().any(|text| is_there(text, SECRET_KEY) || is_there(text, "AKIATEST")));
    }

    /// What the program has logged.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }
}

fn read_all(folder: &Path, texts: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            read_all(&entry.path(), texts);
        } else if entry.file_type().unwrap().is_file() {
            texts.push(fs::read(entry.path()).unwrap());
        }
    }
}

impl Running {
    /// Stops it in peace.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
