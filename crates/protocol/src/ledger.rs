//! The packed ledger (specification 12.9): all leaves of the registry log, 64 bytes each.

use wargate_crypto::Digest;

use crate::id::{LogId, RecordId};
use crate::leaf::LogLeaf;

/// Length of a ledger record in bytes: the raw log id and the raw record id.
pub const LEDGER_RECORD_BYTES: usize = 64;

/// The content type of a packed ledger.
pub const LEDGER_CONTENT_TYPE: &str = "application/vnd.warg.ledger.packed";

/// Bytes that are no packed ledger: their number is no multiple of [`LEDGER_RECORD_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packed ledger has {LEDGER_RECORD_BYTES} bytes per record, but {bytes} bytes came")]
pub struct LedgerError {
    /// The number of bytes.
    pub bytes: usize,
}

/// The packed form of one leaf.
pub fn pack(leaf: &LogLeaf) -> [u8; LEDGER_RECORD_BYTES] {
    let mut packed = [0; LEDGER_RECORD_BYTES];
    packed[..32].copy_from_slice(leaf.log_id.as_bytes());
    packed[32..].copy_from_slice(leaf.record_id.as_bytes());
    packed
}

/// The leaves of a packed ledger, in the order of their registry indices.
///
/// # Errors
/// [`LedgerError`] if the bytes end within a record; nothing is returned then.
pub fn unpack(
    bytes: &[u8],
) -> Result<impl ExactSizeIterator<Item = LogLeaf> + Clone + '_, LedgerError> {
    match bytes.as_chunks::<LEDGER_RECORD_BYTES>() {
        (records, []) => Ok(records.iter().map(unpack_one)),
        _ => Err(LedgerError { bytes: bytes.len() }),
    }
}

fn unpack_one(packed: &[u8; LEDGER_RECORD_BYTES]) -> LogLeaf {
    let (mut log_id, mut record_id) = ([0; 32], [0; 32]);
    log_id.copy_from_slice(&packed[..32]);
    record_id.copy_from_slice(&packed[32..]);
    LogLeaf {
        log_id: LogId::from_digest(Digest::from_bytes(log_id)),
        record_id: RecordId::from_digest(Digest::from_bytes(record_id)),
    }
}
