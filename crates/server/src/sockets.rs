//! The service manager: sockets that it passes, and what it is told (systemd's protocols).

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use wargate_registry::Registry;

use crate::data_dir::{DataDir, Held};

/// How long a process that was given its socket waits for the one before it to end. Meanwhile
/// connections wait in the socket.
const PREDECESSOR_PATIENCE: Duration = Duration::from_mins(1);

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The name of the socket for metrics, as the service manager's unit gives it.
const METRICS: &str = "metrics";

/// Sockets that the process was given.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) main: Option<TcpListener>,
    pub(crate) metrics: Option<TcpListener>,
}

impl Passed {
    /// Takes them out of the environment. To be called once, before there are threads.
    #[cfg(unix)]
    pub(crate) fn take() -> Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut given = listenfd::ListenFd::from_env();
        let mut passed = Self::default();
        for number in 0..given.len() {
            let name = names.next().unwrap_or_default();
            let socket = given.take_tcp_listener(number);
            let socket =
                socket.context("a socket that the service manager passes is none for TCP")?;
            let Some(socket) = socket else { continue };
            socket.set_nonblocking(true).context("a socket that was passed cannot be used")?;
            let place = if name == METRICS { &mut passed.metrics } else { &mut passed.main };
            if place.replace(socket).is_some() {
                bail!(
                    "the service manager passes more than one socket for the same use\nhint: one \
                     socket for the registry, and one named `{METRICS}` (FileDescriptorName=)"
                );
            }
        }
        Ok(passed)
    }

    #[cfg(not(unix))]
    pub(crate) fn take() -> Result<Self> {
        Ok(Self::default())
    }

    /// The address that clients connect to, if a socket for them was passed.
    pub(crate) fn address(&self) -> Result<Option<SocketAddr>> {
        let address = self.main.as_ref().map(TcpListener::local_addr).transpose();
        address.context("the socket that was passed has no address")
    }

    /// Takes hold of the data directory. Whoever was given a socket waits for a while: the process
    /// before it may still be ending what it has begun.
    pub(crate) async fn hold(&self, data_dir: &Path) -> Result<DataDir> {
        let until = Instant::now() + PREDECESSOR_PATIENCE;
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waits = false;
        loop {
            looks.tick().await;
            match DataDir::create(data_dir) {
                Err(error)
                    if self.main.is_some() && error.is::<Held>() && Instant::now() < until =>
                {
                    if !waits {
                        waits = true;
                        tell(Word::Waiting);
                        tracing::info!("waiting for the process before, which holds the data");
                    }
                }
                result => return result,
            }
        }
    }
}

/// Whether a service manager wants to be told things.
pub(crate) fn is_managed() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// What the service manager is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Waiting,
    Ready,
    Stopping,
}

/// Tells the service manager, if there is one.
#[cfg(unix)]
pub(crate) fn tell(word: Word) {
    use sd_notify::NotifyState;
    let state: &[NotifyState<'_>] = match word {
        Word::Waiting => &[NotifyState::Status("waiting for the process before")],
        Word::Ready => &[NotifyState::Ready, NotifyState::Status("serving")],
        Word::Stopping => &[NotifyState::Stopping, NotifyState::Status("ending what was begun")],
    };
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(not(unix))]
pub(crate) fn tell(_: Word) {}

/// Tells the service manager again and again that the process works, if it wants to know: the runtime
/// turns, and there are threads for what blocks.
#[cfg(unix)]
pub(crate) async fn watchdog(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((patience / 3).max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // It goes on: ending takes time, too.
            stopped = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                drop(stopped);
            }
        }
        registry.offload(|| ()).await;
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]) {
            tracing::warn!(%error, "the service manager's watchdog cannot be told");
        }
    }
}

#[cfg(not(unix))]
pub(crate) async fn watchdog(_: Arc<Registry>, _: watch::Receiver<bool>) {}
