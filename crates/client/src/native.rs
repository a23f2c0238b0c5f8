//! The seams for this machine: HTTP, files, time, randomness.

mod cache;
mod clock;
mod files;
mod helper;
mod http;
mod keyring;
mod state;

pub use self::cache::FileCache;
pub use self::clock::{SystemClock, SystemRandom};
pub use self::helper::{HELPER_TIME_MAX, Helper};
pub use self::http::{Http, HttpOptions};
#[cfg(feature = "os-keyring")]
pub use self::keyring::SystemKeyring;
pub use self::keyring::{FlatFiles, KeyFile, read_secret, system_keyring};
pub use self::state::FileState;

#[cfg(all(test, unix))]
mod secrets_tests;
