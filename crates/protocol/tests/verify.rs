//! The verifier over the miniature registry of the golden vectors: it accepts the honest one, step by
//! step and at once, and refuses every other, saying why.

#![expect(clippy::unwrap_used, reason = "tests")]

use wargate_crypto::KeyId;
use wargate_protocol::verify::{
    Culprit, Evidence, Fault, Misbehaviour, ProofBytes, Session, Transcript, TrustAnchor, Verified,
    VerifyError, transcript,
};
use wargate_protocol::{
    CheckpointError, InvalidRecord, LogId, LogLength, RegistryIndex, VersionReq, base64,
};
use wargate_testkit::registry::Registry;
use wargate_testkit::vectors::Walk;

#[test]
fn the_registry_is_accepted_at_every_length_at_once_and_step_by_step() {
    let registry = Registry::load();
    let mut known = Verified::nothing();
    for length in 1..=registry.steps.len() {
        let at_once = registry.verified(length);
        assert_eq!(at_once.operator_key(), Some(&registry.operator.public_key().id()));

        let seen = known.checkpoint().map(|_| length - 1);
        let names = registry.packages(length);
        let logs = names.iter().map(|name| LogId::package(&name.parse().unwrap()));
        let offered = registry.checkpoint(length);
        let mut session = Session::new(registry.anchor(), known, offered, logs.clone());
        for (name, log) in names.iter().zip(logs) {
            session.receive(log, registry.records(name, length - 1..length)).unwrap();
        }
        // All of it once more, as after a lost fetch token.
        session.receive(LogId::operator(), registry.records("operator", 0..length)).unwrap();
        let unproven = session.close().unwrap();
        assert_eq!(unproven.log_length(), LogLength::new(length as u64));
        let seen_length = seen.map(|seen| LogLength::new(seen as u64));
        assert!(unproven.consistent_from().eq(seen_length));
        let request = &registry.steps[length - 1]["heads_inclusion"]["request"];
        let leaves: Vec<_> = unproven.leaves().map(RegistryIndex::get).collect();
        assert_eq!(serde_json::to_value(leaves).unwrap(), request["leafs"]);
        known = unproven.prove(registry.proofs(seen, length)).unwrap();
        assert_eq!(known, at_once);
    }
    let one = known.package(&LogId::package(&"test:one".parse().unwrap())).unwrap();
    let latest = one.state().latest(&VersionReq::ANY).unwrap();
    assert_eq!(latest.version.to_string(), "0.2.0", "the other one is yanked");
}

#[test]
fn a_transcript_survives_its_json_and_a_checkpoint_can_be_seen_twice() {
    let registry = Registry::load();
    let document = registry.transcript(Some(2), 6);
    let bytes = serde_json::to_vec(&document).unwrap();
    let mut anchor = registry.anchor();
    for seen in [2, 6] {
        anchor.checkpoint = Some(registry.checkpoint(seen));
        assert_eq!(transcript(&bytes, &anchor).unwrap(), registry.verified(6));
    }
    let text = serde_json::to_string(&anchor).unwrap();
    assert_eq!(serde_json::from_str::<TrustAnchor>(&text).unwrap(), anchor);
    assert!(matches!(transcript(b"{}", &anchor), Err(VerifyError::Unreadable(_))));
    assert!(matches!(transcript(&bytes[1..], &anchor), Err(VerifyError::Unreadable(_))));
}

/// What becomes of a transcript that was changed.
fn refused(
    registry: &Registry,
    anchor: &TrustAnchor,
    change: impl FnOnce(&mut Transcript),
) -> Misbehaviour {
    let mut document = registry.transcript(anchor.checkpoint.as_ref().map(|_| 2), 6);
    change(&mut document);
    *document.verify(anchor).unwrap_err()
}

