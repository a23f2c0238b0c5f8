//! Publishers, who remember what was acknowledged.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::Sender;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wargate_crypto::{Digest, PrivateKey, PublicKey};
use wargate_protocol::{
    Entry, LogId, Package, PackageEntry, PackageName, PackagePermission, PackageRecord, RecordId,
    RegistryIndex, SignedEnvelope, Timestamp, Version,
};

use crate::dice::Dice;
use crate::http::{Answer, Client, Gone};

/// Packages of one publisher, each of which has one record on its way.
const PACKAGES: usize = 3;
/// Content up to here goes into the database, above it into a file.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// Somebody with a key and some packages.
pub(crate) struct Publisher {
    dice: Dice,
    key: PrivateKey,
    friend: PublicKey,
    packages: Vec<Line>,
    /// Of the last content, which may be released again.
    contents: Vec<Digest>,
    published: Vec<Published>,
    /// How many of those were asked for again.
    confirmed: usize,
}

/// A record that was said to be in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) log: LogId,
    pub(crate) record: RecordId,
    pub(crate) index: RegistryIndex,
}

/// A package.
struct Line {
    name: PackageName,
    log: LogId,
    head: Option<RecordId>,
    /// Records so far, which also gives them their times.
    records: u32,
    released: Vec<Version>,
    friend_may_yank: bool,
    pending: Option<Pending>,
}

/// A record that is made and, as far as is known, not in the log.
struct Pending {
    envelope: SignedEnvelope,
    record: RecordId,
    effect: Effect,
    contents: Vec<(Digest, Vec<u8>)>,
    /// It was sent, so that the registry may know it.
    sent: bool,
    /// It was acknowledged as waiting for content.
    sourcing: bool,
    /// Content whose upload was acknowledged.
    uploaded: BTreeSet<Digest>,
    /// Its content is held back while this is not 0.
    rests: u32,
}

#[derive(Clone)]
enum Effect {
    None,
    Release(Version),
    Yank(Version),
    Grant,
    Revoke,
}

/// What happens after so many acknowledgements.
pub(crate) struct Trigger<'a> {
    left: AtomicI64,
    /// Only when the next request is on its way.
    between: bool,
    fired: AtomicBool,
    action: Box<dyn Fn() + Sync + 'a>,
}

/// A connection, and what is counted on it.
struct Link<'a> {
    client: Client,
    trigger: &'a Trigger<'a>,
    /// Rung at every acknowledgement.
    bell: Sender<()>,
    /// Answers that asked to come again later.
    refused: u64,
}

impl<'a> Trigger<'a> {
    pub(crate) fn new(after: u64, between: bool, action: impl Fn() + Sync + 'a) -> Self {
        let left = AtomicI64::new(i64::try_from(after).unwrap());
        Self { left, between, fired: AtomicBool::new(false), action: Box::new(action) }
    }

    /// One that never does anything.
    pub(crate) fn never() -> Self {
        Self::new(u64::from(u32::MAX), false, || ())
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    fn acknowledged(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 1 && !self.between {
            self.fire();
        }
    }

    fn sent(&self) {
        if self.between && self.left.load(Ordering::SeqCst) <= 0 {
            self.fire();
        }
    }

    /// Once.
    pub(crate) fn fire(&self) {
        if !self.fired.swap(true, Ordering::SeqCst) {
            (self.action)();
        }
    }
}

impl Link<'_> {
    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, Gone> {
        self.client.send(method, path, body)?;
        self.trigger.sent();
        let answer = self.client.receive()?;
        if answer.status == 503 {
            self.refused += 1;
        } else {
            // Nobody needs to listen.
            let _ = self.bell.send(());
            self.trigger.acknowledged();
        }
        Ok(answer)
    }
}

