//! Running the program.

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) const COMMAND: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/runner/command.wasm");
#[cfg(unix)]
pub(crate) const HTTP: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/runner/http.wasm");

/// What came of it.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, with nothing of this process's environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warg-run"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    read(program(arguments).output().unwrap())
}

/// With a text on standard input.
pub(crate) fn tell(input: &str, arguments: &[&str]) -> Output {
    let mut command = program(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    read(child.wait_with_output().unwrap())
}

pub(crate) fn read(output: std::process::Output) -> Output {
    Output {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, out, err } = self;
        write!(f, "exit: {code:?}\n{out}--- stderr\n{err}")
    }
}
