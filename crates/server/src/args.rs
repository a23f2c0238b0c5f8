//! What a person types.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::abuse::AbuseOptions;

/// A registry for WebAssembly components whose every release sits in a signed log.
///
/// Without a command, and without any option, it starts a durable registry on 127.0.0.1:8090.
#[derive(Debug, Parser)]
#[command(name = "wargate", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CommonOptions {
    /// Where the registry keeps its data
    #[arg(long, env = "WARGATE_DATA_DIR", global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A TOML file with the same options as the flags of `serve`
    #[arg(long, env = "WARGATE_CONFIG", global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the registry
    Serve(Box<ServeOptions>),
    /// Check everything that the registry keeps against its log
    Fsck(FsckOptions),
    /// Make and show keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Change the operator log: namespaces, permissions, keys
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Look at all that the registry needs, and say what to mend; takes the options of `serve`
    Doctor(Box<ServeOptions>),
    /// Ask a registry on this machine whether it can serve; takes the options of `serve`
    Health(Box<ServeOptions>),
    /// Publish the WIT packages of WASI, and the adapters for core modules of WASI 0.1
    Seed,
    /// Make everything anew that follows from the log
    Rebuild,
    /// Take a snapshot of the registry; list, verify and remove snapshots
    #[command(args_conflicts_with_subcommands = true)]
    Snapshot(SnapshotOptions),
    /// Make a data directory of a snapshot
    Restore(RestoreOptions),
    /// Answer reads and refuse writes, until `resume`
    Pause {
        /// What publishers are told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Take records again
    Resume,
}

/// Options of `serve`. Each can also stand in the environment or in the configuration file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeOptions {
    /// Address and port to listen on [default: 127.0.0.1:8090]
    #[arg(short, long, env = "WARGATE_LISTEN", value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The URL under which clients reach the registry
    #[arg(long, env = "WARGATE_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// A namespace to define; may be repeated
    #[arg(long, env = "WARGATE_NAMESPACE", value_name = "NAME", value_delimiter = ',')]
    pub(crate) namespace: Vec<String>,
    /// The operator's private key [default: keys/operator.key in the data directory]
    #[arg(long, env = "WARGATE_OPERATOR_KEY_FILE", value_name = "FILE")]
    pub(crate) operator_key_file: Option<PathBuf>,
    /// Which keys may publish where (TOML)
    #[arg(long, env = "WARGATE_AUTHORIZED_KEYS_FILE", value_name = "FILE")]
    pub(crate) authorized_keys_file: Option<PathBuf>,
    /// Let every key publish, also on an address that others can reach
    #[arg(long, env = "WARGATE_ALLOW_ANY_KEY")]
    pub(crate) allow_any_key: bool,
    /// Define a namespace when somebody first publishes into it
    #[arg(long, env = "WARGATE_DEFINE_NAMESPACES", value_name = "BOOL")]
    pub(crate) define_namespaces: Option<bool>,
    /// Which content may be released [default: component,module,wit]
    #[arg(long, env = "WARGATE_CONTENT", value_name = "KINDS", value_delimiter = ',')]
    pub(crate) content: Vec<ContentKind>,
    /// Where large content is kept: s3://BUCKET/PREFIX [default: the data directory]
    #[arg(long, env = "WARGATE_CONTENT_STORE", value_name = "URL", hide_env_values = true)]
    pub(crate) content_store: Option<String>,
    /// What happens to content that publishers have elsewhere [default: none]
    #[arg(long, env = "WARGATE_CONTENT_SOURCES", value_name = "WHAT")]
    pub(crate) content_sources: Option<ContentSources>,
    /// Hosts and addresses beyond the internet from which content may be fetched
    #[arg(
        long,
        env = "WARGATE_CONTENT_SOURCES_ALLOW",
        value_name = "HOST|CIDR",
        value_delimiter = ','
    )]
    pub(crate) content_sources_allow: Vec<String>,
    /// Send downloads on to the object storage that keeps the content
    #[arg(long, env = "WARGATE_CONTENT_REDIRECT", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true")]
    pub(crate) content_redirect: Option<bool>,
    /// How often an idle registry signs its checkpoint again [default: 60s]
    #[arg(long, env = "WARGATE_CHECKPOINT_INTERVAL", value_name = "TIME")]
    pub(crate) checkpoint_interval: Option<humantime::Duration>,
    /// Largest content in bytes [default: 268435456]
    #[arg(long, env = "WARGATE_CONTENT_BYTES_MAX", value_name = "BYTES")]
    pub(crate) content_bytes_max: Option<u64>,
    /// Most records that may wait for content [default: 10000]
    #[arg(long, env = "WARGATE_SOURCING_RECORDS_MAX", value_name = "COUNT")]
    pub(crate) sourcing_records_max: Option<u64>,
    /// How long a record may wait for its content [default: 1day]
    #[arg(long, env = "WARGATE_PENDING_TIME_MAX", value_name = "TIME")]
    pub(crate) pending_time_max: Option<humantime::Duration>,
    /// For how long the map of an old checkpoint can be asked for [default: 7days]
    #[arg(long, env = "WARGATE_MAP_WINDOW", value_name = "TIME")]
    pub(crate) map_window: Option<humantime::Duration>,
    /// Most connections at a time; further ones wait [default: 1024]
    #[arg(long, env = "WARGATE_CONNECTIONS_MAX", value_name = "COUNT")]
    pub(crate) connections_max: Option<NonZeroU32>,
    /// How long requests may go on after the registry was told to stop [default: 10s]
    #[arg(long, env = "WARGATE_SHUTDOWN_GRACE", value_name = "TIME")]
    pub(crate) shutdown_grace: Option<humantime::Duration>,
    #[command(flatten)]
    pub(crate) abuse: AbuseOptions,
    #[command(flatten)]
    pub(crate) operations: OperationsOptions,
    /// How the log is written [default: text]
    #[arg(long, env = "WARGATE_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or directives [default: info]
    #[arg(long, env = "WARGATE_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

