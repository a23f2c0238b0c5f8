//! How the client is to behave. [`crate::config`] makes this of files and variables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wargate_crypto::KeyId;
use wargate_protocol::{Namespace, PackageName};

use crate::limits::CONTENT_BYTES_MAX;
use crate::origin::{Domain, RegistryUrl};
use crate::question::Answers;

/// How the client is to behave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The registry for what no mapping names.
    pub home: Option<RegistryUrl>,
    /// Registries of single packages. They count before those of namespaces.
    pub packages: BTreeMap<PackageName, RegistryUrl>,
    /// Registries of namespaces.
    pub namespaces: BTreeMap<Namespace, RegistryUrl>,
    /// What to do with a registry's hints at other registries.
    pub hints: Choice,
    /// Whether publishing creates packages.
    pub create_packages: Choice,
    /// What the user decided.
    pub answers: Answers,
    /// Whether to do without the network.
    pub offline: bool,
    /// Operator keys that are believed, by registry; others are refused. A registry that has none here
    /// is believed on first use.
    pub operator_keys: BTreeMap<Domain, Vec<KeyId>>,
    /// The registries of [`operator_keys`](Self::operator_keys) whose keys a project names. Others than
    /// these are refused as well, but the user has not confirmed them.
    pub keys_of_projects: BTreeSet<Domain>,
    /// Checkpoints that were signed longer ago are refused: the registry, or somebody between, shows an
    /// old state. `None`: any age will do, as for a static mirror.
    pub checkpoint_age_max: Option<Duration>,
    /// How far a checkpoint may be ahead of the clock.
    pub clock_skew_max: Duration,
    /// How often something that may pass is tried in all.
    pub attempts: u32,
    /// Most bytes of one content: a registry can send without end.
    pub content_bytes_max: u64,
    /// How many contents come in at a time.
    pub downloads_at_once: usize,
    /// How long to wait until a record is in the log.
    pub publish_wait_max: Duration,
}

/// What to do where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Do it.
    #[default]
    Yes,
    /// Ask: the call ends with a [`Question`](crate::question::Question).
    Ask,
    /// Do not.
    No,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            home: None,
            packages: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            hints: Choice::Yes,
            create_packages: Choice::Yes,
            answers: Answers::default(),
            offline: false,
            operator_keys: BTreeMap::new(),
            keys_of_projects: BTreeSet::new(),
            checkpoint_age_max: Some(Duration::from_hours(24)),
            clock_skew_max: Duration::from_mins(15),
            attempts: 4,
            content_bytes_max: CONTENT_BYTES_MAX,
            downloads_at_once: 8,
            publish_wait_max: Duration::from_mins(2),
        }
    }
}

impl Settings {
    /// Whether the user says who operates a registry. What a project says is no confirmation.
    pub(crate) fn confirm(&self, registry: &Domain) -> bool {
        self.operator_keys.contains_key(registry) && !self.keys_of_projects.contains(registry)
    }
}
