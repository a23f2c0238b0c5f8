//! Signed notes, checkpoints and cosignatures: the examples of C2SP, and everything that is none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checkpoints;
mod cosignatures;
mod keys;
mod notes;

use wargate_crypto::Ed25519PrivateKey;
use wargate_transparency::note::{Cosigner, NoteSigner};

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name.parse().unwrap(), Ed25519PrivateKey::from_seed(&[seed; 32]))
}

fn cosigner(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(name.parse().unwrap(), Ed25519PrivateKey::from_seed(&[seed; 32]))
}
