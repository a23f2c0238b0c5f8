//! Compositions whose parts come from the registry.

use anyhow::{Context, Result, ensure};
use wasmparser::Validator;

use crate::fixtures::{self, ALICE, BOB, GREETER, TOWER};
use crate::lab::{Lab, Warg};
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

/// What `wac` composes of the files that our client fetched, with the packages within or imported.
const OPEN: &str = "package test:hello;

let greeter = new test:greeter@0.1.0 {};
let inner = new test:tower@0.1.0 { ...greeter };
let outer = new test:tower@0.1.0 { ...inner };

export outer...;
";

/// What `wac` makes of that again.
const HIGHER: &str = "package test:higher;

let hello = new test:hello { ... };
let outer = new test:tower@0.1.0 { ...hello };

export outer...;
";

/// What `wac` leaves open our client puts in its place, and `wac` goes on with that.
pub(super) fn bundle(lab: &mut Lab) -> Result<()> {
    let bob = fetched(lab)?;
    bob.write("hello.wac", OPEN)?;
    // What is in `deps` it does not ask a registry for.
    let ran = lab.run(&bob, "wac compose --output composed.wasm hello.wac")?.succeeds()?;
    let asked = ran.exchanges("POST", "/v1/fetch/", "");
    ensure!(asked.is_empty(), "asked for what is there: {asked:?}");
    let line = "wac compose --import-dependencies --output open.wasm hello.wac";
    lab.run(&bob, line)?.succeeds()?;
    let said = lab.run(&bob, "our-warg inspect open.wasm")?.succeeds()?;
    said.says("unlocked-dep=<test:greeter@{>=0.1.0}>")?.says("wac-parser 0.12.0")?;

    let line = "our-warg lock open.wasm --file open.lock --component locked.wasm";
    lab.run(&bob, line)?.succeeds()?;
    lab.run(&bob, "our-warg bundle open.wasm --file open.lock --output bundle.wasm")?.succeeds()?;
    validated(&bob, "bundle.wasm")?;
    compare(lab, &bob, "composed.wasm", "bundle.wasm")?;

    // The world that our client writes down is that of the bundle, and of nothing that imports more.
    lab.run(&bob, "our-warg wit composed.wasm --output wit")?.succeeds()?;
    lab.run(&bob, "wac targets bundle.wasm --wit wit")?.succeeds()?;
    let imports = ["locked-dep=<test:greeter@0.1.0>,integrity=<sha256-", "locked-dep=<test:tower@"];
    lab.run(&bob, "wac targets locked.wasm --wit wit")?.fails(&imports)?;

    bob.write("higher.wac", HIGHER)?;
    for (from, command) in [
        ("bundle", "wac compose --dep test:hello=bundle.wasm higher.wac"),
        ("bundle", "wac plug --plug bundle.wasm deps/test/tower/0.1.0.wasm"),
        ("locked", "wac compose --dep test:hello=locked.wasm higher.wac"),
        ("locked", "wac plug --plug locked.wasm deps/test/tower/0.1.0.wasm"),
    ] {
        lab.run(&bob, &format!("{command} --output higher.wasm"))?.succeeds()?;
        let said = lab.run(&bob, "our-warg inspect higher.wasm")?.succeeds()?;
        if from == "bundle" {
            said.keeps_quiet_about("-dep=<")?;
            compare(lab, &bob, "composed.wasm", "higher.wasm")?;
            continue;
        }
        // What was locked stays so, and our client can put it in its place now.
        for import in imports {
            said.says(import)?;
        }
        lab.run(&bob, "our-warg bundle higher.wasm --no-lock --output highest.wasm")?.succeeds()?;
        compare(lab, &bob, "composed.wasm", "highest.wasm")?;
    }
    Ok(())
}

/// The tower of languages: a link in each, in the order in which they call each other.
const LINKS: [(&str, &str); 4] = [
    ("rust", "tower-rust"),
    ("script", "tower-qjs"),
    ("c", "tower-c-wasip2"),
    ("go", "greeter-go"),
];

