//! New packages, and how one is published.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use wargate_api::OrderedMap;
use wargate_api::paths;
use wargate_api::publish::{
    PackageRecord, PackageRecordState, PublishRecordRequest, UploadEndpoint, UploadMethod,
};
use wargate_crypto::Digest;
use wargate_protocol::{
    Entry, LogId, PackageEnvelope, PackageName, PackageRecord as Record, RecordId, RegistryIndex,
    Timestamp, Version,
};

use super::Until;
use super::connection::{Connection, Kind};
use crate::keys::private_key;

/// How often the state of a record is asked for before it counts as lost.
const QUESTIONS_MAX: usize = 10_000;

/// The same for a server that publishes by a timer, and how long it is left alone in between.
const WAITS_MAX: usize = 3000;
const WAIT: Duration = Duration::from_millis(100);

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Workload {
    /// How many packages.
    pub packages: usize,
    /// Size of the content of each; no two are equal.
    pub content_bytes: usize,
    /// The namespace.
    pub namespace: String,
    /// Makes names and content of a run its own.
    pub run: u64,
    /// What the content is.
    pub content: Content,
}

/// What content is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A core module without functions: the shortest that a registry of Wasm takes.
    Module,
    /// Noise.
    Bytes,
}

impl Workload {
    /// Makes and signs the packages: each a first record with one release.
    ///
    /// # Errors
    /// If the namespace is none.
    pub fn prepare(&self) -> Result<Vec<Package>> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let each = self.packages.div_ceil(threads).max(1);
        let part = |first: usize| {
            let numbers = first..self.packages.min(first + each);
            numbers.map(|number| self.package(number)).collect::<Result<Vec<_>>>()
        };
        std::thread::scope(|scope| {
            let parts = (0..self.packages).step_by(each);
            let parts: Vec<_> = parts.map(|first| scope.spawn(move || part(first))).collect();
            let mut packages = Vec::with_capacity(self.packages);
            for part in parts {
                packages.extend(part.join().map_err(|_| anyhow!("a thread panicked"))??);
            }
            Ok(packages)
        })
    }

    fn package(&self, number: usize) -> Result<Package> {
        let seed = Digest::of(format!("{} {number}", self.run).as_bytes());
        let content = match self.content {
            Content::Module => module(noise(&seed, self.content_bytes)),
            Content::Bytes => noise(&seed, self.content_bytes),
        };
        let name: PackageName =
            format!("{}:r{}-p{number}", self.namespace, self.run).parse().context("a namespace")?;
        Package::new(name, vec![("1.0.0".parse()?, content)])
    }
}

/// A package that is ready to be published.
pub struct Package {
    log: LogId,
    record: RecordId,
    /// The digest of its first release's content.
    digest: Digest,
    body: Bytes,
    contents: BTreeMap<Digest, Bytes>,
}

impl Package {
    /// A package whose first record has all of its releases.
    ///
    /// # Errors
    /// If it has none.
    pub fn new(name: PackageName, releases: Vec<(Version, Vec<u8>)>) -> Result<Self> {
        let (log, key) = (LogId::package(&name), private_key()?);
        let mut entries = vec![Entry::init(key.public_key())];
        let (mut first, mut contents) = (None, BTreeMap::new());
        for (version, content) in releases {
            let digest = Digest::of(&content);
            first.get_or_insert(digest);
            entries.push(Entry::release(version, digest));
            contents.insert(digest, content.into());
        }
        let time = Timestamp::from_seconds(1_700_000_000);
        let record = PackageEnvelope::sign(&Record::new(None, time, entries), &key)?;
        let id = record.record_id();
        let request = PublishRecordRequest {
            package_name: name,
            record: record.into_signed(),
            content_sources: OrderedMap::new(),
        };
        let digest = first.context("a package has a release")?;
        Ok(Self { log, record: id, digest, body: serde_json::to_vec(&request)?.into(), contents })
    }

    /// Bytes of its contents.
    pub fn size(&self) -> usize {
        self.contents.values().map(Bytes::len).sum()
    }

