//! Components of any size, and who watches the places where they appear.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use wargate_crypto::Digest;

/// A component with nothing in it but so many bytes that differ from number to number.
pub(crate) fn component(number: u32, bytes: u32) -> Vec<u8> {
    let mut data = vec![4];
    data.extend_from_slice(b"fill");
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for _ in 0..bytes {
        // Xorshift: nothing compresses, and nothing repeats.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        data.push(state.to_le_bytes()[0]);
    }
    let mut component = b"\0asm\x0d\0\x01\0\0".to_vec();
    let mut length = u32::try_from(data.len()).unwrap();
    while length >= 0x80 {
        component.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    component.push((length & 0x7f) as u8);
    component.extend(data);
    component
}

/// Looks at every file that appears under a final name in a cache or in a directory for outputs, until
/// the channel ends. Returns how many it has looked at, and what was wrong.
pub(crate) fn watch(
    cache: &Path,
    outputs: &Path,
    known: &HashSet<Digest>,
    until: &Receiver<()>,
) -> (usize, Vec<String>) {
    let (mut looked, mut wrong) = (0, Vec::new());
    while until.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
        for path in below(cache).into_iter().filter(|path| is_in(path, "sha256")) {
            let Some(digest) = digest(&path) else { continue };
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !digest.to_string().ends_with(&name) {
                wrong.push(format!("{} has {digest}", path.display()));
            }
            looked += 1;
        }
        for path in below(outputs) {
            if path.file_name().unwrap().to_string_lossy().starts_with(".warg-") {
                continue;
            }
            let Some(digest) = digest(&path) else { continue };
            if !known.contains(&digest) {
                wrong.push(format!("{} has {digest}", path.display()));
            }
            looked += 1;
        }
    }
    (looked, wrong)
}

/// All files below a directory.
pub(crate) fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(below(&entry.path())),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
    found
}

fn is_in(path: &Path, directory: &str) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|name| name == directory)
}

/// The digest of a file; `None` if it has gone.
fn digest(path: &Path) -> Option<Digest> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(Digest::of(&bytes))
}
