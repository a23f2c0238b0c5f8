//! Records that are not what their authors signed, or that their logs do not allow, signed or not.

use serde_json::json;
use wargate_crypto::Digest;
use wargate_protocol::{
    Entry, Operator, PackageEntry, PackageRecord, RecordId, SignedEnvelope, base64,
};

use super::faults;
use crate::hostile::forge::{
    before, decode, edit_bytes, flip_signature, malleate, operator_records, records, replace,
    replace_last,
};
use crate::hostile::lie::{FaultKind, Lie, Verdict};
use crate::hostile::story::{HELLO, alice, bob, mallory};

pub(super) fn lies() -> Vec<Lie> {
    [signatures(), authors(), rules(), beginnings(), bytes()].into_iter().flatten().collect()
}

fn release(version: &str) -> PackageEntry {
    Entry::release(version.parse().unwrap(), Digest::of(b"malware"))
}

fn signatures() -> Vec<Lie> {
    vec![
        Lie::new("operator-signature-flipped", "A bit of the first operator record's signature.")
            .cold()
            .logs(|_, _, it| flip_signature(&mut operator_records(it)[0]["signature"]))
            .expect(faults![InvalidRecord]),
        Lie::new(
            "operator-signature-flipped-later",
            "A bit of a later operator record's signature.",
        )
        .logs(|_, _, it| flip_signature(&mut operator_records(it)[0]["signature"]))
        .expect(faults![InvalidRecord]),
        Lie::new("package-signature-flipped", "A bit of a package record's signature is another.")
            .logs(|_, _, it| flip_signature(&mut records(it, HELLO)[0]["signature"]))
            .expect(faults![InvalidRecord]),
        Lie::new("package-signature-of-another", "A record has the signature of another.")
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                records[0]["signature"] = records[1]["signature"].clone();
            })
            .expect(faults![InvalidRecord]),
        Lie::new(
            "signature-as-operator-record",
            "Its author signed the bytes as an operator record.",
        )
        .logs(|_, _, it| {
            let record = &mut records(it, HELLO)[0];
            let bytes = base64::decode(record["contentBytes"].as_str().unwrap()).unwrap();
            let signed = SignedEnvelope::sign::<Operator>(bytes, &alice());
            record["signature"] = json!(signed.signature());
        })
        .expect(faults![InvalidRecord]),
        Lie::new("record-bytes-flipped", "A byte of a record is another than was signed.")
            .logs(|_, _, it| {
                let record = records(it, HELLO).last_mut().unwrap();
                edit_bytes(&mut record["contentBytes"], |bytes| {
                    let last = bytes.last_mut().unwrap();
                    *last = if *last == b'0' { b'1' } else { b'0' };
                });
            })
            .expect(faults![InvalidRecord]),
    ]
}

fn authors() -> Vec<Lie> {
    vec![
        Lie::new("record-by-a-stranger", "A stranger has signed a record, and says so.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &mallory(), vec![release("9.0.0")], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("record-under-anothers-name", "A stranger has signed it under the author's name.")
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                replace_last(records, &mallory(), vec![release("9.0.0")], |_| ());
                let last = records.last_mut().unwrap();
                last["keyId"] = json!(alice().public_key().id());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("record-by-a-former-publisher", "Somebody releases whose permission was taken.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &bob(), vec![release("9.0.0")], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new(
            "record-that-is-not-in-the-log",
            "The author signed it, and the registry has it not.",
        )
        .logs(|_, _, it| {
            replace_last(records(it, HELLO), &alice(), vec![release("9.0.0")], |_| ());
        })
        .expect(faults![NotInLog]),
        Lie::new("record-with-another-good-signature", "A signature has its other, equal form.")
            .logs(|_, _, it| malleate(&mut records(it, HELLO)[0]["signature"]))
            .expect(&[Verdict::Harmless]),
        Lie::new("checkpoint-with-another-good-signature", "Likewise, that of the checkpoint.")
            .checkpoint(|_, it| malleate(&mut it["signature"]))
            .expect(&[Verdict::Harmless]),
    ]
}

/// The author is in league with the registry.
fn rules() -> Vec<Lie> {
    vec![
        Lie::new("second-init", "The author begins the log again.")
            .logs(|_, _, it| {
                let init = Entry::init(mallory().public_key());
                replace_last(records(it, HELLO), &alice(), vec![init], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("release-of-a-released", "A version is released again with other content.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("0.2.0")], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("release-of-a-yanked", "A version that was yanked is released again.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("0.1.0")], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("yank-of-the-unreleased", "A version is yanked that was never released.")
            .logs(|_, _, it| {
                let yank = Entry::yank("7.0.0".parse().unwrap());
                replace_last(records(it, HELLO), &alice(), vec![yank], |_| ());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("time-goes-back", "A record is dated before the one before it.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("9.0.0")], |record| {
                    record.timestamp = before(record.timestamp);
                });
            })
            .expect(faults![InvalidRecord]),
        Lie::new("record-behind-another", "A record names another one before it.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("9.0.0")], |record| {
                    record.prev = Some(Digest::of(b"no record").into());
                });
            })
            .expect(faults![InvalidRecord]),
        Lie::new("record-behind-nothing", "A record names none before it.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("9.0.0")], |record| {
                    record.prev = None;
                });
            })
            .expect(faults![InvalidRecord]),
        Lie::new("record-of-another-protocol", "A record is of a version that there is not.")
            .logs(|_, _, it| {
                replace_last(records(it, HELLO), &alice(), vec![release("9.0.0")], |record| {
                    record.version = 7;
                });
            })
            .expect(faults![InvalidRecord]),
    ]
}

