//! Names, versions, times, keys, digests, hints and paths.

use wargate_api::headers;
use wargate_component::limits::IMPORT_NAME_BYTES_MAX;
use wargate_component::{ImportName, PackageRange};
use wargate_crypto::{AnyDigest, Digest, KeyId, PrivateKey, PublicKey, Signature};
use wargate_protocol::{
    LogId, Namespace, PackageName, RecordId, Timestamp, Version, VersionReq, base64,
};
use wargate_transparency::log::{EntriesRef, TileRef};

use super::{Bytes, exact_text, json, text};

/// Package names, namespaces and ids of logs and records.
pub fn name(data: &[u8]) {
    json::<PackageName>(data);
    json::<Namespace>(data);
    json::<LogId>(data);
    json::<RecordId>(data);
    let Ok(data) = std::str::from_utf8(data) else { return };
    if let Some(name) = exact_text::<PackageName>(data) {
        assert_eq!(format!("{}:{}", name.namespace(), name.name()), data);
        exact_text::<Namespace>(name.namespace().as_str()).unwrap();
        LogId::package(&name);
    }
    exact_text::<Namespace>(data);
    text::<LogId>(data);
    text::<RecordId>(data);
}

/// The name of an import in the first line, a requirement in the second, versions in the others.
pub fn import_name(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    let mut lines = data.lines();
    let Some(line) = lines.next() else { return };
    let name = text::<ImportName>(line);
    let asks = line.starts_with("unlocked-dep=") || line.starts_with("locked-dep=");
    if let Some(name) = &name {
        assert_eq!(name.dependency().is_some(), asks);
        let is_any =
            matches!(name, ImportName::Unlocked { range, .. } if *range == PackageRange::ANY);
        assert!(is_any || name.to_string() == line, "only what asks for any version has two texts");
        if let ImportName::Locked { integrity: Some(integrity), .. } = name {
            integrity.sha256();
        }
    } else {
        assert!(asks || line.len() > IMPORT_NAME_BYTES_MAX, "any other text is some name");
    }

    let Some(requirement) = lines.next().and_then(|line| line.parse::<VersionReq>().ok()) else {
        return;
    };
    let Some(range) = PackageRange::of(&requirement) else { return };
    let package: PackageName = "a:b".parse().unwrap();
    let made = ImportName::Unlocked { package, projection: None, range: range.clone() };
    assert_eq!(text::<ImportName>(&made.to_string()), Some(made));
    for version in lines.take(8).filter_map(|line| line.parse::<Version>().ok()) {
        if !version.is_prerelease() {
            let (wanted, found) =
                (requirement.matches(&version), range.requirement().matches(&version));
            assert_eq!(wanted, found, "{requirement} {range} {version}");
        }
    }
}

/// A requirement in the first line, versions in the others.
pub fn version(data: &[u8]) {
    json::<Version>(data);
    json::<VersionReq>(data);
    let Ok(data) = std::str::from_utf8(data) else { return };
    let versions: Vec<Version> = data.lines().take(8).filter_map(exact_text).collect();
    for version in &versions {
        assert!(VersionReq::exact(version).matches(version));
        text::<VersionReq>(&VersionReq::exact(version).to_string()).unwrap();
        version.is_prerelease();
    }
    if let Some(requirement) = data.lines().next().and_then(text::<VersionReq>) {
        let highest = requirement.highest(&versions);
        for version in versions.iter().filter(|version| requirement.matches(version)) {
            assert!(highest.is_some_and(|highest| highest >= version));
        }
    }
}

/// Times as text, and as protobuf's pair of numbers.
pub fn timestamp(data: &[u8]) {
    json::<Timestamp>(data);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(time) = Timestamp::from_state_text(text)
    {
        assert_eq!(Timestamp::from_state_text(&time.to_state_text()), Ok(time));
    }
    let mut bytes = Bytes(data);
    let (seconds, nanos) = (bytes.number().cast_signed(), i32::from_le_bytes(bytes.array()));
    if let Ok(time) = Timestamp::normalised(seconds, nanos) {
        assert_eq!(Timestamp::new(time.seconds(), time.nanos()), Ok(time));
        assert_eq!(Timestamp::from_state_text(&time.to_state_text()), Ok(time));
        let total =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        // What carries beyond the last second stays at its last nanosecond.
        let expected = total(seconds, nanos.into()).min(total(i64::MAX, 999_999_999));
        assert_eq!(total(time.seconds(), time.nanos().into()), expected);
    }
}

/// Keys, signatures and digests, as text and as bytes, and base64.
pub fn key_text(data: &[u8]) {
    if let Ok(key) = PublicKey::from_sec1_bytes(data) {
        assert_eq!(PublicKey::from_sec1_bytes(key.as_sec1_bytes()).unwrap(), key);
        text::<PublicKey>(&key.to_string()).unwrap();
    }
    if let Ok(signature) = Signature::from_der(data) {
        assert_eq!(signature.to_der(), data, "there is one encoding of each signature");
    }
    json::<PublicKey>(data);
    json::<Signature>(data);
    json::<AnyDigest>(data);
    json::<KeyId>(data);
    let Ok(data) = std::str::from_utf8(data) else { return };
    if let Some(key) = text::<PublicKey>(data) {
        let id = key.id();
        text::<Digest>(id.as_str()).expect("the id of a key is a digest");
    }
    if let Ok(key) = PrivateKey::from_text(data) {
        let again = PrivateKey::from_text(&key.to_text()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        let signature = key.sign(&[b"message"]);
        assert!(key.public_key().verify(&[b"mess", b"age"], &signature).is_ok());
    }
    exact_text::<Signature>(data);
    text::<AnyDigest>(data);
    if let Some(digest) = text::<Digest>(data) {
        assert_eq!(*digest.to_text(), digest.to_string());
        assert_eq!(Digest::try_from(AnyDigest::from(digest)).ok(), Some(digest));
    }
    if let Ok(bytes) = base64::decode(data) {
        assert_eq!(base64::encode(&bytes).trim_end_matches('='), data.trim_end_matches('='));
    }
}

/// The header that says which registry has a namespace.
pub fn registry_hint(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    if let Some((namespace, registry)) = headers::parse_registry_hint(data) {
        assert!(!namespace.is_empty() && !namespace.contains('=') && !registry.is_empty());
        assert_eq!(headers::registry_hint(namespace, registry), data);
    }
}

/// Paths of tiles and entry bundles.
pub fn resource_path(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    exact_text::<TileRef>(data);
    exact_text::<EntriesRef>(data);
}