impl Publisher {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        let mut rng = UnwrapErr(SysRng);
        let package = |n| {
            let name: PackageName = format!("space{number}:package{n}").parse().unwrap();
            Line {
                log: LogId::package(&name),
                name,
                head: None,
                records: 0,
                released: Vec::new(),
                friend_may_yank: false,
                pending: None,
            }
        };
        Self {
            dice: Dice::new(seed),
            key: PrivateKey::generate(&mut rng),
            friend: PrivateKey::generate(&mut rng).public_key(),
            packages: (0..PACKAGES).map(package).collect(),
            contents: Vec::new(),
            published: Vec::new(),
            confirmed: 0,
        }
    }

    pub(crate) fn published(&self) -> &[Published] {
        &self.published
    }

    /// Publishes so many times, or until the server has gone. Returns how often it was told to come
    /// again later.
    pub(crate) fn publish(
        &mut self,
        address: SocketAddr,
        times: u64,
        trigger: &Trigger<'_>,
        bell: Sender<()>,
    ) -> u64 {
        let Ok(client) = Client::connect(address) else { return 0 };
        let mut link = Link { client, trigger, bell, refused: 0 };
        for line in &mut self.packages {
            if let Some(pending) = &mut line.pending {
                pending.rests = pending.rests.saturating_sub(1);
            }
        }
        for _ in 0..times {
            if self.step(&mut link).is_err() {
                break;
            }
        }
        link.refused
    }

    /// After a restart: what was acknowledged since the last time must be known.
    pub(crate) fn confirm(&mut self, client: &mut Client) {
        for published in &self.published[self.confirmed..] {
            let status = ask(client, &published.log, &published.record);
            let status = status.unwrap_or_else(|| panic!("{published:?} is not known any more"));
            assert_eq!(status["state"], "published", "{published:?} {status}");
            assert_eq!(status["registryIndex"], json!(published.index), "{published:?}");
        }
        self.confirmed = self.published.len();
        for line in &self.packages {
            let Some(pending) = line.pending.as_ref().filter(|pending| pending.sourcing) else {
                continue;
            };
            let record = pending.record;
            let status = ask(client, &line.log, &record);
            let status = status.unwrap_or_else(|| panic!("the waiting {record} was forgotten"));
            pending.check(&status);
        }
    }

    fn step(&mut self, link: &mut Link<'_>) -> Result<(), Gone> {
        let at = self.dice.index(self.packages.len());
        let rests = self.packages[at].pending.as_ref().is_some_and(|pending| pending.rests > 0);
        if rests {
            let answer = link.ask("GET", "v1/fetch/checkpoint", &[])?;
            assert_eq!(answer.status, 200);
            return Ok(());
        }
        let pending = match self.packages[at].pending.take() {
            Some(pending) => pending,
            None => self.compose(at),
        };
        let package = &mut self.packages[at];
        let pending = package.pending.insert(pending);
        let rests = if self.dice.one_in(8) { 1 + self.dice.index(3) } else { 0 };
        let index =
            drive(link, package.log, &package.name, pending, u32::try_from(rests).unwrap())?;
        let Some(index) = index else { return Ok(()) };
        if let Some(pending) = package.pending.take() {
            self.contents.extend(pending.contents.iter().map(|(digest, _)| *digest));
            self.published.push(Published { log: package.log, record: pending.record, index });
            package.advance(pending);
        }
        Ok(())
    }

    /// Makes the next record of a package.
    fn compose(&mut self, at: usize) -> Pending {
        let mut contents = Vec::new();
        let (mut entries, mut effect) = (Vec::new(), Effect::None);
        let line = &self.packages[at];
        if line.head.is_none() {
            entries.push(Entry::init(self.key.public_key()));
        }
        match self.dice.below(10) {
            0 if line.head.is_some() && !line.released.is_empty() => {
                let version = line.released[self.dice.index(line.released.len())].clone();
                entries.push(Entry::yank(version.clone()));
                effect = Effect::Yank(version);
            }
            1 if line.head.is_some() => {
                let friend = self.friend.clone();
                let yank = [PackagePermission::Yank];
                (effect, entries) = if line.friend_may_yank {
                    (Effect::Revoke, vec![Entry::revoke(friend.id(), yank)])
                } else {
                    (Effect::Grant, vec![Entry::grant(friend, yank)])
                };
            }
            // A package with no release.
            2 if line.head.is_none() => {}
            _ => {
                let version: Version = format!("0.{}.0", line.records).parse().unwrap();
                let content = content(&mut self.dice, &self.contents, &mut contents);
                entries.push(Entry::release(version.clone(), content));
                effect = Effect::Release(version);
            }
        }
        let envelope = self.sign(at, entries);
        let record = envelope.record_id::<Package>();
        let (uploaded, sent, sourcing, rests) = (BTreeSet::new(), false, false, 0);
        Pending { envelope, record, effect, contents, sent, sourcing, uploaded, rests }
    }

    fn sign(&self, at: usize, entries: Vec<PackageEntry>) -> SignedEnvelope {
        let line = &self.packages[at];
        let time = Timestamp::from_seconds(1_700_000_000 + i64::from(line.records));
        let record = PackageRecord::new(line.head, time, entries).encode();
        SignedEnvelope::sign::<Package>(record, &self.key)
    }
}

