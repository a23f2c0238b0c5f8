//! What a snapshot consists of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wargate_crypto::Digest;
use wargate_protocol::{Checkpoint, LogLength, RecordId, SignedCheckpoint};

use super::target::Target;
use super::{SnapshotError, SnapshotResult};
use crate::limits::{SNAPSHOT_MANIFEST_BYTES_MAX, SNAPSHOT_SEGMENT_RECORDS};

/// What stands in every manifest, so that it is known for what it is.
pub const FORMAT: &str = "wargate-snapshot";

/// The newest version of the format, which is the one that is written.
pub const VERSION: u32 = 2;

/// A snapshot. Its JSON is the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// When it was taken, in milliseconds of the Unix epoch.
    pub taken_millis: u64,
    /// The program that took it, for people.
    pub program: String,
    /// The registry: the id of its first record.
    pub registry: RecordId,
    /// The length of the log.
    pub length: LogLength,
    /// The log's root at it.
    pub log_root: Digest,
    /// The map's root at it.
    pub map_root: Digest,
    /// The time of the newest checkpoint that may have been signed, in seconds of the Unix epoch.
    pub checkpoint_seconds: u64,
    /// The checkpoint, if whoever took it could sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedCheckpoint>,
    /// The log in pieces, in order.
    pub segments: Vec<Segment>,
    /// What is pending, in the order of admission.
    pub pending: Vec<PartRef>,
    /// Content of pending records that is a part of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_blobs: Option<PartRef>,
    /// Private keys, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PartRef>,
}

/// Records that follow each other, with the commits that end at them and their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// The position of the first record.
    pub first: u64,
    /// How many there are.
    pub records: u64,
    /// Whether later snapshots have the same segment.
    pub full: bool,
    /// The part.
    pub part: PartRef,
    /// The list of content that is a part of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blobs: Option<PartRef>,
}

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartRef {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub bytes: u64,
}

/// The name of a snapshot: when it was taken, the length of the log, and the beginning of the
/// manifest's digest. They are ordered by time, and then by length.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotId(String);

/// How many digits of the digest stand in a name.
const DIGITS: usize = 16;

impl SnapshotId {
    /// The name of a manifest.
    fn of(manifest: &Manifest, bytes: &[u8]) -> Self {
        let digest = Digest::of(bytes).to_string();
        let digits: String = digest.chars().skip("sha256:".len()).take(DIGITS).collect();
        Self(format!("{}-{}-{digits}", moment(manifest.taken_millis), manifest.length))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether bytes are those of the manifest of this name.
    fn fits(&self, bytes: &[u8]) -> bool {
        let digest = Digest::of(bytes).to_string();
        let digits = self.0.rsplit('-').next().unwrap_or_default();
        digest.strip_prefix("sha256:").is_some_and(|digest| digest.starts_with(digits))
    }
}

/// A text is no name of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a snapshot")]
pub struct NotASnapshotId;

impl FromStr for SnapshotId {
    type Err = NotASnapshotId;

    fn from_str(text: &str) -> Result<Self, NotASnapshotId> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let mut pieces = text.split('-');
        let (Some(time), Some(length), Some(digest), None) =
            (pieces.next(), pieces.next(), pieces.next(), pieces.next())
        else {
            return Err(NotASnapshotId);
        };
        let time = time.strip_suffix('Z').and_then(|time| time.split_once('T'));
        let is_time = time.is_some_and(|(day, clock)| {
            digits(day) && (8..=12).contains(&day.len()) && digits(clock) && clock.len() == 9
        });
        let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        let is_digest = digest.len() == DIGITS && digest.bytes().all(is_hex);
        if is_time && digits(length) && length.len() <= 20 && is_digest {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASnapshotId)
        }
    }
}

