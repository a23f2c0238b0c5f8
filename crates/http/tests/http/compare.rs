//! Whether an answer says what the reference's answer said.
//!
//! The first record of a replayed registry is made with the recorded key at the recorded time, and
//! everything behind it follows by computation. So ids, tokens, roots and proofs are not only alike:
//! they are equal, and are compared as they are. What may differ is text for people, and where
//! `ignored` says so.

use serde_json::Value;

/// Members whose text is for people.
const TEXTS: &[&str] = &["message", "reason"];

/// Compares JSON. `ignored` members need only be of the same type. Returns the first difference.
pub(crate) fn difference(theirs: &Value, ours: &Value, ignored: &[&str]) -> Option<String> {
    at("", theirs, ours, ignored)
}

fn at(path: &str, theirs: &Value, ours: &Value, ignored: &[&str]) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a.keys().find(|key| !b.contains_key(*key));
            let extra = b.keys().find(|key| !a.contains_key(*key));
            if let Some(key) = missing.or(extra) {
                return Some(format!("{path}.{key} is on one side only"));
            }
            a.iter().find_map(|(key, theirs)| {
                let (ours, inner) = (&b[key], format!("{path}.{key}"));
                let text = TEXTS.contains(&key.as_str()) && ours.is_string() && theirs.is_string();
                let exempt = ignored.contains(&key.as_str()) && kind(ours) == kind(theirs);
                // `reason` is also the kind of a failed proof, which programs read.
                let code = key == "reason" && a.contains_key("status");
                if (text && !code) || exempt { None } else { at(&inner, theirs, ours, ignored) }
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(n, (a, b))| at(&format!("{path}[{n}]"), a, b, ignored))
        }
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: theirs {a}, ours {b}")),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
