//! Many clients at once.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, BOB, EMPTY};
use crate::lab::{Lab, Ran};
use crate::machine::Machine;

/// How many machines publish at the same time.
const CROWD: usize = 8;

pub(super) fn publish(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    lab.run(&alice, "warg publish release --name test:shared --version 0.0.1 empty.wasm")?
        .succeeds()?;
    let machines: Vec<Machine> = (0..CROWD)
        .map(|number| {
            let name = format!("{}-{number}", ALICE.name);
            let machine = lab.person_at(ALICE, &name)?;
            machine.write("empty.wasm", EMPTY)?;
            Ok(machine)
        })
        .collect::<Result<_>>()?;

    // Different packages do not stand in each other's way.
    let line = |number: usize| {
        format!("warg publish release --name test:own{number} --version 0.1.0 empty.wasm")
    };
    let lines: Vec<_> = machines.iter().zip((0..).map(line)).collect();
    for ran in lab.run_at_once(&lines)? {
        ran.succeeds()?;
    }

    // For one package somebody is first. Whoever is not is told so, and nobody is told a lie.
    let line = |number: usize| {
        format!("warg publish release --name test:shared --version 0.1.{number} empty.wasm")
    };
    let lines: Vec<_> = machines.iter().zip((0..).map(line)).collect();
    let ran = lab.run_at_once(&lines)?;
    ensure!(ran.iter().any(Ran::is_success), "nobody was first");
    let bob = lab.person(BOB)?;
    for (number, ran) in ran.into_iter().enumerate() {
        let line = format!("warg download test:shared --version 0.1.{number} -o out.wasm");
        let downloaded = lab.run(&bob, &line)?;
        if ran.is_success() {
            downloaded.succeeds()?;
        } else {
            ran.fails(&["rejected"])?;
            downloaded.fails(&["was not found"])?;
        }
    }
    Ok(())
}
