//! `wargate pause` and `resume`: reading goes on, writing waits.
//!
//! That a registry is paused stands in a file of its data directory, so that it is after a restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use wargate_registry::Registry;

use crate::admin::{self, Answer, Report, Request};
use crate::args::CommonOptions;
use crate::config::data_dir_of;
use crate::data_dir::{DataDir, admin_socket, remove, sync_folder_of, write_secret};
use crate::output;
use crate::process::now_seconds;

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1000;

/// Why nothing is written, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pause {
    /// For publishers.
    pub(crate) reason: String,
    /// Seconds of the Unix epoch.
    pub(crate) since_seconds: u64,
}

/// The switch of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Switch(PathBuf);

impl Switch {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("paused"))
    }

    /// What the file says; `None` if the registry is not paused.
    pub(crate) fn read(&self) -> Result<Option<Pause>> {
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", self.0.display()))?,
        };
        // Somebody wrote it by hand. The registry is paused all the same.
        let by_hand = |_| Pause { reason: text.trim().to_owned(), since_seconds: 0 };
        Ok(Some(serde_json::from_str(&text).unwrap_or_else(by_hand)))
    }

    /// Pauses. Durable on return.
    pub(crate) fn pause(&self, reason: &str) -> Result<Pause> {
        if reason.len() > REASON_BYTES_MAX {
            bail!("the reason is longer than {REASON_BYTES_MAX} bytes");
        }
        let since_seconds = self.read()?.map_or_else(now_seconds, |pause| pause.since_seconds);
        let pause = Pause { reason: reason.to_owned(), since_seconds };
        let wrong = || format!("cannot write {}", self.0.display());
        // Paused with another reason, it is paused all the time.
        let new = self.0.with_extension("new");
        remove(&new).with_context(wrong)?;
        write_secret(&new, &serde_json::to_string(&pause)?).with_context(wrong)?;
        fs::rename(&new, &self.0).and_then(|()| sync_folder_of(&self.0)).with_context(wrong)?;
        Ok(pause)
    }

    /// Goes on. Whether it was paused.
    pub(crate) fn resume(&self) -> Result<bool> {
        let was = self.read()?.is_some();
        remove(&self.0)
            .and_then(|()| sync_folder_of(&self.0))
            .with_context(|| format!("cannot remove {}", self.0.display()))?;
        Ok(was)
    }

    /// Makes a registry what the file says.
    pub(crate) fn apply(&self, registry: &Arc<Registry>) -> Result<()> {
        match self.read()? {
            Some(pause) => {
                tracing::warn!(reason = pause.reason, "paused: nothing is published");
                registry.pause(&pause.reason);
            }
            None => registry.resume(),
        }
        Ok(())
    }
}

/// The command `pause`.
pub(crate) fn pause(common: &CommonOptions, reason: Option<&str>) -> Result<()> {
    let reason = reason.unwrap_or_default().trim().to_owned();
    let report = ask(common, &Request::Pause { reason })?;
    if common.json {
        return output::line(serde_json::to_string_pretty(&report)?);
    }
    output::line(
        "Paused: reading goes on, publishing is answered with 503. `wargate resume` ends it.",
    )
}

/// The command `resume`.
pub(crate) fn resume(common: &CommonOptions) -> Result<()> {
    let report = ask(common, &Request::Resume)?;
    if common.json {
        return output::line(serde_json::to_string_pretty(&report)?);
    }
    output::line("The registry takes records.")
}

fn ask(common: &CommonOptions, request: &Request) -> Result<Report> {
    let path = data_dir_of(common)?;
    match admin::ask(&admin_socket(&path), request)? {
        Some(Answer::Done(report)) => return Ok(*report),
        Some(Answer::Failed { message }) => bail!("{message}"),
        None => {}
    }
    // Nobody serves: the next who does will find the file.
    let _data_dir = DataDir::open(&path)?;
    perform(&Switch::new(&path), request)
}

/// Does what a request asks for, as far as the file goes.
pub(crate) fn perform(switch: &Switch, request: &Request) -> Result<Report> {
    let paused = if let Request::Pause { reason } = request {
        Some(switch.pause(reason)?)
    } else {
        switch.resume()?;
        None
    };
    Ok(Report { paused, ..Report::default() })
}
