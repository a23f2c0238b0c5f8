//! Lock files.

use std::collections::BTreeSet;

use wargate_component::ImportName;
use wargate_component::lock::{Lock, LockedDependency, Origin};
use wargate_component::solve::{Answer, Options, solve};

/// Most packages of a lock that is solved again: steps back over more take too long here.
const SOLVED_PACKAGES_MAX: usize = 16;

/// The text of a lock, and all that is made of one.
pub fn lock(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    let lock = match Lock::from_text(data) {
        Ok(lock) => lock,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    same_again(&lock);

    let exported = lock.to_wkg(str::to_owned);
    let of_registries =
        lock.packages.values().filter(|package| matches!(package.origin, Origin::Registry(_)));
    assert_eq!(exported.matches("[[packages.versions]]\n").count(), of_registries.count());

    let pins = lock.pins();
    assert_eq!(pins.values().map(BTreeSet::len).sum::<usize>(), lock.packages.len());

    let reached = lock.clone().reached();
    same_again(&reached);
    assert_eq!(reached.clone().reached(), reached);
    assert_eq!(reached.roots, lock.roots);
    for (id, package) in &reached.packages {
        assert_eq!(lock.packages.get(id), Some(package));
    }
    solve_again(&lock);
}

/// What was read is written so that it is read as the same.
fn same_again(lock: &Lock) {
    let text = lock.to_string();
    let again = Lock::from_text(&text).expect("what was written can be read");
    assert_eq!(again, *lock);
    assert_eq!(again.to_string(), text);
}

/// Solves for the imports of a lock's roots over its own releases. Any lock may come of it, and none of
/// which the text cannot be read.
fn solve_again(lock: &Lock) {
    let Ok(snapshot) = lock.snapshot() else { return };
    if lock.packages.len() > SOLVED_PACKAGES_MAX {
        return;
    }
    let imports = |edges: &BTreeSet<LockedDependency>| -> Vec<ImportName> {
        edges.iter().map(|edge| edge.name().expect("it was read")).collect()
    };
    let roots: Vec<_> = lock.roots.iter().map(|root| imports(&root.dependencies)).collect();
    let options = Options { pins: lock.pins(), prereleases: true, ..Options::default() };
    let Ok(Answer::Solved(solution)) = solve(&roots.concat(), &snapshot, &options) else { return };
    for node in &solution.nodes {
        assert!(lock.packages.iter().any(|(id, locked)| {
            (&id.package, &id.version, &locked.digest)
                == (&node.package, &node.version, &node.digest)
        }));
    }
    let roots: Vec<_> = roots.into_iter().map(|imports| (None, imports)).collect();
    let mut made = Lock::new(&roots, &solution, |_| Origin::Registry("registry".into()));
    made.registries
        .extend(lock.registries.values().next().map(|it| ("registry".into(), it.clone())));
    if made.packages.is_empty() || !made.registries.is_empty() {
        same_again(&made);
    }
}
