//! How an operator reaches a running registry: a socket in the data directory that only its owner
//! can open. One JSON line asks, one JSON line answers.

mod request;

use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
#[cfg(unix)]
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use wargate_registry::Registry;

pub(crate) use self::request::{Answer, Report, Request, perform, retire};
use crate::keys::KeyRing;
use crate::pause::Switch;
use crate::process::Opened;

/// Longest request in bytes.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// What an operator works with.
pub(crate) struct Desk {
    pub(crate) registry: Arc<Registry>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) switch: Switch,
}

impl Desk {
    pub(crate) fn of(opened: &Opened) -> Self {
        Self {
            registry: Arc::clone(&opened.registry),
            keys: Arc::clone(&opened.keys),
            switch: opened.switch.clone(),
        }
    }
}

/// The socket of a running server. It vanishes with the value.
#[derive(Debug)]
pub(crate) struct Socket {
    #[cfg(unix)]
    path: Option<PathBuf>,
}

impl Socket {
    /// Takes the socket away.
    pub(crate) fn close(self) {
        #[cfg(unix)]
        if let Some(path) = self.path
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "the admin socket could not be removed");
        }
    }
}

/// Listens for the operator until `stop`.
#[cfg(unix)]
pub(crate) fn listen(path: &Path, opened: &Opened, stop: watch::Receiver<bool>) -> Result<Socket> {
    // The lock on the data directory is ours, so a socket that is there is left over.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    // The folder need not be the owner's alone, so the mode says it, and `accept` once more.
    let listener = match UnixListener::bind(path) {
        Ok(listener) => listener,
        Err(error) => {
            // Paths of sockets are short. The registry does without: `operator` says what to do.
            tracing::warn!(%error, path = %path.display(), "no admin socket: stop the server to operate it");
            return Ok(Socket { path: None });
        }
    };
    crate::data_dir::only_for_owner(path, 0o600)
        .with_context(|| format!("cannot protect {}", path.display()))?;
    let owner = std::fs::metadata(path)
        .with_context(|| format!("cannot look at {}", path.display()))
        .map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata))?;
    let desk = Desk::of(opened);
    tokio::spawn(accept(listener, owner, desk, stop));
    Ok(Socket { path: Some(path.to_owned()) })
}

#[cfg(not(unix))]
pub(crate) fn listen(_: &Path, _: &Opened, _: watch::Receiver<bool>) -> Result<Socket> {
    Ok(Socket {})
}

#[cfg(unix)]
async fn accept(listener: UnixListener, owner: u32, desk: Desk, mut stop: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match stream {
            // Somebody who came before the socket had its mode.
            Ok((stream, _))
                if !stream.peer_cred().is_ok_and(|peer| [owner, 0].contains(&peer.uid())) =>
            {
                tracing::warn!("somebody who is not the owner tried to be the operator");
            }
            Ok((stream, _)) => {
                let answered = answer(stream, &desk).await;
                if let Err(error) = answered {
                    tracing::warn!(error = %format!("{error:#}"), "an operator's request failed");
                }
            }
            Err(error) => tracing::warn!(%error, "the admin socket failed"),
        }
    }
}

/// One request at a time: they change one log, and some of them exchange keys.
#[cfg(unix)]
async fn answer(stream: UnixStream, desk: &Desk) -> Result<()> {
    use std::time::Duration;
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(Duration::from_secs(10), read.read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => match perform(desk, request).await {
            Ok(report) => Answer::Done(Box::new(report)),
            Err(error) => Answer::Failed { message: format!("{error:#}") },
        },
        Err(error) => Answer::Failed { message: format!("the request cannot be read: {error}") },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    Ok(())
}

/// Asks a running server; `None` if there is none.
#[cfg(unix)]
pub(crate) fn ask(path: &Path, request: &Request) -> Result<Option<Answer>> {
    use std::io::{BufRead, ErrorKind, Write};
    let mut stream = match std::os::unix::net::UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "cannot reach the running server at {}\nhint: only the user that runs it can",
                    path.display()
                )
            });
        }
    };
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    std::io::BufReader::new(stream).read_line(&mut answer)?;
    let answer = serde_json::from_str(&answer).context("the server's answer cannot be read")?;
    Ok(Some(answer))
}

#[cfg(not(unix))]
pub(crate) fn ask(_: &Path, _: &Request) -> Result<Option<Answer>> {
    Ok(None)
}
