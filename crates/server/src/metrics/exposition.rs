//! Showing the metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wargate_http::{AllowedHosts, Answered};

use super::{Metrics, Source};
use crate::listener::{self, Door};

/// Most connections at a time to the listener for metrics.
const CONNECTIONS_MAX: u32 = 32;

/// How long a client of metrics may do nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What OpenMetrics calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/metrics`.
#[derive(Clone)]
pub(crate) struct Exposition {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) source: Source,
    /// Under which names it may be asked.
    pub(crate) hosts: AllowedHosts,
}

impl Metrics {
    /// Everything as text. May block.
    pub(crate) fn text(&self, source: &Source) -> String {
        self.gauges.refresh(source);
        let mut text = String::with_capacity(16 << 10);
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn set_connections_max(&self, most: usize) {
        self.gauges.set_connections_max(most);
    }
}

impl Exposition {
    /// A router for `/metrics` alone.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self)
    }
}

async fn show(State(shown): State<Exposition>, headers: HeaderMap) -> Response {
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    if !shown.hosts.allow(host) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let registry = Arc::clone(&shown.source.registry);
    let text = registry.offload(move || shown.metrics.text(&shown.source)).await;
    let kind = [(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")];
    let mut response = (kind, text).into_response();
    response.extensions_mut().insert(Answered { route: "/metrics", writes: false });
    response
}

/// Shows the metrics on a listener of their own until `stop`. What is asked here is not counted.
pub(crate) fn listen(
    listener: TcpListener,
    exposition: Exposition,
    mut stop: watch::Receiver<bool>,
) -> Result<SocketAddr> {
    let address = listener.local_addr()?;
    let door = Door {
        listener,
        passed: true,
        router: exposition.router(),
        tls: None,
        metrics: Arc::new(Metrics::new()),
        traces: false,
        access_log: false,
        connections_max: CONNECTIONS_MAX,
        shutdown_grace: Duration::ZERO,
        patience: PATIENCE,
    };
    tokio::spawn(async move {
        listener::serve(door, async move {
            // If the sender is gone, the process ends.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await;
    });
    Ok(address)
}
