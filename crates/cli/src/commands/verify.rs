//! `warg verify`: deriving files, packages and registries anew.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Value, json};
use wargate_client::origin::RegistryUrl;
use wargate_client::verify::{Depth, Relation};
use wargate_client::{Client, Registry};
use wargate_console::{counted, harmless};
use wargate_protocol::{PackageName, SignedCheckpoint, Version};

use super::time;
use crate::args::Verify;
use crate::context::{Context, Failed};
use crate::failure::{EXIT_UNTRUSTED, Failure};
use crate::output::Report;

/// Most bytes of a file that is verified: it is read into memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Most bytes of a file with a checkpoint.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 20;

/// What is verified.
enum Target {
    File(Vec<u8>),
    Package(PackageName, Option<Version>),
    Registry,
    Checkpoint(Box<SignedCheckpoint>),
    OurCheckpoint,
}

/// The command.
pub(crate) fn run(context: &Context, options: &Verify) -> Result<Report, Failure> {
    let target = &target(options)?;
    let depth = Depth { contents: options.contents };
    context.run(|client| async move {
        match target {
            Target::File(bytes) if options.deep => {
                let report = client.verify_sources(bytes).await?;
                Ok(describe(&report))
            }
            Target::File(bytes) => {
                let report = client.verify_file(bytes, options.package.as_ref()).await?;
                Ok(describe(&report))
            }
            Target::Package(..) if options.deep => Err(Failed::Other(
                Failure::usage("`--deep` looks into a file, and no file is named")
                    .hint("`warg get` gets a release as a file"),
            )),
            Target::Package(name, version) => {
                let mut report = client.verify_package(name, depth).await?;
                if let Some(version) = version {
                    report.releases.retain(|release| release.version == *version);
                    if report.releases.is_empty() {
                        let message = format!("`{name}` has no release {version}");
                        return Err(Failed::Other(Failure::not_found(message)));
                    }
                }
                Ok(describe(&report))
            }
            Target::Registry => Ok(describe(&registry(context, &client)?.verify(depth).await?)),
            Target::Checkpoint(given) => compare(&registry(context, &client)?, given).await,
            Target::OurCheckpoint => Box::pin(export(context, &registry(context, &client)?)).await,
        }
    })
}

fn target(options: &Verify) -> Result<Target, Failure> {
    if let Some(path) = &options.checkpoint {
        return Ok(Target::Checkpoint(Box::new(read_checkpoint(path)?)));
    }
    let Some(target) = &options.target else {
        return Ok(if options.all { Target::Registry } else { Target::OurCheckpoint });
    };
    let (name, version) = match target.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (target.as_str(), None),
    };
    let Ok(name) = name.parse::<PackageName>() else {
        let path = Path::new(target);
        let bytes = read(path, FILE_BYTES_MAX).map_err(|failure| {
            if path.exists() || target == "-" {
                return failure;
            }
            if target.contains("://") {
                return failure
                    .hint("`warg verify --all --registry URL` verifies a whole registry");
            }
            failure.hint("a package is named NAMESPACE:NAME; anything else is a file")
        });
        return Ok(Target::File(bytes?));
    };
    let version = version.map(str::parse).transpose();
    let version =
        version.map_err(|error| Failure::usage(format!("`{target}` names no version: {error}")))?;
    Ok(Target::Package(name, version))
}

/// The registry that is meant: one that is named, or home.
fn registry(context: &Context, client: &Client) -> Result<Registry, Failed> {
    let url: RegistryUrl = context.home()?.clone();
    Ok(client.registry(url))
}

/// Reads a checkpoint that somebody handed on.
pub(crate) fn read_checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    let bytes = read(path, CHECKPOINT_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::usage(format!("{} holds no checkpoint: {error}", path.display()))
            .hint("`warg verify --export-checkpoint` prints one")
    })
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| {
        let message = format!("cannot read {}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound => Failure::usage(message),
            _ => Failure::local(message),
        }
    };
    let mut bytes = Vec::new();
    let from: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path).map_err(failed)?),
    };
    from.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("{} has more than {bytes_max} bytes", path.display());
        return Err(Failure::usage(message));
    }
    Ok(bytes)
}

async fn compare(registry: &Registry, given: &SignedCheckpoint) -> Result<Report, Failed> {
    let comparison = registry.compare(given).await?;
    let length = |checkpoint: &SignedCheckpoint| checkpoint.contents.checkpoint.log_length.get();
    let (given, ours) = (length(&comparison.given), length(&comparison.ours));
    let how = match comparison.relation {
        Relation::Earlier if given == 1 => {
            format!("its one record is the first of the {ours} that we see")
        }
        Relation::Earlier => format!("its {given} records are the first of the {ours} that we see"),
        Relation::Same => format!("we see the same {}", counted(ours, "record")),
        Relation::Later => {
            format!("it has {given} records, of which we are shown the first {ours}")
        }
    };
    let text = format!(
        "The checkpoint is {}'s, and of the history that we see: {how}.\n",
        registry.domain()
    );
    let json = serde_json::to_value(&comparison).unwrap_or(Value::Null);
    Ok(Report::new(text, json!({ "registry": registry.domain().as_str(), "comparison": json })))
}

async fn export(context: &Context, registry: &Registry) -> Result<Report, Failed> {
    if !context.config.settings.offline {
        Box::pin(registry.refresh()).await?;
    }
    let Some(checkpoint) = registry.checkpoint()? else {
        let message = format!("no checkpoint of {} is known", registry.domain());
        return Err(Failed::Other(Failure::not_found(message)));
    };
    Ok(Report::export(json!(checkpoint)))
}

/// What was proven, line by line.
fn describe(report: &wargate_client::verify::Report) -> Report {
    let mut text = String::new();
    for fact in &report.facts {
        text.push_str(&format!("ok: {}\n", harmless(&fact.text)));
    }
    // For a file the facts have said it.
    for release in report.releases.iter().filter(|_| report.file.is_none()) {
        let content =
            release.content_bytes.map(|bytes| format!(", {} hashed", counted(bytes, "byte")));
        text.push_str(&format!(
            "  {}{}: {}{}; record {}, signed by {} at {}\n",
            release.version,
            if release.yanked { " (yanked)" } else { "" },
            release.digest,
            content.unwrap_or_default(),
            release.registry_index,
            harmless(release.signed_by.as_str()),
            time::of(release.signed_at),
        ));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {}\n", harmless(note)));
    }
    for problem in &report.problems {
        text.push_str(&format!("problem: {}\n", harmless(problem)));
    }
    let more = report.problem_count.saturating_sub(report.problems.len() as u64);
    if more > 0 {
        text.push_str(&format!("problem: and {more} more\n"));
    }
    let json = serde_json::to_value(report).unwrap_or(Value::Null);
    let exit = if report.is_clean() { 0 } else { EXIT_UNTRUSTED };
    Report { exit, ..Report::new(text, json) }
}
