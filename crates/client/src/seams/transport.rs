//! HTTP.

use std::fmt;

use bytes::Bytes;

use super::BoxFuture;

/// Sends HTTP requests.
///
/// Contract: one request is sent at most once, apart from what a connection does before it has sent
/// anything. No redirect is followed, no content coding is asked for or decoded, no cookie is kept, and
/// nothing is retried: the client does all that, or refuses it. A transport limits how long it waits to
/// connect, for the head of an answer, and between two chunks; it does not limit how long a body may
/// take: the client does.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the head of its answer.
    fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'_, Result<http::Response<Box<dyn ResponseBody>>, TransportError>>;
}

/// The body of a request.
pub enum RequestBody {
    /// None.
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// Read as it is sent.
    Stream {
        /// How many bytes there will be.
        length: u64,
        /// Where they come from.
        chunks: Box<dyn ChunkSource>,
    },
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length})"),
        }
    }
}

/// Bytes that are read while they are sent.
pub trait ChunkSource: Send {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Those of reading them.
    fn next(&mut self) -> std::io::Result<Option<Bytes>>;
}

/// The body of an answer.
pub trait ResponseBody: Send {
    /// The next bytes; `None` at the end.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>>;
}

/// A request that got no answer, or an answer that broke off.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What kind of failure.
    pub fault: TransportFault,
    /// For people; without secrets.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection came about. Nothing was sent.
    Connect,
    /// The certificate of the server is not trusted, or TLS failed otherwise.
    Tls,
    /// Nothing came for too long.
    Timeout,
    /// The connection broke after the request began.
    Broken,
    /// The request's own body could not be read.
    Body,
    /// The request cannot be sent at all.
    Unsendable,
}
