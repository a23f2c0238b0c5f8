//! The server's promise: what it has acknowledged is kept, whatever ends it.
//!
//! Publishers remember what was acknowledged (`load`), a witness keeps every checkpoint (`witness`),
//! and after each restart the two hold the registry to it (`world`). What ends the server: `kill -9`
//! (`kills`), a loss of power (`power_loss`, on the disk of `medium`), a request to stop and a full
//! disk. `WARGATE_CRASH_SEED` repeats a run by the seed that it has printed.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod dice;
mod folder;
mod full_disk;
mod http;
mod kills;
mod load;
mod medium;
mod power_loss;
mod rules;
mod server;
mod snapshots;
mod witness;
mod world;
