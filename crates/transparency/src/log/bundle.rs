//! The form in which proofs travel (specification 7.5).

use prost::Message;
use wargate_crypto::Digest;

use super::node::NodeId;
use super::position::{LeafIndex, LogLength};
use crate::limits::PROOF_BUNDLE_BYTES_MAX;
use crate::proto;

/// Numbers in a bundle have 32 bits, which its node numbers use up at this length.
const BUNDLE_LENGTH_MAX: u64 = 1 << 31;

/// Proofs about one log at one length, with every hash that they need.
///
/// There is exactly one encoding of a bundle, the one that the reference writes: fields ascending,
/// numbers packed and shortest, hashes ascending by node without duplicates (specification 3.6,
/// 7.5). [`LogProofBundle::decode`] refuses any other, and the verifier refuses hashes that no
/// proof needs. So nothing rides along that is not verified, and two parties that hold the same
/// proof hold the same bytes. The reference produces nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProofBundle {
    pub(super) length: LogLength,
    pub(super) consistent: Vec<LogLength>,
    pub(super) included: Vec<LeafIndex>,
    /// Ascending by node, each node once.
    pub(super) hashes: Vec<(NodeId, Digest)>,
}

/// The log is too long for a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proof bundle ends at 2^31 entries, and the log has {length}")]
pub struct BundleEncodeError {
    /// The length that the proofs are for.
    pub length: LogLength,
}

/// Why bytes are no proof bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleDecodeError {
    /// There are more bytes than are looked at.
    #[error("a proof bundle has at most {PROOF_BUNDLE_BYTES_MAX} bytes, not {bytes}")]
    TooLarge {
        /// The number of bytes.
        bytes: usize,
    },
    /// The bytes are no such protobuf message.
    #[error("not a proof bundle: {0}")]
    Protobuf(prost::DecodeError),
    /// The message has unknown fields or is not written in its shortest form.
    #[error("the bundle is not in its canonical encoding")]
    NotCanonical,
    /// There is nothing to prove anything with (specification 20.3, N1).
    #[error("the bundle contains no proof")]
    NoProofs,
    /// The length does not go together with 32-bit node numbers.
    #[error("a proof bundle ends at 2^31 entries, not {0}")]
    Length(u32),
    /// A hash does not have 32 bytes.
    #[error("the hash of node {node} has {bytes} bytes instead of 32")]
    HashLength {
        /// The node.
        node: u32,
        /// The length of its hash.
        bytes: usize,
    },
    /// Hashes do not ascend by node, or one node has several.
    #[error("the hash of node {0} does not come in ascending order")]
    NotAscending(u32),
    /// An inclusion proof is for a node that is not a leaf of the log.
    #[error("node {0} is not a leaf of the log")]
    NotALeaf(u32),
    /// A consistency proof starts from length 0 or from a later one.
    #[error("there is no consistency proof from length {from} to {to}")]
    Consistency {
        /// The length to start from.
        from: u32,
        /// The length of the bundle.
        to: u32,
    },
}

impl LogProofBundle {
    /// The length that all proofs are for.
    pub const fn length(&self) -> LogLength {
        self.length
    }

    /// The lengths from which consistency is proven, in the order asked.
    pub fn consistent(&self) -> &[LogLength] {
        &self.consistent
    }

    /// The entries whose inclusion is proven, in the order asked.
    pub fn included(&self) -> &[LeafIndex] {
        &self.included
    }

    /// Every hash that the proofs need, ascending by node.
    pub fn hashes(&self) -> &[(NodeId, Digest)] {
        &self.hashes
    }

    /// Writes the bundle as the reference does.
    ///
    /// # Errors
    /// [`BundleEncodeError`] if the log has more than 2^31 entries.
    pub fn encode(&self) -> Result<Vec<u8>, BundleEncodeError> {
        let too_long = BundleEncodeError { length: self.length };
        if self.length.get() > BUNDLE_LENGTH_MAX {
            return Err(too_long);
        }
        let number = |number: u64| u32::try_from(number).map_err(|_| too_long);
        let hashes = self.hashes.iter().map(|(node, hash)| {
            let hash = hash.as_bytes().to_vec();
            Ok(proto::HashEntry { index: number(node.get())?, hash })
        });
        let included = self.included.iter().map(|leaf| number(NodeId::of_leaf(*leaf).get()));
        let message = proto::LogProofBundle {
            log_length: number(self.length.get())?,
            consistent_lengths: self
                .consistent
                .iter()
                .map(|from| number(from.get()))
                .collect::<Result<_, _>>()?,
            included_indices: included.collect::<Result<_, _>>()?,
            hashes: hashes.collect::<Result<_, _>>()?,
        };
        Ok(message.encode_to_vec())
    }

    /// Reads a bundle: its form is checked here, what it proves by [`LogProofBundle::verify`].
    ///
    /// Memory grows with the input: about 3 bytes for each, and at most 32 if it pretends to consist
    /// of empty hashes.
    ///
    /// # Errors
    /// [`BundleDecodeError`] for everything that the reference would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleDecodeError> {
        if bytes.len() > PROOF_BUNDLE_BYTES_MAX {
            return Err(BundleDecodeError::TooLarge { bytes: bytes.len() });
        }
        let message = proto::LogProofBundle::decode(bytes).map_err(BundleDecodeError::Protobuf)?;
        if message.encoded_len() != bytes.len() || message.encode_to_vec() != bytes {
            return Err(BundleDecodeError::NotCanonical);
        }
        if message.consistent_lengths.is_empty() && message.included_indices.is_empty() {
            return Err(BundleDecodeError::NoProofs);
        }
        let to = message.log_length;
        let length = LogLength::from(to);
        if length.get() > BUNDLE_LENGTH_MAX {
            return Err(BundleDecodeError::Length(to));
        }
        let consistent = message.consistent_lengths.into_iter().map(|from| match from {
            0 => Err(BundleDecodeError::Consistency { from, to }),
            _ if from > to => Err(BundleDecodeError::Consistency { from, to }),
            _ => Ok(LogLength::from(from)),
        });
        let included = message.included_indices.into_iter().map(|number| {
            let leaf = NodeId::from(number).as_leaf().filter(|leaf| leaf.is_within(length));
            leaf.ok_or(BundleDecodeError::NotALeaf(number))
        });
        Ok(Self {
            length,
            consistent: consistent.collect::<Result<_, _>>()?,
            included: included.collect::<Result<_, _>>()?,
            hashes: ascending(message.hashes)?,
        })
    }
}

fn ascending(entries: Vec<proto::HashEntry>) -> Result<Vec<(NodeId, Digest)>, BundleDecodeError> {
    let mut hashes = Vec::with_capacity(entries.len());
    let mut last = None;
    for proto::HashEntry { index, hash } in entries {
        let bytes = <[u8; 32]>::try_from(hash.as_slice());
        let wrong = BundleDecodeError::HashLength { node: index, bytes: hash.len() };
        let bytes = bytes.map_err(|_| wrong)?;
        if last.is_some_and(|last| last >= index) {
            return Err(BundleDecodeError::NotAscending(index));
        }
        last = Some(index);
        hashes.push((NodeId::from(index), Digest::from_bytes(bytes)));
    }
    Ok(hashes)
}
