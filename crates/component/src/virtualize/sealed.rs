//! What is sealed, and how it lies in memory, where `guests/virtual` reads it (`tree.rs` there).

use std::collections::{BTreeMap, VecDeque};

use wargate_crypto::Digest;

use super::{Reads, VirtualizeError};
use crate::limits::{
    SEALED_ENTRIES_MAX, SEALED_FILES_BYTES_MAX, SEALED_NAME_BYTES_MAX, SEALED_NESTING_MAX,
    SEALED_TEXTS_BYTES_MAX, SEALED_TEXTS_MAX,
};

/// What a component gets in the place of the host's environment and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// The environment variables, by name.
    pub environment: BTreeMap<String, String>,
    /// The arguments; for a command, the first is what it is called.
    pub arguments: Vec<String>,
    /// The folders that it can open, by their paths.
    pub folders: BTreeMap<String, Folder>,
}

/// A folder: what is in it, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder(pub BTreeMap<String, Entry>);

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file: its bytes.
    File(Vec<u8>),
    /// A folder.
    Folder(Folder),
}

/// Bytes of the head: four lists, each its address and how many items it has.
const HEAD_BYTES: usize = 32;
/// Bytes of a node.
const NODE_BYTES: usize = 32;

impl Sealed {
    /// How it lies in memory from the address `start` on. What nobody reads need not be there.
    pub(super) fn lay_out(&self, reads: Reads, start: u32) -> Result<Vec<u8>, VirtualizeError> {
        self.check_texts()?;
        let nodes = self.nodes()?;
        let mut layout = Layout { start, bytes: vec![0; HEAD_BYTES] };
        if reads.environment {
            let variables = self.environment.iter();
            layout.texts(0, variables.flat_map(|(name, value)| [name, value]), 2)?;
        }
        if reads.arguments {
            layout.texts(8, self.arguments.iter(), 1)?;
        }
        if reads.files {
            let mut folders = Vec::new();
            for (number, path) in (0_u32..).zip(self.folders.keys()) {
                let (address, len) = layout.text(path)?;
                folders.extend([number, address, len]);
            }
            layout.list(16, &folders, 3)?;
            layout.nodes(&nodes)?;
        }
        Ok(layout.bytes)
    }

    fn check_texts(&self) -> Result<(), VirtualizeError> {
        let names = self.environment.keys();
        if let Some(name) = names.into_iter().find(|name| name.is_empty() || name.contains('=')) {
            return Err(VirtualizeError::Variable { name: name.clone() });
        }
        let texts = || {
            let variables = self.environment.iter().flat_map(|(name, value)| [name, value]);
            variables.chain(&self.arguments).chain(self.folders.keys())
        };
        if let Some(text) = texts().find(|text| text.contains('\0')) {
            return Err(VirtualizeError::Zero { text: text.clone() });
        }
        if self.folders.keys().any(String::is_empty) {
            return Err(VirtualizeError::Name { name: String::new() });
        }
        let count = self.environment.len() + self.arguments.len() + self.folders.len();
        limit("variables, arguments and folders", count, SEALED_TEXTS_MAX)?;
        let bytes = texts().map(String::len).fold(0, usize::saturating_add);
        limit("bytes of variables, arguments and paths", bytes, SEALED_TEXTS_BYTES_MAX)
    }

    /// All files and folders: the outermost folders, then level by level, so that what is in a folder
    /// follows each other.
    fn nodes(&self) -> Result<Vec<Node<'_>>, VirtualizeError> {
        let mut nodes: Vec<Node<'_>> = Vec::new();
        let mut open = VecDeque::new();
        for (number, folder) in self.folders.values().enumerate() {
            nodes.push(Node {
                parent: number,
                name: "",
                inside: Inside::Folder(0, folder.0.len()),
            });
            open.push_back((number, folder, 1));
        }
        let mut bytes = 0_usize;
        while let Some((parent, folder, depth)) = open.pop_front() {
            limit("folders in one another", depth, SEALED_NESTING_MAX)?;
            limit("files and folders", nodes.len() + folder.0.len(), SEALED_ENTRIES_MAX)?;
            nodes[parent].inside = Inside::Folder(nodes.len(), folder.0.len());
            for (name, entry) in &folder.0 {
                check_name(name)?;
                let inside = match entry {
                    Entry::File(content) => {
                        bytes = bytes.saturating_add(content.len());
                        Inside::File(content)
                    }
                    Entry::Folder(folder) => {
                        open.push_back((nodes.len(), folder, depth + 1));
                        Inside::Folder(0, folder.0.len())
                    }
                };
                nodes.push(Node { parent, name, inside });
            }
            limit("bytes of files", bytes, SEALED_FILES_BYTES_MAX)?;
        }
        Ok(nodes)
    }
}

