//! `warg demo`: the whole system on one machine, told as a story.
//!
//! A registry runs in a temporary directory, and people with directories of their own use it with this
//! very program. In between sits a line on which somebody lies later. Nothing of the user's own
//! configuration, keys or cache is read or written.

mod line;
mod registry;
mod stage;
mod story;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::json;

use self::line::Line;
use self::stage::{Look, Stage, cannot_write};
use self::story::World;
use crate::args::Demo;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Listener;
use crate::output::Report;

/// The transcript's name in the temporary directory.
const TRANSCRIPT: &str = "transcript.md";

/// The command.
pub(crate) fn run(context: &Context, options: &Demo) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    runtime.block_on(show(context, options))
}

async fn show(context: &Context, options: &Demo) -> Result<Report, Failure> {
    let program = registry::program(options.server.as_deref()).await?;
    let failed = |error| Failure::local(format!("cannot make a temporary directory: {error}"));
    let temporary = tempfile::Builder::new().prefix("warg-demo-").tempdir().map_err(failed)?;
    let directory = temporary.path().to_owned();
    let failed = |error| Failure::local(format!("cannot listen on this machine: {error}"));
    let line = Line::open().await.map_err(failed)?;
    let mut world = World { program, directory: directory.clone(), line, registry: None };
    let globals = &context.globals;
    let mut stage = Stage::new(
        &directory,
        Look { shown: !globals.json && !globals.quiet, color: colors(context.config.color) },
    );
    let told = tokio::select! {
        told = story::tell(&mut stage, &mut world) => told,
        stopped = stopped() => Err(stopped),
    };
    // In any case; what it is asked to end with, dropping the directory, comes last.
    world.stop().await;
    let transcript = write(&stage, &directory, options)?;
    if options.keep {
        let _ = temporary.keep();
    }
    told?;
    let mut json = json!({ "steps": stage.to_json() });
    let mut text = "\nEvery lie was caught.".to_owned();
    if let Some(path) = &transcript {
        text.push_str(&format!(" The transcript is {}.", path.display()));
        json["transcript"] = path.display().to_string().into();
    } else {
        text.push_str(" `--transcript FILE` writes down all that was said.");
    }
    if options.keep {
        text.push_str(&format!("\nAll that was made is in {}.", directory.display()));
        json["directory"] = directory.display().to_string().into();
    }
    text.push_str("\nNext: docs/cli.md, or a registry of your own with `wargate`.\n");
    Ok(Report::new(text, json))
}

/// Writes the transcript, where somebody will find it.
fn write(stage: &Stage, directory: &Path, options: &Demo) -> Result<Option<PathBuf>, Failure> {
    let kept = options.keep.then(|| directory.join(TRANSCRIPT));
    let Some(path) = options.transcript.clone().or(kept) else { return Ok(None) };
    std::fs::write(&path, stage.transcript()).map_err(|error| cannot_write(&path, &error))?;
    Ok(Some(path))
}

fn colors(when: &str) -> bool {
    match when {
        "always" => true,
        "never" => false,
        _ => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            std::io::stdout().is_terminal() && !unwanted
        }
    }
}

/// Waits until the user stops it.
async fn stopped() -> Failure {
    let listener = Listener::new();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let heard = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        if let (Ok(mut terminate), Ok(mut hangup)) = heard {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                () = listener.stopped() => {}
            }
            return Failure::interrupted();
        }
    }
    listener.stopped().await;
    Failure::interrupted()
}
