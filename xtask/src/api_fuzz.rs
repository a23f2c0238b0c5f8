//! `cargo xtask api-fuzz`: a fuzzer that knows nothing but the OpenAPI document, against a real server.
//!
//! The fuzzer is schemathesis, from PyPI, in an environment of its own in the cache folder. What it
//! finds is a status or a body that the document does not have, a 5xx other than 501 and 503, a method
//! that is not documented and works, or nonsense that is taken.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Metadata;
use crate::{process, tools};

/// The fuzzer's version. What it checks changes with it.
const VERSION: &str = "4.32.5";

/// For how long if nobody says, in seconds.
const SECONDS: u64 = 300;

/// What makes sense here: there are no accounts, no resources that are deleted, and a record that fits
/// the document may still be none.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      unsupported_method,allow_header_conformance,negative_data_rejection";

/// Which answers are documented as what they are.
const SETTINGS: &str = "[checks.not_a_server_error]\n\
                        expected-statuses = [\"2xx\", \"3xx\", \"4xx\", 501, 503]\n";

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = seconds(arguments, SECONDS)?;
    let fuzzer = fuzzer()?;
    let mut cargo = process::cargo();
    process::run(cargo.args(["build", "--quiet", "--package", "wargate-server"]))?;
    let target = Metadata::read()?.target_directory;
    let folder = Folder::new("api-fuzz")?;
    let mut server = Server::start(&target.join("debug/wargate"), folder.path())?;
    let settings = folder.path().join("schemathesis.toml");
    fs::write(&settings, SETTINGS)?;
    let mut command = Command::new(&fuzzer);
    command.current_dir(folder.path()).arg("--config-file").arg(&settings).arg("run");
    command.arg(format!("http://{}/openapi.json", server.address));
    command.args(["--checks", CHECKS, "--continue-on-failure", "--max-time"]);
    command.arg(seconds.to_string()).args(["--generation-database", "none"]);
    let found = process::run(&mut command);
    server.stop()?;
    found.context("the fuzzer has found something; what it prints says how to repeat it")
}

/// What stands behind `--time`, as `90`, `90s`, `10min` or `1h`, in seconds.
pub(crate) fn seconds(arguments: &[String], default: u64) -> Result<u64> {
    let text = match arguments {
        [] => return Ok(default),
        [flag, text] if flag == "--time" => text,
        _ => bail!("only --time TIME is known, as 90s, 10min or 1h"),
    };
    let units = [("min", 60), ("h", 3600), ("s", 1), ("", 1)];
    let time = units.iter().find_map(|(unit, seconds)| {
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*seconds)
    });
    time.filter(|time| *time > 0).with_context(|| format!("{text:?} is no time; write 10min"))
}

/// The fuzzer's program, installed if need be.
fn fuzzer() -> Result<PathBuf> {
    let folder = tools::cache_folder("schemathesis")?.join(VERSION);
    let program = folder.join("bin/schemathesis");
    if program.is_file() {
        return Ok(program);
    }
    println!("installing schemathesis {VERSION} from PyPI into {}", folder.display());
    fs::create_dir_all(&folder)?;
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    process::run(
        pip.args(["-m", "pip", "install", "--quiet"]).arg(format!("schemathesis=={VERSION}")),
    )?;
    ensure!(program.is_file(), "pip left no {}", program.display());
    Ok(program)
}

/// A folder that goes with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one among the temporary ones.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("wargate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is found in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A registry that believes everybody, on this machine.
struct Server {
    child: Child,
    /// It would fail to speak if nobody heard it.
    _out: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--content",
            "any",
            "--namespace",
            "test",
        ]);
        command.args(["--log", "warn", "--data-dir"]).arg(folder.join("data"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("the server's output")?);
        let mut line = String::new();
        while out.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim().strip_prefix("listening on") {
                let address = address.trim().to_owned();
                return Ok(Self { child, _out: out, address });
            }
            line.clear();
        }
        bail!("the server did not start")
    }

    /// It must still be there, and end as it is told.
    fn stop(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "the server ended while it was asked: {ended:?}");
        process::run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let read = |text: &str| seconds(&["--time".into(), text.into()], 1);
        for (text, wanted) in [("90", 90), ("90s", 90), ("10min", 600), ("1h", 3600)] {
            assert_eq!(read(text).ok(), Some(wanted), "{text}");
        }
        for text in ["", "0", "x", "1d", "-1s"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(seconds(&[], 7).ok(), Some(7));
    }
}
