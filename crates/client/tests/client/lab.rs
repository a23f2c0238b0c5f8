//! Registries in memory, and clients that reach them without a network.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use tower::ServiceExt;
use wargate_client::memory::{MemoryCache, MemoryState};
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::{
    Asked, BoxFuture, ChunkSource, Clock, Event, Observer, Random, RequestBody, ResponseBody,
    SecretError, Secrets, Token, Transport, TransportError, TransportFault,
};
use wargate_client::{Client, Contents, Parts, Settings};
use wargate_crypto::{Digest, PrivateKey};
use wargate_http::{Options, router};
use wargate_protocol::{OperatorEntry, Timestamp};
use wargate_registry::Registry;
use wargate_testkit::world::{BEGIN, World};

/// Registries by authority, and what is done to requests on their way.
#[derive(Default)]
pub(crate) struct Net {
    routers: Mutex<BTreeMap<String, Router>>,
    /// What was asked: method, path.
    pub(crate) asked: Mutex<Vec<String>>,
    meddler: Mutex<Option<Meddler>>,
}

/// What happens to a request on its way.
pub(crate) enum Meddling {
    Pass,
    /// It does not arrive.
    Lost,
    /// It arrives, and its answer does not.
    Deaf,
    /// This is the answer.
    Answer(http::Response<Vec<u8>>),
}

type Meddler = Box<dyn FnMut(&http::Request<Bytes>) -> Meddling + Send>;

impl Net {
    pub(crate) fn meddle(
        &self,
        meddler: impl FnMut(&http::Request<Bytes>) -> Meddling + Send + 'static,
    ) {
        *self.meddler.lock().unwrap() = Some(Box::new(meddler));
    }

    pub(crate) fn leave_alone(&self) {
        *self.meddler.lock().unwrap() = None;
    }

    /// What was asked since the last time.
    pub(crate) fn drain(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Transport for Net {
    fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'_, Result<http::Response<Box<dyn ResponseBody>>, TransportError>> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let request = http::Request::from_parts(head, read(body)?);
            self.asked.lock().unwrap().push(format!(
                "{} {}",
                request.method(),
                request.uri().path()
            ));
            let meddling = match &mut *self.meddler.lock().unwrap() {
                Some(meddler) => meddler(&request),
                None => Meddling::Pass,
            };
            let broken = || TransportError {
                fault: TransportFault::Broken,
                message: "the connection broke".into(),
            };
            match meddling {
                Meddling::Answer(answer) => return Ok(answer.map(|body| whole(body.into()))),
                Meddling::Lost => return Err(broken()),
                Meddling::Pass | Meddling::Deaf => {}
            }
            let authority = request.uri().authority().unwrap().to_string();
            let router = self.routers.lock().unwrap().get(&authority).cloned();
            let router = router.ok_or_else(|| TransportError {
                fault: TransportFault::Connect,
                message: format!("nobody is at {authority}"),
            })?;
            let mut request = request.map(Body::from);
            let host = http::HeaderValue::try_from(authority).unwrap();
            request.headers_mut().insert(http::header::HOST, host);
            let path = request.uri().path_and_query().unwrap().to_string();
            *request.uri_mut() = path.parse().unwrap();
            let (head, body) = router.oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            if matches!(meddling, Meddling::Deaf) {
                return Err(broken());
            }
            Ok(http::Response::from_parts(head, whole(body)))
        })
    }
}

fn read(body: RequestBody) -> Result<Bytes, TransportError> {
    match body {
        RequestBody::Empty => Ok(Bytes::new()),
        RequestBody::Bytes(bytes) => Ok(bytes),
        RequestBody::Stream { mut chunks, .. } => {
            let mut whole = Vec::new();
            let failed = |error: std::io::Error| TransportError {
                fault: TransportFault::Body,
                message: error.to_string(),
            };
            while let Some(chunk) = chunks.next().map_err(failed)? {
                whole.extend_from_slice(&chunk);
            }
            Ok(whole.into())
        }
    }
}

struct Whole(Option<Bytes>);

fn whole(bytes: Bytes) -> Box<dyn ResponseBody> {
    Box::new(Whole(Some(bytes)))
}

impl ResponseBody for Whole {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        let next = self.0.take().filter(|bytes| !bytes.is_empty());
        Box::pin(std::future::ready(Ok(next)))
    }
}

