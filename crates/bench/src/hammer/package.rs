//! New packages, and how one is published.

use anyhow::{Context, Result, bail};
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
    Timestamp,
};

use super::connection::{Connection, Kind};
use crate::keys::private_key;

/// How often the state of a record is asked for before it counts as lost.
const QUESTIONS_MAX: usize = 10_000;

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
}

impl Workload {
    /// Makes and signs the packages: each a first record with one release.
    ///
    /// # Errors
    /// If the namespace is none.
    pub fn prepare(&self) -> Result<Vec<Package>> {
        (0..self.packages).map(|number| self.package(number)).collect()
    }

    fn package(&self, number: usize) -> Result<Package> {
        let seed = Digest::of(format!("{} {number}", self.run).as_bytes());
        let content = noise(&seed, self.content_bytes);
        let name: PackageName =
            format!("{}:r{}-p{number}", self.namespace, self.run).parse().context("a namespace")?;
        let (log, key) = (LogId::package(&name), private_key()?);
        let init = Entry::init(key.public_key());
        let release = Entry::release("1.0.0".parse()?, Digest::of(&content));
        let time = Timestamp::from_seconds(1_700_000_000);
        let record = PackageEnvelope::sign(&Record::new(None, time, vec![init, release]), &key)?;
        let id = record.record_id();
        let request = PublishRecordRequest {
            package_name: name,
            record: record.into_signed(),
            content_sources: OrderedMap::new(),
        };
        Ok(Package {
            log,
            record: id,
            body: serde_json::to_vec(&request)?.into(),
            content: content.into(),
        })
    }
}

/// A package that is ready to be published.
pub struct Package {
    log: LogId,
    record: RecordId,
    body: Bytes,
    content: Bytes,
}

impl Package {
    /// Bytes of its content.
    pub fn size(&self) -> usize {
        self.content.len()
    }

    /// The digest of its content.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.content)
    }

    /// The body of the request that publishes it.
    pub fn request(&self) -> &[u8] {
        &self.body
    }

    /// Its log and its record.
    pub const fn ids(&self) -> (LogId, RecordId) {
        (self.log, self.record)
    }

    /// Sends the record, then the content to where the server wants it, and asks until the record is
    /// published. Returns where it stands.
    ///
    /// # Errors
    /// If anything is answered other than it should be.
    pub async fn publish(&self, connection: &mut Connection) -> Result<RegistryIndex> {
        let path = paths::publish(&self.log);
        let answer = connection.post(&path, Kind::Json, self.body.clone(), StatusCode::ACCEPTED);
        let mut answer: PackageRecord = answer.await?;
        let path = paths::package_record(&self.log, &self.record);
        for _ in 0..QUESTIONS_MAX {
            match answer.state {
                PackageRecordState::Published { registry_index } => return Ok(registry_index),
                PackageRecordState::Rejected { .. } => bail!("the record was rejected"),
                PackageRecordState::Processing => {}
                PackageRecordState::Sourcing { missing_content } => {
                    for missing in missing_content.into_values() {
                        self.upload(connection, missing.upload.first()).await?;
                    }
                }
            }
            answer = connection.fetch(&path).await?;
        }
        bail!("the record was not published in a long time");
    }

    async fn upload(
        &self,
        connection: &mut Connection,
        place: Option<&UploadEndpoint>,
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
        let sent = connection.send(method, path, Some((Kind::Bytes, self.content.clone())));
        match sent.await? {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => bail!("an upload was answered {status}: {}", body.escape_ascii()),
        }
    }
}

/// Bytes that look random, the same for the same seed.
fn noise(seed: &Digest, bytes: usize) -> Vec<u8> {
    let block = |number: usize| Digest::of_parts(&[seed.as_bytes(), &number.to_be_bytes()]);
    let blocks = (0..bytes.div_ceil(32)).map(block);
    let mut noise: Vec<u8> = blocks.flat_map(|block| *block.as_bytes()).collect();
    noise.truncate(bytes);
    noise
}
