//! The client as a component: `wargate_client` behind `wit/client.wit`.

mod bindings {
    #![expect(clippy::pedantic, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "client" });

    use super::Component;
    export!(Component);
}

mod host;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use wargate_client::memory::MemoryCache;
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::Silent;
use wargate_client::{
    Change, Client, Error, MemoryContents, Parts, Publication, Published, Registry, Selector,
    Settings, Wanted,
};
use wargate_crypto::{Digest, KeyId, PrivateKey};
use wargate_protocol::{PackageName, Version, VersionReq};

use bindings::exports::wargate::client::packages::{
    Content, Guest, Package, Problem, Published as PublishedRecord, Release, Settings as Given,
};

struct Component;

/// Most bytes of one content, which is held in memory.
const CONTENT_BYTES_MAX: u64 = 48 << 20;

impl Guest for Component {
    fn update(settings: Given, names: Vec<String>) -> Result<Vec<Package>, Problem> {
        let names =
            names.iter().map(|name| parse(name)).collect::<Result<Vec<PackageName>, _>>()?;
        let packages = wait::on(client(settings)?.update(&names)).map_err(problem)?;
        Ok(packages.iter().map(present).collect())
    }

    fn get(settings: Given, name: String, version: Option<String>) -> Result<Content, Problem> {
        let version = match version {
            Some(version) => Selector::Exact(parse::<Version>(&version)?),
            None => Selector::Highest(VersionReq::ANY),
        };
        let client = client(settings)?;
        let wanted = Wanted { name: parse(&name)?, version, yanked: false };
        let fetched = wait::on(client.get(&[wanted])).map_err(problem)?.pop();
        let Some(mut fetched) = fetched else { return Err(wrong("nothing came")) };
        let mut bytes = Vec::new();
        let mut take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        if !client.copy(&mut fetched, &mut take).map_err(problem)? {
            return Err(wrong("the content changed in memory"));
        }
        let (version, digest) = (fetched.release.version.to_string(), fetched.digest.to_string());
        Ok(Content { version, digest, bytes })
    }

    fn publish(
        settings: Given,
        key: String,
        name: String,
        version: String,
        content: Vec<u8>,
    ) -> Result<PublishedRecord, Problem> {
        let key = PrivateKey::from_text(&key).map_err(|error| wrong(&error.to_string()))?;
        let digest = Digest::of(&content);
        let version: Version = parse(&version)?;
        let entries = vec![Change::Release { version: version.clone(), content: digest.into() }];
        let publication = Publication { name: parse(&name)?, head: None, entries };
        let client = client(settings)?;
        let registry = client.home().map_err(problem)?;
        let contents = MemoryContents::of([content]);
        let publishing = registry.publish(&publication, &key, &contents, true);
        match wait::on(publishing).map_err(problem)? {
            Published::InLog { record, registry_index, .. } => {
                Ok(PublishedRecord { id: record.to_string(), registry_index: registry_index.get() })
            }
            Published::Already { package } => already(&registry, &package, &version),
            // It was waited for.
            Published::Submitted { record } => Err(wrong(&format!("{record} is not in the log"))),
        }
    }
}

/// The record that has released a version already.
fn already(
    registry: &Registry,
    package: &wargate_client::Package,
    version: &Version,
) -> Result<PublishedRecord, Problem> {
    let missing = || wrong("the version is released already, and its record is not found");
    let record = package.state().release(version).ok_or_else(missing)?.record_id;
    let history = wait::on(registry.history(package)).map_err(problem)?;
    let found = history.iter().find(|found| found.id == record).ok_or_else(missing)?;
    let registry_index = found.registry_index.get();
    Ok(PublishedRecord { id: record.to_string(), registry_index })
}

fn client(given: Given) -> Result<Client, Problem> {
    let home: RegistryUrl = parse(&given.registry)?;
    let mut settings = Settings::default();
    if !given.operator_keys.is_empty() {
        let keys = given.operator_keys.iter().map(|key| parse(key));
        let keys = keys.collect::<Result<Vec<KeyId>, _>>()?;
        settings.operator_keys.insert(home.domain(), keys);
    }
    settings.home = Some(home);
    settings.checkpoint_age_max = Some(Duration::from_secs(given.checkpoint_age_max_seconds));
    settings.attempts = given.attempts;
    settings.content_bytes_max = CONTENT_BYTES_MAX;
    let parts = Parts {
        transport: Arc::new(host::Http),
        state: Arc::new(host::Values),
        cache: Arc::new(MemoryCache::default()),
        clock: Arc::new(host::Time),
        random: Arc::new(host::Chance),
        secrets: Arc::new(host::NoSecrets),
        observer: Arc::new(Silent),
    };
    let client = Client::new(parts, settings);
    if let Some(believed) = given.believed {
        let checkpoint = serde_json::from_str(&believed);
        let checkpoint = checkpoint.map_err(|error| wrong(&format!("the checkpoint: {error}")))?;
        client.home().and_then(|home| home.believe(&checkpoint)).map_err(problem)?;
    }
    Ok(client)
}

fn present(package: &wargate_client::Package) -> Package {
    let releases = package.state().releases().map(|release| Release {
        version: release.version.to_string(),
        content: release.content().map(ToString::to_string),
    });
    Package {
        name: package.name().to_string(),
        registry: package.registry().to_string(),
        releases: releases.collect(),
        log_length: package.checkpoint().contents.checkpoint.log_length.get(),
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| wrong(&format!("`{text}`: {error}")))
}

fn wrong(message: &str) -> Problem {
    let code = "usage".to_owned();
    Problem { code, message: message.to_owned(), culprit: None, evidence: None }
}

#[expect(clippy::needless_pass_by_value, reason = "it is used up")]
fn problem(error: Error) -> Problem {
    Problem {
        code: error.code().to_owned(),
        culprit: error.culprit().map(ToOwned::to_owned),
        evidence: error.evidence().map(ToString::to_string),
        message: error.to_string(),
    }
}
