//! What an operator can ask for, and what comes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use wargate_crypto::{KeyId, PrivateKey, PublicKey};
use wargate_protocol::{
    Entry, NamespaceState, Operator, OperatorPermission, Permission, PermissionSet,
};
use wargate_registry::Registry;
use wargate_registry::seams::Signer;

use super::Desk;
use crate::args::PermissionName;
use crate::data_dir::{remove, sync_folder_of};
use crate::keys::{self, KeyFiles, KeyRing};
use crate::pause::{self, Pause};
use crate::seed::{self, Seeded};
use crate::usage::UsageReport;

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Request {
    /// The operator log's state.
    Show,
    /// How much namespaces and keys use.
    Usage,
    Define {
        namespace: String,
    },
    Import {
        namespace: String,
        registry: String,
    },
    Grant {
        public_key: String,
        permissions: Vec<PermissionName>,
    },
    Revoke {
        key_id: String,
        permissions: Vec<PermissionName>,
    },
    CheckpointKey,
    Rotate,
    /// Refuse writes.
    Pause {
        reason: String,
    },
    /// Take records again.
    Resume,
    /// Publish what others need to build components.
    Seed,
    /// Make anew what follows from the log.
    Rebuild,
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Done(Box<Report>),
    Failed { message: String },
}

/// What came of a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Report {
    /// Where the records stand that were appended to the operator log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) registry_indices: Vec<u64>,
    /// A new key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    /// Why nothing is written, if that is so and was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Pause>,
    /// The operator log's state, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    /// Who uses how much, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<UsageReport>,
    /// What became of the packages that were to be seeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) seeded: Vec<Seeded>,
}

/// The operator log's state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) log_length: u64,
    pub(crate) operator_key: String,
    pub(crate) checkpoint_key: String,
    /// What each key holds, by its id.
    pub(crate) permissions: BTreeMap<String, Vec<String>>,
    /// `defined`, or the registry that a namespace is imported from, by namespace.
    pub(crate) namespaces: BTreeMap<String, String>,
}

/// Does what is asked for.
pub(crate) async fn perform(desk: &Desk, request: Request) -> Result<Report> {
    let Desk { registry, keys, switch } = desk;
    let entry = match request {
        Request::Show => {
            let paused = switch.read()?;
            return Ok(Report { paused, ..show(registry, keys).await? });
        }
        Request::Usage => {
            let usage = Some(UsageReport::of(registry).await?);
            return Ok(Report { usage, ..Report::default() });
        }
        Request::Pause { .. } | Request::Resume => {
            let report = pause::perform(switch, &request)?;
            switch.apply(registry)?;
            return Ok(report);
        }
        Request::Seed => {
            let seeded = seed::seed(registry, keys).await?;
            return Ok(Report { seeded, ..Report::default() });
        }
        Request::CheckpointKey => return checkpoint_key(registry, keys).await,
        Request::Rotate => return rotate(registry, keys).await,
        // Nothing follows from the log yet that is not part of its commits.
        Request::Rebuild => return Ok(Report::default()),
        Request::Define { namespace } => Entry::define_namespace(namespace),
        Request::Import { namespace, registry } => Entry::import_namespace(namespace, registry),
        Request::Grant { public_key, permissions } => {
            let key: PublicKey = public_key.parse().context("this is no public key")?;
            Entry::grant(key, of_names(&permissions))
        }
        Request::Revoke { key_id, permissions } => {
            let key_id = KeyId::from(key_id);
            let own = keys.operator_key().id();
            if key_id == own {
                bail!(
                    "{own} is the operator's key that this registry uses\nhint: `wargate operator \
                     rotate` replaces it, and takes from it all that it may do"
                );
            }
            let own = keys.checkpoint_key().id();
            if key_id == own && permissions.contains(&PermissionName::Commit) {
                bail!(
                    "{own} signs this registry's checkpoints; without `commit` nobody would believe \
                     them\nhint: `wargate operator checkpoint-key` or `rotate` replaces it first"
                );
            }
            Entry::revoke(key_id, of_names(&permissions))
        }
    };
    let index = registry.operate(vec![entry]).await?;
    Ok(Report { registry_indices: vec![index.get()], ..Report::default() })
}

fn of_names(names: &[PermissionName]) -> Vec<OperatorPermission> {
    let of_name = |name: &PermissionName| match name {
        PermissionName::Commit => OperatorPermission::Commit,
        PermissionName::DefineNamespace => OperatorPermission::DefineNamespace,
        PermissionName::ImportNamespace => OperatorPermission::ImportNamespace,
    };
    names.iter().map(of_name).collect()
}

