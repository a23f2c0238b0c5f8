//! The form of notes, and which signatures count.

use proptest::prelude::*;
use wargate_transparency::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use wargate_transparency::note::{
    Note, NoteError, NoteKey, NoteKeys, NoteSignature, NoteVerifyError,
};

use crate::keys::EXAMPLE;
use crate::{cosigner, signer};

/// The examples of C2SP signed-note.
const MESSAGE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const POEM: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
    ed è subito sera.\n\n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

fn keys(keys: &[&NoteKey]) -> NoteKeys {
    NoteKeys::new(keys.iter().copied().cloned().collect()).unwrap()
}

#[test]
fn the_examples_of_c2sp() {
    let key: NoteKey = EXAMPLE.parse().unwrap();
    let known = keys(&[&key]);
    let note: Note = MESSAGE.parse().unwrap();
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.text, "This is an example message.\n");
    assert_eq!(verified.signers.len(), 1);
    assert_eq!((verified.signers[0].key, verified.signers[0].timestamp), (&key, None));
    assert_eq!(note.to_string(), MESSAGE);
    // The text has an empty line of its own.
    let note: Note = POEM.parse().unwrap();
    assert!(note.unverified_text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(note.to_string(), POEM);
    assert_eq!(note.verify(&known), Err(NoteVerifyError::NoKnownSigner));
}

/// Every changed byte of a note with one known signer makes it worthless.
#[test]
fn no_byte_can_change() {
    let known = keys(&[&EXAMPLE.parse().unwrap()]);
    let bytes = MESSAGE.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let verified = Note::parse(&changed).map(|note| note.verify(&known).is_ok());
        assert_ne!(verified, Ok(true), "bit {bit}");
    }
}

