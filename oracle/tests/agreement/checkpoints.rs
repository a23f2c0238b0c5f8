//! Checkpoints (specification 11): encodings, ids, signatures, JSON.

use warg_crypto::hash::{Hash, Sha256};
use warg_crypto::{Encode, Signable};
use warg_protocol::{SerdeEnvelope, registry};
use wargate_crypto::Digest;
use wargate_oracle::keys::KeyPair;
use wargate_oracle::random::Random;
use wargate_oracle::records;
use wargate_protocol::{Checkpoint, LogLength, SignedCheckpoint, TimestampedCheckpoint};

use crate::each_seed;

type TheirCheckpoint = SerdeEnvelope<registry::TimestampedCheckpoint>;

#[test]
fn checkpoints_are_encoded_and_signed_the_same() {
    each_seed(150, |random| {
        let (pair, other) = (KeyPair::random(random), KeyPair::random(random));
        let ours = checkpoint(random);
        let theirs = records::timestamped(&ours);
        assert_eq!(ours.encode(), theirs.encode());
        assert_eq!(ours.checkpoint.encode(), theirs.checkpoint.encode());
        let id = Hash::<Sha256>::of(&theirs.checkpoint);
        assert_eq!(ours.checkpoint.id().to_string(), id.to_string());

        let ours = SignedCheckpoint::sign(ours, &pair.ours);
        let theirs = SerdeEnvelope::signed_contents(&pair.theirs, theirs).unwrap();
        assert_eq!(ours.key_id.to_string(), theirs.key_id().to_string());
        assert_eq!(ours.signature.to_string(), theirs.signature().to_string());
        let json = serde_json::to_value(&ours).unwrap();
        assert_eq!(json, serde_json::to_value(&theirs).unwrap());

        // Each reads and verifies what the other wrote, and refuses it with another key or root.
        let read: SignedCheckpoint = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(read, ours);
        let read: TheirCheckpoint = serde_json::from_value(json).unwrap();
        assert_eq!(read, theirs);
        assert!(same_verdict(&pair, &ours));
        assert!(!same_verdict(&other, &ours));
        let mut altered = ours.clone();
        match random.below(4) {
            0 => altered.contents.timestamp_seconds ^= 1,
            1 => altered.contents.checkpoint.log_root = Digest::of(b"another"),
            2 => altered.contents.checkpoint.map_root = Digest::of(b"another"),
            _ => altered.contents.checkpoint.log_length = LogLength::new(random.bits() >> 32),
        }
        assert!(!same_verdict(&pair, &altered));
    });
}

#[test]
fn checkpoint_texts_are_read_alike() {
    each_seed(300, |random| {
        let pair = KeyPair::random(random);
        let ours = SignedCheckpoint::sign(checkpoint(random), &pair.ours);
        let text = random.corrupt_text(&serde_json::to_string(&ours).unwrap());
        let ours = serde_json::from_str::<SignedCheckpoint>(&text);
        let theirs = serde_json::from_str::<TheirCheckpoint>(&text);
        // A root of another length than 32 bytes is no root of a log (specification 2.1: such digests
        // only fail where a real one is needed; for us that is here).
        let whole = theirs.as_ref().is_ok_and(|theirs| {
            let checkpoint = &theirs.as_ref().checkpoint;
            checkpoint.log_root.bytes().len() == 32 && checkpoint.map_root.bytes().len() == 32
        });
        assert_eq!(ours.is_ok(), whole, "{text}: {ours:?}, {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(serde_json::to_value(&ours).unwrap(), serde_json::to_value(theirs).unwrap());
            same_verdict(&pair, &ours);
        }
    });
}

fn checkpoint(random: &Random) -> TimestampedCheckpoint {
    let checkpoint = Checkpoint {
        log_root: Digest::from_bytes(random.array()),
        log_length: LogLength::new(random.bits() >> random.between(1, 63)),
        map_root: Digest::from_bytes(random.array()),
    };
    let timestamp_seconds = random.bits() >> random.below(64);
    TimestampedCheckpoint { checkpoint, timestamp_seconds }
}

fn same_verdict(pair: &KeyPair, checkpoint: &SignedCheckpoint) -> bool {
    let ours = checkpoint.verify_signature(&pair.our_public()).is_ok();
    let theirs = registry::TimestampedCheckpoint::verify(
        &pair.their_public(),
        &records::timestamped(&checkpoint.contents).encode(),
        &checkpoint.signature.to_string().parse().unwrap(),
    );
    assert_eq!(ours, theirs.is_ok());
    ours
}
