//! Keys, signatures and digests (specification 2.1, 2.4, 2.5).

use base64ct::{Base64, Base64Unpadded, Base64Url, Encoding};
use warg_crypto::hash::{AnyHash, Hash, Sha256};
use warg_crypto::signing;
use wargate_crypto::{AnyDigest, Digest, PrivateKey, PublicKey, Signature};
use wargate_oracle::keys::KeyPair;
use wargate_oracle::random::Random;

use crate::each_seed;

/// The order of P-256, big endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn keys_and_signatures_are_the_same() {
    each_seed(150, |random| {
        let (pair, other) = (KeyPair::random(random), KeyPair::random(random));
        assert_eq!(*pair.ours.to_text(), *pair.theirs.encode());
        assert_eq!(pair.our_public().to_string(), pair.their_public().to_string());
        assert_eq!(pair.our_public().as_sec1_bytes()[..], pair.their_public().bytes());
        assert_eq!(pair.id().to_string(), pair.their_public().fingerprint().to_string());

        let length = random.below(300);
        let message = random.bytes(length);
        let (front, back) = message.split_at(random.between(0, length));
        let ours = pair.ours.sign(&[front, back]);
        let theirs = pair.theirs.sign(&message).unwrap();
        assert_eq!(ours.to_string(), theirs.to_string());
        assert_eq!(ours.to_der(), theirs.bytes());

        let mut altered = message.clone();
        altered.push(random.byte());
        same_verdict(&pair, &message, &ours, Some(true));
        same_verdict(&pair, &altered, &ours, Some(false));
        same_verdict(&other, &message, &ours, Some(false));
        let mirrored = mirrored(&ours);
        same_verdict(&pair, &message, &mirrored, Some(true));
    });
}

#[test]
fn signature_texts_are_read_alike() {
    each_seed(150, |random| {
        let pair = KeyPair::random(random);
        let message = random.bytes(32);
        let signature = pair.ours.sign(&[&message]);
        for _ in 0..60 {
            let text = match random.below(4) {
                0 => random.corrupt_text(&signature.to_string()),
                1 => encoded(random, &der_of(random)),
                2 => encoded(random, signature.as_fixed_bytes()),
                _ => encoded(random, &random.corrupt(&signature.to_der())),
            };
            let (ours, theirs) = (text.parse::<Signature>(), text.parse::<signing::Signature>());
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.to_string(), theirs.to_string());
                same_verdict(&pair, &message, &ours, None);
            }
        }
    });
}

#[test]
fn public_key_texts_are_read_alike() {
    each_seed(150, |random| {
        let key = KeyPair::random(random).our_public();
        for _ in 0..40 {
            let text = match random.below(3) {
                0 => random.corrupt_text(&key.to_string()),
                1 => encoded(random, &random.corrupt(key.as_sec1_bytes())),
                _ => encoded(random, &point_of(random)),
            };
            let (ours, theirs) = (text.parse::<PublicKey>(), text.parse::<signing::PublicKey>());
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.to_string(), theirs.to_string());
                assert_eq!(ours.id().to_string(), theirs.fingerprint().to_string());
            }
        }
    });
}

#[test]
fn every_form_of_a_point_is_brought_to_the_same_key() {
    each_seed(100, |random| {
        let key = KeyPair::random(random);
        let warg_crypto::signing::PublicKey::EcdsaP256(point) = key.their_public();
        let uncompressed = point.to_encoded_point(false);
        let mut hybrid = uncompressed.as_bytes().to_vec();
        hybrid[0] = 6 + (hybrid[64] & 1);
        let mut compact = key.our_public().as_sec1_bytes().to_vec();
        compact[0] = 5;
        for bytes in [uncompressed.as_bytes().to_vec(), hybrid, compact] {
            let text = format!("ecdsa-p256:{}", Base64::encode_string(&bytes));
            let (ours, theirs) = (text.parse::<PublicKey>(), text.parse::<signing::PublicKey>());
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.to_string(), theirs.to_string());
            }
        }
    });
}

#[test]
fn private_key_texts_are_read_alike() {
    each_seed(2_000, |random| {
        let scalar = match random.below(6) {
            0 => [0; 32],
            1 => ORDER,
            2 => near(ORDER, random.below(3)),
            3 => near([0; 32], random.below(3)),
            _ => random.array(),
        };
        let first = random.below(12);
        let text = match random.below(4) {
            0 => encoded(random, &scalar[first..]),
            1 => encoded(random, &[&[0; 4], &scalar[..]].concat()),
            2 => random.corrupt_text(&format!("ecdsa-p256:{}", Base64::encode_string(&scalar))),
            _ => encoded(random, &scalar),
        };
        let (ours, theirs) =
            (PrivateKey::from_text(&text), signing::PrivateKey::decode(text.clone()));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(*ours.to_text(), *theirs.encode());
        }
    });
}

