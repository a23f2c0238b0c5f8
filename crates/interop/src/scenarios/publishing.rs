//! Publishing with `warg`.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, BOB, EMPTY, small_component};
use crate::lab::Lab;
use crate::terminal::Answer;

pub(super) fn publish(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    alice.write("small.wasm", small_component("small")?)?;
    let init = lab.run(&alice, "warg publish init test:hello")?.succeeds()?;
    init.says("published initialization of package `test:hello`")?;
    init.was_answered("POST", "/record", 202)?;

    let first = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    let first = lab.run(&alice, first)?.succeeds()?;
    first.says("published version 0.1.0 of package `test:hello`")?;
    let upload = first.exchange("POST", "/v1/package/", &digest(EMPTY))?;
    ensure!(upload.status == 201 && upload.response.is_empty(), "{upload:?}");

    // Content that is there is not asked for again.
    let second = "warg publish release --name test:hello --version 0.2.0 empty.wasm";
    let second = lab.run(&alice, second)?.succeeds()?;
    ensure!(second.exchanges("POST", "/v1/package/", &digest(EMPTY)).is_empty(), "sent twice");

    // A package that is not there yet is initialised by the way.
    let new = "warg publish release --name test:other --version 1.0.0-rc.1 small.wasm";
    lab.run(&alice, new)?.succeeds()?.says("published version 1.0.0-rc.1")?;
    lab.run(&alice, "warg publish init test:other")?.fails(&["initialized"])?;
    Ok(())
}

pub(super) fn pending(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    alice.write("small.wasm", small_component("small")?)?;
    lab.run(&alice, "warg publish list")?.fails(&["no pending publish"])?;
    lab.run(&alice, "warg publish start test:batch")?.succeeds()?;
    lab.run(&alice, "warg publish abort")?.succeeds()?;
    lab.run(&alice, "warg publish list")?.fails(&["no pending publish"])?;

    lab.run(&alice, "warg publish start test:batch")?.succeeds()?;
    lab.run(&alice, "warg publish init test:batch")?.succeeds()?;
    lab.run(&alice, "warg publish release --name test:batch --version 0.1.0 empty.wasm")?
        .succeeds()?;
    lab.run(&alice, "warg publish release --name test:batch --version 0.2.0 small.wasm")?
        .succeeds()?;
    let grant = format!("warg publish grant --name test:batch {}", BOB.public_key()?);
    lab.run(&alice, &grant)?.succeeds()?;
    let list = lab.run(&alice, "warg publish list")?.succeeds()?;
    list.says("0.1.0")?.says("0.2.0")?;

    let submitted = lab.run(&alice, "warg publish submit")?.succeeds()?;
    submitted.was_answered("POST", "/record", 202)?;
    for content in [EMPTY, &small_component("small")?] {
        submitted.exchange("POST", "/v1/package/", &digest(content))?;
    }
    lab.run(&alice, "warg info test:batch")?.succeeds()?.says("0.1.0")?.says("0.2.0")?;
    Ok(())
}

pub(super) fn no_wait(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    let submit = "warg publish release --no-wait --name test:hello --version 0.1.0 empty.wasm";
    let submitted = lab.run(&alice, submit)?.succeeds()?;
    let id = submitted.digest()?;
    lab.run(&alice, &format!("warg publish wait test:hello {id}"))?.succeeds()?;
    lab.run(&alice, "warg download test:hello -o out.wasm")?.succeeds()?;
    ensure!(alice.read("out.wasm")? == EMPTY, "other bytes came back");
    Ok(())
}

/// What was taken before a power cut is there afterwards, and clients go on where they were.
pub(super) fn restart(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    alice.write("empty.wasm", EMPTY)?;
    alice.write("small.wasm", small_component("small")?)?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.1.0 empty.wasm")?
        .succeeds()?;
    lab.run(&bob, "warg download test:hello -o out.wasm")?.succeeds()?;
    let submit = "warg publish release --no-wait --name test:hello --version 0.2.0 small.wasm";
    let submitted = lab.run(&alice, submit)?.succeeds()?;
    lab.restart()?;
    let wait = format!("warg publish wait test:hello {}", submitted.digest()?);
    lab.run(&alice, &wait)?.succeeds()?;
    lab.run(&bob, "warg update")?.succeeds()?.was_answered("POST", "/v1/proof/consistency", 200)?;
    lab.run(&bob, "warg download test:hello -o out.wasm")?.succeeds()?.says("0.2.0")?;
    ensure!(bob.read("out.wasm")? == small_component("small")?, "other bytes came back");
    lab.restart()?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.3.0 empty.wasm")?
        .succeeds()?;
    lab.run(&bob, "warg update")?.succeeds()?;
    Ok(())
}

pub(super) fn yank(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    alice.write("empty.wasm", EMPTY)?;
    for version in ["0.1.0", "0.2.0"] {
        let line = format!("warg publish release --name test:hello --version {version} empty.wasm");
        lab.run(&alice, &line)?.succeeds()?;
    }
    let yank = "warg publish yank --name test:hello --version 0.2.0";
    let no = [Answer::Key("Yank `0.2.0`", "n")];
    let refused = lab.type_into(&alice, yank, &no)?;
    ensure!(refused.exchanges("POST", "/v1/package/", "").is_empty(), "yanked without consent");
    let yes = [Answer::Key("Yank `0.2.0`", "y")];
    lab.type_into(&alice, yank, &yes)?.succeeds()?.says("yanked version 0.2.0")?;

    let newest = lab.run(&bob, "warg download test:hello -o out.wasm")?.succeeds()?;
    newest.says("Downloaded version: 0.1.0")?;
    lab.run(&bob, "warg download test:hello --version 0.2.0 -o out.wasm")?
        .fails(&["was not found"])?;
    let again = "warg publish release --name test:hello --version 0.2.0 empty.wasm";
    lab.run(&alice, again)?.fails(&["rejected", "0.2.0"])?;
    Ok(())
}

/// The digest of content, as it stands in paths.
pub(super) fn digest(content: &[u8]) -> String {
    wargate_crypto::Digest::of(content).to_string()
}
