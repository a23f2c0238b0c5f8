//! Paths, relative to the registry's base URL, which ends in `/` (specification 12.1 and 12.2).

use wargate_crypto::AnyDigest;
use wargate_protocol::{LogId, PackageName, RecordId, RegistryIndex, Version};

/// The newest signed checkpoint.
pub const FETCH_CHECKPOINT: &str = "v1/fetch/checkpoint";

/// Records of logs.
pub const FETCH_LOGS: &str = "v1/fetch/logs";

/// A checkpoint, records and proofs in one answer. Not part of the reference's API: other registries
/// answer 404 or 405.
pub const FETCH_TRANSCRIPT: &str = "v1/fetch/transcript";

/// Package names of log ids.
pub const FETCH_NAMES: &str = "v1/fetch/names";

/// Inclusion in the log and in the map.
pub const PROVE_INCLUSION: &str = "v1/proof/inclusion";

/// Consistency of two lengths of the log.
pub const PROVE_CONSISTENCY: &str = "v1/proof/consistency";

/// Whether a checkpoint is one of the registry's.
pub const VERIFY_CHECKPOINT: &str = "v1/verify/checkpoint";

/// Where to download the raw registry log.
pub const LEDGER: &str = "v1/ledger";

/// What the releases of packages depend on. Not part of the reference's API, as are the paths that
/// follow: other registries answer 404 or 405.
pub const DEPENDENCIES: &str = "v1/dependencies";

/// Which releases answer the imports of a root.
pub const SOLVE: &str = "v1/solve";

/// The discovery document. It is relative to the URL that the user gave, path included.
pub const WELL_KNOWN: &str = ".well-known/wasm-pkg/registry.json";

/// Where a record of a package log is published.
pub fn publish(log: &LogId) -> String {
    format!("v1/package/{log}/record")
}

/// The state of a record.
pub fn package_record(log: &LogId, record: &RecordId) -> String {
    format!("v1/package/{log}/record/{record}")
}

/// Where content that a record is missing may be uploaded; the server says so in each case.
pub fn upload(log: &LogId, record: &RecordId, content: &AnyDigest) -> String {
    format!("v1/package/{log}/record/{record}/content/{content}")
}

/// Where to download content.
pub fn content_sources(content: &AnyDigest) -> String {
    format!("v1/content/{content}")
}

/// Content bytes, as the reference server and this one lay them out; the server says so in each case.
pub fn content(content: &AnyDigest) -> String {
    format!("content/{}", content.to_string().replace(':', "-"))
}

/// A page of the packed ledger, likewise.
pub fn ledger_records(start: RegistryIndex) -> String {
    format!("v1/ledger/records/{start}")
}

/// What content depends on.
pub fn content_dependencies(content: &AnyDigest) -> String {
    format!("v1/dependencies/{content}")
}

/// What a release depends on.
pub fn release_dependencies(package: &PackageName, version: &Version) -> String {
    format!("v1/dependencies/{}/{}/{version}", package.namespace(), package.name())
}

/// Releases that depend on a package.
pub fn dependents(package: &PackageName) -> String {
    format!("v1/dependents/{}/{}", package.namespace(), package.name())
}
