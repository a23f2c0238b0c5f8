//! Dependency budgets: how many foreign packages a crate may bring along.

use std::collections::HashSet;

use anyhow::Result;

use super::layers::{manifest, short};
use super::{Finding, WHOLE_FILE};
use crate::process;
use crate::workspace::Metadata;

/// The largest closure of each crate: what it needs to be built and to run on this machine, with
/// default features, without the crates of this workspace. Lower a number when the closure shrinks;
/// raise it only with a reason in the commit. Rows of crates that do not exist yet are the plan.
///
/// Of crypto's 62 packages, P-256 and Ed25519 in portable form bring some 50, mostly small ones of
/// one project (RustCrypto), and the fast native provider 11. The crates above add protobuf.
const BUDGETS: &[(&str, usize)] = &[
    ("crypto", 67),
    ("console", 0),
    ("transparency", 73),
    ("protocol", 77),
    ("api", 69),
    ("component", 68),
    ("registry", 120),
    ("http", 108),
    ("blobs", 230),
    ("client", 160),
    ("cli", 235),
    ("runner", 230),
    ("server", 360),
];

/// Prints the table, and finds what is above its budget.
///
/// `cargo tree` counts, and not the graph of `cargo metadata`, because that one has the features of
/// all crates of the workspace unified, which is not what a user of one crate gets.
pub(super) fn check(metadata: &Metadata, findings: &mut Vec<Finding>) -> Result<()> {
    let members: HashSet<&str> = metadata.members().map(|member| member.name.as_str()).collect();
    println!("{:<15} {:>12} {:>7}", "crate", "dependencies", "budget");
    for package in metadata.members() {
        let name = short(package);
        let Some((_, budget)) = BUDGETS.iter().find(|(row, _)| *row == name) else { continue };
        let flags = ["tree", "--edges=normal,build", "--prefix=none", "--no-dedupe", "--package"];
        let tree = process::output(process::cargo().args(flags).arg(&package.name))?;
        let current = foreign(&tree, &members);
        println!("{name:<15} {current:>12} {budget:>7}");
        if current > *budget {
            findings.push(Finding {
                path: manifest(package),
                line: WHOLE_FILE,
                rule: "dependency-budget",
                advice: format!(
                    "{current} dependencies, the budget is {budget}: drop one (`cargo tree -e \
                     normal,build -p {}`), or argue for more",
                    package.name
                ),
            });
        }
    }
    Ok(())
}

/// How many different packages the lines `name version …` name, apart from `members`.
fn foreign(tree: &str, members: &HashSet<&str>) -> usize {
    let packages: HashSet<_> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .filter(|(name, _)| !members.contains(name))
        .collect();
    packages.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_counts_once_and_members_do_not() {
        let tree = "wargate-a v0.1.0 (crates/a)\nsyn v2.0.1\nsyn v3.0.0\nserde_derive v1.0.0 \
                    (proc-macro)\nsyn v3.0.0\nwargate-b v0.1.0 (crates/b)\n\n";
        assert_eq!(foreign(tree, &HashSet::from(["wargate-a", "wargate-b"])), 3);
    }
}
