//! A package log with many records.

use anyhow::Result;
use wargate_crypto::{Digest, DigestAlgorithm};
use wargate_protocol::{
    Entry, PackageAction, PackageEnvelope, PackageRecord, PackageState, RecordId, SignedEnvelope,
    Timestamp,
};

use crate::keys::private_key;

/// A package log, and a record that fits onto it and whose signature has been checked.
pub struct Log {
    /// The state of the log.
    pub state: PackageState,
    /// The next record.
    pub next: PackageEnvelope,
}

/// A package log of this many records, each but the first with one release.
///
/// # Errors
/// If a record is invalid, which would be a fault here.
pub fn log(records: u64) -> Result<Log> {
    let mut state = PackageState::new();
    for number in 0..records {
        state.append(&record(&state, number)?)?;
    }
    let mut next = record(&state, records)?;
    next = PackageEnvelope::decode(copy(&next))?;
    next.verify_signature(&private_key()?.public_key())?;
    Ok(Log { state, next })
}

/// The envelope as it came from a peer.
pub fn copy(envelope: &PackageEnvelope) -> SignedEnvelope {
    envelope.signed().clone()
}

fn record(state: &PackageState, number: u64) -> Result<PackageEnvelope> {
    let key = private_key()?;
    let prev: Option<RecordId> = state.head().map(|head| head.record_id);
    let entry = match prev {
        None => Entry::Init { hash_algorithm: DigestAlgorithm::Sha256, key: key.public_key() },
        Some(_) => Entry::Action(PackageAction::Release {
            version: format!("1.{number}.0").parse()?,
            content: Digest::of(&number.to_be_bytes()).into(),
        }),
    };
    let record = PackageRecord::new(prev, Timestamp::from_seconds(1_700_000_000), vec![entry]);
    Ok(PackageEnvelope::sign(&record, &key)?)
}
