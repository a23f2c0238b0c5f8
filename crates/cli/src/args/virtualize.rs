//! What a person types to seal environment and files in a component.

use std::path::PathBuf;

use clap::Args;

/// `warg virtualize`.
#[derive(Debug, Args)]
#[command(
    after_help = "The result sees these variables, arguments and files, and none of the host's; files can be \
                  read and not written. Without any, it sees none. The same component and the same \
                  files make the same bytes, wherever and whenever."
)]
pub(crate) struct Virtualize {
    /// A file, - for standard input, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) subject: String,
    /// A variable of the environment
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// A folder, and the path at which the component sees it [default: as it is written here]
    #[arg(long, value_name = "FOLDER[::PATH]")]
    pub(crate) dir: Vec<String>,
    /// An argument; for a command, the first is what it is called
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "host_arguments",
        allow_hyphen_values = true
    )]
    pub(crate) arg: Vec<String>,
    /// Leave the arguments to the host
    #[arg(long)]
    pub(crate) host_arguments: bool,
    /// Leave the files to the host
    #[arg(long, conflicts_with = "dir")]
    pub(crate) host_files: bool,
    /// The file to write, or - for standard output [default: NAME.virtual.wasm, here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
