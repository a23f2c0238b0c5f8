//! Records that were signed and may have been sent.

use serde::{Deserialize, Serialize};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, RecordId, SignedEnvelope};

use super::Change;
use super::send::Job;
use crate::error::Error;
use crate::registry::Registry;
use crate::seams::Key;

/// A record that was signed, and what was to be published with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// What the caller asked for.
    pub(super) asked: Vec<Change>,
    /// What the record does.
    pub(super) changes: Vec<Change>,
    /// The record that it follows.
    pub(super) prev: Option<RecordId>,
    pub(super) record: SignedEnvelope,
}

/// What came of noting a record.
pub(super) enum Noted {
    /// It stands there.
    Done,
    /// Another call has noted this one for the same publication.
    There(Box<Entry>),
    /// What was collected is not what it was: another call has taken it up.
    Changed,
}

impl Registry {
    /// The record that was signed for the same publication, and may have been sent.
    pub(super) fn journalled(&self, log: &LogId, job: &Job<'_>) -> Result<Option<Entry>, Error> {
        let Some(bytes) = self.client().parts.state.read(&self.journal(log, job)?)? else {
            return Ok(None);
        };
        // One that cannot be read is one that was never sent: it is written before.
        let entry: Option<Entry> = serde_json::from_slice(&bytes).ok();
        Ok(entry.filter(|entry| entry.asked == job.publication.entries))
    }

    /// Notes a record before it is sent, in the place of another one if that is still there. Nobody
    /// signs what somebody else has signed meanwhile: then it says so, and notes nothing.
    ///
    /// What was collected is settled before its record is struck, so that whoever finds neither knows
    /// that it was done.
    pub(super) fn note_in_journal(
        &self,
        log: &LogId,
        job: &Job<'_>,
        entry: &Entry,
        replaced: Option<&Entry>,
    ) -> Result<Noted, Error> {
        let state = &self.client().parts.state;
        let _lock = state.lock(&self.pending_key()?)?;
        match self.journalled(log, job)? {
            Some(there) if Some(&there) != replaced => return Ok(Noted::There(Box::new(there))),
            None if self.was_taken_up(job)? => return Ok(Noted::Changed),
            Some(_) | None => {}
        }
        let key = self.journal(log, job)?;
        let bytes = serde_json::to_vec(entry)
            .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })?;
        state.write(&key, &bytes)?;
        Ok(Noted::Done)
    }

    /// Strikes a publication, because all of it was done.
    pub(super) fn strike(&self, log: &LogId, job: &Job<'_>) -> Result<(), Error> {
        Ok(self.client().parts.state.remove(&self.journal(log, job)?)?)
    }

    /// Strikes a record, because its fate is known, if nobody has noted another one since.
    pub(super) fn strike_record(
        &self,
        log: &LogId,
        job: &Job<'_>,
        entry: &Entry,
    ) -> Result<(), Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        match self.journalled(log, job)? {
            Some(there) if there != *entry => Ok(()),
            _ => self.strike(log, job),
        }
    }

    /// Its name has the hash of what was asked for, so that publications do not get into each other's
    /// way.
    fn journal(&self, log: &LogId, job: &Job<'_>) -> Result<Key, Error> {
        let log = hex(log);
        let asked = serde_json::to_vec(&(&job.publication.entries, job.collected));
        let asked = asked.map_err(|error| Error::Damaged {
            key: format!("publishing/{}/{log}", self.domain()),
            reason: error.to_string(),
        })?;
        let name = Digest::of(&asked).to_string();
        Ok(crate::client::key(&["publishing", self.domain().as_str(), &log, &name[7..23]])?)
    }
}

fn hex(log: &LogId) -> String {
    log.to_string().rsplit(':').next().unwrap_or_default().to_owned()
}
