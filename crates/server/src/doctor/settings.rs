//! The configuration, beyond what makes it impossible.

use super::Findings;
use super::subject::Subject;

const CHECK: &str = "configuration";

pub(super) fn check(subject: &Subject, findings: &mut Findings) {
    // What makes it impossible was told when it was read.
    let Some(config) = &subject.config else { return };
    let mut is_well = true;
    let mut warn = |found: String, mend: &str| {
        is_well = false;
        findings.warn(CHECK, found, mend);
    };
    if !config.alone && config.authorized_keys.is_none() {
        warn(
            "others can reach the registry, and every key may publish".into(),
            "name those who may with --authorized-keys-file",
        );
    }
    if let Some(url) = &config.public_url {
        let is_https = url.as_str().starts_with("https:");
        if config.operations.tls.is_some() && !is_https {
            warn(
                format!("the registry speaks TLS, and its public URL is {}", url.as_str()),
                "begin --public-url with https://",
            );
        }
        if config.operations.tls.is_none() && is_https && !config.loopback {
            warn(
                format!(
                    "the public URL is {}, and {} speaks plain HTTP to the network",
                    url.as_str(),
                    config.listen
                ),
                "give a --tls-certificate and a --tls-key, or listen on 127.0.0.1 behind the proxy \
                 that speaks TLS",
            );
        }
        if !config.alone && !is_https {
            warn(
                format!("the public URL {} is without TLS", url.as_str()),
                "what clients verify is safe without; tokens and what somebody reads are not: give a \
                 --tls-certificate and a --tls-key",
            );
        }
    }
    if let Some(metrics) = config.operations.metrics_listen {
        if !metrics.ip().is_loopback() && !metrics.ip().is_unspecified() {
            findings.ok("metrics", format!("shown on {metrics}"));
        } else if metrics.ip().is_unspecified() {
            warn(
                format!("the metrics are shown to every network on {metrics}"),
                "name the one address that Prometheus reaches with --metrics-listen",
            );
        }
    }
    if is_well {
        findings.ok(CHECK, "complete, and nothing contradicts itself");
    }
}
