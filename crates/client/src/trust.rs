//! What is believed of a registry, from one run to the next.
//!
//! ```text
//! registries/<domain>/pin                who operates it, since when it is known
//!                    /checkpoint         the newest checkpoint that was verified
//!                    /operator           the operator log's state
//!                    /packages/<hex>     a package log's state, by log id
//!                    /believed           a checkpoint that came another way
//! ```
//!
//! The checkpoint is written first, and durably; logs can be had again, and need not survive a power
//! failure. A log's state says at which length it is whole, and the checkpoint
//! extends that length, so whatever remains of an interrupted write is a valid state: newer checkpoint,
//! older logs. Two processes that verified different checkpoints do not both win: whoever comes second
//! finds another checkpoint than it began with and verifies again from there.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wargate_api::fetch::FetchToken;
use wargate_crypto::KeyId;
use wargate_protocol::verify::{Followed, Verified};
use wargate_protocol::{
    LogId, LogKind, LogLength, LogState, PackageName, RegistryIndex, SignedCheckpoint, Timestamp,
};

use crate::error::Error;
use crate::origin::Domain;
use crate::seams::{Key, State, StateError};

/// Who operates a registry, as this client believes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The key that signed the registry's first record.
    pub operator_key: KeyId,
    /// Where the registry was first seen.
    pub url: String,
    /// When that was, by this machine's clock.
    pub since: Timestamp,
    /// Whether the user confirmed the key. Otherwise it was believed on first use.
    pub confirmed: bool,
}

/// What is known of a registry: as much as was loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) verified: Verified,
    /// The newest checkpoint that was verified. It stands even where the logs were lost.
    pub(crate) checkpoint: Option<SignedCheckpoint>,
    /// A checkpoint that is believed because somebody else has seen it.
    pub(crate) believed: Option<SignedCheckpoint>,
    pub(crate) tokens: BTreeMap<LogId, FetchToken>,
    /// More package logs, which were verified under the same checkpoint or an earlier one.
    pub(crate) rest: BTreeMap<LogId, Followed<wargate_protocol::Package>>,
    /// The names of package logs.
    pub(crate) names: BTreeMap<LogId, PackageName>,
}

/// A package log that is known, and what it is called.
pub(crate) type Remembered = (LogId, Option<PackageName>);

/// A registry's part of the state.
pub(crate) struct Trust<'a> {
    state: &'a dyn State,
    domain: &'a Domain,
}

/// How often to read without the lock while others write.
const LOADS_MAX: u32 = 3;

/// Whether what was verified is believed from now on.
pub(crate) enum Saved {
    Yes,
    /// Somebody else came first, with another checkpoint: verify again from what is known now.
    Overtaken,
}

/// A log as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
struct StoredLog<K: LogKind> {
    /// The key that signed the registry's first record: what is left of another operator's registry
    /// does not count.
    operator_key: KeyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<PackageName>,
    head_registry_index: RegistryIndex,
    as_of: LogLength,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head_fetch_token: Option<FetchToken>,
    state: LogState<K>,
}

/// Of a log as it is kept, what it is called.
#[derive(Deserialize)]
struct Named {
    name: Option<PackageName>,
}

/// What logs are saved under.
struct Saving<'a> {
    operator_key: &'a KeyId,
    length: LogLength,
}

impl<'a> Trust<'a> {
    pub(crate) const fn of(state: &'a dyn State, domain: &'a Domain) -> Self {
        Self { state, domain }
    }

    /// Who operates the registry; `None` if it was never seen.
    pub(crate) fn pin(&self) -> Result<Option<Pin>, Error> {
        self.read(&self.key(&["pin"])?)
    }

    /// What is known: the operator log, and these package logs.
    pub(crate) fn load(&self, wanted: &[LogId]) -> Result<Known, Error> {
        // Somebody may be saving: the checkpoint first, then the logs. What was read before and after
        // under one checkpoint belongs together.
        let mut known = self.load_once(wanted)?;
        for _ in 0..LOADS_MAX {
            if self.checkpoint()? == known.checkpoint {
                return Ok(known);
            }
            known = self.load_once(wanted)?;
        }
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        self.load_once(wanted)
    }

