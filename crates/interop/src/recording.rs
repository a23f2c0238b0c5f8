//! Recordings: what clients and a registry said to each other, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wargate_protocol::base64;

/// What [`Recording::format`] says.
pub const FORMAT: &str = "wargate-interop/1";

/// Under this address the registry stands in every recording, whatever its port was.
pub const REGISTRY: &str = "http://127.0.0.1:8090/";

/// Everything that was said during one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// For people who open the file.
    pub about: String,
    /// [`FORMAT`]
    pub format: String,
    /// The scenario's name.
    pub scenario: String,
    /// How the registry was configured.
    pub server: ServerOptions,
    /// When the registry was started, in seconds since the Unix epoch.
    pub started: u64,
    /// The commands, in order.
    pub steps: Vec<Step>,
}

/// How a registry is configured, apart from addresses and folders on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerOptions {
    /// Namespaces in the first record of the operator log.
    pub namespaces: Vec<String>,
    /// Who may publish: the text of a file of authorised keys; `None` for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized_keys: Option<String>,
    /// The path of its public URL, without the first slash. A proxy takes it away from requests.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// A command of a client and the exchanges that it led to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was typed, with the registry's address as in [`REGISTRY`].
    pub command: String,
    /// The exchanges, in the order of their requests.
    pub exchanges: Vec<Exchange>,
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// When the request came, in seconds since the Unix epoch.
    pub at: u64,
    /// The request's method.
    pub method: String,
    /// Path and query, as the registry sees them.
    pub path: String,
    /// Those of [`REQUEST_HEADERS`] that were sent.
    pub request_headers: BTreeMap<String, String>,
    /// The request's body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub request: Body,
    /// The answer's status.
    pub status: u16,
    /// Those of [`RESPONSE_HEADERS`] that were sent.
    pub response_headers: BTreeMap<String, String>,
    /// The answer's body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub response: Body,
}

/// Headers of requests that can make a difference. Host and lengths follow from the rest.
pub const REQUEST_HEADERS: &[&str] =
    &["accept", "authorization", "content-type", "range", "warg-registry"];

/// Headers of answers that a client may look at.
pub const RESPONSE_HEADERS: &[&str] = &[
    "accept-ranges",
    "content-range",
    "content-type",
    "location",
    "retry-after",
    "warg-registry",
    "warg-registry-hint",
    "www-authenticate",
];

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// JSON.
    Json(Value),
    /// Anything else, in base64.
    Base64(String),
}

impl Body {
    /// Reads the bytes of a body: JSON if they are an object or a list, whatever the header says.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) if value.is_object() || value.is_array() => Self::Json(value),
            _ => Self::Base64(base64::encode(bytes)),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    /// The member of a JSON object.
    pub fn member(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Json(value) => value.get(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_base64_or_nothing() {
        assert_eq!(Body::new(b""), Body::Empty);
        assert_eq!(Body::new(b"{\"a\": 1}"), Body::Json(serde_json::json!({"a": 1})));
        // Content that happens to be a JSON number stays bytes.
        assert_eq!(Body::new(b"1"), Body::Base64("MQ==".to_owned()));
        assert_eq!(Body::new(b"\0asm"), Body::Base64("AGFzbQ==".to_owned()));
    }
}