/// The content of a release: most is small, some so large that it is a file, some is known already.
fn content(dice: &mut Dice, known: &[Digest], new: &mut Vec<(Digest, Vec<u8>)>) -> Digest {
    let length = match dice.below(8) {
        0 if !known.is_empty() => return known[dice.index(known.len())],
        0..=2 => INLINE_BYTES_MAX + 1 + dice.index(3 * INLINE_BYTES_MAX),
        _ => 8 + dice.index(2000),
    };
    let bytes = dice.bytes(length);
    let digest = Digest::of(&bytes);
    new.push((digest, bytes));
    digest
}

/// Takes a record as far as it goes. Returns its place in the log if it has got there.
fn drive(
    link: &mut Link<'_>,
    log: LogId,
    name: &PackageName,
    pending: &mut Pending,
    rests: u32,
) -> Result<Option<RegistryIndex>, Gone> {
    let path = format!("v1/package/{log}/record");
    let this = format!("{path}/{}", pending.record);
    let mut status = None;
    if pending.sent {
        let answer = link.ask("GET", &this, &[])?;
        if answer.status != 404 {
            status = Some(answer.json(200));
        }
    }
    let mut status = if let Some(status) = status {
        status
    } else {
        assert!(!pending.sourcing, "the waiting {} was forgotten", pending.record);
        pending.sent = true;
        let body = json!({ "packageName": name.as_str(), "record": pending.envelope });
        let answer = link.ask("POST", &path, body.to_string().as_bytes())?;
        if answer.status == 503 {
            return Ok(None);
        }
        answer.json(202)
    };
    loop {
        pending.check(&status);
        match status["state"].as_str() {
            Some("published") => {
                let index = serde_json::from_value(status["registryIndex"].clone()).unwrap();
                return Ok(Some(index));
            }
            Some("sourcing") => {
                pending.sourcing = true;
                if rests > 0 && pending.uploaded.is_empty() {
                    pending.rests = rests;
                    return Ok(None);
                }
                for (digest, bytes) in &pending.contents {
                    let answer = link.ask("POST", &format!("{this}/content/{digest}"), bytes)?;
                    if answer.status == 503 {
                        return Ok(None);
                    }
                    assert_eq!(answer.status, 201, "{answer:?}");
                    pending.uploaded.insert(*digest);
                }
            }
            state => assert_eq!(state, Some("processing")),
        }
        status = link.ask("GET", &this, &[])?.json(200);
    }
}

impl Pending {
    /// What a record's state must not be, after what was acknowledged.
    fn check(&self, status: &Value) {
        let record = self.record;
        assert_ne!(status["state"], "rejected", "{record}: {status}");
        if let Some(missing) = status["missingContent"].as_object() {
            for digest in &self.uploaded {
                let forgotten = missing.contains_key(&digest.to_string());
                assert!(!forgotten, "{record}: the content {digest} was taken and forgotten");
            }
        }
    }
}

impl Line {
    /// A record has become the newest.
    fn advance(&mut self, pending: Pending) {
        self.head = Some(pending.record);
        self.records += 1;
        match pending.effect {
            Effect::None => {}
            Effect::Release(version) => self.released.push(version),
            Effect::Yank(version) => self.released.retain(|other| *other != version),
            Effect::Grant => self.friend_may_yank = true,
            Effect::Revoke => self.friend_may_yank = false,
        }
    }
}

/// A record's state; `None` if the registry does not know it.
fn ask(client: &mut Client, log: &LogId, record: &RecordId) -> Option<Value> {
    let path = format!("v1/package/{log}/record/{record}");
    let answer = client.get(&path).unwrap();
    (answer.status != 404).then(|| answer.json(200))
}
