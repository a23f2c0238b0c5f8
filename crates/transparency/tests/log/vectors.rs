//! The golden vectors, byte for byte.

use base64ct::{Base64, Encoding};
use serde_json::Value;
use wargate_crypto::Digest;
use wargate_testkit::vectors::{Walk, load};
use wargate_transparency::log::{
    BalancedRoots, BundleDecodeError, Claim, LeafHash, LeafIndex, LogLength, LogProofBundle,
    NodeId, ProofPlan, ProofRequestError, RootPlan, Side, VerifyError, branch_hash, empty_root,
};

use crate::model::{self, Log, index, length, plain_leaves};

/// The encoding of a registry leaf (specification 6), which the log itself knows nothing of.
fn registry_leaf(log_id: &str, record_id: &str) -> Vec<u8> {
    assert_eq!((log_id.len(), record_id.len()), (71, 71));
    [b"WARG-LOG-LEAF-V0G", log_id.as_bytes(), b"G", record_id.as_bytes()].concat()
}

/// The series that `leaves.json` defines, of any length.
fn registry_leaves(count: usize) -> Vec<LeafHash> {
    let vectors = load("leaves");
    let log_ids: Vec<_> = vectors.list("leaves")[..8].iter().map(|l| l.text("log_id")).collect();
    let log_id = |i: usize| if i == 0 { log_ids[0] } else { log_ids[1 + (i - 1) % 7] };
    (0..count)
        .map(|i| {
            let record = Digest::of(format!("record {i}").as_bytes()).to_string();
            LeafHash::of(&registry_leaf(log_id(i), &record))
        })
        .collect()
}

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

fn hash(vector: &Value, member: &str) -> Digest {
    Digest::from_bytes(vector.hex(member).try_into().unwrap())
}

fn bytes(vector: &Value, member: &str) -> Vec<u8> {
    Base64::decode_vec(vector.text(member)).unwrap()
}

fn numbers(vector: &Value, member: &str) -> Vec<u64> {
    vector.list(member).iter().map(|number| number.as_u64().unwrap()).collect()
}

fn indices(vector: &Value, member: &str) -> Vec<LeafIndex> {
    numbers(vector, member).into_iter().map(index).collect()
}

#[test]
fn leaf_hashes() {
    let series = registry_leaves(20);
    for (leaf, computed) in load("leaves").list("leaves").iter().zip(series) {
        let encoding = registry_leaf(leaf.text("log_id"), leaf.text("record_id"));
        assert_eq!(encoding, leaf.hex("log_leaf_encoding_hex"));
        assert_eq!(LeafHash::of(&encoding).digest(), hash(leaf, "log_leaf_hash_hex"));
        assert_eq!(LeafHash::of(&encoding), computed);
    }
}

#[test]
fn roots() {
    let vectors = load("log-roots");
    let leaves = registry_leaves(1025);
    let log = Log::of(&leaves);
    for row in vectors["registry_leaf_series"].list("roots") {
        let at = length(row.number("length"));
        let plan = RootPlan::new(log.edge.length(), at).unwrap();
        assert_eq!(plan.read(&log.store).unwrap(), digest(row.text("root")), "length {at}");
        let balanced: Vec<_> = BalancedRoots::of(at).map(NodeId::get).collect();
        assert_eq!(balanced, numbers(row, "balanced_root_nodes"));
    }
    for row in vectors["plain_series"].list("roots") {
        let count = usize::try_from(row.number("length")).unwrap();
        assert_eq!(Log::of(&plain_leaves(count)).edge.root(), hash(row, "root_hex"));
    }
    assert_eq!(empty_root(), hash(&vectors["plain_series"].list("roots")[0], "root_hex"));
}

