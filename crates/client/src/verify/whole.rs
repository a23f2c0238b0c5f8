//! A whole registry, from its first record on.

use futures_util::{StreamExt, stream};
use wargate_api::fetch::{FetchNamesRequest, NAMES_MAX};
use wargate_protocol::{LogId, LogLeaf, PackageName};

use super::report::{Report, counted};
use super::{Audit, Depth, Finding, Flaw, Scene, Subject, Tally, Trees, contents};
use crate::error::Error;
use crate::registry::Registry;
use crate::remote::CallError;
use crate::seams::Event;

/// Requests for names that are under way at a time.
const REQUESTS_AT_ONCE: usize = 3;

impl Registry {
    /// Derives the whole registry anew: its ledger makes the log's root and the map's root that were
    /// signed, and each log has exactly the records that the ledger has of it, each valid and in its
    /// place. What is remembered stays what it is.
    ///
    /// It takes about 70 bytes of memory for each record and some hundred for each package, no matter
    /// how large the logs and contents are.
    ///
    /// # Errors
    /// [`Error::Misbehaviour`] and [`Error::Finding`] if anything is not as it is signed to be, with
    /// evidence; [`Error`] otherwise.
    pub async fn verify(&self, depth: Depth) -> Result<Report, Error> {
        if self.client().settings().offline {
            return Err(Error::Offline(format!("all of {}", self.domain())));
        }
        let remote = self.remote().await?;
        let subject = Subject { registry: self, remote: &remote };
        let before = subject.before()?;
        let checked = subject.sync().check(&before, &[]).await;
        let known = checked.map_err(|error| subject.failed(&before, error))?;
        let Some(checkpoint) = known.verified.checkpoint() else {
            return Err(self.bad_answer("it has no checkpoint"));
        };
        let scene = Scene {
            remote: &remote,
            state: &*self.client().parts.state,
            offered: checkpoint,
            seen: before.checkpoint.as_ref(),
            operator_key: known.verified.operator_key(),
        };
        let stops: Vec<_> = before.checkpoint.iter().chain(&before.believed).cloned().collect();
        let (stops, contents) = (&stops[..], depth.contents);
        // Everything is derived again.
        let kept = None;
        let audit = Audit { remote: &remote, known: &known, checkpoint, stops, contents, kept };
        let advance = audit.advance(&Trees::default()).await.map_err(|flaw| scene.keep(flaw))?;
        let mut report = Report::new();
        subject.describe(&mut report, &before, &known)?;
        describe(&mut report, &advance.tally);
        let names = subject.names(&mut report, &advance.leaves).await;
        names.map_err(|flaw| scene.keep(flaw))?;
        if depth.contents {
            subject.contents(&mut report, advance.tally).await;
        }
        Ok(report)
    }
}

fn describe(report: &mut Report, tally: &Tally) {
    let (records, logs) = (tally.records, tally.logs);
    let text = format!(
        "{} in {}: every signature valid, every signer permitted, every record in its place",
        counted(records, "record", "records"),
        counted(logs, "log", "logs"),
    );
    report.prove("records", records, text);
    let text = "the log's root and the map's root, recomputed from the ledger, are those that were \
                signed";
    report.prove("roots", 2, text.into());
    let text = format!(
        "{}, with {} of which {} withdrawn",
        counted(tally.packages, "package", "packages"),
        counted(tally.releases, "release", "releases"),
        counted(tally.yanks, "was", "were"),
    );
    report.prove("packages", tally.packages, text);
}

impl Subject<'_> {
    /// The names of all packages, as far as the registry tells them.
    async fn names(&self, report: &mut Report, leaves: &[LogLeaf]) -> Result<(), Flaw> {
        let mut logs: Vec<LogId> = leaves.iter().map(|leaf| leaf.log_id).collect();
        logs.sort_unstable();
        logs.dedup();
        logs.retain(|log| *log != LogId::operator());
        let (mut named, of) = (0_u64, logs.len() as u64);
        let asked = stream::iter(logs.chunks(NAMES_MAX)).map(|part| self.names_of(part));
        let mut asked = std::pin::pin!(asked.buffer_unordered(REQUESTS_AT_ONCE));
        while let Some(told) = asked.next().await {
            let Some(told) = told? else {
                report.notes.push("the registry does not tell the names of its packages".into());
                return Ok(());
            };
            named += told;
            let (registry, done) = (self.remote.domain(), named);
            let observer = &self.remote.exchange().observer;
            observer.event(Event::Auditing { registry, what: "names", done, of });
        }
        let text = format!("{} told, each that of its log", counted(named, "name", "names"));
        report.prove("names", named, text);
        if named < of {
            let nameless = counted(of - named, "package", "packages");
            report.notes.push(format!("the registry does not tell the names of {nameless}"));
        }
        Ok(())
    }

    /// How many of these logs the registry names, each rightly; `None` if it tells no names.
    async fn names_of(&self, logs: &[LogId]) -> Result<Option<u64>, Flaw> {
        let request = FetchNamesRequest { packages: logs.to_vec() };
        let mut answer = match self.remote.names(&request).await {
            Ok(answer) => answer,
            Err(CallError::Failed(error)) => return Err(Flaw::Failed(error)),
            Err(CallError::Refused(_)) => return Ok(None),
        };
        let mut named = 0;
        for log in logs {
            let name: Option<PackageName> = answer.packages.swap_remove(log).flatten();
            match name {
                Some(name) if LogId::package(&name) == *log => named += 1,
                Some(name) => {
                    let name = crate::text::tame(&name.to_string());
                    return Err(Finding::WrongName { log: *log, name }.into());
                }
                None => {}
            }
        }
        Ok(Some(named))
    }

    async fn contents(&self, report: &mut Report, tally: Tally) {
        let at_once = self.registry.client().settings().downloads_at_once;
        let digests = tally.contents.into_iter().collect();
        let (mut good, mut bytes) = (0, 0);
        for (_, hashed) in contents::hash_all(self.remote, digests, at_once).await {
            match hashed {
                Ok(length) => (good, bytes) = (good + 1, bytes + length),
                Err(error) => report.problem(error.to_string()),
            }
        }
        let contents = counted(good, "content", "contents");
        let size = super::package::size(bytes);
        report.prove(
            "contents",
            good,
            format!("{contents} of {size} fetched: what the digests say"),
        );
    }
}
