//! What a registry does not take, and how the client tells it.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::fixtures::{ALICE, BOB, EMPTY, GARBAGE, GREET_WIT};
use crate::lab::Lab;

pub(super) fn unknown_namespace(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    let line = "warg publish release --name other:hello --version 0.1.0 empty.wasm";
    let refused = lab.run(&alice, line)?.fails(&["namespace `other` is not defined"])?;
    let answer = refused.was_answered("POST", "/record", 404)?;
    let kind = answer.response.member("type").and_then(Value::as_str);
    ensure!(kind == Some("namespace"), "{answer:?}");
    Ok(())
}

/// The registry takes records of Alice's key only.
pub(super) fn unauthorized(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    for machine in [&alice, &bob] {
        machine.write("empty.wasm", EMPTY)?;
    }
    let line = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    let refused = lab.run(&bob, line)?.fails(&["Unauthorized"])?;
    refused.was_answered("POST", "/record", 401)?;
    lab.run(&alice, line)?.succeeds()?;
    // The package's own log does not help whom the registry does not know.
    let grant = format!("warg publish grant --name test:hello {}", BOB.public_key()?);
    lab.run(&alice, &grant)?.succeeds()?;
    let line = "warg publish release --name test:hello --version 0.2.0 empty.wasm";
    lab.run(&bob, line)?.fails(&["Unauthorized"])?;
    Ok(())
}

pub(super) fn duplicate(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    let line = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    lab.run(&alice, line)?.succeeds()?;
    lab.run(&alice, line)?.fails(&["rejected", "0.1.0", "already released"])?;
    Ok(())
}

pub(super) fn garbage(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("garbage.wasm", GARBAGE)?;
    alice.write("empty.wasm", EMPTY)?;
    let line = "warg publish release --name test:hello --version 0.1.0 garbage.wasm";
    let refused = lab.run(&alice, line)?.fails(&["rejected"])?;
    let digest = super::publishing::digest(GARBAGE);
    refused.was_answered("POST", &digest, 422)?;
    // Nothing of it is left in the way of what is right.
    let line = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    lab.run(&alice, line)?.succeeds()?;
    Ok(())
}

pub(super) fn wrong_name(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    // A WIT package says its own name: `example:greet@0.1.0`.
    alice.write("wit/greet.wit", GREET_WIT)?;
    lab.run(&alice, "wkg wit build --output greet.wasm")?.succeeds()?;
    let line = "warg publish release --name test:hello --version 0.1.0 greet.wasm";
    let refused = lab.run(&alice, line)?.fails(&["rejected", "example:greet"])?;
    let digest = super::publishing::digest(&alice.read("greet.wasm")?);
    refused.was_answered("POST", &digest, 422)?;
    Ok(())
}