#[test]
fn complete_nodes() {
    let vectors = load("log-roots");
    let rows = vectors["plain_series"].list("complete_nodes_at_length_20");
    let leaves = plain_leaves(20);
    for row in rows {
        let node = NodeId::new(row.number("node")).unwrap();
        assert_eq!(u64::from(node.height()), row.number("height"));
        assert_eq!(node.side() == Side::Left, row.text("side") == "left");
        assert_eq!(node.parent().map(NodeId::get), Some(row.number("parent")));
        assert_eq!(model::node_hash(&leaves, node), hash(row, "hash_hex"));
    }
    let complete = (0..64).filter(|number| {
        let node = NodeId::new(*number).unwrap();
        node.is_complete_at(length(20))
    });
    let listed: Vec<_> = rows.iter().map(|row| row.number("node")).collect();
    assert_eq!(complete.collect::<Vec<_>>(), listed);
}

/// Checks that `plan` gives the vector's bundle, and that the bundle reads back.
fn check_bundle(log: &Log, plan: &ProofPlan, root: &Digest, encoded: &[u8]) -> LogProofBundle {
    let bundle = plan.read_checked(&log.store, root).unwrap();
    assert_eq!(plan.read(&log.store).unwrap(), bundle);
    assert_eq!(bundle.encode().unwrap(), encoded);
    let decoded = LogProofBundle::decode(encoded).unwrap();
    assert_eq!(decoded, bundle);
    decoded
}

#[test]
fn inclusion_bundles() {
    let leaves = registry_leaves(1000);
    let log = Log::of(&leaves);
    for row in load("log-proofs").list("inclusion") {
        let (at, root) = (length(row.number("log_length")), digest(row.text("root")));
        let included = indices(row, "leaf_indices");
        let plan = ProofPlan::inclusion(log.edge.length(), at, &included).unwrap();
        let bundle = check_bundle(&log, &plan, &root, &bytes(row, "bundle_base64"));
        let claims: Vec<_> = included
            .iter()
            .map(|leaf| (*leaf, leaves[usize::try_from(leaf.get()).unwrap()]))
            .collect();
        bundle.verify_inclusion(at, &claims, &root).unwrap();
        check_members(&bundle, &row["bundle"]);
    }
}

#[test]
fn consistency_bundles() {
    let log = Log::of(&registry_leaves(1000));
    for row in load("log-proofs").list("consistency") {
        let (from, to) = (length(row.number("from")), length(row.number("to")));
        let (from_root, to_root) = (digest(row.text("from_root")), digest(row.text("to_root")));
        let plan = ProofPlan::consistency(log.edge.length(), from, to).unwrap();
        let bundle = check_bundle(&log, &plan, &to_root, &bytes(row, "bundle_base64"));
        bundle.verify_consistency(from, &from_root, to, &to_root).unwrap();
        check_members(&bundle, &row["bundle"]);
    }
}

fn check_members(bundle: &LogProofBundle, members: &Value) {
    assert_eq!(bundle.length().get(), members.number("log_length"));
    let consistent: Vec<_> = bundle.consistent().iter().map(|from| from.get()).collect();
    assert_eq!(consistent, numbers(members, "consistent_lengths"));
    let included: Vec<_> = bundle.included().iter().map(|leaf| leaf.get() * 2).collect();
    assert_eq!(included, numbers(members, "included_indices"));
    let hashes = members.list("hashes");
    assert_eq!(bundle.hashes().len(), hashes.len());
    for ((node, found), entry) in bundle.hashes().iter().zip(hashes) {
        assert_eq!((node.get(), *found), (entry.number("index"), hash(entry, "hash_hex")));
    }
}

