//! Our `warg` and the released one, beside each other: what one publishes the other fetches, and what
//! one writes down the other reads.

use anyhow::{Context, Result, ensure};

use crate::fixtures::{ALICE, BOB, EMPTY, Person, small_component};
use crate::lab::{KEY_FILE, Lab, Ran, Warg};
use crate::machine::Machine;
use crate::terminal::Answer;

/// A person, a machine, and the client that is used there.
struct User {
    machine: Machine,
    warg: Warg,
}

impl User {
    /// Each pair has machines of its own, so that nobody knows anything from the pair before.
    fn new(lab: &mut Lab, pair: &Pair, person: Person, warg: Warg) -> Result<Self> {
        let machine = lab.person_with(warg, person, &format!("{}-{}", pair.label, person.name))?;
        machine.write("empty.wasm", EMPTY)?;
        machine.write("small.wasm", small_component("small")?)?;
        Ok(Self { machine, warg })
    }

    /// Runs a command of the client, of which the line has everything but the first word.
    fn run(&self, lab: &mut Lab, line: &str) -> Result<Ran> {
        lab.run(&self.machine, &format!("{} {line}", self.warg.command()))
    }

    fn answer(&self, lab: &mut Lab, line: &str, answers: &[Answer<'_>]) -> Result<Ran> {
        lab.type_into(&self.machine, &format!("{} {line}", self.warg.command()), answers)
    }

    /// Runs a command that has to fail, with these words of our client or these of the released one.
    fn fails(&self, lab: &mut Lab, line: &str, ours: &str, released: &str) -> Result<()> {
        let words = match self.warg {
            Warg::Ours => ours,
            Warg::Released => released,
        };
        self.run(lab, line)?.fails(&[words]).map(drop)
    }

    /// Fetches a package into a file, and compares what came.
    fn downloads(&self, lab: &mut Lab, what: &str, version: &str, bytes: &[u8]) -> Result<()> {
        // The released client is content with what it knows of a package.
        self.run(lab, "update")?.succeeds()?;
        let ran = self.run(lab, &format!("download {what} -o out.wasm"))?.succeeds()?;
        ran.says(&format!("Downloaded version: {version}"))?;
        ensure!(self.machine.read("out.wasm")? == bytes, "other bytes came back for {what}");
        Ok(())
    }
}

/// Who publishes with what, and who fetches with what.
struct Pair {
    /// Part of the names of its packages and machines.
    label: &'static str,
    publisher: Warg,
    reader: Warg,
}

/// Released for released is what all other scenarios are about.
const PAIRS: &[Pair] = &[
    Pair { label: "there", publisher: Warg::Ours, reader: Warg::Released },
    Pair { label: "back", publisher: Warg::Released, reader: Warg::Ours },
    Pair { label: "own", publisher: Warg::Ours, reader: Warg::Ours },
];

/// Plays it for each pair.
fn for_each(lab: &mut Lab, play: fn(&mut Lab, &Pair) -> Result<()>) -> Result<()> {
    for pair in PAIRS {
        let Pair { publisher, reader, .. } = pair;
        play(lab, pair).with_context(|| format!("{publisher:?} publish, {reader:?} fetch"))?;
    }
    Ok(())
}

pub(super) fn publish(lab: &mut Lab) -> Result<()> {
    for_each(lab, |lab, pair| {
        let alice = User::new(lab, pair, ALICE, pair.publisher)?;
        let bob = User::new(lab, pair, BOB, pair.reader)?;
        release(lab, pair, &alice, &bob)?;
        batch(lab, pair, &alice, &bob)
    })
}

/// A package that is initialised by the way, and a release that nobody waits for.
fn release(lab: &mut Lab, pair: &Pair, alice: &User, bob: &User) -> Result<()> {
    let name = format!("test:{}", pair.label);
    let line = format!("publish release --name {name} --version 0.1.0 empty.wasm");
    alice.run(lab, &line)?.succeeds()?;
    bob.downloads(lab, &name, "0.1.0", EMPTY)?;
    // The same again is refused by one client, and found to be there by the other.
    let again = alice.run(lab, &line)?;
    match pair.publisher {
        Warg::Released => again.fails(&["already released"])?,
        Warg::Ours => again.succeeds()?,
    };

    let line = format!("publish release --no-wait --name {name} --version 0.2.0 small.wasm");
    let submitted = alice.run(lab, &line)?.succeeds()?;
    alice.run(lab, &format!("publish wait {name} {}", record(&submitted)?))?.succeeds()?;
    bob.downloads(lab, &name, "0.2.0", &small_component("small")?)?;
    let info = bob.run(lab, "info")?.succeeds()?;
    info.says(&name)?.says("0.1.0")?.says("0.2.0")?;
    let line = format!("download {name} --version 9.9.9 -o x.wasm");
    bob.fails(lab, &line, "no release that fits", "was not found")?;
    let line = format!("download {name}-missing -o x.wasm");
    bob.fails(lab, &line, "has no package", "was not found")
}

/// Two releases and a grant in one record, and a yank.
fn batch(lab: &mut Lab, pair: &Pair, alice: &User, bob: &User) -> Result<()> {
    let name = format!("test:{}-batch", pair.label);
    alice.run(lab, &format!("publish start {name}"))?.succeeds()?;
    alice.run(lab, &format!("publish init {name}"))?.succeeds()?;
    for (version, file) in [("0.1.0", "empty.wasm"), ("0.2.0", "small.wasm")] {
        let line = format!("publish release --name {name} --version {version} {file}");
        alice.run(lab, &line)?.succeeds()?;
    }
    let grant = format!("publish grant --name {name} {}", BOB.public_key()?);
    alice.run(lab, &grant)?.succeeds()?;
    alice.run(lab, "publish list")?.succeeds()?.says("0.2.0")?;
    let submitted = alice.run(lab, "publish submit")?.succeeds()?;
    let records = submitted.exchanges("POST", "/v1/package/", "/record").len();
    ensure!(records == 1, "{records} records were sent for one batch");
    bob.downloads(lab, &name, "0.2.0", &small_component("small")?)?;

    let yank = format!("publish yank --name {name} --version 0.2.0");
    let yes = match pair.publisher {
        Warg::Released => Answer::Key("Yank `0.2.0`", "y"),
        Warg::Ours => Answer::Key("for good?", "y\r"),
    };
    alice.answer(lab, &yank, &[yes])?.succeeds()?;
    bob.downloads(lab, &name, "0.1.0", EMPTY)?;
    let line = format!("download {name} --version 0.2.0 -o x.wasm");
    bob.fails(lab, &line, "was yanked", "was not found")
}

/// The record that a publish names.
fn record(ran: &Ran) -> Result<&str> {
    match ran.text().split_once("Record: ") {
        Some((_, rest)) => rest.split_whitespace().next().context("a record's id"),
        None => ran.digest(),
    }
}

pub(super) fn grant_and_revoke(lab: &mut Lab) -> Result<()> {
    for_each(lab, |lab, pair| {
        let alice = User::new(lab, pair, ALICE, pair.publisher)?;
        let bob = User::new(lab, pair, BOB, pair.reader)?;
        let name = format!("test:{}", pair.label);
        let release =
            |version: &str| format!("publish release --name {name} --version {version} empty.wasm");
        alice.run(lab, &release("0.1.0"))?.succeeds()?;
        bob.fails(lab, &release("0.2.0"), "may not release", "Unauthorized")?;
        let grant = format!("publish grant --name {name} {}", BOB.public_key()?);
        alice.run(lab, &grant)?.succeeds()?;
        bob.run(lab, &release("0.2.0"))?.succeeds()?;
        alice.downloads(lab, &name, "0.2.0", EMPTY)?;

        // The second key takes one permission from the first, and then the first is refused.
        let revoke =
            format!("publish revoke --name {name} --permission release {}", ALICE.key_id()?);
        bob.run(lab, &revoke)?.succeeds()?;
        alice.fails(lab, &release("0.3.0"), "may not release", "rejected")?;
        bob.run(lab, &release("0.3.0"))?.succeeds()?;
        // What is left may still be used.
        let yank = format!("publish yank --name {name} --version 0.1.0");
        let yes = match pair.publisher {
            Warg::Released => Answer::Key("Yank `0.1.0`", "y"),
            Warg::Ours => Answer::Key("for good?", "y\r"),
        };
        alice.answer(lab, &yank, &[yes])?.succeeds()?;
        bob.downloads(lab, &name, "0.3.0", EMPTY)?;
        let line = format!("download {name} --version 0.1.0 -o x.wasm");
        bob.fails(lab, &line, "was yanked", "was not found")
    })
}

pub(super) fn update(lab: &mut Lab) -> Result<()> {
    for_each(lab, |lab, pair| {
        let alice = User::new(lab, pair, ALICE, pair.publisher)?;
        let bob = User::new(lab, pair, BOB, pair.reader)?;
        let names = ["one", "two"].map(|number| format!("test:{}-{number}", pair.label));
        for name in &names {
            let line = format!("publish release --name {name} --version 0.1.0 empty.wasm");
            alice.run(lab, &line)?.succeeds()?;
            bob.downloads(lab, name, "0.1.0", EMPTY)?;
        }
        // A checkpoint for each of these.
        for version in ["0.2.0", "0.3.0"] {
            for name in &names {
                let line = format!("publish release --name {name} --version {version} empty.wasm");
                alice.run(lab, &line)?.succeeds()?;
            }
        }
        bob.run(lab, "update")?.succeeds()?;
        for name in &names {
            bob.run(lab, &format!("info {name}"))?.succeeds()?.says("0.2.0")?.says("0.3.0")?;
        }
        let [name, _] = &names;
        bob.downloads(lab, &format!("{name} --version 0.2.0"), "0.2.0", EMPTY)
    })
}

/// One home directory and both clients: what one has written, the other reads as it is.
pub(super) fn home(lab: &mut Lab) -> Result<()> {
    for (writer, reader) in [(Warg::Ours, Warg::Released), (Warg::Released, Warg::Ours)] {
        let home = written_by(lab, writer, reader);
        home.with_context(|| format!("{writer:?} writes, {reader:?} reads"))?;
    }
    Ok(())
}

fn written_by(lab: &mut Lab, writer: Warg, reader: Warg) -> Result<()> {
    let (first, second) = (writer.command(), reader.command());
    let machine = lab.machine(&format!("home-{first}"))?;
    machine.write("empty.wasm", EMPTY)?;
    let config = format!("{first} config --registry {{registry}} --keyring-backend flat-file");
    lab.run(&machine, &config)?.succeeds()?;
    lab.run(&machine, &format!("{second} key info"))?.fails(&["error"])?;
    let made = lab.run(&machine, &format!("{first} key new"))?.succeeds()?;
    let id = made.digest()?;
    lab.run(&machine, &format!("{second} key info"))?.succeeds()?.says(id)?;

    // No registry and no key is named: both come from what the first client wrote.
    for (number, warg) in [second, first].iter().enumerate() {
        let line = format!(
            "{warg} publish release --name test:by-{first} --version 0.{number}.0 empty.wasm"
        );
        lab.run(&machine, &line)?.succeeds()?;
    }
    // Neither takes the other's memory for its own, or away from it.
    for warg in [first, second] {
        lab.run(&machine, &format!("{warg} update"))?.succeeds()?;
        let line = format!("{warg} download test:by-{first} -o {warg}.wasm");
        lab.run(&machine, &line)?.succeeds()?.says("Downloaded version: 0.1.0")?;
    }
    lab.run(&machine, &format!("{second} reset"))?.succeeds()?;
    lab.run(&machine, &format!("{first} info"))?.succeeds()?.says(&format!("test:by-{first}"))?;

    // A token, too.
    let question = match writer {
        Warg::Ours => "Token for",
        Warg::Released => "Enter auth token",
    };
    let login = [Answer::Secret(question, "a-token-of-alice")];
    lab.type_into(&machine, &format!("{first} login"), &login)?.succeeds()?;
    // After the reset, everything has to be asked for.
    let line = format!("{second} download test:by-{first} -o again.wasm");
    let downloaded = lab.run(&machine, &line)?.succeeds()?;
    let asked = downloaded.exchanges("GET", "/v1/fetch/", "");
    ensure!(!asked.is_empty(), "nothing was asked: {:?}", downloaded.all());
    for exchange in asked {
        let token = exchange.request_headers.get("authorization").map(String::as_str);
        ensure!(token == Some("Bearer a-token-of-alice"), "{token:?} went with {exchange:?}");
    }

    // A key that is deleted by one is gone for the other.
    let delete = match reader {
        Warg::Ours => lab.run(&machine, "our-warg key delete --yes")?,
        Warg::Released => {
            let yes = [Answer::Key("delete your signing key", "y")];
            lab.type_into(&machine, "warg key delete", &yes)?
        }
    };
    delete.succeeds()?;
    ensure!(!machine.has_home(KEY_FILE), "the key is still there");
    lab.run(&machine, &format!("{first} key info"))?.fails(&["error"])?;
    Ok(())
}
