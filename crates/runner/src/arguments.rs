//! What is typed. `warg run` and `warg serve` have the same grants, and hand them on as they are.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use wargate_console::listen_address;

use crate::limits::{COMMAND_MEMORY_BYTES, REQUEST_MEMORY_BYTES, REQUEST_TIME, REQUESTS};

/// Runs a WebAssembly component, with nothing granted that was not asked for.
#[derive(Debug, Parser)]
#[command(name = "warg-run", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command, a component that exports `wasi:cli/run`
    Run(Run),
    /// Answer HTTP requests with a component that exports `wasi:http/incoming-handler`
    Serve(Serve),
}

#[derive(Debug, Args)]
#[command(
    after_help = "It ends as the command does. 134: it trapped; 124: its time was over; 2: it cannot be run \
                  here; 8: this machine's fault."
)]
pub(crate) struct Run {
    /// The component
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) grants: GrantArguments,
    /// Memory that it may have, together
    #[arg(long, help_heading = "Limits", value_name = "SIZE", default_value = COMMAND_MEMORY_BYTES, value_parser = size)]
    pub(crate) max_memory: usize,
    /// How long it may run [default: for ever]
    #[arg(long, help_heading = "Limits", value_name = "DURATION", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) how: How,
    /// What the command is given
    #[arg(last = true, help_heading = None)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The component
    pub(crate) file: PathBuf,
    /// Where to listen; port 0 takes one that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    pub(crate) listen: String,
    #[command(flatten)]
    pub(crate) grants: GrantArguments,
    /// Memory that the answer to one request may take, together
    #[arg(long, help_heading = "Limits", value_name = "SIZE", default_value = REQUEST_MEMORY_BYTES, value_parser = size)]
    pub(crate) max_memory: usize,
    /// How long the answer to one request may take
    #[arg(long, help_heading = "Limits", value_name = "DURATION", default_value = REQUEST_TIME,
        value_parser = time)]
    pub(crate) timeout: Duration,
    /// Requests that are answered at a time; further ones get 503
    #[arg(long, help_heading = "Limits", value_name = "NUMBER", default_value = REQUESTS,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_requests: u32,
    #[command(flatten)]
    pub(crate) how: How,
    /// Say where it listens as JSON: as the member `url`, beside those of this object
    #[arg(long, value_name = "OBJECT", num_args = 0..=1, require_equals = true, default_missing_value = "{}",
        value_parser = object)]
    pub(crate) json: Option<Value>,
}

/// What a component may do beside computing: nothing, unless these say so.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Grants")]
pub(crate) struct GrantArguments {
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct How {
    /// What it is called: its first argument, and its name in messages [default: the file's]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Keep compiled code in this directory, so that it starts faster the next time
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

impl How {
    /// What the component is called.
    pub(crate) fn name(&self, file: &std::path::Path) -> String {
        let of_file = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(of_file)
    }
}

/// How long something may take.
fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("nothing is done in no time".into()) } else { Ok(time) }
}

/// A JSON object.
fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("it is no object".to_owned()) }
}

/// A size in bytes: `65536`, `64KiB`, `512M`.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("a size is a number of bytes, or with KiB, MiB or GiB behind it".into()),
    };
    let number: usize = number.parse().map_err(|_| "a size begins with a number".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "it is more than there can be".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn sizes_have_units() {
        let rows =
            [("0", Some(0)), ("7", Some(7)), ("64KiB", Some(65_536)), ("1 MiB", Some(1 << 20))];
        for (text, bytes) in rows.into_iter().chain([("2g", Some(2 << 30)), ("5b", Some(5))]) {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        for text in ["", "MiB", "1TB", "-1", "99999999999999999999", "99999999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_time_is_no_limit() {
        for (text, is_time) in
            [("1ms", true), ("2m", true), ("0", false), ("0s", false), ("1", false)]
        {
            assert_eq!(time(text).is_ok(), is_time, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
