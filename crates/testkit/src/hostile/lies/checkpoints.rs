//! Checkpoints that nobody may sign, that say what is not so, or at the wrong time.

use serde_json::json;
use wargate_protocol::LogLength;
use wargate_transparency::log::empty_root;

use super::faults;
use crate::hostile::forge::{flip_digest, flip_signature, sign};
use crate::hostile::lie::{FaultKind, Lie, Verdict};
use crate::hostile::story::{
    History, alice, former_signer, mallory, operator, registrar, second_signer,
};

const DAY: u64 = 24 * 60 * 60;

pub(super) fn lies() -> Vec<Lie> {
    [signatures(), contents(), times(), lengths()].into_iter().flatten().collect()
}

fn signatures() -> Vec<Lie> {
    vec![
        Lie::new("checkpoint-signature-flipped", "A bit of the checkpoint's signature is another.")
            .checkpoint(|_, it| flip_signature(&mut it["signature"]))
            .expect(faults![CheckpointSignature]),
        Lie::new("checkpoint-signature-of-another", "It has the signature of an older checkpoint.")
            .checkpoint(|scene, it| {
                let older = scene.story.chapter(History::Before).checkpoint();
                it["signature"] = json!(older.signature);
            })
            .expect(faults![CheckpointSignature]),
        Lie::new(
            "checkpoint-by-unknown-key",
            "A key signs it that the operator log does not know.",
        )
        .checkpoint(|_, it| sign(it, &mallory(), |_| ()))
        .expect(faults![CheckpointKeyUnknown]),
        Lie::new("checkpoint-by-publisher", "A package's author signs it.")
            .checkpoint(|_, it| sign(it, &alice(), |_| ()))
            .expect(faults![CheckpointKeyUnknown]),
        Lie::new("checkpoint-without-commit", "A key signs it that may only define namespaces.")
            .checkpoint(|_, it| sign(it, &registrar(), |_| ()))
            .expect(faults![CheckpointKeyWithoutCommit]),
        Lie::new("checkpoint-by-revoked-key", "A key signs it whose `commit` was taken from it.")
            .checkpoint(|_, it| sign(it, &former_signer(), |_| ()))
            .expect(faults![CheckpointKeyWithoutCommit]),
        Lie::new("checkpoint-by-revoked-key-cold", "Likewise, to a new client.")
            .cold()
            .checkpoint(|_, it| sign(it, &former_signer(), |_| ()))
            .expect(faults![CheckpointKeyWithoutCommit]),
        Lie::new(
            "checkpoint-under-another-name",
            "It names another key than signed it, one that may.",
        )
        .checkpoint(|_, it| it["keyId"] = json!(second_signer().public_key().id()))
        .expect(faults![CheckpointSignature]),
        Lie::new("checkpoint-key-with-a-path", "The id of its key is a path.")
            .checkpoint(|_, it| it["keyId"] = json!("../../../etc/passwd"))
            .expect(&[Verdict::Misbehaviour(FaultKind::CheckpointKeyUnknown), Verdict::BadAnswer]),
        Lie::new("checkpoint-key-with-escapes", "The id of its key has terminal escapes.")
            .checkpoint(|_, it| it["keyId"] = json!("sha256:\u{1b}]0;owned\u{7}\u{1b}[2J"))
            .expect(&[Verdict::Misbehaviour(FaultKind::CheckpointKeyUnknown), Verdict::BadAnswer]),
    ]
}

