//! Bytes that arrive later than they were sent, and no slower.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::PIECE_BYTES;

/// Most pieces under way in one direction: 64 MiB, which at a second's latency are 500 Mbit/s.
const UNDER_WAY_MAX: usize = 1024;

/// Hands bytes both ways, each after this time, until both ends have closed.
pub(super) async fn both_ways(
    client: TcpStream,
    server: TcpStream,
    each_way: Duration,
) -> io::Result<()> {
    server.set_nodelay(true)?;
    // The client believes it is connected at once. On a real line it would know after a round trip.
    let connected = Instant::now() + each_way * 2;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = one_way(from_client, to_server, each_way, connected);
    let down = one_way(from_server, to_client, each_way, connected);
    tokio::try_join!(up, down).map(drop)
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    not_sent_before: Instant,
) -> io::Result<()> {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY_MAX);
    let take = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let read = from.read_buf(&mut piece).await?;
            let arrives = Instant::now().max(not_sent_before) + delay;
            if sender.send((arrives, piece)).await.is_err() || read == 0 {
                return Ok(());
            }
        }
    };
    let give = async move {
        while let Some((arrives, piece)) = under_way.recv().await {
            // Nothing ever comes, so this ends when the time has come.
            let _ = timeout_at(arrives, std::future::pending::<()>()).await;
            if piece.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&piece).await?;
        }
        Ok(())
    };
    tokio::try_join!(take, give).map(drop)
}
