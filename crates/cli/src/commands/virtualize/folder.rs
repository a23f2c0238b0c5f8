//! Folders of this machine, read as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use wargate_component::limits::{SEALED_ENTRIES_MAX, SEALED_FILES_BYTES_MAX, SEALED_NESTING_MAX};
use wargate_component::virtualize::{Entry, Folder};

use crate::failure::Failure;
use crate::files::read_regular;

/// How much may be read yet.
pub(super) struct Budget {
    entries: usize,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { entries: SEALED_ENTRIES_MAX, bytes: SEALED_FILES_BYTES_MAX as u64 }
    }

    fn entry(&mut self, path: &Path) -> Result<(), Failure> {
        let left = self.entries.checked_sub(1);
        self.entries = left.ok_or_else(|| {
            let path = path.display();
            let message =
                format!("there are more than {SEALED_ENTRIES_MAX} files and folders, up to {path}");
            Failure::usage(message).hint("name a folder that has only what is needed")
        })?;
        Ok(())
    }
}

/// How much is in a folder and those in it.
#[derive(Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Reads a folder. Links and what is neither file nor folder are refused: nobody is to seal by mistake
/// what lies elsewhere.
pub(super) fn read(path: &Path, budget: &mut Budget) -> Result<(Folder, Sizes), Failure> {
    let metadata = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    if !metadata.is_dir() {
        let path = path.display();
        return Err(Failure::usage(format!("{path} is no folder"))
            .hint("name the folder that it is in: `--dir FOLDER::/PATH`"));
    }
    let mut sizes = Sizes::default();
    let folder = inside(path, 1, budget, &mut sizes)?;
    Ok((folder, sizes))
}

fn inside(
    path: &Path,
    depth: usize,
    budget: &mut Budget,
    sizes: &mut Sizes,
) -> Result<Folder, Failure> {
    if depth > SEALED_NESTING_MAX {
        let path = path.display();
        let message = format!("{path} is in more than {SEALED_NESTING_MAX} folders");
        return Err(Failure::usage(message));
    }
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(|error| cannot_read(path, &error))? {
        let entry = entry.map_err(|error| cannot_read(path, &error))?;
        let path = entry.path();
        budget.entry(&path)?;
        let name = entry.file_name().into_string().map_err(|_| {
            Failure::usage(format!("{} has a name that is no Unicode", path.display()))
        })?;
        // Says what it is, and not what it leads to.
        let kind = entry.file_type().map_err(|error| cannot_read(&path, &error))?;
        let entry = if kind.is_dir() {
            Entry::Folder(inside(&path, depth + 1, budget, sizes)?)
        } else if kind.is_file() {
            let bytes = read_regular(&path, budget.bytes);
            let bytes = bytes.map_err(|error| cannot_read(&path, &error))?;
            budget.bytes = budget.bytes.saturating_sub(bytes.len() as u64);
            sizes.files += 1;
            sizes.bytes += bytes.len() as u64;
            Entry::File(bytes)
        } else {
            let path = path.display();
            return Err(Failure::usage(format!("{path} is a link, or neither file nor folder"))
                .hint("put a copy in its place, or leave it out"));
        };
        entries.insert(name, entry);
    }
    Ok(Folder(entries))
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}
