//! What a person types behind `warg verify` and `warg monitor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wargate_protocol::PackageName;

/// `warg verify`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 if everything is as it should be, 6 if something is not.")]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Verify {
    /// A file, or a package: NAMESPACE:NAME, with @VERSION behind it for one release
    #[arg(value_name = "FILE|PACKAGE[@VERSION]", required_unless_present_any = ["all", "checkpoint", "export_checkpoint"])]
    pub(crate) target: Option<String>,
    /// The package that the file should be a release of [default: the one that it names]
    #[arg(long, value_name = "PACKAGE", requires = "target")]
    pub(crate) package: Option<PackageName>,
    /// The whole registry: every record of every package
    #[arg(long, conflicts_with = "target")]
    pub(crate) all: bool,
    /// Also fetch and hash the content of every release
    #[arg(long)]
    pub(crate) contents: bool,
    /// Also verify what the file says that it was made from: that each release is in its registry's log
    /// with that content, and which of them are within the file unchanged
    #[arg(long, requires = "target", conflicts_with_all = ["all", "contents", "package"])]
    pub(crate) deep: bool,
    /// Compare a checkpoint that somebody else was shown, as JSON; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "all", "contents"])]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Print the newest checkpoint as JSON, for somebody else to compare
    #[arg(long, conflicts_with_all = ["target", "all", "contents", "checkpoint"])]
    pub(crate) export_checkpoint: bool,
}

/// `warg monitor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes with --once: 0 if all is well, 5 if the registry cannot be asked, 6 on \
                  an alarm. With --json each event is one line."
)]
pub(crate) struct Monitor {
    /// The registry [default: the home registry]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// How long to wait between two looks
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) interval: Duration,
    /// Look once, and say with the exit code what was found
    #[arg(long)]
    pub(crate) once: bool,
    /// Post each event as JSON to this URL
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// How old the newest checkpoint may be [default: the setting `checkpoint-age-max`]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) max_age: Option<Duration>,
    /// How many looks in a row may find no newer checkpoint [default: any number]
    #[arg(long, value_name = "LOOKS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_still: Option<u32>,
    /// A checkpoint that is believed, as JSON: the registry's log must extend it
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}
