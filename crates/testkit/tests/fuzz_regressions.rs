//! The fuzz targets as ordinary tests: over everything that fuzzing has found, and over seeds that are
//! mutated the same way in every run.

use std::fs;

use wargate_testkit::fuzz::mutate::{Random, mutated};
use wargate_testkit::fuzz::seeds::seeds;
use wargate_testkit::fuzz::{TARGETS, target};
use wargate_testkit::vectors::testdata;

/// Mutated inputs for each target.
const MUTATIONS: usize = 1_500;

#[test]
fn what_fuzzing_found_stays_mended() {
    let Ok(folders) = fs::read_dir(testdata().join("fuzz")) else { return };
    for folder in folders {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let run = target(&name).unwrap_or_else(|| panic!("testdata/fuzz/{name} is of no target"));
        for file in fs::read_dir(folder.path()).unwrap() {
            run(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

#[test]
fn no_mutation_of_a_vector_breaks_a_promise() {
    std::thread::scope(|scope| {
        for half in TARGETS.chunks(TARGETS.len().div_ceil(2)) {
            scope.spawn(move || {
                for (number, (name, run)) in (0..).zip(half) {
                    let seeds = seeds(name);
                    let mut random = Random::new(number);
                    (0..MUTATIONS).for_each(|_| run(&mutated(&seeds, &mut random)));
                }
            });
        }
    });
}
