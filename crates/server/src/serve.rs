//! `wargate serve`: the registry until somebody stops it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use wargate_http::{AllowedHosts, Options, PublicUrl, Sources};
use wargate_protocol::Entry;
use wargate_registry::policy::{ContentKinds, ContentPolicy, ContentRules, RecordPolicy};
use wargate_registry::{Registry, follow};

use crate::admin;
use crate::args::{CommonOptions, ContentKind, ContentSources, ServeOptions};
use crate::config::Config;
use crate::content_store;
use crate::data_dir::{DataDir, admin_socket};
use crate::keys::{self, KeyFiles};
use crate::listener::{self, Door};
use crate::metrics::{self, Exposition, Metrics, Source};
use crate::process::{self, BlockingThreads, Opened, Setup};
use crate::seed::SeedPolicy;
use crate::sockets::{self, Passed, Word};
use crate::sources::Fetcher;
use crate::telemetry;
use crate::tls::Tls;

/// Threads for what waits for files. Each keeps memory of its own, and more of them than disk and
/// processors can serve only wait for each other.
const BLOCKING_THREADS_MAX: usize = 8;

/// Threads that answer. Some of them may wait for a page of the database that is not in memory.
fn workers() -> usize {
    2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// The command.
pub(crate) fn run(common: &CommonOptions, options: &ServeOptions) -> Result<()> {
    let passed = Passed::take()?;
    let config = Config::new(common, options, passed.address()?)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .enable_all()
        .worker_threads(workers())
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()?;
    runtime.block_on(async {
        let metrics = Arc::new(Metrics::new());
        let traces = telemetry::start(&config, &metrics)?;
        let served = serve(config, passed, metrics, traces.is_some()).await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        served
    })
}

async fn serve(config: Config, passed: Passed, metrics: Arc<Metrics>, traces: bool) -> Result<()> {
    let tls = config.operations.tls.clone();
    let tls = tls.map(|files| Tls::new(files, &metrics)).transpose()?.map(Arc::new);
    let data_dir = passed.hold(&config.data_dir).await?;
    let is_passed = passed.main.is_some();
    // Before anything is written: a port in use is the most frequent reason not to start.
    let listener =
        listen(passed.main, Some(config.listen)).await?.context("no address is given")?;
    let address = listener.local_addr()?;
    let metrics_listener = listen(passed.metrics, config.operations.metrics_listen).await?;
    content_store::choose(&data_dir, config.content_store.as_deref())?;
    let files = KeyFiles::new(&data_dir, config.operator_key_file.clone());
    let offload = Arc::new(BlockingThreads::current());
    let setup = setup(&config, &files.seed);
    let opened = process::open(&data_dir, files, setup, Some(offload), Some(&metrics))?;
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
    let beside = beside(&registry, &config, &stop);
    let mut options = front(&config, address, &opened)?;
    options.sources = sources(&config, &registry, &data_dir, &stop)?;
    let (url, hosts) = (options.public_url.clone(), options.hosts.clone());
    let router = wargate_http::router(Arc::clone(&registry), options);
    let source = Source { registry: Arc::clone(&registry), data_dir: data_dir.path().to_owned() };
    let shown = Exposition { metrics: Arc::clone(&metrics), source, hosts };
    let router = if config.alone { router.merge(shown.clone().router()) } else { router };
    let metrics_address = metrics_listener.map(|listener| {
        metrics::listen(listener, Exposition { hosts: AllowedHosts::Any, ..shown }, stop.clone())
    });
    tend_certificate(tls.as_ref(), &metrics, &stop)?;
    greet(&config, address, metrics_address.transpose()?, &url, &opened)?;
    tokio::spawn(sockets::watchdog(Arc::clone(&registry), stop.clone()));
    sockets::tell(Word::Ready);

    let door = Door {
        listener,
        passed: is_passed,
        router,
        tls,
        metrics,
        traces,
        access_log: true,
        connections_max: config.connections_max,
        shutdown_grace: config.shutdown_grace,
        patience: config.abuse.patience,
    };
    let why = listener::serve(door, reason(stop, ended)).await;
    registry.close();
    beside.iter().for_each(tokio::task::JoinHandle::abort);
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

/// Who fetches content from where publishers have it, if anybody does.
fn sources(
    config: &Config,
    registry: &Arc<Registry>,
    data_dir: &DataDir,
    stop: &watch::Receiver<bool>,
) -> Result<Option<Arc<dyn Sources>>> {
    if config.elsewhere.sources == ContentSources::None {
        return Ok(None);
    }
    let (registry, allowed) = (Arc::clone(registry), config.elsewhere.allow.clone());
    let refers = config.elsewhere.sources == ContentSources::Refer;
    let fetcher = Fetcher::start(registry, data_dir.path(), allowed, refers, stop.clone())?;
    Ok(Some(Arc::new(fetcher)))
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
            sockets::tell(Word::Stopping);
            Reason::Asked
        }
        // Nothing is ever sent: the thread drops its end, also in a panic.
        _ = ended => {
            tracing::error!("the sequencer's thread has ended; stopping, as nothing can be written");
            Reason::NoWriter
        }
    }
}

