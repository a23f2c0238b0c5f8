//! Package records in protobuf (specification 3.4).

use prost::Message;

use super::message::{self, Fields};
use super::{Entry, EntryError, PackageEntry, PackageRecord, RecordError};
use crate::kind::PackageAction;
use crate::proto::{self, package_entry::Contents};

pub(crate) fn decode(bytes: &[u8]) -> Result<PackageRecord, RecordError> {
    message::check_entry_count(bytes)?;
    let proto::PackageRecord { prev, version, time, entries } = Message::decode(bytes)?;
    Fields { prev, version, time, entries }.into_record(read_entry)
}

pub(crate) fn encode(record: &PackageRecord) -> Vec<u8> {
    let Fields { prev, version, time, entries } = Fields::of_record(record, write_entry);
    proto::PackageRecord { prev, version, time, entries }.encode_to_vec()
}

fn read_entry(entry: proto::PackageEntry) -> Result<PackageEntry, EntryError> {
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
        Contents::Release(release) => Entry::Action(PackageAction::Release {
            version: release.version.parse()?,
            content: release.content_hash.parse().map_err(EntryError::BadContentDigest)?,
        }),
        Contents::Yank(yank) => Entry::yank(yank.version.parse()?),
    })
}

fn write_entry(entry: &PackageEntry) -> proto::PackageEntry {
    let contents = match entry {
        Entry::Init { hash_algorithm, key } => Contents::Init(proto::PackageInit {
            key: key.to_string(),
            hash_algorithm: hash_algorithm.to_string(),
        }),
        Entry::Grant { key, permissions } => Contents::GrantFlat(proto::PackageGrant {
            key: key.to_string(),
            permissions: message::permission_numbers(permissions),
        }),
        Entry::Revoke { key_id, permissions } => Contents::RevokeFlat(proto::PackageRevoke {
            key_id: key_id.to_string(),
            permissions: message::permission_numbers(permissions),
        }),
        Entry::Action(PackageAction::Release { version, content }) => {
            let (version, content_hash) = (version.to_string(), content.to_string());
            Contents::Release(proto::PackageRelease { version, content_hash })
        }
        Entry::Action(PackageAction::Yank { version }) => {
            Contents::Yank(proto::PackageYank { version: version.to_string() })
        }
    };
    proto::PackageEntry { contents: Some(contents) }
}
