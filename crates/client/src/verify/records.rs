//! The records of logs, each compared with its place in the ledger and validated.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use wargate_api::OrderedMap;
use wargate_api::fetch::{
    FetchError, FetchLogsRequest, FetchLogsResponse, FetchToken, LIMIT_MAX, PublishedRecord,
};
use wargate_crypto::{AnyDigest, Digest, KeyId};
use wargate_protocol::verify::PlacedEnvelope;
use wargate_protocol::{
    Entry, Envelope, LogId, LogKind, LogLeaf, LogLength, LogState, MapLeaf, Operator,
    OperatorEntry, Package, PackageAction, RegistryIndex,
};

use super::finding::{Finding, Flaw, Found};
use super::kept::{KEPT_RECORDS_MIN, Keep, KeptLog};
use crate::error::Error;
use crate::limits::{FETCH_TOKEN_BYTES_MAX, LOGS_PER_REQUEST_MAX};
use crate::remote::{CallError, Remote};
use crate::seams::Event;

/// Most records that one request asks for, of all its logs together.
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// Requests that are under way at a time.
const REQUESTS_AT_ONCE: usize = 3;

/// New leaves of the registry's log, by log.
pub(crate) struct Index<'a> {
    leaves: &'a [LogLeaf],
    /// The position of the first leaf.
    from: u64,
    /// The leaves' places, by log and then in order.
    order: Vec<usize>,
}

/// The new leaves of one log.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    leaves: &'a [LogLeaf],
    from: u64,
    order: &'a [usize],
}

impl<'a> Index<'a> {
    pub(crate) fn new(leaves: &'a [LogLeaf], from: LogLength) -> Self {
        let mut order: Vec<usize> = (0..leaves.len()).collect();
        order.sort_unstable_by_key(|place| (leaves[*place].log_id, *place));
        Self { leaves, from: from.get(), order }
    }

    /// Each log with its new leaves.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (LogId, Places<'_>)> {
        let same = |a: &usize, b: &usize| self.leaves[*a].log_id == self.leaves[*b].log_id;
        self.order.chunk_by(same).filter_map(|order| {
            let log = self.leaves[*order.first()?].log_id;
            Some((log, Places { leaves: self.leaves, from: self.from, order }))
        })
    }
}

impl Places<'_> {
    fn at(&self, number: usize) -> Option<(RegistryIndex, &LogLeaf)> {
        let place = *self.order.get(number)?;
        Some((RegistryIndex::new(self.from + place as u64), &self.leaves[place]))
    }
}

/// A log whose records come in, from its first one on.
pub(crate) struct Course<'a, K: LogKind> {
    log: LogId,
    /// What the map had for it before the new leaves.
    known: Option<Digest>,
    compared: bool,
    places: Places<'a>,
    /// How many of the new leaves have come.
    done: usize,
    last: Option<RegistryIndex>,
    token: Option<FetchToken>,
    /// How many records the state has.
    records: u64,
    state: LogState<K>,
}

impl<'a, K: LogKind> Course<'a, K> {
    pub(crate) fn new(log: LogId, places: Places<'a>, known: Option<Digest>) -> Self {
        let (compared, done, last, token, records) = (false, 0, None, None, 0);
        let state = LogState::new();
        Self { log, known, compared, places, done, last, token, records, state }
    }

    const fn is_complete(&self) -> bool {
        self.done == self.places.order.len()
    }

    /// Takes a page of records, of at most so many. What is new goes to `see`.
    fn take_page(
        &mut self,
        page: Vec<PublishedRecord>,
        limit: usize,
        see: &mut impl FnMut(RegistryIndex, &Envelope<K>),
    ) -> Result<(), Flaw> {
        let full = page.len() >= limit;
        for published in page {
            if published.fetch_token.0.len() > FETCH_TOKEN_BYTES_MAX {
                let what = "has a record with a fetch token that is too long";
                return Err(Finding::Ledger(what.into()).into());
            }
            self.token = Some(published.fetch_token);
            let index = published.record.registry_index;
            if let Some(envelope) = self.take(published.record)? {
                see(index, &envelope);
            }
        }
        match self.places.at(self.done) {
            Some((index, _)) if !full => {
                Err(Finding::MissingRecord { log: self.log, index }.into())
            }
            _ => Ok(()),
        }
    }

