//! The engine over a store in memory: what it takes, what it refuses, and what it does when things
//! fail. `fsck` is the judge of every story.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod abuse;
mod conflicts;
mod content;
mod dependencies;
mod faults;
mod operator;
mod pausing;
mod publishing;
mod reading;
mod referring;
mod snapshots;
