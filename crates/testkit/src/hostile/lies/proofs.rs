//! Proofs that are none, or of something else.

use serde_json::{Value, json};
use wargate_api::proof::InclusionRequest;
use wargate_protocol::{LogLength, RegistryIndex, base64};

use super::faults;
use crate::hostile::forge::{edit_bytes, flip_last, truncate};
use crate::hostile::lie::{FaultKind, Lie, Operation, Verdict};
use crate::hostile::scene::{Scene, consistency, inclusion};
use crate::hostile::story::{History, OTHER};

pub(super) fn lies() -> Vec<Lie> {
    [of_the_log(), of_other_records(), of_the_map(), of_other_maps(), of_consistency()]
        .into_iter()
        .flatten()
        .collect()
}

/// The proofs for other positions, or at another length.
fn instead(
    scene: &Scene,
    history: History,
    asked: &InclusionRequest,
    change: impl FnOnce(&mut Vec<RegistryIndex>),
) -> Value {
    let chapter = scene.story.chapter(history);
    let mut at = asked.leafs.clone();
    change(&mut at);
    inclusion(chapter, chapter.length(), &at)
}

fn of_the_log() -> Vec<Lie> {
    vec![
        Lie::new("log-proof-flipped", "A bit of a hash in the log proof is another.")
            .inclusion(|_, _, it| edit_bytes(&mut it["log"], flip_last))
            .expect(faults![NotInLog]),
        Lie::new("log-proof-truncated", "Half of the log proof is missing.")
            .inclusion(|_, _, it| edit_bytes(&mut it["log"], truncate))
            .expect(faults![NotInLog]),
        Lie::new("log-proof-empty", "The log proof has no bytes.")
            .inclusion(|_, _, it| it["log"] = json!(""))
            .expect(faults![NotInLog]),
        Lie::new("log-proof-missing", "There is no log proof.")
            .inclusion(|_, _, it| {
                it.as_object_mut().unwrap().remove("log");
            })
            .expect(&[Verdict::Misbehaviour(FaultKind::NotInLog), Verdict::BadAnswer]),
        Lie::new("log-proof-of-garbage", "The log proof is no bundle.")
            .inclusion(|_, _, it| it["log"] = json!(base64::encode(&[0xff; 300])))
            .expect(faults![NotInLog]),
        Lie::new("log-proof-huge", "The log proof is larger than any can be.")
            .inclusion(|_, _, it| it["log"] = json!(base64::encode(&vec![0x22; 8 << 20])))
            .expect(&[Verdict::Misbehaviour(FaultKind::NotInLog), Verdict::BadAnswer]),
        Lie::new("log-proof-is-the-map's", "The map proof stands where the log proof should.")
            .inclusion(|_, _, it| it["log"] = it["map"].clone())
            .expect(faults![NotInLog]),
    ]
}

fn of_other_records() -> Vec<Lie> {
    vec![
        Lie::new("proof-of-another-record", "The first record is proven, and not the newest ones.")
            .inclusion(|scene, asked, it| {
                *it = instead(scene, History::Now, asked, |at| at.fill(RegistryIndex::FIRST));
            })
            .expect(faults![NotInLog]),
        Lie::new("proofs-reordered", "The proofs are in another order than was asked.")
            .inclusion(|scene, asked, it| {
                *it = instead(scene, History::Now, asked, |at| at.reverse());
            })
            .expect(faults![NotInLog]),
        Lie::new("proof-too-few", "The last record is not proven.")
            .inclusion(|scene, asked, it| {
                *it = instead(scene, History::Now, asked, |at| at.truncate(at.len() - 1));
            })
            .expect(faults![NotInLog]),
        Lie::new("proof-too-many", "One more record is proven than was asked.")
            .inclusion(|scene, asked, it| {
                *it = instead(scene, History::Now, asked, |at| at.push(RegistryIndex::FIRST));
            })
            .expect(faults![NotInLog]),
        Lie::new("proofs-of-before", "The proofs are of the state before.")
            .inclusion(|scene, asked, it| *it = instead(scene, History::Before, asked, |_| ()))
            .expect(faults![NotInLog]),
        Lie::new("proofs-of-another-history", "The proofs are of another log of this length.")
            .inclusion(|scene, asked, it| *it = instead(scene, History::LongFork, asked, |_| ()))
            .expect(faults![NotInLog]),
        Lie::new("proofs-of-another-registry", "The proofs are of another registry's log.")
            .inclusion(|scene, asked, it| *it = instead(scene, History::Foreign, asked, |_| ()))
            .expect(faults![NotInLog]),
        Lie::new("consistency-for-inclusion", "Consistency is proven where inclusion was asked.")
            .inclusion(|scene, _, it| {
                let truth = scene.story.truth();
                let proof = consistency(truth, LogLength::new(11), truth.length());
                it["log"] = proof["proof"].clone();
            })
            .expect(faults![NotInLog]),
    ]
}

