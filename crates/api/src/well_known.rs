//! The discovery document (specification 12.11).
//!
//! Two families of clients read it, with rules that contradict each other: older ones look for a
//! text `wargUrl`, newer ones refuse the whole document if any member that they do not know is not
//! an object. A document that satisfies both has no `wargUrl`, so a server of this project never
//! writes one; a client still reads it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// Answer to [`WELL_KNOWN`](crate::paths::WELL_KNOWN). Unknown members are ignored, `null` is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WellKnown {
    /// The block that a client should take: `oci`. Newer clients give up at `warg`.
    #[serde(default, deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    pub preferred_protocol: Option<String>,
    /// Where the same packages are over OCI. A member of another form is passed over: older clients do
    /// not know it at all, and an unreadable document ends a command.
    #[serde(default, deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciBlock>,
    /// Where the Warg API is, likewise.
    #[serde(default, deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    pub warg: Option<WargBlock>,
    /// Older form of [`OciBlock::registry`]; read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci_registry: Option<String>,
    /// Older form of [`OciBlock::namespace_prefix`]; read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci_namespace_prefix: Option<String>,
    /// Older form of [`WargBlock::url`]; read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warg_url: Option<String>,
}

impl WellKnown {
    /// The base URL of the Warg API, in whichever form it is given. `None`: the URL at hand is it.
    pub fn warg_base_url(&self) -> Option<&str> {
        let block = self.warg.as_ref().and_then(|warg| warg.url.as_deref());
        block.or(self.warg_url.as_deref())
    }
}

/// The OCI form of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciBlock {
    /// Host and port, without scheme or path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// What stands in front of namespace and name in a repository's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_prefix: Option<String>,
}

/// The Warg form of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WargBlock {
    /// The base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok().flatten())
}
