//! One of each error, for programs that test what they say about errors.
//!
//! A variant without an example does not compile: each row is an arm of a `match` without a wildcard,
//! and the example that this arm must match.

#![expect(clippy::unwrap_used, reason = "the texts are fixed and well-formed")]

use std::time::Duration;

use wargate_api::publish::PackageError;
use wargate_component::lock::PackageId;
use wargate_component::solve::{Conflict, Problem};
use wargate_crypto::{AnyDigest, Digest, KeyId, PrivateKey};
use wargate_protocol::verify::{Culprit, Evidence, Fault, Misbehaviour, ProofFault};
use wargate_protocol::{
    Checkpoint, CheckpointError, InvalidRecord, LogId, LogLength, PackageName, RecordError,
    RecordId, RegistryIndex, SignedCheckpoint, TimestampedCheckpoint,
};
use wargate_transparency::map::MapBundleError;

use super::{Error, NotAsLocked, YankedOr};
use crate::client::Selector;
use crate::config::ConfigError;
use crate::evidence::EvidenceId;
use crate::origin::{Domain, DomainError, RegistryUrlError};
use crate::question::Question;
use crate::seams::{CacheError, SecretError, StateError, TransportError, TransportFault};
use crate::verify::Finding;

/// A list of examples, which has one of each variant.
macro_rules! one_of_each {
    ($name:ident: $kind:ty { $($pattern:pat => $example:expr,)* }) => {
        fn $name() -> Vec<$kind> {
            // Never called: it does not compile if a variant is missing.
            const _: fn(&$kind) = |error| match error { $($pattern => (),)* };
            let examples = vec![$($example,)*];
            let mut next = examples.iter();
            $(debug_assert!(matches!(next.next(), Some($pattern)), "{}", stringify!($pattern));)*
            examples
        }
    };
}

/// One of each error, and one misbehaviour and finding of each kind.
pub fn examples() -> Vec<Error> {
    let mut examples = plain();
    examples.extend(faults().into_iter().map(|fault| misbehaviour(Culprit::Server, fault)));
    examples.extend(findings().into_iter().map(|found| finding(None, found)));
    examples.push(finding(Some(key().public_key().id()), Finding::Beginning));
    examples
}

