//! What things are called: logs, records, positions in the registry log and lengths of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, DigestError, DigestText};

use crate::constants::{OPERATOR_LOG_ID, PACKAGE_ID, PACKAGE_LOG_ID};
use crate::encoding::{put_length_prefixed, serde_as_text};
use crate::name::PackageName;

/// The id of a log (specification 4.4). All registries share the ids.
///
/// As text it is a SHA-256 digest of exactly 32 bytes; nothing else can be the id of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(Digest);

/// The id of a record (specification 4.3). It does not depend on the signature.
///
/// As text it is a SHA-256 digest of exactly 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Digest);

impl LogId {
    /// The id of the operator log.
    pub fn operator() -> Self {
        Self(Digest::of(OPERATOR_LOG_ID))
    }

    /// The id of a package's log.
    pub fn package(name: &PackageName) -> Self {
        let mut encoding = [PACKAGE_LOG_ID, PACKAGE_ID].concat();
        put_length_prefixed(&mut encoding, name.as_str());
        Self(Digest::of(&encoding))
    }
}

/// What the two kinds of ids have in common.
macro_rules! digest_id {
    ($($type:ident),+) => {$(
        impl $type {
            /// An id from its digest.
            pub const fn from_digest(digest: Digest) -> Self {
                Self(digest)
            }

            /// Its digest.
            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// The raw 32 bytes of its digest.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }

            /// Its text, on the stack.
            pub fn to_text(&self) -> DigestText {
                self.0.to_text()
            }
        }

        impl FromStr for $type {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        serde_as_text!($type);
    )+};
}

digest_id!(LogId, RecordId);

/// The position of a record in the registry log, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegistryIndex(u64);

impl RegistryIndex {
    /// The first record of a registry, always an operator record.
    pub const FIRST: Self = Self(0);

    /// A position.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RegistryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A length of the registry log, in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogLength(u64);

impl LogLength {
    /// The length before the first record.
    pub const EMPTY: Self = Self(0);

    /// A length.
    pub const fn new(length: u64) -> Self {
        Self(length)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether the record at this position is part of a log of this length.
    pub const fn contains(self, index: RegistryIndex) -> bool {
        index.0 < self.0
    }

    /// The position that the next record takes.
    pub const fn next_index(self) -> RegistryIndex {
        RegistryIndex(self.0)
    }

    /// The position of the last record; `None` for the empty log.
    pub const fn last_index(self) -> Option<RegistryIndex> {
        match self.0.checked_sub(1) {
            Some(last) => Some(RegistryIndex(last)),
            None => None,
        }
    }
}

impl fmt::Display for LogLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
