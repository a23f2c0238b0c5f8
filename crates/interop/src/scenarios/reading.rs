//! Downloads, updates, and what a client keeps.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, BOB, EMPTY, small_component};
use crate::lab::Lab;
use crate::terminal::Answer;

pub(super) fn download(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    let small = small_component("small")?;
    alice.write("empty.wasm", EMPTY)?;
    alice.write("small.wasm", &small)?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.1.0 empty.wasm")?
        .succeeds()?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.2.0 small.wasm")?
        .succeeds()?;

    // A folder gets a file with the package's name.
    bob.write("folder/readme.txt", "")?;
    let newest = lab.run(&bob, "warg download test:hello -o folder")?.succeeds()?;
    newest.says("Downloaded version: 0.2.0")?;
    ensure!(bob.read("folder/hello.wasm")? == small, "other bytes came back");
    let exact = "warg download test:hello --version 0.1.0 -o exact.wasm";
    lab.run(&bob, exact)?.succeeds()?.says("Downloaded version: 0.1.0")?;
    ensure!(bob.read("exact.wasm")? == EMPTY, "other bytes came back");
    // Nothing is fetched twice.
    let again = lab.run(&bob, "warg download test:hello -o again.wasm")?.succeeds()?;
    ensure!(again.exchanges("GET", "/content/", "").is_empty(), "the cache was not used");

    // Without a file, it asks whether it shall write one.
    let yes = [Answer::Key("?", "y")];
    lab.type_into(&bob, "warg download test:hello", &yes)?.succeeds()?;
    ensure!(bob.read("hello.wasm")? == small, "other bytes came back");

    lab.run(&bob, "warg download test:hello --version 9.9.9 -o x.wasm")?
        .fails(&["was not found"])?;
    let missing =
        lab.run(&bob, "warg download test:missing -o x.wasm")?.fails(&["was not found"])?;
    let answer = missing.was_answered("POST", "/v1/fetch/logs", 404)?;
    let kind = answer.response.member("type").and_then(serde_json::Value::as_str);
    ensure!(kind == Some("log"), "{answer:?}");
    Ok(())
}

pub(super) fn update(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    let bob = lab.person(BOB)?;
    alice.write("empty.wasm", EMPTY)?;
    let release = |name: &str, version: &str| {
        format!("warg publish release --name test:{name} --version {version} empty.wasm")
    };
    lab.run(&alice, &release("one", "0.1.0"))?.succeeds()?;
    lab.run(&alice, &release("two", "0.1.0"))?.succeeds()?;
    for name in ["one", "two"] {
        lab.run(&bob, &format!("warg download test:{name} -o {name}.wasm"))?.succeeds()?;
    }
    // Several checkpoints pass, of logs that Bob knows and of one that he does not.
    for version in ["0.2.0", "0.3.0"] {
        for name in ["one", "two", "three"] {
            lab.run(&alice, &release(name, version))?.succeeds()?;
        }
    }
    let updated = lab.run(&bob, "warg update")?.succeeds()?;
    updated.was_answered("POST", "/v1/proof/inclusion", 200)?;
    updated.was_answered("POST", "/v1/proof/consistency", 200)?;
    lab.run(&bob, "warg info")?.succeeds()?.says("0.3.0")?.keeps_quiet_about("test:three")?;
    // Nothing has changed since.
    let idle = lab.run(&bob, "warg update")?.succeeds()?;
    ensure!(idle.exchanges("POST", "/v1/proof/", "").is_empty(), "asked for proofs of nothing new");
    lab.run(&alice, &release("one", "0.4.0"))?.succeeds()?;
    lab.run(&bob, "warg update")?.succeeds()?;
    lab.run(&bob, "warg info test:one")?.succeeds()?.says("0.4.0")?;
    Ok(())
}

pub(super) fn storage(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.1.0 empty.wasm")?
        .succeeds()?;
    lab.run(&alice, "warg info")?.succeeds()?.says("test:hello")?;
    lab.run(&alice, "warg info --namespaces")?.succeeds()?;
    lab.run(&alice, "warg clear")?.succeeds()?;
    let fetched = lab.run(&alice, "warg download test:hello -o out.wasm")?.succeeds()?;
    fetched.exchange("GET", "/v1/content/", "")?;
    lab.run(&alice, "warg reset")?.succeeds()?;
    lab.run(&alice, "warg info")?.succeeds()?.keeps_quiet_about("test:hello")?;
    // From nothing again, against a log that has moved on.
    lab.run(&alice, "warg download test:hello -o out.wasm")?.succeeds()?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.2.0 empty.wasm")?
        .succeeds()?;
    Ok(())
}

pub(super) fn lock(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("small.wasm", small_component("small")?)?;
    lab.run(&alice, "warg publish release --name test:hello --version 0.1.0 small.wasm")?
        .succeeds()?;
    let bob = lab.person(BOB)?;
    lab.run(&bob, "warg dependencies test:hello")?.succeeds()?.says("test:hello@0.1.0")?;
    lab.run(&bob, "warg lock test:hello")?.succeeds()?;
    lab.run(&bob, "warg bundle test:hello")?.succeeds()?;
    for file in ["locked.wasm", "bundled.wasm"] {
        ensure!(bob.read(file)?.starts_with(b"\0asm"), "{file} is no Wasm");
    }
    Ok(())
}