#[test]
fn whoever_changes_anything_is_refused_with_the_reason() {
    let registry = Registry::load();
    let anchor = TrustAnchor { checkpoint: Some(registry.checkpoint(2)), ..registry.anchor() };
    let refused = |change: fn(&mut Transcript)| {
        let misbehaviour = refused(&registry, &anchor, change);
        assert_eq!(misbehaviour.culprit, Culprit::Server, "{misbehaviour}");
        assert_eq!(misbehaviour.evidence.summary, misbehaviour.fault.to_string());
        misbehaviour.fault
    };
    let one = LogId::package(&"test:one".parse().unwrap());
    let two = LogId::package(&"test:two".parse().unwrap());

    let fault = refused(|document| document.checkpoint.contents.timestamp_seconds += 1);
    assert!(matches!(fault, Fault::Checkpoint(CheckpointError::Signature(_))), "{fault}");
    let fault = refused(|document| document.checkpoint.key_id = KeyId::from("somebody"));
    assert_eq!(fault, Fault::Checkpoint(CheckpointError::UnknownKey));

    let fault = refused(|document| drop(document.operator.pop()));
    assert!(matches!(fault, Fault::MissingLog { log } if log == LogId::operator()), "{fault}");
    let fault = refused(|document| document.packages[0].records.clear());
    assert_eq!(fault, Fault::MissingLog { log: two });
    // The newest record held back: a valid log, but not the newest state.
    let fault = refused(|document| drop(document.packages[1].records.pop()));
    assert!(matches!(fault, Fault::NotInLog(_)), "{fault}");
    let fault = refused(|document| drop(document.packages[1].records.remove(0)));
    let reason = InvalidRecord::PreviousHashOnFirstRecord;
    assert!(
        matches!(fault, Fault::InvalidRecord { log, reason: r, .. } if log == one && r == reason)
    );
    let fault = refused(|document| document.packages[1].records.swap(1, 2));
    assert!(matches!(fault, Fault::InvalidRecord { .. } | Fault::Misplaced { .. }), "{fault}");
    let fault = refused(|document| {
        document.packages[1].records[1].registry_index = RegistryIndex::new(6);
    });
    assert_eq!(fault, Fault::Misplaced { log: one, index: RegistryIndex::new(6) });
    let fault = refused(|document| document.packages[0].name = "test:three".parse().unwrap());
    assert!(matches!(fault, Fault::NotInLog(_)), "another name, another log: {fault}");

    let fault = refused(|document| document.proofs.log.clear());
    assert!(matches!(fault, Fault::NotInLog(_)), "{fault}");
    let fault = refused(|document| document.proofs.map.clear());
    assert!(matches!(fault, Fault::NotInMap(_)), "{fault}");
    let fault = refused(|document| document.proofs.consistency.clear());
    assert!(matches!(fault, Fault::Inconsistent { .. }), "{fault}");
    let fault = refused(|document| {
        document.proofs.log = document.proofs.consistency[0].proof.clone();
    });
    assert!(matches!(fault, Fault::NotInLog(_)), "{fault}");
}

#[test]
fn no_flipped_bit_of_the_proofs_goes_unnoticed() {
    let registry = Registry::load();
    let anchor = TrustAnchor { checkpoint: Some(registry.checkpoint(2)), ..registry.anchor() };
    let pick: [fn(&mut ProofBytes) -> &mut Vec<u8>; 3] = [
        |proofs| &mut proofs.log,
        |proofs| &mut proofs.map,
        |proofs| &mut proofs.consistency[0].proof,
    ];
    for pick in pick {
        let bits = pick(&mut registry.proofs(Some(2), 6)).len() * 8;
        for bit in 0..bits {
            let mut document = registry.transcript(Some(2), 6);
            pick(&mut document.proofs)[bit / 8] ^= 1 << (bit % 8);
            if let Ok(verified) = document.verify(&anchor) {
                // An explicit empty sibling turned into an absent one says the same.
                assert_eq!(verified, registry.verified(6), "bit {bit}");
            }
        }
    }
}

#[test]
fn no_flipped_bit_of_a_record_goes_unnoticed() {
    let registry = Registry::load();
    let document = serde_json::to_value(registry.transcript(None, 6)).unwrap();
    let places = ["/operator/0", "/packages/0/records/0", "/packages/1/records/2"];
    for place in places {
        let content = document.pointer(place).unwrap().text("contentBytes").to_owned();
        let bytes = base64::decode(&content).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut document = document.clone();
            document.pointer_mut(place).unwrap()["contentBytes"] = base64::encode(&changed).into();
            let document: Transcript = serde_json::from_value(document).unwrap();
            assert!(document.verify(&registry.anchor()).is_err(), "{place} bit {bit}");
        }
    }
}

#[test]
fn a_key_that_is_not_pinned_does_not_operate_the_registry() {
    let registry = Registry::load();
    let anchor = TrustAnchor { operator_keys: vec![KeyId::from("mine")], ..Default::default() };
    let fault = refused(&registry, &anchor, |_| ()).fault;
    assert_eq!(fault, Fault::UntrustedOperator { found: registry.operator.public_key().id() });
    let first_use = registry.transcript(None, 6).verify(&TrustAnchor::default()).unwrap();
    assert_eq!(first_use.operator_key(), Some(&registry.operator.public_key().id()));
}

#[test]
fn an_old_checkpoint_is_stale_and_a_shorter_one_a_step_back() {
    let registry = Registry::load();
    let timestamp = registry.checkpoint(6).contents.timestamp_seconds;
    let mut anchor = registry.anchor();
    anchor.not_before_seconds = Some(timestamp);
    assert!(registry.transcript(None, 6).verify(&anchor).is_ok());
    anchor.not_before_seconds = Some(timestamp + 1);
    let fault = refused(&registry, &anchor, |_| ()).fault;
    assert_eq!(fault, Fault::Stale { timestamp, not_before: timestamp + 1 });

    let mut anchor = registry.anchor();
    anchor.checkpoint = Some(registry.checkpoint(6));
    let replayed = registry.transcript(None, 4).verify(&anchor).unwrap_err();
    let (seen, offered) = (LogLength::new(6), LogLength::new(4));
    assert_eq!(replayed.fault, Fault::Rollback { seen, offered });
    assert_eq!(replayed.culprit, Culprit::Server, "it may be anybody's replay");
    // Nor does a later time convict the registry: its clock may have been set back before.
    let mut document = registry.transcript(None, 4);
    document.checkpoint.contents.timestamp_seconds = timestamp + 1;
    document.checkpoint = registry.sign(document.checkpoint.contents);
    let rewound = document.verify(&anchor).unwrap_err();
    assert_eq!(rewound.fault, Fault::Rollback { seen, offered });
    assert_eq!(rewound.culprit, Culprit::Server);

    let mut anchor = registry.anchor();
    anchor.not_after_seconds = Some(timestamp - 1);
    let fault = refused(&registry, &anchor, |_| ()).fault;
    assert_eq!(fault, Fault::Early { timestamp, not_after: timestamp - 1 });
}

