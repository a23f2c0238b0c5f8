//! `wargate`: so far it verifies what a registry answered; the registry itself comes next.
//!
//! Without an argument it verifies the sample registry of the golden vectors, as any client or auditor
//! would from the registry's answers alone.

#![expect(clippy::print_stdout, reason = "a command line program speaks to a person")]

use anyhow::{Context, Result, bail};
use wargate_protocol::verify::{TrustAnchor, Verified, transcript};
use wargate_protocol::{LogId, NamespaceState, PackageName, ReleaseState};

const SAMPLE: &[u8] = include_bytes!("../../../testdata/sample-transcript.json");

/// The sample's packages: a log does not tell the name that its id was made of.
const SAMPLE_PACKAGES: [&str; 2] = ["test:one", "test:two"];

fn main() -> Result<()> {
    if std::env::args().len() > 1 {
        bail!("wargate takes no arguments yet; run it without any to verify the sample registry");
    }
    let anchor = TrustAnchor::default();
    let verified =
        transcript(SAMPLE, &anchor).context("the sample registry is not as it should be")?;
    println!(
        "Wargate cannot serve a registry yet. What works is its verified core; here it checks"
    );
    println!(
        "every signature, record and proof of a small registry from the registry's answers:\n"
    );
    print(&verified)
}

fn print(verified: &Verified) -> Result<()> {
    let checkpoint =
        verified.checkpoint().context("a verified registry has a checkpoint")?.contents;
    let operator = verified.operator().context("a verified registry has an operator log")?;
    let key = verified.operator_key().context("a verified registry has an operator key")?;
    println!("  operator key  {key}  (trusted on first use)");
    println!(
        "  checkpoint    {} records, signed at second {}",
        checkpoint.checkpoint.log_length, checkpoint.timestamp_seconds
    );
    println!("  log root      {}", checkpoint.checkpoint.log_root);
    println!("  map root      {}", checkpoint.checkpoint.map_root);
    for (namespace, state) in operator.state().items() {
        match state {
            NamespaceState::Defined => println!("  namespace     {namespace}"),
            NamespaceState::Imported { registry } => {
                println!("  namespace     {namespace}, imported from {registry}");
            }
        }
    }
    for name in SAMPLE_PACKAGES {
        let name: PackageName = name.parse()?;
        let package = verified.package(&LogId::package(&name)).context("a package is missing")?;
        for release in package.state().releases() {
            let version = &release.version;
            match &release.state {
                ReleaseState::Released { content } => println!("  {name}@{version}  {content}"),
                ReleaseState::Yanked { .. } => println!("  {name}@{version}  yanked"),
            }
        }
    }
    println!("\nAll of it verifies.");
    Ok(())
}
