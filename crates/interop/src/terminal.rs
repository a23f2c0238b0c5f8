//! Commands at a terminal: for those that ask before they act.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::machine::Output;

/// A question that a command asks, by some words of it, and what is typed then.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    /// A key is pressed.
    Key(&'a str, &'a str),
    /// A secret is typed, which the command does not show, and then the enter key.
    Secret(&'a str, &'a str),
}

/// Runs a command at a pseudo-terminal of its own and answers its questions in turn.
#[cfg(unix)]
pub(crate) fn run(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    environment: &[(String, PathBuf)],
    answers: &[Answer<'_>],
) -> Result<Output> {
    use std::io::Write;
    use std::sync::Arc;

    use anyhow::{Context, bail};
    use pty_process::blocking::{Command, open};

    let (pty, terminal) = open().context("could not open a pseudo-terminal")?;
    let variables = environment.iter().map(|(name, value)| (name.as_str(), value.as_os_str()));
    let command = Command::new(program).args(arguments).current_dir(folder);
    let mut child = command
        .env_clear()
        .envs(variables)
        .spawn(terminal)
        .with_context(|| format!("could not start {}", program.display()))?;
    let pty = Arc::new(pty);
    let screen = unix::Screen::new(Arc::clone(&pty));
    let mut text = String::new();
    for answer in answers {
        let (Answer::Key(question, _) | Answer::Secret(question, _)) = answer;
        let is_asked = screen.wait_for(&mut text, question);
        let is_answered = is_asked
            && match answer {
                Answer::Key(_, key) => (&*pty).write_all(key.as_bytes()).is_ok(),
                Answer::Secret(_, secret) => {
                    unix::is_silent(&pty)?
                        && (&*pty).write_all(format!("{secret}\r").as_bytes()).is_ok()
                }
            };
        if !is_answered {
            child.kill().and_then(|()| child.wait()).context("could not end a command")?;
            bail!("{question:?} could not be answered; it said:\n{text}");
        }
    }
    if !screen.read_on(&mut text) {
        child.kill().and_then(|()| child.wait()).context("could not end a command")?;
        bail!("it did not end; so far it said:\n{text}");
    }
    Ok(Output { status: child.wait()?, text })
}

/// There are no pseudo-terminals on this platform that the harness can use.
#[cfg(not(unix))]
pub(crate) fn run(
    _: &Path,
    _: &[&str],
    _: &Path,
    _: &[(String, PathBuf)],
    _: &[Answer<'_>],
) -> Result<Output> {
    anyhow::bail!("commands that ask can only be tried on Unix")
}

#[cfg(unix)]
mod unix {
    use std::io::{self, Read};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Instant;

    use pty_process::blocking::Pty;
    use rustix::termios::{LocalModes, tcgetattr};

    use crate::machine::COMMAND_MAX;

    /// What a command shows.
    pub(super) struct Screen(mpsc::Receiver<Vec<u8>>);

    /// Waits until the terminal does not show any more what is typed; false if it always does. A
    /// command that asks for a secret throws away what was typed before that.
    pub(super) fn is_silent(pty: &Pty) -> io::Result<bool> {
        let begin = Instant::now();
        while begin.elapsed() < COMMAND_MAX {
            if !tcgetattr(pty)?.local_modes.contains(LocalModes::ECHO) {
                return Ok(true);
            }
            thread::yield_now();
        }
        Ok(false)
    }

    impl Screen {
        /// Reads until the last program at the terminal has ended.
        pub(super) fn new(pty: Arc<Pty>) -> Self {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                // An error is how a terminal says that nobody is there any more.
                while let Ok(count @ 1..) = (&*pty).read(&mut bytes) {
                    let part = bytes.get(..count).unwrap_or_default().to_vec();
                    if sender.send(part).is_err() {
                        return;
                    }
                }
            });
            Self(receiver)
        }

        /// Adds what is shown from now on to `text` until the words are among it; false if they
        /// never are.
        pub(super) fn wait_for(&self, text: &mut String, words: &str) -> bool {
            let begin = text.len();
            while !text.get(begin..).unwrap_or_default().contains(words) {
                let Ok(part) = self.0.recv_timeout(COMMAND_MAX) else { return false };
                text.push_str(&String::from_utf8_lossy(&part));
            }
            true
        }

        /// Adds everything that is shown to `text`; false if it does not end.
        pub(super) fn read_on(&self, text: &mut String) -> bool {
            loop {
                match self.0.recv_timeout(COMMAND_MAX) {
                    Ok(part) => text.push_str(&String::from_utf8_lossy(&part)),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                    Err(mpsc::RecvTimeoutError::Timeout) => return false,
                }
            }
        }
    }
}
