//! The table, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::measure::{Outcome, Unit};
use crate::sizes::{REFERENCE, ROUNDS, WAC};

/// The table as text.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or(0);
    let mut text = format!(
        "{:<width$}  {:>11}  {:>11}  {:>8}  {:>15}\n",
        "", "ours", "theirs", "ratio", "(from - to)"
    );
    for outcome in outcomes {
        let Outcome { name, unit, ours, theirs, ratios, .. } = outcome;
        let (ours, theirs) = (quantity(*ours, *unit), quantity(*theirs, *unit));
        let (ratio, verdict) = (outcome.ratio(), outcome.verdict());
        let span = format!("({:.2} - {:.2})", ratios[0], ratios[ratios.len() - 1]);
        // A text cannot fail to be written to.
        let _ = writeln!(
            text,
            "{name:<width$}  {ours:>11}  {theirs:>11}  {ratio:>8.2}  {span:>15}  {verdict}"
        );
    }
    text.push_str("\nmedians; the ratio is theirs by ours. What the rows measure:\n");
    for Outcome { name, measures, .. } in outcomes {
        let _ = writeln!(text, "  {name}: {measures}");
    }
    text
}

/// The table as JSON.
pub(crate) fn json(outcomes: &[Outcome]) -> Value {
    let row = |outcome: &Outcome| {
        let unit = match outcome.unit {
            Unit::Nanoseconds => "ns",
            Unit::Bytes => "bytes",
        };
        json!({
            "name": outcome.name,
            "measures": outcome.measures,
            "unit": unit,
            "ours": outcome.ours,
            "theirs": outcome.theirs,
            "ratio": outcome.ratio(),
            "ratioMin": outcome.ratios[0],
            "ratioMax": outcome.ratios[outcome.ratios.len() - 1],
            "verdict": outcome.verdict(),
        })
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    json!({ "reference": REFERENCE, "wac": WAC, "rounds": ROUNDS, "rows": rows })
}

fn quantity(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes if value >= 1e6 => format!("{:.1} MB", value / 1e6),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Nanoseconds if value < 1e3 => format!("{value:.0} ns"),
        Unit::Nanoseconds if value < 1e6 => format!("{:.2} µs", value / 1e3),
        Unit::Nanoseconds => format!("{:.2} ms", value / 1e6),
    }
}
