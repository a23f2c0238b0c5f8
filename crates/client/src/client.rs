//! The client: registries, and the packages in them.

mod get;
mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future;
use wargate_protocol::PackageName;

pub use self::get::{Fetched, Selector, Wanted};
pub(crate) use self::route::imported_from;
use crate::error::Error;
use crate::evidence::{self, EvidenceId, Piece};
use crate::origin::{Domain, RegistryUrl};
use crate::package::Package;
use crate::registry::Registry;
use crate::remote::{Exchange, Remote, Telling};
use crate::seams::{Cache, Clock, Key, Observer, Random, Secrets, State, StateError, Transport};
use crate::settings::Settings;

/// The client's surroundings.
#[derive(Clone)]
pub struct Parts {
    /// HTTP.
    pub transport: Arc<dyn Transport>,
    /// What is remembered of registries.
    pub state: Arc<dyn State>,
    /// Content.
    pub cache: Arc<dyn Cache>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Keys and tokens.
    pub secrets: Arc<dyn Secrets>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

/// What came of bringing one registry's packages up to date.
pub struct Updated {
    /// The registry.
    pub registry: Registry,
    /// All of its packages of which something is known, in order.
    pub packages: Result<Vec<Package>, Error>,
}

/// The client. A clone is the same client.
#[derive(Clone)]
pub struct Client {
    pub(crate) parts: Arc<Parts>,
    pub(crate) settings: Arc<Settings>,
    /// The APIs that were found, by registry and scheme: two servers may have one name.
    remotes: Arc<Mutex<BTreeMap<(Domain, String), Remote>>>,
}

impl Client {
    /// A client.
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self { parts: Arc::new(parts), settings: Arc::new(settings), remotes: Arc::default() }
    }

    /// The same client, that behaves otherwise.
    pub(crate) fn with(&self, settings: Settings) -> Self {
        Self { settings: Arc::new(settings), ..self.clone() }
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The registry for what no mapping names.
    ///
    /// # Errors
    /// [`Error::NoRegistry`] if none is configured.
    pub fn home(&self) -> Result<Registry, Error> {
        let home = self.settings.home.clone().ok_or(Error::NoRegistry)?;
        Ok(self.registry(home))
    }

    /// A registry.
    pub fn registry(&self, url: RegistryUrl) -> Registry {
        Registry::new(self.clone(), url)
    }

    /// The registries of which something is known.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn registries(&self) -> Result<Vec<Registry>, Error> {
        let keys = self.parts.state.list(&key(&["registries"])?)?;
        let mut domains: Vec<&str> = keys.iter().filter_map(|key| key.segments().nth(1)).collect();
        domains.dedup();
        let mut registries = Vec::new();
        for domain in domains {
            // Others have no business there.
            let Ok(domain) = domain.parse::<Domain>() else { continue };
            registries.extend(self.known_registry(&domain)?);
        }
        Ok(registries)
    }

    /// A registry of which something is known, by name.
    fn known_registry(&self, domain: &Domain) -> Result<Option<Registry>, Error> {
        let pin = crate::trust::Trust::of(&*self.parts.state, domain).pin()?;
        let Some(pin) = pin else { return Ok(None) };
        // What is configured now counts before where it was seen first.
        let url = self.configured(domain).or_else(|| pin.url.parse().ok());
        Ok(url.map(|url| self.registry(url)))
    }

    /// The URL of a registry of this name that the settings have.
    pub(crate) fn configured(&self, domain: &Domain) -> Option<RegistryUrl> {
        let settings = &self.settings;
        let mapped = settings.packages.values().chain(settings.namespaces.values());
        settings.home.iter().chain(mapped).find(|url| url.domain() == *domain).cloned()
    }

    /// Brings all packages of which something is known up to date, each by the registry that it was
    /// fetched from, whatever is configured now. They come back by registry; a package that is known
    /// of two comes twice. A registry that fails does not keep the others from it.
    ///
    /// # Errors
    /// [`Error::State`] if it is not known which registries there are.
    pub async fn update_known(&self) -> Result<Vec<Updated>, Error> {
        let updates = self.registries()?.into_iter().map(|registry| async move {
            let packages = if self.settings.offline {
                registry.packages()
            } else {
                registry.update_known().await
            };
            Updated { registry, packages }
        });
        Ok(future::join_all(updates).await)
    }

    /// Brings packages up to date, each at its registry, and verifies them. They come back in order.
    ///
    /// # Errors
    /// The first of any package's. The others may be up to date then.
    pub async fn update(&self, packages: &[PackageName]) -> Result<Vec<Package>, Error> {
        if self.settings.offline {
            return packages.iter().map(|name| self.known_or_offline(name)).collect();
        }
        let mut found = BTreeMap::new();
        for updated in self.update_groups(packages).await? {
            let (packages, missing) = updated;
            if let Some((_, error)) = missing.into_iter().next() {
                return Err(error);
            }
            found.extend(packages.into_iter().map(|package| (package.name().clone(), package)));
        }
        let take = |name: &PackageName| found.get(name).cloned().ok_or_else(|| self.unknown(name));
        packages.iter().map(take).collect()
    }

