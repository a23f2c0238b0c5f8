//! Which registry to ask for a log that is not here (specification 12.1 and 15.5).
//!
//! A request for records names logs only, and the id of a log does not tell its package. So those
//! that somebody tried to publish into imported namespaces are remembered, as many as there is room
//! for. A log that is not remembered is answered without a hint: a wrong hint would send a client to
//! the wrong registry, a missing one tells it only that the package is not here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderName, HeaderValue};
use wargate_api::headers::{REGISTRY_HINT, registry_hint};
use wargate_protocol::{LogId, Namespace, NamespaceState, PackageName};
use wargate_registry::Registry;

use crate::limits::HINTS_MAX;
use crate::problem::Problem;

/// Packages of imported namespaces, by log.
#[derive(Default)]
pub(crate) struct Hints(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    names: HashMap<LogId, PackageName>,
    /// The oldest first.
    order: VecDeque<LogId>,
}

impl Hints {
    /// Remembers a package whose namespace is imported.
    pub(crate) fn remember(&self, log: LogId, name: PackageName) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.names.insert(log, name).is_some() {
            return;
        }
        seen.order.push_back(log);
        if seen.order.len() > HINTS_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.names.remove(&oldest);
        }
    }

    /// The namespace of a remembered log.
    pub(crate) fn namespace(&self, log: &LogId) -> Option<Namespace> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.names.get(log).map(|name| name.namespace().clone())
    }
}

/// The hint for a namespace, if it is imported now.
pub(crate) fn of_namespace(registry: &Registry, namespace: &Namespace) -> Option<String> {
    match registry.namespace(namespace) {
        Ok(Some(NamespaceState::Imported { registry })) => {
            Some(registry_hint(namespace.as_str(), &registry))
        }
        _ => None,
    }
}

/// Adds a hint to an error. A text that is no header value is left out.
pub(crate) fn add(problem: Problem, hint: &str) -> Problem {
    match HeaderValue::from_str(hint) {
        Ok(value) => problem.with(HeaderName::from_static(REGISTRY_HINT), value),
        Err(_) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let hints = Hints::default();
        let name = |n: usize| -> PackageName { format!("imported:p{n}").parse().unwrap() };
        for n in 0..=HINTS_MAX {
            hints.remember(LogId::package(&name(n)), name(n));
            hints.remember(LogId::package(&name(n)), name(n));
        }
        assert_eq!(hints.namespace(&LogId::package(&name(0))), None);
        assert!(hints.namespace(&LogId::package(&name(1))).is_some());
        assert!(hints.namespace(&LogId::package(&name(HINTS_MAX))).is_some());
        let seen = hints.0.lock().unwrap();
        assert_eq!((seen.names.len(), seen.order.len()), (HINTS_MAX, HINTS_MAX));
    }
}
