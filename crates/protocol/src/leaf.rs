//! Leaves of the registry log and of the map (specification 6 and 8.1).

use serde::{Deserialize, Serialize};
use wargate_crypto::Digest;
use wargate_transparency::log::LeafHash;
use wargate_transparency::map::{self, Path};

use crate::constants::{LOG_LEAF, MAP_LEAF};
use crate::id::{LogId, RecordId};

/// The length of a digest text behind its length, in bytes.
const PREFIXED_TEXT_BYTES: usize = 1 + Digest::TEXT_BYTES;

/// A leaf of the registry log: a record and the log that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLeaf {
    /// The log.
    pub log_id: LogId,
    /// The record.
    pub record_id: RecordId,
}

impl LogLeaf {
    /// Length of the encoding in bytes.
    pub const ENCODING_BYTES: usize = LOG_LEAF.len() + 2 * PREFIXED_TEXT_BYTES;

    /// What the registry log holds.
    pub fn encode(&self) -> [u8; Self::ENCODING_BYTES] {
        let mut encoding = [0; Self::ENCODING_BYTES];
        let (prefix, ids) = encoding.split_at_mut(LOG_LEAF.len());
        let (log_id, record_id) = ids.split_at_mut(PREFIXED_TEXT_BYTES);
        prefix.copy_from_slice(LOG_LEAF);
        write_prefixed(log_id, self.log_id.digest());
        write_prefixed(record_id, self.record_id.digest());
        encoding
    }

    /// The leaf's hash in the Merkle log: SHA-256 of a zero byte and the encoding.
    pub fn hash(&self) -> LeafHash {
        LeafHash::of(&self.encode())
    }
}

/// A leaf of the map: the newest record of the log whose slot it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapLeaf {
    /// The record.
    pub record_id: RecordId,
}

impl MapLeaf {
    /// Length of the encoding in bytes.
    pub const ENCODING_BYTES: usize = MAP_LEAF.len() + PREFIXED_TEXT_BYTES;

    /// What the map holds.
    pub fn encode(&self) -> [u8; Self::ENCODING_BYTES] {
        let mut encoding = [0; Self::ENCODING_BYTES];
        let (prefix, record_id) = encoding.split_at_mut(MAP_LEAF.len());
        prefix.copy_from_slice(MAP_LEAF);
        write_prefixed(record_id, self.record_id.digest());
        encoding
    }

    /// The leaf's hash in the map: SHA-256 of a zero byte and the encoding.
    pub fn hash(&self) -> Digest {
        map::leaf_hash(&self.encode())
    }
}

impl LogId {
    /// The log's slot in the map: SHA-256 of the raw 32 bytes, most significant bit first.
    pub fn map_path(&self) -> Path {
        Path::of_key(self.as_bytes())
    }
}

/// Writes a digest's text behind its length, which is one byte of LEB128.
fn write_prefixed(to: &mut [u8], digest: &Digest) {
    const LENGTH: u8 = Digest::TEXT_BYTES.to_le_bytes()[0];
    const { assert!(Digest::TEXT_BYTES < 0x80) };
    let (length, text) = to.split_at_mut(1);
    length.copy_from_slice(&[LENGTH]);
    text.copy_from_slice(digest.to_text().as_bytes());
}
