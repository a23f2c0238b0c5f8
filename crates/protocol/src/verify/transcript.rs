//! All of a registry's answers in one document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::anchor::{TrustAnchor, Verified};
use super::fault::{PlacedEnvelope, ProofBytes};
use super::session::Session;
use super::{Misbehaviour, VerifyError};
use crate::checkpoint::SignedCheckpoint;
use crate::id::LogId;
use crate::limits::TRANSCRIPT_BYTES_MAX;
use crate::name::PackageName;

/// What a registry answered about some packages under one checkpoint.
///
/// Enough for anybody to verify the packages' logs without asking the registry again. Members that
/// are not known are ignored, so the records can stand as they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The operator log, in order.
    pub operator: Vec<PlacedEnvelope>,
    /// The log of each package, in order.
    pub packages: BTreeMap<PackageName, Vec<PlacedEnvelope>>,
    /// The inclusion of the newest record of the operator log and then of each package log in the
    /// order of the log ids, and the consistency with the checkpoint that the trust anchor has.
    pub proofs: ProofBytes,
}

impl Transcript {
    /// Verifies it.
    ///
    /// # Errors
    /// [`Misbehaviour`]
    pub fn verify(self, anchor: &TrustAnchor) -> Result<Verified, Box<Misbehaviour>> {
        let packages = self.packages.into_iter();
        let packages: BTreeMap<_, _> =
            packages.map(|(name, records)| (LogId::package(&name), records)).collect();
        let wanted = packages.keys().copied();
        let mut session =
            Session::new(anchor.clone(), Verified::nothing(), self.checkpoint, wanted);
        session.receive(LogId::operator(), self.operator)?;
        for (log, records) in packages {
            session.receive(log, records)?;
        }
        session.close()?.prove(self.proofs)
    }
}

/// Verifies the bytes of a [`Transcript`] in JSON.
///
/// # Errors
/// [`VerifyError::Unreadable`] if there is none, or it has more than [`TRANSCRIPT_BYTES_MAX`] bytes;
/// [`VerifyError::Misbehaviour`] if what it says is wrong.
pub fn transcript(bytes: &[u8], anchor: &TrustAnchor) -> Result<Verified, VerifyError> {
    if bytes.len() > TRANSCRIPT_BYTES_MAX {
        let reason = format!("it has more than {TRANSCRIPT_BYTES_MAX} bytes");
        return Err(VerifyError::Unreadable(reason));
    }
    let transcript: Transcript = serde_json::from_slice(bytes)
        .map_err(|error| VerifyError::Unreadable(error.to_string()))?;
    Ok(transcript.verify(anchor)?)
}