    /// The digest of its first release's content.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The body of the request that publishes it.
    pub fn request(&self) -> &[u8] {
        &self.body
    }

    /// Its log and its record.
    pub const fn ids(&self) -> (LogId, RecordId) {
        (self.log, self.record)
    }

    /// The content of its first release.
    pub fn content(&self) -> &[u8] {
        self.contents.get(&self.digest).map(Bytes::as_ref).unwrap_or_default()
    }

    /// Sends the record, then the content to where the server wants it, and asks until the record is
    /// published, if that is what counts. Returns where it stands if that is known.
    ///
    /// # Errors
    /// If anything is answered other than it should be.
    pub async fn publish(
        &self,
        connection: &mut Connection,
        until: Until,
    ) -> Result<Option<RegistryIndex>> {
        let path = paths::publish(&self.log);
        let answer = connection.post(&path, Kind::Json, self.body.clone(), StatusCode::ACCEPTED);
        let mut answer: PackageRecord = answer.await?;
        let path = paths::package_record(&self.log, &self.record);
        for _ in 0..QUESTIONS_MAX {
            match answer.state {
                PackageRecordState::Published { registry_index } => {
                    return Ok(Some(registry_index));
                }
                PackageRecordState::Rejected { .. } => bail!("the record was rejected"),
                PackageRecordState::Processing => {}
                PackageRecordState::Sourcing { missing_content } => {
                    for (digest, missing) in missing_content {
                        let digest = Digest::try_from(&digest)?;
                        let content = self.contents.get(&digest).context("other content")?;
                        upload(connection, missing.upload.first(), content.clone()).await?;
                    }
                }
            }
            if until == Until::Accepted {
                return Ok(None);
            }
            answer = connection.fetch(&path).await?;
        }
        bail!("the record was not published in a long time");
    }

    /// Asks from time to time until the record is published.
    pub(super) async fn wait(&self, connection: &mut Connection) -> Result<RegistryIndex> {
        let path = paths::package_record(&self.log, &self.record);
        for _ in 0..WAITS_MAX {
            let answer: PackageRecord = connection.fetch(&path).await?;
            if let PackageRecordState::Published { registry_index } = answer.state {
                return Ok(registry_index);
            }
            tokio::time::sleep(WAIT).await;
        }
        bail!("the record was not published in a long time");
    }
}

async fn upload(
    connection: &mut Connection,
    place: Option<&UploadEndpoint>,
    content: Bytes,
) -> Result<()> {
    let UploadEndpoint::Http { method, url, .. } =
        place.context("the server names no place for the content")?;
    let method = match method {
        UploadMethod::Post => Method::POST,
        UploadMethod::Put => Method::PUT,
    };
    // Relative to the server's URL, or below it.
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url.as_str(),
    };
    match connection.send(method, path, Some((Kind::Bytes, content))).await? {
        (status, _) if status.is_success() => Ok(()),
        (status, body) => bail!("an upload was answered {status}: {}", body.escape_ascii()),
    }
}

/// A core module that has nothing but these bytes, in a custom section.
fn module(bytes: Vec<u8>) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0\0".to_vec();
    // The section's size comes first, with a name of one byte: five bytes of LEB128, of which more than
    // needed are allowed.
    let size = bytes.len() + 2;
    for shift in [0, 7, 14, 21] {
        module.push(u8::try_from(size >> shift & 0x7f).unwrap_or_default() | 0x80);
    }
    module.push(u8::try_from(size >> 28 & 0x0f).unwrap_or_default());
    module.extend([1, b'x']);
    module.extend(bytes);
    module
}

/// Bytes that look random, the same for the same seed.
fn noise(seed: &Digest, bytes: usize) -> Vec<u8> {
    let block = |number: usize| Digest::of_parts(&[seed.as_bytes(), &number.to_be_bytes()]);
    let blocks = (0..bytes.div_ceil(32)).map(block);
    let mut noise: Vec<u8> = blocks.flat_map(|block| *block.as_bytes()).collect();
    noise.truncate(bytes);
    noise
}
