//! `warg publish` with a verb: the reference client's forms.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use wargate_client::config::Origin;
use wargate_client::origin::RegistryUrl;
use wargate_client::{Change, Client, Collected, Error, Publication, Published, Registry};
use wargate_console::counted;
use wargate_crypto::{AnyDigest, Digest, KeyId, PrivateKey, PublicKey, Sha256};
use wargate_protocol::{PackageName, PackagePermission, RecordId};

use super::{publish_files, time};
use crate::args::{PermissionName, Publish, PublishCommand, PublishOptions, Release};
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::files::open_regular;
use crate::output::Report;

/// The command.
pub(crate) fn run(context: &Context, options: Publish) -> Result<Report, Failure> {
    let Some(command) = options.command else {
        return publish_files::run(context, &options.files);
    };
    // It may also stand before the verb.
    let waits = |own: PublishOptions| !(own.no_wait || options.files.options.no_wait);
    match command {
        PublishCommand::Init { package, options } => {
            change(context, &package, Change::Init, waits(options))
        }
        PublishCommand::Release(options) => release(context, &options, waits(options.options)),
        PublishCommand::Yank(options) => {
            if !options.yes {
                let (name, version) = (&options.name, &options.version);
                context.confirm(&format!("Yank {name}@{version}, for good?"), "--yes")?;
            }
            let yank = Change::Yank { version: options.version };
            change(context, &options.name, yank, waits(options.options))
        }
        PublishCommand::Grant(options) => {
            let key: PublicKey = options.public_key.parse().map_err(|error| {
                Failure::usage(format!("this is not a public key: {error}"))
                    .hint("its owner sees it with `warg key info`")
            })?;
            let permissions = permissions(&options.permission);
            let grant = Change::Grant { key, permissions };
            change(context, &options.name, grant, waits(options.options))
        }
        PublishCommand::Revoke(options) => {
            let digest: Digest = options.key_id.parse().map_err(|_| {
                Failure::usage("this is not the fingerprint of a key")
                    .hint("`warg show PACKAGE` lists the keys; they begin with `sha256:`")
            })?;
            let permissions = permissions(&options.permission);
            let revoke = Change::Revoke { key_id: KeyId::from(digest), permissions };
            change(context, &options.name, revoke, waits(options.options))
        }
        PublishCommand::Start { package } => {
            registry_of(&context.client()?, &package)?.begin_pending(package.clone())?;
            let text = format!("A publish of {package} is pending now.\n");
            Ok(Report::new(text, json!({ "pending": package.as_str() })))
        }
        PublishCommand::List => list(context),
        PublishCommand::Abort => abort(context),
        PublishCommand::Submit(options) => submit(context, waits(options)),
        PublishCommand::Wait { package, record_id } => wait(context, &package, record_id),
    }
}

fn permissions(names: &[PermissionName]) -> Vec<PackagePermission> {
    let one = |name: &PermissionName| match name {
        PermissionName::Release => PackagePermission::Release,
        PermissionName::Yank => PackagePermission::Yank,
    };
    names.iter().map(one).collect()
}

/// The registry that a package is published to.
pub(crate) fn registry_of(client: &Client, package: &PackageName) -> Result<Registry, Error> {
    let settings = client.settings();
    let mapped = settings.packages.get(package);
    match mapped.or_else(|| settings.namespaces.get(package.namespace())) {
        Some(url) => Ok(client.registry(url.clone())),
        None => client.home(),
    }
}

/// The key to sign with.
pub(crate) fn signing_key(context: &Context, registry: &Registry) -> Result<PrivateKey, Failed> {
    let credentials = context.credentials()?;
    let located = credentials.locate_signing_key(Some(registry.url())).map_err(Error::from)?;
    let key = located.ok_or_else(|| Error::NoSigningKey(registry.domain().clone()))?;
    Ok(key.secret)
}

