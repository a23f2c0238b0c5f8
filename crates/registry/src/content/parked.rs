//! Uploads that broke off, until somebody goes on with them.
//!
//! They are kept in memory, their bytes in spools: a registry that starts again has forgotten them, and
//! whoever sends content sends all of it then. Each has a name that its sender chose, or anybody could
//! put wrong bytes in front of somebody else's.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use wargate_crypto::Digest;
use wargate_protocol::RecordId;

use super::Received;
use crate::limits::{UPLOAD_PARKED_SECONDS_MAX, UPLOADS_PARKED_MAX, UPLOADS_PARKED_OF_ONE_MAX};

/// What its sender calls an upload: 128 random bits, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UploadName(u128);

/// A name of another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of an upload has 32 hexadecimal digits")]
pub struct UploadNameError;

impl FromStr for UploadName {
    type Err = UploadNameError;

    fn from_str(text: &str) -> Result<Self, UploadNameError> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number.map(Self).ok_or(UploadNameError)
    }
}

impl fmt::Debug for UploadName {
    /// Whoever knows it can go on with the upload, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadName(…)")
    }
}

/// Of which record, which content, called what.
pub(crate) type Key = (RecordId, Digest, UploadName);

/// Uploads that broke off, the oldest first.
#[derive(Default)]
pub(crate) struct Parked(VecDeque<Entry>);

struct Entry {
    key: Key,
    received: Received,
    /// Bytes of the medium that it takes.
    room: u64,
    seconds: u64,
}

/// Uploads that are no longer kept. Dropping them frees what they take of the medium, which may block:
/// not under a lock.
#[must_use]
#[derive(Default)]
pub(crate) struct Gone(Vec<Entry>);

impl Gone {
    /// Bytes of the medium that they take.
    pub(crate) fn room(&self) -> u64 {
        self.0.iter().map(|entry| entry.room).sum()
    }
}

impl Parked {
    /// Keeps an upload. Those that have to go for it are of the same content, if many are.
    pub(super) fn put(&mut self, key: Key, received: Received, room: u64, now: u64) -> Gone {
        let Gone(mut gone) = self.expire(now);
        let same = |entry: &Entry| (entry.key.0, entry.key.1) == (key.0, key.1);
        gone.extend(self.remove(|entry| entry.key == key));
        if self.0.iter().filter(|entry| same(entry)).count() >= UPLOADS_PARKED_OF_ONE_MAX {
            gone.extend(self.remove(same));
        }
        if self.0.len() >= UPLOADS_PARKED_MAX {
            gone.extend(self.0.pop_front());
        }
        self.0.push_back(Entry { key, received, room, seconds: now });
        Gone(gone)
    }

    /// Takes an upload out, with its room, if this much of it is there.
    pub(super) fn take(&mut self, key: &Key, now: u64, size: u64) -> Option<(Received, u64)> {
        if self.size(key, now) != Some(size) {
            return None;
        }
        self.remove(|entry| entry.key == *key).map(|entry| (entry.received, entry.room))
    }

    /// How much there is of an upload.
    pub(super) fn size(&self, key: &Key, now: u64) -> Option<u64> {
        let entry = self.0.iter().find(|entry| entry.key == *key)?;
        (!entry.is_over(now)).then_some(entry.received.size)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Content has come another way.
    pub(super) fn forget(&mut self, content: &Digest) -> Gone {
        let mut gone = Vec::new();
        while let Some(entry) = self.remove(|entry| entry.key.1 == *content) {
            gone.push(entry);
        }
        Gone(gone)
    }

    /// Forgets what is too old.
    pub(crate) fn expire(&mut self, now: u64) -> Gone {
        let mut gone = Vec::new();
        while self.0.front().is_some_and(|entry| entry.is_over(now)) {
            gone.extend(self.0.pop_front());
        }
        Gone(gone)
    }

    /// Forgets the oldest; `None` if there is none.
    pub(crate) fn evict(&mut self) -> Option<Gone> {
        self.0.pop_front().map(|entry| Gone(vec![entry]))
    }

    /// Takes out the oldest of such.
    fn remove(&mut self, such: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let at = self.0.iter().position(such)?;
        self.0.remove(at)
    }
}

impl Entry {
    const fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.seconds) > UPLOAD_PARKED_SECONDS_MAX
    }
}
