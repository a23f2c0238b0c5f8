//! What the messages of both kinds share between protobuf and [`Record`].

use wargate_crypto::DigestAlgorithm;

use super::{Entry, EntryError, Record, RecordError};
use crate::kind::LogKind;
use crate::limits::{ENTRY_PERMISSIONS_MAX, RECORD_ENTRIES_MAX};
use crate::permission::Permission;
use crate::proto;

/// The number of the `entries` field in both record messages.
const ENTRIES_FIELD: u64 = 4;

/// A record message of either kind: the generated types have the same fields.
pub(super) struct Fields<E> {
    pub(super) prev: Option<String>,
    pub(super) version: u32,
    pub(super) time: Option<proto::Timestamp>,
    pub(super) entries: Vec<E>,
}

impl<E> Fields<E> {
    /// Checks the fields and the entries, which `entry` reads one by one.
    pub(super) fn into_record<K: LogKind>(
        self,
        entry: impl Fn(E) -> Result<Entry<K>, EntryError>,
    ) -> Result<Record<K>, RecordError> {
        let timestamp = self.time.ok_or(RecordError::MissingTime)?.try_into()?;
        let prev = self.prev.map(|text| text.parse()).transpose().map_err(RecordError::BadPrev)?;
        if self.entries.len() > RECORD_ENTRIES_MAX {
            return Err(RecordError::TooManyEntries);
        }
        let numbered = self.entries.into_iter().enumerate();
        let entries = numbered
            .map(|(index, message)| {
                entry(message).map_err(|source| RecordError::Entry { index, source })
            })
            .collect::<Result<_, _>>()?;
        Ok(Record { prev, version: self.version, timestamp, entries })
    }

    /// The fields of a record, whose entries `entry` writes one by one.
    pub(super) fn of_record<K: LogKind>(
        record: &Record<K>,
        entry: impl Fn(&Entry<K>) -> E,
    ) -> Self {
        Self {
            prev: record.prev.as_ref().map(ToString::to_string),
            version: record.version,
            time: Some(record.timestamp.into()),
            entries: record.entries.iter().map(entry).collect(),
        }
    }
}

/// Refuses a record with too many entries before any of them is allocated.
///
/// An empty entry has 2 bytes on the wire and some 60 in memory, so that a hostile record would
/// otherwise cost many times its size. Where the bytes are malformed the count ends, and the decoder
/// gets no further either.
pub(super) fn check_entry_count(bytes: &[u8]) -> Result<(), RecordError> {
    if count_entries(bytes) > RECORD_ENTRIES_MAX {
        Err(RecordError::TooManyEntries)
    } else {
        Ok(())
    }
}

/// Reads a hash algorithm's name.
pub(super) fn hash_algorithm(name: String) -> Result<DigestAlgorithm, EntryError> {
    name.parse().map_err(|_| EntryError::UnknownHashAlgorithm { name })
}

/// Reads a list of permission numbers.
pub(super) fn permissions<P: Permission>(numbers: &[i32]) -> Result<Vec<P>, EntryError> {
    if numbers.len() > ENTRY_PERMISSIONS_MAX {
        return Err(EntryError::TooManyPermissions);
    }
    let permission =
        |&number| P::from_number(number).ok_or(EntryError::UnknownPermission { number });
    numbers.iter().map(permission).collect()
}

/// Writes a list of permission numbers.
pub(super) fn permission_numbers<P: Permission>(permissions: &[P]) -> Vec<i32> {
    permissions.iter().map(|permission| permission.number().into()).collect()
}

/// The `entries` fields at the top level of a message, up to where it is malformed.
fn count_entries(mut bytes: &[u8]) -> usize {
    let mut entries = 0;
    let mut group_depth = 0_usize;
    while let Some((key, rest)) = split_varint(bytes) {
        let (field, wire_type) = (key >> 3, key & 7);
        let rest = match wire_type {
            0 => split_varint(rest).map(|(_, rest)| rest),
            1 => rest.get(8..),
            2 => split_varint(rest)
                .and_then(|(length, rest)| rest.get(usize::try_from(length).ok()?..)),
            3 => {
                group_depth += 1;
                Some(rest)
            }
            4 => {
                group_depth = group_depth.saturating_sub(1);
                Some(rest)
            }
            5 => rest.get(4..),
            _ => None,
        };
        entries += usize::from(field == ENTRIES_FIELD && wire_type == 2 && group_depth == 0);
        let Some(rest) = rest else { break };
        bytes = rest;
    }
    entries
}

/// A varint of at most 10 bytes at the front, and what follows it.
fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (varint, rest) = bytes.split_at(last + 1);
    let number =
        varint.iter().rev().fold(0_u64, |number, byte| number << 7 | u64::from(byte & 0x7f));
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_at_the_top_level_only() {
        // Unknown fields of every wire type, an entry in a group, then two entries.
        let bytes = [
            &[0x38, 0x96, 0x01][..],
            &[0x39, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x3a, 2, 0x22, 0x00],
            &[0x3b, 0x22, 0x00, 0x3c],
            &[0x3d, 1, 2, 3, 4],
            &[0x22, 0x00],
            &[0x22, 0x02, 0x22, 0x00],
        ]
        .concat();
        assert_eq!(count_entries(&bytes), 2);
        assert_eq!(count_entries(&[&bytes[..], &[0x22, 0x05, 0x00]].concat()), 3);
        assert_eq!(count_entries(&[0x22, 0x80]), 1);
        assert_eq!(count_entries(&[0x80; 11]), 0);
    }
}
