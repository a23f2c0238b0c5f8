//! Which releases answer an import, and which comes first.

use std::collections::BTreeSet;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use super::{Options, Problem, Release, track};
use crate::names::{ImportName, Integrity, PackageRange};

static ANY: PackageRange = PackageRange::ANY;

/// The releases that may answer an import.
pub(super) struct Choices<'a> {
    /// The best one first.
    pub(super) releases: Vec<&'a Release>,
    /// Whether a yanked one would be among them if it were selected already.
    pub(super) yanked_left_out: bool,
}

/// The releases that may answer an import, or why there is none.
pub(super) fn choices<'a>(
    import: &ImportName,
    releases: &'a [Release],
    options: &Options,
    is_selected: impl Fn(&Version) -> bool,
) -> Result<Choices<'a>, Box<Problem>> {
    let Some(demand) = Demand::of(import)? else {
        return Ok(Choices { releases: Vec::new(), yanked_left_out: false });
    };
    let wish = Wish::of(demand.package, options);
    let matching = releases.iter().filter(|release| demand.takes(release, options.prereleases));
    let allowed: Vec<_> = matching.filter(|release| !wish.excludes(&release.version)).collect();
    let mut ranked: Vec<_> = allowed
        .iter()
        .filter_map(|release| {
            let rank = if is_selected(&release.version) { 0 } else { wish.rank(&release.version) };
            let usable = !release.yanked || rank < Wish::UNNAMED || demand.is_lock();
            usable.then_some((rank, *release))
        })
        .collect();
    if ranked.is_empty() {
        return Err(Box::new(demand.problem(releases, &allowed, &wish)));
    }
    let yanked_left_out = ranked.len() < allowed.len();
    // Stable, so that the highest version stays first within a rank.
    ranked.sort_by_key(|(rank, _)| *rank);
    let releases = ranked.into_iter().map(|(_, release)| release).collect();
    Ok(Choices { releases, yanked_left_out })
}

/// Whether a release may answer an import, if pre-releases do and nothing is said against it being yanked.
pub(super) fn may_answer(import: &ImportName, package: &PackageName, release: &Release) -> bool {
    let demand = Demand::of(import).ok().flatten();
    demand.is_some_and(|demand| demand.package == package && demand.takes(release, true))
}

/// What the options say of a package.
struct Wish<'a> {
    options: &'a Options,
    package: &'a PackageName,
    precise: Option<&'a Version>,
}

impl<'a> Wish<'a> {
    /// The rank of a version that no option names.
    const UNNAMED: u8 = 3;

    fn of(package: &'a PackageName, options: &'a Options) -> Self {
        Self { options, package, precise: options.precise.get(package) }
    }

    fn excludes(&self, version: &Version) -> bool {
        self.precise.is_some_and(|precise| precise != version && track(precise) == track(version))
    }

    fn rank(&self, version: &Version) -> u8 {
        let pinned = |pins: &BTreeSet<Version>| pins.contains(version);
        if self.precise == Some(version) {
            1
        } else if self.options.pins.get(self.package).is_some_and(pinned) {
            2
        } else {
            Self::UNNAMED
        }
    }
}

/// What an import asks for.
struct Demand<'a> {
    package: &'a PackageName,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Range(&'a PackageRange),
    Version(&'a Version, Option<Digest>),
    Digest(Digest),
}

impl<'a> Demand<'a> {
    /// `None` if the import names no package.
    fn of(import: &'a ImportName) -> Result<Option<Self>, Box<Problem>> {
        let (package, kind) = match import {
            ImportName::Unlocked { package, range, .. } => (package, Kind::Range(range)),
            ImportName::Locked { package, version, integrity, .. } => {
                let digest = integrity.as_ref().map(|integrity| checked(package, integrity));
                let kind = match (version, digest.transpose()?) {
                    (Some(version), digest) => Kind::Version(version, digest),
                    (None, Some(digest)) => Kind::Digest(digest),
                    (None, None) => Kind::Range(&ANY),
                };
                (package, kind)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { package, kind }))
    }

    /// Whether it names content and not a range of versions, so that it may be yanked.
    const fn is_lock(&self) -> bool {
        !matches!(self.kind, Kind::Range(_))
    }

    fn takes(&self, release: &Release, prereleases: bool) -> bool {
        match &self.kind {
            Kind::Range(range) => {
                range.requirement().matches(&release.version)
                    || prereleases && range.spans(&release.version)
            }
            Kind::Version(version, digest) => {
                release.version == **version && digest.is_none_or(|digest| digest == release.digest)
            }
            Kind::Digest(digest) => release.digest == *digest,
        }
    }

    /// Why there is no choice: `allowed` are the releases that are as demanded and not excluded.
    fn problem(&self, releases: &[Release], allowed: &[&Release], wish: &Wish<'_>) -> Problem {
        let package = self.package.clone();
        let Some(newest) = releases.first() else { return Problem::NoPackage { package } };
        if let Some(highest) = allowed.first() {
            return Problem::AllYanked { package, highest: highest.version.clone() };
        }
        let excluded = releases.iter().find(|release| {
            wish.excludes(&release.version) && self.takes(release, wish.options.prereleases)
        });
        if let (Some(_), Some(precise)) = (excluded, wish.precise) {
            return Problem::Overridden { package, precise: precise.clone() };
        }
        match &self.kind {
            Kind::Range(range) => {
                let mut inside =
                    releases.iter().filter(|release| range.spans(&release.version)).peekable();
                let highest = inside.peek().map(|release| release.version.clone());
                let unyanked = inside.find(|release| !release.yanked);
                match (highest, unyanked.map(|release| release.version.clone())) {
                    (_, Some(highest)) => Problem::OnlyPrereleases { package, highest },
                    (Some(highest), None) => Problem::AllYanked { package, highest },
                    (None, None) => Problem::NoVersion { package, newest: newest.version.clone() },
                }
            }
            Kind::Version(version, digest) => {
                let found = releases.iter().find(|release| release.version == **version);
                match (found.map(|release| release.digest), *digest) {
                    (Some(found), Some(demanded)) => {
                        let version = (*version).clone();
                        Problem::OtherDigest { package, version, demanded, found }
                    }
                    _ => Problem::NoVersion { package, newest: newest.version.clone() },
                }
            }
            Kind::Digest(demanded) => Problem::NoDigest { package, demanded: *demanded },
        }
    }
}

fn checked(package: &PackageName, integrity: &Integrity) -> Result<Digest, Box<Problem>> {
    let uncheckable = || Problem::UncheckableIntegrity { package: package.clone() };
    integrity.sha256().ok_or_else(|| Box::new(uncheckable()))
}
