//! All of a registry's answers in one document.

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
    /// The package logs.
    pub packages: Vec<TranscribedLog>,
    /// The inclusion of the newest record of the operator log and then of each package log in their
    /// order here, and the consistency with the checkpoint that the trust anchor has, if any.
    pub proofs: ProofBytes,
}

/// A package log in a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscribedLog {
    /// The package.
    pub name: PackageName,
    /// Its log, in order.
    pub records: Vec<PlacedEnvelope>,
}

impl Transcript {
    /// Reads a transcript. Nothing of it is verified.
    ///
    /// # Errors
    /// [`VerifyError::Unreadable`] if there is none, or it has more than [`TRANSCRIPT_BYTES_MAX`]
    /// bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() > TRANSCRIPT_BYTES_MAX {
            let reason = format!("it has more than {TRANSCRIPT_BYTES_MAX} bytes");
            return Err(VerifyError::Unreadable(reason));
        }
        serde_json::from_slice(bytes).map_err(|error| VerifyError::Unreadable(error.to_string()))
    }

    /// Verifies it.
    ///
    /// # Errors
    /// [`Misbehaviour`]
    pub fn verify(self, anchor: &TrustAnchor) -> Result<Verified, Box<Misbehaviour>> {
        let wanted = self.packages.iter().map(|log| LogId::package(&log.name));
        let mut session =
            Session::new(anchor.clone(), Verified::nothing(), self.checkpoint, wanted);
        session.receive(LogId::operator(), self.operator)?;
        for log in self.packages {
            session.receive(LogId::package(&log.name), log.records)?;
        }
        session.close()?.prove(self.proofs)
    }
}

/// Verifies the bytes of a [`Transcript`] in JSON.
///
/// # Errors
/// Those of [`Transcript::from_json`] and [`Transcript::verify`].
pub fn transcript(bytes: &[u8], anchor: &TrustAnchor) -> Result<Verified, VerifyError> {
    Ok(Transcript::from_json(bytes)?.verify(anchor)?)
}