impl Ord for SnapshotId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Numbers, so that more digits are more.
        let key = |id: &Self| -> Option<(u128, u128, String)> {
            let mut pieces = id.0.split('-');
            let (time, length) = (pieces.next()?, pieces.next()?);
            let time: String = time.chars().filter(char::is_ascii_digit).collect();
            Some((time.parse().ok()?, length.parse().ok()?, pieces.next()?.to_owned()))
        };
        key(self).cmp(&key(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for SnapshotId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SnapshotId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Manifest {
    /// Its bytes and its name.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] if it would be larger than whoever reads it allows.
    pub fn encode(&self) -> SnapshotResult<(SnapshotId, Vec<u8>)> {
        let refused = |why: String| SnapshotError::Refused(why);
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| refused(error.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > SNAPSHOT_MANIFEST_BYTES_MAX {
            return Err(refused("the manifest would be too large".into()));
        }
        Ok((SnapshotId::of(self, &bytes), bytes))
    }

    /// Reads the manifest of a snapshot, and compares it with its name.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] if it is missing, is another one, or contradicts itself;
    /// [`SnapshotError::Refused`] if a newer program wrote it.
    pub fn read(target: &dyn Target, id: &SnapshotId) -> SnapshotResult<Self> {
        let bytes = target.manifest(id, SNAPSHOT_MANIFEST_BYTES_MAX);
        let bytes = bytes.map_err(SnapshotError::Target)?;
        let bytes = bytes.ok_or_else(|| SnapshotError::Refused(format!("no snapshot {id}")))?;
        let damaged = |why: &str| SnapshotError::Damaged(format!("the manifest {id} {why}"));
        if !id.fits(&bytes) {
            return Err(damaged("has other bytes than its name says"));
        }
        let kind: Kind = serde_json::from_slice(&bytes).map_err(|_| damaged("cannot be read"))?;
        if kind.format != FORMAT {
            return Err(damaged("is something else"));
        }
        if kind.version > VERSION {
            return Err(SnapshotError::Refused(format!(
                "the snapshot {id} has version {}, this program knows versions up to {VERSION}: use \
                 a newer program",
                kind.version
            )));
        }
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|_| damaged("cannot be read"))?;
        manifest.check().map_err(damaged)?;
        Ok(manifest)
    }

    /// The state of the registry that it describes.
    pub const fn checkpoint(&self) -> Checkpoint {
        Checkpoint { log_root: self.log_root, log_length: self.length, map_root: self.map_root }
    }

    /// The parts that it names itself.
    pub fn parts(&self) -> impl Iterator<Item = PartRef> {
        let segments = self.segments.iter().flat_map(|it| std::iter::once(it.part).chain(it.blobs));
        segments.chain(self.pending.iter().copied()).chain(self.pending_blobs).chain(self.keys)
    }

    /// The lists of content that is a part of its own.
    pub fn blob_lists(&self) -> impl Iterator<Item = PartRef> {
        self.segments.iter().filter_map(|segment| segment.blobs).chain(self.pending_blobs)
    }

    /// The segments follow each other up to the length.
    fn check(&self) -> Result<(), &'static str> {
        let mut next = 0_u64;
        for segment in &self.segments {
            if segment.first != next {
                return Err("has a gap between its segments");
            }
            if segment.records == 0 || segment.records > SNAPSHOT_SEGMENT_RECORDS {
                return Err("has a segment of a size that none has");
            }
            next += segment.records;
        }
        if next == self.length.get() && next > 0 {
            Ok(())
        } else {
            Err("has another length than its segments")
        }
    }
}

/// What every version has.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// A time as names have it: `20261121T171834123Z`.
fn moment(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of year 0, whose years end with the leap day.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times_lengths_and_digests_and_nothing_else() {
        for (millis, text) in [
            (0, "19700101T000000000Z"),
            (951_782_400_000, "20000229T000000000Z"),
            (1_795_281_514_007, "20261121T171834007Z"),
            (4_102_444_799_999, "20991231T235959999Z"),
        ] {
            assert_eq!(moment(millis), text);
            let id = format!("{text}-12-0123456789abcdef");
            assert_eq!(id.parse::<SnapshotId>().unwrap().as_str(), id);
        }
        for bad in [
            "",
            "../../etc/passwd",
            "20261121T171834007Z-12-0123456789abcdeg",
            "20261121T171834007Z-12-0123456789abcde",
            "20261121T171834007Z-12-0123456789abcdef-",
            "20261121T171834007Z--0123456789abcdef",
            "20261121T171834Z-12-0123456789abcdef",
            "20261121T171834007Z-1/2-0123456789abcdef",
            "20261121T171834007Z-12-0123456789ABCDEF",
        ] {
            assert!(bad.parse::<SnapshotId>().is_err(), "{bad}");
        }
        let id = |text: &str| format!("{text}-0123456789abcdef").parse::<SnapshotId>().unwrap();
        assert!(id("20261121T171834007Z-95") < id("20261121T171834007Z-100"));
        assert!(id("20261121T171834008Z-95") > id("20261121T171834007Z-100"));
    }
}
