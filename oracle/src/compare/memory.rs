//! How much memory a map takes: the growth of the resident set of a process that does nothing else.
//!
//! Counted from outside, so that what the allocator loses counts as well, and neither side's timing
//! suffers from a counting allocator. Where the system does not tell, there is no such row.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use wargate_oracle::map::{Entry, TheirMap};
use wargate_oracle::random::Random;
use wargate_transparency::map::{MapVersion, MemoryPages};

use crate::measure::{Outcome, Unit};
use crate::sizes::{MAP_BATCH, MAP_KEYS, MEMORY_ROUNDS};

/// Makes this program measure one side and nothing else.
pub(crate) const ARGUMENT: &str = "--memory-of";

/// Where Linux tells.
const STATUS: &str = "/proc/self/status";

/// The row, if the system tells.
pub(crate) fn measure() -> Result<Option<Outcome>> {
    if fs::metadata(STATUS).is_err() {
        return Ok(None);
    }
    eprintln!("measuring: memory");
    let rounds = (0..MEMORY_ROUNDS).map(|_| Ok((of("ours")?, of("theirs")?)));
    let samples = rounds.collect::<Result<_>>()?;
    let name = "memory of a key in a map".to_owned();
    let measures = "resident memory of a map of 100,000 keys that grew by batches of 1,000, the \
                    newest version only, by its keys";
    Ok(Some(Outcome::new(name, measures, Unit::Bytes, samples)))
}

/// Bytes for each key, from a process of its own.
fn of(side: &str) -> Result<f64> {
    let program = std::env::current_exe().context("this program has no file")?;
    let output = Command::new(program).args([ARGUMENT, side]).output()?;
    if !output.status.success() {
        bail!("the memory of {side} could not be measured");
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Builds the map of one side and prints its bytes for each key.
pub(crate) fn child(side: &str) -> Result<()> {
    let random = Random::new(0);
    let batch = || -> Vec<_> { (0..MAP_BATCH).map(|_| Entry::random(&random)).collect() };
    // Whatever is made once, such as the hashes of empty subtrees, comes before.
    let (mut ours, mut theirs) = (MemoryPages::default(), TheirMap::default());
    let warm = batch();
    MemoryPages::default().set(MapVersion(1), warm[..9].iter().map(Entry::ours))?;
    drop(TheirMap::default().extend(warm[..9].iter().map(Entry::theirs)));
    let before = resident_bytes()?;
    for number in 0..MAP_KEYS / MAP_BATCH {
        let batch = batch();
        match side {
            "ours" => {
                let version = MapVersion(number as u64 + 1);
                ours.set(version, batch.iter().map(Entry::ours))?;
                ours.prune(version);
            }
            "theirs" => theirs = theirs.extend(batch.iter().map(Entry::theirs)),
            _ => bail!("there is no side {side}"),
        }
    }
    let bytes = resident_bytes()?.saturating_sub(before);
    println!("{}", bytes / MAP_KEYS as u64);
    drop((ours, theirs));
    Ok(())
}

fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string(STATUS)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.context("the system does not tell the resident set")?;
    let kilobytes = line.trim().strip_suffix(" kB").context("the resident set has no unit")?;
    Ok(1024 * kilobytes.trim().parse::<u64>()?)
}
