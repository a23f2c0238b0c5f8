//! Records and contents as publishers send them.

use serde_json::{Value, json};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, PackageEnvelope};
use wargate_testkit::world::{init, key, name, record_at, release};

use crate::exchange::{Answer, ask};

/// A package's first record, which releases a content, and what is sent of it.
pub(crate) struct Publication {
    package: &'static str,
    envelope: PackageEnvelope,
    content: Vec<u8>,
}

impl Publication {
    pub(crate) fn new(package: &'static str, content: &[u8]) -> Self {
        let key = key(1);
        let entries = [init(&key), release("1.0.0", content)];
        let envelope = record_at(&key, None, 1_700_000_000, entries);
        Self { package, envelope, content: content.to_vec() }
    }

    /// The path of the record, without its id.
    fn log(&self) -> String {
        format!("/v1/package/{}/record", LogId::package(&name(self.package)))
    }

    /// Where the content goes.
    pub(crate) fn content_path(&self) -> String {
        let (log, record) = (self.log(), self.envelope.record_id());
        format!("{log}/{record}/content/{}", Digest::of(&self.content))
    }

    /// Sends the record.
    pub(crate) fn submit(&self, address: &str, headers: &str) -> Answer {
        let body = json!({ "packageName": self.package, "record": self.envelope.signed() });
        ask(address, "POST", &self.log(), headers, &body.to_string())
    }

    /// Sends the content.
    pub(crate) fn upload(&self, address: &str, headers: &str) -> Answer {
        let content = str::from_utf8(&self.content).unwrap();
        ask(address, "POST", &self.content_path(), headers, content)
    }

    /// How far the record is.
    pub(crate) fn state(&self, address: &str) -> Value {
        let path = format!("{}/{}", self.log(), self.envelope.record_id());
        serde_json::from_str(&ask(address, "GET", &path, "", "").body).unwrap()
    }
}
