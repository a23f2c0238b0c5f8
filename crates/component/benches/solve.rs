//! How long solving takes: a root that needs 500 packages of 10,000 with 20 versions each, the whole
//! registry known from the beginning, and as a client does it, in rounds. `cargo bench -p
//! wargate-component --bench solve` prints the median of 20 runs.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

#[path = "solve/large.rs"]
mod large;

use std::hint::black_box;
use std::time::{Duration, Instant};

use wargate_component::solve::{Answer, Options, Snapshot, solve};

fn main() {
    let (roots, registry) = large::registry(10_000);
    let options = Options::default();
    let mut whole = Snapshot::default();
    for (package, releases) in &registry {
        whole.insert(package.clone(), releases.clone()).unwrap();
    }
    let known = median(|| {
        let answer = solve(black_box(&roots), &whole, &options).unwrap();
        assert!(matches!(answer, Answer::Solved(_)));
    });
    println!("all is known: {known:?}");

    let mut rounds = 0;
    let in_rounds = median(|| {
        let mut snapshot = Snapshot::default();
        rounds = 1;
        while let Answer::Missing(packages) = solve(&roots, &snapshot, &options).unwrap() {
            rounds += 1;
            for package in packages {
                let releases = registry[&package].clone();
                snapshot.insert(package, releases).unwrap();
            }
        }
    });
    println!("in {rounds} rounds, with reading what each brings: {in_rounds:?}");
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times = [Duration::ZERO; 20];
    for time in &mut times {
        let start = Instant::now();
        run();
        *time = start.elapsed();
    }
    times.sort();
    times[10]
}