/// Publishes one change, or adds it to the publish that is pending.
fn change(
    context: &Context,
    name: &PackageName,
    change: Change,
    wait: bool,
) -> Result<Report, Failure> {
    let client = context.client()?;
    let registry = registry_of(&client, name)?;
    if registry.pending()?.is_some() {
        let pending = registry.add_pending(name, change)?;
        let count = counted(pending.entries.len() as u64, "change");
        let text = format!("Added to the publish of {name} that is pending ({count}).\n");
        return Ok(Report::new(text, json!({ "pending": pending })));
    }
    let elsewhere = client.pending()?.into_iter().find(|it| it.publication.name == *name);
    if let Some(Collected { registry: other, .. }) = elsewhere {
        let (here, there) = (registry.domain(), other.domain());
        let message = format!(
            "a publish of `{name}` is pending at {there}, and the package now belongs to {here}"
        );
        return Err(Failure::usage(message)
            .hint("end it with `warg publish submit` or `warg publish abort` first"));
    }
    let publication = Publication { name: name.clone(), head: None, entries: vec![change] };
    publish(context, &publication, wait)
}

/// Publishes, from content that is in the cache.
fn publish(context: &Context, publication: &Publication, wait: bool) -> Result<Report, Failure> {
    context.run(|client| async move {
        let registry = registry_of(&client, &publication.name)?;
        let key = signing_key(context, &registry)?;
        let contents = client.kept(registry.domain());
        let published = Box::pin(registry.publish(publication, &key, &contents, wait)).await?;
        Ok(report(&publication.name, &registry, &published))
    })
}

fn release(context: &Context, options: &Release, wait: bool) -> Result<Report, Failure> {
    let client = context.client()?;
    let registry = registry_of(&client, &options.name)?;
    let (digest, _) = digest(context, &options.path)?;
    keep(&client, &registry, &options.path, &digest)?;
    let release =
        Change::Release { version: options.version.clone(), content: AnyDigest::from(digest) };
    change(context, &options.name, release, wait)
}

/// So much of a file is read at a time.
const PIECE_BYTES: usize = 128 << 10;

/// The digest of a file, and its length in bytes. However long it is, little of it is in memory.
pub(crate) fn digest(context: &Context, path: &Path) -> Result<(Digest, u64), Failure> {
    let failed = |error| cannot_read(path, &error);
    let limit = context.config.settings.content_bytes_max;
    let (file, metadata) = open_regular(path).map_err(failed)?;
    if metadata.len() > limit {
        return Err(too_long(path, limit));
    }
    // Somebody may still write to it.
    let mut file = file.take(limit.saturating_add(1));
    let (mut hasher, mut length, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        length += bytes.len() as u64;
    }
    if length > limit { Err(too_long(path, limit)) } else { Ok((hasher.finish(), length)) }
}

fn too_long(path: &Path, limit: u64) -> Failure {
    let limit = counted(limit, "byte");
    Failure::usage(format!("{} is longer than {limit}, the most that is published", path.display()))
}

/// Copies a file with this digest into the cache, from where it is sent.
pub(crate) fn keep(
    client: &Client,
    registry: &Registry,
    path: &Path,
    digest: &Digest,
) -> Result<(), Failure> {
    let (mut file, _) = open_regular(path).map_err(|error| cannot_read(path, &error))?;
    client.keep(registry.domain(), digest, &mut file).map_err(|error| match error {
        Error::Content(reason) => {
            Failure::usage(format!("{} cannot be published: {reason}", path.display()))
                .hint("wait until it is written, and try again")
        }
        error => error.into(),
    })
}

pub(crate) fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

/// The publish that is pending: at home, or else the only one, unless the command says where.
fn pending(context: &Context) -> Result<Collected, Failure> {
    let client = context.client()?;
    let mut all = client.pending()?;
    let home = client.settings().home.as_ref().map(RegistryUrl::domain);
    let at_home = all.iter().position(|pending| Some(pending.registry.domain()) == home.as_ref());
    let origin = context.config.origin("registry");
    let named =
        home.as_ref().filter(|_| matches!(origin, Some(Origin::Flag(_) | Origin::Variable(_))));
    let only = (all.len() == 1 && named.is_none()).then_some(0);
    if let Some(place) = at_home.or(only) {
        return Ok(all.swap_remove(place));
    }
    if all.is_empty() {
        return Err(none_pending());
    }
    let places: Vec<_> = all.iter().map(|pending| pending.registry.domain().as_str()).collect();
    let (places, verb) =
        (places.join(" and at "), if all.len() == 1 { "is one" } else { "are some" });
    let message = match named {
        Some(named) => format!("no publish is pending at {named}; there {verb} at {places}"),
        None => format!("publishes are pending at {places}"),
    };
    Err(Failure::usage(message).hint("name the registry of the one you mean with `--registry`"))
}

