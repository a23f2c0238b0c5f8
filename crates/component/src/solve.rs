//! Which release answers each import: the solver of dependencies.
//!
//! [`solve`] is a function of the root's imports, what a [`Snapshot`] knows of the registry, and the
//! [`Options`]. Its rule:
//!
//! 1. Imports are answered breadth-first, those of one component in the order of their names' text.
//! 2. A version that is selected already and in range is reused, the highest if there are several.
//!    Else the highest in range is selected, but no yanked one. What [`Options::precise`] and
//!    [`Options::pins`] name comes before the highest, yanked or not. A locked import takes what it
//!    names, yanked or not.
//! 3. A pre-release is in range only if a bound is a pre-release of the same three numbers, as in
//!    Cargo, or if [`Options::prereleases`] says so, and then not below the release that is the
//!    upper bound.
//! 4. A package has one version in each *track*, which is what Cargo calls compatible: 1.x, 0.1.x,
//!    0.0.3. Several tracks of a package may stand side by side.
//! 5. Releases must not import each other in a cycle, because nobody could instantiate them.
//! 6. Where that leads nowhere, the last choice is replaced by the next one in the order of rule 2,
//!    then by those further down. The first complete answer is the answer.
//!
//! Imports that name no package ([`ImportName::dependency`]) are left to whoever wires components.
//!
//! # Why not PubGrub
//!
//! The `pubgrub` crate (0.4.0) cannot be made to follow rule 2. `choose_version` sees one package and
//! its range, not what else is selected, so that it cannot reuse a version where a range spans several
//! tracks; nor can a provider remember it, since it is not told of steps back. A set of releases that
//! is a cycle cannot be forbidden, as only single versions can be called unusable from outside. And
//! its licence, MPL-2.0, is none that `deny.toml` permits.
//!
//! So this is a search of its own: it jumps back to the last choice that has a part in a
//! conflict, which skips no answer, and it ends after [`SOLVE_STEPS_MAX`](crate::limits::SOLVE_STEPS_MAX) steps, since solving is
//! exponential in the worst case.

mod choices;
mod conflict;
mod search;
mod snapshot;

pub use conflict::{Conflict, Problem, Step};
pub use snapshot::{Release, Snapshot, SnapshotError};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use crate::names::ImportName;

/// What the caller asks for beside the root's imports.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether pre-releases are in range like any other version.
    pub prereleases: bool,
    /// The versions of a lock: taken before others where they are in range, even if they were yanked
    /// since, so that a lock keeps resolving. A new release may still open a choice that there was
    /// not before; whoever wants the lock and nothing else asks with a snapshot of its releases alone.
    pub pins: BTreeMap<PackageName, BTreeSet<Version>>,
    /// A version that a package is to have, even if it is yanked: no other one of its track is taken,
    /// and an answer without it is an error.
    pub precise: BTreeMap<PackageName, Version>,
}

/// What [`solve`] finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Every import has its release.
    Solved(Solution),
    /// No choice of releases satisfies all imports.
    Conflict(Conflict),
    /// The snapshot does not know these packages. They are all that are needed as far as can be seen;
    /// whoever has added them asks again.
    Missing(BTreeSet<PackageName>),
}

/// The releases that answer all imports. Two equal questions have the same solution, in whatever order
/// imports and releases were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The root's imports, in the order of their names.
    pub roots: Vec<Edge>,
    /// The releases, by package and version.
    pub nodes: Vec<Node>,
}

/// A release that was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: Digest,
    /// Whether it is yanked, and only selected because a lock or the caller names it.
    pub yanked: bool,
    /// Its imports, in the order of their names.
    pub edges: Vec<Edge>,
}

/// An import, and what answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The name of the import.
    pub import: ImportName,
    /// Where in [`Solution::nodes`] the release is.
    pub to: usize,
}

/// Why there is neither an answer nor a conflict.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SolveError {
    /// More than [`SOLVE_NODES_MAX`](crate::limits::SOLVE_NODES_MAX) releases.
    #[error("the root needs more than {nodes_max} packages")]
    TooManyNodes {
        /// The limit.
        nodes_max: usize,
    },
    /// More than [`SOLVE_EDGES_MAX`](crate::limits::SOLVE_EDGES_MAX) imports.
    #[error("the root and what it needs have more than {edges_max} imports of packages together")]
    TooManyEdges {
        /// The limit.
        edges_max: usize,
    },
    /// A chain of more than [`SOLVE_DEPTH_MAX`](crate::limits::SOLVE_DEPTH_MAX) imports.
    #[error("{package} is more than {depth_max} imports away from the root")]
    TooDeep {
        /// What is too far away.
        package: PackageName,
        /// The limit.
        depth_max: usize,
    },
    /// More than [`SOLVE_STEPS_MAX`](crate::limits::SOLVE_STEPS_MAX) steps.
    #[error(
        "it takes more than {steps_max} steps to find out whether the imports can be satisfied: \
         lock some versions, or narrow their ranges{}", First(first.as_deref())
    )]
    TooManySteps {
        /// The limit.
        steps_max: usize,
        /// The first conflict that was met.
        first: Option<Box<Conflict>>,
    },
    /// The answer lacks a version of [`Options::precise`].
    #[error(
        "nothing takes {package} {version}, which was asked for: see which imports have it in \
             range, and whether it is a pre-release"
    )]
    PreciseUnused {
        /// The package.
        package: PackageName,
        /// The version that was asked for.
        version: Version,
    },
}

/// Finds the releases for the imports of a root.
///
/// Whoever holds a part of the registry begins with an empty snapshot and adds what is
/// [missing](Answer::Missing) until there is another answer, which is the one that the whole registry
/// would give; that takes about as many rounds as the graph is deep.
///
/// There is one exception, far from practice: where a range is only satisfied by a yanked version,
/// and a locked import that is only reached by steps back selects that version first, a package that
/// the snapshot does not know may hide that answer.
///
/// # Errors
///
/// [`SolveError`] if the graph is larger or harder than the limits, or if what was asked for precisely
/// is not in the answer.
pub fn solve(
    roots: &[ImportName],
    snapshot: &Snapshot,
    options: &Options,
) -> Result<Answer, SolveError> {
    let roots = snapshot::in_name_order(roots.to_vec());
    search::Search::new(&roots, snapshot, options)?.run()
}

/// Whether a release of a package may answer an import in some solution: it is in range, pre-release or
/// not, and has the digest that the import names, if it does.
pub fn may_answer(import: &ImportName, package: &PackageName, release: &Release) -> bool {
    choices::may_answer(import, package, release)
}

/// What versions are compatible with each other by Cargo's rule: the numbers up to the first that is
/// not zero, the others as zero.
pub(crate) fn track(version: &Version) -> (u64, u64, u64) {
    let version = version.as_semver();
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch),
        (0, minor, _) => (0, minor, 0),
        (major, _, _) => (major, 0, 0),
    }
}

/// The end of the sentence of [`SolveError::TooManySteps`].
struct First<'a>(Option<&'a Conflict>);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |conflict| write!(f, "; the first conflict is: {conflict}"))
    }
}
