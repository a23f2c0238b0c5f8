//! `/metrics`: where it is, what it shows, and that nobody else writes into it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::exchange::{ask, get, raw};
use crate::program::{Folder, Server, wargate};

/// The value of a series, named as it stands there.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

fn alone(folder: &Folder) -> Server {
    let mut command = wargate(folder);
    command.args(["--listen", "127.0.0.1:0"]);
    Server::start(&mut command)
}

#[test]
fn a_registry_for_this_machine_shows_its_metrics_and_counts_what_happens() {
    let folder = Folder::new("metrics");
    let server = alone(&folder);
    let address = server.said("listening on").to_owned();
    for _ in 0..3 {
        get(&address, "/v1/fetch/checkpoint");
    }
    get(&address, "/nowhere/at/all");
    ask(&address, "POST", "/v1/fetch/logs", "", "{}");
    let shown = get(&address, "/metrics");
    assert_eq!(shown.status, 200);
    let kind = shown.header("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = &shown.body;
    assert!(text.ends_with("# EOF\n"));
    let requests = |labels: &str| value(text, &format!("wargate_http_requests_total{{{labels}}}"));
    let route = "route=\"/v1/fetch/checkpoint\",method=\"GET\",status=\"2xx\"";
    assert_eq!(requests(route), Some(3.0), "{text}");
    assert_eq!(requests("route=\"none\",method=\"GET\",status=\"4xx\""), Some(1.0));
    let logs = "route=\"/v1/fetch/logs\",method=\"POST\"";
    let count = value(text, &format!("wargate_http_request_duration_seconds_count{{{logs}}}"));
    assert_eq!(count, Some(1.0));
    for (series, expected) in [
        ("wargate_records_published_total", 1.0),
        ("wargate_log_length", 1.0),
        ("wargate_records_pending{state=\"sourcing\"}", 0.0),
        ("wargate_store_errors_total{reason=\"unavailable\"}", 0.0),
        ("wargate_http_received_bytes_total", 2.0),
        ("wargate_http_requests_in_flight", 1.0),
        ("wargate_connections_max", 1024.0),
        ("wargate_tls_certificate_end_timestamp_seconds", 0.0),
    ] {
        assert_eq!(value(text, series), Some(expected), "{series}: {text}");
    }
    for positive in [
        "wargate_disk_free_bytes",
        "wargate_disk_size_bytes",
        "wargate_database_bytes",
        "wargate_checkpoint_timestamp_seconds",
        "wargate_commit_duration_seconds_count",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
        "process_start_time_seconds",
        "wargate_connections_accepted_total",
    ] {
        assert!(value(text, positive).unwrap() > 0.0, "{positive}: {text}");
    }
    // A web page that has its name point to this machine sees nothing.
    let stranger = raw(&address, b"GET /metrics HTTP/1.0\r\nhost: evil.example\r\n\r\n").unwrap();
    assert_eq!(stranger.status, 421);
    assert!(!stranger.body.contains("wargate_"));
}

#[test]
fn a_registry_for_others_shows_them_only_where_it_is_told_to() {
    let folder = Folder::new("metrics-listen");
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0", "--public-url", "https://r.example"]);
    command.args(["--allow-any-key", "--metrics-listen", "127.0.0.1:0"]);
    let server = Server::start(&mut command);
    assert_eq!(get(server.said("listening on"), "/metrics").status, 404);
    let url = server.said("metrics").to_owned();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    let shown = get(address, "/metrics");
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("route=\"none\""), "{}", shown.body);
    // Nothing else is there, and what is asked here is not counted.
    assert_eq!(get(address, "/v1/fetch/checkpoint").status, 404);
    let again = get(address, "/metrics").body;
    assert!(!again.contains("/metrics") && !again.contains("checkpoint\""), "{again}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_clients_choose_makes_no_series() {
    let folder = Folder::new("cardinality");
    let server = alone(&folder);
    let address = server.said("listening on").to_owned();
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let send = |number: usize| {
        let digest = format!("sha256:{number:064x}");
        ask(&address, "GET", &format!("/v1/content/{digest}"), "", "");
        ask(
            &address,
            "GET",
            &format!("/evil{number}"),
            &format!("x-request-id: e{number}\r\n"),
            "",
        );
        ask(&address, &format!("EVIL{number}"), "/healthz", "", "");
        let record = format!("/v1/package/{digest}/record/{digest}");
        ask(&address, "GET", &record, &format!("user-agent: evil{number}\r\n"), "");
    };
    send(0);
    let before = series(&get(&address, "/metrics").body);
    (1..40).for_each(send);
    let text = get(&address, "/metrics").body;
    // `/metrics` itself appears after its first answer: a status, a size, a histogram.
    assert!(series(&text) <= before + 25, "{before}: {text}");
    assert!(!text.to_lowercase().contains("evil") && !text.contains("sha256"), "{text}");
}

/// The names of metrics in the expressions of a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| word.starts_with("wargate_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dashboard_and_alerts_use_what_a_running_server_exports() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let dashboard = std::fs::read_to_string(deploy.join("grafana/wargate.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut used: BTreeSet<String> =
        targets.flat_map(|target| names(target["expr"].as_str().unwrap())).collect();
    assert!(used.len() > 20, "{used:?}");
    let rules = std::fs::read_to_string(deploy.join("prometheus/wargate.rules.yml")).unwrap();
    let rules = rules.lines().filter(|line| line.trim_start().starts_with("expr:"));
    used.extend(rules.flat_map(names));
    let folder = Folder::new("dashboard");
    let server = alone(&folder);
    let address = server.said("listening on").to_owned();
    get(&address, "/healthz");
    let text = get(&address, "/metrics").body;
    let series: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    for name in &used {
        assert!(series.contains(name.as_str()), "nobody exports {name}: {series:?}");
    }
}