fn none_pending() -> Failure {
    Failure::usage("no publish is pending").hint("`warg publish start PACKAGE` begins one")
}

fn list(context: &Context) -> Result<Report, Failure> {
    let Collected { registry, publication } = pending(context)?;
    let mut text = format!("Pending at {}: {}\n", registry.domain(), publication.name);
    for change in &publication.entries {
        text.push_str(&format!("  {}\n", publish_files::sentence(change)));
    }
    Ok(Report::new(text, json!({ "registry": registry.domain().as_str(), "pending": publication })))
}

fn abort(context: &Context) -> Result<Report, Failure> {
    let client = context.client()?;
    if let Ok(home) = client.home()
        && matches!(home.pending(), Err(Error::Damaged { .. }))
    {
        home.abort_pending()?;
        let at = home.domain();
        let text =
            format!("Dropped the publish that was pending at {at}, which could not be read.\n");
        return Ok(Report::new(text, json!({ "dropped": null })));
    }
    let Collected { registry, publication } = pending(context)?;
    registry.abort_pending()?;
    let text = format!("Dropped the publish of {} that was pending.\n", publication.name);
    Ok(Report::new(text, json!({ "dropped": publication })))
}

fn submit(context: &Context, wait: bool) -> Result<Report, Failure> {
    let Collected { registry, publication } = pending(context)?;
    if publication.entries.is_empty() {
        return Err(Failure::usage("nothing was collected for the publish that is pending")
            .hint("`warg publish release`, `yank`, `grant` and `revoke` collect changes now"));
    }
    let (registry, name) = (&registry, &publication.name);
    context.run(|client| async move {
        // Where it was collected for, whatever is configured now.
        let registry = client.registry(registry.url().clone());
        let key = signing_key(context, &registry)?;
        let contents = client.kept(registry.domain());
        let mut published = Box::pin(registry.publish_pending(&key, &contents, wait)).await?;
        let last = published.pop().ok_or_else(none_pending)?;
        Ok(report(name, &registry, &last))
    })
}

fn wait(context: &Context, name: &PackageName, record: RecordId) -> Result<Report, Failure> {
    context.run(|client| async move {
        let registry = registry_of(&client, name)?;
        let published = Box::pin(registry.wait(name, record)).await?;
        Ok(report(name, &registry, &published))
    })
}

/// What came of a publication.
pub(crate) fn report(name: &PackageName, registry: &Registry, published: &Published) -> Report {
    let mut json = json!({ "package": name.as_str(), "registry": registry.domain().as_str() });
    let mut set = |key: &str, value: Value| json[key] = value;
    let text = match published {
        Published::InLog { record, registry_index, checkpoint, created, .. } => {
            set("state", "published".into());
            set("record", record.to_string().into());
            set("registryIndex", json!(registry_index));
            set("created", (*created).into());
            set("checkpoint", json!(checkpoint));
            let contents = &checkpoint.contents;
            let signed = i64::try_from(contents.timestamp_seconds).unwrap_or(i64::MAX);
            let verb = if *created { "Created and published" } else { "Published" };
            format!(
                "{verb} {name} at {}\nRecord: {record}\nIndex: {registry_index}\n\
                 Checkpoint: length {}, signed {}\n",
                registry.url(),
                contents.checkpoint.log_length,
                time::absolute(signed)
            )
        }
        Published::Already { .. } => {
            set("state", "already".into());
            format!("{name} at {} says all of it already; nothing was signed.\n", registry.url())
        }
        Published::Submitted { record } => {
            set("state", "submitted".into());
            set("record", record.to_string().into());
            format!("Submitted {name} to {}\nRecord: {record}\n", registry.url())
        }
    };
    Report::new(text, json)
}
