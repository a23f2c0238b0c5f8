//! Commands that wait for the sequencer's next step.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::WriteError;
use crate::limits::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, QUEUE_BYTES_MAX, QUEUE_COMMANDS_MAX};
use crate::sequencer::{Command, Outcome, Unfinished};

/// How long to wait before a step that failed is tried again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where an answer goes.
pub(super) type Answer = oneshot::Sender<Result<Outcome, WriteError>>;

/// A bounded queue. What comes while a step is under way waits for the next one, so that the batch
/// grows with the load.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(Command, Answer)>,
    /// What all that waits takes, in bytes.
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Adds a command. The receiver gets what becomes of it.
    pub(super) fn push(
        &self,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Outcome, WriteError>>, WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Busy("it is shutting down"));
        }
        let bytes = inner.bytes + command.bytes();
        let full = inner.waiting.len() >= QUEUE_COMMANDS_MAX || bytes > QUEUE_BYTES_MAX;
        if full && !inner.waiting.is_empty() {
            return Err(WriteError::Busy("too many records are being published"));
        }
        let (answer, answered) = oneshot::channel();
        inner.waiting.push_back((command, answer));
        inner.bytes = bytes;
        drop(inner);
        self.arrived.notify_one();
        Ok(answered)
    }

    /// The oldest commands, at most [`BATCH_COMMANDS_MAX`] with [`BATCH_BYTES_MAX`] bytes but at least
    /// one, and where their answers go.
    pub(super) fn take(&self) -> (Vec<Command>, Vec<Answer>) {
        let mut inner = self.lock();
        let (mut taken, mut bytes) = ((Vec::new(), Vec::new()), 0);
        while let Some((command, _)) = inner.waiting.front() {
            let more = command.bytes();
            let full = taken.0.len() >= BATCH_COMMANDS_MAX || bytes + more > BATCH_BYTES_MAX;
            if full && !taken.0.is_empty() {
                break;
            }
            bytes += more;
            taken.extend(inner.waiting.pop_front());
        }
        inner.bytes -= bytes;
        taken
    }

    /// Waits for a command, or until what is unfinished is worth a try. `false` if the queue was closed
    /// and is empty.
    pub(super) fn wait(&self, unfinished: Unfinished) -> bool {
        let idle = |inner: &mut Inner| inner.waiting.is_empty() && !inner.closed;
        let inner = self.lock();
        let inner = match unfinished {
            Unfinished::Backlog => inner,
            Unfinished::Nothing => {
                self.arrived.wait_while(inner, idle).unwrap_or_else(PoisonError::into_inner)
            }
            Unfinished::Failed => {
                let waited = self.arrived.wait_timeout_while(inner, PATIENCE, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        !(inner.closed && inner.waiting.is_empty())
    }

    /// How many commands wait.
    pub(super) fn len(&self) -> u64 {
        self.lock().waiting.len() as u64
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Nothing can be half done when the lock is released.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
