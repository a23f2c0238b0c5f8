//! Between the rows of a store and the state of a log: what validation reads, and what it changes.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use wargate_crypto::{KeyId, PublicKey};
use wargate_protocol::state::{Prefetched, ReadSet};
use wargate_protocol::{
    Delta, LogId, LogKind, LogState, PackageName, Permission, PermissionSet, state,
};

use crate::store::{LogChange, LogQuery, LogRows, StoreError, StoreResult};

/// What to read of a log for validation.
pub(crate) fn query<K: LogKind>(log: LogId, reads: &ReadSet<K>) -> LogQuery {
    LogQuery {
        log,
        keys: reads.keys.iter().cloned().collect(),
        permissions: reads.permissions.iter().cloned().collect(),
        items: reads.items.iter().map(item_text::<K>).collect(),
    }
}

/// The view that validation reads, from what the store answered to [`query`].
pub(crate) fn prefetched<K: LogKind>(
    reads: ReadSet<K>,
    rows: &LogRows,
) -> StoreResult<Prefetched<K>> {
    let mut view = Prefetched::new(reads, rows.head);
    rows.keys.iter().cloned().for_each(|key| view.insert_key(key));
    for (key, names) in &rows.permissions {
        view.insert_permissions(key.clone(), permissions::<K>(names)?);
    }
    for (item, state) in &rows.items {
        view.insert_item(item_of::<K>(item)?, item_state::<K>(state)?);
    }
    Ok(view)
}

/// What a key holds, from its row.
pub(crate) fn permissions<K: LogKind>(names: &str) -> StoreResult<PermissionSet<K::Permission>> {
    let of_name = |name: &str| {
        let all = <K::Permission as Permission>::ALL.iter().copied();
        let found = all.clone().find(|permission| permission.name() == name);
        found.ok_or_else(|| StoreError::Damaged(format!("{name:?} is no permission")))
    };
    names.split(',').filter(|name| !name.is_empty()).map(of_name).collect()
}

/// A state of an item, from its row.
pub(crate) fn item_state<K: LogKind>(json: &str) -> StoreResult<K::ItemState> {
    read_json(json)
}

/// An item, from its text.
pub(crate) fn item_of<K: LogKind>(text: &str) -> StoreResult<K::Item> {
    let damaged = |error| StoreError::Damaged(format!("{text:?} is no item of a log: {error}"));
    serde_json::from_value(serde_json::Value::from(text)).map_err(damaged)
}

/// The text of an item: a version, or a namespace.
pub(crate) fn item_text<K: LogKind>(item: &K::Item) -> String {
    match serde_json::to_value(item) {
        Ok(serde_json::Value::String(text)) => text,
        // Versions and namespaces are texts; another item is found by the JSON that it has.
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn read_json<T: DeserializeOwned>(json: &str) -> StoreResult<T> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Damaged(format!("a row of a log's state: {error}")))
}

/// The changes that the records of one batch make to one log.
#[derive(Debug)]
pub(crate) struct Changes<K: LogKind> {
    log: LogId,
    name: Option<PackageName>,
    head: Option<state::Head>,
    keys: BTreeMap<KeyId, PublicKey>,
    permissions: BTreeMap<KeyId, PermissionSet<K::Permission>>,
    items: BTreeMap<K::Item, K::ItemState>,
}

impl<K: LogKind> Changes<K> {
    pub(crate) fn new(log: LogId, name: Option<PackageName>) -> Self {
        Self {
            log,
            name,
            head: None,
            keys: BTreeMap::new(),
            permissions: BTreeMap::new(),
            items: BTreeMap::new(),
        }
    }

    /// Adds what one more record does.
    pub(crate) fn add(&mut self, delta: &Delta<K>) {
        let owned = |(key, value): (&KeyId, &PublicKey)| (key.clone(), value.clone());
        self.head = Some(delta.head());
        self.keys.extend(delta.keys().iter().map(owned));
        self.permissions.extend(delta.permissions().iter().map(|(key, held)| (key.clone(), *held)));
        self.items.extend(delta.items().iter().map(|(item, state)| (item.clone(), state.clone())));
    }

    /// The rows to write; `None` if no record was added.
    pub(crate) fn finish(self) -> Option<LogChange> {
        let head = Some(self.head?);
        let permissions = self.permissions.into_iter();
        let items = self.items.iter();
        let rows = LogRows {
            head,
            name: self.name,
            keys: self.keys.into_values().collect(),
            permissions: permissions.map(|(key, held)| (key, names::<K>(held))).collect(),
            items: items.filter_map(|(item, state)| row::<K>(item, state)).collect(),
        };
        Some(LogChange { log: self.log, rows })
    }
}

/// The rows of a whole state, as a store that has it answers.
pub(crate) fn rows_of<K: LogKind>(name: Option<PackageName>, log: &LogState<K>) -> LogRows {
    let permissions = log.permissions().iter().map(|(key, held)| (key.clone(), names::<K>(*held)));
    let mut items: Vec<_> =
        log.items().iter().filter_map(|(item, state)| row::<K>(item, state)).collect();
    items.sort_unstable();
    LogRows {
        head: log.head(),
        name,
        keys: log.keys().values().cloned().collect(),
        permissions: permissions.collect(),
        items,
    }
}

/// Permissions as a row has them.
fn names<K: LogKind>(held: PermissionSet<K::Permission>) -> String {
    let names: Vec<_> = held.iter().map(Permission::name).collect();
    names.join(",")
}

/// An item as a row. Every state that a registry admits can be written: what cannot are times before
/// 1970, which admission refuses.
fn row<K: LogKind>(item: &K::Item, state: &K::ItemState) -> Option<(String, String)> {
    let json = serde_json::to_string(state).ok()?;
    Some((item_text::<K>(item), json))
}
