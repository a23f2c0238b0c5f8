//! `fuzz-seeds FOLDER`: writes the seeds of every fuzz target into a folder of its own below FOLDER,
//! each under its digest, beside what is there.

#![expect(clippy::print_stderr, reason = "a command line program speaks to a person")]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use wargate_crypto::Digest;
use wargate_testkit::fuzz::TARGETS;
use wargate_testkit::fuzz::seeds::seeds;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: fuzz-seeds FOLDER");
        return ExitCode::FAILURE;
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the seeds cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    for (target, _) in TARGETS {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for seed in seeds(target) {
            let digest = Digest::of(&seed).to_string();
            fs::write(folder.join(&digest["sha256:".len()..][..20]), seed)?;
        }
    }
    Ok(())
}
