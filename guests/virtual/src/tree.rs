//! What is sealed, as `wargate_component::virtualize` writes it into the memory.
//!
//! It begins at `__heap_base`, rounded up to a multiple of 16, with a [head](Head) of numbers of 32
//! bits, little-endian. Addresses are those in memory.

use crate::memory::{bytes_at, u32_at, u64_at};

unsafe extern "C" {
    #[link_name = "__heap_base"]
    static HEAP_BASE: u8;
}

/// The numbers at the beginning, each the address of a list and how many items it has.
#[derive(Clone, Copy)]
pub(crate) enum Head {
    /// Pairs of texts, each text its address and its length.
    Environment = 0,
    /// Texts.
    Arguments = 8,
    /// The folders that the component has from the beginning: the number of a node and a text.
    Folders = 16,
    /// Nodes, each in [`NODE_LEN`] bytes.
    Nodes = 24,
}

impl Head {
    /// The address of the address of the list.
    pub(crate) fn address(self) -> u32 {
        (&raw const HEAP_BASE as u32).next_multiple_of(16) + self as u32
    }

    pub(crate) fn list(self) -> (u32, u32) {
        (u32_at(self.address()), u32_at(self.address() + 4))
    }
}

/// Kind, parent, address and length of the name, address and length of what is in it, a digest.
const NODE_LEN: u32 = 32;

/// A file or a folder, by its number.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Node(pub(crate) u32);

impl Node {
    pub(crate) fn is_folder(self) -> bool {
        u32_at(self.address()) == 1
    }

    /// The folder that it is in. That of the outermost one is itself.
    pub(crate) fn parent(self) -> Self {
        Self(u32_at(self.address() + 4))
    }

    /// Address and length of its name.
    pub(crate) fn name(self) -> (u32, u32) {
        (u32_at(self.address() + 8), u32_at(self.address() + 12))
    }

    /// Of a file, address and length of its bytes. Of a folder, the number of the first node in it, and
    /// how many there are; they follow each other, sorted by their names.
    pub(crate) fn inside(self) -> (u32, u32) {
        (u32_at(self.address() + 16), u32_at(self.address() + 20))
    }

    /// What changes with the bytes of a file.
    pub(crate) fn digest(self) -> u64 {
        u64_at(self.address() + 24)
    }

    /// How many bytes a file has.
    pub(crate) fn size(self) -> u64 {
        if self.is_folder() { 0 } else { u64::from(self.inside().1) }
    }

    /// What has a name in a folder.
    pub(crate) fn find(self, name: &[u8]) -> Option<Self> {
        let (mut first, mut count) = self.inside();
        while count > 0 {
            let middle = Self(first + count / 2);
            let (address, len) = middle.name();
            match name.cmp(bytes_at(address, len)) {
                core::cmp::Ordering::Equal => return Some(middle),
                core::cmp::Ordering::Less => count /= 2,
                core::cmp::Ordering::Greater => {
                    first = middle.0 + 1;
                    count -= count / 2 + 1;
                }
            }
        }
        None
    }

    fn address(self) -> u32 {
        Head::Nodes.list().0 + self.0 * NODE_LEN
    }
}
