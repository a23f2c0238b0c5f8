//! Package logs: who may release and which versions there are (specification 5.2).

use wargate_crypto::AnyDigest;

use super::{LogKind, Origin};
use crate::constants::{PACKAGE_RECORD_ID, PACKAGE_RECORD_SIGNATURE, PACKAGE_RECORD_VERSION};
use crate::permission::named_permission;
use crate::record::{self, Record, RecordError};
use crate::release::{Release, ReleaseState};
use crate::state::InvalidRecord;
use crate::version::Version;

/// The kind of a package's log, of which there is one for each package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Package {}

named_permission! {
    /// What a key of a package log may do. The numbers are protobuf's (specification 3.4).
    pub enum PackagePermission {
        /// Release versions.
        Release = 1, "release";
        /// Yank versions.
        Yank = 2, "yank";
    }
}

/// The entries that only package logs have (specification 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageAction {
    /// Releases a version.
    Release {
        /// The version.
        version: Version,
        /// The digest of its content. Of any length (specification 2.1, QUIRK); a server refuses
        /// to publish one that is no [`Digest`](wargate_crypto::Digest).
        content: AnyDigest,
    },
    /// Withdraws a version for good.
    Yank {
        /// The version.
        version: Version,
    },
}

impl PackageAction {
    /// The version that the action is about.
    pub const fn version(&self) -> &Version {
        match self {
            Self::Release { version, .. } | Self::Yank { version } => version,
        }
    }
}

impl LogKind for Package {
    type Permission = PackagePermission;
    type Action = PackageAction;
    type Item = Version;
    type ItemState = Release;

    const NAME: &'static str = "package";
    const SIGNATURE_PREFIX: &'static [u8] = PACKAGE_RECORD_SIGNATURE;
    const RECORD_ID_PREFIX: &'static [u8] = PACKAGE_RECORD_ID;
    const RECORD_VERSION: u32 = PACKAGE_RECORD_VERSION;
    const DELEGATION_PERMISSION: Option<PackagePermission> = None;
    const INIT_KEY_SIGNS: bool = true;
    const ITEMS_MEMBER: &'static str = "releases";

    fn decode_record(bytes: &[u8]) -> Result<Record<Self>, RecordError> {
        record::package::decode(bytes)
    }

    fn encode_record(record: &Record<Self>) -> Vec<u8> {
        record::package::encode(record)
    }

    fn action_permission(action: &PackageAction) -> PackagePermission {
        match action {
            PackageAction::Release { .. } => PackagePermission::Release,
            PackageAction::Yank { .. } => PackagePermission::Yank,
        }
    }

    fn action_item(action: &PackageAction) -> Result<Version, InvalidRecord> {
        Ok(action.version().clone())
    }

    fn act(
        action: &PackageAction,
        origin: &Origin<'_>,
        current: Option<Release>,
    ) -> Result<Release, InvalidRecord> {
        match (action, current) {
            (PackageAction::Release { version, .. }, Some(_)) => {
                Err(InvalidRecord::ReleaseOfReleased { version: version.clone() })
            }
            (PackageAction::Release { version, content }, None) => Ok(Release {
                record_id: origin.record_id,
                version: version.clone(),
                by: origin.signer.clone(),
                timestamp: origin.timestamp,
                state: ReleaseState::Released { content: content.clone() },
            }),
            (PackageAction::Yank { version }, None) => {
                Err(InvalidRecord::YankOfUnreleased { version: version.clone() })
            }
            (PackageAction::Yank { version }, Some(release)) if release.is_yanked() => {
                Err(InvalidRecord::YankOfYanked { version: version.clone() })
            }
            (PackageAction::Yank { .. }, Some(release)) => Ok(Release {
                state: ReleaseState::Yanked {
                    by: origin.signer.clone(),
                    timestamp: origin.timestamp,
                },
                ..release
            }),
        }
    }

    fn is_state_of(version: &Version, release: &Release) -> bool {
        *version == release.version
    }
}
