//! `warg completions` and `warg man`.

use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use crate::args;
use crate::failure::{EXITS, Failure};
use crate::output::Report;

/// What completes commands in a shell.
pub(crate) fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "warg", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": shell.to_string(), "script": script });
    Report::own(script, json)
}

/// Manual pages.
pub(crate) fn pages(directory: Option<&Path>) -> Result<Report, Failure> {
    let failed =
        |error: std::io::Error| Failure::local(format!("cannot write manual pages: {error}"));
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(args::command()).render(&mut page).map_err(failed)?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return Ok(Report::own(page.clone(), json!({ "page": page })));
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(args::command(), directory).map_err(failed)?;
    let text = format!("The manual pages are in {}.\n", directory.display());
    Ok(Report::new(text, json!({ "directory": directory.display().to_string() })))
}

/// All commands on one page.
pub(crate) fn markdown() -> Report {
    let mut command = args::command();
    command.build();
    let mut page = String::from("## Options of every command\n\n");
    let global = |argument: &&clap::Arg| argument.is_global_set() && !argument.is_hide_set();
    rows(&mut page, command.get_arguments().filter(global));
    page.push_str("\n## Commands\n");
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        describe(&mut page, below, "warg");
    }
    page.push_str("\n## Exit codes\n\n| code | `kind` in JSON | meaning |\n|---|---|---|\n");
    for (code, word, meaning) in EXITS {
        let word = if word.is_empty() { String::new() } else { format!("`{word}`") };
        page.push_str(&format!("| {code} | {word} | {meaning} |\n"));
    }
    Report::own(page.clone(), json!({ "page": page }))
}

/// A command, and those below it.
fn describe(page: &mut String, command: &clap::Command, above: &str) {
    let path = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("\n### `{path}`\n\n{about}.\n"));
    let own: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !argument.is_hide_set())
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        page.push('\n');
        rows(page, own.into_iter());
    }
    if let Some(after) = command.get_after_help() {
        page.push_str(&format!("\n{after}\n"));
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        describe(page, below, &path);
    }
}

fn rows<'a>(page: &mut String, arguments: impl Iterator<Item = &'a clap::Arg>) {
    page.push_str("| argument | meaning |\n|---|---|\n");
    for argument in arguments {
        let values = argument.get_value_names().unwrap_or_default();
        let takes = argument.get_action().takes_values();
        let values: String = values
            .iter()
            .filter(|_| takes)
            .map(
                |name| if argument.is_positional() { name.to_string() } else { format!(" {name}") },
            )
            .collect();
        let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
        let long = argument.get_long().map(|long| format!("--{long}")).unwrap_or_default();
        let name = format!("{short}{long}{values}").replace('|', "\\|");
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        page.push_str(&format!("| `{name}` | {} |\n", help.replace('|', "\\|")));
    }
}
