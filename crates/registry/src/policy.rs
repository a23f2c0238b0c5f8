//! What a registry takes: the seams for policies, and those that are built in.
//!
//! A **record policy** is asked when a record comes, before anything of it is kept: may this key do
//! this here? A **content policy** is asked when the bytes of a release are there: may this be
//! released under this name? Several are asked in order, and the first refusal wins (specification
//! 16.2).

mod authorized_keys;
mod content_rules;

use wargate_component::inspect::Inspection;
use wargate_crypto::Digest;
use wargate_protocol::{PackageEnvelope, PackageName, Version};

pub use self::authorized_keys::{AuthorizedKeys, AuthorizedKeysError};
pub use self::content_rules::{ContentKinds, ContentRules};

/// A refusal of a policy. The text is for people and says what they can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signer may not do this.
    #[error("{0}")]
    Unauthorized(String),
    /// Nobody may do this.
    #[error("{0}")]
    Rejected(String),
}

/// Says which records a registry takes.
pub trait RecordPolicy: Send + Sync {
    /// Looks at a record whose signature was verified with the key that its id names.
    ///
    /// # Errors
    /// [`Refusal`]; nothing of the record is kept then.
    fn check(&self, name: &PackageName, record: &PackageEnvelope) -> Result<(), Refusal>;
}

/// A release whose content is there.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseFacts<'a> {
    /// The package.
    pub name: &'a PackageName,
    /// The version.
    pub version: &'a Version,
    /// The content's digest.
    pub digest: &'a Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// What the content is; `None` if it is not Wasm that can be read, with the reason.
    pub inspection: Result<&'a Inspection, &'a str>,
}

/// Says which content a registry takes for a release.
pub trait ContentPolicy: Send + Sync {
    /// Looks at a release and its content.
    ///
    /// # Errors
    /// The reason, for the publisher.
    fn check(&self, release: &ReleaseFacts<'_>) -> Result<(), String>;
}