#[test]
fn a_fork_is_proven_to_anybody_who_has_the_evidence() {
    let registry = Registry::load();
    let mut forged = registry.checkpoint(6).contents;
    forged.checkpoint.map_root = registry.checkpoint(5).contents.checkpoint.map_root;
    let mut anchor = registry.anchor();
    anchor.checkpoint = Some(registry.sign(forged));
    let fork = registry.transcript(None, 6).verify(&anchor).unwrap_err();
    assert_eq!(fork.fault, Fault::Fork { length: LogLength::new(6) });
    let key_id = registry.operator.public_key().id();
    assert_eq!(fork.culprit, Culprit::Registry { key_id: key_id.clone() });

    let text = serde_json::to_string(&fork.evidence).unwrap();
    let evidence: Evidence = serde_json::from_str(&text).unwrap();
    let verified = registry.verified(6);
    let operator = verified.operator().unwrap().state();
    assert_eq!(evidence.fork(operator, operator), Some(&key_id));

    // Evidence that somebody made up convinces nobody.
    let mut made_up = evidence;
    made_up.offered.contents.timestamp_seconds += 1;
    assert_eq!(made_up.fork(operator, operator), None);
    made_up.offered = made_up.seen.clone().unwrap();
    assert_eq!(made_up.fork(operator, operator), None);
}

#[test]
fn the_anchor_binds_whatever_else_is_known() {
    let registry = Registry::load();
    // Known up to length 4; pinned to another history, of which nothing else has been seen.
    let known = registry.verified(4);
    for length in [3, 4] {
        let mut other = registry.checkpoint(length).contents;
        other.checkpoint.log_root = registry.checkpoint(1).contents.checkpoint.log_root;
        let mut anchor = registry.anchor();
        anchor.checkpoint = Some(registry.sign(other));
        let logs: Vec<_> = known.packages().keys().copied().collect();
        let offered = registry.checkpoint(4);
        let session = Session::new(anchor, known.clone(), offered, logs);
        let fault = match session.close() {
            Ok(unproven) => {
                assert!(unproven.consistent_from().eq([LogLength::new(3)]));
                unproven.prove(registry.proofs(Some(3), 4)).unwrap_err().fault
            }
            Err(misbehaviour) => misbehaviour.fault,
        };
        match length {
            3 => assert!(matches!(fault, Fault::Inconsistent { .. }), "{fault}"),
            _ => assert_eq!(fault, Fault::Fork { length: LogLength::new(4) }),
        }
    }
    // There is no proof from length 0, and none is asked for.
    let mut empty = registry.checkpoint(1).contents;
    empty.checkpoint.log_length = LogLength::EMPTY;
    let anchor = TrustAnchor { checkpoint: Some(registry.sign(empty)), ..registry.anchor() };
    assert!(registry.transcript(None, 6).verify(&anchor).is_ok());
}

#[test]
fn the_first_record_of_a_registry_is_an_operator_record() {
    let registry = Registry::load();
    let misplaced = |log, index| Fault::Misplaced { log, index: RegistryIndex::new(index) };
    let late = refused(&registry, &registry.anchor(), |document| {
        document.operator[0].registry_index = RegistryIndex::new(1);
    });
    assert_eq!(late.fault, misplaced(LogId::operator(), 1));
    let early = refused(&registry, &registry.anchor(), |document| {
        document.packages[0].records[0].registry_index = RegistryIndex::new(0);
    });
    assert_eq!(early.fault, misplaced(LogId::package(&"test:two".parse().unwrap()), 0));
}

#[test]
fn an_empty_log_is_no_registry_and_a_log_not_asked_for_is_refused() {
    let registry = Registry::load();
    let mut contents = registry.checkpoint(1).contents;
    contents.checkpoint.log_length = LogLength::EMPTY;
    let offered = registry.sign(contents);
    let session = Session::new(registry.anchor(), registry.verified(1), offered, []);
    assert_eq!(session.close().unwrap_err().fault, Fault::EmptyLog);

    let offered = registry.checkpoint(6);
    let mut session = Session::new(registry.anchor(), Verified::nothing(), offered, []);
    let log = LogId::package(&"test:one".parse().unwrap());
    let fault = session.receive(log, registry.records("test:one", 0..6)).unwrap_err().fault;
    assert_eq!(fault, Fault::Unrequested { log });
    let fault = session.close().unwrap_err().fault;
    assert_eq!(fault, Fault::MissingLog { log: LogId::operator() });
}
