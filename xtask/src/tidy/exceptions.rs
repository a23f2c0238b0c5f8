//! What the rules let pass, and why. The list may only shrink: an exception that exempts nothing
//! any more is a finding itself.

use super::{Finding, WHOLE_FILE};

/// A rule that one file need not keep.
pub(super) struct Exception {
    /// The whole path.
    path: &'static str,
    rule: &'static str,
    reason: &'static str,
}

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        path: "recipes/fallback/rust-1.95.0-library-full.tar.xz",
        rule: "file-size",
        reason: "lets the Wasm builds work where neither rustup's server nor Debian can be reached",
    },
    Exception {
        path: "crates/bench/src/hammer/drive.rs",
        rule: "sleep",
        reason: "requests at a given rate begin at given times",
    },
    Exception {
        path: "crates/bench/src/hammer/package.rs",
        rule: "sleep",
        reason: "a server that publishes by a timer tells nobody when it has",
    },
    Exception {
        path: "crates/bench/src/peers.rs",
        rule: "sleep",
        reason: "other people's servers do not tell when they listen",
    },
    Exception {
        path: "testdata/virtualize/probe/src/main.rs",
        rule: "sleep",
        reason: "a guest sleeps by polling a clock, which is what is tested",
    },
    Exception {
        path: "testdata/virtualize/probe/src/main.rs",
        rule: "function-length",
        reason: "an arm for each thing that tests ask of the guest",
    },
    Exception {
        path: "testdata/virtualize/probe/src/raw.rs",
        rule: "function-length",
        reason: "as above",
    },
];

/// Takes out what is exempt, and adds a finding for each exception that nothing needed.
pub(super) fn apply(mut findings: Vec<Finding>, exceptions: &[Exception]) -> Vec<Finding> {
    for exception in exceptions {
        let before = findings.len();
        findings.retain(|f| f.path != exception.path || f.rule != exception.rule);
        if findings.len() == before {
            findings.push(Finding {
                path: exception.path.to_owned(),
                line: WHOLE_FILE,
                rule: "unused-exception",
                advice: format!(
                    "the file keeps rule `{}` now: remove its exception (\"{}\")",
                    exception.rule, exception.reason
                ),
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEEP: Exception = Exception { path: "a.rs", rule: "sleep", reason: "a test of sleep" };

    fn finding(path: &str, rule: &'static str) -> Finding {
        Finding { path: path.to_owned(), line: 3, rule, advice: String::new() }
    }

    #[test]
    fn an_exception_covers_one_rule_in_one_file() {
        let findings =
            vec![finding("a.rs", "sleep"), finding("a.rs", "allow"), finding("b.rs", "sleep")];
        let left = apply(findings, &[SLEEP]);
        assert_eq!(left, [finding("a.rs", "allow"), finding("b.rs", "sleep")]);
    }

    #[test]
    fn an_unused_exception_is_a_finding() {
        let left = apply(vec![finding("b.rs", "sleep")], &[SLEEP]);
        assert_eq!(left.last().map(|finding| finding.rule), Some("unused-exception"));
    }
}
