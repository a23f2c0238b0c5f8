//! Compositions whose parts come from the registry.

use anyhow::{Context, Result, ensure};
use wasmparser::Validator;

use crate::fixtures::{ALICE, BOB, GREETER, TOWER};
use crate::lab::Lab;
use crate::machine::Machine;

const COMPOSITION: &str = "package test:hello;

let greeter = new test:greeter {};
let inner = new test:tower@0.1.0 { ...greeter };
let outer = new test:tower@0.1.0 { ...inner };

export outer...;
";

pub(super) fn compose(lab: &mut Lab) -> Result<()> {
    let bob = prepare(lab)?;
    bob.write("hello.wac", COMPOSITION)?;
    let line = "wac compose --registry {registry} --output composed.wasm hello.wac";
    let first = lab.run(&bob, line)?.succeeds()?;
    ensure!(first.exchanges("GET", "/content/", "").len() == 2, "{:?}", first.all());
    let composed = validated(&bob, "composed.wasm")?;

    // Again with what is there, and again on a machine where nothing is.
    lab.run(&bob, line)?.succeeds()?;
    ensure!(bob.read("composed.wasm")? == composed, "the second run made other bytes");
    let fresh = lab.person(ALICE)?;
    fresh.write("hello.wac", COMPOSITION)?;
    lab.run(&fresh, line)?.succeeds()?;
    ensure!(fresh.read("composed.wasm")? == composed, "another machine made other bytes");
    Ok(())
}

pub(super) fn plug(lab: &mut Lab) -> Result<()> {
    let bob = prepare(lab)?;
    let line =
        "wac plug --registry {registry} --plug test:greeter --output plugged.wasm test:tower";
    lab.run(&bob, line)?.succeeds()?;
    let plugged = validated(&bob, "plugged.wasm")?;
    lab.run(&bob, line)?.succeeds()?;
    ensure!(bob.read("plugged.wasm")? == plugged, "the second run made other bytes");
    Ok(())
}

/// Alice publishes; the machine is Bob's, who has only configured the registry.
fn prepare(lab: &mut Lab) -> Result<Machine> {
    let alice = lab.person(ALICE)?;
    alice.write("greeter.wasm", GREETER)?;
    alice.write("tower.wasm", TOWER)?;
    for name in ["greeter", "tower"] {
        let line = format!("warg publish release --name test:{name} --version 0.1.0 {name}.wasm");
        lab.run(&alice, &line)?.succeeds()?;
    }
    lab.person(BOB)
}

fn validated(machine: &Machine, file: &str) -> Result<Vec<u8>> {
    let bytes = machine.read(file)?;
    Validator::new().validate_all(&bytes).with_context(|| format!("{file} is not valid"))?;
    Ok(bytes)
}
