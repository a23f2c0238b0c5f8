//! The checks, in the specification's order (5.1 to 5.3).

use std::convert::Infallible;

use wargate_crypto::{DigestAlgorithm, KeyId, PublicKey};

use super::view::LogView;
use super::{Delta, Head, InvalidRecord, Tables};
use crate::envelope::Envelope;
use crate::kind::{LogKind, Origin};
use crate::permission::{Permission, PermissionSet};
use crate::record::{Entry, Record};

/// Why a record was not validated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError<E> {
    /// The log's state could not be read. This says nothing about the record.
    #[error("the state of the log could not be read")]
    View(#[source] E),
    /// The record is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
}

impl From<ValidationError<Infallible>> for InvalidRecord {
    fn from(error: ValidationError<Infallible>) -> Self {
        match error {
            ValidationError::Invalid(invalid) => invalid,
            ValidationError::View(never) => match never {},
        }
    }
}

/// A record that fits onto its log, and what it does there.
#[derive(Clone, Debug)]
#[must_use = "a record has no effect until its delta is applied"]
pub struct Validated<K: LogKind> {
    envelope: Envelope<K>,
    delta: Delta<K>,
}

impl<K: LogKind> Validated<K> {
    /// The record.
    pub const fn envelope(&self) -> &Envelope<K> {
        &self.envelope
    }

    /// What it does to its log.
    pub const fn delta(&self) -> &Delta<K> {
        &self.delta
    }

    /// The record, and what it does to its log.
    pub fn into_parts(self) -> (Envelope<K>, Delta<K>) {
        (self.envelope, self.delta)
    }
}

impl<K: LogKind> Envelope<K> {
    /// [`validate`], keeping the record and its delta together.
    ///
    /// # Errors
    /// Those of [`validate`].
    pub fn validate<V: LogView<K>>(
        self,
        view: &V,
    ) -> Result<Validated<K>, ValidationError<V::Error>> {
        let delta = validate(&self, view)?;
        Ok(Validated { envelope: self, delta })
    }
}

/// Checks one more record of a log, its signature included, against the log's state.
///
/// Reads from the view what [`Envelope::reads`] names and nothing else, at most a few times for each
/// entry. The signature is checked last, and not again if [`Envelope::verify_signature`] has seen it
/// verify with the signer's key.
///
/// # Errors
/// [`ValidationError::Invalid`] with the first rule that the record breaks;
/// [`ValidationError::View`] if the view could not be read.
pub fn validate<K: LogKind, V: LogView<K>>(
    envelope: &Envelope<K>,
    view: &V,
) -> Result<Delta<K>, ValidationError<V::Error>> {
    let record = envelope.record();
    let head = view.head().map_err(ValidationError::View)?;
    check_place(record, head)?;

    let signer = envelope.key_id();
    let timestamp = record.timestamp;
    let origin = Origin { record_id: envelope.record_id(), timestamp, signer };
    let mut step = Step { view, origin, initialised: head.is_some(), set: Tables::new() };
    for entry in &record.entries {
        step.take(entry)?;
    }
    if !step.initialised {
        return Err(InvalidRecord::InitialRecordDoesNotInit.into());
    }

    let key = step.key(signer)?;
    let key = key.ok_or_else(|| InvalidRecord::KeyIdNotRecognized { key_id: signer.clone() })?;
    envelope.check_signature(&key).map_err(InvalidRecord::SignatureError)?;

    let prev = head.map(|head| head.record_id);
    let head = Head { record_id: origin.record_id, timestamp };
    Ok(Delta { prev, head, tables: step.set })
}

