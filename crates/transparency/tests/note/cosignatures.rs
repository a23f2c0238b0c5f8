//! Cosignatures and quorums.

use wargate_transparency::note::{
    AmbiguousKeys, Checkpoint, CosignError, Note, NoteError, NoteKey, NoteKeys, NoteSignature,
    NoteVerifyError, Quorum, QuorumConfigError, QuorumError,
};

use crate::{cosigner, signer};

const ORIGIN: &str = "example.com/behind-the-sofa";
const TEXT: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

/// The checkpoint of C2SP tlog-cosignature, signed and cosigned by the keys of the seeds 1, 2 and 3
/// with Python's cryptography, independently of this crate.
const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa be1zqQx8hYrJJIfiWfY39ShElJ74dPrOjXSgJJ2qG3vny2U7JyHN2kKCWb5H5e2MfxP7My2OyDRrDvCH/RbVubiZ8AE=\n\
    — witness.example.com/w1 dF+16AAAAABkGFDLUwBLV8e4tjvb6qEHiNTQjDZIX+7tvd038taw9A7W/cQ7ZhSah0uJMOI6CTPez5qwHtE49MrkWhU349mtYmi3Dw==\n\
    — witness.example.com/w2 PZMjBwAAAABkGFDOOtPTMmOIJvJcBh2mdAjfHjIbsDn+SHlMVUlCKRrF4wnXJTt+B+DLebgrzswe5CHJHRNQd+2CU8WpylKHeGLIAQ==\n";

/// The example of C2SP tlog-cosignature as it stands, by keys that the text does not give.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn log_key() -> NoteKey {
    signer(ORIGIN, 1).key().clone()
}

fn witnesses() -> Vec<NoteKey> {
    let witness = |i: u8| cosigner(&format!("witness.example.com/w{i}"), i + 1).key().clone();
    vec![witness(1), witness(2), witness(3)]
}

#[test]
fn cosigning_is_reproducible() {
    let mut note = signer(ORIGIN, 1).sign(TEXT).unwrap();
    for (i, time) in [(1, 1_679_315_147), (2, 1_679_315_150)] {
        let cosigner = cosigner(&format!("witness.example.com/w{i}"), i + 1);
        note.push(cosigner.cosign(TEXT, time).unwrap()).unwrap();
    }
    assert_eq!(note.to_string(), COSIGNED);
}

#[test]
fn the_example_of_c2sp_has_the_form() {
    let note: Note = EXAMPLE.parse().unwrap();
    assert_eq!(note.to_string(), EXAMPLE);
    let cosignature = &note.signatures()[1];
    assert_eq!(cosignature.signature.len(), 8 + 64);
    assert_eq!(cosignature.signature[..8], 1_679_315_147_u64.to_be_bytes());
}

#[test]
fn a_quorum() {
    let note: Note = COSIGNED.parse().unwrap();
    for threshold in 0..=2 {
        let quorum = Quorum::new(ORIGIN, vec![log_key()], witnesses(), threshold).unwrap();
        let opened = quorum.open(&note).unwrap();
        assert_eq!(opened.checkpoint, TEXT.parse::<Checkpoint>().unwrap());
        let signers = opened.cosigners.iter().map(|s| (s.key.name().as_str(), s.timestamp));
        let times =
            [("witness.example.com/w1", 1_679_315_147), ("witness.example.com/w2", 1_679_315_150)];
        assert!(signers.eq(times.map(|(name, time)| (name, Some(time)))));
    }
    let quorum = Quorum::new(ORIGIN, vec![log_key()], witnesses(), 3).unwrap();
    let few = QuorumError::TooFewCosignatures { found: 2, threshold: 3 };
    assert_eq!(quorum.open(&note), Err(few));
}

