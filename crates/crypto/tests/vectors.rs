//! The golden vectors of keys, signatures and digests.

use wargate_crypto::{AnyDigest, Digest, DigestError, KeyError, PrivateKey, PublicKey, Signature};
use wargate_crypto::{KeyId, SignatureError};
use wargate_testkit::vectors::{Walk, load};

#[test]
fn digests() {
    let file = load("hashes");
    for case in file.list("digests") {
        assert_eq!(Digest::of(&case.hex("input_hex")).to_string(), case.text("text"));
    }
    for case in file.list("parse_cases") {
        let parsed = case.text("text").parse::<AnyDigest>();
        let Ok(digest) = parsed else {
            assert!(!case.flag("accepted"), "{case}");
            let kind = match parsed.unwrap_err() {
                DigestError::MissingColon => "IncorrectStructure",
                DigestError::UnknownAlgorithm => "InvalidHashAlgorithm",
                DigestError::UppercaseHex => "UppercaseHex",
                DigestError::InvalidHex => "InvalidHex",
                other => panic!("{case}: {other}"),
            };
            assert_eq!(kind, case.text("error_kind"), "{case}");
            continue;
        };
        assert!(case.flag("accepted"), "{case}");
        assert_eq!(digest.as_bytes(), case.hex("bytes_hex"));
        assert_eq!(digest.to_string(), case.text("text"));
        assert_eq!(Digest::try_from(digest).is_ok(), case.flag("usable_as_sha256_hash"), "{case}");
    }
}

#[test]
fn keys() {
    let file = load("keys");
    for case in file.list("keys") {
        let private = PrivateKey::from_text(case.text("private_key_text")).unwrap();
        assert_eq!(*private.to_text(), case.text("private_key_text"));
        let public = private.public_key();
        assert_eq!(public.to_string(), case.text("public_key_text"));
        assert_eq!(public.id().as_str(), case.text("key_id"));
        assert_eq!(public.as_sec1_bytes().as_slice(), case.hex("public_sec1_compressed_hex"));
        for form in ["public_sec1_compressed_hex", "public_sec1_uncompressed_hex"] {
            assert_eq!(PublicKey::from_sec1_bytes(&case.hex(form)).unwrap(), public);
        }
        let normalised: PublicKey = case.text("uncompressed_text").parse().unwrap();
        let expected = case.text("uncompressed_text_accepted_and_normalised_to");
        assert_eq!(normalised.to_string(), expected);
    }
}

fn key_error_kind(error: KeyError) -> &'static [&'static str] {
    match error {
        KeyError::Structure => &["MissingColon", "IncorrectStructure"],
        KeyError::UnknownAlgorithm => &["SignatureAlgorithmParseError"],
        KeyError::Base64 => &["Base64DecodeError"],
        KeyError::NotAKey => &["SignatureError"],
        KeyError::TooLong => &[],
    }
}

#[test]
fn key_texts() {
    let file = load("keys");
    for case in file.list("private_key_parse_cases") {
        match PrivateKey::from_text(case.text("text")) {
            Ok(key) => assert_eq!(*key.to_text(), case.text("re_encoded"), "{case}"),
            Err(error) => {
                assert!(!case.flag("accepted"), "{case}: {error}");
                assert!(key_error_kind(error).contains(&case.text("error_kind")), "{case}");
            }
        }
    }
    for case in file.list("public_key_parse_cases") {
        match case.text("text").parse::<PublicKey>() {
            Ok(key) => {
                assert_eq!(key.to_string(), case.text("canonical"), "{case}");
                assert_eq!(key.id().as_str(), case.text("key_id"), "{case}");
            }
            Err(error) => {
                assert!(!case.flag("accepted"), "{case}: {error}");
                assert!(key_error_kind(error).contains(&case.text("error_kind")), "{case}");
            }
        }
    }
}

