//! What is looked at: the configuration, and the registry in its data directory.

use std::path::PathBuf;

use wargate_protocol::{LogId, OperatorPermission, Permission};
use wargate_registry::store::{Ledger, Nodes};
use wargate_store_sqlite::SqliteStore;

use super::Findings;
use crate::admin::{self, Answer, Request};
use crate::args::{CommonOptions, ServeOptions};
use crate::config::{Config, data_dir_of, operator_key_file_of};
use crate::data_dir::admin_socket;

/// What is looked at.
pub(super) struct Subject {
    /// `None`: it cannot be put together.
    pub(super) config: Option<Config>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) operator_key_file: Option<PathBuf>,
    pub(super) state: State,
}

/// What is known of the registry.
pub(super) enum State {
    /// There is none yet.
    Nothing,
    /// A server runs on it.
    Running(Known),
    /// No server runs on it.
    Stopped(Known),
    /// No server runs on it, and it cannot be looked into without changing it, or not at all: why.
    Closed(String),
}

/// What a registry's log says.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) log_length: u64,
    /// Of the newest checkpoint; `None` if only a running server knows it.
    pub(super) checkpoint_seconds: Option<u64>,
    /// Keys that may sign checkpoints.
    pub(super) may_commit: Vec<String>,
    /// All keys that the operator log knows.
    pub(super) keys: Vec<String>,
}

impl Subject {
    pub(super) fn new(
        common: &CommonOptions,
        options: &ServeOptions,
        findings: &mut Findings,
    ) -> Self {
        let config = Config::new(common, options, None);
        let config = config.inspect_err(|error| findings.error("configuration", error)).ok();
        let data_dir = match &config {
            Some(config) => Some(config.data_dir.clone()),
            // The file may be the very thing that is wrong.
            None => data_dir_of(common).ok().or_else(|| common.data_dir.clone()),
        };
        let operator_key_file = match &config {
            Some(config) => config.operator_key_file.clone(),
            None => options
                .operator_key_file
                .clone()
                .or_else(|| operator_key_file_of(common).ok().flatten()),
        };
        let state = data_dir.as_ref().map_or(State::Nothing, |data_dir| State::of(data_dir));
        Self { config, data_dir, operator_key_file, state }
    }
}

impl State {
    fn of(data_dir: &std::path::Path) -> Self {
        let database = data_dir.join("registry.db");
        match admin::ask(&admin_socket(data_dir), &Request::Show) {
            Ok(Some(Answer::Done(report))) => {
                let state = report.state.unwrap_or_default();
                let held = state.permissions;
                let may = |names: &Vec<String>| names.iter().any(|name| name == "commit");
                let may_commit = held.iter().filter(|(_, names)| may(names));
                let mut keys: Vec<_> = held.keys().cloned().collect();
                keys.extend([state.operator_key, state.checkpoint_key]);
                return Self::Running(Known {
                    log_length: state.log_length,
                    checkpoint_seconds: None,
                    may_commit: may_commit.map(|(key, _)| key.clone()).collect(),
                    keys,
                });
            }
            Ok(Some(Answer::Failed { message })) => {
                return Self::Closed(format!("the running server cannot read it: {message}"));
            }
            Ok(None) => {}
            Err(error) => return Self::closed(&error),
        }
        match database.metadata() {
            Err(_) => return Self::Nothing,
            // Nobody has got further than making the file.
            Ok(metadata) if metadata.len() == 0 => return Self::Nothing,
            Ok(_) => {}
        }
        let wal = data_dir.join("registry.db-wal");
        if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
            let why = "its server did not end by itself, and the next start puts it in order";
            return Self::Closed(why.into());
        }
        match look(&database) {
            Ok(known) => Self::Stopped(known),
            Err(error) => Self::closed(&error),
        }
    }

    fn closed(error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        Self::Closed(text.split("\nhint: ").next().unwrap_or_default().to_owned())
    }

    pub(super) const fn known(&self) -> Option<&Known> {
        match self {
            Self::Running(known) | Self::Stopped(known) => Some(known),
            Self::Nothing | Self::Closed(_) => None,
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

/// Reads from a database that nobody has open.
fn look(database: &std::path::Path) -> anyhow::Result<Known> {
    let store = SqliteStore::look(database);
    let head = store.head()?.ok_or_else(|| anyhow::anyhow!("nothing was committed"))?;
    let rows = store.all_log_rows(&LogId::operator())?;
    let commit = OperatorPermission::Commit.name();
    let may = |names: &str| names.split(',').any(|name| name == commit);
    let may_commit = rows.permissions.iter().filter(|(_, names)| may(names));
    Ok(Known {
        log_length: head.committed.map_or(0, |committed| committed.length().get()),
        checkpoint_seconds: Some(head.checkpoint_seconds),
        may_commit: may_commit.map(|(key, _)| key.to_string()).collect(),
        keys: rows.keys.iter().map(|key| key.id().to_string()).collect(),
    })
}
