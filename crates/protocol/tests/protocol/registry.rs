//! The complete small registry of the vectors, and its packed ledger (specification 12.9).

use std::collections::BTreeMap;

use wargate_crypto::Digest;
use wargate_protocol::ledger::{self, LedgerError};
use wargate_protocol::{
    Envelope, LogId, LogLeaf, OperatorState, PackageState, RegistryIndex, SignedCheckpoint,
    SignedEnvelope, VersionReq,
};
use wargate_testkit::vectors::{Walk, load};

#[test]
fn a_registry_is_followed_record_by_record() {
    let vectors = load("registry");
    let mut operator = OperatorState::new();
    let mut packages: BTreeMap<String, PackageState> = BTreeMap::new();
    let mut leaves = Vec::new();
    for step in vectors.list("steps") {
        let signed: SignedEnvelope = serde_json::from_value(step["record"].clone()).unwrap();
        let log = step.text("log");
        let (log_id, record_id) = if log == "operator" {
            let envelope = Envelope::decode(signed).unwrap();
            operator.append(&envelope).unwrap();
            (LogId::operator(), envelope.record_id())
        } else {
            let envelope = Envelope::decode(signed).unwrap();
            packages.entry(log.to_owned()).or_default().append(&envelope).unwrap();
            (LogId::package(&log.parse().unwrap()), envelope.record_id())
        };
        assert_eq!(log_id.to_string(), step.text("log_id"));
        assert_eq!(record_id.to_string(), step.text("record_id"));
        leaves.push(LogLeaf { log_id, record_id });

        let checkpoint: SignedCheckpoint =
            serde_json::from_value(step["checkpoint_after"].clone()).unwrap();
        let verified = checkpoint.verify(&operator).unwrap();
        let length = verified.checkpoint().log_length;
        let index = RegistryIndex::new(step.number("registry_index"));
        assert_eq!(length.last_index(), Some(index));
        assert!(length.contains(index) && !length.contains(length.next_index()));
    }

    let packed: Vec<u8> = leaves.iter().flat_map(ledger::pack).collect();
    assert_eq!(packed, vectors.hex("ledger_packed_hex"));
    assert!(ledger::unpack(&packed).unwrap().eq(leaves));

    let content = Digest::of(&vectors.hex("content_hex"));
    let released = packages.values().filter_map(|state| state.latest(&VersionReq::ANY));
    let contents: Vec<_> = released.filter_map(|release| release.content()).collect();
    assert!(!contents.is_empty());
    assert!(contents.iter().any(|digest| **digest == content));
}

#[test]
fn a_ledger_is_whole_records() {
    assert_eq!(ledger::unpack(&[]).unwrap().len(), 0);
    assert_eq!(ledger::unpack(&[0; 192]).unwrap().len(), 3);
    for bytes in [1, 63, 65, 127] {
        let refused = ledger::unpack(&vec![0; bytes]).map(|_| ());
        assert_eq!(refused, Err(LedgerError { bytes }));
    }
}
