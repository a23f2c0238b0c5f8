//! Files that others published in packages of crates.io, npm and PyPI.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::archives::Foreign;
use crate::fixtures::{ALICE, BOB};
use crate::lab::{Lab, Ran, Warg};
use crate::machine::Machine;

/// How many components there must be at least. Archives come from elsewhere, and may be missing.
const COMPONENTS_MIN: usize = 12;

/// Each file is looked at, published, fetched by somebody else, looked at as a release, and compared with
/// itself and with its neighbours.
pub(super) fn travel(lab: &mut Lab) -> Result<()> {
    let mut files = lab.foreign()?;
    // Releases of one package become neighbours, and stay in their order.
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let components = files.iter().filter(|file| file.kind == "component").count();
    ensure!(components >= COMPONENTS_MIN, "only {components} components could be had");
    let alice = lab.person_with(Warg::Ours, ALICE, ALICE.name)?;
    for file in &files {
        alice.write(&file.path(), &file.bytes)?;
        look(lab, &alice, file)?;
        let Foreign { name, release, .. } = file;
        let flags = format!("--name test:{name} --release {release}");
        lab.run(&alice, &format!("our-warg publish {} {flags}", file.path()))?.succeeds()?;
    }
    let bob = lab.person_with(Warg::Ours, BOB, BOB.name)?;
    for file in &files {
        fetch(lab, &bob, file)?;
    }
    for pair in files.windows(2) {
        let [before, after] = pair else { continue };
        compare(lab, &bob, &before.package(), &after.package())?;
    }
    Ok(())
}

impl Foreign {
    fn path(&self) -> String {
        format!("{}-{}.wasm", self.name, self.release)
    }

    /// Its name as a release.
    fn package(&self) -> String {
        format!("test:{}@{}", self.name, self.release)
    }
}

/// What the file says, and that `wac` reads in our WIT what it reads in the file.
fn look(lab: &mut Lab, alice: &Machine, file: &Foreign) -> Result<()> {
    let path = file.path();
    let ran = lab.run(alice, &format!("our-warg inspect {path} --json"))?.succeeds()?;
    check_inspection(&ran, file)?;
    lab.run(alice, &format!("our-warg inspect {path}"))?.succeeds()?;
    let said = lab.run(alice, &format!("our-warg wit {path}"))?;
    let folder = format!("wit/{}-{}", file.name, file.release);
    let written = lab.run(alice, &format!("our-warg wit {path} -o {folder}"))?;
    // Core modules need not say which world they are for.
    if file.kind == "component" || said.is_success() {
        said.succeeds()?.says("package ")?;
        written.succeeds()?;
        // It knows worlds of components only.
        if file.kind == "component" {
            lab.run(alice, &format!("wac targets {path} --wit {folder}"))?.succeeds()?;
        }
    } else {
        said.fails(&["core module"])?;
        written.fails(&["core module"])?;
    }
    Ok(())
}

/// The same bytes come back, and what is said of the release is what is said of the file.
fn fetch(lab: &mut Lab, bob: &Machine, file: &Foreign) -> Result<()> {
    let (path, package) = (file.path(), file.package());
    lab.run(bob, &format!("our-warg get {package} --output {path}"))?.succeeds()?;
    ensure!(bob.read(&path)? == file.bytes, "other bytes came back for {package}");
    let ran = lab.run(bob, &format!("our-warg inspect {package} --json"))?.succeeds()?;
    check_inspection(&ran, file)?;
    let changes = compare(lab, bob, &path, &package)?;
    ensure!(changes == 0, "{package} differs from its own file in {changes} ways");
    Ok(())
}

/// Compares in both directions; how many changes there are.
fn compare(lab: &mut Lab, bob: &Machine, before: &str, after: &str) -> Result<usize> {
    let there = compare_once(lab, bob, before, after)?;
    let back = compare_once(lab, bob, after, before)?;
    // What was added in one direction was removed in the other.
    ensure!((there == 0) == (back == 0), "{before} to {after}: {there} changes, and {back} back");
    Ok(there)
}

fn compare_once(lab: &mut Lab, bob: &Machine, before: &str, after: &str) -> Result<usize> {
    let ran = lab.run(bob, &format!("our-warg diff {before} {after} --json"))?.succeeds()?;
    let json = document(&ran)?;
    let changes = json["changes"].as_array().context("no changes")?.len();
    let says = |name: &str| json[name].as_bool().with_context(|| format!("says not if {name}"));
    let (is_same, fits, is_fine) = (says("identical")?, says("compatible")?, says("fine")?);
    ensure!(!is_same || changes == 0 && fits, "{before} and {after} are the same: {json}");
    let step = json["step"].as_str().context("no step")?;
    ensure!((step == "major") != fits, "{before} to {after}: {step}, compatible: {fits}");
    let checked = lab.run(bob, &format!("our-warg diff {before} {after} --check"))?;
    if checked.is_success() == is_fine { Ok(changes) } else { checked.bail("is of two minds") }
}

fn check_inspection(ran: &Ran, file: &Foreign) -> Result<()> {
    let json = document(ran)?;
    let (kind, bytes) = (json["kind"].as_str(), json["anatomy"]["bytes"].as_u64());
    ensure!(kind == Some(&file.kind), "{} is called {kind:?}", file.path());
    ensure!(bytes == Some(file.bytes.len() as u64), "{} has {bytes:?} bytes", file.path());
    Ok(())
}

/// The document that a command printed, which may have said other things to people.
fn document(ran: &Ran) -> Result<Value> {
    let text = ran.text();
    let (Some(begin), Some(end)) = (text.find('{'), text.rfind('}')) else {
        return ran.bail("printed no document");
    };
    serde_json::from_str(text.get(begin..=end).unwrap_or_default())
        .or_else(|error| ran.bail(&format!("printed no document: {error}")))
}
