//! `wargate operator usage`: who uses how much, and how much they may.

use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use wargate_console::Table;
use wargate_registry::Registry;
use wargate_registry::usage::{Quota, Subject, Usage};

use crate::output;

/// Most rows of a report.
const ROWS_MAX: usize = 100_000;

/// Rows that are read at once.
const PAGE: usize = 1000;

/// Who uses how much.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageReport {
    rows: Vec<Row>,
    /// Whether there are more than are listed.
    more: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// `namespace` or `key`.
    kind: String,
    name: String,
    packages: Used,
    releases: Used,
    bytes: Used,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    used: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<u64>,
}

impl UsageReport {
    /// What the registry has counted.
    pub(crate) async fn of(registry: &Arc<Registry>) -> Result<Self> {
        let reader = Arc::clone(registry);
        registry.offload(move || Self::read(&reader)).await
    }

    fn read(registry: &Registry) -> Result<Self> {
        let (mut report, mut after) = (Self::default(), None);
        loop {
            let page = registry.usages(after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(report) };
            after = Some(last.clone());
            if report.rows.len() >= ROWS_MAX {
                report.more = true;
                return Ok(report);
            }
            let rows = page.iter().map(|(who, used)| row(who, *used, registry.quotas().of(who)));
            report.rows.extend(rows);
        }
    }

    /// A table for people.
    pub(crate) fn print(&self) -> Result<()> {
        let mut table = Table::new(["KIND", "NAME", "PACKAGES", "RELEASES", "BYTES"]);
        for Row { kind, name, packages, releases, bytes } in &self.rows {
            let shown = |used: &Used| match used.quota {
                Some(quota) => format!("{} of {quota}", used.used),
                None => used.used.to_string(),
            };
            let numbers = [packages, releases, bytes].map(shown);
            let [packages, releases, bytes] = numbers;
            table.row([kind.clone(), name.clone(), packages, releases, bytes]);
        }
        output::write(table)?;
        if self.more {
            output::line("There are more.")?;
        }
        Ok(())
    }
}

fn row(who: &Subject, used: Usage, quota: Quota) -> Row {
    let both = |used, quota| Used { used, quota };
    Row {
        kind: who.kind().to_owned(),
        name: who.name().to_owned(),
        packages: both(used.packages, quota.packages),
        releases: both(used.releases, quota.releases),
        bytes: both(used.bytes, quota.bytes),
    }
}
