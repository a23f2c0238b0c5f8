//! The documentation of two WIT packages.

use serde_json::Value;

use crate::limits::{DOCUMENTATION_BYTES_MAX, TEXT_BYTES_MAX};
use crate::shape::DOCUMENTATION;

/// A text that changed: where it stands, what it was and what it is.
pub(super) type Changed = (String, Option<String>, Option<String>);

/// Compares what two files have in their sections of documentation, text by text. What cannot be read
/// is compared as a whole, without being shown.
pub(super) fn compare(before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<Changed> {
    let mut changed = Vec::new();
    if before == after {
        return changed;
    }
    let value = |section: Option<&[u8]>| section.map_or(Ok(Value::Null), read);
    if let (Ok(a), Ok(b)) = (value(before), value(after)) {
        walk(String::new(), &a, &b, &mut changed);
    } else {
        let size = |section: Option<&[u8]>| section.map(|bytes| format!("{} bytes", bytes.len()));
        changed.push((DOCUMENTATION.to_owned(), size(before), size(after)));
    }
    changed
}

/// A byte for the version of the format, and JSON.
fn read(section: &[u8]) -> Result<Value, ()> {
    match section {
        [0 | 1, json @ ..] if json.len() <= DOCUMENTATION_BYTES_MAX => {
            serde_json::from_slice(json).map_err(drop)
        }
        _ => Err(()),
    }
}

fn walk(path: String, a: &Value, b: &Value, changed: &mut Vec<Changed>) {
    if a == b {
        return;
    }
    if !a.is_object() && !b.is_object() {
        changed.push((path, shown(a), shown(b)));
        return;
    }
    let empty = serde_json::Map::new();
    let (was, is) = (a.as_object().unwrap_or(&empty), b.as_object().unwrap_or(&empty));
    let new = is.keys().filter(|key| !was.contains_key(*key));
    for key in was.keys().chain(new) {
        let slash = if path.is_empty() { "" } else { "/" };
        let none = &Value::Null;
        let (a, b) = (was.get(key).unwrap_or(none), is.get(key).unwrap_or(none));
        walk(format!("{path}{slash}{key}"), a, b, changed);
    }
}

fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    Some(text[..end].to_owned())
}
