//! Getting content: resolve, verify, download.

use std::collections::{BTreeMap, BTreeSet};

use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{PackageAction, PackageEntry, PackageName, Release, Version, VersionReq};

use super::Client;
use crate::content;
use crate::error::Error;
use crate::origin::Domain;
use crate::package::Package;
use crate::registry::Registry;
use crate::seams::{Content, Event};

/// A release that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this package.
    pub name: PackageName,
    /// Which version.
    pub version: Selector,
    /// Whether a release that was yanked will do, where one version is wanted.
    pub yanked: bool,
}

/// Which version of a package is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The highest that fits and was not yanked.
    Highest(VersionReq),
    /// This one. Build metadata counts (specification 2.7).
    Exact(Version),
}

/// A release, and its content.
pub struct Fetched {
    /// The package.
    pub package: Package,
    /// The release.
    pub release: Release,
    /// The content's digest.
    pub digest: Digest,
    /// The content, in the cache.
    pub content: Box<dyn Content>,
}

impl Client {
    /// Gets releases: brings their packages up to date, and downloads what is not in the cache.
    ///
    /// Releases that are wanted by exact version, are known and are in the cache need no network. What
    /// has rotten in the cache is downloaded again.
    ///
    /// # Errors
    /// [`Error`], of the first that fails.
    pub async fn get(&self, wanted: &[Wanted]) -> Result<Vec<Fetched>, Error> {
        let (mut packages, mut open) = (BTreeMap::new(), BTreeSet::new());
        for want in wanted {
            match self.settled(want)? {
                Some(package) => drop(packages.insert(want.name.clone(), package)),
                None => drop(open.insert(want.name.clone())),
            }
        }
        // A package may be wanted twice, and only one of its releases be settled.
        let open: Vec<PackageName> = open.into_iter().collect();
        for package in self.update(&open).await? {
            packages.insert(package.name().clone(), package);
        }
        let mut chosen = Vec::new();
        for want in wanted {
            let package = packages.get(&want.name).ok_or_else(|| self.unknown(&want.name))?;
            let (release, digest) = self.choose(package, want).await?;
            chosen.push((package.clone(), release, digest));
        }
        self.download(chosen).await
    }

    /// Copies content out of the cache, piece by piece, and hashes it on the way. `false`: it has
    /// rotten since [`Self::get`], which will download it again; what was copied is worth nothing.
    ///
    /// # Errors
    /// [`Error::Cache`], and those of `into`.
    pub fn copy(
        &self,
        fetched: &mut Fetched,
        into: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let (registry, digest) = (fetched.package.registry(), &fetched.digest);
        content::verified_copy(&*self.parts.cache, registry, digest, &mut *fetched.content, into)
    }

    /// A package of which all is known that is needed: the exact version that is wanted, with its
    /// content in the cache.
    fn settled(&self, want: &Wanted) -> Result<Option<Package>, Error> {
        let Some(package) = self.known(&want.name)? else { return Ok(None) };
        if self.settings.offline {
            return Ok(Some(package));
        }
        let Selector::Exact(version) = &want.version else { return Ok(None) };
        let release = package.state().release(version);
        let digest = release.and_then(content_digest);
        let Some(digest) = digest else { return Ok(None) };
        let there = self.parts.cache.open(package.registry(), &digest)?.is_some();
        Ok(there.then_some(package))
    }

    /// The release that fits best.
    async fn choose(&self, package: &Package, want: &Wanted) -> Result<(Release, Digest), Error> {
        let state = package.state();
        let found = match &want.version {
            Selector::Highest(requirement) => state.latest(requirement),
            Selector::Exact(version) => state.release(version),
        };
        let Some(release) = found else {
            let standing = state.releases().rev().filter(|release| !release.is_yanked());
            return Err(Error::NoSuchRelease {
                package: want.name.clone(),
                wanted: want.version.clone(),
                available: standing.map(|release| release.version.clone()).collect(),
            });
        };
        if !release.is_yanked() {
            let digest = content_digest(release).ok_or_else(|| Error::BadAnswer {
                registry: package.registry().clone(),
                what: "the release",
                reason: "its digest is not one that content can have".into(),
            })?;
            return Ok((release.clone(), digest));
        }
        if !want.yanked {
            let (package, version) = (want.name.clone(), release.version.clone());
            return Err(Error::Yanked { package, version });
        }
        let digest = self.yanked_digest(package, release).await?;
        Ok((release.clone(), digest))
    }

