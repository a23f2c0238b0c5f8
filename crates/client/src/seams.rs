//! What the client needs of its surroundings: HTTP, state, a content cache, time, randomness, secrets,
//! and somebody to tell. [`native`](crate::native) has them for this machine; a Wasm host brings its own.
//!
//! State, cache and secrets are synchronous: they are small files, or calls of a host. Whoever puts
//! them on a network gives them a thread.

mod cache;
mod clock;
mod observer;
mod secrets;
mod state;
mod transport;

use std::pin::Pin;

pub use self::cache::{Cache, CacheError, Content, Partial};
pub use self::clock::{Clock, Random};
pub use self::observer::{Direction, Event, Observer, Silent};
pub use self::secrets::{Asked, SecretError, Secrets, Token};
pub use self::state::{Guard, Key, KeyError, State, StateError};
pub use self::transport::{
    ChunkSource, RequestBody, ResponseBody, Transport, TransportError, TransportFault,
};

/// A future in a box, as the seams return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
