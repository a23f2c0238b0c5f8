//! Validation of files by several threads.
//!
//! The bodies of functions take most of the time, and have nothing to do with each other. So who walks over a
//! file puts them in batches, which whoever is free validates.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use wasmparser::types::TypesRef;
use wasmparser::{FuncToValidate, FunctionBody, Payload, ValidatorResources};

use super::walk::Watch;
use super::{Code, InspectError, Limits, guarded, watched};
use crate::limits::CODE_STEPS_MAX;

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

/// Validates all of some files while the caller does other work, and with its help after that.
///
/// Returns what came of the work, and the fault that comes first, which is one of [`inspect()`](super::inspect()).
pub(crate) fn validate_beside<T>(
    files: &[&[u8]],
    limits: &Limits,
    work: impl FnOnce() -> T,
) -> (T, Result<(), Fault>) {
    let left = files.iter().map(|_| AtomicU64::new(CODE_STEPS_MAX)).collect();
    let (queue, changed) = (Mutex::default(), Condvar::new());
    let pool = Pool { files, left, limits: *limits, queue, changed };
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

/// Functions, each with the most values of a type in its module.
type Batch<'a> = Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>, usize)>;

/// What is to be done, and by whom.
struct Pool<'a> {
    files: &'a [&'a [u8]],
    /// The steps that are left for the code of each.
    left: Vec<AtomicU64>,
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
        let mut code = Code::new();
        let mut queue = self.lock();
        loop {
            if let Some((file, batch)) = queue.batches.pop_front() {
                drop(queue);
                let result = self.validate(file, batch, &mut code);
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

impl Pool<'_> {
    /// Validates code of a file. Threads that do so at once may each take
    /// what is left.
    fn validate(&self, file: usize, batch: Batch<'_>, code: &mut Code) -> Result<(), InspectError> {
        let Some(left) = self.left.get(file) else { return Err(InspectError::Defect) };
        let before = left.load(Ordering::Relaxed);
        code.resume(before, 1);
        // What a panic leaves behind is no memory to use again.
        let work = AssertUnwindSafe(|| {
            for (function, body, widest) in batch {
                code.resume(code.left(), widest);
                code.validate(function, &body)?;
            }
            Ok(())
        });
        let result = guarded(work).unwrap_or(Err(InspectError::Defect));
        let taken = before - code.left();
        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| {
            Some(it.saturating_sub(taken))
        });
        result
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

/// Walks over a file, and hands over its code.
struct Giver<'p, 'a> {
    pool: &'p Pool<'a>,
    file: usize,
    batch: Batch<'a>,
    bytes: usize,
    code: Code,
}

impl<'p, 'a> Giver<'p, 'a> {
    fn new(pool: &'p Pool<'a>, file: usize) -> Self {
        Self { pool, file, batch: Vec::new(), bytes: 0, code: Code::new() }
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
        self.pool.validate(self.file, batch, &mut self.code)
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
        code: &mut Code,
        function: FuncToValidate<ValidatorResources>,
        body: FunctionBody<'a>,
    ) -> Result<(), InspectError> {
        self.bytes += body.as_bytes().len();
        self.batch.push((function, body, code.widest()));
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FUNCTIONS {
            return self.give();
        }
        Ok(())
    }

    fn finish(mut self, _: TypesRef<'_>) -> Result<(), InspectError> {
        self.give()
    }
}
