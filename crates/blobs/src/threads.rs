//! Threads that wait for object storage, apart from those that wait for the disk: when object storage
//! hangs, the log is served on.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use wargate_registry::seams::Offload;

use crate::failure::Failure;
use crate::limits::THREADS_MAX;

/// A runtime of its own.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(THREADS_MAX).thread_name("objects");
        Ok(Self(Some(builder.enable_all().build()?)))
    }

    fn handle(&self) -> io::Result<&Handle> {
        let gone = || io::Error::other("the process is shutting down");
        self.0.as_ref().map(Runtime::handle).ok_or_else(gone)
    }

    /// Waits for a call, on a thread that may be kept waiting, and not longer than this.
    pub(crate) fn wait<T, E: Into<Failure>>(
        &self,
        time_max: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let handle = self.handle().map_err(|_| Failure::Unreachable)?;
        handle.block_on(async {
            match tokio::time::timeout(time_max, call).await {
                Ok(done) => done.map_err(Into::into),
                Err(_) => Err(Failure::TimedOut),
            }
        })
    }
}

impl Offload for Threads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        if let Some(runtime) = &self.0 {
            drop(runtime.spawn_blocking(work));
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait for threads.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
