//! The list of all metrics, and the page that shows it.

use prometheus_client::encoding::EncodeMetric;
#[cfg(test)]
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

use super::ReasonLabel;

/// What can be said of a metric.
#[cfg(test)]
pub(super) struct Row {
    /// As it is exported.
    name: String,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

/// Metrics on their way into a registry.
#[derive(Default)]
pub(super) struct Catalogue {
    pub(super) registry: Registry,
    #[cfg(test)]
    rows: Vec<Row>,
}

impl Catalogue {
    /// A metric without labels.
    pub(super) fn plain<M: Metric + EncodeMetric + Clone>(
        &mut self,
        name: &str,
        help: &'static str,
        metric: M,
    ) -> M {
        self.family(name, &[], help, metric)
    }

    /// A counter for each of a few reasons, all of them there from the beginning.
    pub(super) fn reasons(
        &mut self,
        name: &str,
        help: &'static str,
        reasons: impl IntoIterator<Item = ReasonLabel>,
    ) -> Family<ReasonLabel, Counter> {
        let family: Family<_, Counter> = self.family(name, &["reason"], help, Family::default());
        for reason in reasons {
            drop(family.get_or_create(&reason));
        }
        family
    }

    /// A metric with labels.
    pub(super) fn family<M: Metric + EncodeMetric + Clone>(
        &mut self,
        name: &str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        #[cfg(test)]
        {
            let (kind, suffix) = match metric.metric_type() {
                MetricType::Counter => ("counter", "_total"),
                MetricType::Histogram => ("histogram", ""),
                _ => ("gauge", ""),
            };
            self.rows.push(Row { name: format!("{name}{suffix}"), kind, labels, help });
        }
        #[cfg(not(test))]
        let _ = labels;
        self.registry.register(name, help, metric.clone());
        metric
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::super::Metrics;
    use super::*;

    const BEGIN: &str = "<!-- Made of the program; a test compares it. -->\n";
    const END: &str = "<!-- End of what is made. -->";

    fn table() -> String {
        let mut all = Catalogue::default();
        let _ = Metrics::register(&mut all);
        let mut text = String::from("\n| metric | kind | labels | what |\n|---|---|---|---|\n");
        for Row { name, kind, labels, help } in all.rows {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
        }
        text.push('\n');
        text
    }

    #[test]
    fn the_page_of_all_metrics_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (found, after) = rest.split_once(END).unwrap();
        let table = table();
        if std::env::var_os("WARGATE_WRITE").is_some() {
            std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        } else {
            assert_eq!(found, table, "WARGATE_WRITE=1 writes docs/monitoring.md");
        }
    }
}
