//! HTTP over sockets.

use std::error::Error as StdError;
use std::fs;
use std::future::ready;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect};
use rustls::CertificateError;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::origin::is_loopback;
use crate::seams::{
    BoxFuture, ChunkSource, RequestBody, ResponseBody, Transport, TransportError, TransportFault,
};

/// How the transport is to behave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Files with certificates in PEM form that are trusted as well as the platform's.
    pub certificates: Vec<PathBuf>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take after the last of the request was taken.
    pub answer_timeout: Duration,
    /// How long the next piece of an answer may take.
    pub idle_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// HTTP over sockets: 1.1 and 2, TLS with the platform's roots, the environment's proxies, which are
/// not asked for what is on this machine.
///
/// It costs nothing until the first request. Its connections belong to the tokio runtime that it is
/// used in, which may be one of a single thread.
#[derive(Debug, Default)]
pub struct Http {
    options: HttpOptions,
    remote: OnceLock<Result<Client, TransportError>>,
    local: OnceLock<Result<Client, TransportError>>,
}

impl Http {
    /// A transport that behaves so.
    pub fn new(options: HttpOptions) -> Self {
        Self { options, ..Self::default() }
    }

    fn client(&self, url: &Url) -> Result<Client, TransportError> {
        let local = is_loopback(url);
        let slot = if local { &self.local } else { &self.remote };
        slot.get_or_init(|| build(&self.options, local)).clone()
    }
}

fn build(options: &HttpOptions, local: bool) -> Result<Client, TransportError> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true);
    if local {
        // Another machine's proxy would send it to another machine, and has no business to see it; nor
        // may a name server say that a name of this machine leads elsewhere.
        builder = builder.no_proxy().dns_resolver(ThisMachine);
    }
    let mut certificates = Vec::new();
    for path in &options.certificates {
        let bad = |error: &dyn std::fmt::Display| TransportError {
            fault: TransportFault::Tls,
            message: format!("the certificates in {} cannot be used: {error}", path.display()),
        };
        let bytes = fs::read(path).map_err(|error| bad(&error))?;
        let read = Certificate::from_pem_bundle(&bytes).map_err(|error| bad(&chain(&error)))?;
        if read.is_empty() {
            return Err(bad(&"it has none"));
        }
        certificates.extend(read);
    }
    if !certificates.is_empty() {
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| TransportError {
        fault: TransportFault::Tls,
        message: format!("HTTP cannot be set up: {}", chain(&error)),
    })
}

/// Resolves every name to this machine's own addresses.
struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let addresses = addresses.map(|address| SocketAddr::new(address, 0));
        Box::pin(ready(Ok(Box::new(addresses.into_iter()) as Addrs)))
    }
}

impl Transport for Http {
    fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'_, Result<http::Response<Box<dyn ResponseBody>>, TransportError>> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let url = Url::parse(&head.uri.to_string()).map_err(|error| TransportError {
                fault: TransportFault::Unsendable,
                message: format!("the URL cannot be asked: {error}"),
            })?;
            let request = self.client(&url)?.request(head.method, url).headers(head.headers);
            let taken = Arc::new(Mutex::new(Instant::now()));
            let request = match body {
                RequestBody::Empty => request,
                RequestBody::Bytes(bytes) => request.body(bytes),
                RequestBody::Stream { length, chunks } => {
                    let chunks = Mutex::new(chunks);
                    let taken = Arc::clone(&taken);
                    let body = StreamBody { chunks, left: length, length, taken };
                    request.body(reqwest::Body::wrap(body))
                }
            };
            let answer = patient(request.send(), &taken, self.options.answer_timeout).await?;
            let mut response = http::Response::new(());
            *response.status_mut() = answer.status();
            *response.version_mut() = answer.version();
            *response.headers_mut() = answer.headers().clone();
            let idle = self.options.idle_timeout;
            Ok(response.map(|()| Box::new(Answer { answer, idle }) as Box<dyn ResponseBody>))
        })
    }
}

