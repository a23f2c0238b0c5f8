//! What may differ between a recording and its replay, and nothing else.
//!
//! | what | why | how it is compared |
//! |---|---|---|
//! | roots, and the operator's key id, records, signatures and fetch tokens | another operator, another time of the first record | one to one: where the recording has the same twice, so has the replay, and the other way round |
//! | proofs | they are made of such digests | by their length |
//! | timestamps of checkpoints | a commit may fall into the next second | within one second |
//!
//! What a client has sent stands for itself, and so does everything that follows from it: ids of
//! packages' logs, records and keys. Lengths, places in the log, states, reasons and addresses are
//! equal. Requests are sent with the texts of the replay in the place of those that the recorded
//! registry gave out.

use std::collections::BTreeMap;

use serde_json::Value;
use wargate_interop::recording::{Body, Exchange};
use wargate_protocol::base64;

/// Which text of the replay stands for which of the recording.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    replayed: BTreeMap<String, String>,
    recorded: BTreeMap<String, String>,
}

/// Members of JSON objects in which the operator's key, or the first record's time, can show.
const OPERATED: &[&str] =
    &["contentBytes", "fetchToken", "keyId", "logRoot", "mapRoot", "signature"];

/// Members that are proofs.
const PROOFS: &[&str] = &["log", "map", "proof"];

impl Mapping {
    /// The request to send in the place of a recorded one.
    pub(crate) fn request(&mut self, recorded: &Exchange) -> Exchange {
        let path = recorded.path.split('/').map(|segment| self.sent(segment));
        let path = path.collect::<Vec<_>>().join("/");
        let request = match &recorded.request {
            Body::Json(value) => Body::Json(self.sent_value(value)),
            body => body.clone(),
        };
        Exchange { path, request, ..recorded.clone() }
    }

    /// Compares answers, and learns from them which texts belong together.
    pub(crate) fn compare(&mut self, old: &Exchange, new: &Exchange) -> Result<(), String> {
        if old.status != new.status {
            return Err(format!("status {} and not {}", new.status, old.status));
        }
        if old.response_headers != new.response_headers {
            return Err("other headers".to_owned());
        }
        match (&old.response, &new.response) {
            (Body::Json(old), Body::Json(new)) => self.compare_values("", old, new),
            (old, new) if old == new => Ok(()),
            _ => Err("another body".to_owned()),
        }
    }

    /// `name` is that of the member, or that of the list.
    fn compare_values(&mut self, name: &str, old: &Value, new: &Value) -> Result<(), String> {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                let key = |key: &String| self.text(key);
                let expected: Vec<_> = old.keys().map(key).collect();
                if expected.len() != new.len() || !expected.iter().all(|key| new.contains_key(key))
                {
                    return Err(format!("`{name}` has other members"));
                }
                for ((key, old), expected) in old.iter().zip(&expected) {
                    self.compare_values(key, old, &new[expected])?;
                }
                Ok(())
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                old.iter().zip(new).try_for_each(|(old, new)| self.compare_values(name, old, new))
            }
            (Value::String(old), Value::String(new)) => self.compare_texts(name, old, new),
            (Value::Number(old), Value::Number(new)) if name == "timestamp" => {
                let seconds = |number: &serde_json::Number| number.as_u64();
                match (seconds(old), seconds(new)) {
                    (Some(old), Some(new)) if old.abs_diff(new) <= 1 => Ok(()),
                    _ => Err(format!("`{name}` is {new} and not {old}")),
                }
            }
            (old, new) if old == new => Ok(()),
            (old, new) => Err(format!("`{name}` is {new} and not {old}")),
        }
    }

    fn compare_texts(&mut self, name: &str, old: &str, new: &str) -> Result<(), String> {
        let fits = if OPERATED.contains(&name) {
            self.learn(old, new)
        } else if PROOFS.contains(&name) {
            let length = |text: &str| base64::decode(text).ok().map(|bytes| bytes.len());
            length(old).is_some() && length(old) == length(new)
        } else {
            old == new && self.learn(old, new)
        };
        if fits { Ok(()) } else { Err(format!("`{name}` is {new} and not {old}")) }
    }

    /// Whether the two texts may stand for each other, now and from now on.
    fn learn(&mut self, old: &str, new: &str) -> bool {
        let of = |map: &mut BTreeMap<String, String>, key: &str, value: &str| {
            map.entry(key.to_owned()).or_insert_with(|| value.to_owned()) == value
        };
        of(&mut self.replayed, old, new) && of(&mut self.recorded, new, old)
    }

    fn text(&self, recorded: &str) -> String {
        self.replayed.get(recorded).map_or(recorded, String::as_str).to_owned()
    }

    /// The text to send for a recorded one. A text of the client's own stands for itself.
    fn sent(&mut self, recorded: &str) -> String {
        self.replayed.entry(recorded.to_owned()).or_insert_with(|| recorded.to_owned());
        let sent = self.text(recorded);
        self.recorded.entry(sent.clone()).or_insert_with(|| recorded.to_owned());
        sent
    }

    fn sent_value(&mut self, recorded: &Value) -> Value {
        match recorded {
            Value::String(text) => Value::String(self.sent(text)),
            Value::Array(items) => items.iter().map(|item| self.sent_value(item)).collect(),
            Value::Object(members) => {
                let sent =
                    |(key, value): (&String, &Value)| (self.sent(key), self.sent_value(value));
                members.iter().map(sent).collect()
            }
            other => other.clone(),
        }
    }
}
