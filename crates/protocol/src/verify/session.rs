//! Following one checkpoint.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use wargate_crypto::{Digest, KeyId};
use wargate_transparency::log::{self, LeafIndex, LogProofBundle};
use wargate_transparency::map::{MapProofBundle, Path};

use super::anchor::{Followed, TrustAnchor, Verified};
use super::fault::{
    Culprit, Evidence, Fault, Misbehaviour, PlacedEnvelope, ProofBytes, ProofFault,
};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::envelope::Envelope;
use crate::id::{LogId, LogLength, RegistryIndex};
use crate::kind::{LogKind, Operator, Package};
use crate::leaf::{LogLeaf, MapLeaf};
use crate::state::LogState;

/// A checkpoint on offer, and the records that came with it so far.
#[derive(Debug)]
pub struct Session {
    anchor: TrustAnchor,
    /// Checkpoints that are believed: the newest one seen, and the anchor's.
    seen: Vec<SignedCheckpoint>,
    offered: SignedCheckpoint,
    /// The checkpoint that was verified before, and whose signature therefore is the registry's.
    proven: Option<SignedCheckpoint>,
    operator_key: Option<KeyId>,
    operator: Progress<Operator>,
    packages: BTreeMap<LogId, Progress<Package>>,
    /// The package logs, each once, in the order in which they were asked for.
    order: Vec<LogId>,
    /// Package logs that are known and were not asked for.
    others: BTreeMap<LogId, Followed<Package>>,
}

/// A log while its records come in.
#[derive(Debug)]
struct Progress<K: LogKind> {
    state: Arc<LogState<K>>,
    /// Position of the newest record; `None` before the first.
    index: Option<RegistryIndex>,
    /// Position of the newest record when the session began.
    began_at: Option<RegistryIndex>,
}

impl Session {
    /// Begins to follow a checkpoint.
    ///
    /// `known` is the state to go on from. The package logs in `wanted`, known or new, are brought up
    /// to this checkpoint, and their order is that of the proofs; the others stay as they are.
    pub fn new(
        anchor: TrustAnchor,
        known: Verified,
        offered: SignedCheckpoint,
        wanted: impl IntoIterator<Item = LogId>,
    ) -> Self {
        let Verified { operator_key, operator, mut packages, checkpoint } = known;
        let proven = checkpoint;
        let mut seen: Vec<_> =
            [proven.clone(), anchor.checkpoint.clone()].into_iter().flatten().collect();
        // Nothing needs to be proven twice.
        seen.dedup_by_key(|seen| seen.contents.checkpoint);
        let (mut followed, mut order) = (BTreeMap::new(), Vec::new());
        // The operator log is followed anyway.
        for log in wanted.into_iter().filter(|log| *log != LogId::operator()) {
            followed.entry(log).or_insert_with(|| {
                order.push(log);
                Progress::from(packages.remove(&log))
            });
        }
        let operator = Progress::from(operator);
        let (packages, others) = (followed, packages);
        Self { anchor, seen, offered, proven, operator_key, operator, packages, order, others }
    }

    /// The checkpoint that is followed. Nothing of it is verified yet.
    pub const fn offered(&self) -> &Checkpoint {
        &self.offered.contents.checkpoint
    }

    /// Takes some records of one log, in order. Records that were known when the session began may
    /// come again and are passed over.
    ///
    /// # Errors
    /// [`Misbehaviour`] if the log was not asked for, a record is invalid, or it stands out of order.
    pub fn receive(
        &mut self,
        log: LogId,
        records: impl IntoIterator<Item = PlacedEnvelope>,
    ) -> Result<(), Box<Misbehaviour>> {
        for record in records {
            if let Err(fault) = self.take(log, &record) {
                return Err(self.misbehaviour(fault, None, |evidence| {
                    evidence.log_id = Some(log);
                    evidence.record = Some(record);
                }));
            }
        }
        Ok(())
    }

    fn take(&mut self, log: LogId, record: &PlacedEnvelope) -> Result<(), Fault> {
        let length = self.offered().log_length;
        if log != LogId::operator() {
            let progress = self.packages.get_mut(&log).ok_or(Fault::Unrequested { log })?;
            return progress.take(log, length, record);
        }
        let first = self.operator.index.is_none();
        self.operator.take(log, length, record)?;
        if first {
            self.operator_key = Some(record.envelope.key_id().clone());
        }
        Ok(())
    }

    /// Ends the records and checks all that needs no proof: that every log asked for has records, who
    /// operates the registry, who signed the checkpoint and when, and that it is no step back.
    ///
    /// # Errors
    /// [`Misbehaviour`]
    pub fn close(self) -> Result<Unproven, Box<Misbehaviour>> {
        let heads = match self.check() {
            Ok(heads) => heads,
            Err(fault) => return Err(self.misbehaviour(fault, None, |_| ())),
        };
        let offered = *self.offered();
        for seen in &self.seen {
            let checkpoint = &seen.contents.checkpoint;
            let (seen_length, length) = (checkpoint.log_length, offered.log_length);
            let fault = match seen_length.cmp(&length) {
                Ordering::Greater => Fault::Rollback { seen: seen_length, offered: length },
                Ordering::Equal if *checkpoint != offered => Fault::Fork { length },
                _ => continue,
            };
            return Err(self.misbehaviour(fault, Some(seen), |_| ()));
        }
        Ok(Unproven { session: self, heads })
    }

