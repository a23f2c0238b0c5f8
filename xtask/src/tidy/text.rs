//! Rules for every text file: nothing that belongs to one machine, clean line ends, modest size.

use super::tree::File;
use super::{Finding, WHOLE_FILE};

const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Recorded data may be large.
const TESTDATA: &str = "testdata/";

/// Inputs that fuzzing has found count byte for byte, whatever their lines look like.
const FUZZ_INPUTS: &str = "testdata/fuzz/";

struct Foreign {
    rule: &'static str,
    advice: &'static str,
    /// True if the pattern is the beginning of a path, which must stand by itself, not
    /// inside a longer path.
    path: bool,
    /// Each in two halves, so that this file does not break its own rule.
    patterns: &'static [(&'static str, &'static str)],
}

const FOREIGN: &[Foreign] = &[
    Foreign {
        rule: "machine-path",
        advice: "name no folder of one machine: use paths inside the tree or a temporary folder",
        path: true,
        patterns: &[
            ("/wo", "rk"),
            ("/tm", "p"),
            ("/ro", "ot"),
            ("/ho", "me"),
            ("/fa", "rm"),
            ("../sha", "red"),
        ],
    },
    Foreign {
        rule: "machine-path",
        advice: "name no folder of one machine: use paths inside the tree or a temporary folder",
        path: false,
        patterns: &[(".lib", "rary/")],
    },
    Foreign {
        rule: "registry-host",
        advice: "name no package registry's host: the package clients know where to look",
        path: false,
        patterns: &[
            ("index.cra", "tes.io"),
            ("static.cra", "tes.io"),
            ("py", "pi.org"),
            ("python", "hosted.org"),
            ("registry.np", "mjs.org"),
            ("deb.deb", "ian.org"),
            ("arti", "factory"),
        ],
    },
];

pub(super) fn check(file: &File, findings: &mut Vec<Finding>) {
    let mut find = |line, rule, advice: &str| {
        let advice = advice.to_owned();
        findings.push(Finding { path: file.path.clone(), line, rule, advice });
    };
    if file.bytes.len() > FILE_BYTES_MAX && !file.path.starts_with(TESTDATA) {
        find(
            WHOLE_FILE,
            "file-size",
            "more than 1 MiB: generate it, or fetch it when it is needed",
        );
    }
    let Some(text) = file.text() else { return };
    let shaped = !file.path.starts_with(FUZZ_INPUTS);
    if shaped && !text.is_empty() && !text.ends_with('\n') {
        find(text.lines().count(), "last-line", "end the file with a line break");
    }
    for (number, line) in (1..).zip(text.lines()) {
        if shaped && line.ends_with(char::is_whitespace) {
            find(number, "white-space", "remove the white space at the end of the line");
        }
        for foreign in FOREIGN.iter().filter(|foreign| foreign.stands_in(line)) {
            find(number, foreign.rule, foreign.advice);
        }
    }
}

impl Foreign {
    fn stands_in(&self, line: &str) -> bool {
        self.patterns.iter().any(|(head, tail)| {
            line.match_indices(head).any(|(at, _)| {
                let Some(rest) = line[at + head.len()..].strip_prefix(tail) else { return false };
                let before = line[..at].chars().next_back();
                let after = rest.chars().next();
                let joined = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                let inside = |c: char| joined(c) || matches!(c, '.' | '/');
                !self.path || !(before.is_some_and(inside) || after.is_some_and(joined))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let mut findings = Vec::new();
        check(&File { path: path.to_owned(), bytes: text.into() }, &mut findings);
        findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn line_ends_are_clean() {
        assert_eq!(rules("a.md", "a\nb\n"), []);
        assert_eq!(
            rules("a.md", "a \nb\t\nc"),
            [(3, "last-line"), (1, "white-space"), (2, "white-space")]
        );
        assert_eq!(rules("empty", ""), []);
        assert_eq!(rules("testdata/fuzz/name/found", "a \nb"), []);
    }

    #[test]
    fn machine_paths_stand_by_themselves() {
        let tmp = concat!("/tm", "p");
        for text in [format!("`{tmp}/a`\n"), format!("{tmp}\n"), format!("\"{tmp}\"\n")] {
            assert_eq!(rules("a.rs", &text), [(1, "machine-path")], "{text}");
        }
        for text in [format!("a{tmp}/a\n"), format!("{tmp}fs\n"), format!("..{tmp}\n")] {
            assert_eq!(rules("a.rs", &text), [], "{text}");
        }
    }

    #[test]
    fn registry_hosts_are_found_inside_urls() {
        let text = concat!("https://files.python", "hosted.org/packages\n");
        assert_eq!(rules("a.lock", text), [(1, "registry-host")]);
    }

    #[test]
    fn only_test_data_may_be_large() {
        let text = format!("{}\n", "a".repeat(FILE_BYTES_MAX));
        assert_eq!(rules("docs/a.txt", &text), [(1, "file-size")]);
        assert_eq!(rules("testdata/a.txt", &text), []);
    }
}
