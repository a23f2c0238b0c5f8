//! Other histories than the one that was told before.

use serde_json::json;

use super::faults;
use crate::hostile::forge::{flip_digest, sign};
use crate::hostile::lie::{Lie, Operation};
use crate::hostile::story::{HELLO, History, OTHER, operator};

pub(super) fn lies() -> Vec<Lie> {
    [forks(), steps_back(), strangers()].into_iter().flatten().collect()
}

fn forks() -> Vec<Lie> {
    vec![
        Lie::new("fork", "The log has the length it had, and other records, all signed.")
            .tells(History::Fork)
            .expect(faults![Fork])
            .convicts(),
        Lie::new("fork-of-the-map", "The log is as it was, and the map another, signed.")
            .tells(History::Before)
            .checkpoint(|_, it| {
                flip_digest(&mut it["contents"]["mapRoot"]);
                sign(it, &operator(), |_| ());
            })
            .expect(faults![Fork])
            .convicts(),
        Lie::new("fork-longer", "The log has grown out of another one than was shown before.")
            .when(Operation::Update(&[OTHER]))
            .tells(History::LongFork)
            .expect(faults![Inconsistent]),
        Lie::new(
            "fork-of-a-package",
            "A package has grown out of another log than was shown before.",
        )
        .when(Operation::Update(&[HELLO]))
        .tells(History::LongFork)
        .expect(faults![InvalidRecord]),
        Lie::new("fork-shown-to-two", "Two clients are shown two logs of one length.")
            .cold()
            .tells(History::LongFork)
            .after_gossip()
            .expect(faults![Fork])
            .convicts(),
        Lie::new("fork-shown-to-two-warm", "Likewise, and one of them has been here before.")
            .when(Operation::Update(&[OTHER]))
            .tells(History::LongFork)
            .after_gossip()
            .expect(faults![Fork])
            .convicts(),
        Lie::new(
            "old-state-shown-to-two",
            "One of two clients is shown an old state for a new one.",
        )
        .cold()
        .tells(History::Before)
        .after_gossip()
        .expect(faults![Rollback]),
    ]
}

fn steps_back() -> Vec<Lie> {
    vec![
        Lie::new("rollback", "An older checkpoint comes after a newer one.")
            .tells(History::Earlier)
            .expect(faults![Rollback]),
        Lie::new("rollback-signed-now", "The older state is signed as if it were the newest.")
            .tells(History::Earlier)
            .checkpoint(|scene, it| {
                let now = scene.story.now_seconds();
                sign(it, &operator(), |contents| contents.timestamp_seconds = now);
            })
            .expect(faults![Rollback]),
        Lie::new("old-checkpoint-with-new-records", "The checkpoint is older than the records.")
            .checkpoint(|scene, it| {
                *it = json!(scene.story.chapter(History::Before).checkpoint());
            })
            .logs(|scene, asked, it| {
                let mut asked = asked.clone();
                asked.log_length = scene.story.truth().length();
                *it = json!(scene.records(History::Now, &asked));
            })
            .expect(faults![Misplaced]),
        Lie::new("old-records-with-new-checkpoint", "The checkpoint is new, and nothing else.")
            .logs(|scene, asked, it| {
                *it = json!(scene.records(History::Before, asked));
            })
            .expect(faults![NotInMap]),
    ]
}

fn strangers() -> Vec<Lie> {
    vec![
        Lie::new("checkpoint-of-another-registry", "Another registry's checkpoint.")
            .checkpoint(|scene, it| {
                *it = json!(scene.story.chapter(History::Foreign).checkpoint());
            })
            .expect(faults![CheckpointKeyUnknown]),
        Lie::new("another-registry", "Another registry is here all of a sudden.")
            .tells(History::Foreign)
            .expect(faults![InvalidRecord]),
        Lie::new(
            "another-registry-cold",
            "Another registry is here than the one whose key is known.",
        )
        .cold()
        .tells(History::Foreign)
        .expect(faults![UntrustedOperator]),
    ]
}
