//! Content through a proxy that injects faults, from and to a real registry.

mod downloads;
mod hostile;
mod uploads;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use wargate_crypto::Digest;
use wargate_registry::Registry;
use wargate_testkit::proxy::{Fault, Proxy, Seen};
use wargate_testkit::world::{self, World};

use super::download;
use crate::error::Error;
use crate::fixture::Surroundings;
use crate::native::{FileCache, Http, HttpOptions};
use crate::origin::RegistryUrl;
use crate::remote::Remote;
use crate::seams::Cache;

/// The path of content at our registry, and that of the question where it is.
const CONTENT: &str = "/content/sha256";
const SOURCES: &str = "/v1/content/";

/// A registry behind a proxy, one content in it, and an empty cache.
struct Scene {
    registry: Arc<Registry>,
    proxy: Proxy,
    bytes: Vec<u8>,
    digest: Digest,
    directory: TempDir,
    cache: FileCache,
    surroundings: Surroundings,
    remote: Remote,
}

impl Scene {
    /// Faults happen one after the other to requests for such paths.
    async fn new(length: usize, path: &'static str, faults: &[Fault]) -> Self {
        let faults = std::sync::Mutex::new(faults.to_vec());
        Self::deciding(length, move |seen| {
            let mut faults = faults.lock().unwrap();
            let hit = seen.path.starts_with(path) && !faults.is_empty();
            if hit { faults.remove(0) } else { Fault::None }
        })
        .await
    }

    async fn deciding(
        length: usize,
        decide: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::faulty(listener.local_addr().unwrap(), decide).await.unwrap();
        let base = format!("http://{}", proxy.address());
        let registry = World::new().open();
        let options = wargate_http::Options::new(base.parse().unwrap());
        let router = wargate_http::router(Arc::clone(&registry), options);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let bytes = pattern(length);
        let digest = Digest::of(&bytes);
        let key = world::key(7);
        let entries = [world::init(&key), world::release("1.0.0", &bytes)];
        let record = world::record(&key, None, entries);
        world::published(&world::publish(&registry, "test:one", &record, &bytes).await);
        let directory = tempfile::tempdir().unwrap();
        let cache = FileCache::new(directory.path());
        let surroundings = surroundings();
        let remote = remote(&surroundings, &base);
        Self { registry, proxy, bytes, digest, directory, cache, surroundings, remote }
    }

    async fn download(&self, direct: bool) -> Result<(), Error> {
        download(&self.remote, &self.cache, &self.digest, direct).await.map(drop)
    }

    /// The complete file, if it is there.
    fn file(&self) -> Option<Vec<u8>> {
        let content = self.cache.open(self.remote.domain(), &self.digest).unwrap()?;
        Some(std::fs::read(content.path().unwrap()).unwrap())
    }

    /// The ranges that were asked for, of requests for content; empty if the whole was.
    fn ranges(&self) -> Vec<String> {
        let seen = self.proxy.seen().into_iter().filter(|seen| seen.path.starts_with(CONTENT));
        seen.map(|seen| seen.header("range").unwrap_or_default().to_owned()).collect()
    }

    fn waits(&self) -> Vec<Duration> {
        self.surroundings.clock.waits()
    }
}

fn remote(surroundings: &Surroundings, base: &str) -> Remote {
    let base: RegistryUrl = base.parse().unwrap();
    Remote::new(surroundings.exchange(), base.clone(), base)
}

/// Real HTTP that loses its patience soon.
fn surroundings() -> Surroundings {
    let options = HttpOptions {
        answer_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(500),
        ..HttpOptions::default()
    };
    Surroundings { transport: Arc::new(Http::new(options)), ..Surroundings::default() }
}

/// Bytes that differ everywhere.
fn pattern(length: usize) -> Vec<u8> {
    (0..=length as u64 / 8).flat_map(u64::to_le_bytes).take(length).collect()
}

/// A server that answers every connection with these bytes, again and again if `endless`.
async fn says(answer: Vec<u8>, endless: bool) -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 << 10];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
            while endless && stream.write_all(b"10\r\n0123456789abcdef\r\n").await.is_ok() {}
        }
    });
    address
}
