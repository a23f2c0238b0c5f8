//! `wargate health`: whether a registry on this machine can serve, for whoever watches a container.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::StatusCode;

use crate::args::{CommonOptions, ServeOptions};
use crate::config::listen_of;
use crate::output;

/// How long the registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The command. Its exit code is 1 if the registry cannot serve.
pub(crate) fn run(common: &CommonOptions, options: &ServeOptions) -> Result<ExitCode> {
    let mut at = listen_of(common, options)?;
    if at.ip().is_unspecified() {
        at.set_ip(match at {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(async {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            // It is asked by its address, which no certificate is for, and is told nothing.
            .tls_danger_accept_invalid_certs(true)
            .build()?;
        let ask = async |scheme: &str| {
            let response = client.get(format!("{scheme}://{at}/readyz")).send().await;
            let response = response.with_context(|| format!("no registry answers on {at}"))?;
            anyhow::Ok(response.status())
        };
        match ask("http").await? {
            // What a registry with TLS says to who comes without.
            StatusCode::BAD_REQUEST => ask("https").await,
            status => Ok(status),
        }
    })?;
    output::line(if status.is_success() { "ready" } else { "not ready" })?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
