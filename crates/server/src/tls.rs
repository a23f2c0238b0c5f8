//! TLS: the certificate and its key, and their replacement while the registry runs.

mod pair;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) use self::pair::PairFiles;
use self::pair::{Pair, Refresh};
use crate::metrics::Metrics;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The first byte of a TLS handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Most bytes of a plain request that are read before the connection is closed, so that the answer
/// is not lost.
const PLAIN_BYTES_MAX: u64 = 64 << 10;

/// To who speaks plain HTTP here. Nothing of the request is repeated.
const NOT_TLS: &str =
    "{\"status\":400,\"message\":\"this port speaks HTTPS: use an https:// URL\"}";

/// The registry's side of TLS.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    pair: Arc<Pair>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The client spoke plain HTTP, and was told.
    NotTls,
    /// The client said nothing.
    Gone,
    Failed(io::Error),
}

impl Tls {
    /// Loads the certificate and its key.
    pub(crate) fn new(files: PairFiles, metrics: &Metrics) -> Result<Self> {
        let pair = Arc::new(Pair::load(files)?);
        metrics.certificate_end.set(pair.end_seconds());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?;
        let resolver = Arc::clone(&pair);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), pair })
    }

    /// Shakes hands. The caller watches the time.
    pub(crate) async fn accept(
        &self,
        mut stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(0) => return Err(HandshakeError::Gone),
            Ok(_) if first == [HANDSHAKE] => {}
            Ok(_) => {
                // Whether it arrives makes no difference to us.
                let _ = refuse(&mut stream).await;
                return Err(HandshakeError::NotTls);
            }
            Err(error) => return Err(HandshakeError::Failed(error)),
        }
        self.acceptor.accept(stream).await.map_err(HandshakeError::Failed)
    }

    /// Looks at the files from time to time, and whenever `asked` changes, until `stop`.
    pub(crate) async fn tend(
        self: Arc<Self>,
        metrics: Arc<Metrics>,
        mut asked: watch::Receiver<u64>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_listening = true;
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                changed = asked.changed(), if is_listening => {
                    is_listening = changed.is_ok();
                    is_listening
                }
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let pair = Arc::clone(&self.pair);
            let looked = tokio::task::spawn_blocking(move || pair.refresh(is_asked)).await;
            match looked {
                Ok(Refresh::Same) | Err(_) => {}
                Ok(Refresh::Replaced) => {
                    metrics.reloaded(true);
                    metrics.certificate_end.set(self.pair.end_seconds());
                    tracing::info!("a new certificate is in use");
                }
                Ok(Refresh::Kept(error)) => {
                    metrics.reloaded(false);
                    tracing::error!(
                        error = %format!("{error:#}"),
                        "the new certificate cannot be used; the one before stays in use"
                    );
                }
            }
        }
    }
}

/// Says that this is no place for plain HTTP.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        NOT_TLS.len()
    );
    stream.write_all(format!("{head}{NOT_TLS}").as_bytes()).await?;
    stream.shutdown().await?;
    // A connection that is closed with something unread takes what was written with it.
    tokio::io::copy(&mut stream.take(PLAIN_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}
