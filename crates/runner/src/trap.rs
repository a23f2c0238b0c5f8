//! Why a component ended before it was done.

use wasmtime::{Trap, WasmBacktrace};

use crate::failure::Failure;
use crate::host::Memory;
use crate::limits::{FUNCTION_CHARACTERS_MAX, TRACE_LINES_MAX};

/// A component that trapped, or that the host had to end.
pub(crate) fn explain(name: &str, error: &wasmtime::Error, memory: &Memory) -> Failure {
    let mut message = match error.downcast_ref::<Trap>() {
        Some(trap) => {
            let trap = trap.to_string();
            format!("{name} trapped: {}", trap.strip_prefix("wasm trap: ").unwrap_or(&trap))
        }
        None if error.is::<WasmBacktrace>() => format!("{name} failed: {}", error.root_cause()),
        None => format!("{name} failed: {error:#}"),
    };
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        // Numbers of functions say nothing to anybody.
        let functions: Vec<&str> =
            trace.frames().iter().filter_map(wasmtime::FrameInfo::func_name).collect();
        for function in functions.iter().take(TRACE_LINES_MAX) {
            let function: String = function.chars().take(FUNCTION_CHARACTERS_MAX).collect();
            message += &format!("\n  in {function}");
        }
        if functions.len() > TRACE_LINES_MAX {
            message += &format!("\n  and {} more", functions.len() - TRACE_LINES_MAX);
        }
    }
    let failure = Failure::trap(message);
    if memory.was_refused {
        return failure
            .hint("it asked for more memory than it may have: `--max-memory` gives it more");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => failure.hint("it called itself too often"),
        _ => failure.hint("the fault is in the component, or in what it was given"),
    }
}
