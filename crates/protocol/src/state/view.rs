//! How validation reads a log's state.

use wargate_crypto::{KeyId, PublicKey};

use super::{Delta, Head, LogState, StaleDelta};
use crate::kind::LogKind;
use crate::permission::PermissionSet;

/// A log's state, read by what a record names.
///
/// All answers must be of one moment, the moment that [`LogView::head`] tells. A view that cannot
/// answer returns its own error, which never counts as a fault of the record.
pub trait LogView<K: LogKind> {
    /// Why the state could not be read.
    type Error;

    /// The last record; `None` if the log has none.
    ///
    /// # Errors
    /// Those of the view.
    fn head(&self) -> Result<Option<Head>, Self::Error>;

    /// The key with an id, if the log ever made it known. The key's [`PublicKey::id`] is `id`.
    ///
    /// # Errors
    /// Those of the view.
    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, Self::Error>;

    /// What a key holds; the empty set for keys that are not known.
    ///
    /// # Errors
    /// Those of the view.
    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, Self::Error>;

    /// The state of a version or namespace; `None` if the log never named it.
    ///
    /// # Errors
    /// Those of the view.
    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, Self::Error>;
}

impl<K: LogKind, V: LogView<K> + ?Sized> LogView<K> for &V {
    type Error = V::Error;

    fn head(&self) -> Result<Option<Head>, V::Error> {
        (**self).head()
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, V::Error> {
        (**self).key(id)
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, V::Error> {
        (**self).permissions(id)
    }

    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, V::Error> {
        (**self).item(item)
    }
}

/// A view of a log with records on top that its owner has not applied yet, for validating several
/// records of one log before any of them is committed.
#[derive(Clone, Debug)]
pub struct Overlay<K: LogKind, V> {
    base: V,
    /// What the records on top say; its head is `None` while there are none.
    top: LogState<K>,
}

impl<K: LogKind, V: LogView<K>> Overlay<K, V> {
    /// A view with nothing on top.
    pub const fn new(base: V) -> Self {
        Self { base, top: LogState::new() }
    }

    /// Lays a record on top that was validated against this view.
    ///
    /// # Errors
    /// `Ok(Err(StaleDelta))` if it was validated against another view; those of the base otherwise.
    pub fn push(&mut self, delta: Delta<K>) -> Result<Result<(), StaleDelta>, V::Error> {
        if delta.prev() != self.head()?.map(|head| head.record_id) {
            return Ok(Err(StaleDelta));
        }
        self.top.head = Some(delta.head);
        self.top.tables.absorb(delta.tables);
        Ok(Ok(()))
    }
}

impl<K: LogKind, V: LogView<K>> LogView<K> for Overlay<K, V> {
    type Error = V::Error;

    fn head(&self) -> Result<Option<Head>, V::Error> {
        match self.top.head {
            Some(head) => Ok(Some(head)),
            None => self.base.head(),
        }
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, V::Error> {
        match self.top.tables.keys.get(id) {
            Some(key) => Ok(Some(key.clone())),
            None => self.base.key(id),
        }
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, V::Error> {
        match self.top.tables.permissions.get(id) {
            Some(permissions) => Ok(*permissions),
            None => self.base.permissions(id),
        }
    }

    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, V::Error> {
        match self.top.tables.items.get(item) {
            Some(state) => Ok(Some(state.clone())),
            None => self.base.item(item),
        }
    }
}