#[test]
fn what_is_no_note() {
    use NoteError::{
        ControlCharacter, NoSeparator, NoSignature, NotUtf8, SignatureLength, SignatureLine,
    };
    let malformed = SignatureLine { line: 1 };
    let rows: &[(&[u8], NoteError)] = &[
        (b"", NoSeparator),
        (b"text\n", NoSeparator),
        (b"text\n\xe2\x80\x94 a AAAAAAA=\n", NoSeparator),
        (b"text\n\n", NoSignature),
        (b"text\n\n\xe2\x80\x94 a AAAAAAA=\n\n", NoSignature),
        (b"text\r\n\n\xe2\x80\x94 a AAAAAAA=\n", ControlCharacter),
        (b"te\0xt\n\n\xe2\x80\x94 a AAAAAAA=\n", ControlCharacter),
        (b"text\n\n\xe2\x80\x94 a\tb AAAAAAA=\n", ControlCharacter),
        (b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n", NotUtf8),
        (b"text\n\n\xe2\x80\x94 a AAAAAAA=", malformed),
        (b"text\n\n- a AAAAAAA=\n", malformed),
        (b"text\n\n\xe2\x80\x94a AAAAAAA=\n", malformed),
        (b"text\n\n \xe2\x80\x94 a AAAAAAA=\n", malformed),
        (b"text\n\n\xe2\x80\x94 a\n", malformed),
        (b"text\n\n\xe2\x80\x94 a  AAAAAAA=\n", malformed),
        (b"text\n\n\xe2\x80\x94 a AAAAAAA= \n", malformed),
        (b"text\n\n\xe2\x80\x94 a b AAAAAAA=\n", malformed),
        // No padding, bits after the end, the alphabet for URLs.
        (b"text\n\n\xe2\x80\x94 a AAAAAAA\n", malformed),
        (b"text\n\n\xe2\x80\x94 a AAAAAAB=\n", malformed),
        (b"text\n\n\xe2\x80\x94 a AAAAAA_=\n", malformed),
        (b"text\n\n\xe2\x80\x94 a AAAAAA==\n", SignatureLength { line: 1 }),
        (b"text\n\n\xe2\x80\x94 a AA==\n", SignatureLength { line: 1 }),
        (b"text\n\n\xe2\x80\x94 a \n", SignatureLength { line: 1 }),
        (b"text\n\n\xe2\x80\x94 a AAAAAAA=\nrest\n", SignatureLine { line: 2 }),
    ];
    for (note, error) in rows {
        assert_eq!(Note::parse(note), Err(*error), "{}", String::from_utf8_lossy(note));
    }
    let named = ["\u{2014}  AAAAAAA=", "\u{2014} a+b AAAAAAA=", "\u{2014} a\u{a0}b AAAAAAA="];
    for line in named {
        let note = format!("text\n\n{line}\n").parse::<Note>();
        assert!(matches!(note, Err(NoteError::KeyName { line: 1, .. })), "{line}");
    }
}

#[test]
fn texts_that_cannot_be_signed() {
    let signer = signer("example.com/log", 1);
    assert_eq!(signer.sign("text"), Err(NoteError::UnfinishedText));
    assert_eq!(signer.sign(""), Err(NoteError::UnfinishedText));
    assert_eq!(signer.sign("te\txt\n"), Err(NoteError::ControlCharacter));
    let known = keys(&[signer.key()]);
    for text in ["\n", "\n\n", "text\n", "text\n\n", "\n\ntext\n\n\n", "\u{2014} a AAAAAAA=\n"] {
        let note = signer.sign(text).unwrap();
        let read: Note = note.to_string().parse().unwrap();
        assert_eq!(read, note);
        assert_eq!(read.verify(&known).unwrap().text, text);
    }
}

#[test]
fn limits() {
    let signer = signer("example.com/log", 1);
    let mut note = signer.sign("text\n").unwrap();
    for _ in 1..NOTE_SIGNATURES_MAX {
        note.push(signer.signature("text\n")).unwrap();
    }
    assert_eq!(note.push(signer.signature("text\n")), Err(NoteError::TooManySignatures));
    let text = note.to_string();
    assert_eq!(text.parse(), Ok(note.clone()));
    // A key counts once, however often it signs.
    assert_eq!(note.verify(&keys(&[signer.key()])).unwrap().signers.len(), 1);
    let one_more = format!("{text}{}\n", note.signatures()[0]);
    assert_eq!(one_more.parse::<Note>(), Err(NoteError::TooManySignatures));

    let overhead = signer.sign("\n").unwrap().to_string().len();
    let text = |bytes: usize| "x".repeat(bytes - overhead) + "\n";
    let note = signer.sign(&text(NOTE_BYTES_MAX)).unwrap();
    assert_eq!(note.to_string().len(), NOTE_BYTES_MAX);
    assert_eq!(note.to_string().parse(), Ok(note));
    let bytes = NOTE_BYTES_MAX + 1;
    assert_eq!(signer.sign(&text(bytes)), Err(NoteError::TooLong { bytes }));
    assert_eq!(Note::parse(&vec![b'x'; bytes]), Err(NoteError::TooLong { bytes }));
    let (name, id) = (signer.key().name().clone(), signer.key().id());
    let empty = NoteSignature { name, id, signature: vec![] };
    assert_eq!(Note::new("text\n", empty), Err(NoteError::SignatureLength { line: 1 }));
}

/// 16 signatures of 5 kB must be accepted (C2SP signed-note).
#[test]
fn many_large_signatures() {
    let signer = signer("example.com/log", 1);
    let mut note = signer.sign("text\n").unwrap();
    let id = wargate_transparency::note::NoteKeyId::from_bytes([1, 2, 3, 4]);
    for i in 1..16 {
        let name = format!("post-quantum.example/{i}").parse().unwrap();
        note.push(NoteSignature { name, id, signature: vec![7; 5000] }).unwrap();
    }
    let read: Note = note.to_string().parse().unwrap();
    assert_eq!(read.verify(&keys(&[signer.key()])).unwrap().signers.len(), 1);
}

#[test]
fn which_signatures_count() {
    let (a, b) = (signer("example.com/a", 1), signer("example.com/b", 2));
    let both = keys(&[a.key(), b.key()]);
    let mut note = a.sign("text\n").unwrap();
    note.push(b.signature("text\n")).unwrap();
    let signers: Vec<_> =
        note.verify(&both).unwrap().signers.iter().map(|s| s.key.clone()).collect();
    assert_eq!(signers, [a.key().clone(), b.key().clone()]);
    // Unknown keys are ignored, also with a known name or a known id.
    let only_a = keys(&[a.key()]);
    assert_eq!(note.verify(&only_a).unwrap().signers.len(), 1);
    let mut unknown = a.sign("text\n").unwrap();
    let wrong = a.signature("another\n").signature;
    let (name, id) = (b.key().name().clone(), a.key().id());
    unknown.push(NoteSignature { name, id, signature: wrong.clone() }).unwrap();
    let (name, id) = (a.key().name().clone(), b.key().id());
    unknown.push(NoteSignature { name, id, signature: wrong.clone() }).unwrap();
    assert_eq!(unknown.verify(&only_a).unwrap().signers.len(), 1);
    // A wrong one by a known key spoils the note, wherever it stands and whatever its length.
    let (name, id) = (b.key().name().clone(), b.key().id());
    for signature in [wrong, vec![1], b.signature("text\n").signature[..63].to_vec()] {
        let mut note = a.sign("text\n").unwrap();
        note.push(NoteSignature { name: name.clone(), id, signature }).unwrap();
        let error = NoteVerifyError::WrongSignature { name: name.clone(), id };
        assert_eq!(note.verify(&both), Err(error));
        assert!(note.verify(&only_a).is_ok());
    }
    let nobody = NoteKeys::default();
    assert_eq!(note.verify(&nobody), Err(NoteVerifyError::NoKnownSigner));
    assert!(NoteKeys::new(vec![a.key().clone(), a.key().clone()]).is_err());
    // The same key for two types has two ids.
    let other = cosigner("example.com/a", 1);
    assert!(NoteKeys::new(vec![a.key().clone(), other.key().clone()]).is_ok());
}

proptest! {
    #[test]
    fn what_parses_is_written_the_same(
        text in "[a\n]{0,6}",
        lines in prop::collection::vec("(\u{2014} )?[ab+ ]{0,2} ?[AB=]{0,8}\n?", 0..3),
    ) {
        let text = format!("{text}\n\n{}", lines.concat());
        if let Ok(note) = text.parse::<Note>() {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0..MESSAGE.len()) {
        drop(Note::parse(&bytes));
        drop(Note::parse(&MESSAGE.as_bytes()[..cut]));
        drop(Note::parse(&[&MESSAGE.as_bytes()[..cut], &bytes].concat()));
    }
}