/// A clock that stands, and passes when it is waited for.
pub(crate) struct LabClock(AtomicI64);

impl LabClock {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for LabClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::SeqCst) / 1000)
    }

    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()> {
        self.0.fetch_add(i64::try_from(how_long.as_millis()).unwrap(), Ordering::SeqCst);
        // Others have their turn.
        Box::pin(tokio::task::yield_now())
    }
}

struct Same;

impl Random for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn signing_key(&self, _: &RegistryUrl) -> Result<Option<PrivateKey>, SecretError> {
        Ok(None)
    }

    fn token(&self, _: Asked<'_>) -> Result<Option<Token>, SecretError> {
        Ok(None)
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Notes(pub(crate) Mutex<Vec<String>>);

impl Observer for Notes {
    fn event(&self, event: Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Notes {
    /// What was told that begins so.
    pub(crate) fn of(&self, kind: &str) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        notes.iter().filter(|note| note.starts_with(kind)).cloned().collect()
    }
}

/// Registries and a net.
pub(crate) struct Lab {
    pub(crate) net: Arc<Net>,
    pub(crate) clock: Arc<LabClock>,
}

/// A client, and what it keeps.
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) state: Arc<MemoryState>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) parts: Parts,
}

/// Where the first registry is.
pub(crate) const HOME: &str = "http://127.0.0.1:8090";

impl Lab {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(LabClock(AtomicI64::new(BEGIN * 1000)));
        Self { net: Arc::default(), clock }
    }

    /// A registry at a URL, whose namespace is `test`.
    pub(crate) fn registry(&self, url: &str) -> Arc<Registry> {
        self.serve(url, &World::new(), &[])
    }

    pub(crate) fn serve(
        &self,
        url: &str,
        world: &World,
        entries: &[OperatorEntry],
    ) -> Arc<Registry> {
        let registry = world.open_with(entries);
        let router = router(Arc::clone(&registry), Options::new(url.parse().unwrap()));
        self.put(url, router);
        registry
    }

    /// Whoever answers at a URL from now on.
    pub(crate) fn put(&self, url: &str, router: Router) {
        let authority = url.split("://").nth(1).unwrap().to_owned();
        self.net.routers.lock().unwrap().insert(authority, router);
    }

    pub(crate) fn user(&self) -> User {
        self.user_with(|_| ())
    }

    pub(crate) fn user_with(&self, change: impl FnOnce(&mut Settings)) -> User {
        let (state, notes) = (Arc::new(MemoryState::default()), Arc::new(Notes::default()));
        let parts = Parts {
            transport: self.net.clone(),
            state: state.clone(),
            cache: Arc::new(MemoryCache::default()),
            clock: self.clock.clone(),
            random: Arc::new(Same),
            secrets: Arc::new(NoSecrets),
            observer: notes.clone(),
        };
        let mut settings = Settings::default();
        settings.home = Some(HOME.parse().unwrap());
        change(&mut settings);
        User { client: Client::new(parts.clone(), settings), state, notes, parts }
    }
}

impl User {
    /// The same user's next process: other settings, nothing in memory.
    pub(crate) fn again(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.client.settings().clone();
        change(&mut settings);
        let client = Client::new(self.parts.clone(), settings);
        let (state, notes) = (Arc::clone(&self.state), Arc::clone(&self.notes));
        Self { client, state, notes, parts: self.parts.clone() }
    }
}

/// Content in memory.
#[derive(Default)]
pub(crate) struct Shelf(BTreeMap<Digest, Bytes>);

impl Shelf {
    pub(crate) fn of(contents: &[&'static [u8]]) -> Self {
        Self(contents.iter().map(|it| (Digest::of(it), Bytes::from_static(it))).collect())
    }
}

struct Once(Option<Bytes>);

impl ChunkSource for Once {
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

impl Contents for Shelf {
    fn open(&self, digest: &Digest) -> std::io::Result<(u64, Box<dyn ChunkSource>)> {
        let content = self.0.get(digest).ok_or(std::io::ErrorKind::NotFound)?;
        let length = u64::try_from(content.len()).unwrap();
        Ok((length, Box::new(Once(Some(content.clone())))))
    }
}
