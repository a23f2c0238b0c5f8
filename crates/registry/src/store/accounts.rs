//! What is counted beside the log: who uses how much, who waits, and what nobody names.

use wargate_crypto::{Digest, KeyId};
use wargate_protocol::LogLength;

use super::StoreResult;
use crate::usage::{Subject, Usage};

/// What a commit adds to the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The length of the log up to which everything is counted now.
    pub until: LogLength,
    /// What is added, each subject once.
    pub added: Vec<(Subject, Usage)>,
    /// Content that a record of the log names from now on.
    pub named: Vec<Digest>,
}

/// Accounts, each kept by the commits that change it.
///
/// Content that has arrived is *unnamed* until a commit says that a record names it. It has a time:
/// when it came, or when a pending record last wanted it.
pub trait Accounts: Send + Sync {
    /// How much is used, in the order asked; nothing for those that are not known.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError)
    fn usages(&self, wanted: &[Subject]) -> StoreResult<Vec<Usage>>;

    /// Who uses how much, behind `after`, ascending: namespaces, then keys, each by name; at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError)
    fn all_usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>>;

    /// The length of the log up to which everything is counted.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError)
    fn counted(&self) -> StoreResult<LogLength>;

    /// How many records signed with a key wait for content.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError)
    fn sourcing_of(&self, signer: &KeyId) -> StoreResult<u64>;

    /// Unnamed content with a time at or before a second of the Unix epoch, ascending by time and then
    /// by digest, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError)
    fn unnamed_until(&self, second: u64, limit: usize) -> StoreResult<Vec<Digest>>;
}
