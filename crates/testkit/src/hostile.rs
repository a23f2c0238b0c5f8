//! A registry that lies, one lie at a time.
//!
//! It is the real server over several real histories of one registry ([`Story`]). A [`Lie`] says which
//! history is told and what is changed of its answers; [`lies`] are all there are. A [`Hostile`] serves
//! one of them, first the truth and then the lie, over a socket or as a router.
//!
//! Checkpoint, records and proofs are changed one by one, and a transcript is put together of the
//! changed parts, so that each lie is told whichever way a client asks.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "for tests only: what cannot be is a failed test"
)]

mod forge;
mod lie;
mod lies;
mod reply;
mod scene;
mod server;
mod story;

pub use self::lie::{Culprit, FaultKind, Lie, Operation, Phase, Verdict};
pub use self::lies::{lies, truth};
pub use self::reply::{Asked, ENDLESS_BYTES, Part};
pub use self::server::{Hostile, Mode, Seen, Served, Stage};
pub use self::story::{
    Chapter, ELSEWHERE, HELLO, History, OTHER, PRESENT, Story, THIRD, alice, bob, content, digest,
    former_signer, log, mallory, operator, registrar, second_signer,
};
