//! What a store answers.

use wargate_crypto::{Digest, KeyId, PublicKey};
use wargate_protocol::{
    Checkpoint, LogId, LogLeaf, LogLength, PackageName, RecordId, RegistryIndex, SignedEnvelope,
    state,
};
use wargate_transparency::map::{MapHead, MapVersion};

/// Counts the commits of a store. Every commit makes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// The newest state of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHead {
    /// Its revision.
    pub revision: Revision,
    /// The newest commit that appended to the log; `None` if none has.
    pub committed: Option<Committed>,
    /// The time of the newest checkpoint that may have been signed, in seconds of the Unix epoch. No
    /// later one has a lower time.
    pub checkpoint_seconds: u64,
}

/// A length of the log that was committed, with both roots. Each is a checkpoint of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The length, and the roots at it.
    pub checkpoint: Checkpoint,
    /// When it was committed, in seconds of the Unix epoch; never less than an earlier commit's.
    pub seconds: u64,
}

impl Committed {
    /// The length of the log.
    pub const fn length(&self) -> LogLength {
        self.checkpoint.log_length
    }

    /// The state of the map. Its version is the length of the log, since every record sets a key.
    pub const fn map_head(&self) -> MapHead {
        let version = MapVersion(self.checkpoint.log_length.get());
        MapHead { version, root: self.checkpoint.map_root }
    }
}

/// A record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Where it stands.
    pub index: RegistryIndex,
    /// Its log and its id.
    pub leaf: LogLeaf,
    /// The record as it was received.
    pub envelope: SignedEnvelope,
}

/// A record that was admitted and is not in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRecord {
    /// The log that it is for.
    pub log: LogId,
    /// Its id.
    pub record: RecordId,
    /// The package, whose log id is `log`.
    pub name: PackageName,
    /// The record as it was received.
    pub envelope: SignedEnvelope,
    /// When it was admitted, in seconds of the Unix epoch.
    pub admitted_seconds: u64,
    /// How far it is.
    pub state: PendingState,
}

impl PendingRecord {
    /// The content that it waits for.
    pub fn missing(&self) -> &[Digest] {
        match &self.state {
            PendingState::Sourcing(missing) => missing,
            PendingState::Ready | PendingState::Rejected { .. } => &[],
        }
    }
}

/// How far a pending record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Content is missing: these digests, never none.
    Sourcing(Vec<Digest>),
    /// Nothing is missing.
    Ready,
    /// It was refused, for good.
    Rejected {
        /// For people.
        reason: String,
    },
}

/// How much is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingCounts {
    /// Records that miss content.
    pub sourcing: u64,
    /// Records that miss nothing.
    pub ready: u64,
    /// Records that were refused and are still remembered.
    pub rejected: u64,
}

/// Content that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRow {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where its bytes are.
    pub place: ContentPlace,
    /// What was found in it when it came, as JSON; empty if nobody looked.
    pub facts: String,
    /// When it came, in seconds of the Unix epoch.
    pub arrived_seconds: u64,
}

/// Where the bytes of content are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentPlace {
    /// In the store itself: they are few.
    Inline(Vec<u8>),
    /// In [`Blobs`](crate::blobs::Blobs).
    Blob,
    /// At a URL, and not kept here. They were there once.
    Url(String),
}

impl ContentPlace {
    /// The URL of what is not kept here.
    pub const fn url(&self) -> Option<&String> {
        match self {
            Self::Url(url) => Some(url),
            Self::Inline(_) | Self::Blob => None,
        }
    }
}

impl ContentRow {
    /// Whether the registry keeps the bytes.
    pub const fn is_kept(&self) -> bool {
        self.place.url().is_none()
    }

    /// Whether [`Blobs`](crate::blobs::Blobs) have the bytes.
    pub const fn is_blob(&self) -> bool {
        matches!(self.place, ContentPlace::Blob)
    }
}

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its id.
    pub log: LogId,
    /// The package; `None` for the operator log.
    pub name: Option<PackageName>,
    /// Its newest record.
    pub head: state::Head,
}

/// Which parts of a log's state to read. The head and the name always come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The log.
    pub log: LogId,
    /// Keys by their id.
    pub keys: Vec<KeyId>,
    /// Key ids whose permissions to read.
    pub permissions: Vec<KeyId>,
    /// Items by their text: versions, or namespaces.
    pub items: Vec<String>,
}

impl LogQuery {
    /// Nothing but the head and the name.
    pub const fn of_head(log: LogId) -> Self {
        Self { log, keys: Vec::new(), permissions: Vec::new(), items: Vec::new() }
    }
}

/// Parts of a log's state as a store keeps them. What was asked for and is not there is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRows {
    /// The newest record; `None` if there is no such log.
    pub head: Option<state::Head>,
    /// The package; `None` for the operator log, or if there is no such log.
    pub name: Option<PackageName>,
    /// Keys, ascending by id.
    pub keys: Vec<PublicKey>,
    /// What keys hold, ascending by id: names of permissions joined by commas, perhaps none.
    pub permissions: Vec<(KeyId, String)>,
    /// Items with their state as JSON (specification 5.5), ascending by the item's text.
    pub items: Vec<(String, String)>,
}
