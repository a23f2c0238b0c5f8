//! What a client keeps.

use std::collections::BTreeMap;
use std::path::Path;

/// Whether a key of the state says what is believed. Evidence does not, nor what was being published,
/// nor locks.
pub(crate) fn is_belief(key: &str) -> bool {
    let aside = ["evidence", "publishing", ".locks"];
    !key.split('/')
        .any(|part| aside.contains(&part.trim_end_matches('+')) || part.starts_with(".tmp"))
}

/// The files below a directory, by path.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(entries) = std::fs::read_dir(next) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}
