//! The story: publish, fetch, verify, and four lies.

use std::path::{Path, PathBuf};

use super::line::{Lie, Line};
use super::registry::{Registry, copy};
use super::stage::{Ends, Stage, cannot_write};
use crate::failure::Failure;

/// Real components, as tools made them: one interface written in Rust, again in C, and one that needs it.
const COMPONENTS: &[(&str, &[u8])] = &[
    ("greeter.wasm", include_bytes!("../../../../../testdata/components/greeter-rust.wasm")),
    (
        "greeter-in-c.wasm",
        include_bytes!("../../../../../testdata/components/greeter-c-wasip2.wasm"),
    ),
    ("tower.wasm", include_bytes!("../../../../../testdata/components/tower-rust.wasm")),
];

/// Where it happens. Whoever drops it stops the registry too.
pub(super) struct World {
    pub(super) program: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) line: Line,
    pub(super) registry: Option<Registry>,
}

impl World {
    fn data(&self) -> PathBuf {
        self.directory.join("registry")
    }

    fn backup(&self) -> PathBuf {
        self.directory.join("backup")
    }

    /// Starts the registry with this data, in the place of one that runs.
    async fn start(&mut self, data: &Path) -> Result<(), Failure> {
        self.stop().await;
        let log = self.directory.join("registry.log");
        let registry = Registry::start(&self.program, data, &log, &self.line.url()).await?;
        self.line.lead_to(registry.address());
        self.registry = Some(registry);
        Ok(())
    }

    /// Stops the registry, if one runs.
    pub(super) async fn stop(&mut self) {
        if let Some(registry) = self.registry.take() {
            registry.stop().await;
        }
    }
}

/// Tells it from the beginning to the end.
pub(super) async fn tell(stage: &mut Stage, world: &mut World) -> Result<(), Failure> {
    publish(stage, world).await?;
    fetch(stage, world).await?;
    go_on(stage, world).await?;
    flip(stage, world).await?;
    hide(stage, world).await?;
    roll_back(stage, world).await?;
    fork(stage, world).await?;
    finish(stage, world).await
}

async fn publish(stage: &mut Stage, world: &mut World) -> Result<(), Failure> {
    let url = world.line.url();
    stage.step("A registry starts")?;
    stage.tell(&format!(
        "`wargate` runs in a temporary directory, with a key of its own that signs its log. People reach \
         it at {url}, over a line that passes everything on. Later somebody will sit on that line."
    ))?;
    world.start(&world.data()).await?;
    stage.step("Alice publishes")?;
    let alice = stage.place("alice")?;
    for (name, bytes) in COMPONENTS {
        let path = alice.join(name);
        std::fs::write(&path, bytes).map_err(|error| cannot_write(&path, &error))?;
    }
    stage.tell(
        "Alice says once which registry is hers, and makes a key. It never leaves her machine: she signs \
         what she publishes, and everybody can check it.",
    )?;
    stage.run("alice", &["config", "--registry", &url], Ends::Well).await?;
    stage.run("alice", &["key", "new"], Ends::Well).await?;
    stage.tell(
        "One command creates the package, signs the release, uploads it, waits until it is in the log, \
         and verifies that it is.",
    )?;
    let release = ["publish", "greeter.wasm", "--name", "demo:greeter", "--release", "1.0.0"];
    stage.run("alice", &release, Ends::Well).await.map(drop)
}

async fn fetch(stage: &mut Stage, world: &World) -> Result<(), Failure> {
    stage.step("Bob fetches and verifies")?;
    stage.tell(
        "Bob's `warg` does not take the registry's word. It checks the signature on every record, the \
         registry's signature on its checkpoint, proofs that the records are in the log which the \
         checkpoint covers, and the hash of what it downloads.",
    )?;
    let url = &world.line.url();
    stage.run("bob", &["config", "--registry", url], Ends::Well).await?;
    stage.run("bob", &["get", "demo:greeter"], Ends::Well).await?;
    same(stage, "bob", "greeter.wasm", "greeter.wasm")?;
    stage.tell(
        "The file has Alice's bytes. `warg verify` says what is proven of it, in plain words:",
    )?;
    let verify = ["verify", "greeter.wasm", "--package", "demo:greeter"];
    stage.run("bob", &verify, Ends::Well).await.map(drop)
}

async fn go_on(stage: &mut Stage, world: &mut World) -> Result<(), Failure> {
    stage.step("Time passes")?;
    // Somebody will need it.
    world.stop().await;
    let failed = |error| Failure::local(format!("cannot copy the registry's data: {error}"));
    copy(&world.data(), &world.backup()).map_err(failed)?;
    world.start(&world.data()).await?;
    stage.tell(
        "The registry's operator makes a backup. Then Alice finds a flaw in 1.0.0: she releases 1.0.1, \
         and withdraws 1.0.0 for good.",
    )?;
    let release = ["publish", "greeter-in-c.wasm", "--name", "demo:greeter", "--release", "1.0.1"];
    stage.run("alice", &release, Ends::Well).await?;
    let yank = ["publish", "yank", "--name", "demo:greeter", "--version", "1.0.0", "--yes"];
    stage.run("alice", &yank, Ends::Well).await?;
    stage.tell(
        "Bob hears of it. His `warg` remembers the newest checkpoint that it has verified.",
    )?;
    stage.run("bob", &["log", "demo:greeter"], Ends::Well).await.map(drop)
}

