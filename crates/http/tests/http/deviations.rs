//! The deviations page and the tests' own lists must say the same.

use std::collections::{BTreeMap, BTreeSet};

use wargate_testkit::vectors::testdata;

use crate::{probes, session};

/// Rows of the page: their test by their name.
fn page() -> BTreeMap<String, String> {
    let path = testdata().join("../docs/spec/deviations.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| {
        let (name, _) = row.split_once('`').unwrap();
        let test = row.rsplit('`').nth(1).unwrap();
        (name.to_owned(), test.to_owned())
    });
    let rows: BTreeMap<_, _> = cells.clone().collect();
    assert_eq!(rows.len(), cells.count(), "a row stands twice");
    rows
}

#[test]
fn every_difference_has_a_row_and_every_row_a_test() {
    let page = page();
    let met: BTreeSet<_> =
        probes::rows().into_iter().chain(session::ROWS.iter().copied()).collect();
    for row in &met {
        assert!(page.contains_key(*row), "the page has no row {row}");
    }
    let sources = [
        include_str!("content.rs"),
        include_str!("dependencies.rs"),
        include_str!("guards.rs"),
        include_str!("probes.rs"),
        include_str!("publishing.rs"),
        include_str!("quirks.rs"),
        include_str!("reading.rs"),
        include_str!("resuming.rs"),
        include_str!("session.rs"),
        include_str!("hostile/uploads.rs"),
        include_str!("throttling.rs"),
        include_str!("transcript.rs"),
    ];
    for (row, test) in &page {
        let replayed = test.starts_with("the_recorded_");
        assert!(!replayed || met.contains(&**row), "no replay meets {row}");
        let function = format!("fn {test}()");
        assert!(sources.iter().any(|source| source.contains(&function)), "{row}: no {test}");
    }
}
