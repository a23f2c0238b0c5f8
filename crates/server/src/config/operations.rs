//! How the process is watched, and how it speaks to the network.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::FromFile;
use crate::args::OperationsOptions;
use crate::telemetry::traces::TraceSettings;
use crate::tls::PairFiles;

/// Which part of the traces is kept if nobody says otherwise: all.
const SAMPLE_RATIO: f64 = 1.0;

/// How the process is watched, and how it speaks to the network.
#[derive(Debug)]
pub(crate) struct Operations {
    /// Where metrics are shown; `None` shows them only where the registry serves this machine alone.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// `None` speaks plain HTTP.
    pub(crate) tls: Option<PairFiles>,
    /// `None` collects no traces.
    pub(crate) traces: Option<TraceSettings>,
}

impl Operations {
    pub(super) fn new(flags: &OperationsOptions, file: &FromFile) -> Result<Self> {
        let certificate = flags.tls_certificate.clone().or(file.tls_certificate.clone());
        let key = flags.tls_key.clone().or(file.tls_key.clone());
        Ok(Self {
            metrics_listen: flags.metrics_listen.or(file.metrics_listen),
            tls: pair(certificate, key)?,
            traces: traces(flags, file)?,
        })
    }
}

fn pair(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<PairFiles>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(PairFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            bail!("there is a certificate for TLS, but no key\nhint: add --tls-key FILE")
        }
        (None, Some(_)) => {
            bail!("there is a key for TLS, but no certificate\nhint: add --tls-certificate FILE")
        }
    }
}

fn traces(flags: &OperationsOptions, file: &FromFile) -> Result<Option<TraceSettings>> {
    // The variable that all programs with traces know comes last, as it is for all of them.
    let general = || std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok();
    let endpoint = flags.otlp_endpoint.clone().or(file.otlp_endpoint.clone()).or_else(general);
    let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else { return Ok(None) };
    // The URL may hold a secret, so it is in no message.
    if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        bail!(
            "the collector of traces has a URL with http:// or https://\nhint: \
                 --otlp-endpoint http://127.0.0.1:4318"
        );
    }
    let ratio = flags.otlp_sample_ratio.or(file.otlp_sample_ratio).unwrap_or(SAMPLE_RATIO);
    if !(0.0..=1.0).contains(&ratio) {
        bail!(
            "{ratio} is no part of the traces\nhint: --otlp-sample-ratio takes a number from 0 to 1"
        );
    }
    Ok(Some(TraceSettings { endpoint, ratio }))
}
