//! Keys, and who somebody is.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, EMPTY};
use crate::lab::{KEY_FILE, Lab};
use crate::terminal::Answer;

pub(super) fn keys(lab: &mut Lab) -> Result<()> {
    let machine = lab.machine("new")?;
    let config = "warg config --registry {registry} --keyring-backend flat-file";
    lab.run(&machine, config)?.succeeds()?;
    lab.run(&machine, "warg key info")?.fails(&[])?;
    let made = lab.run(&machine, "warg key new")?.succeeds()?;
    let id = made.text().lines().find(|line| line.starts_with("Key ID: sha256:"));
    ensure!(id.is_some(), "no key id in {:?}", made.text());
    lab.run(&machine, "warg key info")?.succeeds()?.says(id.unwrap_or_default())?;
    // A fresh key publishes at once.
    machine.write("empty.wasm", EMPTY)?;
    lab.run(&machine, "warg publish release --name test:fresh --version 0.1.0 empty.wasm")?
        .succeeds()?
        .says("published version 0.1.0 of package `test:fresh`")?;

    let answers = [Answer::Secret("input signing key", ALICE.key)];
    lab.type_into(&machine, "warg key set", &answers)?.succeeds()?.says("was set successfully")?;
    let info = lab.run(&machine, "warg key info")?.succeeds()?;
    info.says(&ALICE.key_id()?)?.says(&ALICE.public_key()?)?;

    let answers = [Answer::Key("delete your signing key", "y")];
    lab.type_into(&machine, "warg key delete", &answers)?.succeeds()?.says("was deleted")?;
    ensure!(!machine.has_home(KEY_FILE), "the key is still there");
    lab.run(&machine, "warg key info")?.fails(&[])?;
    Ok(())
}

pub(super) fn login(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    lab.run(&alice, "warg info")?.succeeds()?.says("Not logged in")?;
    let answers = [Answer::Secret("Enter auth token", "a-token-of-alice")];
    lab.type_into(&alice, "warg login", &answers)?.succeeds()?.says("token was set")?;
    lab.run(&alice, "warg info")?.succeeds()?.keeps_quiet_about("Not logged in")?;

    let publish = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    let published = lab.run(&alice, publish)?.succeeds()?;
    for exchange in published.exchanges("GET", "/v1/fetch/", "") {
        let token = exchange.request_headers.get("authorization").map(String::as_str);
        ensure!(token == Some("Bearer a-token-of-alice"), "{token:?} went with {exchange:?}");
    }
    // The client sends it neither with uploads nor to the well-known path (specification 20.1, T2).
    for exchange in published.exchanges("GET", "/.well-known/", "") {
        ensure!(!exchange.request_headers.contains_key("authorization"), "{exchange:?}");
    }

    lab.run(&alice, "warg logout")?.succeeds()?.says("Logged out")?;
    let updated = lab.run(&alice, "warg update")?.succeeds()?;
    for exchange in updated.all() {
        ensure!(!exchange.request_headers.contains_key("authorization"), "{exchange:?}");
    }
    Ok(())
}
