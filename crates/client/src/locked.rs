//! The content that a lock names.

use std::collections::BTreeSet;

use wargate_api::proof::ConsistencyRequest;
use wargate_component::lock::{Lock, LockedPackage, Origin, PackageId};
use wargate_protocol::verify::check_extension;
use wargate_protocol::{Checkpoint, LogLength, SignedCheckpoint};

use crate::client::{Client, Fetched, Selector, Wanted};
use crate::error::{Error, NotAsLocked};
use crate::origin::{Domain, RegistryUrl};
use crate::registry::Registry;
use crate::resolve::imports_of;

impl Client {
    /// Gets what a lock has of registries, in the lock's order: from the registry that the lock names,
    /// unless the settings name another one for the package or its namespace. Releases that were yanked
    /// since are there as well.
    ///
    /// # Errors
    /// [`Error::NotAsLocked`] if a release has other content than the lock says, and those of
    /// [`Client::get`].
    pub async fn get_locked(&self, lock: &Lock) -> Result<Vec<(PackageId, Fetched)>, Error> {
        let client = self.routed_by(lock)?;
        let of_registry = |(_, package): &(&PackageId, &LockedPackage)| {
            matches!(package.origin, Origin::Registry(_))
        };
        let packages: Vec<_> = lock.packages.iter().filter(of_registry).collect();
        let wanted: Vec<_> = packages
            .iter()
            .map(|(id, _)| Wanted {
                name: id.package.clone(),
                version: Selector::Exact(id.version.clone()),
                yanked: true,
            })
            .collect();
        let fetched = client.get(&wanted).await?;
        let mut content = Vec::new();
        for ((id, locked), fetched) in packages.into_iter().zip(fetched) {
            if fetched.digest != locked.digest {
                return Err(Error::NotAsLocked(Box::new(NotAsLocked {
                    registry: fetched.package.registry().clone(),
                    release: id.clone(),
                    locked: locked.digest,
                    found: fetched.digest,
                })));
            }
            content.push((id.clone(), fetched));
        }
        Ok(content)
    }

    /// All bytes of a locked release, whose imports are those of the lock.
    ///
    /// # Errors
    /// [`Error::OtherImports`] if they are not, and those of [`Client::whole`].
    pub fn whole_locked(
        &self,
        release: &PackageId,
        locked: &LockedPackage,
        fetched: &mut Fetched,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.whole(fetched)?;
        // What cannot be read imports nothing, and cannot be linked, which then says why.
        let found = imports_of(&bytes).unwrap_or_default();
        let found: BTreeSet<_> = found.iter().map(ToString::to_string).collect();
        let said: BTreeSet<_> = locked.dependencies.iter().map(|it| it.import.clone()).collect();
        if said == found {
            return Ok(bytes);
        }
        Err(Error::OtherImports { release: Box::new(release.clone()) })
    }

    /// Has every registry of a lock prove that its log goes on from the state that the lock was made
    /// from. Who wrote a lock and who reads it have seen one log then, and not each another one.
    ///
    /// # Errors
    /// [`Error::OtherLog`] if a registry does not show that, and those of [`Registry::refresh`].
    pub async fn check_registries(&self, lock: &Lock) -> Result<(), Error> {
        for (name, locked) in &lock.registries {
            let checkpoint = Checkpoint {
                log_root: locked.log_root,
                log_length: locked.log_length,
                map_root: locked.map_root,
            };
            self.registry(self.url_of(name)?).check_locked(&checkpoint).await?;
        }
        Ok(())
    }

    /// Where a registry is that a lock names.
    fn url_of(&self, name: &str) -> Result<RegistryUrl, Error> {
        let domain: Domain = name.parse()?;
        Ok(self.configured(&domain).map_or_else(|| domain.to_url(), Ok)?)
    }

    /// The client that asks for the packages of a lock where the lock has them from, unless the settings
    /// name another registry for one or its namespace.
    ///
    /// # Errors
    /// [`Error::Domain`] if the lock names a registry that cannot be.
    pub fn routed_by(&self, lock: &Lock) -> Result<Self, Error> {
        let mut settings = (*self.settings).clone();
        for (id, package) in &lock.packages {
            let Origin::Registry(name) = &package.origin else { continue };
            if settings.namespaces.contains_key(id.package.namespace()) {
                continue;
            }
            let url = self.url_of(name)?;
            settings.packages.entry(id.package.clone()).or_insert(url);
        }
        Ok(self.with(settings))
    }
}

impl Registry {
    /// Has the registry prove that its log goes on from a state that a lock names.
    async fn check_locked(&self, locked: &Checkpoint) -> Result<(), Error> {
        let other = |reason: String| Error::OtherLog {
            registry: self.domain().clone(),
            length: locked.log_length,
            reason,
        };
        if locked.log_length == LogLength::EMPTY {
            return Err(other("nobody is locked to an empty log".into()));
        }
        let is_long =
            |it: &SignedCheckpoint| it.contents.checkpoint.log_length >= locked.log_length;
        let mut known = self.checkpoint()?;
        if !known.as_ref().is_some_and(is_long) {
            self.refresh().await?;
            known = self.checkpoint()?;
        }
        let Some(known) = known.filter(is_long) else {
            return Err(other("it is shorter now".into()));
        };
        let now = known.contents.checkpoint;
        if now.log_length == locked.log_length {
            let is_same = now == *locked;
            return if is_same { Ok(()) } else { Err(other("it has other roots".into())) };
        }
        let request = ConsistencyRequest { from: locked.log_length, to: now.log_length };
        let answer = self.remote().await?.consistency(&request).await;
        let proof = answer.map_err(|error| self.refused(error))?.proof;
        check_extension(locked, &now, &proof).map_err(|fault| other(fault.to_string()))
    }
}
