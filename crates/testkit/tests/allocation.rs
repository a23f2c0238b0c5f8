//! How much memory a decoder takes at most, as a multiple of its input: ARCHITECTURE.md, invariant 9.
//!
//! One test, since the counting allocator counts the whole process.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::hint::black_box;

use peak_alloc::PeakAlloc;
use wargate_api::fetch::{FetchLogsResponse, FetchNamesResponse};
use wargate_api::publish::PackageRecord as RecordState;
use wargate_crypto::{AnyDigest, PrivateKey, PublicKey, Signature};
use wargate_protocol::verify::Transcript;
use wargate_protocol::{PackageName, PackageRecord, PackageState, SignedCheckpoint, Version};
use wargate_transparency::log::{EntryBundle, LogProofBundle, TileWidth};
use wargate_transparency::map::MapProofBundle;
use wargate_transparency::note::Note;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// What a decoder takes beyond its input, whatever its size, in bytes.
const SLACK_BYTES: usize = 64 << 10;

/// Peak memory of `decode` beyond what was there, divided by the length of the input.
fn check<T>(what: &str, input: &[u8], multiple_max: usize, decode: impl FnOnce(&[u8]) -> T) {
    PEAK.reset_peak_usage();
    let before = PEAK.current_usage();
    black_box(decode(input));
    let taken = PEAK.peak_usage() - before;
    let allowed = input.len() * multiple_max + SLACK_BYTES;
    assert!(taken <= allowed, "{what}: {taken} bytes for {} of input", input.len());
}

#[test]
fn no_decoder_takes_more_than_its_multiple() {
    protobuf();
    json();
    texts();
}

fn protobuf() {
    // Empty submessages of two bytes each, the most that protobuf can be blown up.
    let bundle = wargate_transparency::limits::PROOF_BUNDLE_BYTES_MAX;
    check("hashes of a log bundle", &[0x22, 0x00].repeat(bundle / 2), 40, LogProofBundle::decode);
    check("proofs of a map bundle", &[0x0a, 0x00].repeat(bundle / 2), 40, MapProofBundle::decode);
    let hashes = [0x0a, 0x00].repeat(60);
    let proof = [&[0x0a, 120][..], &hashes].concat();
    check("absent hashes", &proof.repeat(bundle / proof.len()), 40, MapProofBundle::decode);
    let record = wargate_protocol::limits::RECORD_BYTES_MAX;
    let entry = [0x22, 0x02, 0x1a, 0x00];
    let entries = |count: usize| [&[0x1a, 0x00][..], &entry.repeat(count)].concat();
    let most = wargate_protocol::limits::RECORD_ENTRIES_MAX;
    check("entries", &entries(most), 100, PackageRecord::decode);
    check("too many entries", &entries((record - 2) / 4), 2, PackageRecord::decode);
    check("a large record", &vec![0x22; record + 1], 1, PackageRecord::decode);
    let permissions =
        [&[0x22, 0x84, 0x80, 0x04, 0x1a, 0x80, 0x80, 0x04][..], &vec![1; 1 << 16]].concat();
    check("permissions", &permissions, 40, PackageRecord::decode);
    check("entries of a log", &[0; 512], 20, |bytes| EntryBundle::decode(bytes, TileWidth::FULL));
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn json() {
    let ignored = |inner: &str| {
        let zeros = format!("[{}0]", "0,".repeat(1 << 20));
        inner.replace("IGNORED", &zeros).into_bytes()
    };
    let nested = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    check("nested lists", nested.as_bytes(), 1, read::<Transcript>);
    let members = ignored(r#"{"operator":[{"x":IGNORED}],"contents":{"x":IGNORED},"x":IGNORED}"#);
    check("unknown members of a transcript", &members, 2, Transcript::from_json);
    check("unknown members of a checkpoint", &members, 2, read::<SignedCheckpoint>);
    check("unknown members of records", &members, 2, read::<FetchLogsResponse>);
    check(
        "unknown members of a state",
        &ignored(r#"{"state":"processing","x":IGNORED}"#),
        2,
        read::<RecordState>,
    );
    check("unknown members of a log's state", &members, 2, read::<PackageState>);
    let names = format!(
        r#"{{"packages":{{{}}}}}"#,
        (0..20_000)
            .map(|number| { format!(r#""sha256:{number:064x}":null"#) })
            .collect::<Vec<_>>()
            .join(",")
    );
    check("names", names.as_bytes(), 8, read::<FetchNamesResponse>);
}

fn texts() {
    let long = "a:".repeat(1 << 20);
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
    check("a name", long.as_bytes(), 2, |bytes| text(bytes).parse::<PackageName>());
    check("a version", long.as_bytes(), 2, |bytes| text(bytes).parse::<Version>());
    check("a digest", long.as_bytes(), 2, |bytes| text(bytes).parse::<AnyDigest>());
    check("a public key", long.as_bytes(), 2, |bytes| text(bytes).parse::<PublicKey>());
    check("a signature", long.as_bytes(), 2, |bytes| text(bytes).parse::<Signature>());
    check("a private key", long.as_bytes(), 2, |bytes| PrivateKey::from_text(&text(bytes)).is_ok());
    let lines = format!("text\n\n{}", "\u{2014} a AAAAAAAA\n".repeat(1 << 16));
    check("a note", lines.as_bytes(), 4, |bytes| Note::parse(bytes).is_ok());
}
