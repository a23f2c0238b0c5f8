//! The way that every request takes.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{ALLOW, HOST};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use wargate_api::ErrorBody;
use wargate_api::headers::REGISTRY;
use wargate_protocol::LogLength;
use wargate_registry::Registry;

use crate::answer::{self, Answer, set};
use crate::answered::Answered;
use crate::call::{Call, Params};
use crate::hints::Hints;
use crate::options::Options;
use crate::problem::Problem;
use crate::routes::{Access, ROUTES, Route, Verb};
use crate::throttle::Throttle;
use crate::uploads::Uploads;
use crate::{cors, panics, security};

/// Logs, or leaves, about which the engine is asked in place.
pub(crate) const FEW: usize = 8;

/// A registry as it is seen over HTTP.
pub(crate) struct Front {
    registry: Arc<Registry>,
    options: Options,
    /// The registry's domain, by which `Warg-Registry` may name it.
    label: String,
    pub(crate) hints: Hints,
    pub(crate) uploads: Uploads,
    pub(crate) throttle: Throttle,
    /// The newest note that was signed, and for which length.
    pub(crate) note: Mutex<Option<(LogLength, Bytes)>>,
}

/// The routes of one path; none if the path is unknown.
#[derive(Clone, Copy)]
struct Place {
    path: &'static str,
    routes: &'static [Route],
}

const UNKNOWN: Place = Place { path: "", routes: &[] };

/// Asked by machines that know an address and no name.
const ANY_HOST: &[&str] = &["/healthz", "/readyz"];

const REGISTRY_HEADER: HeaderName = HeaderName::from_static(REGISTRY);

impl Front {
    pub(crate) fn new(registry: Arc<Registry>, options: Options) -> Arc<Self> {
        let label = options.public_url.label();
        let throttle = Throttle::new(options.throttling.clone());
        let (hints, uploads, note) = (Hints::default(), Uploads::default(), Mutex::new(None));
        Arc::new(Self { registry, options, label, hints, uploads, throttle, note })
    }

    pub(crate) fn into_router(self: Arc<Self>) -> Router {
        let at = |place: Place| {
            let front = Arc::clone(&self);
            move |request: Request| {
                let front = Arc::clone(&front);
                async move { front.serve(place, request).await }
            }
        };
        let mut router = Router::new().fallback(at(UNKNOWN));
        for routes in ROUTES.chunk_by(|a, b| a.path == b.path) {
            let path = routes.first().map_or("", |route| route.path);
            router = router.route(path, any(at(Place { path, routes })));
        }
        router
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Asks the engine something that takes longer than the way to another thread: much at once, or
    /// files.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Arc<Registry>) -> T + Send + 'static,
    ) -> T {
        let registry = Arc::clone(&self.registry);
        self.registry.offload(move || question(&registry)).await
    }

    /// The same about so many things; about a few it is answered in place.
    pub(crate) async fn ask_about<T: Send + 'static>(
        &self,
        few: bool,
        question: impl FnOnce(&Arc<Registry>) -> T + Send + 'static,
    ) -> T {
        if few { question(&self.registry) } else { self.ask(question).await }
    }

    /// Answers, whatever comes. Neither bodies nor queries nor credentials are logged.
    async fn serve(self: Arc<Self>, place: Place, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        tracing::Span::current().record("route", place.path);
        let access = place.routes.first().map_or(Access::Read, |route| route.access);
        let front = Arc::clone(&self);
        let answer = panics::caught(async move { front.answer(place, request).await }).await;
        let mut response = answer.unwrap_or_else(Problem::into_response);
        let answered = Answered { route: place.path, writes: access == Access::Write };
        response.extensions_mut().insert(answered);
        cors::open(&self.options, access, &mut response);
        security::harden(&self.options, access, &mut response);
        if is_head { answer::without_body(response) } else { response }
    }

    /// The checks in the order of specification 12.1, then the handler.
    async fn answer(self: Arc<Self>, place: Place, request: Request) -> Answer {
        let (mut parts, body) = request.into_parts();
        if parts.headers.get_all(HOST).iter().nth(1).is_some() {
            // A proxy may have looked at the other one (RFC 9112, 3.2).
            return Err(Problem::bad_request("the request names two hosts; name one"));
        }
        let host = host(&parts);
        if !self.options.hosts.allow(host.as_deref()) && !ANY_HOST.contains(&place.path) {
            let message = "this registry does not go by that name; ask it by the name that its \
                           operator has set";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, message));
        }
        let route = place.routes.iter().find(|route| route.method.answers(&parts.method));
        let client = self.throttle.client(&parts);
        self.throttle.admit(client, place.path, route)?;
        let Some(first) = place.routes.first() else { return Err(Problem::not_found()) };
        let allow = allow(place.routes);
        if parts.method == Method::OPTIONS {
            return Ok(cors::preflight(&self.options, first.access, &allow));
        }
        let Some(route) = route else {
            return Err(Problem::of(ErrorBody::message(405, "the method is not allowed here"))
                .with(ALLOW, allow));
        };
        let params = params(place, &mut parts).await?;
        params.check()?;
        let named = self.named(place, &parts)?;
        cors::check(&self.options, route.access, &parts.headers, host.as_deref())?;
        let call = Call::new(Arc::clone(&self), parts, body, params, client);
        let mut answer = (route.handler)(call).await;
        if let (Ok(response), Some(name)) = (&mut answer, named) {
            set(response, REGISTRY_HEADER, name);
        }
        answer
    }

    /// Who asks for the data of another registry must not get ours.
    fn named(&self, place: Place, parts: &Parts) -> Result<Option<HeaderValue>, Problem> {
        let Some(name) = parts.headers.get(REGISTRY_HEADER) else { return Ok(None) };
        if !place.path.starts_with("/v1/") {
            return Ok(None);
        }
        let asked = name.to_str().unwrap_or_default();
        if asked == self.label || asked == self.options.public_url.authority() {
            return Ok(Some(name.clone()));
        }
        let message = format!(
            "this registry is {} and does not answer for others; ask the one that `Warg-Registry` \
             names itself",
            self.label
        );
        Err(Problem::new(StatusCode::NOT_IMPLEMENTED, message))
    }
}

/// The host that a request is for: of its target (HTTP/2, proxies) or of its header.
fn host(parts: &Parts) -> Option<String> {
    let target = parts.uri.authority().map(Authority::as_str);
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    target.or(header).map(str::to_owned)
}

fn allow(routes: &[Route]) -> HeaderValue {
    let name = |route: &Route| match route.method {
        Verb::Get => "GET,HEAD",
        other => other.name(),
    };
    let names: Vec<_> = routes.iter().map(name).collect();
    HeaderValue::from_str(&names.join(",")).unwrap_or(HeaderValue::from_static("GET,HEAD"))
}

async fn params(place: Place, parts: &mut Parts) -> Result<Params, Problem> {
    if !place.path.contains('{') {
        return Ok(Params::default());
    }
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|error| Problem::bad_request(error.body_text()))?;
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(Params::new(params.iter().map(owned).collect()))
}