    /// Takes the next record, and returns it if it is new.
    fn take(&mut self, placed: PlacedEnvelope) -> Result<Option<Envelope<K>>, Flaw> {
        let (log, index) = (self.log, placed.registry_index);
        let record = placed.envelope.record_id::<K>();
        let is_new = index.get() >= self.places.from;
        let finding = if self.last.is_some_and(|last| index <= last) {
            Some(Finding::SpareRecord { log, index, record })
        } else if is_new {
            self.compare_head()?;
            match self.places.at(self.done) {
                Some((place, leaf)) if place == index && leaf.record_id == record => None,
                Some((place, _)) if place < index => {
                    Some(Finding::MissingRecord { log, index: place })
                }
                _ => Some(Finding::SpareRecord { log, index, record }),
            }
        } else {
            self.known.is_none().then_some(Finding::SpareRecord { log, index, record })
        };
        if let Some(finding) = finding {
            return Err(Found { finding, record: Some(placed) }.into());
        }
        let appended = Envelope::<K>::decode(placed.envelope.clone())
            .map_err(|reason| Finding::Undecodable { log, index, reason })
            .and_then(|envelope| match self.state.append(&envelope) {
                Ok(()) => Ok(envelope),
                Err(reason) => Err(Finding::InvalidRecord { log, index, reason }),
            });
        let envelope = match appended {
            Ok(envelope) => envelope,
            Err(finding) => return Err(Found { finding, record: Some(placed) }.into()),
        };
        self.last = Some(index);
        self.records += 1;
        self.done += usize::from(is_new);
        Ok(is_new.then_some(envelope))
    }

    /// The records that are not new are those that were there before: they are linked by their hashes.
    fn compare_head(&mut self) -> Result<(), Finding> {
        if std::mem::replace(&mut self.compared, true) {
            return Ok(());
        }
        let head = self.state.head().map(|head| MapLeaf { record_id: head.record_id }.hash());
        if head == self.known { Ok(()) } else { Err(Finding::Rewritten { log: self.log }) }
    }
}

impl<'a> Course<'a, Package> {
    /// The same log, from its start.
    fn afresh(&self) -> Self {
        let places: Places<'a> = self.places;
        Self::new(self.log, places, self.known)
    }

    /// Goes on from where the log was validated before, if that is the state that the map had. Whether
    /// it does.
    fn resume(&mut self, keep: &dyn Keep) -> Result<bool, Error> {
        if self.known.is_none() {
            return Ok(false);
        }
        let Some(kept) = keep.load(&self.log)? else { return Ok(false) };
        let head = kept.state.head().map(|head| MapLeaf { record_id: head.record_id }.hash());
        if head != self.known || kept.last.get() >= self.places.from {
            return Ok(false);
        }
        (self.last, self.token) = (Some(kept.last), Some(kept.token));
        (self.records, self.state) = (kept.records, kept.state);
        Ok(true)
    }

    /// Keeps the log, if it is long enough for that to be worth it.
    fn keep(&self, keep: &dyn Keep) -> Result<(), Error> {
        if let (Some(last), Some(token)) = (self.last, &self.token)
            && self.records >= KEPT_RECORDS_MIN
        {
            let (token, state, records) = (token.clone(), self.state.clone(), self.records);
            keep.save(&self.log, &KeptLog { records, last, token, state })?;
        }
        Ok(())
    }
}

/// An operator record that is new.
#[derive(Clone, Debug)]
pub(crate) struct OperatorStep {
    pub(crate) index: RegistryIndex,
    pub(crate) key_id: KeyId,
    pub(crate) entries: Vec<OperatorEntry>,
}

