//! Says again to a registry in memory what released clients said to a real one, and expects the same
//! answers.
//!
//! Not everything can be the same: another operator signs, at other fractions of a second. What
//! differs, and how it is compared nevertheless, says [`mapping`].

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a replay that cannot go on is a failed test"
)]

mod mapping;
mod registry;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wargate_interop::recorded_scenarios;
use wargate_interop::recording::{Exchange, FORMAT, Recording};

use crate::mapping::Mapping;
use crate::registry::Replica;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/interop")
}

fn load(scenario: &str) -> Recording {
    let path = folder().join(format!("{scenario}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask interop --record` writes it", path.display())
    });
    let recording: Recording = serde_json::from_str(&text).unwrap();
    assert_eq!(recording.format, FORMAT);
    assert_eq!(recording.scenario, scenario);
    recording
}

#[tokio::test]
async fn every_recording_is_answered_as_it_was() {
    for scenario in recorded_scenarios() {
        replay(&load(scenario)).await;
    }
}

#[test]
fn every_recording_belongs_to_a_scenario() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let names: BTreeSet<_> =
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let scenarios: BTreeSet<_> = recorded_scenarios().map(str::to_owned).collect();
    assert_eq!(names, scenarios);
}

/// That the comparison compares: a recording with another answer fails.
#[tokio::test]
async fn altered_recordings_are_noticed() {
    let cases = [
        ("a length", "\"logLength\":2", "\"logLength\":3"),
        ("a place", "\"registryIndex\":1", "\"registryIndex\":2"),
        ("a state", "\"published\"", "\"processing\""),
        ("a status", "\"status\":202", "\"status\":200"),
        ("a reason", "already released", "already there"),
        ("a record's id", "\"recordId\":\"sha256:", "\"recordId\":\"sha256:0"),
        ("a key", "\"more\":false", "\"many\":false"),
    ];
    let text = serde_json::to_string(&load("warg-duplicate")).unwrap();
    for (what, from, to) in cases {
        assert!(text.contains(from), "{what}");
        let altered: Recording = serde_json::from_str(&text.replace(from, to)).unwrap();
        let replayed = tokio::spawn(async move { replay(&altered).await }).await;
        assert!(replayed.is_err(), "{what} could be another");
    }
}

async fn replay(recording: &Recording) {
    let replica = Replica::open(recording);
    let mut mapping = Mapping::default();
    for step in &recording.steps {
        for (number, recorded) in (1..).zip(&step.exchanges) {
            let place = || {
                let Exchange { method, path, .. } = recorded;
                format!(
                    "{}, `{}`, request {number}: {method} {path}",
                    recording.scenario, step.command
                )
            };
            let replayed = replica.ask(&mapping.request(recorded)).await;
            if let Err(difference) = mapping.compare(recorded, &replayed) {
                panic!("{}\n{difference}\nrecorded {recorded:#?}\nnow {replayed:#?}", place());
            }
        }
    }
    replica.check();
}
