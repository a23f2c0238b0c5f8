//! The table of routes.

use std::pin::Pin;

use axum::http::Method;

use crate::answer::Answer;
use crate::call::Call;
use crate::{
    content, dependencies, discovery, download, fetch, ledger, proof, publish, tlog, transcript,
    upload,
};

/// The OpenAPI document, which has every route of [`listed_routes`] and no other.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Whom a route is open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Changes nothing.
    Read,
    /// Publishes.
    Write,
}

type Handling = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What answers to one method on one path.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: fn(Call) -> Handling,
}

/// The methods that routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
}

macro_rules! route {
    ($method:ident $access:ident $path:literal $handler:path) => {
        Route {
            method: Verb::$method,
            path: $path,
            access: Access::$access,
            handler: |call| Box::pin($handler(call)),
        }
    };
}

/// All routes; those of one path stand together. `HEAD` is understood wherever `GET` is.
pub(crate) const ROUTES: &[Route] = &[
    route!(Get Read "/v1/fetch/checkpoint" fetch::checkpoint),
    route!(Post Read "/v1/fetch/logs" fetch::logs),
    route!(Post Read "/v1/fetch/transcript" transcript::transcript),
    route!(Post Read "/v1/fetch/names" fetch::names),
    route!(Post Write "/v1/package/{logId}/record" publish::publish),
    route!(Get Read "/v1/package/{logId}/record/{recordId}" publish::state),
    route!(Post Write "/v1/package/{logId}/record/{recordId}/content/{digest}" upload::upload),
    route!(Put Write "/v1/package/{logId}/record/{recordId}/content/{digest}" upload::upload),
    route!(Get Read "/v1/package/{logId}/record/{recordId}/content/{digest}" upload::progress),
    route!(Get Read "/v1/content/{digest}" content::sources),
    route!(Post Read "/v1/dependencies" dependencies::packages),
    route!(Get Read "/v1/dependencies/{digest}" dependencies::content),
    route!(Get Read "/v1/dependencies/{namespace}/{name}/{version}" dependencies::release),
    route!(Get Read "/v1/dependents/{namespace}/{name}" dependencies::dependents),
    route!(Post Read "/v1/solve" dependencies::solve),
    route!(Post Read "/v1/proof/inclusion" proof::inclusion),
    route!(Post Read "/v1/proof/consistency" proof::consistency),
    route!(Post Read "/v1/verify/checkpoint" proof::verify),
    route!(Get Read "/v1/ledger" ledger::sources),
    route!(Get Read "/v1/ledger/records/{start}" ledger::records),
    route!(Get Read "/content/{file}" download::download),
    route!(Get Read "/.well-known/wasm-pkg/registry.json" discovery::well_known),
    route!(Get Read "/log/checkpoint" tlog::checkpoint),
    route!(Get Read "/log/tile/{*tile}" tlog::tile),
    route!(Get Read "/healthz" discovery::healthz),
    route!(Get Read "/readyz" discovery::readyz),
    route!(Get Read "/openapi.json" discovery::openapi),
    route!(Get Read "/" discovery::landing),
];

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// Whether a route of this method answers a request.
    pub(crate) fn answers(self, method: &Method) -> bool {
        self.name() == method.as_str() || (self == Self::Get && method == Method::HEAD)
    }
}

/// Method and path of every route. Parameters stand in braces; one that begins with `*` takes the
/// rest of the path.
pub fn listed_routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.name(), route.path))
}
