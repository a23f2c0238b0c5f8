//! How far a long command is, for a person who watches.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// One line on standard error that changes, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    /// `None` if nobody watches.
    shown: Option<Instant>,
    began: Instant,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let now = Instant::now();
        Self { what, shown: io::stderr().is_terminal().then_some(now), began: now }
    }

    /// Shows how far it is, unless it just did.
    pub(crate) fn show(&mut self, at: wargate_registry::snapshot::Progress) {
        if let Some(shown) = &mut self.shown
            && shown.elapsed() >= EVERY
        {
            *shown = Instant::now();
            let share = (at.records * 100).checked_div(at.of_records).unwrap_or(100);
            let seconds = self.began.elapsed().as_secs();
            // What cannot be shown is not worth failing for.
            let _ = write!(
                io::stderr(),
                "\r{}: {share:>3} %, {} of {} records, {seconds} s ",
                self.what,
                at.records,
                at.of_records
            );
        }
    }

    /// Takes the line away.
    pub(crate) fn end(self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r{:70}\r", "");
        }
    }
}