/// What the new records were.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) logs: u64,
    pub(crate) packages: u64,
    pub(crate) releases: u64,
    pub(crate) yanks: u64,
    /// The contents of the releases that these logs have now.
    pub(crate) contents: BTreeSet<AnyDigest>,
    pub(crate) operator: Vec<OperatorStep>,
}

impl Tally {
    fn see(&mut self, envelope: &Envelope<Package>) {
        self.records += 1;
        for entry in &envelope.record().entries {
            match entry {
                Entry::Action(PackageAction::Release { .. }) => self.releases += 1,
                Entry::Action(PackageAction::Yank { .. }) => self.yanks += 1,
                _ => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.logs += other.logs;
        self.packages += other.packages;
        self.releases += other.releases;
        self.yanks += other.yanks;
        self.contents.extend(other.contents);
        self.operator.extend(other.operator);
    }
}

/// Fetches logs at one length, and validates them.
pub(crate) struct Records<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) length: LogLength,
    /// Where the operator log goes on behind what is known, so that it does not come again each time.
    pub(crate) operator: Option<FetchToken>,
    /// Whether contents are of interest.
    pub(crate) contents: bool,
    /// Where logs are kept, if they are.
    pub(crate) kept: Option<&'a dyn Keep>,
}

impl Records<'_> {
    /// Validates the operator log, from its start.
    pub(crate) async fn operator(&self, mut course: Course<'_, Operator>) -> Result<Tally, Flaw> {
        let mut tally = Tally { logs: 1, ..Tally::default() };
        while !course.is_complete() {
            let page = self.ask(course.token.clone(), OrderedMap::default(), LIMIT_MAX).await?;
            let mut see = |index, envelope: &Envelope<Operator>| {
                tally.records += 1;
                tally.operator.push(OperatorStep {
                    index,
                    key_id: envelope.key_id().clone(),
                    entries: envelope.record().entries.clone(),
                });
            };
            course.take_page(page.operator, usize::from(LIMIT_MAX), &mut see)?;
        }
        Ok(tally)
    }

    /// Validates package logs, from their starts or from where they were kept.
    pub(crate) async fn packages(&self, courses: Vec<Course<'_, Package>>) -> Result<Tally, Flaw> {
        let of = courses.len() as u64;
        let registry = self.remote.domain();
        let mut rest = courses.into_iter();
        let batches = std::iter::from_fn(move || {
            let batch: Vec<_> = rest.by_ref().take(LOGS_PER_REQUEST_MAX).collect();
            (!batch.is_empty()).then_some(batch)
        });
        let batches = stream::iter(batches).map(|batch| self.batch(batch));
        let batches = batches.buffer_unordered(REQUESTS_AT_ONCE);
        let whole = batches.try_fold(Tally::default(), |mut whole, tally| {
            whole.add(tally);
            let observer = &self.remote.exchange().observer;
            observer.event(Event::Auditing { registry, what: "logs", done: whole.logs, of });
            std::future::ready(Ok(whole))
        });
        whole.await
    }

    async fn batch(&self, mut courses: Vec<Course<'_, Package>>) -> Result<Tally, Flaw> {
        let mut resumed = false;
        for course in &mut courses {
            if let Some(keep) = self.kept {
                resumed |= course.resume(keep)?;
            }
        }
        let fetched = match self.fetch(&mut courses).await {
            // The registry has forgotten how far they are known.
            Err(Ask::UnknownToken(_)) if resumed => {
                courses = courses.iter().map(Course::afresh).collect();
                self.fetch(&mut courses).await
            }
            fetched => fetched,
        };
        let mut tally = match fetched {
            Err(Ask::Missing(log)) => return Err(self.missing(&courses, log)),
            Err(Ask::UnknownToken(error) | Ask::Failed(error)) => return Err(Flaw::Failed(error)),
            Err(Ask::Flawed(flaw)) => return Err(*flaw),
            Ok(tally) => tally,
        };
        for course in &courses {
            tally.packages += u64::from(course.known.is_none());
            if let Some(keep) = self.kept {
                course.keep(keep)?;
            }
            if self.contents {
                let contents =
                    course.state.releases().filter_map(wargate_protocol::Release::content);
                tally.contents.extend(contents.cloned());
            }
        }
        Ok(tally)
    }

    /// Fetches and validates logs to their ends.
    async fn fetch(&self, courses: &mut [Course<'_, Package>]) -> Result<Tally, Ask> {
        let mut tally = Tally { logs: courses.len() as u64, ..Tally::default() };
        loop {
            let open = courses.iter().filter(|course| !course.is_complete());
            let asked: OrderedMap<_, _> =
                open.map(|course| (course.log, course.token.clone())).collect();
            if asked.is_empty() {
                return Ok(tally);
            }
            let share = RECORDS_PER_REQUEST_MAX / asked.len();
            let limit = u16::try_from(share).unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
            let mut page = self.ask(self.operator.clone(), asked, limit).await?;
            for course in courses.iter_mut().filter(|course| !course.is_complete()) {
                let records = page.packages.swap_remove(&course.log).unwrap_or_default();
                let taken =
                    course.take_page(records, usize::from(limit), &mut |_, it| tally.see(it));
                taken.map_err(|flaw| Ask::Flawed(Box::new(flaw)))?;
            }
            if let Some(log) = page.packages.keys().next() {
                let reason = format!("it has the log {log}, which was not asked for");
                return Err(Ask::Failed(Box::new(self.bad(reason))));
            }
        }
    }

    async fn ask(
        &self,
        operator: Option<FetchToken>,
        packages: OrderedMap<LogId, Option<FetchToken>>,
        limit: u16,
    ) -> Result<FetchLogsResponse, Ask> {
        let (log_length, limit) = (self.length, Some(limit));
        let request = FetchLogsRequest { log_length, limit, operator, packages };
        match self.remote.logs(&request).await {
            Ok(page) => Ok(page),
            Err(CallError::Failed(error)) => Err(Ask::Failed(error)),
            Err(CallError::Refused(refusal)) => match refusal.error {
                FetchError::LogNotFound(log) => Err(Ask::Missing(log)),
                other @ FetchError::FetchTokenNotFound(_) => {
                    let reason = crate::text::tame(&other.to_string());
                    Err(Ask::UnknownToken(Box::new(self.bad(reason))))
                }
                other => {
                    let reason = crate::text::tame(&other.to_string());
                    Err(Ask::Failed(Box::new(self.bad(reason))))
                }
            },
        }
    }

    /// The ledger has the log, and the registry says that there is none.
    fn missing(&self, courses: &[Course<'_, Package>], log: LogId) -> Flaw {
        let course = courses.iter().find(|course| course.log == log);
        match course.and_then(|course| course.places.at(course.done)) {
            Some((index, _)) => Finding::MissingRecord { log, index }.into(),
            None => self.bad(format!("it has no log {log}, which was not asked for")).into(),
        }
    }

    fn bad(&self, reason: String) -> Error {
        Error::BadAnswer { registry: self.remote.domain().clone(), what: "the records", reason }
    }
}

/// Why there are no records.
enum Ask {
    /// The registry says that it has no such log.
    Missing(LogId),
    /// The registry does not know a token.
    UnknownToken(Box<Error>),
    Failed(Box<Error>),
    /// There are some, and they are not right.
    Flawed(Box<Flaw>),
}

impl From<Ask> for Flaw {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Missing(log) => Finding::MissingRecord { log, index: RegistryIndex::FIRST }.into(),
            Ask::UnknownToken(error) | Ask::Failed(error) => Self::Failed(error),
            Ask::Flawed(flaw) => *flaw,
        }
    }
}
