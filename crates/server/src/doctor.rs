//! `wargate doctor`: looks at everything that a registry needs, and says what to mend. It changes
//! nothing, and works whether the server runs or not.

mod clock;
mod directory;
mod disk;
mod keys;
mod network;
mod settings;
mod subject;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use wargate_console::Table;

use self::subject::Subject;
use crate::args::{CommonOptions, ServeOptions};
use crate::output;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// It works, and may not for long, or not as it should.
    Warning,
    /// The registry does not start, or does not do what it is for.
    Failure,
}

/// Something that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// What it is: one of a few words, for programs.
    check: &'static str,
    verdict: Verdict,
    /// How it is.
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Ok, found: found.into(), mend: None });
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Warning, check, found, mend);
    }

    fn fail(&mut self, check: &'static str, found: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Failure, check, found, mend);
    }

    fn add(
        &mut self,
        verdict: Verdict,
        check: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.0.push(Finding { check, verdict, found: found.into(), mend: Some(mend.into()) });
    }

    /// An error, whose hints say what to do.
    fn error(&mut self, check: &'static str, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let (found, mend) = text.split_once("\nhint: ").unwrap_or((&text, "see docs/operating.md"));
        self.fail(check, found, mend);
    }

    fn worst(&self) -> Verdict {
        self.0.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

/// The document of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    verdict: Verdict,
    findings: &'a [Finding],
}

/// The command. Its exit code is 1 if something is a failure.
pub(crate) fn run(common: &CommonOptions, options: &ServeOptions) -> Result<ExitCode> {
    let mut findings = Findings::default();
    let subject = Subject::new(common, options, &mut findings);
    settings::check(&subject, &mut findings);
    directory::check(&subject, &mut findings);
    disk::check(&subject, &mut findings);
    keys::check(&subject, &mut findings);
    clock::check(&subject, &mut findings);
    network::check(&subject, &mut findings)?;
    let report = Report { verdict: findings.worst(), findings: &findings.0 };
    if common.json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report)?;
    }
    let failed = report.verdict == Verdict::Failure;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(report: &Report<'_>) -> Result<()> {
    let mut table = Table::new(["CHECK", "VERDICT", "FOUND"]);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for finding in report.findings {
        table.row([
            finding.check.to_owned(),
            finding.verdict.to_string(),
            one_line(&finding.found),
        ]);
    }
    output::line(table)?;
    for finding in report.findings {
        if let Some(mend) = &finding.mend {
            output::line(format_args!("{} ({}): {mend}", finding.check, finding.verdict))?;
        }
    }
    output::line(match report.verdict {
        Verdict::Ok => "All is well.",
        Verdict::Warning => "It works; the warnings say what should be looked at.",
        Verdict::Failure => "Something has to be mended.",
    })
}
