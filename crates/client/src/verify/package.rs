//! One package, from its first record on.

use std::time::{Duration, UNIX_EPOCH};

use wargate_protocol::{Entry, LogId, PackageAction, PackageName, SignedCheckpoint};

use super::contents;
use super::report::{ReleaseFacts, Report, counted};
use super::{Depth, Finding, Scene, Subject};
use crate::client::Client;
use crate::error::Error;
use crate::package::{HistoryRecord, Package};
use crate::registry::Registry;
use crate::sync::SyncError;
use crate::trust::Known;

impl Client {
    /// Derives a package anew: the operator log and all records of the package from their starts, every
    /// signature, the place of the newest record in the log and in the map, and that what was believed
    /// before is a part of it. What is remembered stays what it is.
    ///
    /// # Errors
    /// [`Error::Misbehaviour`] and [`Error::Finding`] if anything is not as it is signed to be, with
    /// evidence; [`Error`] otherwise.
    pub async fn verify_package(
        &self,
        package: &PackageName,
        depth: Depth,
    ) -> Result<Report, Error> {
        Ok(self.derive_package(package, depth).await?.0)
    }

    pub(super) async fn derive_package(
        &self,
        name: &PackageName,
        depth: Depth,
    ) -> Result<(Report, Registry), Error> {
        if self.settings.offline {
            return Err(Error::Offline(format!("what {name} is now")));
        }
        let registry = self.route(name)?;
        let remote = registry.remote().await?;
        let subject = Subject { registry: &registry, remote: &remote };
        let (log, mut before) = (LogId::package(name), subject.before()?);
        before.names.insert(log, name.clone());
        let known = match subject.sync().check(&before, &[log]).await {
            Ok(known) => known,
            Err(SyncError::NotFound { .. }) => return Err(registry.missing(name).await?),
            Err(error) => return Err(subject.failed(&before, error)),
        };
        let Some(package) = registry.packages_of(&known).pop() else {
            return Err(registry.bad_answer("it has no such package"));
        };
        let history = registry.history(&package).await?;
        let mut report = Report::new();
        report.package = Some(name.clone());
        subject.describe(&mut report, &before, &known)?;
        describe_log(&mut report, &package, &history);
        subject.compare_believed(&mut report, &package, &history, &before)?;
        report.releases = releases(&package, &history);
        if depth.contents {
            subject.hash_contents(&mut report).await;
        }
        Ok((report, registry))
    }
}

