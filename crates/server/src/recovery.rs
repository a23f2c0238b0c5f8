//! A second key of the operator, kept offline: making it, and putting a new operator's key in place with
//! it when the operator's own is lost.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use wargate_crypto::KeyId;
use wargate_protocol::{Entry, LogId, OperatorEntry, OperatorPermission, Permission};
use wargate_registry::Registry;
use wargate_registry::seams::Signer;
use wargate_registry::store::Ledger;

use crate::admin::Request;
use crate::args::{CommonOptions, PermissionName};
use crate::config::{data_dir_of, operator_key_file_of};
use crate::data_dir::{DataDir, admin_socket, remove, sync_folder_of};
use crate::keys::{self, KeyFiles};
use crate::{admin, operator, output, process};

const ALL: [PermissionName; 3] =
    [PermissionName::Commit, PermissionName::DefineNamespace, PermissionName::ImportNamespace];

/// Records that are read at once.
const CHUNK: usize = 1000;

/// The command `operator recovery-key`. The key is in its file before the log knows it; if this is
/// interrupted in between, `operator grant` makes up for it, or a new file.
pub(crate) fn make(common: &CommonOptions, file: &Path) -> Result<()> {
    let key = keys::generate();
    keys::write(file, &key)?;
    let public = key.public_key();
    let request = Request::Grant { public_key: public.to_string(), permissions: ALL.to_vec() };
    let mut report = operator::ask(common, request).inspect_err(|_| {
        // Nothing permits it anything.
        drop(remove(file));
    })?;
    report.key_id = Some(public.id().to_string());
    if common.json {
        return output::line(serde_json::to_string_pretty(&report)?);
    }
    output::line(format_args!("The recovery key {} is in {}.", public.id(), file.display()))?;
    output::line(
        "It can do all that the operator's key can. Move the file to a place that is not this machine, \
         and where nobody else can read it.",
    )
}

/// The command `operator rotate --signed-by FILE`, without a server. Each step can be done again.
pub(crate) fn rotate(common: &CommonOptions, file: &Path) -> Result<()> {
    let path = data_dir_of(common)?;
    if admin::ask(&admin_socket(&path), &Request::Show)?.is_some() {
        bail!(
            "the server runs, and has the operator's key in memory\nhint: `wargate operator rotate` \
             replaces it while it does; to use the recovery key, stop the server first"
        );
    }
    let data_dir = DataDir::open(&path)?;
    let place = KeyFiles::new(&data_dir, operator_key_file_of(common)?).operator;
    let opened = process::open_alone(&data_dir, KeyFiles::new(&data_dir, Some(file.to_owned())))?;
    let recovery = opened.keys.operator_key().id();
    let lost = lost_key(&data_dir, &recovery)?;
    let waiting = KeyFiles::next(&place);
    if !waiting.exists() {
        keys::write(&waiting, &keys::generate())?;
    }
    let key = keys::read(&waiting)?.public_key();
    let mut indices = Vec::new();
    let grant = Entry::grant(key.clone(), <OperatorPermission as Permission>::ALL.iter().copied());
    if held(&opened.registry, &key.id())?.is_empty() {
        indices.push(operate(&opened.registry, grant)?);
    }
    if let Some(lost) = &lost
        && *lost != key.id()
    {
        let held = held(&opened.registry, lost)?;
        if !held.is_empty() {
            indices.push(operate(&opened.registry, Entry::revoke(lost.clone(), held))?);
        }
    }
    drop(opened);
    // The one before may be damaged, or known to others: nothing permits it anything any more.
    remove(&place)
        .and_then(|()| std::fs::rename(&waiting, &place))
        .and_then(|()| sync_folder_of(&place))
        .with_context(|| format!("cannot put the new key into {}", place.display()))?;
    let report = admin::Report {
        registry_indices: indices,
        key_id: Some(key.id().to_string()),
        ..admin::Report::default()
    };
    if common.json {
        return output::line(serde_json::to_string_pretty(&report)?);
    }
    output::line(format_args!("The new operator key is {}.", key.id()))?;
    if let Some(lost) = lost {
        output::line(format_args!("{lost} may do nothing any more."))?;
    }
    output::line(
        "Clients go on as before; whoever pins the operator key by its fingerprint has to learn the new \
         one. The recovery key stays valid: put it back where it was.",
    )
}

/// The key that the operator used before: the one that signed last, apart from the recovery key.
fn lost_key(data_dir: &DataDir, recovery: &KeyId) -> Result<Option<KeyId>> {
    let (store, _) = process::stores(data_dir)?;
    let length = store.head()?.and_then(|head| head.committed);
    let length = length.ok_or_else(|| anyhow!("the registry has no records"))?.length();
    let (mut last, mut after) = (None, None);
    loop {
        let records = store.log_records(&LogId::operator(), after, length, CHUNK)?;
        let Some(newest) = records.last() else { return Ok(last) };
        after = Some(newest.index);
        for record in records {
            let signer = record.envelope.key_id();
            if signer != recovery {
                last = Some(signer.clone());
            }
        }
    }
}

fn held(registry: &Arc<Registry>, key: &KeyId) -> Result<Vec<OperatorPermission>> {
    let state = registry.operator_state()?;
    Ok(state.permissions().get(key).map(|held| held.iter().collect()).unwrap_or_default())
}

fn operate(registry: &Arc<Registry>, entry: OperatorEntry) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(registry.operate(vec![entry]))?.get())
}
