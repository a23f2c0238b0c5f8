//! One suite over both providers, and both against each other.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Provider;
use super::portable::Portable;
use crate::{Ed25519PrivateKey, PrivateKey};

macro_rules! suite {
    ($name:ident, $provider:ty) => {
        mod $name {
            #[test]
            fn hashes_the_fips_180_examples() {
                super::hashes_the_fips_180_examples::<$provider>();
            }

            #[test]
            fn hashes_parts_as_their_concatenation() {
                super::hashes_parts_as_their_concatenation::<$provider>();
            }

            #[test]
            fn verifies_p256_and_refuses_every_changed_bit() {
                super::verifies_p256_and_refuses_every_changed_bit::<$provider>();
            }

            #[test]
            fn verifies_ed25519_and_refuses_every_changed_bit() {
                super::verifies_ed25519_and_refuses_every_changed_bit::<$provider>();
            }

            #[test]
            fn refuses_points_off_the_curve() {
                super::refuses_points_off_the_curve::<$provider>();
            }

            #[test]
            fn refuses_weak_and_non_canonical_ed25519_points() {
                super::refuses_weak_and_non_canonical_ed25519_points::<$provider>();
            }
        }
    };
}

suite!(portable, super::super::portable::Portable);
#[cfg(all(feature = "native", not(target_family = "wasm")))]
suite!(native, super::super::native::Native);

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_text(&crate::text::encode(&[seed; 32])).unwrap()
}

fn hashes_the_fips_180_examples<P: Provider>() {
    for (message, digest) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ] {
        assert_eq!(base16ct::lower::encode_string(&P::sha256(&[message.as_bytes()])), digest);
    }
}

fn hashes_parts_as_their_concatenation<P: Provider>() {
    let bytes: Vec<u8> = (0..=255u8).cycle().map(|at| at.wrapping_mul(7)).take(1024).collect();
    for length in (0..300).chain([511, 512, 513, 1024]) {
        let whole = P::sha256(&[&bytes[..length]]);
        for cut in [0, 1, length / 2, length].map(|cut| cut.min(length)) {
            let (head, tail) = bytes[..length].split_at(cut);
            assert_eq!(P::sha256(&[head, tail]), whole);
            assert_eq!(P::sha256(&[head, &[], tail]), whole);
            let mut hasher = P::hasher();
            P::update(&mut hasher, head);
            P::update(&mut hasher, tail);
            assert_eq!(P::finish(hasher), whole);
        }
    }
}

fn verifies_p256_and_refuses_every_changed_bit<P: Provider>() {
    let private = key(7);
    let parts: [&[u8]; 2] = [b"prefix:", b"payload"];
    let signature = *private.sign(&parts).as_fixed_bytes();
    let public = P::p256_key(private.public_key().as_sec1_bytes()).unwrap();
    assert!(P::p256_verify(&public, &parts, &signature));
    assert!(P::p256_verify(&public, &[b"prefix:payload"], &signature));
    assert!(!P::p256_verify(&public, &[b"prefix:", b"payloae"], &signature));
    for bit in 0..512 {
        let mut changed = signature;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!P::p256_verify(&public, &parts, &changed), "bit {bit}");
    }
    let other = P::p256_key(key(8).public_key().as_sec1_bytes()).unwrap();
    assert!(!P::p256_verify(&other, &parts, &signature));
}

fn verifies_ed25519_and_refuses_every_changed_bit<P: Provider>() {
    let private = Ed25519PrivateKey::from_seed(&[9; 32]);
    let signature = *private.sign(b"message").as_bytes();
    let public = P::ed25519_key(private.public_key().as_bytes()).unwrap();
    assert!(P::ed25519_verify(&public, b"message", &signature));
    assert!(!P::ed25519_verify(&public, b"massage", &signature));
    for bit in 0..512 {
        let mut changed = signature;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!P::ed25519_verify(&public, b"message", &changed), "bit {bit}");
    }
}

fn refuses_points_off_the_curve<P: Provider>() {
    // Half of all x have no point; an x at or above the field's prime has none at all.
    let mut on_curve = 0;
    for x in 0..64 {
        let mut compressed = [0; 33];
        compressed[0] = 2;
        compressed[32] = x;
        let found = P::p256_key(&compressed).is_some();
        assert_eq!(found, Portable::p256_key(&compressed).is_some(), "x = {x}");
        on_curve += u32::from(found);
        compressed[0] = 4;
        assert!(P::p256_key(&compressed).is_none(), "tag 4 on 33 bytes");
    }
    assert!((20..44).contains(&on_curve), "{on_curve} of 64");
    let mut above = [0xff; 33];
    above[0] = 2;
    assert!(P::p256_key(&above).is_none());
}

fn refuses_weak_and_non_canonical_ed25519_points<P: Provider>() {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // y = 1 + p: the identity once more, written above the prime.
    let non_canonical = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        bytes
    };
    for bytes in [identity, [0; 32], non_canonical] {
        assert!(P::ed25519_key(&bytes).is_none());
    }
}

#[cfg(all(feature = "native", not(target_family = "wasm")))]
proptest! {
    #[test]
    fn both_providers_agree_on_random_points_and_signatures(
        x in proptest::array::uniform32(any::<u8>()),
        tag in 0..=7u8,
        message in vec(any::<u8>(), 0..400),
        noise in vec(any::<u8>(), 64),
    ) {
        use super::native::Native;
        let mut point = [0; 33];
        point[0] = tag;
        point[1..].copy_from_slice(&x);
        prop_assert_eq!(Native::p256_key(&point).is_some(), Portable::p256_key(&point).is_some());
        prop_assert_eq!(Native::ed25519_key(&x).is_some(), Portable::ed25519_key(&x).is_some());
        prop_assert_eq!(Native::sha256(&[&message]), Portable::sha256(&[&message]));

        let private = key(x[0] >> 1 | 1);
        let compressed = *private.public_key().as_sec1_bytes();
        let native = Native::p256_key(&compressed).unwrap();
        let portable = Portable::p256_key(&compressed).unwrap();
        let good = *private.sign(&[&message]).as_fixed_bytes();
        let noise: [u8; 64] = noise.try_into().unwrap();
        for (signature, expected) in [(good, true), (noise, false)] {
            prop_assert_eq!(Native::p256_verify(&native, &[&message], &signature), expected);
            prop_assert_eq!(Portable::p256_verify(&portable, &[&message], &signature), expected);
        }
    }
}
