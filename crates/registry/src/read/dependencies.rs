//! What releases depend on, what depends on them, and which releases answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wargate_component::ImportName;
use wargate_component::solve::{self, Answer, Options, Release, Snapshot};
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{
    Entry, LogId, LogLength, PackageAction, PackageEnvelope, PackageName, SignedCheckpoint, Version,
};

use crate::content::{Facts, dependencies_in};
use crate::error::ReadError;
use crate::index::{Dependent, Place};
use crate::limits::{
    DEPENDENCIES_BYTES_MAX, DEPENDENTS_PER_REQUEST_MAX, LOOKED_THROUGH_BYTES_MAX, SOLVE_SECONDS_MAX,
};
use crate::registry::Registry;
use crate::sequencer::seconds;
use crate::store::{LogQuery, StoreError, StoreResult};
use crate::view;

/// A release, as of a length of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRelease {
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: AnyDigest,
    /// Whether it is yanked.
    pub yanked: bool,
}

/// What packages depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependenciesPage {
    /// The length of the log that all of it is of.
    pub length: LogLength,
    /// The releases of each package in the order of the log; none for a package that is not here.
    pub packages: Vec<(PackageName, Vec<ListedRelease>)>,
    /// The names of the imports of their contents that are dependencies, as they stand there. Those that
    /// nobody has looked into are missing.
    pub contents: HashMap<AnyDigest, Vec<String>>,
    /// Packages for which there was no room: to be asked for again.
    pub rest: Vec<PackageName>,
}

/// Releases that depend on a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependentsPage {
    /// The length of the log through which releases are known.
    pub length: LogLength,
    /// Them, and whether each is yanked.
    pub dependents: Vec<(Dependent, bool)>,
    /// Where the list goes on, if it does.
    pub next: Option<Place>,
}

/// What the solver found.
#[derive(Clone, Debug, PartialEq)]
pub struct SolvedPage {
    /// The checkpoint at whose length it was asked.
    pub checkpoint: SignedCheckpoint,
    /// The packages that were looked at, ascending. With them and nothing else, the answer is the same.
    pub packages: Vec<PackageName>,
    /// The answer, which never is [`Answer::Missing`].
    pub answer: Answer,
}

/// How much one request may still look through, in bytes.
struct Effort(usize);

impl Effort {
    fn spend(&mut self, bytes: usize) -> Result<(), ReadError> {
        let rest = self.0.checked_sub(bytes);
        self.0 = rest.ok_or_else(|| {
            ReadError::BadRequest(
                "too much has to be looked through for one request: ask for fewer packages".into(),
            )
        })?;
        Ok(())
    }
}