async fn show(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Report> {
    let reader = Arc::clone(registry);
    let log = registry.offload(move || reader.operator_state()).await?;
    let names = |held: &PermissionSet<OperatorPermission>| {
        held.iter().map(|permission| permission.name().to_owned()).collect()
    };
    let namespace = |state: &NamespaceState| match state {
        NamespaceState::Defined => "defined".to_owned(),
        NamespaceState::Imported { registry } => format!("imported from {registry}"),
    };
    let state = State {
        log_length: registry.newest().committed.length().get(),
        operator_key: keys.operator_key().id().to_string(),
        checkpoint_key: keys.checkpoint_key().id().to_string(),
        permissions: log
            .permissions()
            .iter()
            .map(|(key, held)| (key.to_string(), names(held)))
            .collect(),
        namespaces: log
            .items()
            .iter()
            .map(|(name, state)| (name.to_string(), namespace(state)))
            .collect(),
    };
    Ok(Report { state: Some(state), ..Report::default() })
}

/// A new key waits in a file beside its place until the operator log knows it. If this is interrupted
/// in between, the same command goes on with the key that waits.
fn waiting_key(path: &Path) -> Result<PrivateKey> {
    let next = KeyFiles::next(path);
    if next.exists() {
        return keys::read(&next).map_err(|error| {
            anyhow!(
                "{error:#}\nhint: an interrupted command left it, and nothing uses it: delete {}",
                next.display()
            )
        });
    }
    let key = keys::generate();
    keys::write(&next, &key)?;
    Ok(key)
}

async fn checkpoint_key(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Report> {
    let mut indices = retire(registry, keys).await?;
    let path = keys.files().checkpoint.clone();
    let key = waiting_key(&path)?.public_key();
    let commit = PermissionSet::from_iter([OperatorPermission::Commit]);
    replace(registry, keys, &path, (&key, commit), &mut indices).await
}

async fn rotate(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Report> {
    let mut indices = retire(registry, keys).await?;
    let path = keys.files().operator.clone();
    let key = waiting_key(&path)?.public_key();
    let held = held(registry, keys.operator_key().id()).await?;
    replace(registry, keys, &path, (&key, held), &mut indices).await
}

/// Grants the new key what it needs, takes it into use, and revokes what the one before holds. Each
/// step leaves behind what the next one needs to know if this is interrupted.
async fn replace(
    registry: &Arc<Registry>,
    keys: &KeyRing,
    path: &Path,
    (key, permissions): (&PublicKey, PermissionSet<OperatorPermission>),
    indices: &mut Vec<u64>,
) -> Result<Report> {
    let grant = Entry::grant(key.clone(), permissions.iter());
    indices.push(registry.operate(vec![grant]).await?.get());
    keys.adopt(path)?;
    indices.extend(retire(registry, keys).await?);
    Ok(Report {
        registry_indices: std::mem::take(indices),
        key_id: Some(key.id().to_string()),
        ..Report::default()
    })
}

/// Revokes what keys hold that others have taken the place of, and forgets them: those of which an
/// exchange keeps the file until this is done. Returns where the records stand.
pub(crate) async fn retire(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Vec<u64>> {
    let mut indices = Vec::new();
    for path in [&keys.files().operator, &keys.files().checkpoint] {
        let path = KeyFiles::old(path);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let key = keys::read(&path).map_err(|error| {
            anyhow!(
                "{error:#}\nhint: an exchange of keys was interrupted; `wargate operator revoke` takes \
                 from the key before what it holds, then delete {}",
                path.display()
            )
        })?;
        let key = key.public_key().id();
        // In use: the exchange did not come to pass.
        let in_use = [keys.operator_key().id(), keys.checkpoint_key().id()].contains(&key);
        let held = held(registry, key.clone()).await?;
        if !in_use && !held.is_empty() {
            let revoke = Entry::<Operator>::revoke(key.clone(), held.iter());
            indices.push(registry.operate(vec![revoke]).await?.get());
        }
        remove(&path)
            .and_then(|()| sync_folder_of(&path))
            .with_context(|| format!("cannot remove {}", path.display()))?;
        tracing::info!(%key, in_use, "the exchange of a key is at its end");
    }
    Ok(indices)
}

/// What a key may do in the operator log.
async fn held(registry: &Arc<Registry>, key: KeyId) -> Result<PermissionSet<OperatorPermission>> {
    let reader = Arc::clone(registry);
    let state = registry.offload(move || reader.operator_state()).await?;
    Ok(state.permissions().get(&key).copied().unwrap_or_default())
}
