//! `wkg` with its warg backend, as its releases up to 0.15 have it.

use anyhow::{Result, ensure};

use crate::fixtures::{ALICE, BOB, Person, TOWER};
use crate::lab::{Lab, Warg};
use crate::machine::Machine;

/// A WIT package without dependencies, and one that needs it.
const GREET: &str = "package test:greet@0.1.0;\n\ninterface greeting {\n  /// Says hello.\n  \
                     greet: func(name: string) -> string;\n}\n";
const APP: &str =
    "package test:app@0.1.0;\n\nworld app {\n  import test:greet/greeting@0.1.0;\n}\n";

pub(super) fn component(lab: &mut Lab) -> Result<()> {
    let alice = person(lab, ALICE)?;
    let bob = person(lab, BOB)?;
    alice.write("tower.wasm", TOWER)?;
    let line = "wkg publish tower.wasm --package test:tower@0.1.0";
    lab.run(&alice, line)?.succeeds()?.was_answered("POST", "/record", 202)?;
    lab.run(&bob, "wkg get test:tower@0.1.0 --output ./got.wasm")?.succeeds()?;
    ensure!(bob.read("got.wasm")? == TOWER, "other bytes came back");
    // Without a version it takes the newest.
    lab.run(&alice, "wkg publish tower.wasm --package test:tower@0.2.0")?.succeeds()?;
    lab.run(&bob, "wkg get test:tower --output ./newest.wasm")?.succeeds()?.says("0.2.0")?;
    lab.run(&alice, line)?.fails(&["already released"])?;
    lab.run(&bob, "wkg get test:missing --output ./x.wasm")?.fails(&["not found"])?;
    Ok(())
}

pub(super) fn wit(lab: &mut Lab) -> Result<()> {
    let alice = person(lab, ALICE)?;
    let bob = person(lab, BOB)?;
    alice.write("wit/greet.wit", GREET)?;
    lab.run(&alice, "wkg wit build --output greet.wasm")?.succeeds()?;
    // The name and the version stand in the file.
    lab.run(&alice, "wkg publish greet.wasm")?.succeeds()?;
    lab.run(&bob, "wkg get test:greet@0.1.0 --format wasm --output ./got.wasm")?.succeeds()?;
    ensure!(bob.read("got.wasm")? == alice.read("greet.wasm")?, "other bytes came back");
    lab.run(&bob, "wkg get test:greet@0.1.0 --output ./got.wit")?.succeeds()?;
    let text = String::from_utf8(bob.read("got.wit")?)?;
    ensure!(text.contains("package test:greet@0.1.0;"), "no WIT came back:\n{text}");

    bob.write("wit/app.wit", APP)?;
    lab.run(&bob, "wkg wit fetch")?.succeeds()?;
    let lock = String::from_utf8(bob.read("wkg.lock")?)?;
    ensure!(lock.contains("test:greet") && lock.contains("sha256:"), "wkg.lock says\n{lock}");
    lab.run(&bob, "wkg wit build --output app.wasm")?.succeeds()?;
    lab.run(&bob, "wkg publish app.wasm")?.succeeds()?;
    Ok(())
}

/// What our client has locked, `wkg` takes over as it is.
pub(super) fn lock(lab: &mut Lab) -> Result<()> {
    // It takes registry and key from our client's configuration.
    let alice = person_with(lab, Warg::Ours, ALICE)?;
    alice.write("wit/greet.wit", GREET)?;
    lab.run(&alice, "wkg wit build --output greet.wasm")?.succeeds()?;
    lab.run(&alice, "wkg publish greet.wasm")?.succeeds()?;

    let bob = person_with(lab, Warg::Ours, BOB)?;
    bob.write("wit/app.wit", APP)?;
    let line = "our-warg lock test:greet@0.1.0 --export-wkg wkg.lock";
    lab.run(&bob, line)?.succeeds()?;
    let exported = String::from_utf8(bob.read("wkg.lock")?)?;
    keeps(lab, &bob, "wkg", &exported)?;

    // What is locked counts: another digest is refused.
    let digest = format!("sha256:{}", "0".repeat(64));
    let other = exported.lines().map(|line| {
        let is_digest = line.starts_with("digest");
        if is_digest { format!("digest = \"{digest}\"\n") } else { format!("{line}\n") }
    });
    bob.write("wkg.lock", other.collect::<String>())?;
    lab.run(&bob, "wkg wit fetch")?.fails(&["the lock file specifies digest"])?;
    Ok(())
}

/// The newest `wkg` reads no Warg, but folders: `warg fetch` writes one as it wants it.
pub(super) fn folder(lab: &mut Lab) -> Result<()> {
    let alice = lab.person_with(Warg::Ours, ALICE, ALICE.name)?;
    alice.write("wit/greet.wit", GREET)?;
    lab.run(&alice, "newest-wkg wit build --output greet.wasm")?.succeeds()?;
    lab.run(&alice, "our-warg publish greet.wasm")?.succeeds()?;

    let bob = lab.person_with(Warg::Ours, BOB, BOB.name)?;
    let host = lab.host();
    let config = format!(
        "[namespace_registries]\ntest = \"{host}\"\n\n[registry.\"{host}\"]\ndefault = \
         \"local\"\n\n[registry.\"{host}\".local]\nroot = \"deps\"\n"
    );
    bob.write_home(".config/wasm-pkg/config.toml", config)?;
    bob.write("wit/app.wit", APP)?;
    let line = "our-warg lock test:greet@0.1.0 --export-wkg wkg.lock";
    lab.run(&bob, line)?.succeeds()?;
    lab.run(&bob, "our-warg fetch")?.succeeds()?;
    let exported = String::from_utf8(bob.read("wkg.lock")?)?;
    keeps(lab, &bob, "newest-wkg", &exported)?;

    let line = "newest-wkg get test:greet@0.1.0 --format wasm --output ./got.wasm";
    lab.run(&bob, line)?.succeeds()?;
    ensure!(bob.read("got.wasm")? == alice.read("greet.wasm")?, "other bytes came back");
    Ok(())
}

/// A `wkg` keeps a lock as it is, and builds with it.
fn keeps(lab: &mut Lab, machine: &Machine, wkg: &str, exported: &str) -> Result<()> {
    lab.run(machine, &format!("{wkg} wit fetch"))?.succeeds()?;
    let kept = String::from_utf8(machine.read("wkg.lock")?)?;
    // It writes the file anew each time, with a comment of its own.
    ensure!(entries(exported).eq(entries(&kept)), "exported\n{exported}\nkept\n{kept}");
    lab.run(machine, &format!("{wkg} wit build --output app.wasm"))?.succeeds()?;
    Ok(())
}

/// The lines of a lock that say something.
fn entries(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The machine of somebody who has configured `warg` and told the newer tools about the registry.
pub(super) fn person(lab: &mut Lab, person: Person) -> Result<Machine> {
    person_with(lab, Warg::Released, person)
}

/// The same with this client.
fn person_with(lab: &mut Lab, client: Warg, person: Person) -> Result<Machine> {
    let machine = lab.person_with(client, person, person.name)?;
    let host = lab.host();
    let config = format!(
        "[namespace_registries]\ntest = \"{host}\"\n\n[registry.\"{host}\"]\ndefault = \
         \"warg\"\n\n[registry.\"{host}\".warg]\n"
    );
    machine.write_home(".config/wasm-pkg/config.toml", config)?;
    Ok(machine)
}
