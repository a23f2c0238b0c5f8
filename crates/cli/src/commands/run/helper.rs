//! The program `warg-run`: where it is, and how this process becomes it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::output::Report;

/// Names the program, wherever it is.
const VARIABLE: &str = "WARG_RUNNER";

/// The program that runs components.
pub(super) struct Helper(PathBuf);

impl Helper {
    /// The one that a variable names, the one beside this program, or the one on the path.
    pub(super) fn find() -> Result<Self, Failure> {
        if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            let path = PathBuf::from(path);
            if path.is_file() {
                return Ok(Self(path));
            }
            let message = format!("there is no program {}, which {VARIABLE} names", path.display());
            return Err(Failure::usage(message).hint(format!("unset {VARIABLE}, or correct it")));
        }
        let name = format!("warg-run{}", std::env::consts::EXE_SUFFIX);
        let beside = std::env::current_exe().ok().map(|ours| ours.with_file_name(&name));
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        // An empty or relative part of the path would be whatever is in the current directory.
        let on_path = std::env::split_paths(&on_path).filter(|directory| directory.is_absolute());
        let found = beside.into_iter().chain(on_path.map(|directory| directory.join(&name)));
        let found = found.filter(|path| is_program(path)).map(Self).next();
        found.ok_or_else(|| {
            Failure::local("the program that runs components is not here: there is no `warg-run`")
                .hint(format!(
                    "install it beside `warg` (`cargo install --path crates/runner` in Wargate's \
                     repository), or name it in {VARIABLE}"
                ))
        })
    }

    /// Becomes the program. Its end is this process's.
    #[cfg(unix)]
    pub(super) fn start(&self, words: &[OsString]) -> Result<Report, Failure> {
        let error = std::os::unix::process::CommandExt::exec(Command::new(&self.0).args(words));
        Err(self.failed(&error))
    }

    /// Starts the program, and ends as it does. What interrupts one interrupts the other.
    #[cfg(not(unix))]
    pub(super) fn start(&self, words: &[OsString]) -> Result<Report, Failure> {
        let ended = Command::new(&self.0).args(words).status();
        let ended = ended.map_err(|error| self.failed(&error))?;
        let exit = ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Ok(Report { exit, ..Report::new("", serde_json::Value::Null) })
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::local(format!("{} cannot be started: {error}", self.0.display()))
    }
}

/// Whether it is a file that may be executed.
fn is_program(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    #[cfg(unix)]
    let may_execute = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may_execute = true;
    metadata.is_file() && may_execute
}
