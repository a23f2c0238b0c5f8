//! Records that are left out, in another order, in another place, or of somebody else.

use serde_json::{Value, json};

use super::faults;
use crate::hostile::forge::{operator_records, records, sign};
use crate::hostile::lie::{FaultKind, Lie, Operation, Verdict};
use crate::hostile::reply::{Asked, Part, Reply};
use crate::hostile::story::{HELLO, History, OTHER, THIRD, former_signer, log};

pub(super) fn lies() -> Vec<Lie> {
    [omissions(), hidden_from_new(), order(), places(), pages()].into_iter().flatten().collect()
}

fn omissions() -> Vec<Lie> {
    vec![
        Lie::new("last-record-left-out", "The newest record of a package is left out.")
            .logs(|_, _, it| drop(records(it, HELLO).pop()))
            .expect(faults![NotInMap]),
        Lie::new("new-records-left-out", "A package seems to have nothing new.")
            .logs(|_, _, it| records(it, HELLO).clear())
            .expect(faults![NotInMap]),
        Lie::new("operator-record-left-out", "The operator log seems to have nothing new.")
            .logs(|_, _, it| operator_records(it).clear())
            .expect(faults![NotInMap]),
        Lie::new("yank-left-out", "The record that yanks a release is left out.")
            .logs(|_, _, it| drop(records(it, HELLO).remove(0)))
            .expect(faults![InvalidRecord]),
        Lie::new("yank-and-all-behind-left-out", "A package ends before a release is yanked.")
            .cold()
            .logs(|_, _, it| records(it, HELLO).truncate(4))
            .expect(faults![NotInMap]),
        Lie::new("revoke-left-out", "The record that takes a publisher's permissions is left out.")
            .logs(|_, _, it| drop(records(it, HELLO).remove(1)))
            .expect(faults![InvalidRecord]),
        Lie::new(
            "operator-revoke-left-out",
            "A key signs whose `commit` was taken from it, and the record that took it is left out.",
        )
        .checkpoint(|_, it| sign(it, &former_signer(), |_| ()))
        .logs(|_, _, it| operator_records(it).clear())
        .expect(faults![NotInMap]),
        Lie::new("package-denied", "A package that was shown before is said not to be here.")
            .tells(History::Before)
            .reply(Part::Logs, |_, asked, it| deny(asked, it))
            .expect(faults![MissingLog]),
        Lie::new("package-denied-by-an-older-state", "An older log is said not to have a package.")
            .tells(History::Earlier)
            .reply(Part::Logs, |_, asked, it| deny(asked, it))
            .expect(faults![Rollback]),
    ]
}

/// Answers a request for the log of [`HELLO`] that there is none.
fn deny(asked: &Asked, it: &mut Reply) {
    let log = log(HELLO).to_string();
    if String::from_utf8_lossy(&asked.body).contains(&log) {
        let body = json!({ "status": 404, "type": "log", "id": log });
        *it = Reply::text(404, "application/json", body.to_string());
    }
}

fn hidden_from_new() -> Vec<Lie> {
    vec![
        Lie::new("package-left-out", "A package that was asked for is not in the answer.")
            .cold()
            .logs(|_, _, it| {
                it["packages"].as_object_mut().unwrap().remove(&log(HELLO).to_string());
            })
            .expect(faults![MissingLog]),
        Lie::new("package-without-records", "A package that was asked for has no records.")
            .cold()
            .logs(|_, _, it| records(it, HELLO).clear())
            .expect(faults![MissingLog]),
        Lie::new("operator-log-left-out", "The operator log has no records.")
            .cold()
            .logs(|_, _, it| {
                it.as_object_mut().unwrap().remove("operator");
            })
            .expect(faults![MissingLog]),
        Lie::new("no-records-at-all", "Neither log has records.")
            .cold()
            .logs(|_, _, it| *it = json!({ "more": false }))
            .expect(faults![MissingLog]),
        Lie::new("log-of-another-package", "The records of one package come under another's name.")
            .cold()
            .logs(|_, _, it| {
                let others = records(it, OTHER).clone();
                *records(it, HELLO) = others;
            })
            .expect(faults![NotInLog]),
        Lie::new("logs-swapped", "Two packages have each other's records.")
            .cold()
            .logs(|_, _, it| {
                let (hello, other) = (records(it, HELLO).clone(), records(it, OTHER).clone());
                (*records(it, HELLO), *records(it, OTHER)) = (other, hello);
            })
            .expect(faults![NotInLog]),
        Lie::new("package-that-nobody-asked-for", "Records of a package come unasked.")
            .logs(|_, _, it| {
                let others = records(it, OTHER).clone();
                *records(it, THIRD) = others;
            })
            .expect(faults![Unrequested]),
        Lie::new("operator-log-as-package", "The operator log comes among the packages once more.")
            .when(Operation::Update(&[HELLO]))
            .logs(|_, _, it| {
                let hello = records(it, HELLO).clone();
                it["packages"][wargate_protocol::LogId::operator().to_string()] = json!(hello);
            })
            .expect(&[
                Verdict::BadAnswer,
                Verdict::Misbehaviour(FaultKind::Unrequested),
                Verdict::Misbehaviour(FaultKind::Misplaced),
                Verdict::Misbehaviour(FaultKind::Undecodable),
                Verdict::Misbehaviour(FaultKind::InvalidRecord),
            ]),
    ]
}

