//! What is kept of registries' misbehaviour, to be shown to others.
//!
//! Each piece is a JSON document of its own under `evidence/<registry>/<name>`; its name is the
//! beginning of its hash, so that the same lie told twice is kept once. Their number is bounded.

use std::fmt;

use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, KeyId};
use wargate_protocol::Timestamp;
use wargate_protocol::verify::{Culprit, Evidence, Misbehaviour, PlacedEnvelope, ProofBytes};

use crate::error::Error;
use crate::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_PIECES_MAX};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{Key, State, StateError};

/// Names a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceId {
    /// The registry.
    pub registry: Domain,
    /// The piece: the beginning of its hash in hexadecimal.
    pub name: String,
}

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Piece {
    /// The registry that it is about.
    pub registry: Domain,
    /// Where it answered.
    pub url: String,
    /// When, by this machine's clock.
    pub time: Timestamp,
    /// The key with which the registry convicted itself; `None` if what is wrong may be the work of
    /// somebody between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convicted: Option<KeyId>,
    /// The key that signed the registry's first record, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_key: Option<KeyId>,
    /// What it said.
    pub evidence: Evidence,
}

/// Keeps what shows a misbehaviour. `None` if there is no room.
pub(crate) fn keep(
    state: &dyn State,
    url: &RegistryUrl,
    operator_key: Option<KeyId>,
    time: Timestamp,
    found: &Misbehaviour,
) -> Result<Option<EvidenceId>, Error> {
    let convicted = match &found.culprit {
        Culprit::Registry { key_id } => Some(key_id.clone()),
        Culprit::Server => None,
    };
    keep_piece(state, url, operator_key, time, convicted, &found.evidence)
}

/// Keeps what shows something that is wrong, as [`keep`] does.
pub(crate) fn keep_piece(
    state: &dyn State,
    url: &RegistryUrl,
    operator_key: Option<KeyId>,
    time: Timestamp,
    convicted: Option<KeyId>,
    evidence: &Evidence,
) -> Result<Option<EvidenceId>, Error> {
    let registry = url.domain();
    let evidence = &bounded(evidence);
    // Not of the time: the same lie has the same name whenever it is told.
    let bare = serde_json::to_vec(evidence)
        .map_err(|error| Error::Damaged { key: "evidence".into(), reason: error.to_string() })?;
    let name = name_of(&bare);
    let key = key(&registry, &name)?;
    if state.read(&key)?.is_some() {
        return Ok(Some(EvidenceId { registry, name }));
    }
    // What convicts a registry is worth more than that something was wrong once.
    let kept = list(state, &registry)?.len();
    let room = if convicted.is_some() { EVIDENCE_PIECES_MAX } else { EVIDENCE_PIECES_MAX / 2 };
    if kept >= room {
        return Ok(None);
    }
    let piece = Piece {
        registry: registry.clone(),
        url: url.to_string(),
        time,
        convicted,
        operator_key,
        evidence: evidence.clone(),
    };
    let bytes = serde_json::to_vec_pretty(&piece).map_err(|error| damaged(&key, &error))?;
    state.write(&key, &bytes)?;
    Ok(Some(EvidenceId { registry, name }))
}

/// The evidence, without a record or proofs that are too large to keep.
fn bounded(evidence: &Evidence) -> Evidence {
    let mut bounded = evidence.clone();
    let record = |it: &PlacedEnvelope| it.envelope.content_bytes().len();
    let proofs = |it: &ProofBytes| {
        let consistency = it.consistency.iter().map(|proof| proof.proof.len());
        it.log.len() + it.map.len() + consistency.sum::<usize>()
    };
    let record = bounded.record.as_ref().map_or(0, record);
    let proofs = bounded.proofs.as_ref().map_or(0, proofs);
    if record.saturating_add(proofs) > EVIDENCE_BYTES_MAX {
        (bounded.record, bounded.proofs) = (None, None);
        let left_out = format!(" (left out: {} bytes)", record + proofs);
        bounded.summary.push_str(&left_out);
    }
    bounded
}

/// The evidence about a registry, in the order of the names.
pub(crate) fn list(state: &dyn State, registry: &Domain) -> Result<Vec<EvidenceId>, Error> {
    let keys = state.list(&below(registry)?)?;
    let names = keys.iter().filter_map(|key| key.segments().next_back());
    Ok(names.map(|name| EvidenceId { registry: registry.clone(), name: name.to_owned() }).collect())
}

/// A piece of evidence; `None` if there is none of this name.
pub(crate) fn read(state: &dyn State, id: &EvidenceId) -> Result<Option<Piece>, Error> {
    let key = key(&id.registry, &id.name)?;
    let Some(bytes) = state.read(&key)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&key, &error))
}

fn name_of(bytes: &[u8]) -> String {
    let text = Digest::of(bytes).to_string();
    let hex = text.rsplit(':').next().unwrap_or_default();
    hex.chars().take(16).collect()
}

fn below(registry: &Domain) -> Result<Key, StateError> {
    Key::new(["evidence", registry.as_str()]).map_err(Into::into)
}

fn key(registry: &Domain, name: &str) -> Result<Key, StateError> {
    Key::new(["evidence", registry.as_str(), name]).map_err(Into::into)
}

fn damaged(key: &Key, error: &serde_json::Error) -> Error {
    Error::Damaged { key: key.to_string(), reason: error.to_string() }
}
