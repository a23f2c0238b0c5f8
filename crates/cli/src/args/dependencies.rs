//! What a person types to find, lock and fetch what components depend on.

use std::path::PathBuf;

use clap::Args;
use wargate_protocol::PackageName;

/// What is resolved.
#[derive(Debug, Default, Args)]
pub(crate) struct Roots {
    /// Components: files, or packages NAMESPACE:NAME with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) named: Vec<String>,
    /// Take a file in the place of a package
    #[arg(long, value_name = "PACKAGE@VERSION=FILE")]
    pub(crate) with: Vec<String>,
    /// Have this version of a package, and no other that is compatible
    #[arg(long, value_name = "PACKAGE@VERSION")]
    pub(crate) precise: Vec<String>,
    /// Let pre-releases be in range like other versions
    #[arg(long)]
    pub(crate) prereleases: bool,
    /// Whether it is for who composes: files in the place of packages may leave unsaid which version they
    /// are, are validated later, and are kept.
    #[arg(skip)]
    pub(crate) for_composing: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without roots, those of the project or of the lock are shown. Where there is a lock, what is \
                  locked is shown as long as it answers."
)]
pub(crate) struct Dependencies {
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) place: LockPlace,
    /// Show the newest releases that answer, whatever is locked
    #[arg(long)]
    pub(crate) latest: bool,
    /// Show how it comes that this package is needed
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) why: Option<PackageName>,
    /// Show which releases depend on this package, by the word of its registry
    #[arg(long, value_name = "PACKAGE", conflicts_with_all = ["named", "why", "dot", "svg"])]
    pub(crate) reverse: Option<PackageName>,
    /// Print a graph for Graphviz
    #[arg(long, conflicts_with_all = ["svg", "why", "json"])]
    pub(crate) dot: bool,
    /// Print a picture
    #[arg(long, conflicts_with_all = ["why", "json"])]
    pub(crate) svg: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without roots, the files of `[package]` and the packages of `[dependencies]` in `warg.toml` \
                  are locked; if it names none, the roots of the lock that is there. What is locked stays as \
                  long as it answers. With `--offline` nobody is asked, and the lock's own releases must \
                  answer."
)]
pub(crate) struct LockArguments {
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) place: LockPlace,
    /// Write nothing; fail if the lock is not what it would become
    #[arg(long)]
    pub(crate) check: bool,
    /// Take the newest releases that answer, whatever is locked
    #[arg(long, conflicts_with = "offline")]
    pub(crate) update: bool,
    /// Also write the locked component: one that imports exactly what is locked; - for standard output
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) component: Option<PathBuf>,
    /// Also write the lock of `wkg` to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) export_wkg: Option<PathBuf>,
}

/// Which lock.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LockPlace {
    /// The lock [default: warg.lock, here, or beside the project's warg.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Where there is a lock, that is what is brought up to date: it takes the newest releases that \
                  answer, of the packages that are named, or of all. With --precise, it takes the releases \
                  that are named, and no others become newer."
)]
pub(crate) struct Update {
    /// Packages [default: all that is locked, or without a lock all of which something is known]
    pub(crate) packages: Vec<PackageName>,
    /// Lock this version of a package
    #[arg(long, value_name = "PACKAGE@VERSION")]
    pub(crate) precise: Vec<String>,
    /// Let pre-releases be in range like other versions
    #[arg(long)]
    pub(crate) prereleases: bool,
    /// Say what would change in the lock, and leave it as it is
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: LockPlace,
}

#[derive(Debug, Args)]
pub(crate) struct Outdated {
    /// Fail if there is a newer release that the lock could have
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) place: LockPlace,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A lock that is there is what counts: it must have been made for the component. The same \
                  component and the same lock make the same bytes, wherever and whenever."
)]
pub(crate) struct Bundle {
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// The file to write, or - for standard output [default: NAME.bundle.wasm, here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Take the newest releases that answer, and not those of the lock
    #[arg(long, conflicts_with = "file")]
    pub(crate) no_lock: bool,
    /// Take content from the files that `warg fetch` wrote to this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) vendored: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: LockPlace,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Files are called DIR/NAMESPACE/NAME/VERSION.wasm, as `wac` looks for them. Those that are \
                  there and are what the lock says are left alone."
)]
pub(crate) struct Fetch {
    /// The directory
    #[arg(short, long, value_name = "DIR", default_value = "deps")]
    pub(crate) output: PathBuf,
    /// Only put it into the cache, for what is done offline later
    #[arg(long, conflicts_with_all = ["output", "prune"])]
    pub(crate) cache_only: bool,
    /// Remove the files of releases that the lock does not name
    #[arg(long)]
    pub(crate) prune: bool,
    #[command(flatten)]
    pub(crate) place: LockPlace,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Packages: NAMESPACE:NAME, with @REQUIREMENT behind it if not what is compatible with the newest
    #[arg(required = true, value_name = "PACKAGE[@REQUIREMENT]")]
    pub(crate) packages: Vec<String>,
    /// Let pre-releases be in range like other versions
    #[arg(long)]
    pub(crate) prereleases: bool,
    /// Leave the lock as it is
    #[arg(long)]
    pub(crate) no_lock: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Packages
    #[arg(required = true)]
    pub(crate) packages: Vec<PackageName>,
    /// Leave the lock as it is
    #[arg(long)]
    pub(crate) no_lock: bool,
}