    /// The digest of a release that was yanked, which only its record still has.
    pub(crate) async fn yanked_digest(
        &self,
        package: &Package,
        release: &Release,
    ) -> Result<Digest, Error> {
        let registry = self.route(package.name())?;
        let history = registry.history(package).await?;
        let entries = history.iter().flat_map(|record| &record.entries);
        let mut digest = entries.filter_map(|entry| match entry {
            PackageEntry::Action(PackageAction::Release { version, content })
                if *version == release.version =>
            {
                sha256(content)
            }
            _ => None,
        });
        digest.next_back().ok_or_else(|| registry.bad_answer("its records lack a release"))
    }

    async fn download(
        &self,
        chosen: Vec<(Package, Release, Digest)>,
    ) -> Result<Vec<Fetched>, Error> {
        let mut groups: BTreeMap<_, Vec<Digest>> = BTreeMap::new();
        for (package, _, digest) in &chosen {
            let group = groups.entry(package.registry().clone()).or_default();
            if !group.contains(digest) && !self.has_intact(package.registry(), digest)? {
                group.push(*digest);
            }
        }
        for (domain, downloads) in groups.into_iter().filter(|(_, group)| !group.is_empty()) {
            if self.settings.offline {
                let digest = downloads.first().map(ToString::to_string).unwrap_or_default();
                return Err(Error::Offline(format!("intact content of the digest {digest}")));
            }
            let of = |(package, ..): &&(Package, Release, Digest)| *package.registry() == domain;
            let Some((package, ..)) = chosen.iter().find(of) else { continue };
            self.download_from(&self.route(package.name())?, downloads).await?;
        }
        let mut fetched = Vec::new();
        for (package, release, digest) in chosen {
            let content = self.parts.cache.open(package.registry(), &digest)?;
            let content = content.ok_or_else(|| crate::seams::CacheError {
                message: format!("the content {digest} went away while it was needed"),
            })?;
            fetched.push(Fetched { package, release, digest, content });
        }
        Ok(fetched)
    }

    /// Whether the cache has content, and it is what its digest says. What is not is removed.
    fn has_intact(&self, registry: &Domain, digest: &Digest) -> Result<bool, Error> {
        let cache = &*self.parts.cache;
        let Some(mut content) = cache.open(registry, digest)? else { return Ok(false) };
        let is_intact =
            content::verified_copy(cache, registry, digest, &mut *content, &mut |_| Ok(()))?;
        if !is_intact {
            let message = format!("the content {digest} has rotten in the cache, and was removed");
            self.parts.observer.event(Event::Warning { message: &message });
        }
        Ok(is_intact)
    }

    async fn download_from(
        &self,
        registry: &Registry,
        downloads: Vec<Digest>,
    ) -> Result<(), Error> {
        let remote = registry.remote().await?;
        let (cache, at_once) = (&*self.parts.cache, self.settings.downloads_at_once);
        let direct = remote.has_transcripts() == Some(true);
        for (_, done) in content::download_all(&remote, cache, downloads, direct, at_once).await {
            done?;
        }
        Ok(())
    }
}

/// The digest of a release's content, if it was not yanked and is one that content can have.
fn content_digest(release: &Release) -> Option<Digest> {
    release.content().and_then(sha256)
}

fn sha256(digest: &AnyDigest) -> Option<Digest> {
    Digest::try_from(digest).ok()
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Highest(requirement) => requirement.fmt(f),
            Self::Exact(version) => version.fmt(f),
        }
    }
}
