//! Random input to both sides: the same bytes, roots, proofs and verdicts.
//!
//! Every case has a seed of its own, which a failure names. Where the sides differ on purpose, the
//! test says so beside the paragraph of the specification that allows it, and checks that the
//! difference is that one.

#![expect(clippy::print_stderr, reason = "a failure names its seed")]

mod bundles;
mod checkpoints;
mod crypto;
mod differences;
mod log;
mod map;
mod names;
mod records;
mod states;
mod wire;

use wargate_oracle::random::Random;

/// Multiplies the cases of every test, for a long run.
const CASES_VARIABLE: &str = "WARGATE_ORACLE_CASES";

/// Runs a check for seeds 0, 1, 2, …, each with a generator of its own.
fn each_seed(cases: u64, check: impl Fn(&Random)) {
    let factor = std::env::var(CASES_VARIABLE).map_or(1, |text| text.parse().unwrap());
    for seed in 0..cases * factor {
        let case = std::panic::AssertUnwindSafe(|| check(&Random::new(seed)));
        if let Err(panic) = std::panic::catch_unwind(case) {
            // The panic's own message has been printed.
            eprintln!("that was seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
