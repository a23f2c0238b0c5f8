//! `wargate restore`: a data directory made of a snapshot.
//!
//! While it is being made there is a file `restoring` in the directory, which no other command
//! accepts. The same command, run again, begins anew in it. It goes when `fsck` has found nothing wrong.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::json;
use wargate_protocol::LogLength;
use wargate_registry::Tools;
use wargate_registry::fsck::{Depth, check};
use wargate_registry::limits::Limits;
use wargate_registry::seams::Signer;
use wargate_registry::snapshot::frames::{Frame, frames, read_part};
use wargate_registry::snapshot::replay::length_at;
use wargate_registry::snapshot::restore::Place;
use wargate_registry::snapshot::{self, Manifest, Target};

use crate::args::{CommonOptions, RestoreOptions};
use crate::config::{data_dir_of, map_window_of};
use crate::data_dir::{DataDir, write_secret};
use crate::keys::{KeyFiles, KeyRing};
use crate::process::SystemClock;
use crate::snapshot::{Progress, Use, choose, open, time};
use crate::{output, process};

/// The command. Its exit code is 2 if what was restored is damaged.
pub(crate) fn run(common: &CommonOptions, options: &RestoreOptions) -> Result<ExitCode> {
    let target = open(&options.target, Use::Read)?;
    let (id, manifest) = choose(&*target, options.snapshot.as_deref())?;
    let length = length(&*target, &manifest, options)?;
    let limits = Limits { map_window_seconds: map_window_of(common)?, ..Limits::default() };
    let data_dir = DataDir::create_to_restore(&data_dir_of(common)?)?;
    let (store, blobs) = process::stores(&data_dir)?;
    let place =
        Place { store: &*store, blobs: &*blobs, map_window_seconds: limits.map_window_seconds };
    let mut progress = Progress::new("restoring");
    let mut watch = |at| progress.show(at);
    let (restored, key) = if options.new_operator_key {
        let files = KeyFiles::new(&data_dir, None);
        let (keys, _) = KeyRing::load(files, true)?;
        let keys = Arc::new(keys);
        let tools = Tools {
            store: Arc::clone(&store) as Arc<dyn wargate_registry::store::Store>,
            clock: Arc::new(SystemClock),
            signer: Arc::<KeyRing>::clone(&keys),
            record_policies: Vec::new(),
            content_policies: Vec::new(),
            define_namespaces: false,
            quotas: Arc::default(),
            limits,
        };
        let restored = snapshot::restore_with_new_operator(
            &*target, &manifest, length, &place, &tools, &mut watch,
        )?;
        (restored, Some(keys.operator_key().id().to_string()))
    } else {
        let restored = snapshot::restore(&*target, &manifest, length, &place, &mut watch)?;
        restore_keys(&*target, &manifest, &data_dir)?;
        (restored, None)
    };
    progress.end();
    let report = check(&*store, &*blobs, Depth::Bytes)?;
    if !report.is_clean() {
        for finding in &report.findings {
            output::line(format_args!("wrong: {finding}"))?;
        }
        output::line(
            "What was restored is damaged, and is not used.\nhint: try an older snapshot",
        )?;
        return Ok(ExitCode::from(2));
    }
    drop((store, blobs));
    data_dir.is_restored()?;
    let committed = restored.committed;
    if common.json {
        output::line(serde_json::to_string_pretty(&json!({
            "snapshot": id,
            "length": committed.length(),
            "committed": time(committed.seconds),
            "pending": restored.pending,
            "logRoot": committed.checkpoint.log_root,
            "operatorKey": key,
            "keys": manifest.keys.is_some() && key.is_none(),
        }))?)?;
    } else {
        print(&id, &restored, &manifest, key.as_deref(), data_dir.path())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The length that was asked for.
fn length(target: &dyn Target, manifest: &Manifest, options: &RestoreOptions) -> Result<LogLength> {
    if let Some(length) = options.length {
        if length == 0 || length > manifest.length.get() {
            bail!(
                "the snapshot has no state of length {length}, but up to {}\nhint: `wargate snapshot \
                 list` shows them all; --snapshot takes another one",
                manifest.length
            );
        }
        return Ok(LogLength::new(length));
    }
    let Some(at) = &options.at else { return Ok(manifest.length) };
    let second = seconds(at)?;
    let found = length_at(target, manifest, second)?;
    found.with_context(|| format!("the registry began after {at}"))
}

/// A time as people and programs write it.
fn seconds(text: &str) -> Result<u64> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let wrong =
        || format!("{text:?} is no time; write 2026-11-21T17:18:34Z, or seconds since 1970");
    let time = humantime::parse_rfc3339_weak(text).with_context(wrong)?;
    Ok(time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// Puts the private keys in their places, if the snapshot has them.
fn restore_keys(target: &dyn Target, manifest: &Manifest, data_dir: &DataDir) -> Result<()> {
    let Some(part) = &manifest.keys else { return Ok(()) };
    let files = KeyFiles::new(data_dir, None);
    for frame in frames(&read_part(target, part)?)? {
        let Frame::Key { role, text } = frame? else {
            bail!("the snapshot is damaged: something that is no key is among its keys");
        };
        let path = files.of_role(&role);
        let path = path.context("the snapshot is damaged: it has a key that no registry has")?;
        write_secret(path, text.trim_ascii_end())
            .with_context(|| format!("cannot write the key file {}", path.display()))?;
    }
    Ok(())
}

fn print(
    id: &snapshot::SnapshotId,
    restored: &snapshot::Restored,
    manifest: &Manifest,
    new_key: Option<&str>,
    path: &Path,
) -> Result<()> {
    let committed = &restored.committed;
    output::line(format_args!("Restored {} from {id}.", path.display()))?;
    output::line(format_args!(
        "  {} records, the last of {}; {} pending",
        committed.length(),
        time(committed.seconds),
        restored.pending
    ))?;
    output::line("  All of it agrees with the log.")?;
    let keys = path.join("keys");
    if let Some(key) = new_key {
        output::line(format_args!(
            "\nThe registry has a new operator, {key}. Clients that know the one before refuse it until \
             their users say `warg trust URL --forget` and compare this fingerprint. Tell them."
        ))?;
    } else if manifest.keys.is_none() && fs::exists(keys.join("operator.key")).is_ok_and(|is| !is) {
        output::line(format_args!(
            "\nIts keys are not in the snapshot: put operator.key and, if there was one, \
             checkpoint.key into {}.",
            keys.display()
        ))?;
    }
    output::line(
        "\nIf the registry has served anything later than this, clients will notice: docs/backup.md \
         says what to tell them.",
    )
}
