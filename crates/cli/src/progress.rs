//! What happens on the way, on standard error.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use wargate_client::seams::{Direction, Event, Observer};
use wargate_console::harmless;

use crate::notices::{Notice, Notices};
use crate::output::note;

/// What is said on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Nothing.
    Nothing,
    /// What the user should know.
    Notices,
    /// That, and what happens.
    Everything,
}

/// Shows bars on a terminal, and only notices elsewhere.
pub(crate) struct Progress {
    talk: Talk,
    notices: Arc<Notices>,
    bars: MultiProgress,
    transfers: Mutex<HashMap<String, ProgressBar>>,
}

impl Progress {
    /// Says so much, and keeps the notices in any case.
    pub(crate) fn new(talk: Talk, notices: Arc<Notices>) -> Self {
        Self { talk, notices, bars: MultiProgress::new(), transfers: Mutex::default() }
    }

    /// Tells the user something that they should know, once.
    pub(crate) fn notice(&self, notice: &Notice) {
        if self.notices.add(notice) && self.talk != Talk::Nothing {
            self.say(&notice.text());
        }
    }

    fn say(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            // A terminal that cannot be written to shows nothing else either.
            let _ = self.bars.println(harmless(text));
        } else {
            note(text);
        }
    }

    fn transfer(&self, digest: &str, way: &str, done: u64, length: Option<u64>) {
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = transfers.entry(digest.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(length.unwrap_or(0)));
            let short: String = digest.chars().take(19).collect();
            bar.set_style(
                ProgressStyle::with_template(
                    "{prefix} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec}",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(format!("{way} {short}"));
            bar
        });
        if let Some(length) = length {
            bar.set_length(length);
        }
        bar.set_position(done);
    }

    /// How far a whole registry is.
    fn audit(&self, what: &'static str, done: u64, of: u64) {
        if done >= of {
            return self.finish(what);
        }
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = transfers.entry(what.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(of));
            let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar
        });
        bar.set_length(of);
        bar.set_position(done);
    }

    fn finish(&self, digest: &str) {
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = transfers.remove(digest) {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Warning { message } => {
                self.notice(&Notice::Warning { message: message.to_string() });
            }
            Event::FirstUse { registry, operator_key } => self.notice(&Notice::FirstUse {
                registry: registry.to_string(),
                operator_key: operator_key.to_string(),
            }),
            Event::Redirected { package, registry } => self.notice(&Notice::Elsewhere {
                package: package.to_string(),
                registry: registry.to_string(),
            }),
            _ if self.talk == Talk::Nothing => {}
            Event::Transfer { digest, direction, done, length, complete } => {
                let digest = digest.to_string();
                if complete {
                    self.finish(&digest);
                } else {
                    let way = match direction {
                        Direction::Download => "get",
                        Direction::Upload => "put",
                    };
                    self.transfer(&digest, way, done, length);
                }
            }
            Event::Auditing { what, done, of, .. } => self.audit(what, done, of),
            Event::Retrying { reason, after } => {
                let after = humantime::format_duration(Duration::from_millis(
                    u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                ));
                self.say(&format!("trying again in {after}: {reason}"));
            }
            _ if self.talk != Talk::Everything => {}
            Event::Waiting { package, record } => {
                self.say(&format!("waiting until {record} of {package} is in the log"));
            }
            Event::Submitting { package, record } => {
                self.say(&format!("sending {record} of {package}"));
            }
            Event::Verified { registry, length } => {
                self.say(&format!("{registry}: verified up to length {length}"));
            }
            _ => {}
        }
    }
}
