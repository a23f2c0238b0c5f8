//! `wargate serve`: the registry until somebody stops it.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tracing_subscriber::EnvFilter;
use wargate_http::{AllowedHosts, Options, PublicUrl};
use wargate_protocol::Entry;
use wargate_registry::Registry;
use wargate_registry::policy::{ContentKinds, ContentPolicy, ContentRules, RecordPolicy};

use crate::admin;
use crate::args::{CommonOptions, ContentKind, LogFormat, ServeOptions};
use crate::config::Config;
use crate::data_dir::{DataDir, admin_socket};
use crate::keys::{self, KeyFiles};
use crate::listener::{self, Front};
use crate::process::{self, BlockingThreads, Opened, Setup};

/// Threads for what waits for the disk. Each keeps memory of its own, and more of them than disk and
/// processors can serve only wait for each other.
const BLOCKING_THREADS_MAX: usize = 32;

/// The command.
pub(crate) fn run(common: &CommonOptions, options: &ServeOptions) -> Result<()> {
    let config = Config::new(common, options)?;
    log_to_stderr(&config)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()?;
    runtime.block_on(serve(config))
}

fn log_to_stderr(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("{:?} is no log level (try info or debug)", config.log))?;
    // What cannot be written, to a full disk for example, is lost. To complain of it would be a panic.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    let builder = builder.with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

async fn serve(config: Config) -> Result<()> {
    let data_dir = DataDir::create(&config.data_dir)?;
    // Before anything is written: a port in use is the most frequent reason not to start.
    let listener = listen(config.listen).await?;
    let address = listener.local_addr()?;
    let files = KeyFiles::new(&data_dir, config.operator_key_file.clone());
    let offload = Arc::new(BlockingThreads::current());
    let opened = process::open(&data_dir, files, setup(&config), Some(offload))?;
    let registry = Arc::clone(&opened.registry);
    let sequencer = Arc::clone(&registry);
    let (sequencer, ended) = in_thread("sequencer", move || sequencer.drive())?;
    define_namespaces(&registry, &config).await?;
    if let Err(error) = admin::retire(&registry, &opened.keys).await {
        // It can serve, but the operator has to know.
        tracing::error!("a key that was replaced may still be permitted something: {error:#}");
    }

    let stop = stop_on_signal()?;
    let admin = admin::listen(&admin_socket(data_dir.path()), &opened, stop.clone())?;
    let tender =
        tokio::spawn(tend(Arc::clone(&registry), config.checkpoint_interval, stop.clone()));
    let options = front(&config, address, &opened)?;
    let url = options.public_url.clone();
    let router = wargate_http::router(Arc::clone(&registry), options);
    greet(&config, address, &url, &opened)?;

    let front = Front {
        connections_max: config.connections_max,
        shutdown_grace: config.shutdown_grace,
        patience: config.abuse.patience,
    };
    let why = listener::serve(listener, router, &front, reason(stop, ended)).await;
    registry.close();
    tender.abort();
    admin.close();
    if sequencer.join().is_err() {
        tracing::error!("the sequencer's thread ended in a panic");
    }
    if why == Reason::NoWriter {
        bail!(
            "the registry stopped by itself, because nobody wrote any more\nhint: start it again; the log says more"
        );
    }
    tracing::info!("stopped; everything that was acknowledged is kept");
    Ok(())
}

/// Why the registry stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Asked,
    /// The sequencer's thread has ended. Without it nothing can be published, and to go on would
    /// only hide that.
    NoWriter,
}

/// Waits until there is a reason to stop.
async fn reason(mut stop: watch::Receiver<bool>, ended: oneshot::Receiver<()>) -> Reason {
    tokio::select! {
        biased;
        // The sender lives as long as the process listens to signals.
        _ = stop.wait_for(|stop| *stop) => {
            tracing::info!("stopping: no more requests are taken");
            Reason::Asked
        }
        // Nothing is ever sent: the thread drops its end, also in a panic.
        _ = ended => {
            tracing::error!("the sequencer's thread has ended; stopping, as nothing can be written");
            Reason::NoWriter
        }
    }
}

async fn listen(at: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| {
        format!(
            "cannot listen on {at}\nhint: another program, perhaps another wargate, may have the port; \
             --listen IP:PORT takes another one"
        )
    })
}

fn setup(config: &Config) -> Setup {
    let keys = config.authorized_keys.clone();
    let keys = keys.map(|keys| -> Arc<dyn RecordPolicy> { Arc::new(keys) });
    let takes = |kind| config.content.contains(&kind);
    let rules = ContentRules {
        kinds: ContentKinds {
            components: takes(ContentKind::Component),
            modules: takes(ContentKind::Module),
            wit_packages: takes(ContentKind::Wit),
        },
        compare_names: true,
    };
    let content: Vec<Arc<dyn ContentPolicy>> =
        if takes(ContentKind::Any) { Vec::new() } else { vec![Arc::new(rules)] };
    let namespaces = config.namespaces.iter();
    Setup {
        limits: config.limits,
        quotas: config.abuse.quotas.clone(),
        record_policies: keys.into_iter().collect(),
        content_policies: content,
        define_namespaces: config.define_namespaces,
        entries: namespaces.map(|name| Entry::define_namespace(name.as_str())).collect(),
    }
}

