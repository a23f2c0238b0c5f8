//! What a person types behind `warg publish`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wargate_protocol::{PackageName, RecordId, Version};

use super::PermissionName;

#[derive(Debug, Args)]
#[command(override_usage = "warg publish [OPTIONS] [FILES]...\n       warg publish <COMMAND>")]
pub(crate) struct Publish {
    #[command(subcommand)]
    pub(crate) command: Option<PublishCommand>,
    #[command(flatten)]
    pub(crate) files: PublishFiles,
}

impl Publish {
    /// What stands before a verb and has no meaning for it.
    pub(crate) fn misplaced(&self) -> Option<&'static str> {
        let command = self.command.as_ref()?;
        let PublishFiles { files, name, release, dry_run, options } = &self.files;
        match () {
            () if !files.is_empty() => Some("a file"),
            () if name.is_some() => Some("`--name`"),
            () if release.is_some() => Some("`--release`"),
            () if *dry_run => Some("`--dry-run`"),
            () if options.no_wait && !command.may_wait() => Some("`--no-wait`"),
            () => None,
        }
    }
}

/// `warg publish FILE…`.
#[derive(Debug, Args)]
pub(crate) struct PublishFiles {
    /// Components to release [default: those that warg.toml names]
    pub(crate) files: Vec<PathBuf>,
    /// The package [default: what the file or warg.toml says]
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) name: Option<PackageName>,
    /// The version [default: what the file or warg.toml says]
    #[arg(long = "release", value_name = "VERSION")]
    pub(crate) release: Option<Version>,
    /// Show what would be signed, and sign nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) options: PublishOptions,
}

/// What every publication takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PublishOptions {
    /// Do not wait until the record is in the log
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PublishCommand {
    /// Create a package
    #[command(disable_version_flag = true)]
    Init {
        /// The package
        package: PackageName,
        #[command(flatten)]
        options: PublishOptions,
    },
    /// Release a version
    #[command(disable_version_flag = true)]
    Release(Release),
    /// Withdraw a version, for good
    #[command(disable_version_flag = true)]
    Yank(Yank),
    /// Give permissions to a key
    #[command(disable_version_flag = true)]
    Grant(Grant),
    /// Take permissions from a key
    #[command(disable_version_flag = true)]
    Revoke(Revoke),
    /// Begin to collect changes for one record
    Start {
        /// The package
        package: PackageName,
    },
    /// Show what was collected
    List,
    /// Drop what was collected
    Abort,
    /// Sign and send what was collected
    Submit(PublishOptions),
    /// Wait until a record is in the log
    Wait {
        /// The package
        package: PackageName,
        /// The record
        record_id: RecordId,
    },
}

impl PublishCommand {
    /// Whether it takes `--no-wait`, which may also stand before it.
    const fn may_wait(&self) -> bool {
        !matches!(self, Self::Start { .. } | Self::List | Self::Abort | Self::Wait { .. })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The component
    pub(crate) path: PathBuf,
    /// The package
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) name: PackageName,
    /// The version
    #[arg(short, long, value_name = "VERSION")]
    pub(crate) version: Version,
    #[command(flatten)]
    pub(crate) options: PublishOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Yank {
    /// The package
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) name: PackageName,
    /// The version
    #[arg(short, long, value_name = "VERSION")]
    pub(crate) version: Version,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) options: PublishOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The public key (`ecdsa-p256:…`)
    pub(crate) public_key: String,
    /// The package
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) name: PackageName,
    /// What it may do
    #[arg(long, value_delimiter = ',', default_value = "release,yank", value_name = "PERMISSIONS")]
    pub(crate) permission: Vec<PermissionName>,
    #[command(flatten)]
    pub(crate) options: PublishOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key's fingerprint (`sha256:…`)
    pub(crate) key_id: String,
    /// The package
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) name: PackageName,
    /// What it may not do any more
    #[arg(long, value_delimiter = ',', default_value = "release,yank", value_name = "PERMISSIONS")]
    pub(crate) permission: Vec<PermissionName>,
    #[command(flatten)]
    pub(crate) options: PublishOptions,
}
