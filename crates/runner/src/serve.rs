//! `warg-run serve`: answers HTTP requests, each with an instance of its own.

mod body;
mod request;

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wargate_console::harmless;
use wasmtime::Engine;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use self::request::Service;
use crate::arguments::Serve;
use crate::engine::{self, Turns, Wanted};
use crate::failure::{Failure, note};
use crate::grants::Grants;
use crate::limits::{
    BACK_OFF, CONNECTIONS_MAX, FAREWELL, HEAD_BYTES_MAX, HEAD_PATIENCE, STREAMS_MAX, TURN,
};

const PROXY: Wanted = Wanted {
    interface: "wasi:http/incoming-handler",
    is: "HTTP component",
    other: ("wasi:cli/run", "`warg run` runs it"),
};

/// Serves until the process is told to stop; then what is on its way is still answered.
///
/// # Errors
/// The component cannot be run, or the address cannot be had.
pub(crate) fn serve(options: &Serve) -> Result<(), Failure> {
    let grants = Grants::new(&options.grants)?;
    let name = options.how.name(&options.file);
    let instance = engine::prepare(&options.file, &name, &options.how, Turns::Many, &PROXY)?;
    let engine = instance.engine().clone();
    let proxy = ProxyPre::new(instance)
        .map_err(|error| Failure::unfit(format!("{name} does not fit this host: {error:#}")))?;
    let service = Service {
        name,
        proxy,
        grants,
        memory: options.max_memory,
        time: options.timeout,
        room: Arc::new(Semaphore::new(options.max_requests as usize)),
    };
    // What is wrong with the grants shows now, and not with each request.
    service.host()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    let _turns = turns(engine);
    let done = runtime.block_on(listen(options, Arc::new(service)));
    runtime.shutdown_background();
    done
}

async fn listen(options: &Serve, service: Arc<Service>) -> Result<(), Failure> {
    let address = harmless(&options.listen);
    let failed = |error| {
        Failure::local(format!("cannot listen on {address}: {error}"))
            .hint("`--listen` names another address; port 0 takes one that is free")
    };
    let mut stop = Stop::new().map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    let listener = TcpListener::bind(&options.listen).await.map_err(failed)?;
    announce(
        options,
        &service.name,
        &format!("http://{}/", listener.local_addr().map_err(failed)?),
    );
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let (stops, stopping) = watch::channel(false);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.wait() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                converse(&service, &graceful, stopping.clone(), stream, permit);
            }
            Err(error) => {
                note(&format!("a connection cannot be taken: {error}"));
                // Another one may end until then.
                if tokio::time::timeout(BACK_OFF, stop.wait()).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listener);
    stops.send_replace(true);
    // What an instance still does after its answer belongs to its request.
    let ended = async {
        graceful.shutdown().await;
        service.idle(options.max_requests).await;
    };
    tokio::select! {
        ended = tokio::time::timeout(options.timeout, ended) => if ended.is_err() {
            note("what is on its way was not done in time, and is cut off");
        },
        () = stop.wait() => note("stopped again: what is on its way is cut off"),
    }
    Ok(())
}

/// The next connection, when there is room for one.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers go out at once. A socket that cannot do that still works.
    let _ = stream.set_nodelay(true);
    Ok((stream, permit))
}

/// Answers what comes over a connection.
fn converse(
    service: &Arc<Service>,
    graceful: &GracefulShutdown,
    stopping: watch::Receiver<bool>,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX);
    let head = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_PATIENCE)
        .max_header_list_size(head)
        .max_concurrent_streams(STREAMS_MAX);
    let service = Arc::clone(service);
    let (asks, asked) = watch::channel(false);
    let answer = service_fn(move |request| {
        asks.send_replace(true);
        Arc::clone(&service).answer(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), answer).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            // A client that breaks off, or does not speak HTTP, has only itself to tell.
            _ = connection => {}
            () = silence(stopping, asked) => {}
        }
        drop(permit);
    });
}

/// Ends soon after the stop, if nothing whole was asked until then: nobody waits for the rest of a head.
async fn silence(mut stopping: watch::Receiver<bool>, mut asked: watch::Receiver<bool>) {
    // It is never closed before.
    let _ = stopping.wait_for(|stops| *stops).await;
    if tokio::time::timeout(FAREWELL, asked.wait_for(|asked| *asked)).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

/// Says where it listens: to whoever started it, on standard output.
fn announce(options: &Serve, name: &str, url: &str) {
    let text = match options.json.clone() {
        Some(mut document) => {
            document["url"] = url.into();
            format!("{document:#}")
        }
        None => format!("Serving {} on {url}", harmless(name)),
    };
    // Who closed it does not want to know.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Lets every component that computes give others their turn, and be ended, until the result is dropped.
fn turns(engine: Engine) -> mpsc::Sender<()> {
    let (sender, ended) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        while ended.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
            engine.increment_epoch();
        }
    });
    sender
}

/// The wish that it stops.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // It cannot be told; it can only be ended.
            std::future::pending::<()>().await;
        }
    }
}

/// How long something took, in words of the log.
fn took(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
