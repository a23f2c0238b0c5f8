//! Stores that fail on purpose, so that tests can say "the third commit fails, and was made after
//! all".
//!
//! [`FaultyStore`] and [`FaultyBlobs`] stand in front of any other store and pass every call on. They
//! count the calls of each method, and fail those that a [`Plan`] names, either instead of passing
//! them on or after. The plan is shared: the test keeps one end and the store has the other.
//!
//! [`MemoryBlobs`] keeps content in memory.

mod blobs;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::blobs::{FaultyBlobs, MemoryBlobs};
pub use self::store::FaultyStore;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// [`Store::commit`](wargate_registry::store::Store::commit)
    Commit,
    /// Any method of [`Ledger`](wargate_registry::store::Ledger)
    Ledger,
    /// Any method of [`Pending`](wargate_registry::store::Pending)
    Pending,
    /// Any method of [`Nodes`](wargate_registry::store::Nodes) that reads
    Nodes,
    /// [`Nodes::prune`](wargate_registry::store::Nodes::prune)
    Prune,
    /// [`Blobs::spool`](wargate_registry::blobs::Blobs::spool)
    Spool,
    /// [`Blobs::keep`](wargate_registry::blobs::Blobs::keep)
    Keep,
    /// [`Blobs::open`](wargate_registry::blobs::Blobs::open)
    Open,
    /// [`Blobs::remove`](wargate_registry::blobs::Blobs::remove)
    Remove,
    /// [`Blobs::list`](wargate_registry::blobs::Blobs::list)
    List,
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Instead of its work.
    Before,
    /// After its work, which stays done.
    After,
}

/// Which calls fail. A copy is the same plan.
#[derive(Clone, Debug, Default)]
pub struct Plan(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_off: bool,
    /// Calls so far.
    calls: BTreeMap<Method, usize>,
    /// Calls that fail, by their number from 1.
    planned: BTreeMap<(Method, usize), Moment>,
    /// Methods that always fail.
    down: BTreeMap<Method, Moment>,
    /// How many more bytes spools take, all together.
    spool_bytes: Option<usize>,
    failures: usize,
}

impl Plan {
    /// Nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// The `number`-th call of a method from now on (1 is the next) fails, once.
    pub fn fail(&self, method: Method, number: usize, moment: Moment) {
        let mut state = self.state();
        let number = state.calls.get(&method).copied().unwrap_or_default() + number;
        state.planned.insert((method, number), moment);
    }

    /// Every call of a method fails, until [`Self::clear`].
    pub fn break_down(&self, method: Method, moment: Moment) {
        self.state().down.insert(method, moment);
    }

    /// The medium is full after so many more bytes of spools, until [`Self::clear`]. Those that fit are
    /// written.
    pub fn fill_after(&self, bytes: usize) {
        self.state().spool_bytes = Some(bytes);
    }

    /// Nothing fails any more that is not planned from here on. Counters stay.
    pub fn clear(&self) {
        let mut state = self.state();
        state.planned.clear();
        state.down.clear();
        state.spool_bytes = None;
    }

    /// Switches failures on or off; at first they are on. Calls are counted all the same.
    pub fn switch(&self, on: bool) {
        self.state().is_off = !on;
    }

    /// How often a method was called.
    pub fn calls(&self, method: Method) -> usize {
        self.state().calls.get(&method).copied().unwrap_or_default()
    }

    /// How many calls have failed on purpose.
    pub fn failures(&self) -> usize {
        self.state().failures
    }

    /// Does the work of a call, or fails, or both.
    fn call<T, E>(
        &self,
        method: Method,
        failure: impl FnOnce() -> E,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self.count(method) {
            None => work(),
            Some(Moment::Before) => Err(failure()),
            Some(Moment::After) => work().and_then(|_| Err(failure())),
        }
    }

    /// Counts a call, and says whether it fails.
    fn count(&self, method: Method) -> Option<Moment> {
        let mut state = self.state();
        let calls = state.calls.entry(method).or_default();
        *calls += 1;
        let number = *calls;
        let once = state.planned.remove(&(method, number));
        let moment = once.or_else(|| state.down.get(&method).copied()).filter(|_| !state.is_off);
        state.failures += usize::from(moment.is_some());
        moment
    }

    /// How many of so many bytes of a spool still fit.
    fn fitting(&self, bytes: usize) -> usize {
        let mut state = self.state();
        let is_off = state.is_off;
        let Some(left) = state.spool_bytes.as_mut().filter(|_| !is_off) else { return bytes };
        let fitting = bytes.min(*left);
        *left -= fitting;
        state.failures += usize::from(fitting < bytes);
        fitting
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
