//! The registry log: appending, proving, verifying.

use std::rc::Rc;

use warg_protocol::registry;
use warg_transparency::log::{LogBuilder, LogData, Node};
use wargate_crypto::Digest;
use wargate_oracle::log::{OurLog, TheirBundle, TheirLog, push, random_leaf, theirs};
use wargate_oracle::random::Random;
use wargate_protocol::LogLeaf;
use wargate_transparency::log::{LeafIndex, LogLength, LogProofBundle, ProofPlan, RootPlan};

use crate::measure::{Row, Side};
use crate::sizes::{INPUTS, LOG_BATCH, LOG_LEAVES};

/// One log on both sides, and what is asked of it.
struct Both {
    leaves: Vec<LogLeaf>,
    their_leaves: Vec<registry::LogLeaf>,
    ours: OurLog,
    theirs: TheirLog,
    root: Digest,
    nodes: Vec<Node>,
    /// Leaves to prove.
    asked: Vec<usize>,
    /// Lengths to prove consistency from, and their roots.
    from: Vec<(usize, Digest)>,
}

impl Both {
    fn new(random: &Random) -> Self {
        let leaves: Vec<_> = (0..LOG_LEAVES).map(|_| random_leaf(random)).collect();
        let their_leaves = theirs(&leaves);
        let (ours, (theirs, nodes)) = (append_ours(&leaves), append_theirs(&their_leaves));
        let root = ours.edge.root();
        assert_eq!(root.as_bytes()[..], *theirs.checkpoint().root().bytes());
        let asked = (0..INPUTS).map(|_| random.below(LOG_LEAVES)).collect();
        let root_at = |from| {
            let plan = RootPlan::new(length(LOG_LEAVES), length(from)).unwrap();
            (from, plan.read(&ours.tiles).unwrap())
        };
        let from = (0..INPUTS).map(|_| root_at(random.between(1, LOG_LEAVES))).collect();
        Self { leaves, their_leaves, ours, theirs, root, nodes, asked, from }
    }

    fn our_inclusion(&self, at: usize) -> Vec<u8> {
        let leaf = index(self.asked[at % INPUTS]);
        let length = length(LOG_LEAVES);
        let plan = ProofPlan::inclusion(length, length, &[leaf]).unwrap();
        plan.read(&self.ours.tiles).unwrap().encode().unwrap()
    }

    fn their_inclusion(&self, at: usize) -> Vec<u8> {
        let node = self.nodes[self.asked[at % INPUTS]];
        let proof = self.theirs.prove_inclusion(node, LOG_LEAVES);
        TheirBundle::bundle(Vec::new(), vec![proof], &self.theirs).unwrap().encode()
    }

    fn our_consistency(&self, at: usize) -> Vec<u8> {
        let (from, _) = self.from[at % INPUTS];
        let to = length(LOG_LEAVES);
        let plan = ProofPlan::consistency(to, length(from), to).unwrap();
        plan.read(&self.ours.tiles).unwrap().encode().unwrap()
    }

