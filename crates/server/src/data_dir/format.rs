//! What state a data directory is in: its format, and whether it is being restored.
//!
//! The file `format` has the number of the format of the directory as a whole: which files there are
//! and what they mean. A directory without it has format 1, as those had that were made before the file
//! was. The database in it has a format of its own (`wargate-store-sqlite`, `schema.rs`). A change here
//! raises [`FORMAT`], teaches [`check`] to bring older ones up to date, and comes with a directory of
//! the format before in `testdata/formats`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{remove, sync_folder_of};

/// The newest format, which is the one that is written.
pub(crate) const FORMAT: u32 = 1;

const NAME: &str = "format";
const RESTORING: &str = "restoring";
const RESTORING_TEXT: &str = "\
This is a data directory that `wargate restore` had not finished making. It is of no use as it is:
run the same command again, which begins anew, or remove the directory.
";

/// What `restore` makes, and removes when it begins anew.
const RESTORED: [&str; 4] = ["content", "keys", "format", "paused"];

/// Refuses what a newer program wrote, and what is only half restored.
pub(super) fn check(path: &Path) -> Result<()> {
    if path.join(RESTORING).symlink_metadata().is_ok() {
        bail!(
            "{} is being restored, or its restoring was interrupted\nhint: run the same `wargate \
             restore` again, which begins anew",
            path.display()
        );
    }
    let at = path.join(NAME);
    let text = match fs::read_to_string(&at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.with_context(|| format!("cannot read {}", at.display()))?,
    };
    match text.trim().parse::<u32>() {
        Ok(found) if (1..=FORMAT).contains(&found) => Ok(()),
        Ok(found) if found > FORMAT => bail!(
            "{} has format {found}, this program knows formats up to {FORMAT}: use a newer program",
            path.display()
        ),
        _ => bail!("{} says no format: it has {:?}", at.display(), text.trim()),
    }
}

/// Writes the format, if it is not there.
pub(super) fn write(path: &Path) -> Result<()> {
    let at = path.join(NAME);
    if at.exists() {
        return Ok(());
    }
    write_text(&at, &format!("{FORMAT}\n"))
        .with_context(|| format!("cannot write {}", at.display()))
}

/// Whether a directory has nothing in it, or what an interrupted restore has left.
pub(super) fn may_be_restored(path: &Path) -> Result<()> {
    let wrong = || format!("cannot read the data directory {}", path.display());
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(wrong)?,
    };
    if path.join(RESTORING).symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    for entry in entries {
        let name = entry.with_context(wrong)?.file_name();
        if name != "lost+found" {
            bail!(
                "{} has something in it ({}), and is left as it is\nhint: name an empty directory with \
                 --data-dir, or one that does not exist",
                path.display(),
                name.display()
            );
        }
    }
    Ok(())
}

/// Marks a directory that is held as being restored, and removes what an attempt before has left.
pub(super) fn begin_restore(path: &Path) -> Result<()> {
    let wrong = || format!("cannot prepare {}", path.display());
    let mark = path.join(RESTORING);
    if !mark.exists() {
        write_text(&mark, RESTORING_TEXT).with_context(wrong)?;
    }
    for name in RESTORED {
        let at = path.join(name);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&at).with_context(wrong)?,
            Ok(_) => remove(&at).with_context(wrong)?,
            Err(_) => {}
        }
    }
    for name in ["registry.db", "registry.db-wal", "registry.db-shm", "registry.db-journal"] {
        remove(&path.join(name)).with_context(wrong)?;
    }
    Ok(())
}

/// What was restored is whole.
pub(super) fn end_restore(path: &Path) -> Result<()> {
    write(path)?;
    let mark = path.join(RESTORING);
    remove(&mark)
        .and_then(|()| sync_folder_of(&mark))
        .with_context(|| format!("cannot remove {}", mark.display()))
}

/// Writes a new file, whole and durable on return.
fn write_text(path: &Path, text: &str) -> io::Result<()> {
    let unfinished: PathBuf = path.with_added_extension("unfinished");
    remove(&unfinished)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder_of(path)
}
