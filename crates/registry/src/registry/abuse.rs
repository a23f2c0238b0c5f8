//! What keeps one publisher from using up what is there for all.

use std::time::Duration;

use wargate_crypto::KeyId;
use wargate_protocol::Timestamp;

use super::Registry;
use crate::error::WriteError;
use crate::recent::Waiting;
use crate::sequencer::Admission;
use crate::store::StoreResult;
use crate::usage::{self, Quotas, Subject, Usage};

impl Registry {
    /// Whether anything is counted of records that come.
    pub(super) fn counts(&self) -> bool {
        self.tools().limits.publishes_of_key.is_some() || !self.tools().quotas.are_none()
    }

    /// Whether the record is pending or in the log.
    pub(super) fn knows_record(&self, admission: &Admission) -> StoreResult<bool> {
        let (log, record) = (&admission.log, &admission.envelope.record_id());
        let store = self.store();
        Ok(store.pending(log, record)?.is_some() || store.record_index(log, record)?.is_some())
    }

    /// Counts a record for the key that has signed it; `false` if nobody counts. Its signature was
    /// verified, or anybody could use up what others may.
    pub(super) fn count(&self, signer: &KeyId) -> Result<bool, WriteError> {
        let Some(rate) = self.tools().limits.publishes_of_key else { return Ok(false) };
        let now = since_epoch(self.tools().clock.now());
        match self.publishers.take(signer.as_str(), rate, 1, now) {
            Ok(()) => Ok(true),
            Err(wait) => Err(WriteError::TooMany {
                what: format!("the key {signer} publishes too often"),
                seconds: (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1),
            }),
        }
    }

    /// A record that was counted was refused: it may be somebody else who sent it once more.
    pub(super) fn give_back(&self, signer: &KeyId) {
        if let Some(rate) = self.tools().limits.publishes_of_key {
            let now = since_epoch(self.tools().clock.now());
            self.publishers.give_back(signer.as_str(), rate, 1, now);
        }
    }

    /// Whether a record fits into the quotas, as far as its content is known. The sequencer decides;
    /// this is to say so at once.
    pub(super) fn check_quotas(&self, admission: &Admission) -> Result<(), WriteError> {
        if self.tools().quotas.are_none() {
            return Ok(());
        }
        let record = &admission.envelope;
        let more = Usage::of(record, usage::bytes(self.store(), record)?);
        let subjects = Subject::of(&admission.name, record.key_id());
        self.refused(&subjects, more)?.map_or(Ok(()), |why| Err(WriteError::QuotaExceeded(why)))
    }

    /// Why content of this size is too much for those whom its record counts for; `None` if it is not.
    pub(crate) fn over_quota(
        &self,
        record: &Waiting,
        size: u64,
    ) -> Result<Option<String>, WriteError> {
        if self.tools().quotas.are_none() {
            return Ok(None);
        }
        let (name, record) = (&record.pending.name, &record.verified.envelope);
        let known = usage::bytes(self.store(), record)?;
        let more = Usage::of(record, known.saturating_add(size));
        Ok(self.refused(&Subject::of(name, record.key_id()), more)?)
    }

    fn refused(&self, subjects: &[Subject], more: Usage) -> StoreResult<Option<String>> {
        let used = self.store().usages(subjects)?;
        let mut both = subjects.iter().zip(used);
        Ok(both.find_map(|(subject, used)| self.tools().quotas.check(subject, used, more).err()))
    }

    /// How much namespaces and keys may use.
    pub fn quotas(&self) -> &Quotas {
        &self.tools().quotas
    }

    /// Who uses how much, namespaces first. Blocks.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    pub fn usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>> {
        self.store().all_usages(after, limit)
    }
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::new(u64::try_from(time.seconds()).unwrap_or(0), time.nanos())
}