#[test]
fn signatures() {
    let file = load("signatures");
    let keys = load("keys");
    let private = |label: &str| {
        let key = keys.list("keys").iter().find(|key| key.text("label") == label).unwrap();
        PrivateKey::from_text(key.text("private_key_text")).unwrap()
    };
    for case in file.list("deterministic_signatures") {
        let key = private(case.text("key"));
        let message = case.hex("message_hex");
        let signature = key.sign(&[&message]);
        assert_eq!(signature.to_string(), case.text("signature_text"));
        assert_eq!(signature.to_der(), case.hex("der_hex"));
        assert_eq!(signature.as_fixed_bytes().as_slice(), case.hex("r_s_fixed_hex"));
        let public: PublicKey = case.text("public_key_text").parse().unwrap();
        let read: Signature = case.text("signature_text").parse().unwrap();
        assert_eq!(public.verify(&[&message], &read), Ok(()));
        assert_eq!(public.verify(&[&message, b"."], &read), Err(SignatureError::Mismatch));
    }
    let malleability = &file["malleability"];
    let public: PublicKey = malleability.text("public_key_text").parse().unwrap();
    for form in ["as_signed", "s_negated"] {
        let signature = malleability[form].text("signature_text").parse().unwrap();
        assert_eq!(public.verify(&[&malleability.hex("message_hex")], &signature), Ok(()));
    }
    for case in file.list("parse_cases") {
        match case.text("text").parse::<Signature>() {
            Ok(signature) => assert_eq!(signature.to_string(), case.text("canonical"), "{case}"),
            Err(error) => {
                assert!(!case.flag("accepted"), "{case}: {error}");
                let kind = match error {
                    SignatureError::Structure => "IncorrectStructure",
                    SignatureError::UnknownAlgorithm => "SignatureAlgorithmParseError",
                    SignatureError::Base64 => "Base64DecodeError",
                    SignatureError::Der => "SignatureError",
                    other => panic!("{case}: {other}"),
                };
                assert_eq!(kind, case.text("error_kind"), "{case}");
            }
        }
    }
}

#[test]
fn the_sample_of_rfc_6979() {
    let case = &load("signatures")["rfc6979_a_2_5"];
    let scalar = case.hex("private_scalar_hex");
    let text = format!("ecdsa-p256:{}", base64(&scalar));
    let signature = PrivateKey::from_text(&text).unwrap().sign(&[&case.hex("message_hex")]);
    assert_eq!(signature.to_string(), case.text("signature_text"));
    assert_eq!(signature.as_fixed_bytes().as_slice(), case.hex("r_s_fixed_hex"));
}

#[test]
fn secrets_are_never_printed() {
    let file = load("keys");
    for case in file.list("keys") {
        let text = case.text("private_key_text");
        let key = PrivateKey::from_text(text).unwrap();
        let printed = format!("{key:?}");
        assert!(!printed.contains(&text["ecdsa-p256:".len()..]));
        assert!(printed.contains(case.text("key_id")));
        for cut in 0..text.len() {
            let error = PrivateKey::from_text(&text[..cut]).err();
            let printed = error.map(|error| format!("{error} {error:?}")).unwrap_or_default();
            assert!(!printed.contains(&text[text.len() - 12..]), "{printed}");
        }
    }
    let seed = [0x5a; 32];
    let printed = format!("{:?}", wargate_crypto::Ed25519PrivateKey::from_seed(&seed));
    assert!(!printed.contains("5a5a") && !printed.contains("90, 90"), "{printed}");
}

#[test]
fn texts_beyond_the_limits_are_refused_before_they_are_decoded() {
    let long = "A".repeat(1 << 20);
    let text = format!("ecdsa-p256:{long}");
    assert_eq!(text.parse::<PublicKey>(), Err(KeyError::TooLong));
    assert_eq!(PrivateKey::from_text(&text).unwrap_err(), KeyError::TooLong);
    assert_eq!(text.parse::<Signature>(), Err(SignatureError::TooLong));
    let digest = format!("sha256:{}", "0".repeat(1 << 20));
    assert_eq!(digest.parse::<AnyDigest>(), Err(DigestError::TooLong));
}

#[test]
fn a_key_id_is_any_string() {
    let id: KeyId = serde_json::from_str("\"anything at all\"").unwrap();
    assert_eq!(id.as_str(), "anything at all");
    assert_eq!(serde_json::to_string(&id).unwrap(), "\"anything at all\"");
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