    /// The checks of [`Self::close`]. Returns the newest record of each log, operator log first.
    fn check(&self) -> Result<Vec<(RegistryIndex, LogLeaf)>, Fault> {
        let log_length = self.offered().log_length;
        if log_length == LogLength::EMPTY {
            return Err(Fault::EmptyLog);
        }
        let mut heads = vec![self.operator.head(LogId::operator())?];
        for log in &self.order {
            let progress = self.packages.get(log).ok_or(Fault::MissingLog { log: *log })?;
            heads.push(progress.head(*log)?);
        }
        let trusted = &self.anchor.operator_keys;
        if let Some(found) = &self.operator_key
            && !trusted.is_empty()
            && !trusted.contains(found)
        {
            return Err(Fault::UntrustedOperator { found: found.clone() });
        }
        self.offered.clone().verify(&*self.operator.state).map_err(Fault::Checkpoint)?;
        let timestamp = self.offered.contents.timestamp_seconds;
        if let Some(not_before) =
            self.anchor.not_before_seconds.filter(|oldest| timestamp < *oldest)
        {
            return Err(Fault::Stale { timestamp, not_before });
        }
        if let Some(not_after) = self.anchor.not_after_seconds.filter(|latest| timestamp > *latest)
        {
            return Err(Fault::Early { timestamp, not_after });
        }
        Ok(heads)
    }

    fn misbehaviour(
        &self,
        fault: Fault,
        seen: Option<&SignedCheckpoint>,
        fill: impl FnOnce(&mut Evidence),
    ) -> Box<Misbehaviour> {
        let mut evidence = Evidence {
            summary: fault.to_string(),
            offered: self.offered.clone(),
            seen: seen.cloned(),
            log_id: None,
            record: None,
            proofs: None,
        };
        fill(&mut evidence);
        let signed = seen.is_some_and(|seen| self.is_the_registrys(seen));
        let culprit = if signed && evidence.is_fork_from_believed(&*self.operator.state) {
            Culprit::Registry { key_id: self.offered.key_id.clone() }
        } else {
            Culprit::Server
        };
        Box::new(Misbehaviour { culprit, fault, evidence })
    }

    /// Whether the registry signed a checkpoint that was seen: it was verified before, or a key signed
    /// it that may. A believed one may be anybody's, and convicts nobody then.
    fn is_the_registrys(&self, seen: &SignedCheckpoint) -> bool {
        self.proven.as_ref() == Some(seen) || seen.clone().verify(&*self.operator.state).is_ok()
    }
}

/// A checkpoint with valid records, which the registry has yet to prove to be its own.
#[derive(Debug)]
pub struct Unproven {
    session: Session,
    /// The newest record of each log, in the order in which they are to be proven.
    heads: Vec<(RegistryIndex, LogLeaf)>,
}

impl Unproven {
    /// The length at which proofs are needed.
    pub const fn log_length(&self) -> LogLength {
        self.session.offered().log_length
    }

    /// The positions of the records whose inclusion is needed, in order: the newest record of the
    /// operator log, then of each package log in the order given to [`Session::new`].
    pub fn leaves(&self) -> impl Iterator<Item = RegistryIndex> {
        self.heads.iter().map(|(index, _)| *index)
    }

    /// The lengths from which consistency is needed; none if nothing was seen before, or this very
    /// state.
    pub fn consistent_from(&self) -> impl Iterator<Item = LogLength> {
        self.earlier().map(|seen| seen.contents.checkpoint.log_length)
    }

    /// The checkpoints that the registry has to show to be earlier states. There is no proof from
    /// length 0, and no need of one.
    fn earlier(&self) -> impl Iterator<Item = &SignedCheckpoint> {
        let wanted = LogLength::new(1)..self.log_length();
        let seen = self.session.seen.iter();
        seen.filter(move |seen| wanted.contains(&seen.contents.checkpoint.log_length))
    }

    /// Checks the registry's proofs. What comes out is what the registry committed to.
    ///
    /// # Errors
    /// [`Misbehaviour`] if anything is not proven.
    pub fn prove(self, proofs: ProofBytes) -> Result<Verified, Box<Misbehaviour>> {
        let checked = match self.check(&proofs) {
            Ok(()) => self.check_consistency(&proofs),
            Err(fault) => Err((fault, None)),
        };
        if let Err((fault, seen)) = checked {
            let seen = seen.cloned();
            let keep = |evidence: &mut Evidence| evidence.proofs = Some(proofs);
            return Err(self.session.misbehaviour(fault, seen.as_ref(), keep));
        }
        let as_of = self.log_length();
        let Session { offered, operator_key, operator, packages, others, .. } = self.session;
        let mut followed = others;
        for (log, progress) in packages {
            followed.extend(progress.finish(as_of).map(|package| (log, package)));
        }
        Ok(Verified {
            operator_key,
            operator: operator.finish(as_of),
            packages: followed,
            checkpoint: Some(offered),
        })
    }

