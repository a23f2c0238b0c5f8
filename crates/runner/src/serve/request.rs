//! One request: an instance, its answer, and a line in the log.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use wargate_console::harmless;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

use super::body::{Fate, WholeBody};
use super::took;
use crate::failure::{Failure, note};
use crate::grants::Grants;
use crate::host::Host;
use crate::limits::LOGGED_PATH_CHARACTERS_MAX;
use crate::trap;

/// A component, and what the answer to each request may take.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) proxy: ProxyPre<Host>,
    pub(super) grants: Grants,
    /// In bytes.
    pub(super) memory: usize,
    pub(super) time: Duration,
    /// A permit for each request that is answered.
    pub(super) room: Arc<Semaphore>,
}

/// What the component says: an answer, or that it has none.
type Said = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Why there is no answer.
enum Silence {
    /// Its fault.
    Failed(Failure),
    /// Its time was over.
    TooLong,
}

impl Service {
    /// What an instance has around it.
    pub(super) fn host(&self) -> Result<Host, Failure> {
        Host::of_request(&self.grants, self.memory)
    }

    /// Waits until no request is answered any more.
    pub(super) async fn idle(&self, requests: u32) {
        // It is never closed.
        let _ = self.room.acquire_many(requests).await;
    }

    /// The answer to a request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<WasiBody>, Infallible> {
        let line = Line::new(&request);
        if request.method() == Method::CONNECT {
            line.write(StatusCode::NOT_IMPLEMENTED, "it asks for a proxy");
            return Ok(plain(StatusCode::NOT_IMPLEMENTED, "this server is no proxy\n"));
        }
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            line.write(StatusCode::SERVICE_UNAVAILABLE, "as many requests as may be are answered");
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests\n");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Ok(response);
        };
        if request.uri().authority().is_none() && !request.headers().contains_key("host") {
            line.write(StatusCode::BAD_REQUEST, "it names no host");
            return Ok(plain(StatusCode::BAD_REQUEST, "the request names no host\n"));
        }
        let (sender, receiver) = oneshot::channel::<Said>();
        let (service, fate) = (Arc::clone(&self), Fate::default());
        let (of_line, of_fate) = (line.clone(), fate.clone());
        let mut work = Work(Some(tokio::spawn(async move {
            let silence = service.work(request, sender, permit, &of_fate).await;
            if let Some(silence) = &silence {
                of_line.remark(silence, &service);
            }
            silence
        })));
        let said = receiver.await;
        match said {
            Ok(Ok(response)) => {
                // It goes on by itself, and ends when nobody reads any more.
                work.0 = None;
                let mut entry = Entry { line, status: response.status(), is_cut_off: false };
                Ok(response.map(|body| {
                    let whole = WholeBody { body, fate };
                    whole.map_err(move |error| entry.cut_off(error)).boxed_unsync()
                }))
            }
            Ok(Err(code)) => {
                work.0 = None;
                let code: String = format!("{code:?}").chars().take(200).collect();
                line.write(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("it answered with the error {code}"),
                );
                Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"))
            }
            Err(_) => {
                let silence = match work.0.as_mut() {
                    Some(work) => work.await.ok().flatten(),
                    None => None,
                };
                let (status, text) = match &silence {
                    Some(Silence::TooLong) => {
                        (StatusCode::GATEWAY_TIMEOUT, "the answer took too long\n")
                    }
                    Some(Silence::Failed(_)) | None => {
                        (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
                    }
                };
                let remark = if silence.is_some() { "" } else { "it ended without an answer" };
                line.write(status, remark);
                Ok(plain(status, text))
            }
        }
    }

    /// Has a new instance answer; why it could not.
    async fn work(
        &self,
        request: Request<Incoming>,
        sender: oneshot::Sender<Said>,
        permit: OwnedSemaphorePermit,
        fate: &Fate,
    ) -> Option<Silence> {
        // Whoever sees that it has ended sees that there is room, too.
        let _permit = permit;
        let host = match self.host() {
            Ok(host) => host,
            Err(failure) => return Some(Silence::Failed(failure)),
        };
        let mut store = Store::new(self.proxy.engine(), host);
        store.limiter(|host| &mut host.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let mut watch = fate.watch();
        let done = tokio::time::timeout(self.time, async {
            let proxy = self.proxy.instantiate_async(&mut store).await?;
            let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
            let out = store.data_mut().http().new_response_outparam(sender)?;
            proxy.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
        });
        match done.await {
            Ok(Ok(())) => {
                watch.is_well = true;
                None
            }
            Ok(Err(error)) => {
                Some(Silence::Failed(trap::explain(&self.name, &error, &store.data().memory)))
            }
            Err(_) => Some(Silence::TooLong),
        }
    }
}

/// What an instance does, which ends when nobody waits for it any more.
struct Work(Option<JoinHandle<Option<Silence>>>);

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.abort();
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// A line of the log.
#[derive(Clone)]
struct Line {
    method: Method,
    path: String,
    begun: Instant,
}

impl Line {
    fn new(request: &Request<Incoming>) -> Self {
        // What follows a question mark may be nobody's business.
        let (path, authority) = (request.uri().path(), request.uri().authority());
        // Whoever asks for a connection names no path.
        let path = if path.is_empty() { authority.map_or("", |it| it.as_str()) } else { path };
        let path: String = path.chars().take(LOGGED_PATH_CHARACTERS_MAX).collect();
        let method = request.method().clone();
        Self { method, path, begun: Instant::now() }
    }

    fn write(&self, status: StatusCode, remark: &str) {
        let Self { method, path, begun } = self;
        let (method, path) = (harmless(method.as_str()), harmless(path));
        let colon = if remark.is_empty() { "" } else { ": " };
        let status = status.as_u16();
        note(&format!("{method} {path} {status} {}{colon}{remark}", took(begun.elapsed())));
    }

    /// Says why an instance ended before it was done.
    fn remark(&self, silence: &Silence, service: &Service) {
        let path = harmless(&self.path);
        let why = match silence {
            Silence::Failed(failure) => failure.message().to_owned(),
            Silence::TooLong => {
                let (name, time) = (&service.name, humantime::format_duration(service.time));
                format!("{name} was not done after {time}, and was ended")
            }
        };
        note(&format!("{path}: {why}"));
    }
}

/// What the log is to say of an answer; it does when nothing of the answer is left to send.
struct Entry {
    line: Line,
    status: StatusCode,
    is_cut_off: bool,
}

impl Entry {
    /// Notes that the answer never came to its end.
    fn cut_off(&mut self, error: Error) -> Error {
        self.is_cut_off = true;
        error
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.line.write(self.status, if self.is_cut_off { "cut off" } else { "" });
    }
}
