//! `wargate seed`: packages that many others need, out of this program.
//!
//! They are the WIT packages of WASI and the adapters for core modules of WASI 0.1. Their records are
//! signed by a key of its own, `keys/seed.key`, which may publish into the namespaces of these packages
//! whatever the file of authorised keys says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use wargate_component::wasi::{PREVIEW2, PREVIEW3};
use wargate_console::Table;
use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{
    Entry, LogId, NamespaceState, Package, PackageEnvelope, PackageName, PackagePermission,
    PackageRecord, ReleaseState, Timestamp, Version,
};
use wargate_registry::policy::{RecordPolicy, Refusal};
use wargate_registry::seams::Clock as _;
use wargate_registry::{RecordStatus, Registry, Submission, WriteError};
use wasi_preview1_component_adapter_provider as adapters;

use crate::admin::Request;
use crate::args::CommonOptions;
use crate::keys::{self, KeyRing};
use crate::process::SystemClock;
use crate::{operator, output};

/// Which version the adapters are: that of the crate that ships them.
const ADAPTERS_VERSION: &str = "50.0.1";

/// The namespaces of the packages.
const NAMESPACES: [&str; 2] = ["bytecodealliance", "wasi"];

/// What became of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seeded {
    pub(crate) package: PackageName,
    pub(crate) version: Version,
    pub(crate) outcome: Outcome,
    /// Why it was left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What was done about a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It was released.
    Published,
    /// It is there already.
    Known,
    /// The package or its namespace is somebody else's.
    LeftAlone,
}

/// The command.
pub(crate) fn run(common: &CommonOptions) -> Result<()> {
    let report = operator::ask(common, Request::Seed)?;
    if common.json {
        return output::line(serde_json::to_string_pretty(&report)?);
    }
    let mut table = Table::new(["PACKAGE", "VERSION", ""]);
    for Seeded { package, version, outcome, reason } in &report.seeded {
        let said = match outcome {
            Outcome::Published => "published".to_owned(),
            Outcome::Known => "is there".to_owned(),
            Outcome::LeftAlone => format!("left alone: {}", reason.as_deref().unwrap_or_default()),
        };
        table.row([package.to_string(), version.to_string(), said]);
    }
    output::write(table)?;
    let left = report.seeded.iter().filter(|it| it.outcome == Outcome::LeftAlone).count();
    if left > 0 {
        bail!(
            "{left} packages were left alone\nhint: what is released under their names is not ours"
        );
    }
    Ok(())
}

/// Publishes what is not there yet.
pub(crate) async fn seed(registry: &Arc<Registry>, ring: &KeyRing) -> Result<Vec<Seeded>> {
    let path = ring.files().seed.clone();
    let key = if path.exists() {
        keys::read(&path).map_err(|error| {
            anyhow!(
                "{error:#}\nhint: put the file back as it was: only that key can go on with what was \
                 seeded; if nothing was, remove it"
            )
        })?
    } else {
        let key = keys::generate();
        keys::write(&path, &key)?;
        key
    };
    let mut seeded = Vec::new();
    for (package, version, content) in packages()? {
        let done = publish(registry, &key, &package, &version, content)
            .await
            .with_context(|| format!("cannot publish {package}@{version}"))?;
        let (outcome, reason) = match done {
            Ok(outcome) => (outcome, None),
            Err(reason) => (Outcome::LeftAlone, Some(reason)),
        };
        seeded.push(Seeded { package, version, outcome, reason });
    }
    Ok(seeded)
}

