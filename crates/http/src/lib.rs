//! The HTTP front of a registry: Warg v1, downloads, discovery, and the log as static tiles.
//!
//! [`router`] makes an axum router over a [`Registry`] and [`Options`]. It owns no socket, no TLS and
//! no task, so that it also runs inside a Wasm instance. Requests become typed values here and are
//! given to the engine; what the engine answers becomes JSON. Everything that may block goes through
//! [`Registry::offload`].
//!
//! Every request takes the same way, in `front`: is the host one of ours, which route is it, are the
//! path's parameters well-formed, is the data of this registry wanted, the body, the handler
//! (specification 12.1). Every error leaves as JSON with its status inside (specification 13). Routes
//! stand in one table, which the OpenAPI document is compared with.

mod answer;
mod answered;
mod call;
mod content;
mod cors;
mod dependencies;
mod discovery;
mod download;
mod fetch;
mod front;
mod hints;
mod ledger;
pub mod limits;
mod options;
mod panics;
mod pieces;
mod problem;
mod proof;
mod publish;
mod range;
mod request_id;
mod routes;
mod security;
mod sources;
pub mod throttle;
mod tlog;
mod transcript;
mod upload;
mod uploads;

use std::sync::Arc;

use axum::Router;
use wargate_registry::Registry;

pub use self::answered::{Answered, Provable, TRACE_TARGET};
pub use self::options::{AllowedHosts, Options, PublicUrl, PublicUrlError};
pub use self::request_id::RequestId;
pub use self::routes::{OPENAPI, listed_routes};
pub use self::sources::{Sources, Wanted};

/// A router that answers for a registry, at `/` whatever the path of the public URL is.
///
/// It needs nothing of its surroundings but, on native targets, a tokio runtime with time. Each answer
/// has [`Answered`] in its extensions, and the span that a request comes in is told its `route`.
pub fn router(registry: Arc<Registry>, options: Options) -> Router {
    front::Front::new(registry, options).into_router()
}
