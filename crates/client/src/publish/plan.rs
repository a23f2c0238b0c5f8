//! What a publication comes to, before anything is signed.

use wargate_crypto::{KeyId, PublicKey};
use wargate_protocol::{
    LogId, NamespaceState, PackageEntry, PackagePermission, PackageRecord, RecordId, Release,
    Timestamp,
};

use super::{Change, Publication};
use crate::error::{Error, YankedOr};
use crate::package::Package;
use crate::question::Question;
use crate::registry::Registry;
use crate::settings::Choice;
use crate::sync::{SyncError, Want};

/// What a publication comes to: the record that would be signed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The package as it is; `None` if it does not exist.
    pub package: Option<Package>,
    /// Whether it would be created.
    pub creates: bool,
    /// What the record would do. Nothing, if the log says all of it already.
    pub changes: Vec<Change>,
    /// The record that it would follow.
    pub prev: Option<RecordId>,
}

impl Registry {
    /// What a publication would come to if this key signed it now. The package is brought up to date.
    ///
    /// # Errors
    /// [`Error`], for all that can be known to fail.
    pub async fn plan(&self, publication: &Publication, key: &PublicKey) -> Result<Plan, Error> {
        let package = self.current(publication).await?;
        let mut changes = publication.entries.clone();
        let inits = changes.contains(&Change::Init);
        if let Some(package) = &package {
            if inits && changes.len() == 1 {
                return Err(Error::AlreadyInitialised(publication.name.clone()));
            }
            // Whoever wants it to exist, with more, is content if it does.
            changes.retain(|change| *change != Change::Init);
            drop_what_is_said(package, &mut changes)?;
            check_permissions(package, &key.id(), &changes)?;
        } else if !inits && !changes.is_empty() {
            self.may_create(publication)?;
            changes.insert(0, Change::Init);
        }
        let head = package.as_ref().and_then(|package| package.state().head());
        let prev = publication.head.or(head.map(|head| head.record_id));
        Ok(Plan { creates: package.is_none() && !changes.is_empty(), package, changes, prev })
    }

    /// The package as it is now; `None` if it does not exist.
    async fn current(&self, publication: &Publication) -> Result<Option<Package>, Error> {
        let (name, namespace) = (&publication.name, publication.name.namespace());
        let found = match self.sync(&[Want::package(name)]).await {
            Ok(known) => {
                let packages = self.packages_of(&known);
                packages.into_iter().find(|package| package.name() == name)
            }
            Err(SyncError::NotFound { log, .. }) if log == LogId::package(name) => {
                if self.knows(name)? {
                    self.may_lack(name).await?;
                }
                None
            }
            Err(SyncError::NotFound { .. }) => {
                return Err(self.bad_answer("it has not the log of another package"));
            }
            Err(SyncError::Failed(error)) => return Err(error),
        };
        // A namespace that is not defined may be defined by the first who publishes into it.
        if let Some(NamespaceState::Imported { registry: owner }) = self.namespace(namespace)? {
            let owner = crate::text::tame(&owner);
            let (registry, namespace) = (self.domain().clone(), namespace.clone());
            return Err(Error::ImportedNamespace { registry, namespace, owner });
        }
        Ok(found)
    }

    fn may_create(&self, publication: &Publication) -> Result<(), Error> {
        let (registry, package) = (self.domain().clone(), publication.name.clone());
        let settings = self.client().settings();
        let question = Question::CreatePackage { registry, package };
        match (settings.answers.to(&question), settings.create_packages) {
            (Some(true), _) | (None, Choice::Yes) => Ok(()),
            (None, Choice::Ask) => Err(Error::Undecided(question)),
            (Some(false), _) | (None, Choice::No) => Err(self.unknown_package(&publication.name)?),
        }
    }
}

impl Plan {
    /// The record, if there is anything to say.
    pub(super) fn record(&self, key: &PublicKey, now: Timestamp) -> Option<PackageRecord> {
        let entries: Vec<PackageEntry> =
            self.changes.iter().map(|change| change.entry(key)).collect();
        if entries.is_empty() {
            return None;
        }
        let head = self.package.as_ref().and_then(|package| package.state().head());
        // Time must not go back in a log (specification 5.1), even if this clock does.
        let timestamp = head.map_or(now, |head| now.max(head.timestamp));
        Some(PackageRecord::new(self.prev, timestamp, entries))
    }
}

/// Drops releases and yanks that the log says already; refuses those that contradict it.
fn drop_what_is_said(package: &Package, changes: &mut Vec<Change>) -> Result<(), Error> {
    let state = package.state();
    let mut wrong = None;
    changes.retain(|change| match change {
        Change::Release { version, content } => {
            let Some(release) = state.release(version) else { return true };
            if release.content() != Some(content) {
                let digest = release.content().and_then(|digest| digest.try_into().ok());
                wrong.get_or_insert(Error::AlreadyReleased {
                    package: package.name().clone(),
                    version: version.clone(),
                    digest: YankedOr(digest),
                });
            }
            false
        }
        Change::Yank { version } => !state.release(version).is_some_and(Release::is_yanked),
        Change::Init | Change::Grant { .. } | Change::Revoke { .. } => true,
    });
    // A version may be released and yanked by one record.
    let released: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Release { version, .. } => Some(version.clone()),
            _ => None,
        })
        .collect();
    for change in changes.iter() {
        if let Change::Yank { version } = change
            && state.release(version).is_none()
            && !released.contains(version)
        {
            let available = state.releases().rev().map(|release| release.version.clone());
            wrong.get_or_insert(Error::NoSuchRelease {
                package: package.name().clone(),
                wanted: crate::client::Selector::Exact(version.clone()),
                available: available.collect(),
            });
        }
    }
    wrong.map_or(Ok(()), Err)
}

/// Checks that the key may do what it would sign.
fn check_permissions(package: &Package, key_id: &KeyId, changes: &[Change]) -> Result<(), Error> {
    let permissions = package.state().permissions();
    let held = permissions.get(key_id).copied().unwrap_or_default();
    for change in changes {
        let (needed, action): (&[PackagePermission], _) = match change {
            Change::Init => continue,
            Change::Release { .. } => (&[PackagePermission::Release], "release versions of"),
            Change::Yank { .. } => (&[PackagePermission::Yank], "yank versions of"),
            Change::Grant { permissions, .. } => (permissions, "grant this for"),
            Change::Revoke { permissions, .. } => (permissions, "revoke this for"),
        };
        let lacking = needed.iter().find(|permission| !held.contains(**permission));
        if let Some(lacking) = lacking {
            let holders = permissions.iter().filter(|(_, set)| set.contains(*lacking));
            return Err(Error::NotPermitted {
                key_id: key_id.clone(),
                action,
                package: package.name().clone(),
                holders: holders.map(|(id, _)| id.clone()).collect(),
            });
        }
    }
    Ok(())
}
