//! The miniature registry of the golden vectors: six records, each with the checkpoint after it and
//! proofs, as documents that the verifier takes.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "for tests only: a vector of another form has failed the test"
)]

use std::ops::Range;

use serde_json::Value;
use wargate_crypto::PrivateKey;
use wargate_protocol::verify::{
    ConsistencyBytes, PlacedEnvelope, ProofBytes, TranscribedLog, Transcript, TrustAnchor, Verified,
};
use wargate_protocol::{LogLength, RegistryIndex, SignedCheckpoint, TimestampedCheckpoint, base64};

use crate::vectors::{Walk, load};

/// The miniature registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// `steps` of the vector file.
    pub steps: Vec<Value>,
    /// The operator's key.
    pub operator: PrivateKey,
}

impl Registry {
    /// Reads the vectors.
    pub fn load() -> Self {
        let keys = load("keys");
        let key = keys.list("keys").iter().find(|key| key.text("label") == "operator").unwrap();
        let operator = PrivateKey::from_text(key.text("private_key_text")).unwrap();
        Self { steps: load("registry").list("steps").to_vec(), operator }
    }

    /// The length of the whole log.
    pub fn length(&self) -> usize {
        self.steps.len()
    }

    /// An anchor that pins the operator's key.
    pub fn anchor(&self) -> TrustAnchor {
        TrustAnchor { operator_keys: vec![self.operator.public_key().id()], ..Default::default() }
    }

    /// The checkpoint at a length, which is not 0.
    pub fn checkpoint(&self, length: usize) -> SignedCheckpoint {
        serde_json::from_value(self.steps[length - 1]["checkpoint_after"].clone()).unwrap()
    }

    /// The records of a log, by the log's name in the vectors, with a position in a range.
    pub fn records(&self, log: &str, range: Range<usize>) -> Vec<PlacedEnvelope> {
        let steps = self.steps[range].iter().filter(|step| step.text("log") == log);
        let placed = steps.map(|step| PlacedEnvelope {
            envelope: serde_json::from_value(step["record"].clone()).unwrap(),
            registry_index: RegistryIndex::new(step.number("registry_index")),
        });
        placed.collect()
    }

    /// Package names in the order in which their newest records are proven at a length.
    pub fn packages(&self, length: usize) -> Vec<String> {
        let leafs = self.steps[length - 1]["heads_inclusion"]["request"].list("leafs").to_vec();
        let names =
            leafs.iter().map(|leaf| &self.steps[usize::try_from(leaf.as_u64().unwrap()).unwrap()]);
        names.map(|step| step.text("log").to_owned()).filter(|log| log != "operator").collect()
    }

    /// The proofs at a length, with the consistency from an earlier one if that was seen.
    pub fn proofs(&self, seen: Option<usize>, length: usize) -> ProofBytes {
        let step = &self.steps[length - 1];
        let bytes = |text: &str| base64::decode(text).unwrap();
        let answer = &step["heads_inclusion"]["response"];
        let consistency = seen.filter(|seen| *seen < length).map(|seen| {
            let proofs = step.list("consistency").iter();
            let mut proofs = proofs.filter(|proof| proof["request"].number("from") == seen as u64);
            let proof = bytes(proofs.next().unwrap()["response"].text("proof"));
            ConsistencyBytes { from: LogLength::new(seen as u64), proof }
        });
        ProofBytes {
            log: bytes(answer.text("log")),
            map: bytes(answer.text("map")),
            consistency: consistency.into_iter().collect(),
        }
    }

    /// All of it at a length in one document, for a verifier that has `seen` an earlier length.
    pub fn transcript(&self, seen: Option<usize>, length: usize) -> Transcript {
        let packages = self.packages(length).into_iter().map(|name| TranscribedLog {
            records: self.records(&name, 0..length),
            name: name.parse().unwrap(),
        });
        Transcript {
            checkpoint: self.checkpoint(length),
            operator: self.records("operator", 0..length),
            packages: packages.collect(),
            proofs: self.proofs(seen, length),
        }
    }

    /// What a verifier knows after the transcript of a length.
    pub fn verified(&self, length: usize) -> Verified {
        self.transcript(None, length).verify(&self.anchor()).unwrap()
    }

    /// Signs a checkpoint as the operator would, if it were dishonest.
    pub fn sign(&self, contents: TimestampedCheckpoint) -> SignedCheckpoint {
        SignedCheckpoint::sign(contents, &self.operator)
    }
}
