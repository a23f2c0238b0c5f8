//! A proxy that passes every request on and writes down what was said.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::recording::{Body, Exchange, REQUEST_HEADERS, RESPONSE_HEADERS};

/// The longest body that is written down. No scenario that is recorded has a longer one.
const BODY_MAX: usize = 4 << 20;

/// A proxy that listens until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Ends all its tasks when it is dropped.
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    /// What paths begin with that go to the registry, which does not see it.
    prefix: String,
    target: Mutex<Option<SocketAddr>>,
    /// How many requests have come.
    requests: AtomicU64,
    /// By the number of the request; without those whose answer has not come.
    exchanges: Mutex<BTreeMap<u64, Raw>>,
}

/// An exchange as it went through.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    at: u64,
    method: String,
    path: String,
    request_headers: HeaderMap,
    request: Bytes,
    status: StatusCode,
    response_headers: HeaderMap,
    response: Bytes,
}

impl Proxy {
    /// Listens on a free port of this machine. Requests for what is below the path `prefix` go to the
    /// registry, without the prefix.
    pub(crate) fn start(prefix: String) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { prefix, ..Shared::default() });
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _runtime: runtime })
    }

    /// Where clients find it.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says where requests go from now on.
    pub(crate) fn forward_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// The exchanges since the last call, in the order of their requests.
    pub(crate) fn take(&self) -> Vec<Raw> {
        std::mem::take(&mut *self.shared.exchanges()).into_values().collect()
    }
}

impl Shared {
    fn exchanges(&self) -> MutexGuard<'_, BTreeMap<u64, Raw>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // A client that hangs up is no failure of the proxy.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match pass_on(request, &shared).await {
        Ok(answer) => answer,
        Err(error) => {
            let text = format!("the proxy cannot reach the registry: {error:#}");
            let mut answer = Response::new(Full::new(text.into()));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }
    };
    Ok(answer)
}

async fn pass_on(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>> {
    let number = shared.requests.fetch_add(1, Ordering::SeqCst);
    let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let target = target.context("there is no registry yet")?;
    let (head, body) = request.into_parts();
    let path = head.uri.to_string();
    let path = path.strip_prefix(&shared.prefix).context("the registry is not below this path")?;
    let body = body.collect().await?.to_bytes();
    let mut forwarded = Request::new(Full::new(body.clone()));
    *forwarded.method_mut() = head.method.clone();
    *forwarded.uri_mut() = path.parse()?;
    *forwarded.headers_mut() = end_to_end(&head.headers);

    let stream = TcpStream::connect(target).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (answer_head, answer) = sender.send_request(forwarded).await?.into_parts();
    let answer = answer.collect().await?.to_bytes();
    let raw = Raw {
        at,
        method: head.method.to_string(),
        path: path.to_owned(),
        request_headers: head.headers,
        request: kept(&body),
        status: answer_head.status,
        response_headers: answer_head.headers.clone(),
        response: kept(&answer),
    };
    // Before the client has the answer, so that whoever waits for the client finds the exchange.
    shared.exchanges().insert(number, raw);
    let mut response = Response::new(Full::new(answer));
    *response.status_mut() = answer_head.status;
    *response.headers_mut() = end_to_end(&answer_head.headers);
    Ok(response)
}

/// A body as it is written down: not at all, if it is longer than all of which it matters.
fn kept(body: &Bytes) -> Bytes {
    if body.len() > BODY_MAX { Bytes::new() } else { body.clone() }
}

/// Without the headers that describe one connection, or that hyper writes from the body.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

impl Raw {
    /// The exchange with every text passed through `rename`.
    pub(crate) fn exchange(&self, rename: impl Fn(&str) -> String) -> Exchange {
        let headers = |headers: &HeaderMap, kept: &[&str]| -> BTreeMap<String, String> {
            let value = |name: &&str| Some(rename(headers.get(*name)?.to_str().ok()?));
            kept.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
        };
        // Content is bytes and names no address.
        let body = |bytes: &[u8]| match Body::new(bytes) {
            Body::Json(value) => Body::new(rename(&value.to_string()).as_bytes()),
            body => body,
        };
        Exchange {
            at: self.at,
            method: self.method.clone(),
            path: rename(&self.path),
            request_headers: headers(&self.request_headers, REQUEST_HEADERS),
            request: body(&self.request),
            status: self.status.as_u16(),
            response_headers: headers(&self.response_headers, RESPONSE_HEADERS),
            response: body(&self.response),
        }
    }
}
