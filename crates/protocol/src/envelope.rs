//! Signed records (specification 4).
//!
//! The bytes of a record are kept as they were received: they are what was signed and what its id is
//! the hash of, and another encoding of the same record is another record.

use prost::Message;
use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, KeyId, PrivateKey, PublicKey, Signature, SignatureError};

use crate::constants::SIGNATURE_SEPARATOR;
use crate::id::RecordId;
use crate::kind::{LogKind, Operator, Package};
use crate::limits::RECORD_BYTES_MAX;
use crate::proto;
use crate::record::{Record, RecordError};

/// An envelope that holds an operator record.
pub type OperatorEnvelope = Envelope<Operator>;
/// An envelope that holds a package record.
pub type PackageEnvelope = Envelope<Package>;

/// A record's bytes, the id of a key, and a well-formed signature. Nothing of it is checked.
///
/// The JSON form is that of specification 4.1; members that are not known are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedEnvelope {
    #[serde(with = "crate::base64")]
    content_bytes: Vec<u8>,
    key_id: KeyId,
    signature: Signature,
}

/// Why bytes are no stored envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Malformed protobuf.
    #[error("the envelope is not well-formed: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The signature does not parse.
    #[error("the envelope's signature is invalid: {0}")]
    Signature(#[from] SignatureError),
}

impl SignedEnvelope {
    /// An envelope from its parts.
    pub const fn new(content_bytes: Vec<u8>, key_id: KeyId, signature: Signature) -> Self {
        Self { content_bytes, key_id, signature }
    }

    /// Signs the bytes of a record of a kind.
    pub fn sign<K: LogKind>(content_bytes: Vec<u8>, key: &PrivateKey) -> Self {
        let signature = key.sign(&[K::SIGNATURE_PREFIX, SIGNATURE_SEPARATOR, &content_bytes]);
        Self { content_bytes, key_id: key.public_key().id(), signature }
    }

    /// The record's bytes, as received.
    pub fn content_bytes(&self) -> &[u8] {
        &self.content_bytes
    }

    /// The id of the key that is said to have signed; any text.
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The id of the record, as one of a kind.
    pub fn record_id<K: LogKind>(&self) -> RecordId {
        RecordId::from_digest(Digest::of_parts(&[K::RECORD_ID_PREFIX, &self.content_bytes]))
    }

    /// Whether the key signed the bytes as a record of a kind. The key id is not looked at.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if it did not.
    pub fn verify_signature<K: LogKind>(&self, key: &PublicKey) -> Result<(), SignatureError> {
        let message = [K::SIGNATURE_PREFIX, SIGNATURE_SEPARATOR, &self.content_bytes];
        key.verify(&message, &self.signature)
    }

    /// Reads the storage form (specification 3.1).
    ///
    /// # Errors
    /// [`EnvelopeError`]
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let proto::Envelope { contents, key_id, signature } = Message::decode(bytes)?;
        Ok(Self::new(contents, key_id.into(), signature.parse()?))
    }

    /// Writes the storage form (specification 3.1).
    pub fn to_protobuf(&self) -> Vec<u8> {
        let (contents, key_id) = (self.content_bytes.clone(), self.key_id.to_string());
        proto::Envelope { contents, key_id, signature: self.signature.to_string() }.encode_to_vec()
    }
}

/// A [`SignedEnvelope`] whose bytes are a record of kind `K`. It knows the record's id.
///
/// It may also know that its signature is good, see [`Envelope::verify_signature`].
#[derive(Clone, Debug)]
pub struct Envelope<K: LogKind> {
    signed: SignedEnvelope,
    record: Record<K>,
    record_id: RecordId,
    /// The key that the signature was seen to verify with.
    verified_with: Option<PublicKey>,
}

impl<K: LogKind> Envelope<K> {
    /// Signs a new record.
    ///
    /// # Errors
    /// [`RecordError`] if no peer could decode it: it is too large, has too many entries, or a text
    /// in it is too long.
    pub fn sign(record: &Record<K>, key: &PrivateKey) -> Result<Self, RecordError> {
        let bytes = record.encode();
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge { bytes: bytes.len() });
        }
        let mut envelope = Self::decode(SignedEnvelope::sign::<K>(bytes, key))?;
        envelope.verified_with = Some(key.public_key());
        Ok(envelope)
    }

    /// Decodes the record in an envelope (specification 3.7).
    ///
    /// # Errors
    /// [`RecordError`] if there is none of kind `K`.
    pub fn decode(signed: SignedEnvelope) -> Result<Self, RecordError> {
        let record = Record::decode(&signed.content_bytes)?;
        let record_id = signed.record_id::<K>();
        Ok(Self { signed, record, record_id, verified_with: None })
    }

    /// Checks the signature with a key and remembers it, so that
    /// [`validate`](crate::state::validate) need not check it again when this key is the signer's.
    ///
    /// The costly part of validation can so be done early and in parallel.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if the key did not sign the bytes.
    pub fn verify_signature(&mut self, key: &PublicKey) -> Result<(), SignatureError> {
        self.check_signature(key)?;
        self.verified_with = Some(key.clone());
        Ok(())
    }

    /// Like [`Envelope::verify_signature`], without remembering.
    pub(crate) fn check_signature(&self, key: &PublicKey) -> Result<(), SignatureError> {
        match &self.verified_with {
            Some(verified) if verified == key => Ok(()),
            _ => self.signed.verify_signature::<K>(key),
        }
    }

    /// The envelope as it was received.
    pub const fn signed(&self) -> &SignedEnvelope {
        &self.signed
    }

    /// The envelope as it was received.
    pub fn into_signed(self) -> SignedEnvelope {
        self.signed
    }

    /// The record.
    pub const fn record(&self) -> &Record<K> {
        &self.record
    }

    /// The record's id.
    pub const fn record_id(&self) -> RecordId {
        self.record_id
    }

    /// The id of the key that is said to have signed; any text.
    pub const fn key_id(&self) -> &KeyId {
        &self.signed.key_id
    }
}

impl<K: LogKind> TryFrom<SignedEnvelope> for Envelope<K> {
    type Error = RecordError;

    fn try_from(signed: SignedEnvelope) -> Result<Self, RecordError> {
        Self::decode(signed)
    }
}
