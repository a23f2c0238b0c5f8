//! The two kinds of logs, operator and package, and where they differ.
//!
//! Records, envelopes and the state machine are written once, over [`LogKind`]. A kind names its
//! constants, its permissions, its **actions** (the entries that only it has) and its **items** (what
//! its actions change: releases by version, namespaces by name).

mod operator;
mod package;

use std::fmt;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wargate_crypto::KeyId;

pub use self::operator::{Operator, OperatorAction, OperatorPermission};
pub use self::package::{Package, PackageAction, PackagePermission};
use crate::id::RecordId;
use crate::permission::Permission;
use crate::record::{Record, RecordError};
use crate::state::InvalidRecord;
use crate::timestamp::Timestamp;

/// A kind of log: [`Operator`] or [`Package`]. Nothing else can implement it.
pub trait LogKind: sealed::Sealed + Copy + fmt::Debug + Ord + Hash + Send + Sync + 'static {
    /// What a key may hold.
    type Permission: Permission;
    /// The entries besides init, grant and revoke.
    type Action: Clone + fmt::Debug + PartialEq + Eq + Send + Sync;
    /// The name of what an action changes: a version, a namespace.
    type Item: Clone + fmt::Debug + Ord + Hash + Serialize + DeserializeOwned + Send + Sync;
    /// What a log's state knows of an item.
    type ItemState: Clone + fmt::Debug + PartialEq + Eq + Send + Sync + Serialize + DeserializeOwned;

    /// `operator` or `package`, for messages and logs.
    const NAME: &'static str;
    /// Starts the message that is signed (specification 4.2); a colon and the record follow.
    const SIGNATURE_PREFIX: &'static [u8];
    /// Starts what is hashed into a record's id (specification 4.3).
    const RECORD_ID_PREFIX: &'static [u8];
    /// The protocol version of records.
    const RECORD_VERSION: u32;
    /// What the signer of a grant or revoke holds besides the permissions that it lists.
    const DELEGATION_PERMISSION: Option<Self::Permission>;
    /// Whether the key of an init entry must be the signer's.
    const INIT_KEY_SIGNS: bool;
    /// The member of the state's JSON that holds the items (specification 5.5).
    const ITEMS_MEMBER: &'static str;

    /// Reads a record's protobuf form; [`Record::decode`] has checked its size.
    ///
    /// # Errors
    /// Those of [`Record::decode`].
    fn decode_record(bytes: &[u8]) -> Result<Record<Self>, RecordError>;

    /// Writes a record's canonical protobuf form.
    fn encode_record(record: &Record<Self>) -> Vec<u8>;

    /// What the signer of an action must hold.
    fn action_permission(action: &Self::Action) -> Self::Permission;

    /// The item that an action changes.
    ///
    /// # Errors
    /// [`InvalidRecord::InvalidNamespace`] if the action names something that cannot be an item.
    fn action_item(action: &Self::Action) -> Result<Self::Item, InvalidRecord>;

    /// The item's state after an action, given its state before (specification 5.2 and 5.3).
    ///
    /// # Errors
    /// An [`InvalidRecord`] if the item's state does not allow the action.
    fn act(
        action: &Self::Action,
        origin: &Origin<'_>,
        current: Option<Self::ItemState>,
    ) -> Result<Self::ItemState, InvalidRecord>;

    /// Whether a state read from JSON belongs under this item.
    fn is_state_of(item: &Self::Item, state: &Self::ItemState) -> bool;
}

/// Where an action stands: what its item's state remembers of it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The record that holds the action.
    pub record_id: RecordId,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The id of the key that signed the record.
    pub signer: &'a KeyId,
}

mod sealed {
    /// Keeps [`super::LogKind`] to this crate.
    pub trait Sealed {}

    impl Sealed for super::Operator {}
    impl Sealed for super::Package {}
}
