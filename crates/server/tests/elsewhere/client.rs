//! A publisher and a reader, over as much of HTTP as they need.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{
    Entry, LogId, Package, PackageEntry, PackageName, PackageRecord, RecordId, SignedEnvelope,
    Timestamp,
};

/// Whoever says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// An answer; its body may have been cut off.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.headers.iter().any(|found| found.starts_with(line))
    }
}

pub(crate) fn request(at: SocketAddr, head: &str, body: &[u8]) -> Answer {
    try_request(at, head, body).unwrap()
}

/// One request over a connection of its own. `head` is method, path and further lines.
pub(crate) fn try_request(at: SocketAddr, head: &str, body: &[u8]) -> io::Result<Answer> {
    let mut connection = TcpStream::connect(at)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let (first, lines) = head.split_once('\n').unwrap_or((head, ""));
    let length = body.len();
    write!(connection, "{first} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n")?;
    for line in lines.lines() {
        write!(connection, "{line}\r\n")?;
    }
    write!(connection, "content-type: application/json\r\ncontent-length: {length}\r\n\r\n")?;
    connection.write_all(body)?;
    let mut answer = BufReader::new(connection);
    let mut first = String::new();
    answer.read_line(&mut first)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_ascii_lowercase());
    }
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = Vec::new();
    // A reset is an end, too.
    let _ = answer.take(length).read_to_end(&mut body);
    let whole = body.len() as u64 == length;
    Ok(Answer { status, headers, body, whole })
}

/// A release of its own package, with its content.
pub(crate) struct Release {
    pub(crate) log: LogId,
    pub(crate) record: RecordId,
    pub(crate) digest: Digest,
    pub(crate) content: Vec<u8>,
    body: Value,
}

impl Release {
    pub(crate) fn new(name: &str, content: Vec<u8>) -> Self {
        Self::signed(name, content, &new_key())
    }

    /// The same, by whoever has the key.
    pub(crate) fn signed(name: &str, content: Vec<u8>, key: &PrivateKey) -> Self {
        Self::with_versions(name, content, Vec::new(), key)
    }

    /// The same, in a record with a second release whose content nobody has.
    pub(crate) fn half(name: &str, content: Vec<u8>) -> Self {
        let other = Entry::release("0.2.0".parse().unwrap(), Digest::of(name.as_bytes()));
        Self::with_versions(name, content, vec![other], &new_key())
    }

    fn with_versions(
        name: &str,
        content: Vec<u8>,
        others: Vec<PackageEntry>,
        key: &PrivateKey,
    ) -> Self {
        let name: PackageName = name.parse().unwrap();
        let digest = Digest::of(&content);
        let mut entries =
            vec![Entry::init(key.public_key()), Entry::release("0.1.0".parse().unwrap(), digest)];
        entries.extend(others);
        let bytes = PackageRecord::new(None, Timestamp::from_seconds(1_700_000_000), entries);
        let envelope = SignedEnvelope::sign::<Package>(bytes.encode(), key);
        let (log, record) = (LogId::package(&name), envelope.record_id::<Package>());
        let body = json!({ "packageName": name, "record": envelope });
        Self { log, record, digest, content, body }
    }

    /// Names where the content can be fetched.
    pub(crate) fn with_source(mut self, url: &str) -> Self {
        let source = json!([{ "type": "httpGet", "url": url }]);
        self.body["contentSources"] = json!({ self.digest.to_string(): source });
        self
    }

    pub(crate) fn publish(&self, at: SocketAddr) -> Answer {
        let head = format!("POST /v1/package/{}/record", self.log);
        request(at, &head, self.body.to_string().as_bytes())
    }

    pub(crate) fn upload(&self, at: SocketAddr) -> io::Result<Answer> {
        let Self { log, record, digest, content, .. } = self;
        try_request(
            at,
            &format!("POST /v1/package/{log}/record/{record}/content/{digest}"),
            content,
        )
    }

    /// `sourcing`, `processing`, `published` or `rejected`.
    pub(crate) fn state(&self, at: SocketAddr) -> String {
        let answer = self.record_state(at).json();
        answer["state"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn record_state(&self, at: SocketAddr) -> Answer {
        request(at, &format!("GET /v1/package/{}/record/{}", self.log, self.record), &[])
    }

    pub(crate) fn content_path(&self) -> String {
        format!("/content/{}", self.digest.to_string().replace(':', "-"))
    }

    pub(crate) fn download(&self, at: SocketAddr) -> Answer {
        request(at, &format!("GET {}", self.content_path()), &[])
    }

    /// Publishes and uploads, and sees to it that it is published.
    #[track_caller]
    pub(crate) fn publish_all(&self, at: SocketAddr) {
        assert_eq!(self.publish(at).status, 202);
        assert_eq!(self.upload(at).unwrap().status, 201);
        assert_eq!(self.state(at), "published");
    }

    /// The content comes as it was.
    #[track_caller]
    pub(crate) fn assert_there(&self, at: SocketAddr) {
        let answer = self.download(at);
        assert_eq!(answer.status, 200);
        assert!(answer.whole && answer.body == self.content);
    }
}

/// A publisher.
pub(crate) fn new_key() -> PrivateKey {
    PrivateKey::generate(&mut UnwrapErr(SysRng))
}

/// Bytes that are no others' beginning, and of which no two pieces are the same.
pub(crate) fn some_bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed << 32 | size as u64 | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}
