//! A package with a long history.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, BOB, EMPTY};
use crate::hammer;
use crate::lab::{Lab, Warg};

/// How many records the log has before a client adds to it. A page has up to 1,000.
const RECORDS: usize = 1_100;

pub(super) fn pages(lab: &mut Lab) -> Result<()> {
    let name = "test:long".parse()?;
    hammer::publish(lab.server()?, &name, ALICE, BOB, RECORDS)?;
    // Whoever adds a release has to know all that came before.
    for (number, warg) in [Warg::Ours, Warg::Released].into_iter().enumerate() {
        let command = warg.command();
        let alice = lab.person_with(warg, ALICE, &format!("alice-{command}"))?;
        alice.write("empty.wasm", EMPTY)?;
        let line =
            format!("{command} publish release --name test:long --version 0.{number}.0 empty.wasm");
        lab.run(&alice, &line)?.succeeds()?;
    }
    for warg in [Warg::Ours, Warg::Released] {
        let command = warg.command();
        let bob = lab.person_with(warg, BOB, &format!("bob-{command}"))?;
        let line = format!("{command} download test:long -o out.wasm");
        let fetched = lab.run(&bob, &line)?.succeeds()?;
        fetched.says("Downloaded version: 0.1.0")?;
        ensure!(bob.read("out.wasm")? == EMPTY, "other bytes came back");
        let pages = fetched.exchanges("POST", "/v1/fetch/", "").len();
        ensure!(pages > 1, "{warg:?} fetched {RECORDS} records in {pages} pages");
        lab.run(&bob, &format!("{command} info"))?.succeeds()?.says("test:long")?;
    }
    let carol = lab.person_with(Warg::Ours, BOB, "carol")?;
    let verified = lab.run(&carol, "our-warg verify test:long")?.succeeds()?;
    // And the two that the clients added.
    verified.says("1,102 records of `test:long`")?;
    lab.run(&carol, "our-warg verify --all --contents")?.succeeds()?.says("2 releases")?;
    Ok(())
}
