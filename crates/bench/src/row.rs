//! Rows of the table: measured by criterion in alternating rounds, so that a machine that speeds up
//! or slows down does so for both sides.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use criterion::Criterion;
use serde::{Deserialize, Serialize};

use crate::comparison::median;

/// Rounds of a row. Its ratio is the median of theirs.
const ROUNDS: usize = 5;

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Median time of ours, in nanoseconds.
    pub ours_ns: f64,
    /// What the limit is.
    pub limit: String,
    /// The limit in nanoseconds.
    pub limit_ns: f64,
    /// Ours divided by the limit; median over the rounds.
    pub ratio: f64,
    /// The most that the ratio may be.
    pub ratio_max: f64,
}

impl Row {
    /// Whether the row is within its limit.
    pub fn holds(&self) -> bool {
        self.ratio <= self.ratio_max
    }
}

/// Measures rows and keeps them.
pub struct Table {
    criterion: Criterion,
    folder: PathBuf,
    rows: Vec<Row>,
}

impl Table {
    /// A table whose measurements go to a folder.
    pub fn new(criterion: Criterion, folder: &Path) -> Self {
        Self {
            criterion: criterion.output_directory(folder),
            folder: folder.into(),
            rows: Vec::new(),
        }
    }

    /// Measures ours against the raw work of a limit, which takes `limit_times` of `limit`.
    ///
    /// # Errors
    /// If a measurement cannot be read.
    pub fn against<A, B>(
        &mut self,
        name: &str,
        ratio_max: f64,
        mut ours: impl FnMut() -> A,
        limit_name: &str,
        limit_times: f64,
        mut limit: impl FnMut() -> B,
    ) -> Result<()> {
        let (mut times, mut limits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let limit_ns = limit_times * self.measure(name, "limit", round, &mut limit)?;
            let ours_ns = self.measure(name, "ours", round, &mut ours)?;
            times.push(ours_ns);
            limits.push(limit_ns);
            ratios.push(ours_ns / limit_ns);
        }
        self.rows.push(Row {
            name: name.into(),
            ours_ns: median(times),
            limit: limit_name.into(),
            limit_ns: median(limits),
            ratio: median(ratios),
            ratio_max,
        });
        Ok(())
    }

    /// Measures ours against a figure in nanoseconds. Returns the median time.
    ///
    /// # Errors
    /// If a measurement cannot be read.
    pub fn within<A>(
        &mut self,
        name: &str,
        limit_ns: f64,
        mut ours: impl FnMut() -> A,
    ) -> Result<f64> {
        let rounds = (0..ROUNDS).map(|round| self.measure(name, "ours", round, &mut ours));
        let ours_ns = median(rounds.collect::<Result<_>>()?);
        self.compare(name, ours_ns, "a fixed figure", limit_ns, 1.0);
        Ok(ours_ns)
    }

    /// Adds a row of times that were measured for other rows.
    pub fn compare(
        &mut self,
        name: &str,
        ours_ns: f64,
        limit: &str,
        limit_ns: f64,
        ratio_max: f64,
    ) {
        let ratio = ours_ns / limit_ns;
        let (name, limit) = (name.into(), limit.into());
        self.rows.push(Row { name, ours_ns, limit, limit_ns, ratio, ratio_max });
    }

    /// The last row.
    pub fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    /// Writes the rows as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.rows)?;
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    }

    fn measure<T>(
        &mut self,
        name: &str,
        side: &str,
        round: usize,
        routine: &mut impl FnMut() -> T,
    ) -> Result<f64> {
        let id = format!("{side} {round}");
        let mut group = self.criterion.benchmark_group(name);
        group.bench_function(&id, |bencher| bencher.iter(&mut *routine));
        group.finish();
        estimate(&self.folder.join(folder_name(name)).join(folder_name(&id)))
    }
}

/// The median that criterion found, in nanoseconds.
fn estimate(folder: &Path) -> Result<f64> {
    #[derive(Deserialize)]
    struct Estimates {
        median: Estimate,
    }
    #[derive(Deserialize)]
    struct Estimate {
        point_estimate: f64,
    }
    let path = folder.join("new/estimates.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("criterion left no {}", path.display()))?;
    let estimates: Estimates = serde_json::from_str(&text)?;
    Ok(estimates.median.point_estimate)
}

/// How criterion names the folder of an id: some characters cannot stand in file names.
fn folder_name(id: &str) -> String {
    id.replace(['?', '"', '/', '\\', '*', '<', '>', ':', '|', '^'], "_")
}
