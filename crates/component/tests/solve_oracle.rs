//! The solver beside one that tries everything, on random small registries.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "solve/registry.rs"]
mod registry;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use registry::{Registry, digest, in_rounds, snapshot};
use wargate_component::solve::{Answer, Options, Release, Snapshot, Solution, SolveError, solve};
use wargate_component::{ImportName, Integrity};
use wargate_protocol::{PackageName, Version, VersionReq};

const PACKAGES: [&str; 5] = ["t:a", "t:b", "t:c", "t:d", "t:e"];
const VERSIONS: [&str; 12] = [
    "0.0.1",
    "0.0.2",
    "0.1.0",
    "0.1.1-rc.1",
    "0.1.1",
    "1.0.0",
    "1.1.0+b",
    "1.2.0-rc.1",
    "1.2.0",
    "1.2.0+b",
    "2.0.0-rc.1",
    "2.0.0",
];

type Id = (PackageName, Version);
/// Who imports, what it imports, and what answers.
type Edges = BTreeMap<(Option<Id>, String), Id>;

/// Trying everything takes too long.
struct TooLong;

/// What the stated rule says, found by trying everything.
struct Oracle<'a> {
    registry: &'a Registry,
    options: &'a Options,
    tries: usize,
}

impl Oracle<'_> {
    /// Answers the import at `at` of the queue, and all behind it.
    fn go(
        &mut self,
        queue: &[(Option<Id>, ImportName)],
        at: usize,
        chosen: &BTreeSet<Id>,
        edges: &Edges,
    ) -> Result<Option<Edges>, TooLong> {
        self.tries = self.tries.checked_sub(1).ok_or(TooLong)?;
        let Some((owner, import)) = queue.get(at) else {
            return Ok((!is_circular(edges)).then(|| edges.clone()));
        };
        for release in self.in_order(import, chosen) {
            let id = (import.dependency().unwrap().clone(), release.version.clone());
            let (mut queue, mut chosen, mut edges) =
                (queue.to_vec(), chosen.clone(), edges.clone());
            if !chosen.contains(&id) {
                if chosen.iter().any(|(of, other)| *of == id.0 && compatible(other, &id.1)) {
                    continue;
                }
                queue.extend(ordered(Some(id.clone()), &release.imports));
                chosen.insert(id.clone());
            }
            edges.insert((owner.clone(), import.to_string()), id);
            if let Some(found) = self.go(&queue, at + 1, &chosen, &edges)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn in_order(&self, import: &ImportName, chosen: &BTreeSet<Id>) -> Vec<Release> {
        let package = import.dependency().unwrap();
        let precise = self.options.precise.get(package);
        let pins = self.options.pins.get(package).cloned().unwrap_or_default();
        let is_chosen = |version: &Version| chosen.contains(&(package.clone(), version.clone()));
        let mut rest = self.registry.get(package).cloned().unwrap_or_default();
        rest.retain(|release| self.in_range(import, release));
        rest.retain(|Release { version, .. }| {
            precise.is_none_or(|precise| precise == version || !compatible(precise, version))
        });
        rest.sort_by(|one, other| other.version.cmp(&one.version));
        let mut found = Vec::new();
        let mut take = |wanted: &dyn Fn(&Release) -> bool| {
            found.extend(rest.extract_if(.., |release| wanted(release)));
        };
        take(&|release| is_chosen(&release.version));
        take(&|release| precise == Some(&release.version));
        take(&|release| pins.contains(&release.version));
        take(&|release| !release.yanked || is_lock(import));
        found
    }

    fn in_range(&self, import: &ImportName, release: &Release) -> bool {
        let version = &release.version;
        match import {
            ImportName::Unlocked { range, .. } => {
                let (lower, upper) = (range.lower(), range.upper());
                self.lies_between(lower, upper, version)
            }
            ImportName::Locked { version: wanted, integrity, .. } if is_lock(import) => {
                wanted.as_ref().is_none_or(|wanted| wanted == version)
                    && integrity
                        .as_ref()
                        .is_none_or(|integrity| integrity.sha256() == Some(release.digest))
            }
            _ => self.lies_between(None, None, version),
        }
    }

    fn lies_between(
        &self,
        lower: Option<&Version>,
        upper: Option<&Version>,
        version: &Version,
    ) -> bool {
        let bare = |version: &Version| -> Version {
            version.to_string().split('+').next().unwrap().parse().unwrap()
        };
        let numbers =
            |version: &Version| version.to_string().split(['-', '+']).next().unwrap().to_owned();
        let named = |bound: Option<&Version>| {
            bound.is_some_and(|bound| bound.is_prerelease() && numbers(bound) == numbers(version))
        };
        let below_a_release =
            upper.is_some_and(|upper| !upper.is_prerelease() && numbers(upper) == numbers(version));
        let permitted = !version.is_prerelease()
            || named(lower)
            || named(upper)
            || self.options.prereleases && !below_a_release;
        permitted
            && lower.is_none_or(|lower| bare(lower) <= bare(version))
            && upper.is_none_or(|upper| bare(version) < bare(upper))
    }
}

/// Whether it names a release, and not a range.
fn is_lock(import: &ImportName) -> bool {
    matches!(import, ImportName::Locked { version, integrity, .. }
        if version.is_some() || integrity.is_some())
}

/// Cargo's notion, by Cargo's operator.
fn compatible(one: &Version, other: &Version) -> bool {
    let release = |version: &Version| -> Version {
        version.to_string().split(['-', '+']).next().unwrap().parse().unwrap()
    };
    let caret = |version: Version| format!("^{version}").parse::<VersionReq>().unwrap();
    let (one, other) = (release(one), release(other));
    caret(one.clone()).matches(&other) || caret(other).matches(&one)
}

fn ordered(
    owner: Option<Id>,
    imports: &[ImportName],
) -> impl Iterator<Item = (Option<Id>, ImportName)> {
    let imports: BTreeMap<_, _> = imports
        .iter()
        .filter(|import| import.dependency().is_some())
        .map(|import| (import.to_string(), import.clone()))
        .collect();
    imports.into_values().map(move |import| (owner.clone(), import))
}

/// Takes away what needs nothing that is left, until nothing changes.
fn is_circular(edges: &Edges) -> bool {
    let mut left: Vec<_> =
        edges.iter().filter_map(|((owner, _), to)| Some((owner.clone()?, to.clone()))).collect();
    loop {
        let owners: BTreeSet<_> = left.iter().map(|(owner, _)| owner.clone()).collect();
        let before = left.len();
        left.retain(|(_, to)| owners.contains(to));
        if left.len() == before {
            return !left.is_empty();
        }
    }
}

fn edges(solution: &Solution) -> Edges {
    let id = |at: usize| (solution.nodes[at].package.clone(), solution.nodes[at].version.clone());
    let roots = solution.roots.iter().map(|edge| ((None, edge.import.to_string()), id(edge.to)));
    let inner = solution.nodes.iter().enumerate().flat_map(|(at, node)| {
        let edge = move |edge: &wargate_component::solve::Edge| {
            ((Some(id(at)), edge.import.to_string()), id(edge.to))
        };
        node.edges.iter().map(edge).collect::<Vec<_>>()
    });
    roots.chain(inner).collect()
}

/// Any legal form; those that name one release only on demand. Packages behind the one at `above` are
/// imported more often than others, so that not everything is a cycle.
fn import(locks: bool, above: usize) -> impl Strategy<Value = ImportName> {
    let version = || select(&VERSIONS[..]);
    let forms = (0..20).cycle().take(80).chain(if locks { 20..27 } else { 0..0 });
    let packages = PACKAGES[above..].iter().cycle().take(20).chain(&PACKAGES[..above]);
    let package = select(packages.copied().collect::<Vec<_>>());
    (select(forms.collect::<Vec<_>>()), package, version(), version(), any::<bool>()).prop_map(
        |(form, package, one, other, projected)| {
            let parsed = |text: &str| text.parse::<Version>().unwrap();
            let lower = parsed(one).min(parsed(other));
            let upper = parsed(one).max(parsed(other));
            let path = if projected { format!("{package}/iface") } else { package.to_owned() };
            let integrity = |version| Integrity::of(&digest(package, version));
            let text = match form {
                0..4 => format!("unlocked-dep=<{path}>"),
                4 => format!("unlocked-dep=<{path}@*>"),
                5..9 => format!("unlocked-dep=<{path}@{{>={lower}}}>"),
                9..13 => format!("unlocked-dep=<{path}@{{<{upper}}}>"),
                13..19 => format!("unlocked-dep=<{path}@{{>={lower} <{upper}}}>"),
                19 => "custom-hook".to_owned(),
                20 => format!("locked-dep=<{path}>"),
                21..23 => format!("locked-dep=<{path}@{one}>"),
                23 => format!("locked-dep=<{path}@{one}>,integrity=<{}>", integrity(one)),
                24..26 => format!("locked-dep=<{path}>,integrity=<{}>", integrity(one)),
                _ => format!("locked-dep=<{path}@{one}>,integrity=<{}>", integrity(other)),
            };
            text.parse().unwrap()
        },
    )
}

fn some_registry(locks: bool) -> impl Strategy<Value = Registry> {
    let package = move |(at, name): (usize, &'static str)| {
        let imports = prop::collection::vec(import(locks, (at + 1).min(PACKAGES.len() - 1)), 0..4);
        let releases = prop::collection::vec((prop::bool::weighted(0.2), imports), 6);
        (subsequence(&VERSIONS[..], 2..=6), releases).prop_map(move |(versions, releases)| {
            let made = versions.into_iter().zip(releases).map(|(version, (yanked, imports))| {
                let digest = digest(name, version);
                let version = version.parse().unwrap();
                Release { version, digest, yanked, imports: imports.into() }
            });
            (name.parse::<PackageName>().unwrap(), made.collect::<Vec<_>>())
        })
    };
    let packages: Vec<_> = PACKAGES.into_iter().enumerate().map(package).collect();
    packages.prop_map(|packages| packages.into_iter().collect())
}

fn roots(locks: bool) -> impl Strategy<Value = Vec<ImportName>> {
    prop::collection::vec(import(locks, 0), 1..4)
}

fn options() -> impl Strategy<Value = Options> {
    let versions = |of: usize| subsequence(&VERSIONS[..], 0..=of);
    let pins = [(); PACKAGES.len()].map(|()| prop_oneof![3 => versions(0), 1 => versions(3)]);
    let precise = [(); PACKAGES.len()].map(|()| prop_oneof![6 => versions(0), 1 => versions(1)]);
    (prop::bool::weighted(0.25), pins, precise).prop_map(|(prereleases, pins, precise)| {
        let named = |lists: [Vec<&'static str>; PACKAGES.len()]| {
            PACKAGES.into_iter().zip(lists).map(|(name, versions)| {
                let versions = versions.into_iter().map(|version| version.parse().unwrap());
                (name.parse().unwrap(), versions.collect::<BTreeSet<Version>>())
            })
        };
        let precise =
            named(precise).filter_map(|(name, versions)| Some((name, versions.first()?.clone())));
        Options { prereleases, precise: precise.collect(), pins: named(pins).collect() }
    })
}

fn ask(roots: &[ImportName], known: &Snapshot, options: &Options) -> Result<Answer, SolveError> {
    solve(roots, known, options)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_is_that_of_the_rule(
        registry in some_registry(true),
        roots in roots(true),
        options in options(),
    ) {
        let mut oracle = Oracle { registry: &registry, options: &options, tries: 4_000 };
        let queue: Vec<_> = ordered(None, &roots).collect();
        let expected = oracle.go(&queue, 0, &BTreeSet::new(), &Edges::new());
        let Ok(expected) = expected else { return Ok(()) };
        match ask(&roots, &snapshot(&registry), &options) {
            Ok(Answer::Solved(solution)) => prop_assert_eq!(Some(edges(&solution)), expected),
            Ok(Answer::Conflict(conflict)) => {
                prop_assert_eq!(expected, None, "{}", conflict);
                let text = conflict.to_string();
                prop_assert!(text.starts_with("the root imports "), "{}", text);
            }
            Err(SolveError::PreciseUnused { package, version }) => {
                let chosen: BTreeSet<_> = expected.unwrap().into_values().collect();
                prop_assert!(!chosen.contains(&(package, version)));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn order_and_rounds_make_no_difference(
        registry in some_registry(false),
        roots in roots(true),
        options in options(),
        at in any::<Index>(),
    ) {
        let expected = ask(&roots, &snapshot(&registry), &options);
        let mut shuffled = registry.clone();
        for releases in shuffled.values_mut().filter(|releases| !releases.is_empty()) {
            let middle = at.index(releases.len());
            releases.rotate_left(middle);
            for release in releases {
                release.imports = release.imports.iter().rev().cloned().collect();
            }
        }
        let reversed: Vec<_> = roots.iter().rev().cloned().collect();
        prop_assert_eq!(&ask(&reversed, &snapshot(&shuffled), &options), &expected);
        let Ok(expected) = expected else { return Ok(()) };
        let (answer, _) = in_rounds(&shuffled, Snapshot::default(), |known| {
            ask(&reversed, known, &options).unwrap()
        });
        prop_assert_eq!(answer, expected);
    }

    #[test]
    fn a_lock_keeps_resolving(
        mut registry in some_registry(false),
        newer in some_registry(false),
        roots in roots(false),
        prereleases in any::<bool>(),
    ) {
        let mut options = Options { prereleases, ..Options::default() };
        let Ok(Answer::Solved(before)) = ask(&roots, &snapshot(&registry), &options) else {
            return Ok(());
        };
        for node in &before.nodes {
            let versions = options.pins.entry(node.package.clone()).or_default();
            versions.insert(node.version.clone());
        }
        for release in registry.values_mut().flatten() {
            release.yanked = true;
        }
        match ask(&roots, &snapshot(&registry), &options) {
            Ok(Answer::Solved(after)) => prop_assert_eq!(edges(&after), edges(&before)),
            other => prop_assert!(false, "{:?}", other),
        }
        for (package, releases) in &mut registry {
            for release in &newer[package] {
                if releases.iter().all(|known| known.version != release.version) {
                    releases.push(release.clone());
                }
            }
        }
        let answer = ask(&roots, &snapshot(&registry), &options);
        prop_assert!(matches!(answer, Ok(Answer::Solved(_))), "{:?}", answer);
    }
}