fn of_the_map() -> Vec<Lie> {
    vec![
        Lie::new("map-proof-flipped", "A bit of a hash in the map proof is another.")
            .inclusion(|_, _, it| edit_bytes(&mut it["map"], flip_last))
            .expect(faults![NotInMap]),
        Lie::new("map-proof-truncated", "Half of the map proof is missing.")
            .inclusion(|_, _, it| edit_bytes(&mut it["map"], truncate))
            .expect(faults![NotInMap]),
        Lie::new("map-proof-empty", "The map proof has no bytes.")
            .inclusion(|_, _, it| it["map"] = json!(""))
            .expect(faults![NotInMap]),
        Lie::new("map-proof-missing", "There is no map proof.")
            .inclusion(|_, _, it| {
                it.as_object_mut().unwrap().remove("map");
            })
            .expect(&[Verdict::Misbehaviour(FaultKind::NotInMap), Verdict::BadAnswer]),
        Lie::new("map-proof-of-garbage", "The map proof is no bundle.")
            .inclusion(|_, _, it| it["map"] = json!(base64::encode(&[0xff; 300])))
            .expect(faults![NotInMap]),
        Lie::new("map-proof-too-deep", "A map proof has more hashes than the map has levels.")
            .inclusion(|_, asked, it| {
                // Member 1 of 10,800 bytes: a proof of 300 members 1, each with one of 32 bytes.
                let hash = [&[0x0a, 34, 0x0a, 32][..], &[7; 32]].concat();
                let proof = hash.repeat(300);
                let one = [&[0x0a, 0xb0, 0x54][..], &proof].concat();
                it["map"] = json!(base64::encode(&one.repeat(asked.leafs.len())));
            })
            .expect(faults![NotInMap]),
    ]
}

fn of_other_maps() -> Vec<Lie> {
    vec![
        Lie::new("map-proof-of-before", "The map proof is of the state before.")
            .inclusion(|scene, asked, it| {
                it["map"] = instead(scene, History::Before, asked, |_| ())["map"].clone();
            })
            .expect(faults![NotInMap]),
        Lie::new("map-proof-of-another-log", "The map proof is of other logs.")
            .inclusion(|scene, asked, it| {
                let other = instead(scene, History::Now, asked, |at| at.fill(RegistryIndex::FIRST));
                it["map"] = other["map"].clone();
            })
            .expect(faults![NotInMap]),
        Lie::new("map-proofs-reordered", "The map proofs are in another order than was asked.")
            .inclusion(|scene, asked, it| {
                it["map"] = instead(scene, History::Now, asked, |at| at.reverse())["map"].clone();
            })
            .expect(faults![NotInMap]),
        Lie::new("map-proof-too-many", "There is one more map proof than was asked.")
            .inclusion(|scene, asked, it| {
                let more = instead(scene, History::Now, asked, |at| at.push(RegistryIndex::FIRST));
                it["map"] = more["map"].clone();
            })
            .expect(faults![NotInMap]),
        Lie::new("map-proof-too-few", "There is one map proof less than was asked.")
            .inclusion(|scene, asked, it| {
                let less = instead(scene, History::Now, asked, |at| at.truncate(at.len() - 1));
                it["map"] = less["map"].clone();
            })
            .expect(faults![NotInMap]),
    ]
}

fn of_consistency() -> Vec<Lie> {
    vec![
        Lie::new("consistency-flipped", "A bit of a hash in the consistency proof is another.")
            .consistency(|_, _, it| edit_bytes(&mut it["proof"], flip_last))
            .expect(faults![Inconsistent]),
        Lie::new("consistency-truncated", "Half of the consistency proof is missing.")
            .consistency(|_, _, it| edit_bytes(&mut it["proof"], truncate))
            .expect(faults![Inconsistent]),
        Lie::new("consistency-empty", "The consistency proof has no bytes.")
            .consistency(|_, _, it| it["proof"] = json!(""))
            .expect(faults![Inconsistent]),
        Lie::new("consistency-missing", "There is no consistency proof.")
            .consistency(|_, _, it| *it = json!({}))
            .expect(&[Verdict::Misbehaviour(FaultKind::Inconsistent), Verdict::BadAnswer]),
        Lie::new("consistency-from-elsewhere", "It is proven from another length.")
            .consistency(|scene, _, it| {
                let truth = scene.story.truth();
                *it = consistency(truth, LogLength::new(8), truth.length());
            })
            .expect(faults![Inconsistent]),
        Lie::new("consistency-to-elsewhere", "It is proven to another length.")
            .consistency(|scene, asked, it| {
                *it = consistency(scene.story.truth(), asked.from, LogLength::new(15));
            })
            .expect(faults![Inconsistent]),
        Lie::new("consistency-of-another-history", "It is proven of another log.")
            .when(Operation::Update(&[OTHER]))
            .consistency(|scene, asked, it| {
                let fork = scene.story.chapter(History::LongFork);
                *it = consistency(fork, asked.from, asked.to.min(fork.length()));
            })
            .expect(faults![Inconsistent]),
        Lie::new("inclusion-for-consistency", "Inclusion is proven where consistency was asked.")
            .consistency(|scene, _, it| {
                let truth = scene.story.truth();
                let proof = inclusion(truth, truth.length(), &[RegistryIndex::FIRST]);
                it["proof"] = proof["log"].clone();
            })
            .expect(faults![Inconsistent]),
    ]
}