    /// Brings packages up to date as [`Self::update`] does, and says which of them no registry has.
    pub(crate) async fn update_known_of(
        &self,
        names: &[PackageName],
    ) -> Result<(Vec<Package>, Vec<PackageName>), Error> {
        let (mut packages, mut missing) = (Vec::new(), Vec::new());
        if self.settings.offline {
            for name in names {
                packages.push(self.known_or_offline(name)?);
            }
            return Ok((packages, missing));
        }
        for (of_registry, lacking) in self.update_groups(names).await? {
            packages.extend(of_registry);
            for (name, error) in lacking {
                match error {
                    Error::UnknownPackage { .. } | Error::UnknownNamespace { .. } => {
                        missing.push(name);
                    }
                    other => return Err(other),
                }
            }
        }
        packages.retain(|package| names.contains(package.name()));
        Ok((packages, missing))
    }

    /// Brings packages up to date, all of a registry together.
    async fn update_groups(&self, packages: &[PackageName]) -> Result<Vec<route::Group>, Error> {
        let mut groups: Vec<(Registry, Vec<PackageName>)> = Vec::new();
        for name in packages {
            let registry = self.route(name)?;
            match groups.iter_mut().find(|(known, _)| known.domain() == registry.domain()) {
                Some((_, names)) if names.contains(name) => {}
                Some((_, names)) => names.push(name.clone()),
                None => groups.push((registry, vec![name.clone()])),
            }
        }
        let updates = groups.iter().map(|(registry, names)| self.update_group(registry, names));
        future::join_all(updates).await.into_iter().collect()
    }

    /// What is known of a package, without asking anybody. `None` if nothing is.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn known(&self, package: &PackageName) -> Result<Option<Package>, Error> {
        self.route(package)?.known(package)
    }

    fn known_or_offline(&self, package: &PackageName) -> Result<Package, Error> {
        self.known(package)?.ok_or_else(|| Error::Offline(format!("the log of `{package}`")))
    }

    /// All packages of which something is known, with their registries.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn packages(&self) -> Result<Vec<Package>, Error> {
        let mut packages = Vec::new();
        for registry in self.registries()? {
            packages.extend(registry.packages()?);
        }
        Ok(packages)
    }

    /// The evidence that was kept, of all registries.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn evidence(&self) -> Result<Vec<EvidenceId>, Error> {
        let keys = self.parts.state.list(&key(&["evidence"])?)?;
        let mut domains: Vec<&str> = keys.iter().filter_map(|key| key.segments().nth(1)).collect();
        domains.dedup();
        let mut pieces = Vec::new();
        for domain in domains {
            let Ok(domain) = domain.parse() else { continue };
            pieces.extend(evidence::list(&*self.parts.state, &domain)?);
        }
        Ok(pieces)
    }

    /// A piece of evidence; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn evidence_piece(&self, id: &EvidenceId) -> Result<Option<Piece>, Error> {
        evidence::read(&*self.parts.state, id)
    }

    /// Forgets all that is known of all registries, also by monitors, apart from evidence, and the hints
    /// that were followed. Content stays.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn reset(&self) -> Result<(), Error> {
        let mut keys = self.parts.state.list(&key(&["registries"])?)?;
        keys.extend(self.parts.state.list(&key(&["monitors"])?)?);
        let domains: BTreeSet<&str> = keys.iter().filter_map(|key| key.segments().nth(1)).collect();
        for domain in domains {
            let Ok(domain) = domain.parse::<Domain>() else { continue };
            crate::registry::forget(&*self.parts.state, &domain)?;
        }
        for key in self.parts.state.list(&route::followed_hints()?)? {
            self.parts.state.remove(&key)?;
        }
        Ok(())
    }

    /// Removes all content from the cache. Returns how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Cache`]
    pub fn clear(&self) -> Result<u64, Error> {
        Ok(self.parts.cache.clear()?)
    }

    /// What requests are made with.
    pub(crate) fn exchange(&self) -> Exchange {
        Exchange {
            transport: Arc::clone(&self.parts.transport),
            clock: Arc::clone(&self.parts.clock),
            random: Arc::clone(&self.parts.random),
            secrets: Arc::clone(&self.parts.secrets),
            observer: Arc::clone(&self.parts.observer),
            telling: Telling::default(),
            attempts: self.settings.attempts,
            content_bytes_max: self.settings.content_bytes_max,
        }
    }

    /// The API of a registry, if it was found before.
    pub(crate) fn remote(&self, named: &RegistryUrl) -> Option<Remote> {
        self.remotes.lock().unwrap_or_else(PoisonError::into_inner).get(&site(named)).cloned()
    }

    /// Remembers the API of a registry for the life of this client.
    pub(crate) fn note_remote(&self, remote: &Remote) {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.insert(site(remote.named()), remote.clone());
    }
}

fn site(named: &RegistryUrl) -> (Domain, String) {
    (named.domain(), named.as_url().scheme().to_owned())
}

pub(crate) fn key(segments: &[&str]) -> Result<Key, StateError> {
    Ok(Key::new(segments)?)
}
