//! Questions to the user.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use wargate_client::credentials::{SECRET_BYTES_MAX, SecretText};
use wargate_console::harmless;

use crate::failure::Failure;

/// Whether there is a terminal to ask at.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question with yes or no.
pub(crate) fn confirm(question: &str, default: bool) -> Result<bool, Failure> {
    let choices = if default { "Y/n" } else { "y/N" };
    let mut err = io::stderr().lock();
    write!(err, "{} [{choices}] ", harmless(question))
        .and_then(|()| err.flush())
        .map_err(|e| failed(&e))?;
    let mut line = String::new();
    // A line that nobody types is none.
    if io::stdin().lock().take(1024).read_line(&mut line).map_err(|error| failed(&error))? == 0 {
        return Err(Failure::interrupted());
    }
    Ok(match line.trim().to_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    })
}

/// Asks for a line.
pub(crate) fn line(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{}", harmless(question))
        .and_then(|()| err.flush())
        .map_err(|error| failed(&error))?;
    let mut line = String::new();
    io::stdin().lock().take(1024).read_line(&mut line).map_err(|error| failed(&error))?;
    Ok(line.trim().to_owned())
}

/// Reads a secret: unseen from a terminal, or else all of standard input.
pub(crate) fn secret(question: &str, from_terminal: bool) -> Result<SecretText, Failure> {
    if from_terminal {
        return rpassword::prompt_password(question).map(SecretText::new).map_err(|e| failed(&e));
    }
    let mut text = SecretText::new(String::with_capacity(SECRET_BYTES_MAX + 1));
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    io::stdin().lock().take(limit).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(Failure::usage("standard input is too long for a secret"));
    }
    Ok(text)
}

fn failed(error: &io::Error) -> Failure {
    Failure::local(format!("cannot ask: {error}"))
}
