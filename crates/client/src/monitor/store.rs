//! What a monitor keeps.
//!
//! ```text
//! monitors/<domain>/head                 the checkpoint and the operator log under it
//!                  /ledger/<number>      64 bytes for each of 1024 records, the last part shorter
//!                  /logs/<hex>           a long package log as far as it was validated, by log id
//! ```
//!
//! The ledger is written first. What it has beyond the head's length counts for nothing, so whatever
//! remains of an interrupted write is a valid state.

use serde::{Deserialize, Serialize};
use wargate_api::fetch::FetchToken;
use wargate_crypto::KeyId;
use wargate_protocol::ledger::{LEDGER_RECORD_BYTES, pack, unpack};
use wargate_protocol::verify::{Followed, Verified};
use wargate_protocol::{LogId, LogLeaf, LogLength, OperatorState, RegistryIndex, SignedCheckpoint};

use crate::error::Error;
use crate::origin::Domain;
use crate::seams::{Key, State, StateError};
use crate::trust::Known;
use crate::verify::{Keep, KeptLog, Trees};

/// Records in one part of the ledger.
const PART_RECORDS: u64 = 1024;

/// Most bytes of a package log that is kept: some hundred thousand records.
const KEPT_BYTES_MAX: usize = 32 << 20;

pub(super) struct Store<'a> {
    state: &'a dyn State,
    domain: &'a Domain,
}

/// What is stored.
pub(super) enum Loaded {
    Nothing,
    Whole {
        known: Box<Known>,
        trees: Box<Trees>,
    },
    /// The ledger is not the one that makes the checkpoint's roots.
    WithoutLedger {
        known: Box<Known>,
    },
}

/// Whether something was stored.
pub(super) enum Saved {
    Yes,
    /// Another monitor has stored something since.
    Overtaken,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    operator_key: KeyId,
    checkpoint: SignedCheckpoint,
    operator_index: RegistryIndex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator_token: Option<FetchToken>,
    operator: OperatorState,
}

/// Forgets what a monitor of a registry keeps: the next begins anew.
pub(crate) fn forget(state: &dyn State, domain: &Domain) -> Result<(), Error> {
    let store = Store::of(state, domain);
    if state.list(&Key::new(["monitors", domain.as_str()]).map_err(StateError::from)?)?.is_empty() {
        return Ok(());
    }
    let _lock = state.lock(&store.key(&["lock"])?)?;
    // Without a head the rest counts for nothing.
    state.remove(&store.key(&["head"])?)?;
    for part in ["ledger", "logs"] {
        for key in state.list(&store.key(&[part])?)? {
            state.remove(&key)?;
        }
    }
    Ok(())
}

impl<'a> Store<'a> {
    pub(super) const fn of(state: &'a dyn State, domain: &'a Domain) -> Self {
        Self { state, domain }
    }

    pub(super) fn load(&self) -> Result<Loaded, Error> {
        let Some(head) = self.head()? else { return Ok(Loaded::Nothing) };
        let checkpoint = head.checkpoint.contents.checkpoint;
        let mut trees = Trees::default();
        let whole = self.read_ledger(checkpoint.log_length, &mut trees)?;
        let known = Box::new(head.into_known());
        Ok(if whole && trees.compare(&checkpoint).is_ok() {
            Loaded::Whole { known, trees: Box::new(trees) }
        } else {
            Loaded::WithoutLedger { known }
        })
    }

    /// Reads the ledger into trees. Whether it is all there.
    fn read_ledger(&self, length: LogLength, trees: &mut Trees) -> Result<bool, Error> {
        let mut leaves = Vec::new();
        for part in 0..length.get().div_ceil(PART_RECORDS) {
            let Some(bytes) = self.state.read(&self.part_key(part)?)? else { return Ok(false) };
            let left = (length.get() - part * PART_RECORDS).min(PART_RECORDS);
            let wanted = usize::try_from(left).unwrap_or(usize::MAX) * LEDGER_RECORD_BYTES;
            let Some(read) = bytes.get(..wanted).and_then(|bytes| unpack(bytes).ok()) else {
                return Ok(false);
            };
            leaves.extend(read);
        }
        Ok(trees.extend(&leaves).is_ok())
    }

