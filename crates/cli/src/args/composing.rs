//! What a person types to compose components, and to see where they fit.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::LockPlace;

/// How much the process may take that works on what others wrote.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bounds {
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = some_time)]
    pub(crate) time_limit: Duration,
    /// How much memory it may take
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = mebibytes)]
    pub(crate) memory_limit: u64,
}

/// A time that is not over at once.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("nothing is done in no time".into()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Most memory that a limit can be, in MiB.
const MEMORY_MIB_MAX: u64 = 1 << 20;

/// A size such as `512MiB` or `4GiB`, in MiB; a number by itself is one of MiB.
fn mebibytes(text: &str) -> Result<u64, String> {
    let (number, unit) = match (text.strip_suffix("GiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 1024),
        (_, Some(number)) => (number, 1),
        _ => (text, 1),
    };
    let size = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|size| (1..=MEMORY_MIB_MAX).contains(size))
        .ok_or_else(|| "a size is like 512MiB or 4GiB, and at most 1024GiB".into())
}

/// What they are where nobody can say otherwise.
impl Default for Bounds {
    fn default() -> Self {
        Self { time_limit: Duration::from_mins(1), memory_limit: 4096 }
    }
}

/// Where packages are taken from, and what is written.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Composing {
    /// The file to write, or - for standard output [default: here, the name with .wasm; with .plugged.wasm
    /// if it is plugged, and with .composed.wasm of a configuration]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Leave the packages out, and import them by their names
    #[arg(long)]
    pub(crate) import_dependencies: bool,
    /// The adapter for core modules of WASI 0.1: a file or a package [default: the one that fits, of
    /// bytecodealliance:preview1-command, -reactor and -proxy]
    #[arg(long, value_name = "FILE|PACKAGE")]
    pub(crate) adapter: Option<String>,
    /// Take the newest releases that answer, and not those of the lock
    #[arg(long, conflicts_with = "file")]
    pub(crate) no_lock: bool,
    /// Take content from the files that `warg fetch` wrote to this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) vendored: Option<PathBuf>,
    /// Print what is wired with what, for Graphviz, and write no component
    #[arg(long, conflicts_with_all = ["svg", "json", "output"])]
    pub(crate) dot: bool,
    /// Print what is wired with what as a picture, and write no component
    #[arg(long, conflicts_with_all = ["json", "output"])]
    pub(crate) svg: bool,
    #[command(flatten)]
    pub(crate) place: LockPlace,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A package whose version the document does not say is taken in the range that `[dependencies]` \
                  of `warg.toml` has for it, or as the newest. A lock that is there is what counts, as for \
                  `warg bundle`; `warg lock FILE.wac` makes one. The same document and the same packages make \
                  the same bytes. A package that is a core module is adapted."
)]
pub(crate) struct Compose {
    /// The WAC document; with --yaml, the component that gets what it imports
    #[arg(value_name = "FILE.wac|FILE.wasm")]
    pub(crate) document: String,
    /// A configuration of `wasm-tools compose`, instead of a document
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "with", "deps_dir", "adapter", "vendored", "no_lock", "file"
    ])]
    pub(crate) yaml: Option<PathBuf>,
    /// Print the WAC document that says the same as the configuration, and make no component
    #[arg(long, requires = "yaml", conflicts_with_all = ["json", "output", "dot", "svg"])]
    pub(crate) to_wac: bool,
    /// Take a file in the place of a package
    #[arg(long, value_name = "PACKAGE[@VERSION]=FILE")]
    pub(crate) with: Vec<String>,
    /// Take the files of this directory in the place of packages: NAMESPACE/NAME.wasm, or
    /// NAMESPACE/NAME/VERSION.wasm for those whose version the document says
    #[arg(long, value_name = "DIR")]
    pub(crate) deps_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) composing: Composing,
}

#[derive(Debug, Args)]
#[command(
    after_help = "An import gets the export of its name, or of a compatible version of that interface, of the \
                  first plug whose types fit. Plugs get what they import from one another in the same way. \
                  What nobody has stays imported."
)]
pub(crate) struct PlugArguments {
    /// The component that others are plugged into: a file, or a package with @VERSION or @REQUIREMENT
    /// behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) socket: String,
    /// A component that is plugged in: a file, or a package
    #[arg(long = "plug", value_name = "FILE|PACKAGE", required = true)]
    pub(crate) plugs: Vec<String>,
    #[command(flatten)]
    pub(crate) composing: Composing,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A target is a host that is known (wasmtime, wasi, wasi:cli/command, wasi:http/proxy, each with \
                  @VERSION behind it: wasi@0.2.3), or a world of a package: NAMESPACE:NAME/WORLD[@VERSION]. \
                  Without targets, all known hosts are shown. Exit codes: 0 if it fits all targets that are \
                  named, 1 if not."
)]
pub(crate) struct Targets {
    /// A component: a file, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) subject: String,
    /// Where it should fit
    #[arg(value_name = "TARGET")]
    pub(crate) named: Vec<String>,
    /// A WIT package whose world it should fit: a file of WIT or Wasm
    #[arg(long, value_name = "FILE")]
    pub(crate) wit: Option<PathBuf>,
    /// Which world of that; not needed if there is one
    #[arg(long, value_name = "NAME", requires = "wit")]
    pub(crate) world: Option<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A module of WASI 0.1 gets the adapter that fits: `command` if it is a program (it exports \
                  `_start`), `proxy` if it handles requests of HTTP and asks for nothing else, and `reactor` \
                  otherwise. They are packages, which `wargate seed` publishes; that of the lock counts, if it \
                  has one."
)]
pub(crate) struct Adapt {
    /// A core module: a file, or a package with @VERSION or @REQUIREMENT behind it
    #[arg(value_name = "FILE|PACKAGE")]
    pub(crate) module: String,
    /// The file to write, or - for standard output [default: NAME.component.wasm, here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The adapter: a file or a package, instead of the one that fits
    #[arg(long, value_name = "FILE|PACKAGE")]
    pub(crate) adapter: Option<String>,
    /// The WIT that the module is for, if it does not say so: a file of WIT or Wasm
    #[arg(long, value_name = "FILE")]
    pub(crate) wit: Option<PathBuf>,
    /// Which world of that; not needed if there is one
    #[arg(long, value_name = "NAME", requires = "wit")]
    pub(crate) world: Option<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}
