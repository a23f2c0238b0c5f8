//! The map: adding keys, proving, verifying.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_oracle::map::{Entry, TheirBundle, TheirMap, path};
use wargate_oracle::random::Random;
use wargate_transparency::map::{
    MapHead, MapProofBundle, MapVersion, Page, PageId, PageReader, prove, update,
};

use crate::measure::{Row, Side};
use crate::sizes::{INPUTS, MAP_BATCH, MAP_KEYS};

/// Our pages, as a store without versions to drop would hold them.
#[derive(Default)]
struct Pages(HashMap<PageId, Arc<Page>>);

impl PageReader for Pages {
    type Error = PageId;

    fn pages(&self, wanted: &[PageId]) -> Result<Vec<Arc<Page>>, PageId> {
        wanted.iter().map(|id| self.0.get(id).cloned().ok_or(*id)).collect()
    }
}

/// One map on both sides, and what is asked of it.
struct Both {
    pages: RefCell<Pages>,
    head: MapHead,
    theirs: TheirMap,
    root: Digest,
    asked: Vec<Entry>,
    /// Keys to add.
    more: Vec<Entry>,
}

impl Both {
    fn new(random: &Random) -> Self {
        let entries: Vec<_> = (0..MAP_KEYS).map(|_| Entry::random(random)).collect();
        let mut pages = Pages::default();
        let version = MapVersion(1);
        let updated = update(&pages, None, version, entries.iter().map(Entry::ours)).unwrap();
        pages.0.extend(updated.written);
        let theirs = TheirMap::default().extend(entries.iter().map(Entry::theirs));
        assert_eq!(updated.root.as_bytes()[..], *theirs.root().bytes());
        let asked = (0..INPUTS).map(|_| *random.pick(&entries)).collect();
        let more = (0..MAP_BATCH).map(|_| Entry::random(random)).collect();
        let head = MapHead { version, root: updated.root };
        Self { pages: RefCell::new(pages), head, theirs, root: updated.root, asked, more }
    }

    /// Adds the batch as a new version. The old one stays. Returns the new pages' names.
    fn add_ours(&self) -> (Digest, Vec<PageId>) {
        let leaves = self.more.iter().map(Entry::ours);
        let version = MapVersion(2);
        let updated = update(&*self.pages.borrow(), Some(self.head), version, leaves).unwrap();
        let ids = updated.written.iter().map(|(id, _)| *id).collect();
        self.pages.borrow_mut().0.extend(updated.written);
        (updated.root, ids)
    }

    /// Takes the new pages away again.
    fn forget(&self, ids: &[PageId]) {
        let mut pages = self.pages.borrow_mut();
        for id in ids {
            pages.0.remove(id);
        }
    }

    fn add_theirs(&self) -> TheirMap {
        self.theirs.extend(self.more.iter().map(Entry::theirs))
    }

    fn our_proof(&self, at: usize) -> Vec<u8> {
        let path = path(&self.asked[at % INPUTS].log_id);
        let found = prove(&*self.pages.borrow(), Some(self.head), &[path]).unwrap();
        let proofs = found.into_iter().map(|found| found.unwrap().proof).collect();
        MapProofBundle::new(proofs).encode()
    }

    fn their_proof(&self, at: usize) -> Vec<u8> {
        let (key, _) = self.asked[at % INPUTS].theirs();
        TheirBundle::bundle(vec![self.theirs.prove(key).unwrap()]).encode()
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let both = Rc::new(Both::new(&Random::new(0)));
    let (root, ids) = both.add_ours();
    assert_eq!(root.as_bytes()[..], *both.add_theirs().root().bytes());
    both.forget(&ids);
    assert!((0..INPUTS).all(|at| both.our_proof(at) == both.their_proof(at)));
    vec![add(&both), prove_one(&both), verify_one(&both)]
}

fn add(both: &Rc<Both>) -> Row {
    /// What was added; taken away again when dropped, which is not timed.
    struct Added(Rc<Both>, Vec<PageId>);

    impl Drop for Added {
        fn drop(&mut self) {
            self.0.forget(&self.1);
        }
    }

    let (ours, theirs) = (Rc::clone(both), Rc::clone(both));
    Row {
        name: "add 1,000 keys to a map".to_owned(),
        measures: "a new version of a map of 100,000 keys, hashing of keys and values included; the \
                   old version stays",
        ours: Side::fresh(
            || (),
            move |()| {
                let (_, ids) = ours.add_ours();
                Added(Rc::clone(&ours), ids)
            },
        ),
        theirs: Side::fresh(|| (), move |()| theirs.add_theirs()),
    }
}

fn prove_one(both: &Rc<Both>) -> Row {
    let (ours, theirs) = (Rc::clone(both), Rc::clone(both));
    Row {
        name: "prove a key of a map".to_owned(),
        measures: "one key of 100,000, bundle and encoding included; ours from pages in memory that \
                   keep the nodes between after the first proof through them, theirs from a tree \
                   that holds every node",
        ours: Side::repeated(move |at| ours.our_proof(at)),
        theirs: Side::repeated(move |at| theirs.their_proof(at)),
    }
}

fn verify_one(both: &Rc<Both>) -> Row {
    let bundles: Rc<Vec<_>> = Rc::new((0..INPUTS).map(|at| both.our_proof(at)).collect());
    let (ours, our_bundles) = (Rc::clone(both), Rc::clone(&bundles));
    let theirs = Rc::clone(both);
    let their_asked: Vec<_> = both.asked.iter().map(Entry::theirs).collect();
    Row {
        name: "verify a key of a map".to_owned(),
        measures: "the bundle of one key of 100,000: decoding, 256 hashes, comparing the root",
        ours: Side::repeated(move |at| {
            let bundle = MapProofBundle::decode(&our_bundles[at % INPUTS]).unwrap();
            bundle.verify(&[ours.asked[at % INPUTS].ours()], ours.root).unwrap();
        }),
        theirs: Side::repeated(move |at| {
            let (key, value) = &their_asked[at % INPUTS];
            let proofs = TheirBundle::decode(&bundles[at % INPUTS]).unwrap().unbundle();
            assert_eq!(*proofs[0].evaluate(key, value).bytes(), theirs.root.as_bytes()[..]);
        }),
    }
}
