//! Map proofs on the wire (specification 3.5 and 8.3).

use prost::Message;
use wargate_crypto::Digest;

use super::path::Path;
use super::proof::MapProof;
use crate::limits::{MAP_PROOF_HASHES_MAX, PROOF_BUNDLE_BYTES_MAX};
use crate::proto;

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

    /// The protobuf encoding.
    pub fn encode(&self) -> Vec<u8> {
        let hash = |sibling: &Option<Digest>| proto::OptionalHash {
            hash: sibling.map(|hash| hash.as_bytes().to_vec()),
        };
        let proof = |proof: &MapProof| proto::MapInclusionProof {
            hashes: proof.siblings.iter().map(hash).collect(),
        };
        proto::MapProofBundle { proofs: self.proofs.iter().map(proof).collect() }.encode_to_vec()
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
