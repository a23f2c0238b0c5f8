//! Which registry a package belongs to.
//!
//! In this order: what the project or the user says of the package, then of its namespace; what the
//! home registry's operator log says of the namespace, as far as it is known; a hint of the home
//! registry that was followed before; the home registry. When that one does not have the package, its
//! operator log is asked, and then its hint.

use std::collections::BTreeMap;

use wargate_protocol::{LogId, Namespace, NamespaceState, PackageName};

use super::{Client, key};
use crate::error::Error;
use crate::origin::Domain;
use crate::package::Package;
use crate::question::Question;
use crate::registry::Registry;
use crate::seams::{Event, Key, StateError};
use crate::settings::Choice;
use crate::sync::{SyncError, Want};

/// Most namespaces whose hints are remembered.
const HINTS_MAX: usize = 10_000;

type Hints = BTreeMap<Namespace, Domain>;

/// Below which the hints that were followed are kept, for each registry that gave them.
pub(super) fn followed_hints() -> Result<Key, StateError> {
    key(&["namespaces"])
}

fn hints_of(home: &Domain) -> Result<Key, StateError> {
    key(&["namespaces", home.as_str()])
}

/// Packages of one registry that are up to date, and others with what kept them from it.
pub(super) type Group = (Vec<Package>, Vec<(PackageName, Error)>);

impl Client {
    /// The registry of a package, as far as that is known without asking.
    pub(crate) fn route(&self, package: &PackageName) -> Result<Registry, Error> {
        let (settings, namespace) = (&self.settings, package.namespace());
        let mapped = settings.packages.get(package);
        if let Some(url) = mapped.or_else(|| settings.namespaces.get(namespace)) {
            return Ok(self.registry(url.clone()));
        }
        let home = self.home()?;
        // What the operator has signed counts before what somebody once answered.
        match home.namespace(namespace)? {
            Some(NamespaceState::Defined) => Ok(home),
            Some(imported) => match imported_from(Some(&imported)) {
                Some(domain) => home.federated(&domain),
                None => Ok(home),
            },
            None => match self.hints(home.domain())?.get(namespace) {
                Some(domain) => home.federated(domain),
                None => Ok(home),
            },
        }
    }

    /// Brings packages of one registry up to date, and those that are elsewhere there.
    pub(super) async fn update_group(
        &self,
        registry: &Registry,
        names: &[PackageName],
    ) -> Result<Group, Error> {
        let mut wants: Vec<_> = names.iter().map(Want::package).collect();
        let (mut packages, mut missing) = (Vec::new(), Vec::new());
        while !wants.is_empty() {
            let (log, hint) = match registry.sync(&wants).await {
                Ok(known) => {
                    packages = registry.packages_of(&known);
                    break;
                }
                Err(SyncError::NotFound { log, hint }) => (log, hint),
                Err(SyncError::Failed(error)) => return Err(error),
            };
            let Some(place) = wants.iter().position(|want| want.log == log) else {
                return Err(
                    registry.bad_answer("it says that it has no log that was not asked for")
                );
            };
            let want = wants.swap_remove(place);
            missing.extend(want.name.map(|name| (name, hint)));
        }
        let mut lacking = Vec::new();
        for (name, hint) in missing {
            match self.update_elsewhere(registry, &name, hint).await {
                Ok(package) => packages.push(package),
                Err(error) => lacking.push((name, error)),
            }
        }
        Ok((packages, lacking))
    }

    /// A package that the registry does not have: where its namespace is imported from, or where the
    /// registry hints.
    async fn update_elsewhere(
        &self,
        from: &Registry,
        package: &PackageName,
        hint: Option<(String, String)>,
    ) -> Result<Package, Error> {
        let namespace = package.namespace();
        let unknown = || from.unknown_package(package);
        // Only what the user's own registry says leads elsewhere.
        if self.settings.home.as_ref().is_none_or(|home| home.domain() != *from.domain()) {
            return Err(from.missing(package).await?);
        }
        if from.imported(namespace)?.is_none() || from.knows(package)? {
            // The operator log that is known may be old, or none. What was here leads nowhere else.
            from.may_lack(package).await?;
        }
        let to = match from.imported(namespace)? {
            Some(domain) => domain,
            None => match self.accept(from, namespace, hint)? {
                Some(domain) => domain,
                None => return Err(unknown()?),
            },
        };
        let registry = from.federated(&to)?;
        self.parts.observer.event(Event::Redirected { package, registry: registry.domain() });
        let known = match registry.sync(&[Want::package(package)]).await {
            Ok(known) => known,
            Err(SyncError::NotFound { .. }) => return Err(registry.missing(package).await?),
            Err(SyncError::Failed(error)) => return Err(error),
        };
        self.remember(from, namespace, &to)?;
        let packages = registry.packages_of(&known);
        let log = LogId::package(package);
        let found = packages.into_iter().find(|found| LogId::package(found.name()) == log);
        found.ok_or_else(|| registry.bad_answer("the package is missing"))
    }

