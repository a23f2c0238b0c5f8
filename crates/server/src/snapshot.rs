//! `wargate snapshot`: copies of a registry, while it runs and while it does not.
//!
//! A snapshot is taken by this process, which reads the database beside the server, and not by the
//! server: nothing is added to what the server's memory and its users' privileges must allow, a
//! snapshot that fails or is killed cannot take the server with it, and the command is the same when
//! there is no server. The store answers what must be of one moment in one read, and everything else
//! does not change any more.

mod folder;
mod objects;
mod progress;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use wargate_console::Table;
use wargate_registry::seams::Signer;
use wargate_registry::snapshot::take::Source;
use wargate_registry::snapshot::{self, Manifest, SnapshotId, Target, Verified};

pub(crate) use self::folder::FolderTarget;
pub(crate) use self::progress::Progress;
use crate::args::{CommonOptions, SnapshotCommand, SnapshotOptions};
use crate::config::{data_dir_of, operator_key_file_of};
use crate::data_dir::DataDir;
use crate::keys::{KeyFiles, KeyRing};
use crate::{output, process};

/// What will be done at a place of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing is written.
    Read,
    /// Snapshots are added; others may do the same.
    Add,
    /// Snapshots are removed; nobody else may write.
    Remove,
}

/// The command. Its exit code is 2 if a snapshot that was verified is damaged.
pub(crate) fn run(common: &CommonOptions, options: &SnapshotOptions) -> Result<ExitCode> {
    match &options.command {
        None => {
            let target = options.target.as_deref().context(
                "say where the snapshot goes\nhint: wargate snapshot /mnt/backup/registry",
            )?;
            take(common, target, options.with_keys)?;
        }
        Some(SnapshotCommand::List { target }) => list(common, target)?,
        Some(SnapshotCommand::Verify { target, snapshot }) => {
            return verify(common, target, snapshot.as_deref());
        }
        Some(SnapshotCommand::Prune { target, keep }) => prune(common, target, keep.get())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the place that a text names.
pub(crate) fn open(target: &str, how: Use) -> Result<Box<dyn Target>> {
    if target.starts_with("file:") {
        bail!("snapshots cannot be kept at a file: URL\nhint: name the directory alone");
    }
    if target.contains("://") {
        return objects::open(target, how);
    }
    let folder = FolderTarget::open(target.as_ref(), how)
        .with_context(|| format!("cannot use {target} for snapshots"))?;
    Ok(Box::new(folder))
}

fn take(common: &CommonOptions, target: &str, with_keys: bool) -> Result<()> {
    let data_dir = DataDir::visit(&data_dir_of(common)?)?;
    let (store, blobs) = process::stores_beside(&data_dir)?;
    let files = KeyFiles::new(&data_dir, operator_key_file_of(common)?);
    // Without the key there is a snapshot all the same, whose checkpoint nobody has signed.
    let keys = KeyRing::load(files.clone(), false).ok().map(|(keys, _)| keys);
    let target = open(target, Use::Add)?;
    let source = Source {
        store: &*store,
        blobs: &*blobs,
        signer: keys.as_ref().map(|keys| -> &dyn Signer { keys }),
        keys: if with_keys { files.texts()? } else { Vec::new() },
        clock: &process::SystemClock,
        program: format!("wargate {}", env!("CARGO_PKG_VERSION")),
    };
    let mut progress = Progress::new("taking a snapshot");
    let taken = snapshot::take(&source, &*target, &mut |at| progress.show(at))?;
    progress.end();
    let manifest = &taken.manifest;
    if common.json {
        return output::line(serde_json::to_string_pretty(&json!({
            "snapshot": taken.id,
            "length": manifest.length,
            "sharedRecords": taken.shared_records,
            "newParts": taken.new_parts,
            "newBytes": taken.new_bytes,
            "signed": manifest.signed.is_some(),
            "keys": manifest.keys.is_some(),
        }))?);
    }
    output::line(format_args!("Snapshot {}", taken.id))?;
    output::line(format_args!(
        "  {} records, {} of them in parts that were there; {} new parts with {} bytes",
        manifest.length, taken.shared_records, taken.new_parts, taken.new_bytes
    ))?;
    if manifest.signed.is_none() {
        output::line("note: no key was at hand that may sign its checkpoint")?;
    }
    if manifest.keys.is_some() {
        output::line(
            "warning: it has the registry's private keys. Whoever reads it can speak for the registry.",
        )?;
    }
    Ok(())
}

fn list(common: &CommonOptions, target: &str) -> Result<()> {
    let target = open(target, Use::Read)?;
    let mut table = Table::new(["SNAPSHOT", "TAKEN", "RECORDS", "PENDING PARTS", "KEYS"]);
    let mut rows = Vec::new();
    for id in target.manifests()? {
        match Manifest::read(&*target, &id) {
            Ok(manifest) => {
                let taken = time(manifest.taken_millis / 1000);
                let keys = if manifest.keys.is_some() { "yes" } else { "no" };
                table.row([
                    id.to_string(),
                    taken.clone(),
                    manifest.length.to_string(),
                    manifest.pending.len().to_string(),
                    keys.into(),
                ]);
                rows.push(json!({
                    "snapshot": id, "taken": taken, "length": manifest.length,
                    "registry": manifest.registry, "keys": manifest.keys.is_some(),
                }));
            }
            Err(error) => {
                table.row([
                    id.to_string(),
                    "damaged".into(),
                    String::new(),
                    String::new(),
                    String::new(),
                ]);
                rows.push(json!({ "snapshot": id, "damaged": error.to_string() }));
            }
        }
    }
    if common.json {
        return output::line(serde_json::to_string_pretty(&rows)?);
    }
    if rows.is_empty() {
        return output::line("There are no snapshots yet.");
    }
    output::write(table)
}

fn verify(common: &CommonOptions, target: &str, id: Option<&str>) -> Result<ExitCode> {
    let target = open(target, Use::Read)?;
    let (id, manifest) = choose(&*target, id)?;
    let mut progress = Progress::new("verifying");
    let report = snapshot::verify(&*target, &manifest, &mut |at| progress.show(at))?;
    progress.end();
    if common.json {
        let mut report = serde_json::to_value(&report)?;
        report["snapshot"] = json!(id);
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&id, &report)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn print(id: &SnapshotId, report: &Verified) -> Result<()> {
    output::line(format_args!("Snapshot {id}"))?;
    let mut table = Table::new(["CHECKED", "COUNT"]);
    for (what, count) in [
        ("parts", report.parts),
        ("bytes", report.bytes),
        ("records", report.records),
        ("commits", report.commits),
        ("packages", report.packages),
        ("contents", report.contents),
        ("pending records", report.pending),
    ] {
        table.row([what.to_owned(), count.to_string()]);
    }
    output::write(table)?;
    for finding in &report.findings {
        output::line(format_args!("wrong: {finding}"))?;
    }
    for note in &report.notes {
        output::line(format_args!("note: {note}"))?;
    }
    if report.is_clean() {
        output::line("All of it agrees with its log.")
    } else {
        output::line(
            "The snapshot is damaged.\nhint: while the registry is well, remove the parts that are \
             damaged and take another one: it writes anew what is missing",
        )
    }
}

fn prune(common: &CommonOptions, target: &str, keep: usize) -> Result<()> {
    let target = open(target, Use::Remove)?;
    let pruned = snapshot::prune(&*target, keep)?;
    if common.json {
        return output::line(serde_json::to_string_pretty(&json!({
            "kept": pruned.kept, "removed": pruned.removed,
            "removedParts": pruned.parts, "removedBytes": pruned.bytes,
        }))?);
    }
    output::line(format_args!(
        "Removed {} snapshots, and {} parts with {} bytes; {} snapshots are left.",
        pruned.removed.len(),
        pruned.parts,
        pruned.bytes,
        pruned.kept.len()
    ))
}

/// The snapshot of a name, or the newest that can be read.
pub(crate) fn choose(target: &dyn Target, id: Option<&str>) -> Result<(SnapshotId, Manifest)> {
    if let Some(id) = id {
        let wrong = || format!("{id:?}\nhint: `wargate snapshot list` has their names");
        let id: SnapshotId = id.parse().with_context(wrong)?;
        let manifest = Manifest::read(target, &id)?;
        return Ok((id, manifest));
    }
    let mut damaged = Vec::new();
    for id in target.manifests()?.into_iter().rev() {
        match Manifest::read(target, &id) {
            Ok(manifest) => {
                for error in damaged {
                    tell(format_args!("warning: {error}; the one before is taken"));
                }
                return Ok((id, manifest));
            }
            Err(error) => damaged.push(error),
        }
    }
    match damaged.into_iter().next() {
        Some(error) => Err(error.into()),
        None => bail!("there are no snapshots yet"),
    }
}

#[expect(clippy::print_stderr, reason = "a command line program speaks to a person")]
fn tell(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// A time for people and programs.
pub(crate) fn time(seconds: u64) -> String {
    let time = std::time::Duration::from_secs(seconds);
    let time = std::time::UNIX_EPOCH.checked_add(time);
    time.map_or_else(
        || seconds.to_string(),
        |time| humantime::format_rfc3339_seconds(time).to_string(),
    )
}
