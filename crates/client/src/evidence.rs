//! What was kept of a registry's misbehaviour.

use std::fmt;

use crate::origin::Domain;

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
