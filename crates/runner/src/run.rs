//! `warg-run run`: a command, which ends as it says itself.

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::arguments::Run;
use crate::engine::{self, Turns, Wanted};
use crate::failure::Failure;
use crate::grants::Grants;
use crate::host::Host;
use crate::trap;

const COMMAND: Wanted = Wanted {
    interface: "wasi:cli/run",
    is: "command",
    other: ("wasi:http/incoming-handler", "`warg serve` has it answer HTTP requests"),
};

/// The command.
///
/// # Errors
/// It cannot be run, it trapped, or its time was over.
pub(crate) fn run(options: &Run) -> Result<ExitCode, Failure> {
    let grants = Grants::new(&options.grants)?;
    let name = options.how.name(&options.file);
    let instance = engine::prepare(&options.file, &name, &options.how, Turns::None, &COMMAND)?;
    let arguments: Vec<String> = [&name].into_iter().chain(&options.arguments).cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(async {
        let host = Host::of_command(&grants, &arguments, options.max_memory)?;
        let _watch = options.timeout.map(|timeout| watch(&name, timeout));
        execute(&name, &instance, host).await
    });
    // Nobody waits for what it has left behind, such as a read from the terminal.
    runtime.shutdown_background();
    ended
}

async fn execute(
    name: &str,
    instance: &InstancePre<Host>,
    host: Host,
) -> Result<ExitCode, Failure> {
    let mut store = Store::new(instance.engine(), host);
    store.limiter(|host| &mut host.memory);
    let done = async {
        let command = CommandPre::new(instance.clone())?.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    match done.await {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => {
                Ok(u8::try_from(*code).map_or(ExitCode::FAILURE, ExitCode::from))
            }
            None => Err(trap::explain(name, &error, &store.data().memory)),
        },
    }
}

/// Ends the process when its time is over, whatever it does then, unless the result is dropped before.
fn watch(name: &str, timeout: Duration) -> Sender<()> {
    let (sender, ended) = mpsc::channel::<()>();
    let time = humantime::format_duration(timeout);
    let failure = Failure::timeout(format!("{name} was not done after {time}, and was ended"));
    let failure = failure.hint("`--timeout` gives it more time");
    std::thread::spawn(move || {
        if ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            failure.tell(None);
            std::process::exit(124);
        }
    });
    sender
}
