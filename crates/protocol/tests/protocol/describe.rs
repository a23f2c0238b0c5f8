//! Records in the words of the vectors, and what tests do alike for both kinds.

use serde_json::{Value, json};
use wargate_protocol::{Entry, LogKind, Operator, OperatorAction, Package, PackageAction, Record};

/// A kind of log whose actions have a form in the vectors.
pub(crate) trait Describe: LogKind {
    fn describe_action(action: &Self::Action) -> Value;
}

impl Describe for Package {
    fn describe_action(action: &PackageAction) -> Value {
        match action {
            PackageAction::Release { version, content } => {
                json!({ "release": { "version": version, "content": content } })
            }
            PackageAction::Yank { version } => json!({ "yank": { "version": version } }),
        }
    }
}

impl Describe for Operator {
    fn describe_action(action: &OperatorAction) -> Value {
        match action {
            OperatorAction::DefineNamespace { namespace } => {
                json!({ "define_namespace": { "namespace": namespace } })
            }
            OperatorAction::ImportNamespace { namespace, registry } => {
                json!({ "import_namespace": { "namespace": namespace, "registry": registry } })
            }
        }
    }
}

/// A record as the vectors write it.
pub(crate) fn describe<K: Describe>(record: &Record<K>) -> Value {
    let (seconds, nanos) = (record.timestamp.seconds(), record.timestamp.nanos());
    let timestamp = if seconds < 0 {
        assert_eq!(nanos, 0, "no vector needs the carry");
        json!({ "before_epoch_by": { "seconds": -seconds, "nanos": 0 } })
    } else {
        json!({ "seconds": seconds, "nanos": nanos })
    };
    let entries: Vec<_> = record.entries.iter().map(describe_entry).collect();
    json!({
        "prev": record.prev,
        "version": record.version,
        "timestamp": timestamp,
        "entries": entries,
    })
}

fn describe_entry<K: Describe>(entry: &Entry<K>) -> Value {
    match entry {
        Entry::Init { hash_algorithm, key } => {
            json!({ "init": { "hash_algorithm": hash_algorithm.name(), "key": key } })
        }
        Entry::Grant { key, permissions } => {
            json!({ "grant": { "key": key, "permissions": permissions } })
        }
        Entry::Revoke { key_id, permissions } => {
            json!({ "revoke": { "key_id": key_id, "permissions": permissions } })
        }
        Entry::Action(action) => K::describe_action(action),
    }
}
