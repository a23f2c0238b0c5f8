//! C2SP signed notes, keys and checkpoints.

use std::sync::LazyLock;

use wargate_crypto::Ed25519PrivateKey;
use wargate_transparency::note::{
    Checkpoint, Cosigner, KeyName, Note, NoteKey, NoteKeys, NoteSigner, Quorum,
};

use super::exact_text;

/// The name of the log in the targets, and the origin of its checkpoints.
pub(super) const ORIGIN: &str = "registry.example/log";

/// A log and a witness, whose keys everybody knows.
pub(super) static SIGNERS: LazyLock<(NoteSigner, Cosigner)> = LazyLock::new(|| {
    let name = |name: &str| name.parse::<KeyName>().unwrap();
    let log = NoteSigner::new(name(ORIGIN), Ed25519PrivateKey::from_seed(&[1; 32]));
    (log, Cosigner::new(name("witness.example"), Ed25519PrivateKey::from_seed(&[2; 32])))
});

/// Signed notes: the form, the signatures, and a policy over them.
pub fn note(data: &[u8]) {
    static KEYS: LazyLock<NoteKeys> = LazyLock::new(|| {
        let (log, witness) = &*SIGNERS;
        NoteKeys::new(vec![log.key().clone(), witness.key().clone()]).unwrap()
    });
    static QUORUM: LazyLock<Quorum> = LazyLock::new(|| {
        let (log, witness) = &*SIGNERS;
        Quorum::new(ORIGIN, vec![log.key().clone()], vec![witness.key().clone()], 1).unwrap()
    });
    let Ok(mut note) = Note::parse(data) else { return };
    assert_eq!(note.to_string().as_bytes(), data, "there is one form of each note");
    if let Ok(verified) = note.verify(&KEYS) {
        assert_eq!(verified.text, note.unverified_text());
        assert!((1..=2).contains(&verified.signers.len()));
    }
    if let Ok(cosigned) = QUORUM.open(&note) {
        assert_eq!(cosigned.checkpoint.to_string(), note.unverified_text());
        assert_eq!(cosigned.cosigners.len(), 1);
    }
    let text = note.unverified_text().to_owned();
    let before = note.clone();
    match note.push(SIGNERS.0.signature(&text)) {
        Ok(()) => {
            assert_eq!(Note::parse(note.to_string().as_bytes()).as_ref(), Ok(&note));
            assert_eq!(before.signatures().len() + 1, note.signatures().len());
        }
        Err(_) => assert_eq!(note, before),
    }
    let signed = SIGNERS.0.sign(&text).expect("the text of a note can be signed");
    assert_eq!(signed.verify(&KEYS).map(|verified| verified.text), Ok(text.as_str()));
}

/// Names of keys and verifier keys.
pub fn note_key(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    exact_text::<KeyName>(data);
    if let Some(key) = exact_text::<NoteKey>(data) {
        let same = NoteKey::new(key.name().clone(), key.kind(), key.public_key().clone());
        assert_eq!(same, key);
        assert!(NoteKeys::new(vec![key.clone(), key]).is_err());
    }
}

/// Texts of checkpoints, which are then cosigned.
pub fn note_checkpoint(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    let (log, witness) = &*SIGNERS;
    let Some(checkpoint) = exact_text::<Checkpoint>(data) else {
        return assert!(witness.cosign(data, 0).is_err(), "only checkpoints are cosigned");
    };
    let timestamp = checkpoint.length().get() / 2;
    let cosignature = witness.cosign(data, timestamp).expect("checkpoints are cosigned");
    assert!(witness.cosign(data, u64::MAX).is_err());
    // Names of DEL and Unicode's control characters are allowed in both; a note takes every text
    // that a checkpoint has.
    let mut note = log.sign(data).expect("a checkpoint is the text of a note");
    note.push(cosignature).unwrap();
    let keys = vec![log.key().clone()];
    let quorum = Quorum::new(checkpoint.origin(), keys, vec![witness.key().clone()], 1).unwrap();
    let opened = quorum.open(&note).expect("both have signed");
    assert_eq!(opened.checkpoint, checkpoint);
    assert_eq!(opened.cosigners[0].timestamp, Some(timestamp));
}
