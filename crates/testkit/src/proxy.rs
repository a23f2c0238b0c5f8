//! A proxy in front of a server that adds the latency of a distant one, or the faults of a bad line.
//!
//! It sees TCP connections and, if it is to inject faults, one HTTP/1.1 request in each: it tells the
//! server to close the connection after the answer, and the server tells the client.

mod message;
mod pump;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use self::message::{Head, read_head};

/// What happens to a request and its answer. Bytes are those of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends after so many bytes of the answer.
    CutAnswer(u64),
    /// The connection is reset after so many bytes of the answer.
    ResetAnswer(u64),
    /// Nothing more comes after so many bytes of the answer, and the connection stays.
    StallAnswer(u64),
    /// The connection is reset after so many bytes of the request; the server sees it end there.
    CutRequest(u64),
    /// The answer's head never comes, though the server has the request.
    Silence,
    /// The connection is closed once the server has answered, before anything of the answer is sent.
    LoseAnswer,
    /// The answer's length is said to be so much more or less than it is.
    WrongLength(i64),
    /// The answer's body is said to be compressed.
    Compressed,
    /// A bit of the byte at this place of the answer's body is another.
    FlipAnswer(u64),
    /// A bit of the byte at this place of the request's body is another.
    FlipRequest(u64),
    /// The request reaches the server after this time.
    Late(Duration),
    /// This answer comes instead of the server's: status, further header lines, body.
    Answer(u16, Vec<(String, String)>, Vec<u8>),
}

impl Fault {
    /// An answer of an overloaded server: 429 or 503, and when to come again.
    pub fn busy(status: u16, retry_after: &str) -> Self {
        Self::Answer(status, vec![("retry-after".into(), retry_after.into())], Vec::new())
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Counted from 0.
    pub number: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Seen {
    /// The value of a header; its name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        Some(value)
    }
}

type Decide = dyn Fn(&Seen) -> Fault + Send + Sync;

/// A proxy, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU64,
    connections: AtomicU64,
    seen: Mutex<Vec<Seen>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy that only adds latency: everything takes this long each way, and a connection costs the
    /// round trip that it costs on a real line. Throughput is what it was.
    ///
    /// # Errors
    /// Those of listening.
    pub async fn distant(server: SocketAddr, each_way: Duration) -> io::Result<Self> {
        Self::start(move |client, shared| async move {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            let server = TcpStream::connect(server).await?;
            pump::both_ways(client, server, each_way).await
        })
        .await
    }

    /// A proxy that asks for each request what is to happen.
    ///
    /// # Errors
    /// Those of listening.
    pub async fn faulty(
        server: SocketAddr,
        decide: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let decide: Arc<Decide> = Arc::new(decide);
        Self::start(move |client, shared| {
            let decide = Arc::clone(&decide);
            async move {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                serve(client, server, &shared, &*decide).await
            }
        })
        .await
    }

    /// A proxy that lets these things happen, one after the other, to requests whose path contains a
    /// text, and nothing to all others.
    ///
    /// # Errors
    /// Those of listening.
    pub async fn list(
        server: SocketAddr,
        path: &'static str,
        faults: impl IntoIterator<Item = Fault>,
    ) -> io::Result<Self> {
        let faults: Mutex<Vec<Fault>> = Mutex::new(faults.into_iter().collect());
        let next = move |seen: &Seen| {
            let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
            let hit = seen.path.contains(path) && !faults.is_empty();
            if hit { faults.remove(0) } else { Fault::None }
        };
        Self::faulty(server, next).await
    }

