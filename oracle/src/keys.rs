//! Keys that both sides hold.

use base64ct::{Base64, Encoding};
use wargate_crypto::{KeyId, PrivateKey, PublicKey};

use crate::random::Random;

/// One private key, read from the same text by both.
pub struct KeyPair {
    /// Ours.
    pub ours: PrivateKey,
    /// Theirs.
    pub theirs: warg_crypto::signing::PrivateKey,
}

impl KeyPair {
    /// A random key.
    pub fn random(random: &Random) -> Self {
        loop {
            // Once in 2^32 times the bytes are no scalar.
            if let Some(pair) = Self::of_scalar(&random.array::<32>()) {
                return pair;
            }
        }
    }

    /// The key of a scalar, big endian. None if neither side takes it.
    pub fn of_scalar(scalar: &[u8]) -> Option<Self> {
        let text = format!("ecdsa-p256:{}", Base64::encode_string(scalar));
        let ours = PrivateKey::from_text(&text);
        let theirs = warg_crypto::signing::PrivateKey::decode(text);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "a scalar of {} bytes", scalar.len());
        Some(Self { ours: ours.ok()?, theirs: theirs.ok()? })
    }

    /// Our public half.
    pub fn our_public(&self) -> PublicKey {
        self.ours.public_key()
    }

    /// Their public half.
    pub fn their_public(&self) -> warg_crypto::signing::PublicKey {
        self.theirs.public_key()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.our_public().id()
    }
}

/// Some random keys.
pub fn some(random: &Random, count: usize) -> Vec<KeyPair> {
    (0..count).map(|_| KeyPair::random(random)).collect()
}
