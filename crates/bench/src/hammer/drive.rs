//! Many connections that ask at once: as fast as they are answered, or at a given rate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::Connection;
use crate::process::Process;

/// The server under load, and how it is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections at the same time, each with one request at a time.
    pub connections: usize,
    /// How many begin in a second, whatever is answered (an open loop); as many as are answered, if not
    /// said (a closed one).
    pub rate: Option<f64>,
    /// Its process, if it is on this machine: for its share of the processor.
    pub process: Option<Process>,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// Numbers from 0 on, so many.
    Items(usize),
    /// For so long.
    Time(Duration),
}

/// What is done over and over again.
pub trait Work: Send + Sync + 'static {
    /// What comes of it each time.
    type Done: Send + 'static;

    /// Does it once.
    fn once(
        &self,
        connection: &mut Connection,
        number: usize,
    ) -> impl Future<Output = Result<Self::Done>> + Send;
}

/// What came of all.
#[derive(Debug)]
pub struct Driven<T> {
    /// What was done: its number, what came of it, and how long it took. In an open loop from when it
    /// should have begun, so that a server that stalls is charged for all that it has kept waiting.
    pub done: Vec<(usize, T, Duration)>,
    /// What was not, and how often.
    pub errors: BTreeMap<String, usize>,
    /// When the first began.
    pub began: Instant,
    /// Seconds on a processor when the first began: of this process, and of the server's.
    pub before: (f64, Option<f64>),
}

/// Who kept the processors busy, while some time passed.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Busy {
    /// The time.
    pub seconds: f64,
    /// Processors that the generator kept busy.
    pub generator: f64,
    /// Processors that the server kept busy, if its process is known.
    pub server: Option<f64>,
}

impl<T> Driven<T> {
    /// From the beginning until now.
    ///
    /// # Errors
    /// If the server's process has gone.
    pub fn busy(&self, target: Target) -> Result<Busy> {
        let seconds = self.began.elapsed().as_secs_f64();
        let after = processors(target)?;
        let server = after.1.zip(self.before.1).map(|(after, before)| (after - before) / seconds);
        Ok(Busy { seconds, generator: (after.0 - self.before.0) / seconds, server })
    }

    /// How long the quickest so many of a hundred took at the most, in milliseconds.
    pub fn quantiles<const N: usize>(&self, percents: [usize; N]) -> [f64; N] {
        let mut times: Vec<_> = self.done.iter().map(|(_, _, took)| *took).collect();
        times.sort_unstable();
        percents.map(|percent| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        })
    }
}

/// Does the work over all connections, and tells on the way how much is done.
///
/// # Errors
/// If the server cannot be reached. Single failures are counted, not errors.
pub async fn drive<W: Work>(
    target: Target,
    amount: Amount,
    work: Arc<W>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Driven<W::Done>> {
    let mut connections = Vec::new();
    for _ in 0..target.connections {
        connections.push(Connection::open(target.address).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let before = processors(target)?;
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for connection in connections {
        let turn = Turn { began, rate: target.rate, amount, next: Arc::clone(&next) };
        workers.spawn(run(connection, turn, Arc::clone(&work)));
    }
    let mut driven = Driven { done: Vec::new(), errors: BTreeMap::new(), began, before };
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            _ = tick.tick() => progress(next.load(Ordering::Relaxed)),
            joined = workers.join_next() => {
                let Some(joined) = joined else { return Ok(driven) };
                let (done, errors) = joined?;
                driven.done.extend(done);
                for (why, times) in errors {
                    *driven.errors.entry(why).or_default() += times;
                }
            }
        }
    }
}

/// Which number is next, and when.
struct Turn {
    began: Instant,
    rate: Option<f64>,
    amount: Amount,
    next: Arc<AtomicUsize>,
}

impl Turn {
    /// The next number and when it should begin, which is not before this returns.
    async fn take(&self) -> Option<(usize, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let at = match self.rate {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
            Some(rate) => self.began + Duration::from_secs_f64(number as f64 / rate),
            None => now,
        };
        let over = match self.amount {
            Amount::Items(items) => number >= items,
            Amount::Time(time) => at.max(now) >= self.began + time,
        };
        if over {
            return None;
        }
        if at > now {
            tokio::time::sleep_until(at).await;
        }
        Some((number, at))
    }
}

type Tally<T> = (Vec<(usize, T, Duration)>, BTreeMap<String, usize>);

async fn run<W: Work>(mut connection: Connection, turn: Turn, work: Arc<W>) -> Tally<W::Done> {
    let (mut done, mut errors) = (Vec::new(), BTreeMap::new());
    while let Some((number, began)) = turn.take().await {
        match work.once(&mut connection, number).await {
            Ok(value) => done.push((number, value, began.elapsed())),
            Err(error) => *errors.entry(format!("{error:#}")).or_default() += 1,
        }
    }
    (done, errors)
}

/// Seconds on a processor: of this process and of the server's.
fn processors(target: Target) -> Result<(f64, Option<f64>)> {
    let server = target.process.map(Process::busy_seconds).transpose()?;
    Ok((Process::this().busy_seconds()?, server))
}
