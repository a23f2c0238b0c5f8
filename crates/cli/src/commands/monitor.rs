//! `warg monitor`: following a registry for ever.

use serde_json::Value;
use wargate_client::Client;
use wargate_client::monitor::{MonitorEvent, Options, Outcome, Webhook};
use wargate_client::origin::RegistryUrl;
use wargate_console::{counted, harmless};
use wargate_protocol::SignedCheckpoint;

use super::time;
use super::verify::read_checkpoint;
use crate::args::Monitor;
use crate::context::{Context, Failed};
use crate::failure::{EXIT_UNAVAILABLE, EXIT_UNTRUSTED, Failure};
use crate::output::{Report, note, print};

/// The command.
pub(crate) fn run(context: &Context, options: &Monitor) -> Result<Report, Failure> {
    let url = match &options.url {
        Some(url) => url.parse()?,
        None => context.home()?.clone(),
    };
    let trusted = options.from.as_deref().map(read_checkpoint).transpose()?;
    let (url, trusted) = (&url, &trusted);
    context.run(|client| watch(context, options, client, url.clone(), trusted.clone()))
}

async fn watch(
    context: &Context,
    options: &Monitor,
    client: Client,
    url: RegistryUrl,
    trusted: Option<SignedCheckpoint>,
) -> Result<Report, Failed> {
    let webhook = options.webhook.as_deref().map(|url| Webhook::new(&client, url));
    let mut webhook = webhook.transpose()?;
    let mut monitor = client.registry(url).monitor(Options {
        trusted,
        checkpoint_age_max: options.max_age,
        still_max: options.max_still,
    })?;
    loop {
        let tick = monitor.tick().await?;
        for event in &tick.events {
            show(context, options.once, event)?;
        }
        if let Some(webhook) = &mut webhook
            && let Err(error) = webhook.tell(&tick.events).await
        {
            let waiting = counted(webhook.waiting() as u64, "event");
            note(&harmless(&format!("warning: {error}; {waiting} not told yet")));
        }
        if options.once {
            let exit = match tick.outcome {
                Outcome::Advanced | Outcome::Unchanged => 0,
                Outcome::Alarm => EXIT_UNTRUSTED,
                Outcome::Unavailable => EXIT_UNAVAILABLE,
            };
            // All was said already.
            return Ok(Report { exit, ..Report::new("", Value::Null) });
        }
        monitor.pause(options.interval).await;
    }
}

/// One line for each event; without `--json` or `--verbose`, none that only says that nothing changed.
fn show(context: &Context, once: bool, event: &MonitorEvent) -> Result<(), Failed> {
    let globals = &context.globals;
    if globals.json {
        let line = serde_json::to_string(event)
            .map_err(|error| Failure::local(format!("the event is no JSON: {error}")))?;
        return Ok(print(format!("{line}\n").as_bytes())?);
    }
    let spare = globals.quiet && !event.what.is_alarm();
    if spare || (event.what.is_quiet() && !once && !globals.verbose) {
        return Ok(());
    }
    let (time, what) = (time::absolute(event.time), harmless(&event.what.to_string()));
    Ok(print(format!("{time} {}: {what}\n", event.registry).as_bytes())?)
}