/// A thread of its own, as the sequencer needs: it waits for the disk most of the time. The receiver
/// resolves when it ends, however it does.
fn in_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<(thread::JoinHandle<()>, oneshot::Receiver<()>)> {
    let (alive, ended) = oneshot::channel();
    let work = move || {
        let _alive: oneshot::Sender<()> = alive;
        work();
    };
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    Ok((thread.context("cannot start a thread")?, ended))
}

/// Namespaces of the configuration that a registry from before does not know yet (specification 20.3,
/// N13).
async fn define_namespaces(registry: &Arc<Registry>, config: &Config) -> Result<()> {
    for namespace in &config.namespaces {
        let name = namespace.clone();
        let reader = Arc::clone(registry);
        if registry.offload(move || reader.namespace(&name)).await?.is_none() {
            let entry = Entry::define_namespace(namespace.as_str());
            let index = registry.operate(vec![entry]).await;
            let index =
                index.with_context(|| format!("cannot define the namespace {namespace}"))?;
            tracing::info!(%namespace, %index, "defined a namespace");
        }
    }
    Ok(())
}

/// Signs the checkpoint of an idle registry again, so that clients can tell a quiet registry from a
/// frozen one.
async fn tend(
    registry: Arc<Registry>,
    interval: std::time::Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = registry.tend().await {
            tracing::warn!(%error, "the registry could not be tended; it will be tried again");
        }
    }
}

fn stop_on_signal() -> Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            sender.send_replace(true);
            // Whoever asks twice is in a hurry, and loses nothing that was acknowledged.
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        sender.send_replace(true);
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

fn front(config: &Config, address: SocketAddr, opened: &Opened) -> Result<Options> {
    let url = match &config.public_url {
        Some(url) => url.clone(),
        None => format!("http://{address}/").parse()?,
    };
    let hosts = if config.loopback {
        let own = [url.authority().to_owned(), address.to_string(), address.ip().to_string()];
        let names = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned);
        AllowedHosts::Only(names.into_iter().chain(own).collect())
    } else {
        AllowedHosts::Any
    };
    let throttling = config.abuse.throttling.clone();
    let options = Options { hosts, throttling, ..Options::new(url) };
    let note = keys::note_signer(opened.keys.files(), &options.origin)?;
    Ok(Options { note: Some(note), ..options })
}

/// Says where the registry is and what to type next.
fn greet(config: &Config, address: SocketAddr, url: &PublicUrl, opened: &Opened) -> Result<()> {
    use wargate_registry::seams::Signer;
    let newest = opened.registry.newest();
    let (url, key) = (url.as_str(), opened.keys.operator_key().id());
    let made = if opened.new_key { "  (made just now)" } else { "" };
    let policy = match (&config.authorized_keys, config.define_namespaces) {
        (Some(_), _) => "the keys in the file of authorised keys",
        (None, true) => "every key; a namespace is defined when somebody first publishes into it",
        (None, false) => "every key, in the namespaces that are defined",
    };
    let mut out = io::stdout().lock();
    writeln!(out, "Wargate {} is ready.\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  registry      {url}")?;
    writeln!(out, "  listening on  {address}")?;
    writeln!(out, "  data          {}", config.data_dir.display())?;
    writeln!(out, "  operator key  {key}{made}")?;
    let length = newest.committed.length();
    let plural = if length.get() == 1 { "" } else { "s" };
    writeln!(out, "  log           {length} record{plural}")?;
    writeln!(out, "  may publish   {policy}\n")?;
    // Whoever runs it out of the repository finds there what they need.
    let (warg, file) = match std::env::var_os("CARGO") {
        Some(_) => ("cargo warg", "testdata/components/greeter-rust.wasm"),
        None => ("warg", "hello.wasm"),
    };
    writeln!(out, "Next, in another terminal, make a key, publish a component and get it back:\n")?;
    writeln!(out, "  {warg} login --no-token --registry {url}")?;
    writeln!(out, "  {warg} publish {file} --name my:hello --release 0.1.0")?;
    writeln!(out, "  {warg} get my:hello -o copy.wasm\n")?;
    writeln!(out, "Ctrl-C stops the registry. What it has acknowledged is kept.")?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_ends_is_a_reason_to_stop_and_so_is_being_asked() {
        for work in [|| (), || panic!("as it may happen")] {
            let (_asked, stop) = watch::channel(false);
            let (thread, ended) = in_thread("test", work).unwrap();
            assert_eq!(reason(stop, ended).await, Reason::NoWriter);
            let _ = thread.join();
        }
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (thread, ended) = in_thread("test", move || assert!(held.recv().is_err())).unwrap();
        let (asked, stop) = watch::channel(false);
        asked.send_replace(true);
        assert_eq!(reason(stop, ended).await, Reason::Asked);
        drop(release);
        thread.join().unwrap();
    }
}
