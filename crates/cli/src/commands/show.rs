//! `warg show`, `warg versions` and `warg log`: packages as their verified logs show them.

use serde_json::{Value, json};
use wargate_client::{Client, Contents, HistoryRecord, Package, Selector, Wanted};
use wargate_component::inspect::{Inspection, Limits, inspect};
use wargate_console::{Table, harmless};
use wargate_crypto::Digest;
use wargate_protocol::{
    Entry, PackageAction, PackageEntry, PackageName, PackagePermission, Release, ReleaseState,
};

use super::get::parse;
use super::time;
use crate::args::Show;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::output::Report;

async fn updated(
    context: &Context,
    client: &Client,
    name: &PackageName,
) -> Result<Package, Failed> {
    let packages = client.update(std::slice::from_ref(name)).await?;
    let package = packages.into_iter().next();
    let package = package.ok_or_else(|| Failed::Other(Failure::local("nothing was fetched")))?;
    context.tell_where(&package);
    Ok(package)
}

/// Shows a package, or one release of it.
pub(crate) fn show(context: &Context, options: &Show) -> Result<Report, Failure> {
    let (name, version) = parse(&options.package)?;
    if version.is_none() && options.interfaces {
        return Err(Failure::usage("`--interfaces` is about one release")
            .hint(format!("name it: `warg show {name}@VERSION --interfaces`")));
    }
    let version = version
        .map(|text| {
            text.parse()
                .map_err(|_| Failure::usage(format!("`{}` is not a version", text.escape_debug())))
        })
        .transpose()?;
    let (name, version) = (&name, &version);
    context.run(|client| async move {
        let package = updated(context, &client, name).await?;
        match version {
            None => Ok(whole(&package)),
            Some(version) => {
                let release = package.state().release(version).ok_or_else(|| {
                    wargate_client::Error::NoSuchRelease {
                        package: name.clone(),
                        wanted: Selector::Exact(version.clone()),
                        available: standing(&package),
                    }
                })?;
                let facts = facts(&client, &package, release, options.interfaces).await?;
                Ok(one(&package, release, facts.as_ref()))
            }
        }
    })
}

fn standing(package: &Package) -> Vec<wargate_protocol::Version> {
    let releases = package.state().releases().rev();
    releases.filter(|release| !release.is_yanked()).map(|release| release.version.clone()).collect()
}

fn head(package: &Package) -> String {
    let checkpoint = &package.checkpoint().contents;
    let signed = i64::try_from(checkpoint.timestamp_seconds).unwrap_or(i64::MAX);
    format!(
        "Package: {}\nRegistry: {}\nOperator key: {}\nCheckpoint: length {}, signed {}\n\
         Newest record: index {} of the registry's log\n",
        package.name(),
        package.registry(),
        harmless(package.operator_key().as_str()),
        checkpoint.checkpoint.log_length,
        time::both(signed),
        package.index(),
    )
}

fn whole(package: &Package) -> Report {
    let mut keys = Table::new(["KEY", "MAY"]);
    let mut holders = Vec::new();
    for (id, permissions) in package.state().permissions() {
        let names: Vec<_> = permissions.iter().map(permission).collect();
        keys.row([id.to_string(), names.join(", ")]);
        holders.push(json!({ "keyId": id.as_str(), "permissions": names }));
    }
    let (table, releases) = list(package);
    let text = format!("{}\n{table}\n{keys}", head(package));
    Report::new(text, document(package, json!({ "releases": releases, "keys": holders })))
}

