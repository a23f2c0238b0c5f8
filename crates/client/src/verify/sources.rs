//! What a file says that it was made from: whether registries released that.

use std::collections::{BTreeMap, BTreeSet};

use wargate_component::inspect::inspect;
use wargate_component::provenance::{Made, Provenance, Role, Source, Within, present};
use wargate_component::{ImportName, Kind, Limits};
use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use super::Depth;
use super::file::FileFacts;
use super::report::{Report, counted};
use crate::client::Client;
use crate::error::Error;
use crate::limits::SOURCE_PACKAGES_MAX;

/// What nobody can tell from the sources.
const WIRING: &str = "how the sources are wired is for the file itself to say, and not proven";

/// How sources are in what was made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// As they were released, and nothing else is.
    Whole,
    /// Perhaps changed on the way in, or beside code of whoever made it.
    Changed,
}

impl Trust {
    fn of(said: &Provenance) -> Self {
        let adapted = said.sources.iter().any(|source| source.role == Role::Adapter);
        match said.made {
            Made::Composed | Made::Plugged if !adapted => Self::Whole,
            _ => Self::Changed,
        }
    }
}

/// What is known of a file without a registry.
struct Known<'a> {
    bytes: &'a [u8],
    within: &'a BTreeSet<Digest>,
    trust: Trust,
}

impl Known<'_> {
    /// Whether the file leaves a release to whoever puts it there.
    fn imports(&self, package: &PackageName, version: &Version) -> bool {
        let imports = inspect(self.bytes, &Limits::default()).map(|found| found.imports);
        imports.unwrap_or_default().iter().any(|import| match import.name.parse() {
            Ok(ImportName::Unlocked { package: wanted, range, .. }) => {
                wanted == *package && range.spans(version)
            }
            Ok(ImportName::Locked { package: wanted, version: exact, .. }) => {
                wanted == *package && exact.is_none_or(|exact| exact == *version)
            }
            _ => false,
        })
    }
}

impl Client {
    /// Verifies what a file says that it was made from: each release is derived from its registry's log as
    /// [`Client::verify_package`] does, and its content's digest compared; and what was composed or plugged
    /// must have all of them within, byte for byte, or import them, and nothing else. What adapts, bundles
    /// or seals changes them, so that this is a note there. Sources that are no releases can be verified by
    /// nobody. A statement that is wrong or missing is a problem in the report, and no error.
    ///
    /// # Errors
    /// As [`Client::verify_package`].
    pub async fn verify_sources(&self, bytes: &[u8]) -> Result<Report, Error> {
        if self.settings.offline {
            return Err(Error::Offline("what sources are now".into()));
        }
        let mut report = Report::new();
        let file = FileFacts::of(bytes);
        if file.kind != Some(Kind::Component) {
            report.problem("the file is no component".into());
        }
        report.file = Some(file);
        let said = match Provenance::read(bytes) {
            Ok(Some(said)) => said,
            Ok(None) => {
                report.problem("the file does not say what it was made from".into());
                return Ok(report);
            }
            Err(error) => {
                report.problem(error.to_string());
                return Ok(report);
            }
        };
        let wanted: BTreeSet<Digest> = said.sources.iter().map(|source| source.digest).collect();
        let Within { found: within, others } = present(bytes, &wanted).unwrap_or_default();
        let count = within.len() as u64;
        let contents = counted(count, "source is", "sources are");
        report.prove("within", count, format!("{contents} within the file, byte for byte"));
        let trust = Trust::of(&said);
        if others > 0 {
            let parts = counted(others, "component or module", "components and modules");
            let text = format!("{parts} within: none of the sources as it was released");
            match trust {
                Trust::Whole => report.problem(text),
                Trust::Changed => report.notes.push(text),
            }
        }
        if said.sources.iter().all(|source| source.package.is_none()) {
            report.problem("it names no release, so that nothing can be verified".into());
        }
        let mut packages: BTreeMap<&PackageName, Vec<&Source>> = BTreeMap::new();
        for source in &said.sources {
            match &source.package {
                Some(package) => packages.entry(package).or_default().push(source),
                None => report.notes.push(format!("no release: {}", source.digest)),
            }
        }
        if packages.len() > SOURCE_PACKAGES_MAX {
            let count = packages.len();
            report.problem(format!(
                "it names {count} packages, and {SOURCE_PACKAGES_MAX} are verified at most"
            ));
            return Ok(report);
        }
        for (package, sources) in packages {
            let known = Known { bytes, within: &within, trust };
            self.verify_source(&mut report, package, &sources, &known).await?;
        }
        report.notes.push(WIRING.into());
        Ok(report)
    }

    async fn verify_source(
        &self,
        report: &mut Report,
        package: &PackageName,
        sources: &[&Source],
        known: &Known<'_>,
    ) -> Result<(), Error> {
        let of_package = match self.derive_package(package, Depth::default()).await {
            Ok((of_package, _)) => of_package,
            Err(error) if error.kind() == crate::Kind::NotFound => {
                report.problem(format!("no registry has {package}: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // What is amiss with the log of a source is amiss with what was made of it.
        for problem in of_package.problems {
            report.problem(format!("{package}: {problem}"));
        }
        let registry =
            of_package.registry.map(|domain| format!(" at {domain}")).unwrap_or_default();
        for source in sources {
            let Some(version) = &source.version else {
                report.problem(format!("it does not say which version of {package} it has"));
                continue;
            };
            let found = of_package.releases.iter().find(|release| release.version == *version);
            let Some(release) = found else {
                report.problem(format!("{package} has no release {version}"));
                continue;
            };
            if release.digest != source.digest {
                report.problem(format!(
                    "{package}@{version} is {}, and not {} as the file says",
                    release.digest, source.digest
                ));
                continue;
            }
            let name = format!("{package}@{version}");
            let text = format!("{name} was released{registry} with that content");
            if known.within.contains(&source.digest) {
                report.prove("source", 1, format!("{text}; within, unchanged"));
            } else if known.imports(package, version) {
                report.prove("source", 1, format!("{text}; imported"));
            } else if source.role == Role::Adapter || known.trust == Trust::Changed {
                report.notes.push(format!("{text}; that it is within is not proven"));
            } else {
                report.problem(format!("{name} is not within, as the file says"));
            }
            if release.yanked {
                report.notes.push(format!("{package}@{version} was yanked"));
            }
        }
        Ok(())
    }
}
