//! Namespaces that are defined or imported, which they are for ever, so that the store is not asked for
//! them with each record.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wargate_protocol::{Namespace, NamespaceState};

use crate::limits::NAMESPACES_KEPT_MAX;

/// Some of the namespaces that there are. What is not here may be there all the same.
#[derive(Debug, Default)]
pub(crate) struct Namespaces(Mutex<HashMap<Namespace, NamespaceState>>);

impl Namespaces {
    /// What is committed of a namespace, if that is known here.
    pub(crate) fn get(&self, namespace: &Namespace) -> Option<NamespaceState> {
        self.lock().get(namespace).cloned()
    }

    /// Keeps what is committed of a namespace.
    pub(crate) fn keep(&self, namespace: &Namespace, state: NamespaceState) {
        let mut namespaces = self.lock();
        if namespaces.len() >= NAMESPACES_KEPT_MAX {
            namespaces.clear();
        }
        namespaces.insert(namespace.clone(), state);
    }

    /// One insertion at a time, so it is whole after a panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<Namespace, NamespaceState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
