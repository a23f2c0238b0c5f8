//! The commands, each in its module.

mod adapt;
mod adapters;
mod bundle;
mod compose;
mod composing;
mod config;
mod demo;
mod dependencies;
mod diff;
mod fetch;
mod get;
mod info;
mod inspect;
mod key;
mod linking;
mod lock;
mod locking;
mod login;
mod manual;
mod monitor;
mod plug;
mod product;
mod project;
mod publish;
mod publish_files;
mod roots;
mod run;
mod show;
mod subject;
mod targets;
mod time;
mod trust;
mod update;
mod verify;
mod virtualize;
mod wit;

use serde_json::json;
use wargate_console::counted;

use crate::args::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Does what was asked if it needs no configuration: a broken one is no reason to refuse the manual.
pub(crate) fn run_alone(command: &Command) -> Option<Result<Report, Failure>> {
    match command {
        Command::Completions { shell } => Some(Ok(manual::completions(*shell))),
        Command::Man { markdown: true, .. } => Some(Ok(manual::markdown())),
        Command::Man { out, .. } => Some(manual::pages(out.as_deref())),
        _ => None,
    }
}

/// Does what was asked.
pub(crate) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Get(options) => get::get(context, &options),
        Command::Download(options) => get::download(context, &options),
        Command::Publish(options) => {
            refuse_misplaced("publish", options.misplaced())?;
            publish::run(context, *options)
        }
        Command::Show(options) => show::show(context, &options),
        Command::Versions(options) => show::versions(context, &options.package),
        Command::Log(options) => show::log(context, &options.package),
        Command::Dependencies(options) => dependencies::run(context, &options),
        Command::Lock(options) => lock::run(context, &options),
        Command::Update(options) => update::update(context, &options),
        Command::Outdated(options) => update::outdated(context, &options),
        Command::Inspect(options) => inspect::run(context, &options),
        Command::Wit(options) => wit::run(context, &options),
        Command::Diff(options) => diff::run(context, &options),
        Command::Bundle(options) => bundle::run(context, &options),
        Command::Compose(options) => compose::run(context, &options),
        Command::Plug(options) => plug::run(context, &options),
        Command::Targets(options) => targets::run(context, &options),
        Command::Adapt(options) => adapt::run(context, &options),
        Command::Run(options) => run::run(context, &options),
        Command::Serve(options) => run::serve(context, &options),
        Command::Virtualize(options) => virtualize::run(context, &options),
        Command::Fetch(options) => fetch::run(context, &options),
        Command::Add(options) => project::add(context, &options),
        Command::Remove(options) => project::remove(context, &options),
        Command::Verify(options) => verify::run(context, &options),
        Command::Monitor(options) => monitor::run(context, &options),
        Command::Demo(options) => demo::run(context, &options),
        Command::Trust(options) => trust::run(context, &options),
        Command::Info(options) => info::info(context, &options),
        Command::Login(options) => login::login(context, &options),
        Command::Logout(options) => login::logout(context, &options),
        Command::Whoami => login::whoami(context),
        Command::Key(command) => key::run(context, &command),
        Command::Config(options) => {
            refuse_misplaced("config", options.misplaced())?;
            config::run(context, &options)
        }
        Command::Clear => {
            let bytes = context.client()?.clear()?.saturating_add(run::clear(context)?);
            Ok(Report::new(
                format!("Deleted {} of content.\n", counted(bytes, "byte")),
                json!({ "bytes": bytes }),
            ))
        }
        Command::Reset => {
            let client = context.client()?;
            let registries = client.registries()?;
            let names: Vec<_> =
                registries.iter().map(|registry| registry.domain().to_string()).collect();
            client.reset()?;
            let text = match names.len() {
                0 => "Nothing was known of any registry.\n".to_owned(),
                _ => format!("Forgot what was known of {}.\n", names.join(", ")),
            };
            Ok(Report::new(text, json!({ "registries": names })))
        }
        command @ (Command::Completions { .. } | Command::Man { .. }) => run_alone(&command)
            .unwrap_or_else(|| Err(Failure::other("the command was not understood"))),
    }
}

/// Refuses what stands before a verb and would have no meaning there.
fn refuse_misplaced(command: &str, misplaced: Option<&str>) -> Result<(), Failure> {
    let Some(misplaced) = misplaced else { return Ok(()) };
    let message = format!("{misplaced} before the verb has no meaning for `warg {command}`");
    Err(Failure::usage(message).hint(format!(
        "leave it out, or put it behind the verb if that takes it (`warg {command} --help`)"
    )))
}