/// The packages, each behind those that it needs.
fn packages() -> Result<Vec<(PackageName, Version, Vec<u8>)>> {
    let mut packages = Vec::new();
    for release in [PREVIEW2, PREVIEW3] {
        packages.extend(release.packages()?.into_iter().map(|it| (it.name, it.version, it.bytes)));
    }
    for (name, bytes) in [
        ("command", adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        ("reactor", adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        ("proxy", adapters::WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER),
    ] {
        let package = format!("bytecodealliance:preview1-{name}").parse()?;
        packages.push((package, ADAPTERS_VERSION.parse()?, bytes.to_vec()));
    }
    Ok(packages)
}

/// Publishes a release, or says why somebody else would have to.
async fn publish(
    registry: &Arc<Registry>,
    key: &PrivateKey,
    name: &PackageName,
    version: &Version,
    content: Vec<u8>,
) -> Result<Result<Outcome, String>> {
    let namespace = name.namespace().clone();
    match registry.namespace(&namespace)? {
        Some(NamespaceState::Defined) => {}
        Some(NamespaceState::Imported { registry }) => {
            return Ok(Err(format!("`{namespace}` is the namespace of {registry}")));
        }
        None => {
            registry.operate(vec![Entry::define_namespace(namespace.as_str())]).await?;
        }
    }
    let reader = (Arc::clone(registry), name.clone());
    let state = registry.offload(move || reader.0.package_state(&reader.1)).await?;
    let digest = Digest::of(&content);
    match state.items().get(version).map(|release| &release.state) {
        None => {}
        Some(ReleaseState::Released { content }) if *content == digest => {
            return Ok(Ok(Outcome::Known));
        }
        Some(ReleaseState::Released { .. }) => {
            return Ok(Err("somebody released another content as it".into()));
        }
        Some(ReleaseState::Yanked { .. }) => return Ok(Err("it was yanked".into())),
    }
    let mut entries: Vec<Entry<Package>> = Vec::new();
    let own = key.public_key();
    let held = state.permissions().get(&own.id());
    if state.head().is_none() {
        entries.push(Entry::init(own));
    } else if !held.is_some_and(|held| held.contains(PackagePermission::Release)) {
        return Ok(Err("somebody else began it".into()));
    }
    entries.push(Entry::release(version.clone(), digest));
    // Time never goes back within a log.
    let now = SystemClock.now().max(state.head().map_or(Timestamp::EPOCH, |head| head.timestamp));
    let record = PackageRecord::new(state.head().map(|head| head.record_id), now, entries);
    let envelope = PackageEnvelope::sign(&record, key)?;
    let log = LogId::package(name);
    let submission = Submission { log, name: name.clone(), record: envelope.signed().clone() };
    let refused = |error: WriteError| match error {
        WriteError::Rejected(reason) | WriteError::Unauthorized(reason) => Ok(Err(reason)),
        error => Err(error.into()),
    };
    let (record, mut status) = match registry.publish(submission).await {
        Ok(published) => published,
        Err(error) => return refused(error),
    };
    if let RecordStatus::Sourcing(_) = status {
        status = match registry.upload_small(log, record, digest, content).await {
            Ok((_, status)) => status,
            Err(error) => return refused(error),
        };
    }
    match status {
        RecordStatus::Rejected { reason } => Ok(Err(reason)),
        RecordStatus::Published { .. } => Ok(Ok(Outcome::Published)),
        status => bail!("it is {status:?}"),
    }
}

/// Lets the key of [`seed`] publish what it publishes, and asks another policy about everything else.
pub(crate) struct SeedPolicy {
    others: Arc<dyn RecordPolicy>,
    /// Where the key is, as soon as there is one.
    key: PathBuf,
}

impl SeedPolicy {
    pub(crate) fn new(others: Arc<dyn RecordPolicy>, key: &Path) -> Self {
        Self { others, key: key.to_owned() }
    }
}

impl RecordPolicy for SeedPolicy {
    fn check(&self, name: &PackageName, record: &PackageEnvelope) -> Result<(), Refusal> {
        let refused = match self.others.check(name, record) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let is_seed = NAMESPACES.contains(&name.namespace().as_str())
            && keys::read(&self.key).is_ok_and(|key| key.public_key().id() == *record.key_id());
        if is_seed { Ok(()) } else { Err(refused) }
    }
}
