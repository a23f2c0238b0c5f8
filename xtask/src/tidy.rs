//! `cargo xtask tidy`: the rules of this house that a program can check.
//!
//! A rule looks at the files of the tree or at the dependency graph and returns findings. What is
//! exempt stands in [`exceptions`], with a reason; an exception that exempts nothing is a finding.

mod banned;
mod budgets;
mod exceptions;
mod layers;
mod scanner;
mod shape;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Metadata;

/// The root of the tree has no line to point at.
const WHOLE_FILE: usize = 1;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Relative to the root of the tree, with `/` on every system.
    path: String,
    /// From 1.
    line: usize,
    rule: &'static str,
    /// What to do about it.
    advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, advice } = self;
        write!(f, "{path}:{line}: {rule}: {advice}")
    }
}

/// The command.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let files = tree::read()?;
    let metadata = Metadata::read()?;

    let mut findings = Vec::new();
    for file in &files {
        text::check(file, &mut findings);
        if let Some(source) = file.rust() {
            shape::check(file, &source, &mut findings);
            banned::check(file, &source, &mut findings);
        }
    }
    layers::check(&metadata, &mut findings);
    budgets::check(&metadata, &mut findings)?;

    let mut findings = exceptions::apply(findings, exceptions::EXCEPTIONS);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy has {}", summary(&findings));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// Such as `3 findings (1 layers, 2 module-docs)`.
fn summary(findings: &[Finding]) -> String {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *rules.entry(finding.rule).or_default() += 1;
    }
    let rules: Vec<_> = rules.iter().map(|(rule, count)| format!("{count} {rule}")).collect();
    format!("{} findings ({})", findings.len(), rules.join(", "))
}
