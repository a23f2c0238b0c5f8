//! What every [`Index`] must do.

use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName, RecordId};
use wargate_registry::index::{Index, IndexStep, IndexedImport, IndexedRelease, Place, Through};

fn name(text: &str) -> PackageName {
    text.parse().expect("a package's name")
}

/// A release of one of the contents.
fn release(package: &str, version: u64, content: u8) -> IndexedRelease {
    let version = format!("1.0.{version}-rc.1+b").parse().expect("a version");
    IndexedRelease { package: name(package), version, digest: Digest::of(&[content]) }
}

fn import(target: &str, number: u8) -> IndexedImport {
    (name(target), format!("unlocked-dep=<{target}@{{>=1.0.{number}}}>"))
}

fn step(
    length: u64,
    contents: &[(u8, &[IndexedImport])],
    releases: &[IndexedRelease],
) -> IndexStep {
    let last = Some(RecordId::from_digest(Digest::of(&length.to_be_bytes())));
    let through = Through { length: LogLength::new(length), last };
    let content = |(number, imports): &(u8, &[_])| (Digest::of(&[*number]), imports.to_vec());
    let contents = contents.iter().map(content).collect();
    IndexStep { through, contents, releases: releases.to_vec() }
}

/// What is applied is there, in its order, until it is cleared; places begin again then.
pub fn keeps_what_is_applied(index: &dyn Index) {
    let steps = [
        step(
            3,
            &[(1, &[import("test:a", 1), import("test:b", 1)]), (2, &[import("test:b", 2)])],
            &[release("test:one", 1, 1), release("test:one", 2, 2)],
        ),
        step(4, &[], &[]),
        // Content that is there already adds nothing, whatever is said of it.
        step(
            9,
            &[(1, &[import("test:a", 9)]), (3, &[import("test:a", 3), import("test:a", 4)])],
            &[release("test:two", 1, 1), release("test:two", 2, 3), release("test:one", 3, 1)],
        ),
    ];
    for _ in 0..2 {
        assert_eq!(index.through().expect("an answer"), Through::START);
        for step in &steps {
            index.apply(step).expect("it takes it");
            assert_eq!(index.through().expect("an answer"), step.through);
        }
        for (content, is_there) in [(1, true), (2, true), (3, true), (4, false)] {
            let found = index.has_content(&Digest::of(&[content])).expect("an answer");
            assert_eq!(found, is_there, "{content}");
        }
        let of = |target: &str, after, limit| {
            index.dependents(&name(target), after, limit).expect("an answer")
        };
        let asked = |after, limit| of("test:a", after, limit);
        let all = asked(Place::default(), 10);
        let lines = all
            .iter()
            .map(|(place, row)| format!("{place} {} {} {}", row.package, row.version, row.import));
        let lines: Vec<_> = lines.collect();
        assert_eq!(
            lines,
            [
                "1.1 test:one 1.0.1-rc.1+b unlocked-dep=<test:a@{>=1.0.1}>",
                "1.3 test:two 1.0.1-rc.1+b unlocked-dep=<test:a@{>=1.0.1}>",
                "1.5 test:one 1.0.3-rc.1+b unlocked-dep=<test:a@{>=1.0.1}>",
                "4.4 test:two 1.0.2-rc.1+b unlocked-dep=<test:a@{>=1.0.3}>",
                "5.4 test:two 1.0.2-rc.1+b unlocked-dep=<test:a@{>=1.0.4}>",
            ]
        );
        assert!(
            all.iter().all(|(_, row)| [1, 3].map(|it| Digest::of(&[it])).contains(&row.digest))
        );
        assert_eq!(asked(Place::default(), 2), all[..2]);
        for (at, (place, _)) in all.iter().enumerate() {
            assert_eq!(asked(*place, 10), all[at + 1..]);
            assert_eq!(place.to_string().parse(), Ok(*place));
        }
        assert_eq!(asked(Place { import: u64::MAX, release: 0 }, 10), []);
        assert_eq!(of("test:one", Place::default(), 10), []);
        assert_eq!(of("test:b", Place::default(), 10).len(), 4);
        index.clear().expect("it forgets");
        assert_eq!(asked(Place::default(), 10), []);
    }
}