fn beginnings() -> Vec<Lie> {
    vec![
        Lie::new("no-init", "A log begins with a release.")
            .cold()
            .logs(|_, _, it| {
                let first = &mut records(it, HELLO)[0];
                let time = decode(first).timestamp;
                let record = PackageRecord::new(None, time, vec![release("0.1.0")]);
                replace(first, &alice(), record.encode());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("first-record-behind-another", "The first record of a log names one before it.")
            .cold()
            .logs(|_, _, it| {
                let first = &mut records(it, HELLO)[0];
                let mut record = decode(first);
                record.prev = Some((*RecordId::from_digest(Digest::of(b"x")).digest()).into());
                replace(first, &alice(), record.encode());
            })
            .expect(faults![InvalidRecord]),
        Lie::new("begun-by-another", "A log begins with somebody else's key.")
            .cold()
            .logs(|_, _, it| {
                let records = records(it, HELLO);
                let time = decode(&records[0]).timestamp;
                let entries = vec![Entry::init(mallory().public_key()), release("0.1.0")];
                let record = PackageRecord::new(None, time, entries);
                replace(&mut records[0], &mallory(), record.encode());
                records.truncate(1);
            })
            .expect(faults![NotInLog]),
    ]
}

fn bytes() -> Vec<Lie> {
    vec![
        Lie::new("unknown-entry", "A record has an entry of a kind that there is not, signed.")
            .logs(|_, _, it| {
                let last = records(it, HELLO).last_mut().unwrap();
                let mut bytes = decode(last).encode();
                // Member 4 (an entry), two bytes: member 15 with the number 1.
                bytes.extend([0x22, 2, 0x78, 1]);
                replace(last, &alice(), bytes);
            })
            .expect(faults![Undecodable]),
        Lie::new("record-of-garbage", "A record is no record, signed.")
            .logs(|_, _, it| {
                let last = records(it, HELLO).last_mut().unwrap();
                replace(last, &alice(), vec![0xff; 64]);
            })
            .expect(faults![Undecodable]),
        Lie::new("record-truncated", "A record ends too early, signed.")
            .logs(|_, _, it| {
                let last = records(it, HELLO).last_mut().unwrap();
                let mut bytes = decode(last).encode();
                bytes.pop();
                replace(last, &alice(), bytes);
            })
            .expect(faults![Undecodable]),
        Lie::new("record-empty", "A record has no bytes.")
            .logs(|_, _, it| records(it, HELLO).last_mut().unwrap()["contentBytes"] = json!(""))
            .expect(&[Verdict::Misbehaviour(FaultKind::Undecodable), Verdict::BadAnswer]),
        Lie::new("record-huge", "A record has more bytes than any may have.")
            .logs(|_, _, it| {
                let last = records(it, HELLO).last_mut().unwrap();
                replace(last, &alice(), vec![0x1a; 3 << 20]);
            })
            .expect(&[Verdict::Misbehaviour(FaultKind::Undecodable), Verdict::BadAnswer]),
    ]
}
