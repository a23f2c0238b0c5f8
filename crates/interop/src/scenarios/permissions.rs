//! Who may publish a package: the package's own log decides.

use anyhow::Result;

use crate::fixtures::{ALICE, BOB, EMPTY};
use crate::lab::Lab;

pub(super) fn grant_and_revoke(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    for machine in [&alice, &bob] {
        machine.write("empty.wasm", EMPTY)?;
    }
    let release = |version: &str| {
        format!("warg publish release --name test:hello --version {version} empty.wasm")
    };
    lab.run(&alice, &release("0.1.0"))?.succeeds()?;
    // A key that the log has never seen.
    let unknown = lab.run(&bob, &release("0.2.0"))?.fails(&["Unauthorized"])?;
    unknown.was_answered("POST", "/record", 401)?;

    let grant = format!("warg publish grant --name test:hello {}", BOB.public_key()?);
    lab.run(&alice, &grant)?.succeeds()?.says("test:hello")?;
    lab.run(&bob, &release("0.2.0"))?.succeeds()?.says("published version 0.2.0")?;

    // The second key takes one permission from the first.
    let revoke =
        format!("warg publish revoke --name test:hello --permission release {}", ALICE.key_id()?);
    lab.run(&bob, &revoke)?.succeeds()?;
    lab.run(&alice, &release("0.3.0"))?.fails(&["rejected"])?;
    // What is gone cannot be taken again.
    lab.run(&bob, &revoke)?.fails(&["rejected"])?;
    lab.run(&bob, &release("0.3.0"))?.succeeds()?;
    Ok(())
}
