//! Belt and braces: nothing may panic, and if something does, whoever asked is told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::answer::Answer;
use crate::problem::Problem;

/// Answers with 500 if the work panics. Where panics abort, this does nothing.
pub(crate) async fn caught(work: impl Future<Output = Answer>) -> Answer {
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| {
        // What the work holds is dropped with it and not looked at again; what it shares with others,
        // the engine guards itself.
        let poll = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        poll.unwrap_or_else(|_| {
            tracing::error!("a handler panicked");
            Poll::Ready(Err(Problem::internal()))
        })
    })
    .await
}