#[test]
fn digests_and_their_texts_are_the_same() {
    each_seed(10_000, |random| {
        let length = random.below(200);
        let message = random.bytes(length);
        let (front, back) = message.split_at(random.between(0, length));
        let theirs = Hash::<Sha256>::of(message.as_slice());
        assert_eq!(Digest::of(&message).to_string(), theirs.to_string());
        assert_eq!(Digest::of_parts(&[front, back]).as_bytes()[..], *theirs.bytes());
        let mut running = wargate_crypto::Sha256::new();
        running.update(front);
        running.update(back);
        assert_eq!(running.finish().as_bytes()[..], *theirs.bytes());

        // At most as long as our limit, for more see `differences`.
        let bytes = random.between(0, 60);
        let bytes = random.bytes(bytes);
        let any = AnyHash::new(warg_crypto::hash::HashAlgorithm::Sha256, bytes).to_string();
        let text = if random.one_in(3) { any } else { random.corrupt_text(&any) };
        let (ours, theirs) = (text.parse::<AnyDigest>(), text.parse::<AnyHash>());
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(ours.to_string(), theirs.to_string());
            assert_eq!(ours.as_bytes(), theirs.bytes());
            let whole = Digest::try_from(&ours).is_ok();
            assert_eq!(whole, Hash::<Sha256>::try_from(theirs).is_ok(), "{text}");
        }
    });
}

/// Both sides verify a signature; `expected` if it is known how that must end.
fn same_verdict(pair: &KeyPair, message: &[u8], signature: &Signature, expected: Option<bool>) {
    let ours = pair.our_public().verify(&[message], signature).is_ok();
    let theirs = signature.to_string().parse().unwrap();
    let theirs = pair.their_public().verify(message, &theirs).is_ok();
    assert_eq!(ours, theirs, "{signature}");
    assert_eq!(expected.unwrap_or(ours), ours, "{signature}");
}

/// The other signature of the same message: `(r, n - s)`.
fn mirrored(signature: &Signature) -> Signature {
    let (r, s) = signature.as_fixed_bytes().split_at(32);
    let mut mirrored = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let (low, first) = ORDER[at].overflowing_sub(s[at]);
        let (low, second) = low.overflowing_sub(borrow);
        (mirrored[at], borrow) = (low, u8::from(first || second));
    }
    Signature::from_der(&der(&[integer(r), integer(&mirrored)])).unwrap()
}

/// A DER signature of scalars on the edge of their range, or one that is not quite DER.
fn der_of(random: &Random) -> Vec<u8> {
    let scalar = || match random.below(5) {
        0 => integer(&near(ORDER, random.below(3))),
        1 => integer(&near([0; 32], random.below(3))),
        2 => [&[2, 0x81, 0x20], &random.array::<32>()[..]].concat(),
        3 => [&[2, 33, 0], &random.array::<32>()[..]].concat(),
        _ => integer(&random.array::<32>()),
    };
    der(&[scalar(), scalar()])
}

fn der(integers: &[Vec<u8>]) -> Vec<u8> {
    let body = integers.concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

/// A positive DER integer in its shortest form.
fn integer(scalar: &[u8]) -> Vec<u8> {
    let zeros = scalar.iter().take_while(|byte| **byte == 0).count().min(scalar.len() - 1);
    let digits = &scalar[zeros..];
    let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
    let length = u8::try_from(sign.len() + digits.len()).unwrap();
    [&[2, length], sign, digits].concat()
}

/// The number one less, the number itself, or one more.
fn near(mut number: [u8; 32], which: usize) -> [u8; 32] {
    number[31] = match which {
        0 => number[31].wrapping_sub(1),
        1 => number[31],
        _ => number[31].wrapping_add(1),
    };
    number
}

/// Random bytes under one of the tags of a SEC1 point, of about the right length.
fn point_of(random: &Random) -> Vec<u8> {
    let length = *random.pick(&[0, 1, 31, 32, 33, 33, 33, 34, 64, 65, 65, 66]);
    let mut bytes = random.bytes(length);
    if let Some(tag) = bytes.first_mut() {
        *tag = *random.pick(&[0, 2, 3, 4, 5, 6, 7]);
    }
    bytes
}

/// The text of some bytes, mostly the right one.
fn encoded(random: &Random, bytes: &[u8]) -> String {
    let algorithm = match random.below(12) {
        0 => "ecdsa-P256",
        1 => "ed25519",
        2 => "",
        _ => "ecdsa-p256",
    };
    let base64 = match random.below(12) {
        0 => Base64Unpadded::encode_string(bytes),
        1 => Base64Url::encode_string(bytes),
        _ => Base64::encode_string(bytes),
    };
    format!("{algorithm}:{base64}")
}
