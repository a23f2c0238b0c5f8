//! `warg trust`: which registries are believed.

use serde_json::{Value, json};
use wargate_client::Registry;
use wargate_client::origin::RegistryUrl;
use wargate_console::harmless;
use wargate_crypto::{Digest, KeyId};

use super::time;
use crate::args::Trust;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::output::Report;

/// The command.
pub(crate) fn run(context: &Context, options: &Trust) -> Result<Report, Failure> {
    if let Some(id) = &options.evidence {
        return evidence(context, id);
    }
    let Some(url) = &options.url else {
        let mut text = String::new();
        let mut list = Vec::new();
        for registry in context.client()?.registries()? {
            let (lines, json) = describe(context, &registry)?;
            text.push_str(&lines);
            list.push(json);
        }
        if list.is_empty() {
            text.push_str("Nothing is known of any registry yet.\n");
        }
        return Ok(Report::new(text, json!({ "registries": list })));
    };
    let url: RegistryUrl = url.parse()?;
    if options.forget {
        context.client()?.registry(url.clone()).forget()?;
        let text = format!("Forgot what was known of {}.\n", url.domain());
        return Ok(Report::new(text, json!({ "forgotten": url.domain().as_str() })));
    }
    if let Some(key) = &options.confirm {
        let digest: Digest = key.parse().map_err(|_| {
            Failure::usage(format!("`{}` is not a fingerprint", key.escape_debug()))
                .hint("the registry's operator knows it; it begins with `sha256:`")
        })?;
        let registry = context.client()?.registry(url);
        registry.confirm(KeyId::from(digest))?;
        let (text, json) = describe(context, &registry)?;
        return Ok(Report::new(text, json));
    }
    let url = &url;
    context.run(|client| async move {
        let registry = client.registry(url.clone());
        Box::pin(registry.refresh()).await?;
        let (text, json) = describe(context, &registry).map_err(Failed::Other)?;
        Ok(Report::new(text, json))
    })
}

/// Prints a piece of evidence.
fn evidence(context: &Context, id: &str) -> Result<Report, Failure> {
    let client = context.client()?;
    let kept = client.evidence()?;
    let unknown = || {
        Failure::not_found(format!("there is no evidence `{}`", id.escape_debug()))
            .hint("`warg trust` lists what there is")
    };
    let id = kept.iter().find(|kept| kept.to_string() == id).ok_or_else(unknown)?;
    let piece = client.evidence_piece(id)?.ok_or_else(unknown)?;
    let json = serde_json::to_value(piece)
        .map_err(|error| Failure::local(format!("the evidence is no JSON: {error}")))?;
    Ok(Report::export(json))
}

fn describe(context: &Context, registry: &Registry) -> Result<(String, Value), Failure> {
    let pin = registry.pin()?;
    let checkpoint = registry.checkpoint()?;
    let evidence = registry.evidence()?;
    let configured = context.config.settings.operator_keys.get(registry.domain());
    let mut text = format!("{}\n", registry.domain());
    if let Some(pin) = &pin {
        let how = match (configured, pin.confirmed) {
            (Some(_), _) => "pinned by the configuration",
            (None, true) => "confirmed",
            (None, false) => "believed on first use",
        };
        text.push_str(&format!(
            "  Operator key: {}\n  {how}, {}\n  URL: {}\n",
            harmless(pin.operator_key.as_str()),
            time::both(pin.since.seconds()),
            harmless(&pin.url)
        ));
    }
    if let Some(checkpoint) = &checkpoint {
        let signed = i64::try_from(checkpoint.contents.timestamp_seconds).unwrap_or(i64::MAX);
        text.push_str(&format!(
            "  Checkpoint: length {}, signed {}\n",
            checkpoint.contents.checkpoint.log_length,
            time::both(signed)
        ));
    }
    for id in &evidence {
        text.push_str(&format!("  Evidence against it: {id}\n"));
    }
    let json = json!({
        "registry": registry.domain().as_str(),
        "operatorKey": pin.as_ref().map(|pin| pin.operator_key.as_str()),
        "confirmed": pin.as_ref().map(|pin| pin.confirmed),
        "pinnedBy": configured.map(|keys| keys.iter().map(KeyId::as_str).collect::<Vec<_>>()),
        "url": pin.as_ref().map(|pin| pin.url.as_str()),
        "since": pin.as_ref().map(|pin| time::of(pin.since)),
        "checkpoint": checkpoint,
        "evidence": evidence.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    Ok((text, json))
}