async fn flip(stage: &mut Stage, world: &World) -> Result<(), Failure> {
    stage.step("Mallory changes one bit")?;
    stage.tell(
        "Mallory sits on the line now, and flips one bit in the middle of every component that comes \
         over it. Carol is new here, and fetches:",
    )?;
    world.line.lie(Lie::FlipByte);
    let url = &world.line.url();
    stage.run("carol", &["config", "--registry", url], Ends::Well).await?;
    stage.run("carol", &["get", "demo:greeter"], Ends::Refusing).await?;
    world.line.lie(Lie::None);
    absent(stage, "carol", "greeter.wasm")?;
    stage.tell(
        "Refused: the bytes have another hash than the one that Alice signed. No file was written, and \
         nothing of it is in the cache.",
    )
}

async fn hide(stage: &mut Stage, world: &World) -> Result<(), Failure> {
    stage.step("Mallory hides that 1.0.0 was withdrawn")?;
    stage.tell(
        "Now Mallory leaves the newest record out of each answer, to have Dave use the flawed version. \
         Every signature in what is left is genuine.",
    )?;
    world.line.lie(Lie::HideNewest);
    let url = &world.line.url();
    stage.run("dave", &["config", "--registry", url], Ends::Well).await?;
    stage.run("dave", &["get", "demo:greeter@1.0.0"], Ends::Refusing).await?;
    world.line.lie(Lie::None);
    absent(stage, "dave", "greeter.wasm")?;
    stage.tell(
        "Refused: the checkpoint also signs a map with the newest record of every package, and what was \
         shown is not it. Whoever leaves something out cannot prove that this is all. Without Mallory on \
         the line, Dave learns the truth:",
    )?;
    stage.run("dave", &["versions", "demo:greeter"], Ends::Well).await.map(drop)
}

async fn roll_back(stage: &mut Stage, world: &mut World) -> Result<(), Failure> {
    stage.step("The registry goes back in time")?;
    stage.tell(
        "Mallory gets at the registry itself, its key included, and puts the backup in its place. \
         Everything there was signed by the registry's own key, and 1.0.0 is not withdrawn yet. Bob has \
         seen more:",
    )?;
    let backup = world.backup();
    world.start(&backup).await?;
    stage.run("bob", &["update"], Ends::Refusing).await?;
    stage.tell(
        "Refused: a log only grows, and this one is shorter than the one that Bob has verified.",
    )
}

async fn fork(stage: &mut Stage, world: &World) -> Result<(), Failure> {
    let url = &world.line.url();
    stage.step("The registry tells another story")?;
    stage.tell(
        "So Mallory lets the old log grow in another direction, until it is as long as the one that Bob \
         knows. Two histories, both signed by the registry:",
    )?;
    let mallory = stage.place("mallory")?.join("tower.wasm");
    std::fs::copy(stage.place("alice")?.join("tower.wasm"), &mallory)
        .map_err(|error| cannot_write(&mallory, &error))?;
    stage.run("mallory", &["config", "--registry", url], Ends::Well).await?;
    stage.run("mallory", &["key", "new"], Ends::Well).await?;
    let tower = ["publish", "tower.wasm", "--name", "demo:tower", "--release"];
    for version in ["1.0.0", "2.0.0"] {
        let release: Vec<&str> = tower.iter().copied().chain([version]).collect();
        stage.run("mallory", &release, Ends::Well).await?;
    }
    stage.tell("Bob asks for news:")?;
    let said = stage.run("bob", &["update"], Ends::Refusing).await?;
    stage.tell(
        "Refused, and this time the registry has convicted itself: two checkpoints with its signature \
         that cannot both be true. Bob's `warg` keeps them as evidence, which he can show to anybody:",
    )?;
    let id = said.split('`').find_map(|words| words.strip_prefix("warg trust --evidence "));
    let id = id.ok_or_else(|| Failure::other("no evidence was kept of a fork"))?.to_owned();
    stage.run("bob", &["trust", "--evidence", &id], Ends::Well).await?;
    stage.tell("Whoever watches the registry with `warg monitor` hears of it too:")?;
    stage.run("bob", &["monitor", "--once"], Ends::Refusing).await.map(drop)
}

async fn finish(stage: &mut Stage, world: &mut World) -> Result<(), Failure> {
    stage.step("The registry tells the truth again")?;
    stage.tell(
        "The operator throws Mallory out and runs the true log. Nothing has to be repaired on Bob's side: \
         nothing that was refused was ever believed.",
    )?;
    let data = world.data();
    world.start(&data).await?;
    stage.run("bob", &["get", "demo:greeter"], Ends::Well).await?;
    same(stage, "bob", "greeter.wasm", "greeter-in-c.wasm")?;
    stage.tell("Carol has the whole registry derived anew, from its first record on:")?;
    stage.run("carol", &["verify", "--all", "--contents"], Ends::Well).await?;
    stage.tell(
        "`warg monitor` follows a registry for ever, and alerts with evidence as soon as something is \
         wrong. Here it looks once:",
    )?;
    stage.run("carol", &["monitor", "--once"], Ends::Well).await.map(drop)
}

/// Sees to it that a file is one of Alice's.
fn same(stage: &Stage, person: &str, file: &str, of_alice: &str) -> Result<(), Failure> {
    let path = stage.place(person)?.join(file);
    let bytes = std::fs::read(&path).map_err(|error| cannot_read(&path, &error))?;
    if COMPONENTS.iter().any(|(name, there)| *name == of_alice && *there == bytes) {
        return Ok(());
    }
    Err(Failure::other(format!("{} is not what Alice has published", path.display())))
}

/// Sees to it that there is no file.
fn absent(stage: &Stage, person: &str, file: &str) -> Result<(), Failure> {
    let path = stage.place(person)?.join(file);
    if path.exists() {
        return Err(Failure::other(format!(
            "{} was written though it was refused",
            path.display()
        )));
    }
    Ok(())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("cannot read {}: {error}", path.display()))
}