    fn their_consistency(&self, at: usize) -> Vec<u8> {
        let (from, _) = self.from[at % INPUTS];
        let proof = self.theirs.prove_consistency(from, LOG_LEAVES);
        TheirBundle::bundle(vec![proof], Vec::new(), &self.theirs).unwrap().encode()
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let both = Rc::new(Both::new(&Random::new(0)));
    for at in 0..INPUTS {
        assert_eq!(both.our_inclusion(at), both.their_inclusion(at));
        assert_eq!(both.our_consistency(at), both.their_consistency(at));
    }
    vec![
        append(&both),
        row(
            &both,
            "prove inclusion in a log",
            "one leaf of a log of 100,000, bundle and encoding included; ours from tiles in memory, \
             theirs from a vector of all nodes",
            Both::our_inclusion,
            Both::their_inclusion,
        ),
        row(
            &both,
            "prove consistency of a log",
            "from a random length to 100,000, bundle and encoding included",
            Both::our_consistency,
            Both::their_consistency,
        ),
        verify_inclusion(&both),
        verify_consistency(&both),
    ]
}

fn append(both: &Rc<Both>) -> Row {
    let (ours, theirs) = (Rc::clone(both), Rc::clone(both));
    Row {
        name: "append 100,000 leaves".to_owned(),
        measures: "an empty log grows by batches of 1,000 leaves, hashing included, with a root \
                   after each batch",
        ours: Side::fresh(|| (), move |()| append_ours(&ours.leaves)),
        theirs: Side::fresh(|| (), move |()| append_theirs(&theirs.their_leaves)),
    }
}

fn verify_inclusion(both: &Rc<Both>) -> Row {
    let bundles: Rc<Vec<_>> = Rc::new((0..INPUTS).map(|at| both.our_inclusion(at)).collect());
    let (ours, our_bundles) = (Rc::clone(both), Rc::clone(&bundles));
    let theirs = Rc::clone(both);
    Row {
        name: "verify inclusion in a log".to_owned(),
        measures: "the bundle of one leaf of 100,000: decoding, hashing the leaf, comparing the root",
        ours: Side::repeated(move |at| {
            let leaf = ours.asked[at % INPUTS];
            let hash = ours.leaves[leaf].hash();
            let bundle = LogProofBundle::decode(&our_bundles[at % INPUTS]).unwrap();
            bundle
                .verify_inclusion(length(LOG_LEAVES), &[(index(leaf), hash)], &ours.root)
                .unwrap();
        }),
        theirs: Side::repeated(move |at| {
            let leaf = theirs.asked[at % INPUTS];
            let bundle = TheirBundle::decode(&bundles[at % INPUTS]).unwrap();
            let (data, _, proofs) = bundle.unbundle();
            let found = proofs[0].evaluate_value(&data, &theirs.their_leaves[leaf]).unwrap();
            assert_eq!(*found.bytes(), theirs.root.as_bytes()[..]);
        }),
    }
}

fn verify_consistency(both: &Rc<Both>) -> Row {
    let bundles: Rc<Vec<_>> = Rc::new((0..INPUTS).map(|at| both.our_consistency(at)).collect());
    let (ours, our_bundles) = (Rc::clone(both), Rc::clone(&bundles));
    let theirs = Rc::clone(both);
    Row {
        name: "verify consistency of a log".to_owned(),
        measures: "the bundle from a random length to 100,000: decoding, comparing both roots",
        ours: Side::repeated(move |at| {
            let (from, root) = &ours.from[at % INPUTS];
            let bundle = LogProofBundle::decode(&our_bundles[at % INPUTS]).unwrap();
            let (from, to) = (length(*from), length(LOG_LEAVES));
            bundle.verify_consistency(from, root, to, &ours.root).unwrap();
        }),
        theirs: Side::repeated(move |at| {
            let (_, root) = &theirs.from[at % INPUTS];
            let bundle = TheirBundle::decode(&bundles[at % INPUTS]).unwrap();
            let (data, proofs, _) = bundle.unbundle();
            let (earlier, later) = proofs[0].evaluate(&data).unwrap();
            assert_eq!(*earlier.bytes(), root.as_bytes()[..]);
            assert_eq!(*later.bytes(), theirs.root.as_bytes()[..]);
        }),
    }
}

fn row<O>(
    both: &Rc<Both>,
    name: &str,
    measures: &'static str,
    our_work: fn(&Both, usize) -> O,
    their_work: fn(&Both, usize) -> O,
) -> Row
where
    O: 'static,
{
    let (ours, theirs) = (Rc::clone(both), Rc::clone(both));
    Row {
        name: name.to_owned(),
        measures,
        ours: Side::repeated(move |at| our_work(&ours, at)),
        theirs: Side::repeated(move |at| their_work(&theirs, at)),
    }
}

fn append_ours(leaves: &[LogLeaf]) -> OurLog {
    let mut log = OurLog::default();
    for batch in leaves.chunks(LOG_BATCH) {
        log.append(batch);
    }
    log
}

fn append_theirs(leaves: &[registry::LogLeaf]) -> (TheirLog, Vec<Node>) {
    let mut log = TheirLog::default();
    let mut nodes = Vec::with_capacity(leaves.len());
    for batch in leaves.chunks(LOG_BATCH) {
        nodes.extend(push(&mut log, batch));
        std::hint::black_box(log.checkpoint());
    }
    (log, nodes)
}

fn length(length: usize) -> LogLength {
    LogLength::from(u32::try_from(length).unwrap())
}

fn index(leaf: usize) -> LeafIndex {
    LeafIndex::from(u32::try_from(leaf).unwrap())
}