impl Registry {
    /// Through which length of the log the index knows what depends on what. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn indexed(&self) -> StoreResult<LogLength> {
        Ok(self.index().through()?.length)
    }

    /// The names of the imports of content that are dependencies. `None` if nobody has looked into it.
    ///
    /// # Errors
    /// [`ReadError::ContentNotFound`]
    pub fn dependencies(&self, content: &AnyDigest) -> Result<Option<Vec<String>>, ReadError> {
        let not_found = || ReadError::ContentNotFound(content.clone());
        let digest = Digest::try_from(content).map_err(|_| not_found())?;
        let row = self.store().content(&digest)?.ok_or_else(not_found)?;
        Ok(Facts::from_row(&row).map(|_| dependencies_in(&row.facts)))
    }

    /// The release of a version, as of the newest checkpoint, and the names of its imports that are
    /// dependencies, as they stand in the content; `None` if nobody has looked into it.
    ///
    /// # Errors
    /// [`ReadError::PackageNotFound`], [`ReadError::ReleaseNotFound`]
    pub fn release_dependencies(
        &self,
        package: &PackageName,
        version: &Version,
    ) -> Result<(ListedRelease, Option<Vec<String>>), ReadError> {
        let mut effort = Effort(LOOKED_THROUGH_BYTES_MAX);
        let length = self.newest().committed.length();
        let releases = self.releases_at(package, length, &mut effort)?;
        if releases.is_empty() {
            return Err(ReadError::PackageNotFound(package.clone()));
        }
        let found = releases.into_iter().find(|release| release.version == *version);
        let found = found.ok_or_else(|| ReadError::ReleaseNotFound {
            package: package.clone(),
            version: version.clone(),
        })?;
        let imports = self.imports_of(&found.digest, &mut effort)?;
        Ok((found, imports))
    }

    /// The releases of packages, as of the newest checkpoint, with what each depends on.
    ///
    /// # Errors
    /// [`ReadError::BadRequest`] if it is too much to look through.
    pub fn packages_dependencies(
        &self,
        packages: &[PackageName],
    ) -> Result<DependenciesPage, ReadError> {
        let mut effort = Effort(LOOKED_THROUGH_BYTES_MAX);
        let length = self.newest().committed.length();
        let mut page = DependenciesPage {
            length,
            packages: Vec::new(),
            contents: HashMap::new(),
            rest: Vec::new(),
        };
        let mut bytes = 0;
        for package in packages {
            if bytes >= DEPENDENCIES_BYTES_MAX {
                page.rest.push(package.clone());
                continue;
            }
            let releases = self.releases_at(package, length, &mut effort)?;
            bytes += releases.len() * 128;
            for release in &releases {
                if !page.contents.contains_key(&release.digest)
                    && let Some(imports) = self.imports_of(&release.digest, &mut effort)?
                {
                    bytes += 128 + imports.iter().map(String::len).sum::<usize>();
                    page.contents.insert(release.digest.clone(), imports);
                }
            }
            page.packages.push((package.clone(), releases));
        }
        Ok(page)
    }

    /// Releases that depend on a package, behind a place that an earlier answer named; the default one
    /// begins with the first.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn dependents(
        &self,
        package: &PackageName,
        after: Place,
    ) -> Result<DependentsPage, ReadError> {
        let index = self.index();
        let length = index.through()?.length;
        let rows = index.dependents(package, after, DEPENDENTS_PER_REQUEST_MAX)?;
        let is_full = rows.len() == DEPENDENTS_PER_REQUEST_MAX;
        let next = rows.last().map(|(place, _)| *place).filter(|_| is_full);
        let mut queries: BTreeMap<&PackageName, LogQuery> = BTreeMap::new();
        for (_, row) in &rows {
            let query = queries.entry(&row.package);
            let log = LogId::package(&row.package);
            let query = query.or_insert_with(|| LogQuery::of_head(log));
            query.items.push(row.version.to_string());
        }
        let logs: Vec<_> = queries.into_values().collect();
        let states = self.store().log_rows(&logs)?;
        let yanked = |row: &Dependent| -> StoreResult<bool> {
            let log = LogId::package(&row.package);
            let at = logs.iter().position(|query| query.log == log);
            let items = at.and_then(|at| states.get(at)).map(|rows| rows.items.as_slice());
            let version = row.version.to_string();
            let mut items = items.unwrap_or_default().iter();
            let item = items.find(|(text, _)| *text == version);
            let state = item.map(|(_, state)| view::item_state::<wargate_protocol::Package>(state));
            Ok(state.transpose()?.is_some_and(|state| state.is_yanked()))
        };
        let dependents = rows.into_iter().map(|(_, row)| {
            let yanked = yanked(&row)?;
            Ok::<_, StoreError>((row, yanked))
        });
        Ok(DependentsPage { length, dependents: dependents.collect::<Result<_, _>>()?, next })
    }

    /// Which releases answer imports, as of the newest checkpoint. May take some seconds: see
    /// [`Registry::permit_solving`].
    ///
    /// # Errors
    /// [`ReadError::Unsolvable`] if it is beyond a limit.
    pub fn solve(
        &self,
        imports: &[ImportName],
        options: &Options,
    ) -> Result<SolvedPage, ReadError> {
        let newest = self.newest();
        let (length, checkpoint) = (newest.committed.length(), newest.checkpoint.clone());
        let mut effort = Effort(LOOKED_THROUGH_BYTES_MAX);
        let mut snapshot = Snapshot::default();
        let mut packages = Vec::new();
        let began = seconds(self.tools().clock.now());
        loop {
            let answer = solve::solve(imports, &snapshot, options)
                .map_err(|error| ReadError::Unsolvable(error.to_string()))?;
            let Answer::Missing(missing) = answer else {
                packages.sort();
                return Ok(SolvedPage { checkpoint, packages, answer });
            };
            if seconds(self.tools().clock.now()).saturating_sub(began) > SOLVE_SECONDS_MAX {
                let why =
                    "it takes too long to solve here: lock some versions, or solve it yourself";
                return Err(ReadError::Unsolvable(why.into()));
            }
            for package in missing {
                let releases = self.solvable(&package, length, &mut effort)?;
                snapshot
                    .insert(package.clone(), releases)
                    .map_err(|error| ReadError::Unsolvable(error.to_string()))?;
                packages.push(package);
            }
        }
    }

    /// The releases of a package as the solver takes them. What cannot be had counts for nothing.
    fn solvable(
        &self,
        package: &PackageName,
        length: LogLength,
        effort: &mut Effort,
    ) -> Result<Vec<Release>, ReadError> {
        let mut releases = Vec::new();
        let mut contents: HashMap<Digest, Arc<[ImportName]>> = HashMap::new();
        for ListedRelease { version, digest: said, yanked } in
            self.releases_at(package, length, effort)?
        {
            let Ok(digest) = Digest::try_from(&said) else { continue };
            let unreadable = |why: &dyn std::fmt::Display| {
                ReadError::Unsolvable(format!(
                    "what {package} {version} imports is not known: {why}"
                ))
            };
            let imports = if let Some(imports) = contents.get(&digest) {
                Arc::clone(imports)
            } else {
                let texts = self.imports_of(&said, effort)?;
                let texts = texts.ok_or_else(|| unreadable(&"nobody has looked into it"))?;
                let names = texts.iter().map(|text| text.parse::<ImportName>());
                names.collect::<Result<_, _>>().map_err(|error| unreadable(&error))?
            };
            contents.insert(digest, Arc::clone(&imports));
            releases.push(Release { version, digest, yanked, imports });
        }
        Ok(releases)
    }

    fn imports_of(
        &self,
        content: &AnyDigest,
        effort: &mut Effort,
    ) -> Result<Option<Vec<String>>, ReadError> {
        let Ok(digest) = Digest::try_from(content) else { return Ok(None) };
        let Some(row) = self.store().content(&digest)? else { return Ok(None) };
        effort.spend(row.facts.len() + 256)?;
        Ok((!row.facts.is_empty()).then(|| dependencies_in(&row.facts)))
    }

    /// The releases of a package at a length, in the order of the log; none if it is not there.
    fn releases_at(
        &self,
        package: &PackageName,
        length: LogLength,
        effort: &mut Effort,
    ) -> Result<Vec<ListedRelease>, ReadError> {
        /// Records that are read at once.
        const CHUNK: usize = 100;
        let log = LogId::package(package);
        let (mut releases, mut after) = (Vec::new(), None);
        loop {
            let records = self.store().log_records(&log, after, length, CHUNK)?;
            after = records.last().map(|last| last.index);
            let is_last = records.len() < CHUNK;
            for record in records {
                effort.spend(record.envelope.content_bytes().len() + 256)?;
                let damaged = |error| StoreError::Damaged(format!("a record of the log: {error}"));
                let record = PackageEnvelope::decode(record.envelope).map_err(damaged)?;
                record.record().entries.iter().for_each(|entry| take_in(&mut releases, entry));
            }
            if is_last {
                return Ok(releases);
            }
        }
    }
}

/// What an entry of a package's log does to its releases. It was validated when it came.
fn take_in(releases: &mut Vec<ListedRelease>, entry: &wargate_protocol::PackageEntry) {
    match entry {
        Entry::Action(PackageAction::Release { version, content }) => {
            let (version, digest) = (version.clone(), content.clone());
            releases.push(ListedRelease { version, digest, yanked: false });
        }
        Entry::Action(PackageAction::Yank { version }) => {
            let yanked = releases.iter_mut().find(|release| release.version == *version);
            if let Some(release) = yanked {
                release.yanked = true;
            }
        }
        _ => {}
    }
}