fn order() -> Vec<Lie> {
    vec![
        Lie::new("records-swapped", "Two records stand in each other's place.")
            .logs(|_, _, it| records(it, HELLO).swap(0, 1))
            .expect(faults![InvalidRecord]),
        Lie::new("records-backwards", "The newest record comes first.")
            .cold()
            .logs(|_, _, it| records(it, HELLO).reverse())
            .expect(faults![InvalidRecord]),
        Lie::new("record-twice", "A record comes twice.")
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                records.insert(1, records[0].clone());
            })
            .expect(faults![Misplaced]),
        Lie::new("positions-swapped", "Two records have each other's positions.")
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                let first = records[0]["registryIndex"].take();
                records[0]["registryIndex"] = records[1]["registryIndex"].take();
                records[1]["registryIndex"] = first;
            })
            .expect(faults![Misplaced]),
        Lie::new("positions-equal", "Two records have one position.")
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                records[1]["registryIndex"] = records[0]["registryIndex"].clone();
            })
            .expect(faults![Misplaced]),
    ]
}

fn places() -> Vec<Lie> {
    vec![
        Lie::new("position-wrong", "The newest record has the position of another's.")
            .logs(|_, _, it| set_last(records(it, HELLO), &json!(14)))
            .expect(faults![NotInLog]),
        Lie::new("position-beyond-the-log", "The newest record stands behind the checkpoint.")
            .logs(|_, _, it| set_last(records(it, HELLO), &json!(21)))
            .expect(faults![Misplaced]),
        Lie::new("position-beyond-any-log", "The newest record has the largest position there is.")
            .logs(|_, _, it| set_last(records(it, HELLO), &json!(u64::MAX)))
            .expect(faults![Misplaced]),
        Lie::new("operator-not-first", "The operator log does not begin the registry.")
            .cold()
            .logs(|_, _, it| operator_records(it)[0]["registryIndex"] = json!(1))
            .expect(faults![Misplaced]),
        Lie::new("package-first", "A package begins the registry.")
            .cold()
            .logs(|_, _, it| records(it, HELLO)[0]["registryIndex"] = json!(0))
            .expect(faults![Misplaced]),
    ]
}

fn pages() -> Vec<Lie> {
    vec![
        Lie::new("more-and-nothing", "There are always more records, and none ever come.")
            .logs(|_, _, it| *it = json!({ "more": true }))
            .expect(&[Verdict::BadAnswer]),
        Lie::new("more-and-empty-lists", "There are always more records, in lists that are empty.")
            .logs(|_, _, it| {
                records(it, HELLO).clear();
                operator_records(it).clear();
                it["more"] = json!(true);
            })
            .expect(&[
                Verdict::BadAnswer,
                // The other package's records are the same again and again.
                Verdict::Misbehaviour(FaultKind::Misplaced),
                // Some clients ask only for the logs that had something new.
                Verdict::Misbehaviour(FaultKind::NotInMap),
            ]),
        Lie::new("more-of-the-same", "There are always more records, and they are the same again.")
            .cold()
            .logs(|scene, asked, it| {
                let mut first = asked.clone();
                first.operator = None;
                first.packages.values_mut().for_each(|token| *token = None);
                *it = json!(scene.records(super::super::story::History::Now, &first));
                it["more"] = json!(true);
            })
            .expect(&[Verdict::Misbehaviour(FaultKind::Misplaced), Verdict::BadAnswer]),
    ]
}

fn set_last(records: &mut [Value], index: &Value) {
    if let Some(last) = records.last_mut() {
        last["registryIndex"] = index.clone();
    }
}
