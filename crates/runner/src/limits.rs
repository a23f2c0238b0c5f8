//! Limits on everything that a component or a stranger controls.

use std::time::Duration;

/// Largest component that is read, in bytes: what `warg` links at most, and some more for the link itself.
pub(crate) const COMPONENT_BYTES_MAX: u64 = (1 << 30) + (64 << 20);

/// Memory that a command may have together unless somebody says otherwise, in bytes.
pub(crate) const COMMAND_MEMORY_BYTES: &str = "1GiB";

/// Memory that the answer to a request may take unless somebody says otherwise, in bytes.
pub(crate) const REQUEST_MEMORY_BYTES: &str = "128MiB";

/// How long the answer to a request may take unless somebody says otherwise.
pub(crate) const REQUEST_TIME: &str = "30s";

/// Requests that are answered at a time unless somebody says otherwise.
pub(crate) const REQUESTS: &str = "128";

/// Most elements of all tables together.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 10_000_000;

/// Most instances of core modules, memories and tables of one component, each.
pub(crate) const INSTANCES_MAX: usize = 10_000;

/// Most resources, such as open files, sockets and bodies, that a component has at a time.
pub(crate) const RESOURCES_MAX: usize = 100_000;

/// Most random bytes that a component gets at once.
pub(crate) const RANDOM_BYTES_MAX: u64 = 16 << 20;

/// Most lines of a trap's trace that are shown.
pub(crate) const TRACE_LINES_MAX: usize = 24;

/// Most characters of a function's name that are shown.
pub(crate) const FUNCTION_CHARACTERS_MAX: usize = 200;

/// Most imports that an error lists.
pub(crate) const MISSING_MAX: usize = 100;

/// Most connections at a time. Further ones wait until the operating system refuses them.
pub(crate) const CONNECTIONS_MAX: usize = 1024;

/// Most bytes of a request's head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Most requests at a time over one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 100;

/// How long a client may take for a request's head, and how long a connection may be idle.
pub(crate) const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection over which no whole head has come is still open when the program is to stop.
pub(crate) const FAREWELL: Duration = Duration::from_millis(500);

/// How often a component that computes lets others have their turn.
pub(crate) const TURN: Duration = Duration::from_millis(20);

/// How long to wait before the next try, if a connection cannot be taken.
pub(crate) const BACK_OFF: Duration = Duration::from_secs(1);

/// Most characters of a request's path that a line of the log has.
pub(crate) const LOGGED_PATH_CHARACTERS_MAX: usize = 200;

/// Most addresses of names that are remembered.
pub(crate) const FOUND_ADDRESSES_MAX: usize = 10_000;
