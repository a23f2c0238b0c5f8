//! The body of an answer, which is never cut short in silence.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Whether an instance failed, as its answer sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate(Arc<AtomicBool>);

impl Fate {
    fn is_sealed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Watches over an instance. To be dropped before the instance is.
    pub(super) fn watch(&self) -> Watch {
        Watch { fate: self.clone(), is_well: false }
    }
}

/// Seals an instance's fate, unless it ended well.
pub(super) struct Watch {
    fate: Fate,
    pub(super) is_well: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_well {
            self.fate.0.store(true, Ordering::Release);
        }
    }
}

/// A body. That of an instance which fails ends without an error as soon as the instance is gone; this one
/// ends with an error then, so that nobody takes a part for the whole.
pub(super) struct WholeBody {
    pub(super) body: HyperOutgoingBody,
    pub(super) fate: Fate,
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) if self.fate.is_sealed() => {
                Poll::Ready(Some(Err(Error::HttpResponseIncomplete)))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.fate.is_sealed()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
