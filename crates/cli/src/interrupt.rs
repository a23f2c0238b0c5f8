//! Ctrl-C. Whoever waits for the network listens to it and tidies up; anywhere else it ends the program.
//!
//! The runtime takes the signal from the system the first time that somebody listens, and never gives it
//! back. From then on a thread of its own hears it, wherever the program is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};
use std::{process, thread};

use tokio::sync::Notify;

use crate::failure::Failure;
use crate::notices::Notices;
use crate::output::Output;

/// How many listen.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static STOPPED: Notify = Notify::const_new();
static JSON: OnceLock<bool> = OnceLock::new();

/// How failures are told.
pub(crate) fn tell_in_json(json: bool) {
    // There is one command in a process.
    let _ = JSON.set(json);
}

/// Somebody who listens, until it is dropped.
pub(crate) struct Listener(());

impl Listener {
    pub(crate) fn new() -> Self {
        static HEARD: Once = Once::new();
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        // Should there be no thread, the signal does what it does to any program.
        HEARD.call_once(|| drop(thread::Builder::new().name("interrupt".into()).spawn(hear)));
        Self(())
    }

    /// The user has stopped it.
    pub(crate) async fn stopped(&self) {
        STOPPED.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

fn hear() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
        if LISTENERS.load(Ordering::SeqCst) > 0 {
            STOPPED.notify_one();
        } else {
            let failure = Failure::interrupted();
            let json = JSON.get().copied().unwrap_or_default();
            let _ = Output::new(json).failure(&failure, &Notices::default());
            process::exit(failure.exit().into());
        }
    }
}
