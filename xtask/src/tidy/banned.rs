//! Calls that have no place here, found by their text in the code; comments and literals do not
//! count. A call that hides behind a rename is for the reviewer.

use super::Finding;
use super::scanner::Source;
use super::tree::File;
use crate::wasm::PURE;

struct Ban {
    pattern: &'static str,
    rule: &'static str,
    scope: Scope,
    /// What to do instead.
    advice: &'static str,
}

enum Scope {
    /// The product code of the pure crates; their tests may read files and draw numbers.
    Pure,
    /// All Rust code of the tree.
    Everywhere,
}

const CLOCK: &str = "take the time as an argument: pure crates own no clock";
const RANDOM: &str = "take a random number generator as an argument";
const OUTSIDE: &str = "take bytes as an argument: pure crates do no input or output";
const UNFINISHED: &str = "finish it, or leave the path out";

const BANS: &[Ban] = &[
    pure("SystemTime::now", "clock", CLOCK),
    pure("Instant::now", "clock", CLOCK),
    pure("std::env", "environment", OUTSIDE),
    pure("std::fs", "files", OUTSIDE),
    pure("std::net", "network", OUTSIDE),
    pure("std::process", "processes", OUTSIDE),
    pure("thread::spawn", "threads", "let the caller decide what runs in parallel"),
    pure("rand::rng", "randomness", RANDOM),
    pure("thread_rng", "randomness", RANDOM),
    pure("OsRng", "randomness", RANDOM),
    pure("SysRng", "randomness", RANDOM),
    pure("getrandom", "randomness", RANDOM),
    everywhere("todo!(", "unfinished", UNFINISHED),
    everywhere("unimplemented!(", "unfinished", UNFINISHED),
    everywhere("dbg!(", "unfinished", "remove it"),
    everywhere("#[ignore", "ignored-test", "make the test pass, or remove it with a reason"),
    everywhere("thread::sleep", "sleep", "wait for the event itself, not for some time"),
    everywhere("time::sleep", "sleep", "wait for the event itself, not for some time"),
    everywhere(
        "[allow(",
        "allow",
        "use `#[expect(…, reason = \"…\")]`, which ends when it is not needed",
    ),
];

const fn pure(pattern: &'static str, rule: &'static str, advice: &'static str) -> Ban {
    Ban { pattern, rule, scope: Scope::Pure, advice }
}

const fn everywhere(pattern: &'static str, rule: &'static str, advice: &'static str) -> Ban {
    Ban { pattern, rule, scope: Scope::Everywhere, advice }
}

pub(super) fn check(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    let pure = is_pure_product(file);
    let tests = source.test_lines();
    let applies = |ban: &Ban, line: usize| match ban.scope {
        Scope::Pure => pure && !tests.iter().any(|range| range.contains(&line)),
        Scope::Everywhere => true,
    };
    let grouped = source.grouped_paths("std");
    for (line, code) in source.lines().chain(grouped) {
        for ban in BANS.iter().filter(|ban| code.contains(ban.pattern) && applies(ban, line)) {
            findings.push(Finding {
                path: file.path.clone(),
                line,
                rule: ban.rule,
                advice: format!("no `{}` here: {}", ban.pattern, ban.advice),
            });
        }
    }
}

fn is_pure_product(file: &File) -> bool {
    file.in_crate().is_some_and(|(name, path)| {
        let test = path.ends_with("/tests.rs") || path.contains("/tests/");
        PURE.contains(&name) && path.starts_with("src/") && !test
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let file = File { path: path.to_owned(), bytes: text.into() };
        let mut findings = Vec::new();
        check(&file, &Source::new(text), &mut findings);
        findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn pure_code_may_not_reach_outside() {
        let text = "use std::{fs, fmt};\nfn a() { SystemTime::now(); }\n// std::env\n";
        assert_eq!(rules("crates/crypto/src/lib.rs", text), [(2, "clock"), (1, "files")]);
    }

    #[test]
    fn tests_and_other_crates_may() {
        let text = "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(rules("crates/crypto/src/lib.rs", text), []);
        assert_eq!(rules("crates/crypto/src/key/tests.rs", "use std::fs;"), []);
        assert_eq!(rules("crates/crypto/tests/vectors.rs", "use std::fs;"), []);
        assert_eq!(rules("crates/testkit/src/lib.rs", "use std::fs;"), []);
    }

    #[test]
    fn unfinished_work_is_found_everywhere() {
        let text = "fn a() { todo!() }\n#[ignore = \"slow\"]\nfn b() { std::thread::sleep(c) }\n\
                    #![allow(dead_code)]\n";
        let expected = [(1, "unfinished"), (2, "ignored-test"), (3, "sleep"), (4, "allow")];
        assert_eq!(rules("crates/bench/benches/a.rs", text), expected);
    }
}
