//! How much memory work takes, and of the processor: what the system says of a process that does
//! nothing else.
//!
//! Memory is counted from outside, so that what the allocator loses counts as well, and neither side's
//! timing suffers from a counting allocator. Where the system does not tell, there are no such rows.

use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result, bail};
use wargate_oracle::bundle::Tower;
use wargate_oracle::map::{Entry, TheirMap};
use wargate_oracle::random::Random;
use wargate_transparency::map::{MapVersion, MemoryPages};

use crate::bundles;
use crate::measure::{Outcome, Unit};
use crate::sizes::{MAP_BATCH, MAP_KEYS, MEMORY_ROUNDS, ROUNDS};

/// Makes this program measure one side of a row and nothing else.
pub(crate) const ARGUMENT: &str = "--row";

/// Where Linux tells.
const STATUS: &str = "/proc/self/status";

/// Where Linux forgets the peak when it is told to.
const FORGET: &str = "/proc/self/clear_refs";

/// Where Linux tells how long a process was on a processor, in nanoseconds, as the first number.
const SCHEDULED: &str = "/proc/self/schedstat";

/// A row, of which each side is measured in a process of its own.
struct Row {
    name: &'static str,
    measures: &'static str,
    unit: Unit,
    rounds: usize,
    /// Does the work of a side, and says what it took.
    work: fn(&str) -> Result<u64>,
}

const ROWS: [Row; 3] = [
    Row {
        name: "memory of a key in a map",
        measures: "resident memory of a map of 100,000 keys that grew by batches of 1,000, the newest \
                   version only, by its keys",
        unit: Unit::Bytes,
        rounds: MEMORY_ROUNDS,
        work: map,
    },
    Row {
        name: "bundle it in a new process",
        measures: "the tower of 35 MB, once, in time on the processor instead of the time that passes",
        unit: Unit::Nanoseconds,
        rounds: ROUNDS,
        work: bundle_time,
    },
    Row {
        name: "peak of memory to bundle it",
        measures: "the largest resident memory of a process that has the 14 components and makes one \
                   of them, which is written to nowhere",
        unit: Unit::Bytes,
        rounds: MEMORY_ROUNDS,
        work: bundle_peak,
    },
];

/// The rows of the names that are wanted, if the system tells.
pub(crate) fn measure(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Outcome>> {
    if fs::metadata(STATUS).is_err() {
        return Ok(Vec::new());
    }
    let row = |&Row { name, measures, unit, rounds, .. }: &Row| {
        eprintln!("measuring: {name}");
        let rounds = (0..rounds).map(|_| Ok((of(name, "ours")?, of(name, "theirs")?)));
        let samples = rounds.collect::<Result<_>>()?;
        Ok(Outcome::new(name.to_owned(), measures, unit, samples))
    };
    ROWS.iter().filter(|row| is_wanted(row.name)).map(row).collect()
}

/// The number of one side of a row, from a process of its own.
fn of(name: &str, side: &str) -> Result<f64> {
    let program = std::env::current_exe().context("this program has no file")?;
    let output = Command::new(program).args([ARGUMENT, name, side]).output()?;
    if !output.status.success() {
        bail!("{name}: that of {side} could not be measured");
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Prints the number of one side of a row.
pub(crate) fn child(name: &str, side: &str) -> Result<()> {
    let row = ROWS.iter().find(|row| row.name == name).context("there is no such row")?;
    println!("{}", (row.work)(side)?);
    Ok(())
}

/// Builds the map of one side, and says its bytes for each key.
fn map(side: &str) -> Result<u64> {
    let random = Random::new(0);
    let batch = || -> Vec<_> { (0..MAP_BATCH).map(|_| Entry::random(&random)).collect() };
    // Whatever is made once, such as the hashes of empty subtrees, comes before.
    let (mut ours, mut theirs) = (MemoryPages::default(), TheirMap::default());
    let warm = batch();
    MemoryPages::default().set(MapVersion(1), warm[..9].iter().map(Entry::ours))?;
    drop(TheirMap::default().extend(warm[..9].iter().map(Entry::theirs)));
    let before = status_bytes("VmRSS:")?;
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
    let bytes = status_bytes("VmRSS:")?.saturating_sub(before);
    drop((ours, theirs));
    Ok(bytes / MAP_KEYS as u64)
}

/// Bundles the tower, and says for how long it was on the processor.
fn bundle_time(side: &str) -> Result<u64> {
    let tower = bundles::tower();
    let scheduled = || -> Result<u64> {
        let text = fs::read_to_string(SCHEDULED)?;
        let first = text.split(' ').next().context("the system does not tell the time")?;
        Ok(first.parse()?)
    };
    let before = scheduled()?;
    write_bundle(tower, side)?;
    Ok(scheduled()? - before)
}

/// Bundles the tower, and says the peak of memory.
fn bundle_peak(side: &str) -> Result<u64> {
    let tower = bundles::tower();
    // What was needed to build it does not count.
    fs::write(FORGET, "5")?;
    write_bundle(tower, side)?;
    status_bytes("VmHWM:")
}

fn write_bundle(tower: Tower, side: &str) -> Result<()> {
    match side {
        "ours" => tower.write_ours(&mut io::sink()),
        "theirs" => tower.into_theirs().write(&mut io::sink()),
        _ => bail!("there is no side {side}"),
    }
    Ok(())
}

fn status_bytes(row: &str) -> Result<u64> {
    let status = fs::read_to_string(STATUS)?;
    let line = status.lines().find_map(|line| line.strip_prefix(row));
    let line = line.context("the system does not tell the resident set")?;
    let kilobytes = line.trim().strip_suffix(" kB").context("the resident set has no unit")?;
    Ok(1024 * kilobytes.trim().parse::<u64>()?)
}
