//! Random batches, by seed, beside the reference.

use wargate_registry::store::{
    Batch, Counted, Nodes, PendingState, Referral, Rejection, Revision, Store,
};
use wargate_registry::usage::Usage;
use wargate_transparency::map::MapVersion;

use super::Fixture;
use super::answers::{ALL, Universe, answers, subject, unnamed_second};
use super::history::{History, content, digest, elsewhere, sourcing};
use crate::memory_store::MemoryStore;

const SEED: u64 = 0x5eed;
const BATCHES: u64 = 60;
const UNIVERSE: Universe = Universe { logs: 5, serials: 14, contents: 6 };

/// After every one of many random batches the store answers what the reference answers.
pub fn random_batches_are_answered_like_the_reference(fixture: &mut dyn Fixture) {
    let mut random = Random(SEED);
    let reference = MemoryStore::new();
    let mut history = History::new();
    for round in 0..BATCHES {
        let store = fixture.store();
        let mut next = history.clone();
        let batch = random.batch(&mut next);
        if random.below(6) == 0 {
            let stale = Some(Revision(random.below(round + 1))).filter(|it| it.0 > 0);
            if stale != history.revision() {
                assert!(store.commit(stale, &batch).is_err());
            }
        } else {
            let revision = reference.commit(history.revision(), &batch).unwrap();
            assert_eq!(next.commit(&*store, &batch), revision);
            history = next;
        }
        if random.below(8) == 0 {
            let oldest = MapVersion(random.below(history.length().get() + 2));
            let pruned = reference.prune(oldest, ALL).unwrap();
            assert_eq!(store.prune(oldest, ALL).unwrap(), pruned);
        }
        let wanted = answers(&reference, &history, UNIVERSE);
        assert_eq!(answers(&*store, &history, UNIVERSE), wanted, "seed {SEED:#x}, batch {round}");
        drop(store);
        if random.below(10) == 0 {
            fixture.reopen();
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn usage(&mut self) -> Usage {
        Usage { packages: self.below(3), releases: self.below(9), bytes: self.below(1 << 40) }
    }

    /// A package's log and a number.
    fn record(&mut self) -> (u64, u64) {
        (1 + self.below(UNIVERSE.logs - 1), self.below(UNIVERSE.serials))
    }

    fn some<T>(&mut self, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn batch(&mut self, history: &mut History) -> Batch {
        let id = |history: &History, (log, serial)| {
            let leaf = history.sample(log, serial).leaf;
            (leaf.log_id, leaf.record_id)
        };
        let refused = self.some(1, Self::record).into_iter().map(|it| id(history, it));
        let rejected = refused.map(|(log, record)| Rejection {
            log,
            record,
            reason: format!("{}", self.below(9)),
        });
        let rejected = rejected.collect();
        let dropped = self.some(1, Self::record).into_iter().map(|it| id(history, it)).collect();
        let admitted = self.some(4, |random| {
            let (log, serial) = random.record();
            let state = match random.below(8) {
                0 => PendingState::Ready,
                1 => PendingState::Rejected { reason: "at once".into() },
                _ => sourcing(random.some(4, |random| random.below(UNIVERSE.contents))),
            };
            history.admitted(log, serial, state)
        });
        let content = self.some(2, |random| {
            let make = if random.below(3) == 0 { elsewhere } else { content };
            make(random.below(UNIVERSE.contents))
        });
        let referred = self.some(3, |random| {
            let (log, record) = id(history, random.record());
            Referral { log, record, content: digest(random.below(UNIVERSE.contents)) }
        });
        let fresh = |history: &History, it: &(u64, u64)| {
            let leaf = history.sample(it.0, it.1).leaf;
            history.samples.iter().all(|sample| sample.leaf != leaf)
        };
        let mut records = self.some(5, |random| match random.below(5) {
            0 => (0, random.below(UNIVERSE.serials)),
            _ => random.record(),
        });
        records.sort_unstable();
        records.dedup();
        records.retain(|it| fresh(history, it));
        let batch = if records.is_empty() { history.batch() } else { history.batch_of(records) };
        let contents = UNIVERSE.contents;
        let wanted = self.some(2, |random| {
            (digest(random.below(contents)), unnamed_second(random.below(contents)))
        });
        let counted = batch.append.as_ref().map(|append| Counted {
            until: append.committed.length(),
            added: (0..self.below(4)).map(|it| (subject(it), self.usage())).collect(),
            named: self.some(2, |random| digest(random.below(contents))),
        });
        let discarded = self.some(1, |random| digest(random.below(contents)));
        let batch = Batch { rejected, dropped, admitted, content, referred, ..batch };
        Batch { wanted, counted, discarded, ..batch }
    }
}
