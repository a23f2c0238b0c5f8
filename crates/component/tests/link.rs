//! Locked components and bundles.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "link/fixtures.rs"]
mod fixtures;
#[path = "link/random.rs"]
mod random;
#[path = "link/real.rs"]
mod real;
#[path = "link/refused.rs"]
mod refused;
#[path = "../benches/link/tower.rs"]
mod tower;
#[path = "link/wiring.rs"]
mod wiring;
#[path = "link/world.rs"]
mod world;
