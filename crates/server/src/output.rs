//! What commands print on standard output.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, Result};

/// Prints a text and ends the line. A reader who has gone, as `head` goes, wants no more, which is not a
/// failure.
pub(crate) fn line(text: impl Display) -> Result<()> {
    write(format_args!("{text}\n"))
}

/// Prints a text that ends its lines itself.
pub(crate) fn write(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("standard output cannot be written to"),
    }
}