one_of_each! { plain: Error {
    Error::Misbehaviour { .. } => {
        let culprit = Culprit::Registry { key_id: key().public_key().id() };
        misbehaviour(culprit, Fault::Fork { length: length() })
    },
    Error::Finding { .. } => finding(None, Finding::Beginning),
    Error::BadAnswer { .. } => {
        Error::BadAnswer { registry: registry(), what: "the checkpoint", reason: text() }
    },
    Error::WrongContent { .. } => {
        Error::WrongContent { registry: registry(), digest: any_digest(), reason: text() }
    },
    Error::NoContent { .. } => Error::NoContent { registry: registry(), digest: any_digest() },
    Error::Unreachable { .. } => {
        let source = TransportError { fault: TransportFault::Timeout, message: text() };
        Error::Unreachable { registry: registry(), source }
    },
    Error::Unavailable { .. } => {
        let retry_after = Some(Duration::from_secs(7));
        Error::Unavailable { registry: registry(), status: 503, message: text(), retry_after }
    },
    Error::Unauthorized { .. } => Error::Unauthorized { registry: registry(), message: text() },
    Error::UnknownPackage { .. } => {
        Error::UnknownPackage { registry: registry(), package: package(), similar: Vec::new() }
    },
    Error::NoSuchRelease { .. } => {
        let wanted = Selector::Exact("1.0.0".parse().unwrap());
        Error::NoSuchRelease { package: package(), wanted, available: Vec::new() }
    },
    Error::Conflict(_) => {
        let problem = Problem::NoPackage { package: package() };
        Error::Conflict(Box::new(Conflict { chains: Vec::new(), chains_left_out: 0, problem }))
    },
    Error::Unsolvable(_) => Error::Unsolvable(text()),
    Error::NotAsLocked(_) => {
        let release = PackageId { package: package(), version: "1.0.0".parse().unwrap() };
        let (locked, found) = (Digest::of(b"locked"), Digest::of(b"found"));
        Error::NotAsLocked(Box::new(NotAsLocked { registry: registry(), release, locked, found }))
    },
    Error::OtherImports { .. } => {
        let release = PackageId { package: package(), version: "1.0.0".parse().unwrap() };
        Error::OtherImports { release: Box::new(release) }
    },
    Error::OtherLog { .. } => {
        Error::OtherLog { registry: registry(), length: LogLength::EMPTY, reason: text() }
    },
    Error::Yanked { .. } => {
        Error::Yanked { package: package(), version: "1.0.0".parse().unwrap() }
    },
    Error::AlreadyReleased { .. } => {
        let (version, digest) = ("1.0.0".parse().unwrap(), YankedOr(None));
        Error::AlreadyReleased { package: package(), version, digest }
    },
    Error::AlreadyInitialised(_) => Error::AlreadyInitialised(package()),
    Error::UnknownNamespace { .. } => {
        let namespace = package().namespace().clone();
        Error::UnknownNamespace { registry: registry(), namespace }
    },
    Error::ImportedNamespace { .. } => {
        let namespace = package().namespace().clone();
        Error::ImportedNamespace { registry: registry(), namespace, owner: "wa.dev".into() }
    },
    Error::NotPermitted { .. } => {
        let (key_id, action) = (key().public_key().id(), "yank versions of");
        Error::NotPermitted { key_id, action, package: package(), holders: Vec::new() }
    },
    Error::Rejected { .. } => {
        Error::Rejected { registry: registry(), record: record(), reason: text() }
    },
    Error::Publish { .. } => {
        Error::Publish { registry: registry(), source: PackageError::Unauthorized(text()) }
    },
    Error::StillWaiting { .. } => {
        Error::StillWaiting { registry: registry(), package: package(), record: record() }
    },
    Error::UnknownRecord { .. } => {
        Error::UnknownRecord { registry: registry(), package: package(), record: record() }
    },
    Error::Offline(_) => Error::Offline("the newest state of warg.io".into()),
    Error::NoSigningKey(_) => Error::NoSigningKey(registry()),
    Error::NoRegistry => Error::NoRegistry,
    Error::Undecided(_) => {
        Error::Undecided(Question::CreatePackage { registry: registry(), package: package() })
    },
    Error::Usage(_) => Error::Usage(text()),
    Error::Content(_) => Error::Content(text()),
    Error::Config(_) => ConfigError { origin: "warg.toml:1".into(), message: text() }.into(),
    Error::Domain(_) => DomainError("a/b".into()).into(),
    Error::Url(_) => RegistryUrlError::Scheme("ftp".into()).into(),
    Error::State(_) => StateError { message: text() }.into(),
    Error::Damaged { .. } => Error::Damaged { key: "registries/warg.io/pin".into(), reason: text() },
    Error::Cache(_) => CacheError { message: text() }.into(),
    Error::Secret(_) => SecretError { message: text() }.into(),
} }

one_of_each! { faults: Fault {
    Fault::Rollback { .. } => Fault::Rollback { seen: LogLength::new(2), offered: length() },
    Fault::Fork { .. } => Fault::Fork { length: length() },
    Fault::Inconsistent { .. } => {
        Fault::Inconsistent { from: length(), to: LogLength::new(2), reason: ProofFault::Missing }
    },
    Fault::Stale { .. } => Fault::Stale { timestamp: 1, not_before: 2 },
    Fault::Early { .. } => Fault::Early { timestamp: 2, not_after: 1 },
    Fault::EmptyLog => Fault::EmptyLog,
    Fault::UntrustedOperator { .. } => {
        Fault::UntrustedOperator { found: key().public_key().id() }
    },
    Fault::Checkpoint(_) => Fault::Checkpoint(CheckpointError::UnknownKey),
    Fault::Undecodable { .. } => {
        Fault::Undecodable { log: log(), index: index(), reason: RecordError::TooManyEntries }
    },
    Fault::InvalidRecord { .. } => {
        let reason = InvalidRecord::NoPreviousHashAfterInit;
        Fault::InvalidRecord { log: log(), index: index(), reason }
    },
    Fault::Misplaced { .. } => Fault::Misplaced { log: log(), index: index() },
    Fault::Unrequested { .. } => Fault::Unrequested { log: log() },
    Fault::MissingLog { .. } => Fault::MissingLog { log: log() },
    Fault::NotInLog(_) => Fault::NotInLog(ProofFault::Missing),
    Fault::NotInMap(_) => Fault::NotInMap(MapBundleError::TooLarge(1 << 30)),
} }