    /// Stores what was verified, whose leaves from a length on are these.
    pub(super) fn save(
        &self,
        before: &Known,
        now: &Known,
        from: LogLength,
        leaves: &[LogLeaf],
    ) -> Result<Saved, Error> {
        let Some(head) = Head::of(now) else { return Ok(Saved::Yes) };
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        let stored = self.head()?.map(|head| head.checkpoint.contents.checkpoint);
        let expected = before.checkpoint.as_ref().map(|before| before.contents.checkpoint);
        if stored.is_some_and(|stored| {
            Some(stored) != expected && stored != head.checkpoint.contents.checkpoint
        }) {
            return Ok(Saved::Overtaken);
        }
        self.append(from.get(), leaves)?;
        let key = self.key(&["head"])?;
        let bytes = serde_json::to_vec(&head).map_err(|error| damaged(&key, &error))?;
        self.state.write(&key, &bytes)?;
        Ok(Saved::Yes)
    }

    fn append(&self, from: u64, leaves: &[LogLeaf]) -> Result<(), Error> {
        let (mut next, mut rest) = (from, leaves);
        while !rest.is_empty() {
            let (part, there) = (next / PART_RECORDS, next % PART_RECORDS);
            let key = self.part_key(part)?;
            let kept = usize::try_from(there).unwrap_or(usize::MAX) * LEDGER_RECORD_BYTES;
            let mut bytes = match there {
                0 => Vec::new(),
                _ => self.state.read(&key)?.unwrap_or_default(),
            };
            if bytes.len() < kept {
                let (key, reason) = (key.to_string(), "it is too short".into());
                return Err(Error::Damaged { key, reason });
            }
            bytes.truncate(kept);
            let room = usize::try_from(PART_RECORDS - there).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            bytes.extend(now.iter().flat_map(pack));
            self.state.write(&key, &bytes)?;
            next += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    fn log_key(&self, log: &LogId) -> Result<Key, StateError> {
        let text = log.to_string();
        self.key(&["logs", text.rsplit(':').next().unwrap_or_default()])
    }

    fn head(&self) -> Result<Option<Head>, Error> {
        let key = self.key(&["head"])?;
        let Some(bytes) = self.state.read(&key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&key, &error))
    }

    fn part_key(&self, part: u64) -> Result<Key, StateError> {
        self.key(&["ledger", &format!("{part:08x}")])
    }

    fn key(&self, rest: &[&str]) -> Result<Key, StateError> {
        let head = ["monitors", self.domain.as_str()];
        Ok(Key::new(head.iter().chain(rest))?)
    }
}

impl Keep for Store<'_> {
    fn load(&self, log: &LogId) -> Result<Option<KeptLog>, Error> {
        let Some(bytes) = self.state.read(&self.log_key(log)?)? else { return Ok(None) };
        // One that is damaged is fetched again.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn save(&self, log: &LogId, kept: &KeptLog) -> Result<(), Error> {
        let key = self.log_key(log)?;
        let bytes = serde_json::to_vec(kept).map_err(|error| damaged(&key, &error))?;
        if bytes.len() > KEPT_BYTES_MAX {
            return Ok(self.state.remove(&key)?);
        }
        Ok(self.state.keep(&key, &bytes)?)
    }
}

impl Head {
    fn of(known: &Known) -> Option<Self> {
        let verified = &known.verified;
        let operator = verified.operator()?;
        Some(Self {
            operator_key: verified.operator_key()?.clone(),
            checkpoint: verified.checkpoint()?.clone(),
            operator_index: operator.index(),
            operator_token: known.token(&LogId::operator()).cloned(),
            operator: operator.state().clone(),
        })
    }

    fn into_known(self) -> Known {
        let as_of = self.checkpoint.contents.checkpoint.log_length;
        let operator = Followed::new(self.operator, self.operator_index, as_of);
        let checkpoint = self.checkpoint;
        let mut known = Known { checkpoint: Some(checkpoint.clone()), ..Known::default() };
        known.verified = Verified::restore(self.operator_key, operator, [], checkpoint);
        known.tokens.extend(self.operator_token.map(|token| (LogId::operator(), token)));
        known
    }
}

fn damaged(key: &Key, error: &serde_json::Error) -> Error {
    Error::Damaged { key: key.to_string(), reason: error.to_string() }
}