    fn load_once(&self, wanted: &[LogId]) -> Result<Known, Error> {
        let (pin, checkpoint) = (self.pin()?, self.checkpoint()?);
        let believed = self.read(&self.key(&["believed"])?)?;
        let mut known = Known { checkpoint: checkpoint.clone(), believed, ..Known::default() };
        let operator: Option<StoredLog<_>> = Self::again(self.read(&self.key(&["operator"])?))?;
        let (Some(pin), Some(checkpoint), Some(operator)) = (pin, checkpoint, operator) else {
            // Interrupted before it was complete, or never begun.
            return Ok(known);
        };
        if operator.operator_key != pin.operator_key {
            return Ok(known);
        }
        let (mut packages, length) = (Vec::new(), checkpoint.contents.checkpoint.log_length);
        known.tokens.extend(operator.head_fetch_token.clone().map(|it| (LogId::operator(), it)));
        for log in wanted {
            let stored: Option<StoredLog<_>> = Self::again(self.read(&self.package_key(log)?))?;
            let whole = |stored: &StoredLog<_>| {
                stored.as_of <= length && stored.operator_key == pin.operator_key
            };
            let Some(stored) = stored.filter(whole) else { continue };
            known.tokens.extend(stored.head_fetch_token.clone().map(|token| (*log, token)));
            known.names.extend(stored.name.clone().map(|name| (*log, name)));
            packages.push((*log, stored.into()));
        }
        let operator = operator.into();
        known.verified = Verified::restore(pin.operator_key, operator, packages, checkpoint);
        Ok(known)
    }