    async fn start<F>(
        serve: impl Fn(TcpStream, Arc<Shared>) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                connections.spawn(serve(client, Arc::clone(&theirs)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests that came, unless it only adds latency.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// So much is read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// One request and what happens to it.
async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    shared: &Shared,
    decide: &Decide,
) -> io::Result<()> {
    let Some((head, rest)) = read_head(&mut client).await? else { return Ok(()) };
    let number = shared.requests.fetch_add(1, Ordering::SeqCst);
    let seen = head.seen(number);
    let fault = decide(&seen);
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    if let Fault::Answer(status, headers, body) = &fault {
        return answer(client, &head, rest.len(), *status, headers, body).await;
    }
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    server.write_all(&head.closing().to_bytes()).await?;
    if let Fault::CutRequest(bytes) = fault {
        send_some(&mut client, &mut server, &rest, bytes).await?;
        server.shutdown().await?;
        return client.set_zero_linger();
    }
    if let Fault::Late(time) = fault {
        // Waits for nothing, for that long.
        let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
    }
    let rest = match fault {
        Fault::FlipRequest(at) => flipped(&mut client, rest, at).await?,
        _ => rest,
    };
    server.write_all(&rest).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        // The client has gone, or has sent all; the answer may still come.
        std::future::pending::<io::Result<()>>().await
    };
    let down = give(&mut from_server, &mut to_client, &fault);
    let abrupt = tokio::select! {
        done = down => done?,
        failed = up => return failed,
    };
    if abrupt { client.set_zero_linger() } else { client.shutdown().await }
}

/// Reads what is left of a request, so that the client is not cut off, and answers.
async fn answer(
    mut client: TcpStream,
    head: &Head,
    read: usize,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut left = head.content_length().unwrap_or(0).saturating_sub(read as u64);
    let mut piece = vec![0; PIECE_BYTES];
    while left > 0 {
        let read = client.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        left = left.saturating_sub(read as u64);
    }
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = lines.collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Because\r\n{lines}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body).await?;
    client.shutdown().await
}

/// As much of a body as has the byte at this place, which is another one then.
async fn flipped(
    from: &mut (impl AsyncReadExt + Unpin),
    mut read: Vec<u8>,
    at: u64,
) -> io::Result<Vec<u8>> {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    while read.len() <= at {
        if from.read_buf(&mut read).await? == 0 {
            break;
        }
    }
    if let Some(byte) = read.get_mut(at) {
        *byte ^= 1;
    }
    Ok(read)
}

/// Hands on so many bytes of a request's body.
async fn send_some(
    client: &mut TcpStream,
    server: &mut TcpStream,
    read: &[u8],
    bytes: u64,
) -> io::Result<()> {
    let first = usize::try_from(bytes).unwrap_or(usize::MAX).min(read.len());
    server.write_all(&read[..first]).await?;
    let mut rest = client.take(bytes - first as u64);
    tokio::io::copy(&mut rest, server).await.map(drop)
}

/// Hands on the server's answer with its fault; whether to reset the connection then.
async fn give(
    server: &mut (impl AsyncReadExt + Unpin),
    client: &mut (impl AsyncWriteExt + Unpin),
    fault: &Fault,
) -> io::Result<bool> {
    let Some((mut head, rest)) = read_head(server).await? else { return Ok(false) };
    let bytes = match fault {
        Fault::Silence => return std::future::pending().await,
        Fault::LoseAnswer => return Ok(true),
        Fault::CutAnswer(bytes) | Fault::ResetAnswer(bytes) | Fault::StallAnswer(bytes) => *bytes,
        Fault::WrongLength(more) => {
            head.add_to_length(*more);
            u64::MAX
        }
        Fault::Compressed => {
            head.set("content-encoding", "gzip");
            u64::MAX
        }
        Fault::None
        | Fault::CutRequest(_)
        | Fault::Answer(..)
        | Fault::FlipAnswer(_)
        | Fault::FlipRequest(_)
        | Fault::Late(_) => u64::MAX,
    };
    client.write_all(&head.to_bytes()).await?;
    let rest = match fault {
        Fault::FlipAnswer(at) => flipped(server, rest, *at).await?,
        _ => rest,
    };
    let first = usize::try_from(bytes).unwrap_or(usize::MAX).min(rest.len());
    client.write_all(&rest[..first]).await?;
    let mut rest = server.take(bytes - first as u64);
    tokio::io::copy(&mut rest, client).await?;
    client.flush().await?;
    if matches!(fault, Fault::StallAnswer(_)) {
        return std::future::pending().await;
    }
    Ok(matches!(fault, Fault::ResetAnswer(_)))
}