/// Steps 1 to 6 of specification 5.1: whether the record may stand where it wants to.
fn check_place<K: LogKind>(record: &Record<K>, head: Option<Head>) -> Result<(), InvalidRecord> {
    match (head, &record.prev) {
        (None, Some(_)) => return Err(InvalidRecord::PreviousHashOnFirstRecord),
        (Some(_), None) => return Err(InvalidRecord::NoPreviousHashAfterInit),
        (Some(_), Some(prev)) if prev.algorithm() != DigestAlgorithm::Sha256 => {
            return Err(InvalidRecord::IncorrectHashAlgorithm);
        }
        (Some(head), Some(prev)) if prev != head.record_id.digest() => {
            return Err(InvalidRecord::RecordHashDoesNotMatch);
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    if record.version != K::RECORD_VERSION {
        return Err(InvalidRecord::ProtocolVersionNotAllowed { version: record.version });
    }
    if head.is_some_and(|head| record.timestamp < head.timestamp) {
        return Err(InvalidRecord::TimestampLowerThanPrevious);
    }
    Ok(())
}

/// Step 7: the entries, each of which sees what those before it have set.
struct Step<'a, K: LogKind, V> {
    view: &'a V,
    origin: Origin<'a>,
    initialised: bool,
    set: Tables<K>,
}

impl<K: LogKind, V: LogView<K>> Step<'_, K, V> {
    fn take(&mut self, entry: &Entry<K>) -> Result<(), ValidationError<V::Error>> {
        let required = match entry {
            Entry::Init { .. } => None,
            Entry::Grant { .. } | Entry::Revoke { .. } => K::DELEGATION_PERMISSION,
            Entry::Action(action) => Some(K::action_permission(action)),
        };
        self.require(required.as_slice())?;
        match entry {
            Entry::Init { key, .. } => Ok(self.init(key)?),
            _ if !self.initialised => Err(InvalidRecord::FirstEntryIsNotInit.into()),
            Entry::Grant { key, permissions } => self.grant(key, permissions),
            Entry::Revoke { key_id, permissions } => self.revoke(key_id, permissions),
            Entry::Action(action) => self.act(action),
        }
    }

    fn init(&mut self, key: &PublicKey) -> Result<(), InvalidRecord> {
        if self.initialised {
            return Err(InvalidRecord::InitialEntryAfterBeginning);
        }
        let signer = self.origin.signer.clone();
        let key_id = key.id();
        if K::INIT_KEY_SIGNS && key_id != signer {
            return Err(InvalidRecord::KeyIdNotRecognized { key_id: signer });
        }
        self.initialised = true;
        // In an operator log these may be two keys (specification 5.3, QUIRK).
        self.set.permissions.insert(signer, PermissionSet::all());
        self.set.keys.insert(key_id, key.clone());
        Ok(())
    }

    fn grant(
        &mut self,
        key: &PublicKey,
        permissions: &[K::Permission],
    ) -> Result<(), ValidationError<V::Error>> {
        self.require(permissions)?;
        let key_id = key.id();
        let mut held = self.permissions(&key_id)?;
        for permission in permissions {
            held.insert(*permission);
        }
        self.set.permissions.insert(key_id.clone(), held);
        self.set.keys.insert(key_id, key.clone());
        Ok(())
    }

    fn revoke(
        &mut self,
        key_id: &KeyId,
        permissions: &[K::Permission],
    ) -> Result<(), ValidationError<V::Error>> {
        self.require(permissions)?;
        if permissions.is_empty() {
            return Ok(());
        }
        let mut held = self.permissions(key_id)?;
        for permission in permissions {
            if !held.remove(*permission) {
                let (key_id, permission) = (key_id.clone(), permission.name());
                return Err(InvalidRecord::PermissionNotFoundToRevoke { key_id, permission }.into());
            }
        }
        self.set.permissions.insert(key_id.clone(), held);
        Ok(())
    }

    fn act(&mut self, action: &K::Action) -> Result<(), ValidationError<V::Error>> {
        let item = K::action_item(action)?;
        let current = match self.set.items.get(&item) {
            Some(state) => Some(state.clone()),
            None => self.view.item(&item).map_err(ValidationError::View)?,
        };
        let state = K::act(action, &self.origin, current)?;
        self.set.items.insert(item, state);
        Ok(())
    }

    /// Whether the signer holds all of these now.
    fn require(&self, permissions: &[K::Permission]) -> Result<(), ValidationError<V::Error>> {
        if permissions.is_empty() {
            return Ok(());
        }
        let held = self.permissions(self.origin.signer)?;
        match permissions.iter().find(|permission| !held.contains(**permission)) {
            None => Ok(()),
            Some(missing) => {
                let (key_id, permission) = (self.origin.signer.clone(), missing.name());
                Err(InvalidRecord::UnauthorizedAction { key_id, permission }.into())
            }
        }
    }

    fn permissions(
        &self,
        key_id: &KeyId,
    ) -> Result<PermissionSet<K::Permission>, ValidationError<V::Error>> {
        match self.set.permissions.get(key_id) {
            Some(held) => Ok(*held),
            None => self.view.permissions(key_id).map_err(ValidationError::View),
        }
    }

    fn key(&self, key_id: &KeyId) -> Result<Option<PublicKey>, ValidationError<V::Error>> {
        match self.set.keys.get(key_id) {
            Some(key) => Ok(Some(key.clone())),
            None => self.view.key(key_id).map_err(ValidationError::View),
        }
    }
}
