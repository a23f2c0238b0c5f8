//! A registry whose answers are changed on their way, and what to change them to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use wargate_http::{Options, router};
use wargate_protocol::{LogId, LogLeaf, MapLeaf, SignedCheckpoint, TimestampedCheckpoint, base64};
use wargate_registry::Registry;
use wargate_testkit::world::key;
use wargate_transparency::map::{MapProofBundle, MapVersion, MemoryPages, prove};

use crate::lab::HOME;

type Lie = Box<dyn FnMut(&str, &mut Vec<u8>) + Send>;

/// Changes answers, if it was told how.
#[derive(Clone, Default)]
pub(crate) struct Liar(Arc<Mutex<Option<Lie>>>);

impl Liar {
    /// A router over an honest one.
    pub(crate) fn over(&self, registry: &Arc<Registry>) -> Router {
        let honest = router(Arc::clone(registry), Options::new(HOME.parse().unwrap()));
        let lie = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request| {
            let (honest, lie) = (honest.clone(), Arc::clone(&lie));
            async move {
                let path = request.uri().path().to_owned();
                let (mut head, body) = honest.oneshot(request).await.unwrap().into_parts();
                let mut body = body.collect().await.unwrap().to_bytes().to_vec();
                if let Some(lie) = &mut *lie.lock().unwrap() {
                    lie(&path, &mut body);
                }
                head.headers.remove("content-length");
                http::Response::from_parts(head, Body::from(Bytes::from(body)))
            }
        })
    }

    /// From now on answers are changed so: their bytes, by the path of the question.
    pub(crate) fn tell(&self, lie: impl FnMut(&str, &mut Vec<u8>) + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(lie));
    }

    /// From now on answers to one question are changed so, as JSON.
    pub(crate) fn tell_json(
        &self,
        of: &'static str,
        mut lie: impl FnMut(&mut Value) + Send + 'static,
    ) {
        self.tell(move |path, body| {
            if path == of {
                let mut value: Value = serde_json::from_slice(body).unwrap();
                lie(&mut value);
                *body = value.to_string().into_bytes();
            }
        });
    }

    pub(crate) fn be_honest(&self) {
        *self.0.lock().unwrap() = None;
    }
}

/// Signs a changed checkpoint with one of the keys.
pub(crate) fn resign(
    checkpoint: &mut Value,
    by: u8,
    change: impl FnOnce(&mut TimestampedCheckpoint),
) {
    let signed: SignedCheckpoint = serde_json::from_value(checkpoint.clone()).unwrap();
    let mut contents = signed.contents;
    change(&mut contents);
    *checkpoint = json!(SignedCheckpoint::sign(contents, &key(by)));
}

/// A map in which every log has its first record as its newest, apart from the operator's, which is
/// right; with the proof of the operator's, and under a checkpoint that the operator's key signed.
pub(crate) fn forge_map(transcript: &mut Value, leaves: &[LogLeaf]) {
    let mut map = MemoryPages::default();
    let mut heads = std::collections::BTreeMap::new();
    for leaf in leaves {
        if leaf.log_id == LogId::operator() {
            heads.insert(leaf.log_id, leaf.record_id);
        } else {
            heads.entry(leaf.log_id).or_insert(leaf.record_id);
        }
    }
    let slots = heads.iter();
    let slots = slots.map(|(log, head)| (log.map_path(), MapLeaf { record_id: *head }.hash()));
    let root = map.set(MapVersion(1), slots).unwrap().root;
    let found = prove(&map, map.head(), &[LogId::operator().map_path()]).unwrap().remove(0);
    let bundle = MapProofBundle::new(vec![found.unwrap().proof]).encode();
    transcript["proofs"]["map"] = json!(base64::encode(&bundle));
    resign(&mut transcript["checkpoint"], 1, |contents| contents.checkpoint.map_root = root);
}
