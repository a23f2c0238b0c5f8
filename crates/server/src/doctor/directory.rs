//! The data directory: whose it is, and what is in it.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use super::Findings;
use super::subject::{State, Subject};
use crate::data_dir;

const CHECK: &str = "data directory";

/// What the database of a registry begins with, and where its format stands (sqlite.org/fileformat.html).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const FORMAT_AT: std::ops::Range<usize> = 60..64;

pub(super) fn check(subject: &Subject, findings: &mut Findings) {
    let Some(path) = &subject.data_dir else {
        findings.fail(
            CHECK,
            "there is no home directory to keep data in",
            "name one with --data-dir",
        );
        return;
    };
    let shown = path.display();
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.ok(CHECK, format!("{shown} is not there yet; the first start makes it"));
            return;
        }
        Err(error) => {
            findings.fail(CHECK, format!("{shown}: {error}"), "let the registry's user reach it");
            return;
        }
        Ok(metadata) if !metadata.is_dir() => {
            findings.fail(CHECK, format!("{shown} is no directory"), "name one with --data-dir");
            return;
        }
        Ok(metadata) => {
            if access(path, &metadata, findings) && contents(path, findings) {
                findings.ok(CHECK, shown.to_string());
            }
        }
    }
    format(&path.join("registry.db"), findings);
    match &subject.state {
        State::Nothing => findings.ok("registry", "none yet; the first start makes it"),
        State::Running(known) => {
            findings.ok("registry", format!("a server runs, with {} records", known.log_length));
        }
        State::Stopped(known) => {
            findings.ok("registry", format!("no server runs; {} records", known.log_length));
        }
        State::Closed(why) => findings.warn(
            "registry",
            format!("it cannot be looked into: {why}"),
            "start the server, as the user whose it is, and look again; `wargate fsck` \
                 reads all of it",
        ),
    }
}

#[cfg(unix)]
fn access(path: &Path, metadata: &Metadata, findings: &mut Findings) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
    let shown = path.display();
    if owner != own && own != 0 {
        findings.fail(
            CHECK,
            format!("{shown} belongs to the user {owner}, and you are the user {own}"),
            format!("run wargate as its owner, or `chown -R {own} {shown}`"),
        );
        return false;
    }
    if own == 0 && owner != 0 {
        findings.warn(
            CHECK,
            format!("{shown} belongs to the user {owner}, and you are root"),
            "run wargate as its owner: what root makes there the owner cannot write to",
        );
        return false;
    }
    if mode & 0o022 != 0 {
        findings.fail(
            CHECK,
            format!("others can write to {shown} (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        );
        return false;
    }
    if mode & 0o055 != 0 {
        findings.warn(
            CHECK,
            format!("others can look into {shown} (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        );
        return false;
    }
    true
}

#[cfg(not(unix))]
fn access(_: &Path, _: &Metadata, _: &mut Findings) -> bool {
    true
}

fn contents(path: &Path, findings: &mut Findings) -> bool {
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            findings.fail(CHECK, format!("{}: {error}", path.display()), "let its owner read it");
            return false;
        }
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let strangers: Vec<_> = names
        .filter(|name| !name.to_str().is_some_and(data_dir::is_ours))
        .map(|name| wargate_console::harmless(&name.to_string_lossy()))
        .take(5)
        .collect();
    if strangers.is_empty() {
        return true;
    }
    findings.warn(
        CHECK,
        format!("it holds what is no registry's: {}", strangers.join(", ")),
        "keep other things elsewhere: who may write here may write to the registry",
    );
    false
}

/// The database's format, which a newer program may have written.
fn format(database: &Path, findings: &mut Findings) {
    let mut header = Vec::new();
    let read = File::open(database).and_then(|file| file.take(100).read_to_end(&mut header));
    if read.is_err() || header.is_empty() {
        return;
    }
    let newest = wargate_store_sqlite::FORMAT;
    let found = header.get(FORMAT_AT).and_then(|bytes| bytes.try_into().ok());
    match found.map(u32::from_be_bytes).filter(|_| header.starts_with(MAGIC)) {
        None => findings.fail(
            "format",
            format!("{} is no database", database.display()),
            "keep a copy of the data directory as it is, then restore a snapshot",
        ),
        Some(found) if found > newest => findings.fail(
            "format",
            format!("the data has format {found}, and this program knows formats up to {newest}"),
            "use the program that wrote it, or a newer one",
        ),
        Some(found) if found < newest => {
            findings.ok("format", format!("{found}; the next start makes it {newest}"));
        }
        Some(found) => findings.ok("format", found.to_string()),
    }
}