#[test]
fn what_is_no_quorum() {
    let note: Note = COSIGNED.parse().unwrap();
    let other = signer("example.com/other", 9);
    let quorum = Quorum::new(ORIGIN, vec![other.key().clone()], witnesses(), 1).unwrap();
    assert_eq!(quorum.open(&note), Err(QuorumError::NotByLog));
    let quorum = Quorum::new(ORIGIN, vec![other.key().clone()], vec![], 0).unwrap();
    assert_eq!(quorum.open(&note), Err(QuorumError::Note(NoteVerifyError::NoKnownSigner)));
    // A log may be changing keys.
    let quorum = Quorum::new(ORIGIN, vec![other.key().clone(), log_key()], vec![], 0).unwrap();
    assert!(quorum.open(&note).is_ok());
    let quorum = Quorum::new("example.com/other", vec![log_key()], witnesses(), 1).unwrap();
    assert!(matches!(quorum.open(&note), Err(QuorumError::Origin { .. })));
    let quorum = Quorum::new(ORIGIN, vec![log_key()], witnesses(), 1).unwrap();
    let text = signer(ORIGIN, 1).sign("no checkpoint\n").unwrap();
    let one = Quorum::new(ORIGIN, vec![log_key()], vec![], 0).unwrap();
    assert!(matches!(one.open(&text), Err(QuorumError::Checkpoint(_))));
    // The same witness twice counts once, with its latest time.
    let w1 = cosigner("witness.example.com/w1", 2);
    let mut twice = signer(ORIGIN, 1).sign(TEXT).unwrap();
    for time in [5, 7, 6] {
        twice.push(w1.cosign(TEXT, time).unwrap()).unwrap();
    }
    let opened = quorum.open(&twice).unwrap();
    assert_eq!(opened.cosigners.len(), 1);
    assert_eq!(opened.cosigners[0].timestamp, Some(7));
}

#[test]
fn policies_that_make_no_sense() {
    let new = |log, cosigners, threshold| {
        Quorum::new(ORIGIN, log, cosigners, threshold).map(drop).unwrap_err()
    };
    let witness = || cosigner("witness.example.com/w1", 2).key().clone();
    assert_eq!(new(vec![], witnesses(), 1), QuorumConfigError::LogKey);
    assert_eq!(new(vec![witness()], vec![], 0), QuorumConfigError::LogKey);
    let wrong = QuorumConfigError::CosignerKey(log_key().to_string());
    assert_eq!(new(vec![log_key()], vec![log_key()], 1), wrong);
    let threshold = QuorumConfigError::Threshold { threshold: 4, cosigners: 3 };
    assert_eq!(new(vec![log_key()], witnesses(), 4), threshold);
    let twice = AmbiguousKeys { name: witness().name().clone(), id: witness().id() };
    let twice = QuorumConfigError::Ambiguous(twice);
    assert_eq!(new(vec![log_key()], vec![witness(), witness()], 2), twice);
    let twin = cosigner("witness.example.com/twin", 2).key().clone();
    let shared = QuorumConfigError::SharedKey(
        "witness.example.com/w1".to_owned(),
        "witness.example.com/twin".to_owned(),
    );
    assert_eq!(new(vec![log_key()], vec![witness(), twin], 2), shared);
}

#[test]
fn only_checkpoints_are_cosigned() {
    let witness = cosigner("witness.example.com/w1", 2);
    assert!(matches!(witness.cosign("text\n", 1), Err(CosignError::NotACheckpoint(_))));
    assert_eq!(witness.cosign(TEXT, 1 << 63), Err(CosignError::Timestamp));
    assert!(witness.cosign(TEXT, (1 << 63) - 1).is_ok());
}

/// Another time, another text, too many or too few bytes, or a signature over the bare text.
#[test]
fn other_cosignatures_are_wrong() -> Result<(), NoteError> {
    let witness = cosigner("witness.example.com/w1", 2);
    let keys = NoteKeys::new(vec![witness.key().clone()]).unwrap();
    let good = witness.cosign(TEXT, 1_679_315_147).unwrap();
    assert!(Note::new(TEXT, good.clone())?.verify(&keys).is_ok());
    let check = |text: &str, signature: Vec<u8>| -> Result<(), NoteError> {
        let (name, id) = (good.name.clone(), good.id);
        let note = Note::new(text, NoteSignature { name: name.clone(), id, signature })?;
        assert_eq!(note.verify(&keys), Err(NoteVerifyError::WrongSignature { name, id }));
        Ok(())
    };
    for byte in 0..good.signature.len() {
        let mut signature = good.signature.clone();
        signature[byte] ^= 0x80;
        check(TEXT, signature)?;
    }
    check(&TEXT.replace('2', "3"), good.signature.clone())?;
    check(TEXT, good.signature[..71].to_vec())?;
    check(TEXT, [&good.signature[..], &[0]].concat())?;
    check(TEXT, good.signature[8..].to_vec())?;
    check(TEXT, good.signature[..4].to_vec())?;
    check(TEXT, signer("witness.example.com/w1", 2).signature(TEXT).signature)
}
