//! `warg info` and `warg update`: what is known, and bringing it up to date.

use serde_json::json;
use wargate_client::Package;
use wargate_console::harmless;
use wargate_protocol::PackageName;

use crate::args::Info;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Shows what is known, without asking anybody.
pub(crate) fn info(context: &Context, options: &Info) -> Result<Report, Failure> {
    let settings = &context.config.settings;
    let mut namespaces = String::new();
    let mut map = serde_json::Map::new();
    for (namespace, registry) in &settings.namespaces {
        namespaces.push_str(&format!("  {namespace} -> {registry}\n"));
        map.insert(namespace.to_string(), registry.to_string().into());
    }
    if options.namespaces {
        let text = if namespaces.is_empty() {
            "No namespace has a registry of its own.\n".to_owned()
        } else {
            format!("Namespaces:\n{namespaces}")
        };
        return Ok(Report::new(text, json!({ "namespaces": map })));
    }
    let client = context.client()?;
    let mut packages = client.packages()?;
    packages.retain(|package| options.package.as_ref().is_none_or(|name| package.name() == name));
    let home = settings.home.as_ref();
    let token = home.map(|home| context.credentials()?.locate_token(home).map_err(Failure::from));
    let token = token.transpose()?.flatten();
    let mut text = String::new();
    if options.package.is_none() {
        let label = home.map_or_else(|| "none".into(), |home| home.domain().to_string());
        let login = if token.is_some() { "logged in" } else { "not logged in" };
        text.push_str(&format!("Registry: {label} ({login})\n"));
    }
    text.push_str("Packages:\n");
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
    if !namespaces.is_empty() && options.package.is_none() {
        text.push_str(&format!("Namespaces:\n{namespaces}"));
    }
    let json = json!({
        "registry": home.map(ToString::to_string),
        "loggedIn": token.is_some(),
        "packages": list,
        "namespaces": map,
    });
    Ok(Report::new(text, json))
}

fn versions(package: &Package) -> Vec<(String, String)> {
    let releases = package.state().releases();
    let standing = releases.filter_map(|release| Some((release, release.content()?)));
    standing.map(|(release, digest)| (release.version.to_string(), digest.to_string())).collect()
}

/// Brings what is known of packages up to date.
pub(crate) fn update(context: &Context, names: &[PackageName]) -> Result<Report, Failure> {
    context.run(|client| async move {
        let names = if names.is_empty() {
            client.packages()?.iter().map(|package| package.name().clone()).collect()
        } else {
            names.to_vec()
        };
        let mut before = Vec::new();
        for name in &names {
            before.push(client.known(name)?.map(|package| package.index()));
        }
        let packages = client.update(&names).await?;
        let mut text = String::new();
        let mut list = Vec::new();
        for (package, before) in packages.iter().zip(before) {
            let changed = before != Some(package.index());
            if changed {
                text.push_str(&format!("{} has changed.\n", package.name()));
            }
            list.push(json!({ "package": package.name().as_str(), "changed": changed }));
        }
        let plural = if packages.len() == 1 { " is" } else { "s are" };
        text.push_str(&format!("{} package{plural} up to date.\n", packages.len()));
        Ok(Report::new(text, json!({ "packages": list })))
    })
}
