//! The verified core beside its limits. `cargo xtask bench` runs it and prints the table.
//!
//! `WARGATE_BENCH_OUT` names the file for the rows; `WARGATE_BENCH_CACHE` the folder of the large map,
//! without which the rows that need it are left out.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::digest::{SHA256, digest};
use criterion::Criterion;
use wargate_bench::row::Table;
use wargate_bench::{keys, maps, packages, tiles};
use wargate_protocol::PackageEnvelope;
use wargate_protocol::state::validate;
use wargate_transparency::log::{Edge, LeafHash, LeafIndex, ProofPlan};
use wargate_transparency::map::{self, MapVersion, MemoryPages};

/// Bytes that a branch and a leaf are hashed from.
const BRANCH_BYTES: usize = 65;
const LEAF_BYTES: usize = tiles::ENTRY_BYTES + 1;

fn main() -> Result<()> {
    let out = std::env::var_os("WARGATE_BENCH_OUT").map(PathBuf::from);
    let out = out.context("run this by `cargo xtask bench`")?;
    let folder = out.with_extension("criterion");
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    let mut table = Table::new(criterion, &folder);
    signature(&mut table)?;
    records(&mut table)?;
    log(&mut table)?;
    let small = map_rows(&mut table, 1_000_000, &maps::build(1_000_000)?)?;
    if let Some(cache) = std::env::var_os("WARGATE_BENCH_CACHE") {
        large_map(&mut table, &small, Path::new(&cache))?;
    }
    table.write(&out)
}

fn signature(table: &mut Table) -> Result<()> {
    let signed = keys::signed()?;
    table.against(
        "verify a signature",
        1.1,
        || signed.key.verify(&[&signed.message], black_box(&signed.signature)),
        "the raw library call",
        1.0,
        || signed.raw_key.verify_sig(&signed.message, black_box(&signed.raw_signature)),
    )
}

fn records(table: &mut Table) -> Result<()> {
    let mut times = Vec::new();
    for records in [10, 10_000] {
        let log = packages::log(records)?;
        let name = format!("validate one more record of {records}, besides its signature");
        times.push(table.within(&name, 5_000.0, || validate(black_box(&log.next), &log.state))?);
        let signed = packages::copy(&log.next);
        let name = format!("decode that record of {records}");
        table.within(&name, 5_000.0, || PackageEnvelope::decode(black_box(signed.clone())))?;
    }
    table.compare("record 10,001 against record 11", times[1], "record 11", times[0], 1.5);
    Ok(())
}

fn log(table: &mut Table) -> Result<()> {
    const LEAVES: u64 = 100_000;
    let entries: Vec<_> = (0..LEAVES).map(tiles::entry).collect();
    let append = || {
        let leaves = LeafHash::of_each(&entries);
        Edge::empty().append(&leaves).map(|appended| appended.root)
    };
    let raw = || {
        let (leaf, branch) = ([1; LEAF_BYTES], [2; BRANCH_BYTES]);
        for _ in 0..LEAVES {
            black_box(digest(&SHA256, black_box(&leaf)));
        }
        // A tree of n leaves has n - 1 branches.
        for _ in 1..LEAVES {
            black_box(digest(&SHA256, black_box(&branch)));
        }
    };
    table.against("append 100,000 leaves", 1.3, append, "their SHA-256 alone", 1.0, raw)?;

    let tiles = tiles::log(10_000_000)?;
    let leaves: Vec<_> = (0..1_000u64).map(|at| at * 9_973 + 17).collect();
    let mut next = leaves.iter().cycle();
    table.within("inclusion proof in 10 million leaves, warm tiles", 50_000.0, || {
        let leaf =
            next.next().and_then(|leaf| LeafIndex::new(*leaf)).into_iter().collect::<Vec<_>>();
        let plan = ProofPlan::inclusion(tiles.length, tiles.length, &leaf).ok()?;
        plan.read(&tiles).ok()?.encode().ok()
    })?;
    table.within("the same, checked against the root", 50_000.0, || {
        let leaf =
            next.next().and_then(|leaf| LeafIndex::new(*leaf)).into_iter().collect::<Vec<_>>();
        let plan = ProofPlan::inclusion(tiles.length, tiles.length, &leaf).ok()?;
        plan.read_checked(&tiles, &tiles.root).ok()?.encode().ok()
    })?;
    Ok(())
}

/// Median times of a map's rows, in nanoseconds: replacing, inserting, proving.
struct MapTimes([f64; 3]);

const MAP_ROWS: [&str; 3] =
    ["replace 1,000 of the values of", "insert 1,000 keys into", "prove a key of"];

fn map_rows(table: &mut Table, keys: u64, map: &MemoryPages) -> Result<MapTimes> {
    const BATCHES: u64 = 32;
    // Other keys each time, so that the processor's caches do not learn them.
    let replaced = (0..BATCHES).map(|batch| {
        (0..1_000).map(|at| maps::leaf((batch * 7_919 + at * 9_973) % keys, 1)).collect()
    });
    let inserted = (0..BATCHES)
        .map(|batch| (0..1_000).map(|at| maps::leaf(keys + batch * 1_000 + at, 1)).collect());
    let batches: [Vec<Vec<_>>; 2] = [replaced.collect(), inserted.collect()];
    let mut times = [0.0; 3];
    for (row, batches) in batches.iter().enumerate() {
        let mut next = batches.iter().cycle();
        let mut update = || {
            let leaves = next.next().into_iter().flatten().copied();
            map::update(map, map.head(), MapVersion(2), leaves).map(|updated| updated.hashes)
        };
        let hashes = (0..BATCHES).map(|_| update()).sum::<Result<u64, _>>()?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let hashes = hashes as f64 / BATCHES as f64;
        let branch = [2; BRANCH_BYTES];
        let name = format!("{} {}", MAP_ROWS[row], millions(keys));
        let limit = format!("its {hashes:.0} node hashes alone");
        table
            .against(&name, 1.5, update, &limit, hashes, || digest(&SHA256, black_box(&branch)))?;
        times[row] = table.last().map(|row| row.ours_ns).ok_or_else(|| anyhow!("no row"))?;
    }
    let paths: Vec<_> = (0..1_000).map(|at| maps::leaf(at * 9_973 % keys, 0).0).collect();
    let mut next = paths.chunks(1).cycle();
    let name = format!("{} {}", MAP_ROWS[2], millions(keys));
    times[2] = table.within(&name, 100_000.0, || {
        map::prove(map, map.head(), next.next().unwrap_or_default())
    })?;
    Ok(MapTimes(times))
}

/// The same rows over ten times the keys, and both beside each other.
fn large_map(table: &mut Table, small: &MapTimes, cache: &Path) -> Result<()> {
    const KEYS: u64 = 10_000_000;
    let map = maps::cached(KEYS, &cache.join("map-10-million-1.pages"))?;
    let large = map_rows(table, KEYS, &map)?;
    for ((name, large), small) in MAP_ROWS.iter().zip(large.0).zip(small.0) {
        let name = format!("{name} {}", millions(KEYS));
        table.compare(&name, large, "the same of 1 million keys", small, 1.3);
    }
    Ok(())
}

fn millions(keys: u64) -> String {
    format!("{} million keys", keys / 1_000_000)
}
