//! What a person types to look into components.

use std::path::PathBuf;

use clap::Args;

/// `warg inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A file, - for standard input, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) subject: String,
    /// Also show the components and modules within it
    #[arg(long)]
    pub(crate) parts: bool,
}

/// `warg wit`.
#[derive(Debug, Args)]
#[command(
    after_help = "The folder is one that cargo component, wit-bindgen, jco and componentize-py read: the \
                  package itself, and below it `deps` with a folder for each package that it needs."
)]
pub(crate) struct Wit {
    /// A file, - for standard input, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) subject: String,
    /// Write a folder with files, and print nothing of them
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Replace files that are there and say something else, and remove packages in `deps` that are not needed
    #[arg(long, requires = "output")]
    pub(crate) overwrite: bool,
}

/// `warg diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "With --check, exit code 1 if the later one cannot replace the earlier one; and if both are \
                  releases of one package, if its version does not say so."
)]
pub(crate) struct Diff {
    /// The earlier one: a file, - for standard input, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "BEFORE")]
    pub(crate) before: String,
    /// The later one [default: the newest release, if the earlier one is a package]
    #[arg(value_name = "AFTER")]
    pub(crate) after: Option<String>,
    /// Fail if there is a change that breaks, and the version does not say so
    #[arg(long)]
    pub(crate) check: bool,
}