one_of_each! { findings: Finding {
    Finding::Ledger(_) => Finding::Ledger("ends too early".into()),
    Finding::LogRoot { .. } => {
        Finding::LogRoot { length: length(), signed: digest(), found: digest() }
    },
    Finding::MapRoot { .. } => {
        Finding::MapRoot { length: length(), signed: digest(), found: digest() }
    },
    Finding::MissingRecord { .. } => Finding::MissingRecord { log: log(), index: index() },
    Finding::SpareRecord { .. } => {
        Finding::SpareRecord { log: log(), index: index(), record: record() }
    },
    Finding::Undecodable { .. } => {
        Finding::Undecodable { log: log(), index: index(), reason: RecordError::TooManyEntries }
    },
    Finding::InvalidRecord { .. } => {
        let reason = InvalidRecord::NoPreviousHashAfterInit;
        Finding::InvalidRecord { log: log(), index: index(), reason }
    },
    Finding::Rewritten { .. } => Finding::Rewritten { log: log() },
    Finding::Beginning => Finding::Beginning,
    Finding::WrongName { .. } => Finding::WrongName { log: log(), name: "other:name".into() },
    Finding::NotItsCheckpoint(_) => Finding::NotItsCheckpoint(text()),
    Finding::Still { .. } => Finding::Still { timestamp: 1, ticks: 2 },
} }

fn misbehaviour(culprit: Culprit, fault: Fault) -> Error {
    let (summary, offered) = (fault.to_string(), checkpoint());
    let evidence =
        Evidence { summary, offered, seen: None, log_id: None, record: None, proofs: None };
    let source = Box::new(Misbehaviour { culprit, fault, evidence });
    Error::Misbehaviour { registry: registry(), source, evidence: Some(kept()) }
}

fn finding(convicted: Option<KeyId>, finding: Finding) -> Error {
    let finding = Box::new(finding);
    Error::Finding { registry: registry(), finding, convicted, evidence: Some(kept()) }
}

fn kept() -> EvidenceId {
    EvidenceId { registry: registry(), name: "0123456789abcdef".into() }
}

fn checkpoint() -> SignedCheckpoint {
    let (log_root, map_root, log_length) = (digest(), digest(), length());
    let checkpoint = Checkpoint { log_root, log_length, map_root };
    SignedCheckpoint::sign(TimestampedCheckpoint { checkpoint, timestamp_seconds: 1 }, &key())
}

fn key() -> PrivateKey {
    let scalar = wargate_protocol::base64::encode(&[7; 32]);
    PrivateKey::from_text(&format!("ecdsa-p256:{scalar}")).unwrap()
}

fn registry() -> Domain {
    "warg.io".parse().unwrap()
}

fn package() -> PackageName {
    "some:package".parse().unwrap()
}

fn record() -> RecordId {
    digest().to_string().parse().unwrap()
}

fn log() -> LogId {
    LogId::package(&package())
}

fn digest() -> Digest {
    Digest::of(b"example")
}

fn any_digest() -> AnyDigest {
    digest().into()
}

const fn length() -> LogLength {
    LogLength::new(1)
}

const fn index() -> RegistryIndex {
    RegistryIndex::new(7)
}

fn text() -> String {
    "for an example".into()
}
