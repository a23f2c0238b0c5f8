//! A registry in memory, configured as the recorded one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use wargate_http::{Options, router};
use wargate_interop::recording::{Body, Exchange, REGISTRY, RESPONSE_HEADERS, Recording};
use wargate_protocol::base64;
use wargate_registry::policy::{AuthorizedKeys, ContentKinds, ContentRules};
use wargate_testkit::world::World;

/// The registry, and the time.
pub(crate) struct Replica {
    world: World,
    router: Router,
}

impl Replica {
    /// Begins when the recorded registry did.
    pub(crate) fn open(recording: &Recording) -> Self {
        let server = &recording.server;
        // The world defines this one.
        assert_eq!(server.namespaces, ["test"]);
        let mut world = World::new();
        world.clock.set(i64::try_from(recording.started).unwrap());
        let kinds = ContentKinds { components: true, modules: true, wit_packages: true };
        world.content_policies = vec![Arc::new(ContentRules { kinds, compare_names: true })];
        if let Some(text) = &server.authorized_keys {
            world.record_policies = vec![Arc::new(AuthorizedKeys::from_toml(text).unwrap())];
        }
        let url = format!("{REGISTRY}{}", server.path).parse().unwrap();
        let router = router(world.open(), Options::new(url));
        Self { world, router }
    }

    /// Asks what was asked, at the time when it was asked, and writes down the answer.
    pub(crate) async fn ask(&self, asked: &Exchange) -> Exchange {
        self.world.clock.set(i64::try_from(asked.at).unwrap());
        let mut request = Request::builder().method(asked.method.as_str()).uri(&asked.path);
        for (name, value) in &asked.request_headers {
            request = request.header(name, value);
        }
        let request = request.header("host", "127.0.0.1:8090");
        let request = request.body(HttpBody::from(bytes(&asked.request))).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &&str| Some(head.headers.get(*name)?.to_str().unwrap().to_owned());
        let headers: BTreeMap<_, _> = RESPONSE_HEADERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), header(name)?)))
            .collect();
        Exchange {
            status: head.status.as_u16(),
            response_headers: headers,
            response: Body::new(&body),
            ..asked.clone()
        }
    }

    /// Everything that is kept agrees with the log.
    pub(crate) fn check(&self) {
        self.world.check();
    }
}

fn bytes(body: &Body) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Json(value) => serde_json::to_vec(value).unwrap(),
        Body::Base64(text) => base64::decode(text).unwrap(),
    }
}
