//! A body that is read piece by piece, where reading may block.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use wargate_registry::Registry;
use wargate_registry::blobs::Blob;

use crate::limits::DOWNLOAD_PIECE_BYTES;

type Reading = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

/// A part of content. While one piece is on its way out the next one is read, and no further: a slow
/// client costs two pieces of memory.
pub(crate) struct Pieces {
    registry: Arc<Registry>,
    blob: Arc<dyn Blob>,
    /// What has not been asked for yet.
    unread: Range<u64>,
    /// What has not been handed out yet, in bytes.
    owed: u64,
    next: Next,
}

enum Next {
    Reading(Reading),
    Read(io::Result<Bytes>),
    Nothing,
}

impl Pieces {
    pub(crate) fn new(registry: Arc<Registry>, blob: Arc<dyn Blob>, part: Range<u64>) -> Self {
        let owed = part.end.saturating_sub(part.start);
        let mut pieces = Self { registry, blob, unread: part, owed, next: Next::Nothing };
        pieces.ask();
        pieces
    }

    /// Begins with the next piece, if there is one.
    fn ask(&mut self) {
        let left = self.unread.end.saturating_sub(self.unread.start);
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(DOWNLOAD_PIECE_BYTES);
        if bytes == 0 {
            self.next = Next::Nothing;
            return;
        }
        let from = self.unread.start;
        self.unread.start += bytes as u64;
        let (registry, blob) = (Arc::clone(&self.registry), Arc::clone(&self.blob));
        self.next = Next::Reading(Box::pin(async move {
            registry.offload_content(move || read(&*blob, from, bytes)).await
        }));
    }

    /// Work that nobody looks at does not begin, so the piece is looked at.
    fn look(&mut self, cx: &mut Context<'_>) {
        if let Next::Reading(reading) = &mut self.next
            && let Poll::Ready(read) = reading.as_mut().poll(cx)
        {
            self.next = Next::Read(read);
        }
    }
}

/// Exactly as many bytes as are wanted: that they are there, the content's size has promised.
pub(crate) fn read(blob: &dyn Blob, from: u64, bytes: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; bytes];
    let (mut filled, mut at) = (0, from);
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let count = blob.read_at(at, rest)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        at += count as u64;
    }
    Ok(Bytes::from(piece))
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => return Poll::Ready(None),
            Next::Read(piece) => piece,
            Next::Reading(mut reading) => match reading.as_mut().poll(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    self.next = Next::Reading(reading);
                    return Poll::Pending;
                }
            },
        };
        match piece {
            Ok(piece) => {
                self.owed = self.owed.saturating_sub(piece.len() as u64);
                self.ask();
                self.look(cx);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                // The client sees that less came than was announced.
                tracing::error!(%error, "content cannot be read to its end");
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.owed == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.owed)
    }
}
