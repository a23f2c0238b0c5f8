//! Headers and media types (specification 1 and 12.1).

/// Request header: the registry whose data is wanted, when it is not the host itself.
pub const REGISTRY: &str = "warg-registry";

/// Response header on a log that was not found: `<namespace>=<registry domain>`.
pub const REGISTRY_HINT: &str = "warg-registry-hint";

/// Request header of an upload: what its sender calls it, 32 random hexadecimal digits. Not part of the
/// reference's API.
pub const UPLOAD: &str = "warg-upload";

/// Header of an upload: how many of its bytes came before, as draft-ietf-httpbis-resumable-upload has
/// it. Not part of the reference's API.
pub const UPLOAD_OFFSET: &str = "upload-offset";

/// The media type of every API body. Sent without parameters: the reference client compares the
/// whole value.
pub const JSON: &str = "application/json";

/// The media type of WebAssembly content.
pub const WASM: &str = "application/wasm";

/// The media type of a packed ledger (specification 12.9).
pub const PACKED_LEDGER: &str = "application/vnd.warg.ledger.packed";

/// Writes the value of a [`REGISTRY_HINT`].
pub fn registry_hint(namespace: &str, registry: &str) -> String {
    format!("{namespace}={registry}")
}

/// Reads the value of a [`REGISTRY_HINT`] into namespace and registry domain, split at the first
/// `=`. Both are the peer's text: whoever makes a path or a URL of them checks them first.
pub fn parse_registry_hint(value: &str) -> Option<(&str, &str)> {
    value
        .split_once('=')
        .filter(|(namespace, registry)| !namespace.is_empty() && !registry.is_empty())
}