/// What a release's content says about itself, if it is in the cache, or else fetched.
async fn facts(
    client: &Client,
    package: &Package,
    release: &Release,
    fetch: bool,
) -> Result<Option<Inspection>, Failed> {
    let Some(digest) = release.content().and_then(|digest| Digest::try_from(digest).ok()) else {
        return Ok(None);
    };
    if !fetch && client.kept(package.registry()).open(&digest).is_err() {
        return Ok(None);
    }
    let version = Selector::Exact(release.version.clone());
    let want = Wanted { name: package.name().clone(), version, yanked: false };
    let Some(mut fetched) = client.get(std::slice::from_ref(&want)).await?.pop() else {
        return Ok(None);
    };
    let limits = Limits::default();
    if fetched.content.length() > limits.bytes_max as u64 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let sound = client.copy(&mut fetched, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    // What is no component can be released too.
    Ok(Some(bytes).filter(|_| sound).and_then(|bytes| inspect(&bytes, &limits).ok()))
}

/// What a component needs and offers.
fn interfaces(facts: &Inspection) -> String {
    let kind = match facts.kind {
        wargate_component::inspect::Kind::Component => "a component",
        wargate_component::inspect::Kind::CoreModule => "a core module",
        wargate_component::inspect::Kind::WitPackage => "interfaces (WIT)",
    };
    let mut text = format!("Kind: {kind}\n");
    for (word, list) in [("Needs", &facts.imports), ("Offers", &facts.exports)] {
        for (at, item) in list.iter().enumerate() {
            let word = if at == 0 { format!("{word}:") } else { String::new() };
            let module = item.module.as_ref().map(|module| format!("{module} "));
            let name = harmless(&format!("{}{}", module.unwrap_or_default(), item.name));
            text.push_str(&format!("{word:8}{name}\n"));
        }
    }
    text
}

fn one(package: &Package, release: &Release, facts: Option<&Inspection>) -> Report {
    let mut text = head(package);
    text.push_str(&format!(
        "Version: {}\nReleased: {}\nBy: {}\nRecord: {}\n",
        release.version,
        time::both(release.timestamp.seconds()),
        harmless(release.by.as_str()),
        release.record_id
    ));
    match &release.state {
        ReleaseState::Released { content } => text.push_str(&format!("Digest: {content}\n")),
        ReleaseState::Yanked { by, timestamp } => text.push_str(&format!(
            "Yanked: {}\nYanked by: {}\n",
            time::both(timestamp.seconds()),
            harmless(by.as_str())
        )),
    }
    let mut json = release_json(release);
    if let Some(facts) = facts {
        text.push_str(&interfaces(facts));
        json["inspection"] = serde_json::to_value(facts).unwrap_or(Value::Null);
    }
    Report::new(text, document(package, json!({ "release": json })))
}

/// Lists the versions of a package.
pub(crate) fn versions(context: &Context, name: &PackageName) -> Result<Report, Failure> {
    context.run(|client| async move {
        let package = updated(context, &client, name).await?;
        let (table, releases) = list(&package);
        Ok(Report::new(table.to_string(), document(&package, json!({ "releases": releases }))))
    })
}

/// The releases, the highest version first.
fn list(package: &Package) -> (Table, Vec<Value>) {
    let mut table = Table::new(["VERSION", "RELEASED", "DIGEST", "BY"]);
    let mut list = Vec::new();
    for release in package.state().releases().rev() {
        let digest = release.content().map_or("yanked".into(), |digest| short(&digest.to_string()));
        let by = short(release.by.as_str());
        table.row([release.version.to_string(), time::of(release.timestamp), digest, by]);
        list.push(release_json(release));
    }
    (table, list)
}

fn release_json(release: &Release) -> Value {
    let mut json = json!({
        "version": release.version.to_string(),
        "released": time::of(release.timestamp),
        "by": release.by.as_str(),
        "record": release.record_id.to_string(),
        "yanked": release.is_yanked(),
    });
    if let Some(digest) = release.content() {
        json["digest"] = digest.to_string().into();
    }
    json
}

fn document(package: &Package, more: Value) -> Value {
    let mut json = json!({
        "package": package.name().as_str(),
        "registry": package.registry().as_str(),
        "operatorKey": package.operator_key().as_str(),
        "registryIndex": package.index(),
        "checkpoint": package.checkpoint(),
    });
    if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
        json.extend(more);
    }
    json
}

/// Shows the records of a package, the newest first.
pub(crate) fn log(context: &Context, name: &PackageName) -> Result<Report, Failure> {
    context.run(|client| async move {
        let package = updated(context, &client, name).await?;
        let known = client.registries()?;
        let registry = known.into_iter().find(|known| known.domain() == package.registry());
        let registry = registry.map_or_else(|| client.home(), Ok)?;
        let records = registry.history(&package).await?;
        let mut text = String::new();
        let mut list = Vec::new();
        for record in records.iter().rev() {
            text.push_str(&format!(
                "record {}\nIndex:  {}\nKey:    {}\nDate:   {}\n\n",
                record.id,
                record.registry_index,
                harmless(record.key_id.as_str()),
                time::both(record.timestamp.seconds())
            ));
            for entry in &record.entries {
                text.push_str(&format!("    {}\n", harmless(&sentence(entry))));
            }
            text.push('\n');
            list.push(record_json(record));
        }
        Ok(Report::new(text, document(&package, json!({ "records": list }))))
    })
}

fn record_json(record: &HistoryRecord) -> Value {
    json!({
        "record": record.id.to_string(),
        "registryIndex": record.registry_index,
        "keyId": record.key_id.as_str(),
        "time": time::of(record.timestamp),
        "entries": record.entries.iter().map(entry_json).collect::<Vec<_>>(),
    })
}

fn sentence(entry: &PackageEntry) -> String {
    let join = |permissions: &[PackagePermission]| {
        permissions.iter().map(|one| permission(*one)).collect::<Vec<_>>().join(", ")
    };
    match entry {
        Entry::Init { key, .. } => format!("created by {}", key.id()),
        Entry::Grant { key, permissions } => {
            format!("{} may {}", key.id(), join(permissions))
        }
        Entry::Revoke { key_id, permissions } => {
            format!("{key_id} may no longer {}", join(permissions))
        }
        Entry::Action(PackageAction::Release { version, content }) => {
            format!("released {version} ({content})")
        }
        Entry::Action(PackageAction::Yank { version }) => format!("yanked {version}"),
    }
}

fn entry_json(entry: &PackageEntry) -> Value {
    let names = |permissions: &[PackagePermission]| {
        permissions.iter().map(|one| permission(*one)).collect::<Vec<_>>()
    };
    match entry {
        Entry::Init { key, .. } => json!({ "type": "init", "key": key.to_string() }),
        Entry::Grant { key, permissions } => json!({
            "type": "grant", "key": key.to_string(), "permissions": names(permissions) }),
        Entry::Revoke { key_id, permissions } => json!({
            "type": "revoke", "keyId": key_id.as_str(), "permissions": names(permissions) }),
        Entry::Action(PackageAction::Release { version, content }) => json!({
            "type": "release", "version": version.to_string(), "digest": content.to_string() }),
        Entry::Action(PackageAction::Yank { version }) => {
            json!({ "type": "yank", "version": version.to_string() })
        }
    }
}

pub(crate) fn permission(permission: PackagePermission) -> &'static str {
    match permission {
        PackagePermission::Release => "release",
        PackagePermission::Yank => "yank",
    }
}

/// The beginning of a digest or fingerprint, enough to tell it from others.
pub(crate) fn short(text: &str) -> String {
    let text = harmless(text);
    match text.char_indices().nth(19) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
