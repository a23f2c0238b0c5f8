//! Where things are in the tree: slots, and the pages above them.

use std::fmt;

use wargate_crypto::Digest;

use super::MapVersion;

/// The way from the root to a slot: 256 bits, the most significant bit of the first byte decides at
/// the root; 0 is left (specification 8.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path([u8; 32]);

impl Path {
    /// A path from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The slot of a key: SHA-256 of its bytes.
    pub fn of_key(key: &[u8]) -> Self {
        Self(*Digest::of(key).as_bytes())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bit that decides at a depth below 256; `true` is right.
    pub(super) fn bit(&self, depth: usize) -> bool {
        self.0[depth / 8] >> (7 - depth % 8) & 1 == 1
    }

    /// The child that the path takes in a page `level` pages below the root, 0 to 15.
    pub(super) fn nibble(&self, level: usize) -> usize {
        usize::from(self.0[level / 2] >> (4 * (1 - level % 2)) & 15)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The position of a page: the first four bits of the path for each page above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    bits: [u8; 32],
    level: u8,
}

impl Prefix {
    /// Pages below the root page, at most.
    pub const LEVELS: usize = 64;

    /// The position of the root page.
    pub const ROOT: Self = Self { bits: [0; 32], level: 0 };

    /// How many pages stand above this position, 0 to 63.
    pub fn level(&self) -> usize {
        usize::from(self.level)
    }

    /// The position of a child page, or `None` below the last level.
    pub(super) fn child(mut self, nibble: usize) -> Option<Self> {
        let level = self.level();
        if level + 1 >= Self::LEVELS {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a nibble")]
        {
            self.bits[level / 2] |= (nibble as u8 & 15) << (4 * (1 - level % 2));
        }
        self.level += 1;
        Some(self)
    }

    /// Whether a path leads through this position.
    pub(super) fn leads_to(&self, path: &Path) -> bool {
        let whole = self.level() / 2;
        self.bits[..whole] == path.0[..whole]
            && (self.level.is_multiple_of(2) || self.bits[whole] >> 4 == path.0[whole] >> 4)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        let path = Path(self.bits);
        (0..self.level()).try_for_each(|level| write!(f, "{:x}", path.nibble(level)))
    }
}

/// The name of a page: where it is, and the version that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// The version that wrote it.
    pub version: MapVersion,
    /// Where it is.
    pub prefix: Prefix,
}

impl PageId {
    /// The root page of a version.
    pub const fn root(version: MapVersion) -> Self {
        Self { version, prefix: Prefix::ROOT }
    }

    /// A key for stores: version (8 bytes, big endian), level, and as many bytes of the path as the
    /// level needs. Sorts by version, so that pages written together lie together.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.version.0.to_be_bytes().to_vec();
        bytes.push(self.prefix.level);
        bytes.extend(&self.prefix.bits[..self.prefix.level().div_ceil(2)]);
        bytes
    }

    /// Reads [`Self::to_bytes`]. `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (&level, given) = rest.split_first()?;
        let needed = usize::from(level).div_ceil(2);
        if usize::from(level) >= Prefix::LEVELS || given.len() != needed {
            return None;
        }
        let mut bits = [0; 32];
        bits[..needed].copy_from_slice(given);
        if level % 2 == 1 && bits[needed - 1] & 15 != 0 {
            return None;
        }
        let version = MapVersion(u64::from_be_bytes(*version));
        Some(Self { version, prefix: Prefix { bits, level } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_bytes_and_no_other_bytes_are_ids() {
        let path = Path([0xa5; 32]);
        let mut prefix = Prefix::ROOT;
        loop {
            let id = PageId { version: MapVersion(7), prefix };
            assert_eq!(PageId::from_bytes(&id.to_bytes()), Some(id));
            assert!(prefix.leads_to(&path));
            let mut longer = id.to_bytes();
            longer.push(0);
            assert_eq!(PageId::from_bytes(&longer), None);
            assert_eq!(PageId::from_bytes(&id.to_bytes()[1..]), None);
            let Some(next) = prefix.child(path.nibble(prefix.level())) else { break };
            prefix = next;
        }
        assert_eq!(prefix.level(), 63);
        let odd = PageId::root(MapVersion(0)).prefix.child(3).unwrap();
        let mut dirty = PageId { version: MapVersion(0), prefix: odd }.to_bytes();
        *dirty.last_mut().unwrap() |= 1;
        assert_eq!(PageId::from_bytes(&dirty), None);
    }
}
