//! `warg completions` and `warg man`.

use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use crate::args;
use crate::failure::Failure;
use crate::output::Report;

/// What completes commands in a shell.
pub(crate) fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "warg", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": shell.to_string(), "script": script });
    Report::new(script, json)
}

/// Manual pages.
pub(crate) fn pages(directory: Option<&Path>) -> Result<Report, Failure> {
    let failed =
        |error: std::io::Error| Failure::local(format!("cannot write manual pages: {error}"));
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(args::command()).render(&mut page).map_err(failed)?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return Ok(Report::new(page.clone(), json!({ "page": page })));
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(args::command(), directory).map_err(failed)?;
    let text = format!("The manual pages are in {}.\n", directory.display());
    Ok(Report::new(text, json!({ "directory": directory.display().to_string() })))
}
