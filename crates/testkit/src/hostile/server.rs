//! The hostile registry as a server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::lie::{Lie, Phase};
use super::reply::Asked;
use super::scene::{Scene, proxy, unknown_path};
use super::story::{History, Story};
use crate::hostile::reply::Part;

/// Whether there is the endpoint that answers everything at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As on a server of this project.
    Transcript,
    /// As on a reference server, which does not know it.
    Separate,
}

/// What is told at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The truth, some records ago.
    Before,
    /// The lie.
    Lie,
    /// The truth.
    After,
}

/// A registry that lies. A clone is the same one.
#[derive(Clone)]
pub struct Hostile(Arc<Inner>);

struct Inner {
    scene: Scene,
    mode: Mode,
    stage: Mutex<Stage>,
    seen: Mutex<Vec<Seen>>,
    sent: Arc<AtomicU64>,
}

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method, path, headers and body.
    pub asked: Asked,
    /// What was told then.
    pub stage: Stage,
}

/// A [`Hostile`] that listens on a port of this machine until it is dropped.
pub struct Served {
    /// The base URL.
    pub url: String,
    /// The registry.
    pub hostile: Hostile,
    serving: AbortHandle,
}

/// Most requests that are remembered, and most bytes of one.
const SEEN_MAX: usize = 10_000;
const BODY_BYTES_MAX: usize = 64 << 20;

impl Hostile {
    /// A registry that is found at a URL, in a present. To a client that comes warm it tells the truth
    /// of some time ago until it is told otherwise, to a cold one the lie.
    pub async fn new(lie: Lie, mode: Mode, url: &str, now: i64) -> Self {
        let stage = if lie.phase == Phase::Warm { Stage::Before } else { Stage::Lie };
        let story = Story::new(url, now).await;
        let scene = Scene { story, lie, told: AtomicU64::new(0) };
        Self(Arc::new(Inner {
            scene,
            mode,
            stage: Mutex::new(stage),
            seen: Mutex::default(),
            sent: Arc::default(),
        }))
    }

    /// The same, listening on a port of this machine.
    pub async fn serve(lie: Lie, mode: Mode, now: i64) -> Served {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let hostile = Self::new(lie, mode, &url, now).await;
        let router = hostile.router();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Served { url, hostile, serving: serving.abort_handle() }
    }

    /// The registry as a router.
    pub fn router(&self) -> Router {
        let this = self.clone();
        Router::new().fallback(move |request: Request<Body>| {
            let this = this.clone();
            async move { this.respond(request).await }
        })
    }

    /// The lie that it tells.
    pub fn lie(&self) -> &Lie {
        &self.0.scene.lie
    }

    /// What is true.
    pub fn story(&self) -> &Story {
        &self.0.scene.story
    }

    /// Begins the lie, or goes back to the truth of before.
    pub fn tell(&self, lie: bool) {
        self.set(if lie { Stage::Lie } else { Stage::Before });
    }

    /// Sets what is told.
    pub fn set(&self, stage: Stage) {
        *self.0.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// What is told.
    pub fn stage(&self) -> Stage {
        *self.0.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has been asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests have come so far.
    pub fn requests(&self) -> usize {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Bytes of bodies that have been handed out.
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    async fn respond(&self, request: Request<Body>) -> Response {
        let Ok(asked) = read(request).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let stage = self.stage();
        self.remember(&asked, stage);
        let scene = &self.0.scene;
        let reply = match stage {
            Stage::Lie => scene.answer(&asked, self.0.mode == Mode::Transcript).await,
            Stage::Before => self.honest(History::Before, &asked).await,
            Stage::After => self.honest(History::Now, &asked).await,
        };
        reply.into_response(Arc::clone(&self.0.sent))
    }

    async fn honest(&self, history: History, asked: &Asked) -> super::reply::Reply {
        let router = &self.0.scene.story.chapter(history).router;
        if self.0.mode == Mode::Separate && asked.part() == Part::Transcript {
            return unknown_path(router, asked).await;
        }
        proxy(router, asked).await
    }

    fn remember(&self, asked: &Asked, stage: Stage) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < SEEN_MAX {
            seen.push(Seen { asked: asked.clone(), stage });
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn read(request: Request<Body>) -> Result<Asked, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, BODY_BYTES_MAX).collect().await?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let path = path.strip_prefix('/').unwrap_or(path).to_owned();
    Ok(Asked { method: head.method.to_string(), path, headers: head.headers, body })
}
