//! The content that a lock names.

use wargate_component::lock::{Lock, LockedPackage, Origin, PackageId};

use crate::client::{Client, Fetched, Selector, Wanted};
use crate::error::{Error, NotAsLocked};
use crate::origin::Domain;

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
    /// [`Error::BadAnswer`] if the registry has said that it imports something else, and those of
    /// [`Client::whole`].
    pub fn whole_locked(
        &self,
        locked: &LockedPackage,
        fetched: &mut Fetched,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.whole(fetched)?;
        let said: Vec<_> = locked.dependencies.iter().map(|edge| edge.import.clone()).collect();
        self.check_imports(fetched.package.registry(), &said, &bytes)?;
        Ok(bytes)
    }

    /// The client that asks for the packages of a lock where the lock has them from.
    fn routed_by(&self, lock: &Lock) -> Result<Self, Error> {
        let mut settings = (*self.settings).clone();
        for (id, package) in &lock.packages {
            let Origin::Registry(name) = &package.origin else { continue };
            if settings.namespaces.contains_key(id.package.namespace()) {
                continue;
            }
            let domain: Domain = name.parse()?;
            let url = self.configured(&domain).map_or_else(|| domain.to_url(), Ok)?;
            settings.packages.entry(id.package.clone()).or_insert(url);
        }
        Ok(self.with(settings))
    }
}
