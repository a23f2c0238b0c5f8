//! Uploads that have a name and are under way, so that whoever gave it can end them.
//!
//! A line may be dead long before the registry notices. When its client comes again and asks how much
//! came, the old request ends there and then, and what it brought is kept.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use futures_util::future::{self, Either};
use tokio::sync::{Notify, watch};
use wargate_crypto::Digest;
use wargate_protocol::RecordId;
use wargate_registry::content::UploadName;

use crate::problem::Problem;

/// Of which record, which content, called what.
pub(crate) type Key = (RecordId, Digest, UploadName);

/// Named uploads that are under way: at most as many as there are requests.
#[derive(Default)]
pub(crate) struct Uploads(Arc<Mutex<Vec<Running>>>);

struct Running {
    key: Key,
    interrupted: Arc<Notify>,
    /// Closed when it has ended.
    ended: watch::Receiver<()>,
}

/// An upload that is under way until this is dropped.
pub(crate) struct Run {
    uploads: Arc<Mutex<Vec<Running>>>,
    interrupted: Arc<Notify>,
    /// Dropped last: by then nobody finds the upload any more.
    _ended: watch::Sender<()>,
}

impl Uploads {
    /// An upload begins.
    pub(crate) fn run(&self, key: Key) -> Run {
        let interrupted = Arc::<Notify>::default();
        let (sender, ended) = watch::channel(());
        lock(&self.0).push(Running { key, interrupted: Arc::clone(&interrupted), ended });
        Run { uploads: Arc::clone(&self.0), interrupted, _ended: sender }
    }

    /// Ends uploads of this name, and waits until what they brought is kept.
    pub(crate) async fn interrupt(&self, key: &Key) {
        let mut ends = Vec::new();
        for running in lock(&self.0).iter().filter(|running| running.key == *key) {
            running.interrupted.notify_one();
            ends.push(running.ended.clone());
        }
        for mut ended in ends {
            // Nothing is ever sent, so this is an error when it has ended.
            let _ = ended.changed().await;
        }
    }
}

impl Run {
    /// Waits for something, unless the upload is to end.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let interrupted = pin!(self.interrupted.notified());
        match future::select(interrupted, pin!(work)).await {
            Either::Left(_) => {
                let message = "the upload goes on over another connection";
                Err(Problem::new(StatusCode::CONFLICT, message))
            }
            Either::Right((done, _)) => done,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let same = |running: &Running| Arc::ptr_eq(&running.interrupted, &self.interrupted);
        lock(&self.uploads).retain(|running| !same(running));
    }
}

fn lock(uploads: &Mutex<Vec<Running>>) -> MutexGuard<'_, Vec<Running>> {
    uploads.lock().unwrap_or_else(PoisonError::into_inner)
}
