//! Namespaces that are defined or imported, which they are for ever, so that the store is not asked for
//! them with each record.

use wargate_protocol::{Namespace, NamespaceState};

use crate::kept::Kept;
use crate::limits::NAMESPACES_KEPT_MAX;

/// Some of the namespaces that there are. What is not here may be there all the same.
#[derive(Debug)]
pub(crate) struct Namespaces(Kept<Namespace, NamespaceState>);

impl Default for Namespaces {
    fn default() -> Self {
        Self(Kept::new(NAMESPACES_KEPT_MAX))
    }
}

impl Namespaces {
    /// What is committed of a namespace, if that is known here.
    pub(crate) fn get(&self, namespace: &Namespace) -> Option<NamespaceState> {
        self.0.get(namespace)
    }

    /// Keeps what is committed of a namespace.
    pub(crate) fn keep(&self, namespace: &Namespace, state: NamespaceState) {
        self.0.keep(namespace.clone(), state);
    }
}
