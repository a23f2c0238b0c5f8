//! Running other programs: with their output shown, with it captured, or for a limited time.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace;

/// The cargo that started this program, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

/// Runs `command` with its output shown. An exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start {}", line(command)))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", line(command), output.status, reason.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote no UTF-8", line(command)))
}

/// Runs `command` in silence and ends it after `limit`: for what may need a network that is not
/// there. The error is the last line that the command wrote.
pub(crate) fn attempt(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {}", line(command)))?;
    let mut stderr = child.stderr.take().context("no standard error to read")?;
    let (sender, receiver) = mpsc::channel();
    // The end of the child's standard error is the news that it is done.
    thread::spawn(move || {
        let mut text = Vec::new();
        // An unreadable message is no reason to fail: the exit status decides.
        let _ = stderr.read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    let Ok(text) = receiver.recv_timeout(limit) else {
        child.kill().and_then(|()| child.wait()).context("could not end an unanswered command")?;
        bail!("{} gave no answer within {} s", line(command), limit.as_secs());
    };
    if child.wait()?.success() {
        return Ok(());
    }
    let reason = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(anyhow!("{}", reason.trim()))
}

/// How `command` reads in a message: program and arguments, without folders and environment.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_message() {
        let mut command = Command::new(env!("CARGO"));
        let error = output(command.arg("no-such-subcommand")).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-subcommand` ended with"), "{error}");
        assert!(error.contains("no-such-subcommand"), "{error}");
    }

    #[test]
    fn an_attempt_reports_the_last_line() {
        let mut command = Command::new(env!("CARGO"));
        assert!(attempt(command.arg("--version"), Duration::from_mins(1)).is_ok());
        let mut command = Command::new(env!("CARGO"));
        let error = attempt(command.arg("--no-such-flag"), Duration::from_mins(1)).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
