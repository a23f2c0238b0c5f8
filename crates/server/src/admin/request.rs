//! What an operator can ask for, and what comes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use wargate_crypto::{KeyId, PrivateKey, PublicKey};
use wargate_protocol::{
    Entry, NamespaceState, Operator, OperatorEntry, OperatorPermission, Permission,
};
use wargate_registry::Registry;
use wargate_registry::seams::Signer;

use crate::args::PermissionName;
use crate::data_dir::sync_folder_of;
use crate::keys::{self, KeyFiles, KeyRing};

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Request {
    /// The operator log's state.
    Show,
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
    /// Make anew what follows from the log.
    Rebuild,
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Done(Report),
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
    /// The operator log's state, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
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
pub(crate) async fn perform(
    registry: &Arc<Registry>,
    keys: &KeyRing,
    request: Request,
) -> Result<Report> {
    let entry = match request {
        Request::Show => return show(registry, keys).await,
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
    let names = |held: &wargate_protocol::PermissionSet<OperatorPermission>| {
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
        return keys::read(&next);
    }
    let key = keys::generate();
    keys::write(&next, &key)?;
    Ok(key)
}

async fn checkpoint_key(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Report> {
    let path = keys.files().checkpoint.clone();
    let key = waiting_key(&path)?.public_key();
    let old = keys.checkpoint_key();
    let grant = Entry::grant(key.clone(), [OperatorPermission::Commit]);
    let mut indices = vec![registry.operate(vec![grant]).await?.get()];
    keys.adopt(&path)?;
    // The next checkpoint is the new key's; from then on the old one has no business here.
    registry.tend().await?;
    if old != keys.operator_key() {
        let revoke = Entry::revoke(old.id(), [OperatorPermission::Commit]);
        indices.push(registry.operate(vec![revoke]).await?.get());
    }
    Ok(Report {
        registry_indices: indices,
        key_id: Some(key.id().to_string()),
        ..Report::default()
    })
}

async fn rotate(registry: &Arc<Registry>, keys: &KeyRing) -> Result<Report> {
    let path = keys.files().operator.clone();
    let key = waiting_key(&path)?.public_key();
    let old = keys.operator_key();
    let all = <OperatorPermission as Permission>::ALL.iter().copied();
    let grant: OperatorEntry = Entry::grant(key.clone(), all.clone());
    let mut indices = vec![registry.operate(vec![grant]).await?.get()];
    keys.adopt(&path)?;
    sync_folder_of(&path)?;
    registry.tend().await?;
    let held = {
        let (reader, old) = (Arc::clone(registry), old.id());
        let state = registry.offload(move || reader.operator_state()).await?;
        state.permissions().get(&old).copied().unwrap_or_default()
    };
    let revoke = Entry::<Operator>::revoke(old.id(), held.iter());
    indices.push(registry.operate(vec![revoke]).await?.get());
    Ok(Report {
        registry_indices: indices,
        key_id: Some(key.id().to_string()),
        ..Report::default()
    })
}
