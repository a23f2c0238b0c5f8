//! One workload a number of times, for counting its instructions from outside:
//! `instructions WORKLOAD TIMES`. Without arguments it lists the workloads.

#![expect(clippy::print_stdout, reason = "a command line program speaks to a person")]

use std::hint::black_box;

use anyhow::{Context, Result, bail};
use wargate_bench::{keys, maps, packages, tiles};
use wargate_protocol::PackageEnvelope;
use wargate_protocol::state::validate;
use wargate_transparency::log::{Edge, LeafHash, LeafIndex, ProofPlan};
use wargate_transparency::map::{self, MapVersion};

/// Prepares itself and hands back what is to be counted.
type Workload = fn() -> Result<Box<dyn FnMut()>>;

const WORKLOADS: &[(&str, Workload)] = &[
    ("verify-signature", verify_signature),
    ("decode-record", decode_record),
    ("validate-record-10", || validate_record(10)),
    ("validate-record-1000", || validate_record(1_000)),
    ("append-1000-leaves", || Ok(append_leaves())),
    ("inclusion-proof-100000-leaves", inclusion_proof),
    ("map-replace-100-of-10000-keys", || map_update(0)),
    ("map-insert-100-into-10000-keys", || map_update(10_000)),
    ("map-proof-10000-keys", map_proof),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for (name, _) in WORKLOADS {
            println!("{name}");
        }
        return Ok(());
    };
    let times: u32 = arguments.next().context("how many times?")?.parse()?;
    let Some((_, prepare)) = WORKLOADS.iter().find(|(known, _)| *known == name) else {
        bail!("there is no workload {name}");
    };
    let mut run = prepare()?;
    (0..times).for_each(|_| run());
    Ok(())
}

fn verify_signature() -> Result<Box<dyn FnMut()>> {
    let signed = keys::signed()?;
    Ok(Box::new(move || {
        let _ = black_box(signed.key.verify(&[&signed.message], &signed.signature));
    }))
}

fn decode_record() -> Result<Box<dyn FnMut()>> {
    let signed = packages::copy(&packages::log(10)?.next);
    Ok(Box::new(move || drop(black_box(PackageEnvelope::decode(signed.clone())))))
}

fn validate_record(records: u64) -> Result<Box<dyn FnMut()>> {
    let log = packages::log(records)?;
    Ok(Box::new(move || drop(black_box(validate(&log.next, &log.state)))))
}

fn append_leaves() -> Box<dyn FnMut()> {
    let entries: Vec<_> = (0..1_000).map(tiles::entry).collect();
    Box::new(move || {
        let leaves = LeafHash::of_each(&entries);
        drop(black_box(Edge::empty().append(&leaves)));
    })
}

fn inclusion_proof() -> Result<Box<dyn FnMut()>> {
    let tiles = tiles::log(100_000)?;
    let leaf = LeafIndex::new(31_415).context("a place in the log")?;
    Ok(Box::new(move || {
        let plan = ProofPlan::inclusion(tiles.length, tiles.length, &[leaf]);
        drop(black_box(plan.map(|plan| plan.read(&tiles).map(|bundle| bundle.encode()))));
    }))
}

fn map_update(first: u64) -> Result<Box<dyn FnMut()>> {
    let map = maps::build(10_000)?;
    let leaves: Vec<_> = (first..first + 100).map(|key| maps::leaf(key, 1)).collect();
    Ok(Box::new(move || {
        drop(black_box(map::update(&map, map.head(), MapVersion(2), leaves.iter().copied())));
    }))
}

fn map_proof() -> Result<Box<dyn FnMut()>> {
    let map = maps::build(10_000)?;
    let path = maps::leaf(7, 0).0;
    Ok(Box::new(move || drop(black_box(map::prove(&map, map.head(), &[path])))))
}
