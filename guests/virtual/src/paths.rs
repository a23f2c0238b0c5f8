//! Which node a path names.

use crate::memory::bytes_at;
use crate::tree::Node;

/// Why a file cannot be read or written: the numbers of `error-code` of `wasi:filesystem/types`.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    Exist = 7,
    Invalid = 12,
    IsDirectory = 14,
    NoEntry = 20,
    NotDirectory = 24,
    NotPermitted = 31,
    ReadOnly = 33,
}

/// What a path names that begins at a folder. It may not lead out of the folder, not even to come
/// back.
pub(crate) fn walk(from: u32, address: u32, len: u32) -> Result<Node, Refusal> {
    let path = bytes_at(address, len);
    let mut node = Node(from);
    if !node.is_folder() {
        return Err(Refusal::NotDirectory);
    }
    match path.first() {
        None => return Err(Refusal::NoEntry),
        Some(b'/') => return Err(Refusal::NotPermitted),
        Some(_) => {}
    }
    let mut depth = 0_u32;
    for step in path.split(|byte| *byte == b'/') {
        // An end with a slash is a folder, too.
        if !node.is_folder() {
            return Err(Refusal::NotDirectory);
        }
        match step {
            b"" | b"." => {}
            b".." => {
                depth = depth.checked_sub(1).ok_or(Refusal::NotPermitted)?;
                node = node.parent();
            }
            name => {
                depth += 1;
                node = node.find(name).ok_or(Refusal::NoEntry)?;
            }
        }
    }
    Ok(node)
}