/// A file or a folder, the folder that it is in, and what is in it.
struct Node<'s> {
    parent: usize,
    name: &'s str,
    inside: Inside<'s>,
}

enum Inside<'s> {
    File(&'s [u8]),
    /// The number of the first node, and how many there are.
    Folder(usize, usize),
}

/// Memory that is being written.
struct Layout {
    start: u32,
    bytes: Vec<u8>,
}

impl Layout {
    /// The address of what is written next.
    fn here(&self) -> Result<u32, VirtualizeError> {
        Ok(self.start + number(self.bytes.len())?)
    }

    /// Writes a text. Says its address and its length.
    fn text(&mut self, text: &str) -> Result<(u32, u32), VirtualizeError> {
        self.content(text.as_bytes())
    }

    fn content(&mut self, content: &[u8]) -> Result<(u32, u32), VirtualizeError> {
        let address = self.here()?;
        self.bytes.extend_from_slice(content);
        Ok((address, number(content.len())?))
    }

    /// Writes a list of items of `each` texts, and at `head` that it is there.
    fn texts<'t>(
        &mut self,
        head: usize,
        texts: impl Iterator<Item = &'t String>,
        each: usize,
    ) -> Result<(), VirtualizeError> {
        let mut numbers = Vec::new();
        for text in texts {
            let (address, len) = self.text(text)?;
            numbers.extend([address, len]);
        }
        self.list(head, &numbers, 2 * each)
    }

    /// Writes a list of items of `each` numbers, and at `head` that it is there.
    fn list(&mut self, head: usize, numbers: &[u32], each: usize) -> Result<(), VirtualizeError> {
        self.align();
        let address = self.here()?;
        for number in numbers {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.head(head, address, numbers.len() / each)
    }

    fn nodes(&mut self, nodes: &[Node<'_>]) -> Result<(), VirtualizeError> {
        let mut records = Vec::with_capacity(nodes.len() * NODE_BYTES);
        for node in nodes {
            let name = self.text(node.name)?;
            let (kind, (first, count), digest) = match node.inside {
                Inside::File(content) => {
                    let mut digest = [0; 8];
                    digest.copy_from_slice(&Digest::of(content).as_bytes()[..8]);
                    (0, self.content(content)?, digest)
                }
                Inside::Folder(first, count) => (1, (number(first)?, number(count)?), [0; 8]),
            };
            for number in [kind, number(node.parent)?, name.0, name.1, first, count] {
                records.extend_from_slice(&number.to_le_bytes());
            }
            records.extend_from_slice(&digest);
        }
        self.align();
        let address = self.here()?;
        self.bytes.append(&mut records);
        self.head(24, address, nodes.len())
    }

    fn head(&mut self, at: usize, address: u32, count: usize) -> Result<(), VirtualizeError> {
        let count = number(count)?.to_le_bytes();
        self.bytes[at..at + 4].copy_from_slice(&address.to_le_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&count);
        Ok(())
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }
}

/// What the limits have made small enough.
fn number(number: usize) -> Result<u32, VirtualizeError> {
    u32::try_from(number).map_err(|_| VirtualizeError::Defect)
}

fn limit(what: &'static str, count: usize, count_max: usize) -> Result<(), VirtualizeError> {
    if count > count_max {
        return Err(VirtualizeError::TooMuch { what, count, count_max });
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), VirtualizeError> {
    let is_bad = name.is_empty()
        || name == "."
        || name == ".."
        || name.contains(['/', '\0'])
        || name.len() > SEALED_NAME_BYTES_MAX;
    if is_bad { Err(VirtualizeError::Name { name: name.to_owned() }) } else { Ok(()) }
}