/// Waits for an answer as long as the request's body is taken, and for a time after that.
async fn patient(
    sent: impl Future<Output = reqwest::Result<reqwest::Response>>,
    taken: &Mutex<Instant>,
    patience: Duration,
) -> Result<reqwest::Response, TransportError> {
    let mut sent = std::pin::pin!(sent);
    let deadline = || *taken.lock().unwrap_or_else(PoisonError::into_inner) + patience;
    loop {
        let until = deadline();
        if let Ok(answer) = timeout_at(until, sent.as_mut()).await {
            return answer.map_err(fault);
        }
        if deadline() <= until {
            return Err(too_long("there was no answer", patience));
        }
    }
}

fn too_long(what: &str, patience: Duration) -> TransportError {
    let message = format!("{what} for {} s", patience.as_secs_f32());
    TransportError { fault: TransportFault::Timeout, message }
}

struct Answer {
    answer: reqwest::Response,
    idle: Duration,
}

impl ResponseBody for Answer {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async {
            match timeout(self.idle, self.answer.chunk()).await {
                Ok(chunk) => chunk.map_err(fault),
                Err(_) => Err(too_long("nothing came", self.idle)),
            }
        })
    }
}

/// A request's body. The lock makes it shareable, which nobody does.
struct StreamBody {
    chunks: Mutex<Box<dyn ChunkSource>>,
    left: u64,
    length: u64,
    /// When the connection last took something.
    taken: Arc<Mutex<Instant>>,
}

/// The request's body could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UnreadableBody(#[source] io::Error);

impl Body for StreamBody {
    type Data = Bytes;
    type Error = UnreadableBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UnreadableBody>>> {
        let body = &mut *self;
        *body.taken.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let next = body.chunks.get_mut().unwrap_or_else(PoisonError::into_inner).next();
        let changed = || {
            let reason = format!("it is not {} bytes long any more", body.length);
            Poll::Ready(Some(Err(UnreadableBody(io::Error::other(reason)))))
        };
        match next {
            Err(error) => Poll::Ready(Some(Err(UnreadableBody(error)))),
            Ok(None) if body.left == 0 => Poll::Ready(None),
            Ok(None) => changed(),
            Ok(Some(bytes)) => match body.left.checked_sub(bytes.len() as u64) {
                None => changed(),
                Some(left) => {
                    body.left = left;
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

/// What kind of failure it is, in words without the URL, which may have a password.
fn fault(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let fault = if error.is_builder() {
        TransportFault::Unsendable
    } else if causes(&error).any(<dyn StdError>::is::<UnreadableBody>) {
        TransportFault::Body
    } else if error.is_connect() {
        if causes(&error).any(is_tls) { TransportFault::Tls } else { TransportFault::Connect }
    } else if error.is_timeout() {
        TransportFault::Timeout
    } else {
        TransportFault::Broken
    };
    let message = match causes(&error).find_map(certificate) {
        Some(reason) => format!("{reason} ({})", chain(&error)),
        None => chain(&error),
    };
    TransportError { fault, message }
}

/// What is wrong with the other side's certificate, if that is what an error says.
fn certificate(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut errors = io_errors(cause).filter_map(io::Error::get_ref);
    let Some(rustls::Error::InvalidCertificate(error)) =
        errors.find_map(|error| error.downcast_ref())
    else {
        return None;
    };
    Some(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host"
        }
        CertificateError::Revoked => "its certificate was revoked",
        CertificateError::UnknownIssuer => {
            "its certificate was issued by nobody whom this machine trusts"
        }
        _ => "its certificate cannot be believed",
    })
}

/// TLS reports what it refuses as data that is invalid, in an error that others may have wrapped.
fn is_tls(cause: &(dyn StdError + 'static)) -> bool {
    io_errors(cause).any(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// An error of input and output, and those that it wraps.
fn io_errors<'a>(cause: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a io::Error> {
    let outer = cause.downcast_ref::<io::Error>();
    std::iter::successors(outer, |error| error.get_ref()?.downcast_ref())
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

/// An error and its causes. One that only repeats the one before is left out.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
