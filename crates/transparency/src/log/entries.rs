//! Entry bundles: the entries themselves as a static resource (C2SP tlog-tiles, *Log entries*).

use super::resource::{TileWidth, WIDTH_MAX};

/// Up to 256 consecutive entries, each after its length as a big-endian 16-bit number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryBundle {
    bytes: Vec<u8>,
    width: TileWidth,
}

/// Why bytes or entries are no entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryBundleError {
    /// A bundle has 1 to 256 entries.
    #[error("an entry bundle has 1 to 256 entries, not {0}")]
    Width(usize),
    /// The bundle has another number of entries than was asked for.
    #[error("the bundle should have {asked} entries but has {found}")]
    OtherWidth {
        /// The width in the resource's name.
        asked: u16,
        /// The entries found; counting stops one above the width asked for.
        found: u16,
    },
    /// An entry has more than 65,535 bytes.
    #[error("entry {place} has {bytes} bytes, more than 65535")]
    EntryTooLong {
        /// The entry's place in the bundle.
        place: usize,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The bytes end within an entry or within its length.
    #[error("the bundle ends within entry {place}")]
    Torn {
        /// The entry's place in the bundle.
        place: u16,
    },
}

impl EntryBundle {
    /// A bundle of these entries.
    ///
    /// # Errors
    /// [`EntryBundleError::Width`] unless there are 1 to 256, [`EntryBundleError::EntryTooLong`] if
    /// one has more than 65,535 bytes.
    pub fn new<B: AsRef<[u8]>>(entries: &[B]) -> Result<Self, EntryBundleError> {
        let width = TileWidth::of_count(entries.len());
        let width = width.ok_or(EntryBundleError::Width(entries.len()))?;
        let size = entries.iter().map(|entry| entry.as_ref().len().saturating_add(2)).sum();
        let mut bytes = Vec::with_capacity(size);
        for (place, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
            let length = u16::try_from(entry.len());
            let length =
                length.map_err(|_| EntryBundleError::EntryTooLong { place, bytes: entry.len() })?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(entry);
        }
        Ok(Self { bytes, width })
    }

    /// Reads a resource that must have exactly `width` entries.
    ///
    /// # Errors
    /// [`EntryBundleError::Torn`] if the bytes end too early, [`EntryBundleError::OtherWidth`] if
    /// there are more or fewer entries.
    pub fn decode(bytes: &[u8], width: TileWidth) -> Result<Self, EntryBundleError> {
        let (mut rest, mut found) = (bytes, 0);
        while !rest.is_empty() && found <= width.get() {
            (_, rest) = split_entry(rest).ok_or(EntryBundleError::Torn { place: found })?;
            found += 1;
        }
        if found != width.get() {
            return Err(EntryBundleError::OtherWidth { asked: width.get(), found });
        }
        Ok(Self { bytes: bytes.to_vec(), width })
    }

    /// The resource.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many entries there are.
    pub const fn width(&self) -> TileWidth {
        self.width
    }

    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        (0..WIDTH_MAX).map_while(move |_| {
            let (entry, after) = split_entry(rest)?;
            rest = after;
            Some(entry)
        })
    }
}

/// The first entry and what follows it. None if the bytes end before.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
