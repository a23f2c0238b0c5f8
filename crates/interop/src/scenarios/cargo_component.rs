//! `cargo component` with dependencies in the registry.

use anyhow::{Result, ensure};

use super::publishing::digest;
use super::wkg;
use crate::fixtures::{ALICE, BOB, GREETER};
use crate::lab::Lab;

/// A WIT package with a world to target.
const WIT: &str =
    "package test:greet@0.1.0;\n\nworld speaker {\n  export hello: func() -> string;\n}\n";

const MANIFEST: &str = r#"[package]
name = "speaker"
version = "0.1.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[package.metadata.component]
package = "test:speaker"

[package.metadata.component.target]
package = "test:greet"
world = "speaker"
version = "0.1.0"

[package.metadata.component.dependencies]
"test:greeter" = "0.1.0"
"#;

pub(super) fn resolve(lab: &mut Lab) -> Result<()> {
    let alice = wkg::person(lab, ALICE)?;
    let bob = wkg::person(lab, BOB)?;
    alice.write("wit/greet.wit", WIT)?;
    lab.run(&alice, "wkg wit build --output greet.wasm")?.succeeds()?;
    alice.write("greeter.wasm", GREETER)?;
    for name in ["greet", "greeter"] {
        let line = format!("warg publish release --name test:{name} --version 0.1.0 {name}.wasm");
        lab.run(&alice, &line)?.succeeds()?;
    }

    bob.write("speaker/Cargo.toml", MANIFEST)?;
    bob.write("speaker/src/lib.rs", "//! Nothing yet.\n")?;
    lab.run_in(&bob, "speaker", "cargo-component component update")?.succeeds()?;
    let lock = String::from_utf8(bob.read("speaker/Cargo-component.lock")?)?;
    let greet = digest(&alice.read("greet.wasm")?);
    for text in ["test:greet", "test:greeter", &greet, &digest(GREETER)] {
        ensure!(lock.contains(text), "Cargo-component.lock does not name {text}:\n{lock}");
    }
    // The bindings come out of the content.
    lab.run_in(&bob, "speaker", "cargo-component component bindings")?.succeeds()?;
    let bindings = String::from_utf8(bob.read("speaker/src/bindings.rs")?)?;
    ensure!(bindings.contains("fn hello"), "the bindings lack the world's export");

    // A newer release is seen, and the lock changes.
    lab.run(&alice, "warg publish release --name test:greeter --version 0.1.1 greeter.wasm")?
        .succeeds()?;
    lab.run_in(&bob, "speaker", "cargo-component component update")?.succeeds()?;
    let lock = String::from_utf8(bob.read("speaker/Cargo-component.lock")?)?;
    ensure!(lock.contains("0.1.1"), "Cargo-component.lock has not moved on:\n{lock}");
    Ok(())
}
