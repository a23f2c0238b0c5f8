//! Map proofs on the wire (specification 3.5 and 8.3).

use prost::Message;
use prost::encoding::encode_varint;
use wargate_crypto::Digest;

use super::path::Path;
use super::proof::MapProof;
use crate::limits::{MAP_PROOF_HASHES_MAX, PROOF_BUNDLE_BYTES_MAX};
use crate::proto;

/// The key of field 1 with a length, the only field of all three messages.
const LENGTH_DELIMITED_1: u8 = 0x0a;

/// Why a map bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapBundleError {
    /// More bytes than any honest bundle has.
    #[error("the map bundle has {0} bytes, at most {PROOF_BUNDLE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Not protobuf of the right shape.
    #[error("the map bundle is no protobuf message of its kind: {0}")]
    Undecodable(String),
    /// A hash that has not 32 bytes.
    #[error("proof {proof} of the map bundle has a hash of {bytes} bytes")]
    HashLength {
        /// Which proof, from 0.
        proof: usize,
        /// The bytes of the hash.
        bytes: usize,
    },
    /// More siblings than the tree has levels.
    #[error("proof {proof} of the map bundle has {hashes} hashes, the map has 256 levels")]
    TooManyHashes {
        /// Which proof, from 0.
        proof: usize,
        /// The number of hashes.
        hashes: usize,
    },
    /// Not one proof for each key asked for.
    #[error("the map bundle has {found} proofs where {wanted} were asked for")]
    ProofCount {
        /// Keys asked for.
        wanted: usize,
        /// Proofs in the bundle.
        found: usize,
    },
    /// A proof leads to another root.
    #[error("proof {proof} of the map bundle leads to the root {found}, not to {root}")]
    Root {
        /// Which proof, from 0.
        proof: usize,
        /// The root that was to be reached.
        root: Digest,
        /// The root that it leads to.
        found: Digest,
    },
}

/// Proofs of several keys of one map, in the order they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProofBundle {
    proofs: Vec<MapProof>,
}

impl MapProofBundle {
    /// A bundle of proofs in request order.
    pub fn new(proofs: Vec<MapProof>) -> Self {
        Self { proofs }
    }

    /// The proofs, in request order.
    pub fn proofs(&self) -> &[MapProof] {
        &self.proofs
    }

    /// The protobuf encoding (specification 3.5).
    ///
    /// Written by hand: the generated messages would take a vector for every hash, which costs more
    /// than finding the proof does.
    pub fn encode(&self) -> Vec<u8> {
        const HASH: [u8; 4] = [LENGTH_DELIMITED_1, 34, LENGTH_DELIMITED_1, 32];
        const NO_HASH: [u8; 2] = [LENGTH_DELIMITED_1, 0];
        let sibling_bytes = |sibling: &Option<Digest>| match sibling {
            Some(_) => HASH.len() + 32,
            None => NO_HASH.len(),
        };
        let proof_bytes =
            |proof: &MapProof| proof.siblings.iter().map(sibling_bytes).sum::<usize>();
        // A length of at most 256 hashes takes two bytes.
        let capacity = self.proofs.iter().map(|proof| 3 + proof_bytes(proof)).sum();
        let mut bytes = Vec::with_capacity(capacity);
        for proof in &self.proofs {
            bytes.push(LENGTH_DELIMITED_1);
            encode_varint(proof_bytes(proof) as u64, &mut bytes);
            for sibling in &proof.siblings {
                if let Some(hash) = sibling {
                    bytes.extend_from_slice(&HASH);
                    bytes.extend_from_slice(hash.as_bytes());
                } else {
                    bytes.extend_from_slice(&NO_HASH);
                }
            }
        }
        bytes
    }

    /// Reads the protobuf encoding of at most [`PROOF_BUNDLE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`MapBundleError`] if it is no bundle of well-formed proofs; whether they prove anything is
    /// another question, see [`Self::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MapBundleError> {
        if bytes.len() > PROOF_BUNDLE_BYTES_MAX {
            return Err(MapBundleError::TooLarge(bytes.len()));
        }
        let bundle = proto::MapProofBundle::decode(bytes)
            .map_err(|error| MapBundleError::Undecodable(error.to_string()))?;
        let proofs = bundle.proofs.into_iter().enumerate();
        Ok(Self {
            proofs: proofs.map(|(at, proof)| decode_proof(at, &proof)).collect::<Result<_, _>>()?,
        })
    }

    /// Checks that the bundle proves exactly these leaf hashes at these slots, in this order, in the
    /// map with this root. Takes 256 hashes for each.
    ///
    /// # Errors
    /// [`MapBundleError::ProofCount`] or [`MapBundleError::Root`].
    pub fn verify(&self, leaves: &[(Path, Digest)], root: Digest) -> Result<(), MapBundleError> {
        if leaves.len() != self.proofs.len() {
            let (wanted, found) = (leaves.len(), self.proofs.len());
            return Err(MapBundleError::ProofCount { wanted, found });
        }
        for (at, (proof, (path, leaf))) in self.proofs.iter().zip(leaves).enumerate() {
            let found = proof.root(path, *leaf);
            if found != root {
                return Err(MapBundleError::Root { proof: at, root, found });
            }
        }
        Ok(())
    }
}

fn decode_proof(at: usize, proof: &proto::MapInclusionProof) -> Result<MapProof, MapBundleError> {
    if proof.hashes.len() > MAP_PROOF_HASHES_MAX {
        return Err(MapBundleError::TooManyHashes { proof: at, hashes: proof.hashes.len() });
    }
    let sibling = |hash: &proto::OptionalHash| match &hash.hash {
        None => Ok(None),
        Some(hash) => match <[u8; 32]>::try_from(hash.as_slice()) {
            Ok(hash) => Ok(Some(Digest::from_bytes(hash))),
            Err(_) => Err(MapBundleError::HashLength { proof: at, bytes: hash.len() }),
        },
    };
    Ok(MapProof { siblings: proof.hashes.iter().map(sibling).collect::<Result<_, _>>()? })
}
