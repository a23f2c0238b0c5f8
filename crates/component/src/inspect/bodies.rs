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

/// Files that are walked over at once, each of which may take the memory that one may.
const WALKING_MAX: usize = 2;

/// What is wrong with a file, and which one it is; none if all have too much code together.
pub(crate) type Fault = (Option<usize>, InspectError);

/// Validates all of some files while the caller does other work, and with its help after that. Their code
/// together may take as many steps as that of one file.
///
/// Returns what came of the work, and the fault of the first file that has one, which is the same however
/// many threads there are.
pub(crate) fn validate_beside<T>(
    files: &[&[u8]],
    limits: Limits,
    work: impl FnOnce() -> T,
) -> (T, Result<(), Fault>) {
    let (queue, changed) = (Mutex::default(), Condvar::new());
    let pool = Pool { files, limits, steps: AtomicU64::new(0), queue, changed };
    let others = thread::available_parallelism().map_or(0, |all| all.get().min(THREADS_MAX) - 1);
    let done = thread::scope(|scope| {
        for _ in 0..others {
            // Where the system gives no thread, it goes without.
            let _ = thread::Builder::new().spawn_scoped(scope, || pool.help());
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
    limits: Limits,
    /// How many steps the code of all took.
    steps: AtomicU64,
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
                let result = self.validate(batch, &mut code);
                queue = self.lock();
                queue.note(file, result);
                continue;
            }
            let file = queue.begun;
            let next = self.files.get(file).filter(|_| queue.matters(file));
            match next {
                Some(bytes) if queue.walking < WALKING_MAX => {
                    queue.begun += 1;
                    queue.walking += 1;
                    drop(queue);
                    let result = watched(bytes, self.limits, || Giver::new(self, file));
                    queue = self.lock();
                    queue.walking -= 1;
                    queue.note(file, result);
                    self.changed.notify_all();
                }
                None if queue.walking == 0 => return,
                _ => queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Validates code.
    fn validate(&self, batch: Batch<'_>, code: &mut Code) -> Result<(), InspectError> {
        let left = CODE_STEPS_MAX.saturating_sub(self.steps.load(Ordering::Relaxed));
        code.resume(left, 1);
        let mut offset = 0;
        // What a panic leaves behind is no memory to use again.
        let work = AssertUnwindSafe(|| {
            for (function, body, widest) in batch {
                code.resume(code.left(), widest);
                offset = body.range().start;
                code.validate(function, &body)?;
            }
            Ok(())
        });
        let result = guarded(work).unwrap_or(Err(InspectError::Defect));
        let taken = left - code.left();
        // Others may have taken steps meanwhile.
        if self.steps.fetch_add(taken, Ordering::Relaxed) + taken > CODE_STEPS_MAX {
            return Err(InspectError::TooMuchCode { offset, steps_max: CODE_STEPS_MAX });
        }
        result
    }
}

impl Queue<'_> {
    /// Whether a fault of a file would come before the one that is known.
    fn matters(&self, file: usize) -> bool {
        self.fault.as_ref().is_none_or(|(known, _)| known.is_some_and(|known| file <= known))
    }

    /// Keeps the fault that comes first, whoever found it when, and forgets what would come later.
    fn note(&mut self, file: usize, result: Result<(), InspectError>) {
        let Err(error) = result else { return };
        let fault = match error {
            // Which one it was that went too far says nothing.
            InspectError::TooMuchCode { .. } => (None, error),
            error => (Some(file), error),
        };
        let place = |(file, error): &Fault| (file.unwrap_or(usize::MAX), error.offset());
        if self.fault.as_ref().is_none_or(|known| place(&fault) < place(known)) {
            self.fault = Some(fault);
        }
        let mut batches = std::mem::take(&mut self.batches);
        batches.retain(|(file, _)| self.matters(*file));
        self.batches = batches;
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
        if !queue.matters(self.file) {
            return Ok(());
        }
        if queue.batches.len() < WAITING_MAX {
            queue.batches.push_back((self.file, batch));
            self.pool.changed.notify_one();
            return Ok(());
        }
        drop(queue);
        self.pool.validate(batch, &mut self.code)
    }
}

/// Also if the walk found a fault: one in code before it comes first.
impl Drop for Giver<'_, '_> {
    fn drop(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            self.pool.lock().batches.push_back((self.file, batch));
        }
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

    fn finish(self, _: TypesRef<'_>) -> Result<(), InspectError> {
        Ok(())
    }
}
