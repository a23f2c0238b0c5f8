//! Validation of files by several threads.
//!
//! The bodies of functions take most of the time, and have nothing to do with each other. So who walks over a
//! file puts them in batches, which whoever is free validates.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use wasmparser::types::TypesRef;
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Payload, ValidatorResources,
};

use super::walk::Watch;
use super::{Code, InspectError, Limits, guarded, watched};

/// Code of a batch, in bytes: enough that handing it over takes no time beside validating it.
const BATCH_BYTES: usize = 1 << 15;

/// Functions of a batch.
const BATCH_FUNCTIONS: usize = 1 << 10;

/// Batches that wait.
const WAITING_MAX: usize = 64;

/// Threads at most.
const THREADS_MAX: usize = 8;

/// What is wrong with a file, and which one it is.
pub(crate) type Fault = (usize, InspectError);

/// Validates all of some files while the caller does other work, and with its help after that. There is no
/// limit of steps: whoever calls it has one of time.
///
/// Returns what came of the work, and the fault that comes first, which is one of [`inspect()`](super::inspect()).
pub(crate) fn validate_beside<T>(
    files: &[&[u8]],
    limits: &Limits,
    work: impl FnOnce() -> T,
) -> (T, Result<(), Fault>) {
    let pool = Pool { files, limits: *limits, queue: Mutex::default(), changed: Condvar::new() };
    let others = thread::available_parallelism().map_or(0, |all| all.get().min(THREADS_MAX) - 1);
    let done = thread::scope(|scope| {
        for _ in 0..others {
            scope.spawn(|| pool.help());
        }
        let done = work();
        pool.help();
        done
    });
    let queue = pool.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    (done, queue.fault.map_or(Ok(()), Err))
}

type Batch<'a> = Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>)>;

/// What is to be done, and by whom.
struct Pool<'a> {
    files: &'a [&'a [u8]],
    limits: Limits,
    queue: Mutex<Queue<'a>>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue<'a> {
    /// How many files were begun.
    begun: usize,
    /// How many of them are walked over.
    walking: usize,
    /// Code of files.
    batches: VecDeque<(usize, Batch<'a>)>,
    fault: Option<Fault>,
}

impl<'a> Pool<'a> {
    fn lock(&self) -> MutexGuard<'_, Queue<'a>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what there is to do, until there will be no more.
    fn help(&self) {
        let mut allocations = FuncValidatorAllocations::default();
        let mut queue = self.lock();
        loop {
            if let Some((file, batch)) = queue.batches.pop_front() {
                drop(queue);
                let result = validate(batch, &mut allocations);
                queue = self.lock();
                queue.note(file, result);
            } else if let Some(bytes) = self.files.get(queue.begun) {
                let file = queue.begun;
                queue.begun += 1;
                queue.walking += 1;
                drop(queue);
                let result = watched(bytes, self.limits, || Giver::new(self, file));
                queue = self.lock();
                queue.walking -= 1;
                queue.note(file, result);
                self.changed.notify_all();
            } else if queue.walking == 0 {
                return;
            } else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Queue<'_> {
    /// Keeps the fault that comes first, whoever found it when.
    fn note(&mut self, file: usize, result: Result<(), InspectError>) {
        let Err(error) = result else { return };
        let place = |(file, error): &Fault| (*file, error.offset());
        let fault = (file, error);
        if self.fault.as_ref().is_none_or(|known| place(&fault) < place(known)) {
            self.fault = Some(fault);
        }
    }
}

/// Validates code. `allocations` are memory that one function leaves to the next.
fn validate(
    batch: Batch<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<(), InspectError> {
    // What a panic leaves behind is an empty allocation.
    let work = AssertUnwindSafe(|| {
        for (function, body) in batch {
            let mut function = function.into_validator(std::mem::take(allocations));
            function.validate(&body)?;
            *allocations = function.into_allocations();
        }
        Ok(())
    });
    guarded(work).unwrap_or(Err(InspectError::Defect))
}

/// Walks over a file, and hands over its code.
struct Giver<'p, 'a> {
    pool: &'p Pool<'a>,
    file: usize,
    batch: Batch<'a>,
    bytes: usize,
    allocations: FuncValidatorAllocations,
}

impl<'p, 'a> Giver<'p, 'a> {
    fn new(pool: &'p Pool<'a>, file: usize) -> Self {
        let allocations = FuncValidatorAllocations::default();
        Self { pool, file, batch: Vec::new(), bytes: 0, allocations }
    }

    /// Hands over what there is, or validates it if all have enough to do.
    fn give(&mut self) -> Result<(), InspectError> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let mut queue = self.pool.lock();
        if queue.batches.len() < WAITING_MAX {
            queue.batches.push_back((self.file, batch));
            self.pool.changed.notify_one();
            return Ok(());
        }
        drop(queue);
        validate(batch, &mut self.allocations)
    }
}

impl<'a> Watch<'a> for Giver<'_, 'a> {
    type Kept = ();

    const CODE: bool = true;

    fn see(&mut self, _: usize, _: &Payload<'a>) -> Result<(), InspectError> {
        Ok(())
    }

    fn validate(
        &mut self,
        _: &mut Code,
        function: FuncToValidate<ValidatorResources>,
        body: FunctionBody<'a>,
    ) -> Result<(), InspectError> {
        self.bytes += body.as_bytes().len();
        self.batch.push((function, body));
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FUNCTIONS {
            return self.give();
        }
        Ok(())
    }

    fn finish(mut self, _: TypesRef<'_>) -> Result<(), InspectError> {
        self.give()
    }
}
