//! Real components, of many toolchains, from 10 kB to 35 MB.

use anyhow::{Context, Result, ensure};

use crate::fixtures::{ALICE, BOB, Component, components};
use crate::lab::{Lab, Warg};
use crate::machine::Machine;

/// Both clients fetch.
pub(super) fn travel(lab: &mut Lab) -> Result<()> {
    publish(lab, &[Warg::Ours, Warg::Released])
}

/// Without anything that was built elsewhere.
pub(super) fn travel_alone(lab: &mut Lab) -> Result<()> {
    publish(lab, &[Warg::Ours])
}

/// Publishes them with our client, fetches them with each of these, and verifies with ours.
fn publish(lab: &mut Lab, readers: &[Warg]) -> Result<()> {
    let components = components()?;
    let alice = lab.person_with(Warg::Ours, ALICE, ALICE.name)?;
    let mut lines = Vec::new();
    for component in &components {
        alice.write(&format!("{}.wasm", component.name), &component.bytes)?;
        let Component { name, version, .. } = component;
        let package = package(lab, component);
        // Name and version of a file that says them itself are found there.
        let flags = format!("--name {package} --release {version}");
        let flags = if component.package == package { "" } else { &flags };
        lines.push((&alice, format!("our-warg publish {name}.wasm {flags}")));
    }
    // All at once: nobody waits for the checkpoint of another, and the cache has many users.
    for ran in lab.run_at_once(&lines)? {
        ran.succeeds()?;
    }
    for &warg in readers {
        let bob = lab.person_with(warg, BOB, &format!("bob-{}", warg.command()))?;
        fetch(lab, warg, &bob, &components)?;
    }
    verify(lab, &components)
}

/// The package that a component is published as.
fn package(lab: &Lab, component: &Component) -> String {
    // The reference implementation's server has one namespace, and does not look into files.
    if lab.is_reference() || component.package.is_empty() {
        return format!("test:{}", component.name);
    }
    component.package.to_owned()
}

fn fetch(lab: &mut Lab, warg: Warg, bob: &Machine, components: &[Component]) -> Result<()> {
    let packages: Vec<_> = components.iter().map(|component| package(lab, component)).collect();
    bob.write("got/readme.txt", "")?;
    if warg == Warg::Ours {
        // All in one command.
        let line = format!("our-warg get {} --output got", packages.join(" "));
        lab.run(bob, &line)?.succeeds()?;
    } else {
        for package in &packages {
            let file = package.split_once(':').context("a name")?.1;
            lab.run(bob, &format!("warg download {package} -o got/{file}.wasm"))?.succeeds()?;
        }
    }
    for (component, package) in components.iter().zip(&packages) {
        let file = package.split_once(':').context("a name")?.1;
        let same = bob.read(&format!("got/{file}.wasm"))? == component.bytes;
        ensure!(same, "other bytes came back for {package}");
    }
    Ok(())
}

/// Somebody who knows nothing yet looks at everything.
fn verify(lab: &mut Lab, components: &[Component]) -> Result<()> {
    let carol = lab.person_with(Warg::Ours, BOB, "carol")?;
    for component in components {
        let file = format!("{}.wasm", component.name);
        carol.write(&file, &component.bytes)?;
        let (package, version) = (package(lab, component), component.version);
        lab.run(&carol, &format!("our-warg verify {package}@{version}"))?.succeeds()?;
        let line = format!("our-warg verify {file} --package {package}");
        lab.run(&carol, &line)?.succeeds()?.says(version)?;
    }
    // A file with one byte of another kind is none of the package's releases.
    let first = components.first().context("no components")?;
    let mut bytes = first.bytes.clone();
    *bytes.last_mut().context("an empty component")? ^= 1;
    carol.write("changed.wasm", bytes)?;
    let line = format!("our-warg verify changed.wasm --package {}", package(lab, first));
    lab.run(&carol, &line)?.fails(&["no release of"])?;

    let releases = format!("{} releases", components.len());
    lab.run(&carol, "our-warg verify --all --contents")?.succeeds()?.says(&releases)?;
    let watched = lab.run(&carol, "our-warg monitor --once")?.succeeds()?;
    watched.says(&releases)?.says("all valid and in place")?;
    Ok(())
}
