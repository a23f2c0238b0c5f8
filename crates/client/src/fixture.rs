//! Surroundings for this crate's own tests: a clock that does not wait, chance that is none, and a
//! record of what was told.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wargate_protocol::Timestamp;

use crate::origin::{Domain, RegistryUrl};
use crate::remote::{Exchange, Telling};
use crate::seams::{
    Asked, BoxFuture, Clock, Event, Observer, Random, RequestBody, ResponseBody, SecretError,
    Secrets, Token, Transport, TransportError, TransportFault,
};

/// The name of some registry.
pub(crate) fn registry() -> Domain {
    Domain::try_from("warg.io".to_owned()).unwrap_or_else(|error| unreachable!("{error}"))
}

/// What an exchange is made of.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) random: Arc<FixedRandom>,
    pub(crate) observer: Arc<Recorder>,
    pub(crate) attempts: u32,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            transport: Arc::new(Nowhere),
            clock: Arc::default(),
            random: Arc::default(),
            observer: Arc::default(),
            attempts: 4,
        }
    }
}

impl Surroundings {
    pub(crate) fn exchange(&self) -> Exchange {
        Exchange {
            transport: Arc::clone(&self.transport),
            clock: Arc::<FakeClock>::clone(&self.clock),
            random: Arc::<FixedRandom>::clone(&self.random),
            secrets: Arc::new(FixedToken),
            observer: Arc::<Recorder>::clone(&self.observer),
            telling: Telling::default(),
            attempts: self.attempts,
            content_bytes_max: crate::limits::CONTENT_BYTES_MAX,
        }
    }
}

/// Stands still unless it is moved, lets nobody wait, and remembers who wanted to.
#[derive(Debug, Default)]
pub(crate) struct FakeClock {
    waits: Mutex<Vec<Duration>>,
    passed: Mutex<Duration>,
}

impl FakeClock {
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }

    fn elapsed(&self) -> Duration {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(how_long);
        Box::pin(tokio::task::yield_now())
    }
}

/// One byte, for ever.
#[derive(Debug, Default)]
pub(crate) struct FixedRandom(AtomicU8);

impl FixedRandom {
    pub(crate) fn set(&self, byte: u8) {
        self.0.store(byte, Ordering::Relaxed);
    }
}

impl Random for FixedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.load(Ordering::Relaxed));
    }
}

/// Has a token for every registry.
#[derive(Debug)]
pub(crate) struct FixedToken;

impl Secrets for FixedToken {
    fn signing_key(
        &self,
        _registry: &RegistryUrl,
    ) -> Result<Option<wargate_crypto::PrivateKey>, SecretError> {
        Ok(None)
    }

    fn token(&self, _asked: Asked<'_>) -> Result<Option<Token>, SecretError> {
        Token::new("s3cret").map(Some)
    }
}

/// Remembers what was told.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Recorder {
    fn event(&self, event: Event<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{event:?}"));
    }
}

/// Reaches nobody.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Transport for Nowhere {
    fn send(
        &self,
        _request: http::Request<RequestBody>,
    ) -> BoxFuture<'_, Result<http::Response<Box<dyn ResponseBody>>, TransportError>> {
        let message = "there is nobody".to_owned();
        Box::pin(async { Err(TransportError { fault: TransportFault::Connect, message }) })
    }
}