/// How the process is watched, and how it speaks to the network.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OperationsOptions {
    /// Address and port to show metrics on
    #[arg(long, env = "WARGATE_METRICS_LISTEN", value_name = "IP:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The certificate for TLS, with those that lead to its authority (PEM)
    #[arg(long, env = "WARGATE_TLS_CERTIFICATE", value_name = "FILE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, env = "WARGATE_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The collector that traces are sent to, over OTLP with HTTP
    #[arg(long, env = "WARGATE_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub(crate) otlp_endpoint: Option<String>,
    /// Which part of the traces is sent, from 0 to 1 [default: 1]
    #[arg(long, env = "WARGATE_OTLP_SAMPLE_RATIO", value_name = "RATIO")]
    pub(crate) otlp_sample_ratio: Option<f64>,
}

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContentKind {
    /// Components
    Component,
    /// Core modules
    Module,
    /// WIT packages
    Wit,
    /// Any bytes at all
    Any,
}

/// What happens to content that publishers have elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContentSources {
    /// It must be uploaded
    None,
    /// It is fetched and kept
    Copy,
    /// It is fetched and looked at, and clients are told of its place
    Refer,
}

/// A form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

/// Options of `fsck`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FsckOptions {
    /// Do not read the content, only look whether it is there
    #[arg(long)]
    pub(crate) skip_content: bool,
}

/// Options of `snapshot`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SnapshotOptions {
    #[command(subcommand)]
    pub(crate) command: Option<SnapshotCommand>,
    /// Where the snapshot goes: a directory, which is made if it is not there, or s3://BUCKET/PREFIX
    pub(crate) target: Option<String>,
    /// Include the private keys
    #[arg(long)]
    pub(crate) with_keys: bool,
}

/// What can be done with snapshots.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Show what snapshots there are
    List {
        /// Where they are
        target: String,
    },
    /// Check a snapshot as `fsck` checks a registry
    Verify {
        /// Where it is
        target: String,
        /// Which [default: the newest]
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
    },
    /// Remove all but the newest snapshots
    Prune {
        /// Where they are
        target: String,
        /// How many to keep
        #[arg(long, value_name = "COUNT")]
        keep: NonZeroUsize,
    },
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreOptions {
    /// Where the snapshots are
    pub(crate) target: String,
    /// Which [default: the newest]
    #[arg(long, value_name = "ID")]
    pub(crate) snapshot: Option<String>,
    /// The state at a time, such as 2026-11-21T17:18:34Z
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    pub(crate) at: Option<String>,
    /// The state when the log had this length
    #[arg(long, value_name = "RECORDS")]
    pub(crate) length: Option<u64>,
    /// Begin a new operator log with a new key, because the old key is lost for good
    #[arg(long)]
    pub(crate) new_operator_key: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Show the registry's public keys and their fingerprints
    Show,
    /// Make a private key in a new file
    New {
        /// The file; it must not exist
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Show the operator log's state
    Show,
    /// Show how much namespaces and keys use
    Usage,
    /// Define a namespace as this registry's own
    Define {
        /// The namespace
        namespace: String,
    },
    /// Say that a namespace is another registry's
    Import {
        /// The namespace
        namespace: String,
        /// The other registry's domain
        registry: String,
    },
    /// Give a key permissions in the operator log
    Grant {
        /// The public key (`ecdsa-p256:…`)
        public_key: String,
        /// What it may do
        #[arg(long, value_delimiter = ',', required = true)]
        permission: Vec<PermissionName>,
    },
    /// Take permissions from a key
    Revoke {
        /// The key's fingerprint (`sha256:…`)
        key_id: String,
        /// What it may not do any more
        #[arg(long, value_delimiter = ',', required = true)]
        permission: Vec<PermissionName>,
    },
    /// Give the registry a key of its own for checkpoints, or a new one
    CheckpointKey,
    /// Make a second key that can take the operator's place, to be kept offline
    RecoveryKey {
        /// The file for the private key; it must not exist
        file: PathBuf,
    },
    /// Replace the operator's key: the new one gets all permissions, the old one loses them
    Rotate {
        /// The recovery key, if the operator's own is lost; with the server stopped
        #[arg(long, value_name = "FILE")]
        signed_by: Option<PathBuf>,
    },
}

/// A permission of the operator log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PermissionName {
    /// Sign checkpoints, and grant and revoke
    Commit,
    /// Define namespaces
    DefineNamespace,
    /// Import namespaces
    ImportNamespace,
}
