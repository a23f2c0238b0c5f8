//! What both programs say to a person's terminal: tables, counts, and text that cannot harm it.
//!
//! Nothing here writes anything; the programs do.

mod table;
mod text;
mod typed;

pub use self::table::Table;
pub use self::text::{counted, harmless};
pub use self::typed::listen_address;
