//! Writes the Rust types of one `.proto` file into a folder: `wargate-codegen FILE FOLDER`.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(file), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: wargate-codegen FILE FOLDER".into());
    };
    let messages = protox::compile([&file], [file.parent().unwrap_or(Path::new("."))])?;
    prost_build::Config::new().out_dir(folder).compile_fds(messages)?;
    Ok(())
}