    /// Where a hint leads, if it may be followed.
    fn accept(
        &self,
        from: &Registry,
        namespace: &Namespace,
        hint: Option<(String, String)>,
    ) -> Result<Option<Domain>, Error> {
        let Some((about, domain)) = hint else { return Ok(None) };
        if self.settings.hints == Choice::No || about != namespace.to_string() {
            return Ok(None);
        }
        let to: Domain = domain
            .parse()
            .map_err(|_| from.bad_answer("its hint at another registry names none"))?;
        if to == *from.domain() {
            return Ok(None);
        }
        let question = Question::FollowHint {
            from: from.domain().clone(),
            namespace: namespace.clone(),
            to: to.clone(),
        };
        let yes = match (self.settings.answers.to(&question), self.settings.hints) {
            (Some(answer), _) => answer,
            (None, Choice::Ask) => return Err(Error::Undecided(question)),
            (None, choice) => choice == Choice::Yes,
        };
        Ok(yes.then_some(to))
    }

    /// Remembers where a hint led. What the operator log says need not be remembered.
    fn remember(&self, from: &Registry, namespace: &Namespace, to: &Domain) -> Result<(), Error> {
        if from.imported(namespace)?.is_some() {
            return Ok(());
        }
        let key = hints_of(from.domain())?;
        let _lock = self.parts.state.lock(&key)?;
        let mut hints = self.hints(from.domain())?;
        if hints.len() < HINTS_MAX && !hints.contains_key(namespace) {
            hints.insert(namespace.clone(), to.clone());
            let bytes = serde_json::to_vec(&hints).map_err(|error| Error::Damaged {
                key: key.to_string(),
                reason: error.to_string(),
            })?;
            self.parts.state.write(&key, &bytes)?;
        }
        Ok(())
    }

    /// The hints of a registry that were followed: namespaces, and the registries that have them.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn followed_hints(&self, home: &Domain) -> Result<BTreeMap<Namespace, Domain>, Error> {
        self.hints(home)
    }

    /// The namespaces that a registry's operator says are other registries', as far as its operator log
    /// is known, with the names of these.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn imported_namespaces(
        &self,
        registry: &Registry,
    ) -> Result<BTreeMap<Namespace, Domain>, Error> {
        let known = registry.trust().load(&[])?;
        let Some(operator) = known.verified.operator() else { return Ok(BTreeMap::new()) };
        let imported = |(namespace, state): (&Namespace, &NamespaceState)| {
            Some((namespace.clone(), imported_from(Some(state))?))
        };
        Ok(operator.state().items().iter().filter_map(imported).collect())
    }

    /// The hints of a registry that were followed.
    fn hints(&self, home: &Domain) -> Result<Hints, Error> {
        let key = hints_of(home)?;
        let Some(bytes) = self.parts.state.read(&key)? else { return Ok(Hints::new()) };
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })
    }

    /// The error for a package that nobody has.
    pub(super) fn unknown(&self, package: &PackageName) -> Error {
        let unknown = self.route(package).and_then(|registry| registry.unknown_package(package));
        unknown.unwrap_or_else(|error| error)
    }
}

/// Where a namespace is imported from, by what an operator log says of it.
pub(crate) fn imported_from(state: Option<&NamespaceState>) -> Option<Domain> {
    match state {
        // The text is the operator's, and may be anything.
        Some(NamespaceState::Imported { registry }) => registry.parse().ok(),
        _ => None,
    }
}