    /// The newest checkpoint that was verified.
    pub(crate) fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        self.read(&self.key(&["checkpoint"])?)
    }

    /// The package logs that are known.
    pub(crate) fn packages(&self) -> Result<Vec<Remembered>, Error> {
        Ok(self.list_packages()?.0)
    }

    /// The package logs that are known, and how many more were, whose state is damaged: they are
    /// forgotten.
    pub(crate) fn remembered(&self) -> Result<(Vec<Remembered>, usize), Error> {
        let (logs, damaged) = self.list_packages()?;
        if damaged.is_empty() {
            return Ok((logs, 0));
        }
        // Somebody may have fetched them again meanwhile.
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        let (logs, damaged) = self.list_packages()?;
        for key in &damaged {
            self.state.remove(key)?;
        }
        Ok((logs, damaged.len()))
    }

    fn list_packages(&self) -> Result<(Vec<Remembered>, Vec<Key>), Error> {
        let (mut logs, mut damaged) = (Vec::new(), Vec::new());
        for key in self.state.list(&self.key(&["packages"])?)? {
            let hex = key.segments().next_back().unwrap_or_default();
            // Others have no business there.
            let Ok(log) = format!("sha256:{hex}").parse() else { continue };
            match self.read(&key) {
                Ok(Some(Named { name })) => logs.push((log, name)),
                Ok(None) => {}
                Err(Error::Damaged { .. }) => damaged.push(key),
                Err(error) => return Err(error),
            }
        }
        Ok((logs, damaged))
    }

    /// Believes what was verified from now on, if nobody else has come since `before`.
    pub(crate) fn save(&self, before: &Known, now: &Known, pin: &Pin) -> Result<Saved, Error> {
        let (Some(checkpoint), Some(operator)) =
            (now.verified.checkpoint(), now.verified.operator())
        else {
            return Ok(Saved::Yes);
        };
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        let stored = self.checkpoint()?;
        let same = |one: &SignedCheckpoint, other: &SignedCheckpoint| {
            one.contents.checkpoint == other.contents.checkpoint
        };
        let expected = before.checkpoint.as_ref();
        let undisturbed = match (&stored, expected) {
            (Some(stored), Some(before)) => same(stored, before) || same(stored, checkpoint),
            (Some(stored), None) => same(stored, checkpoint),
            // The user may have made the client forget the registry.
            (None, before) => before.is_none(),
        };
        if !undisturbed {
            return Ok(Saved::Overtaken);
        }
        match self.pin()? {
            None => self.write(&self.key(&["pin"])?, pin)?,
            // The user came first, with another operator.
            Some(there) if there.operator_key != pin.operator_key => return Ok(Saved::Overtaken),
            Some(_) => {}
        }
        let is_newer = stored.as_ref().is_none_or(|stored| {
            !same(stored, checkpoint)
                || stored.contents.timestamp_seconds < checkpoint.contents.timestamp_seconds
        });
        if is_newer {
            self.write(&self.key(&["checkpoint"])?, checkpoint)?;
        }
        let saving = Saving {
            operator_key: &pin.operator_key,
            length: checkpoint.contents.checkpoint.log_length,
        };
        let token = now.token(&LogId::operator());
        self.save_log(&saving, &self.key(&["operator"])?, operator, None, token)?;
        for (log, followed) in now.verified.packages() {
            if before.verified.package(log) == Some(followed) {
                continue;
            }
            let (key, name) = (self.package_key(log)?, now.names.get(log));
            self.save_log(&saving, &key, followed, name, now.token(log))?;
        }
        // What is believed now extends what was then, unless only the longer of two was looked at.
        let looked_at = before.checkpoint.is_none() || before.verified.checkpoint().is_some();
        let there: Option<SignedCheckpoint> = self.read(&self.key(&["believed"])?)?;
        if there.is_some() && there == before.believed && looked_at {
            self.state.remove(&self.key(&["believed"])?)?;
        }
        Ok(Saved::Yes)
    }

    /// Writes a log, unless a newer state of it is there that belongs to this history.
    fn save_log<K: LogKind>(
        &self,
        saving: &Saving<'_>,
        key: &Key,
        followed: &Followed<K>,
        name: Option<&PackageName>,
        token: Option<&FetchToken>,
    ) -> Result<(), Error> {
        let there: Option<StoredLog<K>> = Self::again(self.read(key))?;
        let stays = |there: &StoredLog<K>| {
            (followed.as_of()..=saving.length).contains(&there.as_of)
                && there.operator_key == *saving.operator_key
        };
        if there.as_ref().is_some_and(stays) {
            return Ok(());
        }
        let log = StoredLog {
            operator_key: saving.operator_key.clone(),
            name: name.cloned(),
            head_registry_index: followed.index(),
            as_of: followed.as_of(),
            head_fetch_token: token.cloned(),
            state: followed.state().clone(),
        };
        let bytes = serde_json::to_vec(&log).map_err(|error| damaged(key, &error))?;
        Ok(self.state.keep(key, &bytes)?)
    }

    /// Believes a checkpoint that somebody else has seen: what the registry shows must agree with it.
    pub(crate) fn believe(&self, checkpoint: &SignedCheckpoint) -> Result<(), Error> {
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        self.write(&self.key(&["believed"])?, checkpoint)
    }

    /// Sets who operates the registry. Everything that was believed under another key is forgotten.
    pub(crate) fn set_pin(&self, pin: &Pin) -> Result<(), Error> {
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        if self.pin()?.is_some_and(|known| known.operator_key != pin.operator_key) {
            self.forget_locked()?;
        }
        self.write(&self.key(&["pin"])?, pin)
    }

    /// Forgets all that is known of the registry. Evidence stays.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        let _lock = self.state.lock(&self.key(&["lock"])?)?;
        self.forget_locked()
    }

    fn forget_locked(&self) -> Result<(), Error> {
        // Without a checkpoint the rest counts for nothing; the pin is last.
        self.state.remove(&self.key(&["checkpoint"])?)?;
        for key in self.state.list(&self.key(&["packages"])?)? {
            self.state.remove(&key)?;
        }
        self.state.remove(&self.key(&["operator"])?)?;
        self.state.remove(&self.key(&["believed"])?)?;
        self.state.remove(&self.key(&["pin"])?)?;
        Ok(())
    }

    fn key(&self, rest: &[&str]) -> Result<Key, StateError> {
        let head = ["registries", self.domain.as_str()];
        Ok(Key::new(head.iter().chain(rest))?)
    }

    fn package_key(&self, log: &LogId) -> Result<Key, StateError> {
        let text = log.to_string();
        let hex = text.rsplit(':').next().unwrap_or_default();
        self.key(&["packages", hex])
    }

    fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        let Some(bytes) = self.state.read(key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(key, &error))
    }

    /// A log that is damaged counts as one that is not known: it can be had again, and is proven again.
    fn again<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        match read {
            Err(Error::Damaged { .. }) => Ok(None),
            read => read,
        }
    }

    fn write<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| damaged(key, &error))?;
        Ok(self.state.write(key, &bytes)?)
    }
}

fn damaged(key: &Key, error: &serde_json::Error) -> Error {
    Error::Damaged { key: key.to_string(), reason: error.to_string() }
}

impl Known {
    pub(crate) fn token(&self, log: &LogId) -> Option<&FetchToken> {
        self.tokens.get(log)
    }
}

impl<K: LogKind> From<StoredLog<K>> for Followed<K> {
    fn from(stored: StoredLog<K>) -> Self {
        Self::new(stored.state, stored.head_registry_index, stored.as_of)
    }
}