impl Subject<'_> {
    /// Who operates the registry, and what it signed.
    pub(super) fn describe(
        &self,
        report: &mut Report,
        before: &Known,
        known: &Known,
    ) -> Result<(), Error> {
        report.registry = Some(self.registry.domain().clone());
        report.operator_key = known.verified.operator_key().cloned();
        report.checkpoint = known.verified.checkpoint().cloned();
        let (Some(key), Some(checkpoint)) = (&report.operator_key, &report.checkpoint) else {
            return Ok(());
        };
        let settings = self.registry.client().settings();
        let pinned = settings.confirm(self.registry.domain())
            || self.registry.pin()?.is_some_and(|pin| pin.confirmed);
        let signed = format!(
            "{} is operated by {key}; its state of {} was signed by {} at {}",
            self.registry.domain(),
            counted(checkpoint.contents.checkpoint.log_length.get(), "record", "records"),
            checkpoint.key_id,
            time_of(checkpoint),
        );
        let (key, length) = (key.clone(), checkpoint.contents.checkpoint.log_length);
        report.prove("checkpoint", 1, signed);
        if !pinned {
            report.notes.push(format!("nobody has confirmed that {key} is the operator's key"));
        }
        if let Some(believed) = &before.checkpoint {
            let believed_length = believed.contents.checkpoint.log_length;
            let text = if believed_length == length {
                "this is the state that was believed before".to_owned()
            } else {
                let count = counted(believed_length.get(), "record", "records");
                format!("it goes on from the state of {count} that was believed before")
            };
            report.prove("believed", 1, text);
        }
        Ok(())
    }

    /// What was believed of the package must be a part of what was proven.
    fn compare_believed(
        &self,
        report: &mut Report,
        package: &Package,
        history: &[HistoryRecord],
        before: &Known,
    ) -> Result<(), Error> {
        let Some(believed) = self.registry.known(package.name())? else { return Ok(()) };
        let Some(head) = believed.state().head() else { return Ok(()) };
        let place = history.iter().position(|record| record.id == head.record_id);
        let Some(place) = place else {
            let client = self.registry.client();
            let scene = Scene {
                remote: self.remote,
                state: &*client.parts.state,
                offered: package.checkpoint(),
                seen: before.checkpoint.as_ref(),
                operator_key: Some(package.operator_key()),
            };
            let log = LogId::package(package.name());
            return Err(scene.keep(Finding::Rewritten { log }.into()));
        };
        let count = place as u64 + 1;
        let text = match counted(count, "record", "records") {
            records if count == 1 => {
                format!("the {records} that was believed before is among them")
            }
            records => format!("the {records} that were believed before are among them"),
        };
        report.prove("believedRecords", count, text);
        Ok(())
    }

    /// Fetches and hashes the contents of the releases in a report.
    pub(super) async fn hash_contents(&self, report: &mut Report) {
        let standing = report.releases.iter().filter(|release| !release.yanked);
        let mut digests: Vec<_> = standing.map(|release| release.digest.clone()).collect();
        digests.sort();
        digests.dedup();
        let at_once = self.registry.client().settings().downloads_at_once;
        let (mut good, mut bytes) = (0, 0);
        for (digest, hashed) in contents::hash_all(self.remote, digests, at_once).await {
            let of = report.releases.iter_mut().filter(|it| it.digest == digest && !it.yanked);
            match hashed {
                Ok(length) => {
                    (good, bytes) = (good + 1, bytes + length);
                    of.for_each(|release| release.content_bytes = Some(length));
                }
                Err(error) => {
                    let versions: Vec<_> = of.map(|release| release.version.to_string()).collect();
                    report.problem(format!("{}: {error}", versions.join(", ")));
                }
            }
        }
        let contents = counted(good, "content", "contents");
        let text = format!("{contents} of {} fetched: what the digests say", size(bytes));
        report.prove("contents", good, text);
    }
}

fn describe_log(report: &mut Report, package: &Package, history: &[HistoryRecord]) {
    let count = history.len() as u64;
    let text = format!(
        "{} of `{}`: every signature valid, every signer permitted, each linked to the one before",
        counted(count, "record", "records"),
        package.name(),
    );
    report.prove("records", count, text);
    let text = format!(
        "the newest is number {} of the registry's log, and the map has it as the newest",
        package.index(),
    );
    report.prove("inclusion", 1, text);
}

/// The releases that a history tells of, by version.
fn releases(package: &Package, history: &[HistoryRecord]) -> Vec<ReleaseFacts> {
    let mut releases = Vec::new();
    for record in history {
        for entry in &record.entries {
            let Entry::Action(PackageAction::Release { version, content }) = entry else {
                continue;
            };
            let state = package.state().release(version);
            releases.push(ReleaseFacts {
                version: version.clone(),
                digest: content.clone(),
                yanked: state.is_some_and(wargate_protocol::Release::is_yanked),
                record: record.id,
                registry_index: record.registry_index,
                signed_by: record.key_id.clone(),
                signed_at: record.timestamp,
                content_bytes: None,
            });
        }
    }
    releases.sort_by(|one, other| one.version.cmp(&other.version));
    releases
}

/// When a checkpoint was signed, as people write it.
pub(super) fn time_of(checkpoint: &SignedCheckpoint) -> String {
    // The formatter's last second; nobody signs a later one in earnest.
    const LAST: u64 = 253_402_300_799;
    let seconds = checkpoint.contents.timestamp_seconds;
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST));
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A number of bytes, as people write it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => counted(bytes, "byte", "bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