/// Listens: on a socket that was passed, else at an address, if there is one.
async fn listen(
    passed: Option<std::net::TcpListener>,
    at: Option<SocketAddr>,
) -> Result<Option<TcpListener>> {
    if let Some(passed) = passed {
        let listener = TcpListener::from_std(passed);
        return listener.map(Some).context("the socket that was passed cannot be used");
    }
    let Some(at) = at else { return Ok(None) };
    let listener = TcpListener::bind(at).await.with_context(|| {
        format!(
            "cannot listen on {at}\nhint: another program, perhaps another wargate, may have the port; \
             --listen IP:PORT takes another one"
        )
    });
    listener.map(Some)
}

fn setup(config: &Config, seed_key: &Path) -> Setup {
    let keys = config.authorized_keys.clone();
    let keys = keys.map(|keys| -> Arc<dyn RecordPolicy> {
        Arc::new(SeedPolicy::new(Arc::new(keys), seed_key))
    });
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

/// What is done beside serving.
fn beside(
    registry: &Arc<Registry>,
    config: &Config,
    stop: &watch::Receiver<bool>,
) -> [tokio::task::JoinHandle<()>; 2] {
    let tend = tend(Arc::clone(registry), config.checkpoint_interval, stop.clone());
    [tokio::spawn(tend), tokio::spawn(follow(Arc::clone(registry), stop.clone()))]
}

/// Keeps the index up with the log.
async fn follow(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    /// What comes within this time is taken in together, so that publishers are hardly disturbed.
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);
    /// How many pauses to wait after a failure.
    const SETBACK: u32 = 20;
    let mut changes = registry.changes();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let reader = Arc::clone(&registry);
        let pauses = match registry.offload(move || follow::step(&reader)).await {
            Ok(true) => continue,
            Ok(false) => 1,
            Err(error) => {
                tracing::warn!(%error, "the index cannot follow the log; it will be tried again");
                SETBACK
            }
        };
        let rest = async {
            // After a failure there is something to do already.
            if pauses == 1 {
                let _ = changes.changed().await;
            }
            for _ in 0..pauses {
                ticks.tick().await;
            }
        };
        tokio::select! {
            () = rest => {}
            _ = stop.wait_for(|stop| *stop) => return,
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

/// Has the certificate replaced while the registry runs.
fn tend_certificate(
    tls: Option<&Arc<Tls>>,
    metrics: &Arc<Metrics>,
    stop: &watch::Receiver<bool>,
) -> Result<()> {
    // A terminal that is closed ends the process, as it does any other.
    let reloads = tls.is_some() || sockets::is_managed();
    let asked = reloads.then(reload_on_signal).transpose()?;
    if let (Some(tls), Some(asked)) = (tls, asked) {
        tokio::spawn(Arc::clone(tls).tend(Arc::clone(metrics), asked, stop.clone()));
    }
    Ok(())
}

/// SIGHUP, as a number that grows.
#[cfg(unix)]
fn reload_on_signal() -> Result<watch::Receiver<u64>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(0);
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            sender.send_modify(|count| *count += 1);
        }
    });
    Ok(receiver)
}

#[cfg(not(unix))]
fn reload_on_signal() -> Result<watch::Receiver<u64>> {
    Ok(watch::channel(0).1)
}

fn front(config: &Config, address: SocketAddr, opened: &Opened) -> Result<Options> {
    let url = match &config.public_url {
        Some(url) => url.clone(),
        None if config.operations.tls.is_some() => format!("https://{address}/").parse()?,
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
    let content_redirect = config.elsewhere.redirect;
    let options = Options { hosts, throttling, content_redirect, ..Options::new(url) };
    let note = keys::note_signer(opened.keys.files(), &options.origin)?;
    Ok(Options { note: Some(note), ..options })
}

/// Says where the registry is and what to type next.
fn greet(
    config: &Config,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    url: &PublicUrl,
    opened: &Opened,
) -> Result<()> {
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
    if let Some(metrics) = metrics {
        writeln!(out, "  metrics       http://{metrics}/metrics")?;
    }
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