/// The tower as a document.
const LANGUAGES: &str = "package test:languages;

let go = new test:go { ... };
let c = new test:c { ...go, ... };
let script = new test:script { ...c, ... };
let rust = new test:rust { ...script, ... };

export rust...;
";

/// One document over one registry: what `wac` and our client make of it is the same from outside, and
/// both name packages as they are called.
pub(super) fn tower(lab: &mut Lab) -> Result<()> {
    let alice = lab.person_with(Warg::Ours, ALICE, ALICE.name)?;
    let bob = lab.person(BOB)?;
    let carol = lab.person_with(Warg::Ours, BOB, "carol")?;
    for (name, file) in LINKS {
        alice.write(
            &format!("{name}.wasm"),
            fixtures::testdata(&format!("components/{file}.wasm"))?,
        )?;
        let line = format!("our-warg publish {name}.wasm --name test:{name} --release 0.1.0");
        lab.run(&alice, &line)?.succeeds()?;
    }
    bob.write("languages.wac", LANGUAGES.as_bytes())?;
    carol.write("languages.wac", LANGUAGES.as_bytes())?;
    let line = "wac compose --registry {registry} --output theirs.wasm languages.wac";
    lab.run(&bob, line)?.succeeds()?;
    lab.run(&carol, "our-warg compose languages.wac --output ours.wasm")?.succeeds()?;
    carol.write("theirs.wasm", &validated(&bob, "theirs.wasm")?)?;
    validated(&carol, "ours.wasm")?;
    compare(lab, &carol, "theirs.wasm", "ours.wasm")?;
    let line = "our-warg verify --deep ours.wasm";
    lab.run(&carol, line)?.succeeds()?.says("test:go@0.1.0 was released")?;

    // The same with plugs, which feed each other; `wac` closes one level a call.
    let plugs = "--plug test:script --plug test:c --plug test:go";
    let line = format!("our-warg plug test:rust {plugs} --output plugged.wasm");
    lab.run(&carol, &line)?.succeeds()?;
    compare(lab, &carol, "theirs.wasm", "plugged.wasm")?;

    // What stays open keeps the names of its packages, and either goes on with it.
    let line = "our-warg compose languages.wac --import-dependencies --output open.wasm";
    lab.run(&carol, line)?.succeeds()?;
    lab.run(&carol, "our-warg inspect open.wasm")?.succeeds()?.says("unlocked-dep=<test:script")?;
    lab.run(&carol, "our-warg bundle open.wasm --no-lock --output closed.wasm")?.succeeds()?;
    compare(lab, &carol, "theirs.wasm", "closed.wasm")
}

/// Alice has published, and our client has put on Bob's machine what she did.
fn fetched(lab: &mut Lab) -> Result<Machine> {
    let alice = lab.person_with(Warg::Ours, ALICE, ALICE.name)?;
    let bob = lab.person_with(Warg::Ours, BOB, BOB.name)?;
    for (name, bytes) in [("greeter", GREETER), ("tower", TOWER)] {
        alice.write(&format!("{name}.wasm"), bytes)?;
        let line = format!("our-warg publish {name}.wasm --name test:{name} --release 0.1.0");
        lab.run(&alice, &line)?.succeeds()?;
    }
    lab.run(&bob, "our-warg lock test:greeter@0.1.0 test:tower@0.1.0")?.succeeds()?;
    lab.run(&bob, "our-warg fetch")?.succeeds()?;
    Ok(bob)
}

/// From outside, nobody can tell one from the other.
fn compare(lab: &mut Lab, machine: &Machine, one: &str, other: &str) -> Result<()> {
    let line = format!("our-warg diff {one} {other} --check");
    lab.run(machine, &line)?.succeeds()?.says("Nothing changed that can be seen from outside")?;
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