fn contents() -> Vec<Lie> {
    vec![
        Lie::new("log-root-flipped", "The root of the log is another than was signed.")
            .checkpoint(|_, it| flip_digest(&mut it["contents"]["logRoot"]))
            .expect(faults![CheckpointSignature]),
        Lie::new("map-root-flipped", "The root of the map is another than was signed.")
            .checkpoint(|_, it| flip_digest(&mut it["contents"]["mapRoot"]))
            .expect(faults![CheckpointSignature]),
        Lie::new("log-root-wrong", "The operator signs a root that is not the log's.")
            .checkpoint(|_, it| {
                flip_digest(&mut it["contents"]["logRoot"]);
                sign(it, &operator(), |_| ());
            })
            .expect(faults![NotInLog]),
        Lie::new("map-root-wrong", "The operator signs a root that is not the map's.")
            .checkpoint(|_, it| {
                flip_digest(&mut it["contents"]["mapRoot"]);
                sign(it, &operator(), |_| ());
            })
            .expect(faults![NotInMap]),
        Lie::new("roots-swapped", "The roots of log and map stand in each other's place, signed.")
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    let roots = &mut contents.checkpoint;
                    std::mem::swap(&mut roots.log_root, &mut roots.map_root);
                });
            })
            .expect(faults![NotInLog]),
        Lie::new("map-of-before", "A new log with the map of before, signed.")
            .checkpoint(|scene, it| {
                let old = scene.story.chapter(History::Before).checkpoint().contents.checkpoint;
                sign(it, &operator(), |contents| contents.checkpoint.map_root = old.map_root);
            })
            .expect(faults![NotInMap]),
    ]
}

fn times() -> Vec<Lie> {
    vec![
        Lie::new("checkpoint-time-changed", "Its time is another than was signed.")
            .checkpoint(|scene, it| {
                it["contents"]["timestamp"] = json!(scene.story.now_seconds() - 1);
            })
            .expect(faults![CheckpointSignature]),
        Lie::new("checkpoint-stale", "The operator signed it 30 days ago: the registry is frozen.")
            .checkpoint(|scene, it| {
                let then = scene.story.now_seconds() - 30 * DAY;
                sign(it, &operator(), |contents| contents.timestamp_seconds = then);
            })
            .expect(faults![Stale]),
        Lie::new("checkpoint-stale-cold", "Likewise, to a new client.")
            .cold()
            .checkpoint(|scene, it| {
                let then = scene.story.now_seconds() - 30 * DAY;
                sign(it, &operator(), |contents| contents.timestamp_seconds = then);
            })
            .expect(faults![Stale]),
        Lie::new("checkpoint-from-the-future", "The operator signs it 30 days ahead.")
            .checkpoint(|scene, it| {
                let then = scene.story.now_seconds() + 30 * DAY;
                sign(it, &operator(), |contents| contents.timestamp_seconds = then);
            })
            .expect(faults![Early]),
        Lie::new(
            "checkpoint-at-the-end-of-time",
            "Its time is the largest number there is, signed.",
        )
        .checkpoint(|_, it| {
            sign(it, &operator(), |contents| contents.timestamp_seconds = u64::MAX);
        })
        .expect(faults![Early]),
    ]
}

fn lengths() -> Vec<Lie> {
    vec![
        Lie::new("length-too-large", "The operator signs a length that is one more than there is.")
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    contents.checkpoint.log_length = LogLength::new(17);
                });
            })
            .expect(faults![NotInLog]),
        Lie::new("length-beyond-any-log", "The operator signs the largest length there is.")
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    contents.checkpoint.log_length = LogLength::new(u64::MAX);
                });
            })
            .expect(faults![NotInLog]),
        Lie::new("length-too-small", "The operator signs a length that is less than there is.")
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    contents.checkpoint.log_length = LogLength::new(15);
                });
            })
            .expect(faults![NotInLog]),
        Lie::new("empty-log", "The operator signs that the log is empty.")
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    contents.checkpoint.log_length = LogLength::EMPTY;
                    contents.checkpoint.log_root = empty_root();
                });
            })
            .logs(|_, _, it| *it = json!({ "more": false }))
            .expect(faults![EmptyLog]),
        Lie::new("empty-log-cold", "Likewise, to a new client, and there are no records.")
            .cold()
            .checkpoint(|_, it| {
                sign(it, &operator(), |contents| {
                    contents.checkpoint.log_length = LogLength::EMPTY;
                    contents.checkpoint.log_root = empty_root();
                });
            })
            .logs(|_, _, it| *it = json!({ "more": false }))
            .expect(faults![EmptyLog, MissingLog]),
    ]
}
