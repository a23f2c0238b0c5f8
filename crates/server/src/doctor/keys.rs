//! The registry's keys: whether they are there, private, and those that its log knows.

use std::path::{Path, PathBuf};

use super::Findings;
use super::subject::{State, Subject};
use crate::keys::{self, KeyFiles};

pub(super) fn check(subject: &Subject, findings: &mut Findings) {
    let Some(data_dir) = &subject.data_dir else { return };
    let folder = data_dir.join("keys");
    let is_new = matches!(subject.state, State::Nothing);
    let operator = subject.operator_key_file.clone().unwrap_or_else(|| folder.join("operator.key"));
    let checkpoint = folder.join("checkpoint.key");
    let found = key("operator key", &operator, is_new, findings);
    let log = subject.state.known();
    if let (Some(id), Some(log)) = (&found, log) {
        if log.keys.contains(id) {
            findings.ok("operator key", format!("{id}, which the log knows"));
        } else {
            findings.fail(
                "operator key",
                format!("{} is {id}, which the registry's log does not know", operator.display()),
                "put the file back that belongs to this registry, or name it with \
                 --operator-key-file",
            );
        }
    }
    let signs = if checkpoint.exists() {
        key("checkpoint key", &checkpoint, false, findings)
    } else {
        found
    };
    if let (Some(id), Some(log)) = (&signs, log) {
        if log.may_commit.contains(id) {
            findings.ok("checkpoint key", format!("{id}, which may sign checkpoints"));
        } else {
            findings.fail(
                "checkpoint key",
                format!("{id} may not sign checkpoints: the log gives it no `commit`"),
                "put back the keys/checkpoint.key that belongs to this registry",
            );
        }
    }
    private("note key", &folder.join("note.key"), findings);
    for path in [&operator, &checkpoint] {
        leftovers(path, subject.state.is_running(), findings);
    }
}

/// A key's id, if it can be used.
fn key(check: &'static str, path: &Path, is_new: bool, findings: &mut Findings) -> Option<String> {
    // What cannot be looked at is told by whoever reads it.
    if path.try_exists().is_ok_and(|exists| !exists) {
        if is_new {
            findings.ok(check, "none yet; the first start makes it");
        } else {
            findings.fail(
                check,
                format!("there is no {}", path.display()),
                "put the file back: without it the operator log cannot be continued",
            );
        }
        return None;
    }
    match keys::read(path) {
        Ok(key) => {
            private(check, path, findings);
            Some(key.public_key().id().to_string())
        }
        Err(error) => {
            findings.error(check, &error);
            None
        }
    }
}

/// What the group can read is refused nowhere, and is no secret either.
#[cfg(unix)]
fn private(check: &'static str, path: &Path, findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    let mend = format!("chmod 600 {}", path.display());
    let found = format!("others can read {} (mode {mode:o})", path.display());
    if mode & 0o007 != 0 {
        findings.fail(check, found, mend);
    } else if mode & 0o070 != 0 {
        findings.warn(check, found, mend);
    }
}

#[cfg(not(unix))]
fn private(_: &'static str, _: &Path, _: &mut Findings) {}

/// Files that an interrupted exchange of keys has left.
fn leftovers(path: &Path, is_running: bool, findings: &mut Findings) {
    let left: Vec<PathBuf> = [KeyFiles::next(path), KeyFiles::old(path)]
        .into_iter()
        .filter(|path| path.exists())
        .collect();
    for path in left {
        let mend = if is_running {
            "run the same `wargate operator` command again, which ends what it began"
        } else {
            "start the server, then run the same `wargate operator` command again, which ends what it \
             began"
        };
        let found = format!("an exchange of keys was interrupted: {} is there", path.display());
        findings.warn("keys", found, mend);
    }
}
