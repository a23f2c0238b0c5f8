//! A table of two columns: what is measured, and what it stands beside.

use std::fmt::Write as _;

use serde::Serialize;

/// What was measured in one run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// What is measured.
    pub subject: String,
    /// What it stands beside.
    pub base: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row: of the subject, of the base, and what is allowed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What was measured, with its unit.
    pub name: String,
    /// The subject.
    pub subject: f64,
    /// The base, if the row has one.
    pub base: Option<f64>,
    /// What the row must keep.
    pub limit: Limit,
}

/// What a row must keep.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Limit {
    /// The subject has at most so many times as much as the base.
    Ratio(f64),
    /// Likewise, or so much more.
    RatioOrMore(f64, f64),
    /// The subject has at least so many times as much as the base.
    AtLeast(f64),
    /// The subject has less than the base.
    Less,
    /// Nothing: it is told, not judged.
    Told,
    /// Neither has more than so much.
    Most(f64),
}

impl Row {
    /// The subject divided by the base.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.subject / self.base?)
    }

    /// Whether the limit is kept.
    pub fn holds(&self) -> bool {
        let is_within = |most: f64| self.ratio().is_some_and(|ratio| ratio <= most);
        match self.limit {
            Limit::Ratio(most) => is_within(most),
            Limit::RatioOrMore(most, more) => {
                is_within(most) || self.base.is_some_and(|base| self.subject - base <= more)
            }
            Limit::AtLeast(least) => self.ratio().is_some_and(|ratio| ratio >= least),
            Limit::Told => true,
            Limit::Less => self.base.is_some_and(|base| self.subject < base),
            Limit::Most(most) => self.subject <= most && self.base.is_none_or(|base| base <= most),
        }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(subject: impl Into<String>, base: impl Into<String>) -> Self {
        Self { subject: subject.into(), base: base.into(), rows: Vec::new() }
    }

    /// Adds a row of both.
    pub fn beside(&mut self, name: impl Into<String>, subject: f64, base: f64, limit: Limit) {
        self.rows.push(Row { name: name.into(), subject, base: Some(base), limit });
    }

    /// Adds a row that stands beside a figure.
    pub fn within(&mut self, name: impl Into<String>, subject: f64, most: f64) {
        self.rows.push(Row { name: name.into(), subject, base: None, limit: Limit::Most(most) });
    }

    /// How many rows are beyond their limit.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|row| !row.holds()).count()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
        let column = |text: &str| text.chars().count().max(9);
        let (first, second) = (column(&self.subject), column(&self.base));
        let (subject, base) = (&self.subject, &self.base);
        writeln!(f, "{:width$}  {subject:>first$}  {base:>second$}   ratio  at most", "")?;
        for row in &self.rows {
            let mut line = format!("{:width$}  {:>first$.1}", row.name, row.subject);
            match row.base {
                Some(base) => write!(line, "  {base:>second$.1}")?,
                None => write!(line, "  {:>second$}", "")?,
            }
            match row.ratio() {
                Some(ratio) => write!(line, "  {ratio:>6.2}")?,
                None => write!(line, "  {:>6}", "")?,
            }
            let verdict = if row.holds() { "" } else { "  BEYOND" };
            writeln!(f, "{line}  {}{verdict}", row.limit)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ratio(most) => write!(f, "ratio {most:.2}"),
            Self::RatioOrMore(most, more) => write!(f, "ratio {most:.2}, or {more} more"),
            Self::AtLeast(least) => write!(f, "ratio {least:.2} at least"),
            Self::Less => f.write_str("less"),
            Self::Told => f.write_str("told"),
            Self::Most(most) => write!(f, "{most}"),
        }
    }
}

/// The middle of values, or of none, no number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
