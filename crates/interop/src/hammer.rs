//! Many records at once: what no client's command would publish in a bearable time.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wargate_api::publish::PublishRecordRequest;
use wargate_api::{OrderedMap, paths};
use wargate_protocol::{
    Entry, LogId, PackageEnvelope, PackageName, PackagePermission, PackageRecord, SignedCheckpoint,
    Timestamp,
};

use crate::fixtures::Person;

/// Publishes a new package of `owner` whose log has this many records. After the first, they give
/// `other` a permission and take it again by turns, so none has content.
pub(crate) fn publish(
    server: SocketAddr,
    name: &PackageName,
    owner: Person,
    other: Person,
    records: usize,
) -> Result<()> {
    let bodies = sign(name, owner, other, records)?;
    let path = format!("/{}", paths::publish(&LogId::package(name)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ends is seen by the requests.
        tokio::spawn(connection);
        for (number, body) in bodies.into_iter().enumerate() {
            let post = post(&mut sender, server, &path, body).await;
            post.with_context(|| format!("record {number} of {name}"))?;
        }
        // And the operator's own.
        covered(&mut sender, server, records as u64 + 1).await
    })
}

/// How often a record is sent.
const TRIES_MAX: usize = 10_000;

/// How often a checkpoint is asked for: the reference implementation's server makes one every five seconds.
const LOOKS_MAX: usize = 1_000_000;

/// The requests that publish the records, in their order.
fn sign(name: &PackageName, owner: Person, other: Person, records: usize) -> Result<Vec<Bytes>> {
    let (owner, other) = (owner.private_key()?, other.private_key()?.public_key());
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let time = Timestamp::from_seconds(i64::try_from(seconds)?);
    let mut bodies = Vec::new();
    let mut head = None;
    for number in 0..records {
        let entry = match number {
            0 => Entry::init(owner.public_key()),
            _ if number % 2 == 1 => Entry::grant(other.clone(), [PackagePermission::Release]),
            _ => Entry::revoke(other.id(), [PackagePermission::Release]),
        };
        let record = PackageRecord::new(head, time, vec![entry]);
        let envelope = PackageEnvelope::sign(&record, &owner)?;
        head = Some(envelope.record_id());
        let request = PublishRecordRequest {
            package_name: name.clone(),
            record: envelope.into_signed(),
            content_sources: OrderedMap::new(),
        };
        bodies.push(serde_json::to_vec(&request)?.into());
    }
    Ok(bodies)
}

/// Waits for a checkpoint of a log that has as many records: who asks before does not see the newest ones,
/// and cannot add to them.
async fn covered(
    sender: &mut SendRequest<Full<Bytes>>,
    server: SocketAddr,
    records: u64,
) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        let request = Request::get(format!("/{}", paths::FETCH_CHECKPOINT))
            .header(HOST, server.to_string())
            .body(Full::default())?;
        sender.ready().await?;
        let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        let found: SignedCheckpoint = serde_json::from_slice(&body)?;
        if found.contents.checkpoint.log_length.get() >= records {
            return Ok(());
        }
    }
    bail!("no checkpoint has all {records} records")
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    server: SocketAddr,
    path: &str,
    body: Bytes,
) -> Result<()> {
    let mut refused = String::new();
    for _ in 0..TRIES_MAX {
        let request = Request::post(path)
            .header(HOST, server.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(());
        }
        refused = format!("the registry answered {status}: {}", body.escape_ascii());
        // The reference implementation's server takes the first record before it looks at it, and
        // does not know the key of the others until then.
        if status != StatusCode::UNAUTHORIZED {
            break;
        }
    }
    bail!(refused)
}
