//! `warg info` and `warg update`: what is known, and bringing it up to date.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wargate_client::seams::Asked;
use wargate_client::{Client, Error, Kind, Package};
use wargate_console::{counted, harmless};
use wargate_protocol::PackageName;

use crate::args::Info;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::output::Report;

/// Shows what is known, without asking anybody.
pub(crate) fn info(context: &Context, options: &Info) -> Result<Report, Failure> {
    let settings = &context.config.settings;
    let client = context.client()?;
    let namespaces = namespaces(context, &client)?;
    if options.namespaces {
        let text = if namespaces.text.is_empty() {
            "No namespace has a registry of its own.\n".to_owned()
        } else {
            namespaces.text
        };
        let json = json!({
            "namespaces": namespaces.configured,
            "imported": namespaces.imported,
            "hints": namespaces.hints,
        });
        return Ok(Report::new(text, json));
    }
    let mut packages = client.packages()?;
    packages.retain(|package| options.package.as_ref().is_none_or(|name| package.name() == name));
    let home = settings.home.as_ref();
    let mut token = None;
    if let Some(home) = home {
        let api = client.registry(home.clone()).known_api()?;
        let asked = Asked { named: home, api: api.as_ref().unwrap_or(home) };
        token = context.credentials()?.locate_token(asked)?;
    }
    let mut text = String::new();
    if options.package.is_none() {
        let label = home.map_or_else(|| "none".into(), |home| home.domain().to_string());
        let login = if token.is_some() { "logged in" } else { "not logged in" };
        text.push_str(&format!("Registry: {label} ({login})\n"));
    }
    text.push_str(if packages.is_empty() { "Packages: none\n" } else { "Packages:\n" });
    let mut list = Vec::new();
    for package in &packages {
        let versions = versions(package);
        text.push_str(&format!("  {} at {}\n", package.name(), package.registry()));
        for (version, digest) in &versions {
            text.push_str(&format!("    {version} ({})\n", harmless(digest)));
        }
        list.push(json!({
            "package": package.name().as_str(),
            "registry": package.registry().as_str(),
            "versions": versions.iter().map(|(version, digest)| {
                json!({ "version": version, "digest": digest })
            }).collect::<Vec<_>>(),
        }));
    }
    if options.package.is_none() {
        text.push_str(&namespaces.text);
    }
    let json = json!({
        "registry": home.map(ToString::to_string),
        "loggedIn": token.is_some(),
        "packages": list,
        "namespaces": namespaces.configured,
        "imported": namespaces.imported,
        "hints": namespaces.hints,
    });
    Ok(Report::new(text, json))
}

/// Which registry namespaces have: by the configuration, by the home registry's operator, and by hints
/// that were followed.
struct Namespaces {
    text: String,
    configured: Map<String, Value>,
    imported: Map<String, Value>,
    hints: Map<String, Value>,
}

fn namespaces(context: &Context, client: &Client) -> Result<Namespaces, Failure> {
    let settings = &context.config.settings;
    let (mut text, mut configured) = (String::new(), Map::new());
    let (mut imported, mut hints) = (Map::new(), Map::new());
    for (namespace, registry) in &settings.namespaces {
        text.push_str(&format!("  {namespace} -> {registry}\n"));
        configured.insert(namespace.to_string(), registry.to_string().into());
    }
    if !text.is_empty() {
        text.insert_str(0, "Namespaces:\n");
    }
    if let Some(home) = &settings.home {
        let imports = client.imported_namespaces(&client.home()?)?;
        if !imports.is_empty() {
            text.push_str(&format!("Imported by the operator of {}:\n", home.domain()));
        }
        for (namespace, registry) in imports {
            text.push_str(&format!("  {namespace} -> {registry}\n"));
            imported.insert(namespace.to_string(), registry.to_string().into());
        }
        let followed = client.followed_hints(&home.domain())?;
        if !followed.is_empty() {
            text.push_str(&format!("Hints of {} that were followed:\n", home.domain()));
        }
        for (namespace, registry) in followed {
            text.push_str(&format!("  {namespace} -> {registry}\n"));
            hints.insert(namespace.to_string(), registry.to_string().into());
        }
    }
    Ok(Namespaces { text, configured, imported, hints })
}

fn versions(package: &Package) -> Vec<(String, String)> {
    let releases = package.state().releases();
    let standing = releases.filter_map(|release| Some((release, release.content()?)));
    standing.map(|(release, digest)| (release.version.to_string(), digest.to_string())).collect()
}

/// Brings what is known of packages up to date.
pub(crate) fn update(context: &Context, names: &[PackageName]) -> Result<Report, Failure> {
    context.run(|client| async move {
        let key = |package: &Package| (package.registry().clone(), package.name().clone());
        let known = client.packages()?;
        let before: BTreeMap<_, _> = known.iter().map(|it| (key(it), it.index())).collect();
        // Without names each is asked for where it is from, whatever is configured now.
        let (packages, failures) = match names {
            [] => all_known(&client).await?,
            names => (client.update(names).await?, Vec::new()),
        };
        let mut text = String::new();
        let mut list = Vec::new();
        for package in &packages {
            context.tell_where(package);
            let changed = before.get(&key(package)) != Some(&package.index());
            if changed {
                text.push_str(&format!("{} has changed.\n", package.name()));
            }
            list.push(json!({ "package": package.name().as_str(), "changed": changed }));
        }
        let count = counted(packages.len() as u64, "package");
        let verb = if packages.len() == 1 { "is" } else { "are" };
        if !packages.is_empty() || failures.is_empty() {
            text.push_str(&format!("{count} {verb} up to date.\n"));
        }
        let report = Report::new(text, json!({ "packages": list }));
        let mut failures = failures.into_iter();
        let Some(worst) = failures.next() else { return Ok(report) };
        let mut failure = Failure::from(worst);
        for other in failures {
            failure = failure
                .hint(format!("there was another failure: {}", harmless(&other.to_string())));
        }
        Err(Failed::Other(failure.after(report)))
    })
}

/// Updates all that is known. What fails is in an order in which lies come first.
async fn all_known(client: &Client) -> Result<(Vec<Package>, Vec<Error>), Error> {
    let (mut packages, mut failures) = (Vec::new(), Vec::new());
    for updated in client.update_known().await? {
        match updated.packages {
            Ok(of_registry) => packages.extend(of_registry),
            Err(error) => failures.push(error),
        }
    }
    failures.sort_by_key(|error| error.kind() != Kind::Untrusted);
    Ok((packages, failures))
}
