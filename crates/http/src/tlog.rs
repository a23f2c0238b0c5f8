//! The same log for whoever speaks C2SP tlog-tiles: files that any cache can serve, below `log/`.
//!
//! An entry is the encoding of a leaf (specification 6), so that the tree is the one that Warg's
//! checkpoints sign. Only the log's root stands in the note; the map has no form in C2SP.

use std::sync::PoisonError;

use axum::body::Bytes;
use wargate_registry::{ReadError, Registry};
use wargate_transparency::log::{EntriesRef, LogLength, TileRef};
use wargate_transparency::note::{Checkpoint, NoteSigner};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::problem::Problem;

const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";

/// A tile that is not full yet is soon replaced by a wider one.
const FOR_AN_HOUR: &str = "public, max-age=3600";

/// `GET log/checkpoint`
pub(crate) async fn checkpoint(call: Call) -> Answer {
    let front = &call.front;
    let Some(signer) = &front.options().note else {
        return Err(Problem::not_found());
    };
    let newest = front.registry().newest();
    let length = newest.committed.length();
    let kept = front.note.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let note = if let Some((_, note)) = kept.filter(|(of, _)| *of == length) {
        note
    } else {
        let note = signed(signer, &front.options().origin, &newest.committed.checkpoint)?;
        let mut kept = front.note.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((length, note.clone()));
        note
    };
    let mut response = answer::of_bytes(note, TEXT);
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}

fn signed(
    signer: &NoteSigner,
    origin: &str,
    checkpoint: &wargate_protocol::Checkpoint,
) -> Result<Bytes, Problem> {
    let internal = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the checkpoint of the static log cannot be written");
        Problem::internal()
    };
    let length = LogLength::new(checkpoint.log_length.get());
    let length = length.ok_or_else(|| internal(&"the log is too long"))?;
    let text = Checkpoint::new(origin, length, checkpoint.log_root);
    let text = text.map_err(|error| internal(&error))?.to_string();
    let note = signer.sign(&text).map_err(|error| internal(&error))?;
    Ok(Bytes::from(note.to_string()))
}

/// What the path below `log/tile/` names.
enum Resource {
    Tile(TileRef),
    Entries(EntriesRef),
}

impl Resource {
    /// `None` for a text that is the path of nothing.
    fn parse(path: &str) -> Option<Self> {
        let entries = path.parse().map(Self::Entries);
        entries.or_else(|_| path.parse().map(Self::Tile)).ok()
    }

    const fn is_full(&self) -> bool {
        match self {
            Self::Tile(tile) => tile.width.is_full(),
            Self::Entries(entries) => entries.width().is_full(),
        }
    }

    fn read(&self, registry: &Registry) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Tile(tile) => registry.tile(*tile),
            Self::Entries(entries) => registry.entry_bundle(*entries),
        }
    }
}

/// `GET log/tile/{level}/{index}` and `GET log/tile/entries/{index}`, with `.p/{width}` for one that
/// is not full.
pub(crate) async fn tile(call: Call) -> Answer {
    let resource = Resource::parse(&format!("tile/{}", call.text("tile")));
    let resource = resource.ok_or_else(Problem::not_found)?;
    let full = resource.is_full();
    let bytes = call.front.ask(move |registry| resource.read(registry)).await?;
    let mut response = answer::of_bytes(bytes.ok_or_else(Problem::not_found)?, OCTETS);
    answer::cache(&mut response, if full { answer::FOR_EVER } else { FOR_AN_HOUR });
    Ok(response)
}
