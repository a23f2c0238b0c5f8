//! Verifier keys as text.

use wargate_transparency::note::{KeyName, KeyNameError, NoteKey, NoteKeyError, SignatureType};

use crate::{cosigner, signer};

/// The example of C2SP signed-note.
pub(crate) const EXAMPLE: &str =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

#[test]
fn keys_both_ways() {
    let key: NoteKey = EXAMPLE.parse().unwrap();
    assert_eq!(key.name().as_str(), "example.com/foo");
    assert_eq!(key.id().to_bytes(), [0x53, 0x0d, 0x90, 0x3a]);
    assert_eq!(key.kind(), SignatureType::Ed25519);
    assert_eq!(key.to_string(), EXAMPLE);
    // Computed with Python's cryptography and hashlib from seeds of equal bytes.
    let rows = [
        (
            signer("example.com/behind-the-sofa", 1).key().clone(),
            "example.com/behind-the-sofa+6ded73a9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        ),
        (
            cosigner("witness.example.com/w1", 2).key().clone(),
            "witness.example.com/w1+745fb5e8+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
        ),
    ];
    for (key, text) in rows {
        assert_eq!(key.to_string(), text);
        assert_eq!(text.parse(), Ok(key));
    }
}

#[test]
fn other_keys_are_refused() {
    use NoteKeyError::{Form, Name, NotAKey, UnknownType};
    let rows = [
        ("", Form),
        ("example.com/foo", Form),
        ("example.com/foo+530d903a", Form),
        ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Name(KeyNameError)),
        ("a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Name(KeyNameError)),
        ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Form),
        ("example.com/foo+30d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Form),
        ("example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Form),
        ("example.com/foo++30d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Form),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k=", Form),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", Form),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n", Form),
        ("example.com/foo+530d903a+", Form),
        ("example.com/foo+530d903a+AQ==", NotAKey),
        ("example.com/foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", UnknownType(6)),
        // A point of small order.
        ("example.com/foo+530d903a+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NotAKey),
    ];
    for (text, error) in rows {
        assert_eq!(text.parse::<NoteKey>(), Err(error), "{text}");
    }
    let others = [
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ];
    for text in others {
        assert!(matches!(text.parse::<NoteKey>(), Err(NoteKeyError::IdMismatch { .. })), "{text}");
    }
}

#[test]
fn names() {
    for name in ["a", "example.com/log42", "π", "—", "oid/1.3.6.1"] {
        assert_eq!(name.parse::<KeyName>().unwrap().as_str(), name);
    }
    let others =
        ["", " ", "a b", "a+b", "a\n", "a\tb", "\u{a0}", "a\u{2003}b", "\u{85}", "\0", "\u{3000}"];
    for name in others {
        assert_eq!(name.parse::<KeyName>(), Err(KeyNameError), "{name:?}");
    }
}