    fn check(&self, proofs: &ProofBytes) -> Result<(), Fault> {
        let checkpoint = self.session.offered();
        self.check_log(checkpoint, &proofs.log).map_err(Fault::NotInLog)?;
        let leaves: Vec<_> = self.heads.iter().map(|(_, leaf)| map_slot(leaf)).collect();
        MapProofBundle::decode(&proofs.map)
            .and_then(|bundle| bundle.verify(&leaves, checkpoint.map_root))
            .map_err(Fault::NotInMap)?;
        Ok(())
    }

    /// Checks the consistency with every earlier checkpoint, and names the one that fails.
    fn check_consistency(
        &self,
        proofs: &ProofBytes,
    ) -> Result<(), (Fault, Option<&SignedCheckpoint>)> {
        let offered = self.session.offered();
        for seen in self.earlier() {
            let from = seen.contents.checkpoint.log_length;
            let proof = proofs.consistency.iter().find(|proof| proof.from == from);
            let bytes = proof.map_or(&[][..], |proof| &proof.proof);
            check_extension(&seen.contents.checkpoint, offered, bytes).map_err(|reason| {
                (Fault::Inconsistent { from, to: offered.log_length, reason }, Some(seen))
            })?;
        }
        Ok(())
    }

    fn check_log(&self, checkpoint: &Checkpoint, bytes: &[u8]) -> Result<(), ProofFault> {
        let leaves = self.heads.iter().map(|(index, leaf)| {
            let index = LeafIndex::new(index.get()).ok_or(ProofFault::OutOfRange)?;
            Ok((index, leaf.hash()))
        });
        let leaves: Vec<_> = leaves.collect::<Result<_, ProofFault>>()?;
        let length = log::LogLength::try_from(checkpoint.log_length.get())?;
        decode(bytes)?.verify_inclusion(length, &leaves, &checkpoint.log_root)?;
        Ok(())
    }
}

/// Checks that one state of the log is shown to be an earlier one of another, by the bytes of a proof of
/// consistency (specification 7.4).
///
/// # Errors
/// [`ProofFault`] if it is not shown.
pub fn check_extension(
    seen: &Checkpoint,
    offered: &Checkpoint,
    bytes: &[u8],
) -> Result<(), ProofFault> {
    let from = log::LogLength::try_from(seen.log_length.get())?;
    let to = log::LogLength::try_from(offered.log_length.get())?;
    decode(bytes)?.verify_consistency(from, &seen.log_root, to, &offered.log_root)?;
    Ok(())
}

impl<K: LogKind> Progress<K> {
    fn take(
        &mut self,
        log: LogId,
        length: LogLength,
        record: &PlacedEnvelope,
    ) -> Result<(), Fault> {
        let index = record.registry_index;
        if self.began_at.is_some_and(|known| index <= known) {
            return Ok(());
        }
        let behind = self.index.is_none_or(|last| index > last);
        // The first record of a registry is its first operator record (specification 6).
        let first = log == LogId::operator() && self.index.is_none();
        if !behind || !length.contains(index) || first != (index == RegistryIndex::FIRST) {
            return Err(Fault::Misplaced { log, index });
        }
        let envelope = Envelope::<K>::decode(record.envelope.clone())
            .map_err(|reason| Fault::Undecodable { log, index, reason })?;
        Arc::make_mut(&mut self.state)
            .append(&envelope)
            .map_err(|reason| Fault::InvalidRecord { log, index, reason })?;
        self.index = Some(index);
        Ok(())
    }

    fn head(&self, log: LogId) -> Result<(RegistryIndex, LogLeaf), Fault> {
        let head = self.index.zip(self.state.head()).ok_or(Fault::MissingLog { log })?;
        let (index, head) = head;
        Ok((index, LogLeaf { log_id: log, record_id: head.record_id }))
    }

    fn finish(self, as_of: LogLength) -> Option<Followed<K>> {
        self.index.map(|index| Followed { state: self.state, index, as_of })
    }
}

impl<K: LogKind> From<Option<Followed<K>>> for Progress<K> {
    fn from(known: Option<Followed<K>>) -> Self {
        let began_at = known.as_ref().map(|known| known.index);
        let state = known.map_or_else(Arc::default, |known| known.state);
        Self { state, index: began_at, began_at }
    }
}

fn decode(bytes: &[u8]) -> Result<LogProofBundle, ProofFault> {
    match bytes {
        [] => Err(ProofFault::Missing),
        _ => Ok(LogProofBundle::decode(bytes)?),
    }
}

/// Where a log's newest record stands in the map, and what stands there.
fn map_slot(leaf: &LogLeaf) -> (Path, Digest) {
    let value = MapLeaf { record_id: leaf.record_id };
    (leaf.log_id.map_path(), value.hash())
}
