//! How long linking a tower of 35 MB takes, and how much memory: 14 real components of Go, each of
//! which calls the one below. `cargo bench -p wargate-component --bench link` prints the median of five
//! runs, and the peak of memory with the contents in it, beside the size of the bundle.

#![expect(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark"
)]

#[path = "link/tower.rs"]
mod tower;

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use wargate_component::link::{Root, bundle, lock};

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

fn main() {
    let (root, solution, contents) = tower::tower(&["tower-go"; 14]);
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let root = Root { bytes: &root, release: None };

    PEAK.reset_peak_usage();
    let output = bundle(&root, &solution, &contents).unwrap();
    output.write_to(&mut io::sink()).unwrap();
    let (peak, len) = (PEAK.peak_usage(), output.len());
    println!("the bundle has {len} bytes");
    println!("peak of memory, with the contents: {:.2} times as many", peak as f64 / len as f64);
    drop(output);

    let time = median(|| {
        let output = bundle(black_box(&root), &solution, &contents).unwrap();
        output.write_to(&mut io::sink()).unwrap();
    });
    println!("bundling, with validation: {time:?}");
    let time = median(|| {
        lock(black_box(&root), &solution, &contents).unwrap();
    });
    println!("locking: {time:?}");
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times = [Duration::ZERO; 5];
    for time in &mut times {
        let start = Instant::now();
        run();
        *time = start.elapsed();
    }
    times.sort();
    times[2]
}
