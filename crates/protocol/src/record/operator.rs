//! Operator records in protobuf (specification 3.3).

use prost::Message;

use super::message::{self, Fields};
use super::{Entry, EntryError, OperatorEntry, OperatorRecord, RecordError};
use crate::kind::OperatorAction;
use crate::proto::{self, operator_entry::Contents};

pub(crate) fn decode(bytes: &[u8]) -> Result<OperatorRecord, RecordError> {
    message::check_entry_count(bytes)?;
    let proto::OperatorRecord { prev, version, time, entries } = Message::decode(bytes)?;
    Fields { prev, version, time, entries }.into_record(read_entry)
}

pub(crate) fn encode(record: &OperatorRecord) -> Vec<u8> {
    let Fields { prev, version, time, entries } = Fields::of_record(record, write_entry);
    proto::OperatorRecord { prev, version, time, entries }.encode_to_vec()
}

fn read_entry(entry: proto::OperatorEntry) -> Result<OperatorEntry, EntryError> {
    Ok(match entry.contents.ok_or(EntryError::EmptyEntry)? {
        Contents::Init(init) => Entry::Init {
            hash_algorithm: message::hash_algorithm(init.hash_algorithm)?,
            key: init.key.parse()?,
        },
        Contents::GrantFlat(grant) => Entry::Grant {
            key: grant.key.parse()?,
            permissions: message::permissions(&grant.permissions)?,
        },
        Contents::RevokeFlat(revoke) => Entry::Revoke {
            key_id: revoke.key_id.into(),
            permissions: message::permissions(&revoke.permissions)?,
        },
        Contents::DefineNamespace(define) => Entry::define_namespace(define.namespace),
        Contents::ImportNamespace(import) => {
            Entry::import_namespace(import.namespace, import.registry)
        }
    })
}

fn write_entry(entry: &OperatorEntry) -> proto::OperatorEntry {
    let contents = match entry {
        Entry::Init { hash_algorithm, key } => Contents::Init(proto::OperatorInit {
            hash_algorithm: hash_algorithm.to_string(),
            key: key.to_string(),
        }),
        Entry::Grant { key, permissions } => Contents::GrantFlat(proto::OperatorGrant {
            key: key.to_string(),
            permissions: message::permission_numbers(permissions),
        }),
        Entry::Revoke { key_id, permissions } => Contents::RevokeFlat(proto::OperatorRevoke {
            key_id: key_id.to_string(),
            permissions: message::permission_numbers(permissions),
        }),
        Entry::Action(OperatorAction::DefineNamespace { namespace }) => {
            Contents::DefineNamespace(proto::DefineNamespace { namespace: namespace.clone() })
        }
        Entry::Action(OperatorAction::ImportNamespace { namespace, registry }) => {
            let (namespace, registry) = (namespace.clone(), registry.clone());
            Contents::ImportNamespace(proto::ImportNamespace { namespace, registry })
        }
    };
    proto::OperatorEntry { contents: Some(contents) }
}
