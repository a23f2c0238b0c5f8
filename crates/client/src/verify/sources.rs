//! What a file says that it was made from: whether registries released that.

use std::collections::{BTreeMap, BTreeSet};

use wargate_component::provenance::{Provenance, Source, Within, present};
use wargate_crypto::Digest;
use wargate_protocol::PackageName;

use super::Depth;
use super::file::FileFacts;
use super::report::{Report, counted};
use crate::client::Client;
use crate::error::Error;
use crate::limits::SOURCE_PACKAGES_MAX;

impl Client {
    /// Verifies what a file says that it was made from: each release is derived from its registry's log as
    /// [`Client::verify_package`] does, and its content's digest compared; and it is told which contents
    /// are within the file, byte for byte. Sources that are no releases can be verified by nobody, which is
    /// a note. A statement that is wrong or missing is a problem in the report, and no error.
    ///
    /// # Errors
    /// As [`Client::verify_package`].
    pub async fn verify_sources(&self, bytes: &[u8]) -> Result<Report, Error> {
        let mut report = Report::new();
        report.file = Some(FileFacts::of(bytes));
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
        if others > 0 {
            let parts = counted(others, "component", "components");
            report.notes.push(format!(
                "{parts} within: none of the sources as it was released. It was changed on the way \
                 in, or is something else"
            ));
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
            self.verify_source(&mut report, package, &sources, &within).await?;
        }
        Ok(report)
    }

    async fn verify_source(
        &self,
        report: &mut Report,
        package: &PackageName,
        sources: &[&Source],
        within: &BTreeSet<Digest>,
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
            let is_within = within.contains(&source.digest);
            let how = if is_within { "within, unchanged" } else { "changed on the way in" };
            let text =
                format!("{package}@{version} was released{registry} with that content; {how}");
            report.prove("source", 1, text);
            if release.yanked {
                report.notes.push(format!("{package}@{version} was yanked"));
            }
        }
        Ok(())
    }
}
