//! What whoever serves the router and the router tell each other, beside requests and answers.

/// Which route answered. In the extensions of each answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The route's path with its parameters in braces, so one of a few; empty if there is none.
    pub route: &'static str,
    /// Whether the route publishes.
    pub writes: bool,
}

/// A record that came with the request is in the log, and a checkpoint shows it. In the extensions of
/// the answer to such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provable;

/// The target of spans that only traces show: what a request spends its time on.
pub const TRACE_TARGET: &str = "wargate::trace";