/// What cannot be bundled, row for row of the vectors.
#[test]
fn bundling_errors() {
    let vectors = load("log-proofs");
    let rows = vectors.list("bundling_errors").iter().map(|row| row.text("request"));
    let consistency =
        |stored, from, to| ProofPlan::consistency(length(stored), length(from), length(to));
    let beyond =
        |at, stored| ProofRequestError::BeyondLog { length: length(at), stored: length(stored) };
    let table = [
        (
            "no proofs at all",
            ProofPlan::new(length(1000), length(5), &[], &[]).err(),
            Some(ProofRequestError::NoProofs),
        ),
        (
            "consistency from 0 to 5",
            consistency(1000, 0, 5).err(),
            Some(ProofRequestError::FromEmpty),
        ),
        (
            "consistency from 6 to 5",
            consistency(1000, 6, 5).err(),
            Some(ProofRequestError::Backwards { from: length(6), to: length(5) }),
        ),
        (
            "consistency from 6 to 1001 in a log of 1000",
            consistency(1000, 6, 1001).err(),
            Some(beyond(1001, 1000)),
        ),
        (
            "inclusion of leaf 5 at length 5",
            ProofPlan::inclusion(length(1000), length(5), &[index(5)]).err(),
            Some(ProofRequestError::LeafBeyondLength { leaf: index(5), length: length(5) }),
        ),
        // A plan has one length, so this request cannot be expressed.
        ("two inclusion proofs for different lengths", None, None),
        // The reference answers with hashes that do not exist (specification 20.3, N6).
        (
            "consistency from 4 to 4 in a log of length 3",
            consistency(3, 4, 4).err(),
            Some(beyond(4, 3)),
        ),
    ];
    assert!(rows.eq(table.iter().map(|row| row.0)), "the vectors have other rows");
    for (request, found, expected) in table {
        assert_eq!(found, expected, "{request}");
    }
}

#[test]
fn invalid_bundles() {
    let vectors = load("log-proofs");
    let rows = vectors.list("invalid_bundles");
    let leaves = registry_leaves(7);
    let root = digest(rows[0].text("expected_root"));
    assert_eq!(root, model::root(&leaves));
    let claims = [(index(3), leaves[3])];
    let verify = |row: &Value| {
        LogProofBundle::decode(&bytes(row, "bundle_base64"))
            .map(|bundle| bundle.verify_inclusion(length(7), &claims, &root))
    };
    let claim = Claim::Inclusion(index(3));
    let found = digest(rows[0].text("evaluates_to"));
    let node = NodeId::from(1);
    let expected = [
        Ok(Err(VerifyError::RootMismatch { claim, found })),
        Ok(Err(VerifyError::MissingHash { claim, node })),
        Err(BundleDecodeError::HashLength { node: 1, bytes: 31 }),
        Err(BundleDecodeError::NoProofs),
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        assert!(row.flag("must_be_rejected"));
        assert_eq!(verify(row), expected, "{}", row.text("what"));
    }
}

/// The six-record registry: every root and every log bundle, made and verified.
#[test]
fn registry() {
    let vectors = load("registry");
    let mut log = Log::default();
    let mut leaves = Vec::new();
    let mut roots = vec![empty_root()];
    for step in vectors.list("steps") {
        let leaf = LeafHash::of(&registry_leaf(step.text("log_id"), step.text("record_id")));
        leaves.push(leaf);
        let appended = log.append(&[leaf]);
        let checkpoint = &step["checkpoint_after"]["contents"];
        assert_eq!(appended.length().get(), checkpoint.number("logLength"));
        assert_eq!(appended.root, digest(checkpoint.text("logRoot")));
        roots.push(appended.root);
    }
    let root = |at: LogLength| roots[usize::try_from(at.get()).unwrap()];
    for step in vectors.list("steps") {
        let (request, answer) =
            (&step["heads_inclusion"]["request"], &step["heads_inclusion"]["response"]);
        let at = length(request.number("logLength"));
        let included = indices(request, "leafs");
        let plan = ProofPlan::inclusion(log.edge.length(), at, &included).unwrap();
        let bundle = check_bundle(&log, &plan, &root(at), &bytes(answer, "log"));
        let hashed = included.iter().map(|i| (*i, leaves[usize::try_from(i.get()).unwrap()]));
        bundle.verify_inclusion(at, &hashed.collect::<Vec<_>>(), &root(at)).unwrap();
        for row in step.list("consistency") {
            let from = length(row["request"].number("from"));
            let to = length(row["request"].number("to"));
            let plan = ProofPlan::consistency(log.edge.length(), from, to).unwrap();
            let bundle = check_bundle(&log, &plan, &root(to), &bytes(&row["response"], "proof"));
            bundle.verify_consistency(from, &root(from), to, &root(to)).unwrap();
        }
    }
}

#[test]
fn branch_hashes_are_those_of_the_model() {
    let leaves = plain_leaves(2);
    assert_eq!(branch_hash(&leaves[0].digest(), &leaves[1].digest()), model::root(&leaves));
}
