//! What a person types to run components.

use clap::Args;
use wargate_console::listen_address;

use super::composing::some_time;
use super::{LockPlace, Roots};

#[derive(Debug, Args)]
#[command(
    override_usage = "warg run [OPTIONS] [FILE|PACKAGE] [-- <ARGUMENTS>...]",
    after_help = "Where there is a lock, that is what counts, as for `warg bundle`. It ends as the command does. \
                  134: the command trapped; 124: its time was over. Nothing is granted that is not asked \
                  for: docs/running.md has examples."
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// Memory that it may have, together [default: 1GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_memory: Option<String>,
    /// How long it may run [default: for ever]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = time)]
    pub(crate) timeout: Option<String>,
    /// What the command is given
    #[arg(last = true, value_name = "ARGUMENTS", help_heading = None)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Where there is a lock, that is what counts, as for `warg bundle`. Each request gets a fresh \
                  instance. SIGTERM or Ctrl-C stop it: what is on its way is still answered. Nothing is \
                  granted that is not asked for: docs/running.md has examples."
)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) what: What,
    /// Where to listen; port 0 takes one that is free [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// Memory that the answer to one request may take, together [default: 128MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_memory: Option<String>,
    /// How long the answer to one request may take [default: 30s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = time)]
    pub(crate) timeout: Option<String>,
    /// Requests that are answered at a time; further ones get 503 [default: 128]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    pub(crate) max_requests: Option<String>,
}

/// What is run.
#[derive(Debug, Args)]
pub(crate) struct What {
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Take the newest releases that answer, and not those of the lock
    #[arg(long, conflicts_with = "file")]
    pub(crate) no_lock: bool,
    #[command(flatten)]
    pub(crate) place: LockPlace,
}

/// What a component may do beside computing: nothing, unless these say so. They are handed on as they are
/// to the program that runs it, which reads them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Grants")]
pub(crate) struct Grants {
    /// Let it see a directory; `:rw` behind it lets it write there, too
    #[arg(long, value_name = "HOST[::GUEST][:ro|:rw]")]
    pub(crate) dir: Vec<String>,
    /// Let it see an environment variable: yours, or with this value
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let it send HTTP requests to a host; `*` is every host
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) allow_http: Vec<String>,
    /// Let it make TCP connections, and find the host's address; `*` is every host, or every port
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) allow_connect: Vec<String>,
    /// Let it listen for TCP connections; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) allow_listen: Vec<String>,
}

impl Grants {
    /// What is typed, each flag with its values.
    pub(crate) fn flags(&self) -> [(&'static str, &[String]); 5] {
        [
            ("--dir", &self.dir),
            ("--env", &self.env),
            ("--allow-http", &self.allow_http),
            ("--allow-connect", &self.allow_connect),
            ("--allow-listen", &self.allow_listen),
        ]
    }
}

/// How long something may take, as the program reads it that runs components. What is wrong is told before
/// anything is fetched.
fn time(text: &str) -> Result<String, String> {
    some_time(text).map(|_| text.to_owned())
}
