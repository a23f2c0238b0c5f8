//! WebAssembly files: what they say, their WIT text, and what changed between two of them.

use wargate_component::diff::{Effect, diff as compare};
use wargate_component::inspect::{Examination, examine};
use wargate_component::wit::{Note, WitError, folder, wit as say};
use wargate_component::{InspectError, Limits};

use super::json;

/// Largest file that is tried, in bytes.
const LIMITS: Limits = Limits { bytes_max: 1 << 20 };

/// A file: what is said of it, and its WIT text.
pub fn wit(data: &[u8]) {
    match examine(data, &LIMITS) {
        Ok(found) => {
            assert_eq!(found.anatomy.bytes, data.len() as u64);
            json::<Examination>(&serde_json::to_vec(&found).unwrap()).unwrap();
        }
        Err(error) => assert_ne!(error, InspectError::Defect),
    }
    match (say(data, &LIMITS), folder(data, &LIMITS)) {
        (Ok(said), Ok(folder)) => {
            assert_eq!((&said.package, &said.notes), (&folder.package, &folder.notes));
            let known = said.text.starts_with("package ") || said.text.starts_with("///");
            assert!(known && !folder.files.is_empty());
            for file in &folder.files {
                let harmless = |part: &str| !part.is_empty() && !part.starts_with('.');
                assert!(file.path.split('/').all(harmless) && !file.path.contains('\\'));
            }
            for note in &said.notes {
                assert_ne!(serde_json::to_value(note).unwrap(), serde_json::Value::Null);
                let Note::Renamed { import, label } = note else { continue };
                assert!(said.text.contains(label) && import.name != *label);
            }
        }
        (Err(WitError::Inspect(error)), Err(_)) => assert_ne!(error, InspectError::Defect),
        (Err(said), Err(folder)) => assert_eq!(said, folder),
        (said, folder) => unreachable!("one of them fails: {said:?}, {folder:?}"),
    }
}

/// Two files, the second of which begins where the first one's length says, in two bytes.
pub fn diff(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (before, after) = rest.split_at(length);
    if let Ok(found) = compare(before, before, &LIMITS) {
        assert!(found.identical && found.compatible && found.changes.is_empty());
    }
    let (there, back) = (compare(before, after, &LIMITS), compare(after, before, &LIMITS));
    let (Ok(there), Ok(back)) = (there, back) else { return };
    assert_eq!(there.changes.is_empty(), back.changes.is_empty());
    let breaks = there.changes.iter().any(|change| change.effect == Effect::Breaking);
    assert_eq!(there.compatible, !breaks);
    json::<wargate_component::diff::Diff>(&serde_json::to_vec(&there).unwrap()).unwrap();
}
