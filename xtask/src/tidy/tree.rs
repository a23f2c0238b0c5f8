//! The files that the rules look at: what git tracks and what it would track.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result};

use super::scanner::Source;
use crate::{process, workspace};

/// One file of the tree.
pub(super) struct File {
    /// Relative to the root, with `/` on every system.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

impl File {
    /// The file's text, if it is text.
    pub(super) fn text(&self) -> Option<&str> {
        let binary = self.bytes.contains(&0);
        if binary { None } else { std::str::from_utf8(&self.bytes).ok() }
    }

    /// The file as Rust source, unless it is something else or generated.
    pub(super) fn rust(&self) -> Option<Source> {
        let rust = std::path::Path::new(&self.path).extension().is_some_and(|ext| ext == "rs");
        if !rust || is_generated(&self.path) { None } else { self.text().map(Source::new) }
    }

    /// The crate's folder name and the rest of the path, for a file below `crates/`.
    pub(super) fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}

/// Reads the tree. New files count before they are added, so that tidy speaks before the commit.
pub(super) fn read() -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = process::output(&mut git).context("tidy needs a git checkout")?;
    let mut files = Vec::new();
    for path in listing.split_terminator('\0') {
        match fs::read(workspace::root().join(path)) {
            Ok(bytes) => files.push(File { path: path.to_owned(), bytes }),
            // Removed but still in the index, or a submodule: nothing to look at.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            }
            Err(error) => return Err(error).with_context(|| format!("could not read {path}")),
        }
    }
    Ok(files)
}

/// What `cargo xtask codegen` writes is shaped by its generator.
fn is_generated(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/proto/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: &[u8]) -> File {
        File { path: path.to_owned(), bytes: bytes.to_owned() }
    }

    #[test]
    fn only_hand_written_rust_is_source() {
        assert!(file("crates/api/src/lib.rs", b"fn a() {}").rust().is_some());
        assert!(file("crates/protocol/src/proto/warg.rs", b"fn a() {}").rust().is_none());
        assert!(file("README.md", b"fn a() {}").rust().is_none());
        assert!(file("a.rs", b"\0").rust().is_none());
    }

    #[test]
    fn a_crate_is_named_by_its_folder() {
        let inside = file("crates/api/src/lib.rs", b"");
        assert_eq!(inside.in_crate(), Some(("api", "src/lib.rs")));
        assert_eq!(file("xtask/src/main.rs", b"").in_crate(), None);
    }
}
