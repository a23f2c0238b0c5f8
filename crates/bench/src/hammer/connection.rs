//! One connection that is kept, with one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

/// What a body says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON.
    Json,
    /// Content.
    Bytes,
}

/// A connection to a server by HTTP/1.1. One that broke is opened again by the next request.
pub struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Self { address, host, sender: connect(address).await? })
    }

    /// Fetches JSON.
    ///
    /// # Errors
    /// If the connection fails, or the answer is an error or something else.
    pub async fn fetch<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        let answer = self.send(Method::GET, path, None).await?;
        read(StatusCode::OK, &answer)
    }

    /// Posts JSON and reads JSON.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn ask<T: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<T> {
        let body = Bytes::from(serde_json::to_vec(question)?);
        self.post(path, Kind::Json, body, StatusCode::OK).await
    }

    /// Posts a body and reads JSON.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        kind: Kind,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<T> {
        let answer = self.send(Method::POST, path, Some((kind, body))).await?;
        read(expected, &answer)
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(Kind, Bytes)>,
    ) -> Result<(StatusCode, Bytes)> {
        let response = self.begin(method, path, body).await?;
        let status = response.status();
        let body = response.into_body().collect().await.context("an answer broke off")?;
        Ok((status, body.to_bytes()))
    }

    /// Sends a request and waits for the whole answer, of which only the size is kept.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn measure(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(Kind, Bytes)>,
    ) -> Result<(StatusCode, usize)> {
        let response = self.begin(method, path, body).await?;
        let status = response.status();
        let (mut body, mut bytes) = (response.into_body(), 0);
        while let Some(frame) = body.frame().await {
            bytes += frame.context("an answer broke off")?.data_ref().map_or(0, Bytes::len);
        }
        Ok((status, bytes))
    }

    async fn begin(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(Kind, Bytes)>,
    ) -> Result<Response<Incoming>> {
        if self.sender.is_closed() {
            self.sender = connect(self.address).await?;
        }
        let mut request = Request::builder().method(method).uri(format!("/{path}"));
        request = request.header(HOST, &self.host);
        let body = body.map(|(kind, body)| {
            let kind = match kind {
                Kind::Json => "application/json",
                Kind::Bytes => "application/octet-stream",
            };
            (HeaderValue::from_static(kind), body)
        });
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(body.map(|(_, body)| body).unwrap_or_default()))?;
        self.sender.ready().await.context("the connection was closed")?;
        self.sender.send_request(request).await.context("a request broke off")
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("nobody listens on {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // How it ends is seen by whoever sends.
    tokio::spawn(connection);
    Ok(sender)
}

fn read<T: DeserializeOwned>(expected: StatusCode, answer: &(StatusCode, Bytes)) -> Result<T> {
    let (status, body) = answer;
    if *status != expected {
        bail!("the server answered {status}: {}", String::from_utf8_lossy(body));
    }
    serde_json::from_slice(body).context("the answer has another form than expected")
}
