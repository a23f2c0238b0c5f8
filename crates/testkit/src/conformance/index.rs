//! What every [`Index`] must do.

use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName, RecordId};
use wargate_registry::index::{Dependent, Index, IndexStep, Through};

fn name(text: &str) -> PackageName {
    text.parse().expect("a package's name")
}

fn dependent(number: u8) -> Dependent {
    Dependent {
        package: name("test:one"),
        version: format!("1.0.{number}-rc.1+b").parse().expect("a version"),
        digest: Digest::of(&[number]),
        import: format!("unlocked-dep=<test:a@{{>=1.0.{number}}}>"),
    }
}

fn step(length: u64, of: &[(&str, u8)]) -> IndexStep {
    let last = Some(RecordId::from_digest(Digest::of(&length.to_be_bytes())));
    let through = Through { length: LogLength::new(length), last };
    let row = |(target, number): &(&str, u8)| (name(target), dependent(*number));
    IndexStep { through, dependents: of.iter().map(row).collect() }
}

/// What is applied is there, in its order, until it is cleared; places begin again then.
pub fn keeps_what_is_applied(index: &dyn Index) {
    for _ in 0..2 {
        assert_eq!(index.through().expect("an answer"), Through::START);
        let steps = [
            step(3, &[("test:a", 1), ("test:b", 2), ("test:a", 3)]),
            step(4, &[]),
            step(9, &[("test:a", 4)]),
        ];
        for step in &steps {
            index.apply(step).expect("it takes it");
            assert_eq!(index.through().expect("an answer"), step.through);
        }
        let asked =
            |after, limit| index.dependents(&name("test:a"), after, limit).expect("an answer");
        let all = asked(0, 10);
        let rows: Vec<_> = all.iter().map(|(_, row)| row.clone()).collect();
        assert_eq!(rows, [dependent(1), dependent(3), dependent(4)]);
        let places: Vec<_> = all.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3, 4]);
        assert_eq!(asked(0, 2), all[..2]);
        assert_eq!(asked(1, 10), all[1..]);
        assert_eq!(asked(4, 10), []);
        assert_eq!(asked(u64::MAX, 10), []);
        assert_eq!(index.dependents(&name("test:one"), 0, 10).expect("an answer"), []);
        index.clear().expect("it forgets");
        assert_eq!(asked(0, 10), []);
    }
}
