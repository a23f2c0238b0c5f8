//! Waiting for futures whose seams are calls of the host: they are ready when they are polled.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future to its end.
pub(crate) fn on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}
