//! What has happened in the registry, as several histories of it tell.
//!
//! All of them are played from one script by one operator with one set of keys, so that they are the
//! same bytes where they agree.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use wargate_crypto::{Digest, PrivateKey};
use wargate_http::{Options, router};
use wargate_protocol::{
    Entry, LogId, LogLeaf, LogLength, OperatorPermission, PackageEntry, PackagePermission,
    RecordId, RegistryIndex, SignedCheckpoint,
};
use wargate_registry::seams::LocalSigner;
use wargate_registry::{RecordStatus, Registry};
use wargate_transparency::log::{Edge, LeafIndex, ProofPlan};

use crate::world::{self, World, init, key, record_at, release};

/// A package with a long log: releases, grants, a yank, a revoke.
pub const HELLO: &str = "test:hello";

/// A package whose log is the same in every history of this registry.
pub const OTHER: &str = "test:other";

/// A package of one release.
pub const THIRD: &str = "test:third";

/// A package in a namespace that belongs to another registry.
pub const ELSEWHERE: &str = "elsewhere:thing";

/// One history of the registry, up to one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// 8 records.
    Earlier,
    /// 11 records: what a client knows that meets a lie when it comes again.
    Before,
    /// 16 records: the truth.
    Now,
    /// 11 records, of which those from the ninth on are others than in the truth.
    Fork,
    /// That one with 16 records.
    LongFork,
    /// 16 records of another registry, whose operator has another key.
    Foreign,
}

/// All histories, each in a registry of its own.
pub struct Story {
    /// The base URL under which the registry is found.
    pub url: String,
    /// The present, in seconds since the Unix epoch.
    pub now: i64,
    chapters: Vec<(History, Chapter)>,
}

/// One history, and the real server over it.
pub struct Chapter {
    /// The engine.
    pub registry: Arc<Registry>,
    /// The real server.
    pub router: Router,
}

/// The present of a story for whose clients the time is what it is told to be.
pub const PRESENT: i64 = world::BEGIN + 1_000_000;

/// The operator's key, which may do everything.
pub fn operator() -> PrivateKey {
    key(1)
}

/// A key that the operator log knows, and that must not sign checkpoints.
pub fn registrar() -> PrivateKey {
    key(2)
}

/// Another key that may sign checkpoints.
pub fn second_signer() -> PrivateKey {
    key(3)
}

/// A key that might sign checkpoints until its permission was taken from it, in the thirteenth record.
pub fn former_signer() -> PrivateKey {
    key(4)
}

/// The key that may do everything in the packages.
pub fn alice() -> PrivateKey {
    key(10)
}

/// A key that might release and yank in [`HELLO`] until its permissions were taken from it.
pub fn bob() -> PrivateKey {
    key(11)
}

/// A key that nobody knows.
pub fn mallory() -> PrivateKey {
    key(66)
}

/// A package's log.
pub fn log(package: &str) -> LogId {
    LogId::package(&world::name(package))
}

/// The content of a release in a history: an empty component with as many bytes beside it.
pub fn content(package: &str, version: &str, evil: bool) -> Vec<u8> {
    let size = match version {
        "0.1.0" => 300,
        "0.2.0" => 200_000,
        "0.3.0" => 20_000,
        _ => 2_000,
    };
    let label = format!("{package}@{version}{}", if evil { " of another history" } else { "" });
    let mut section = vec![4, b'n', b'o', b't', b'e'];
    section.extend(label.bytes().cycle().take(size));
    let mut component = b"\0asm\x0d\0\x01\0\0".to_vec();
    let mut rest = section.len();
    while rest > 0x7f {
        component.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    component.push(u8::try_from(rest).unwrap_or_default());
    component.extend(section);
    component
}

impl Story {
    /// Tells it as of `now`, for a registry that is found at a URL.
    pub async fn new(url: &str, now: i64) -> Self {
        let mut chapters = Vec::new();
        for (history, length, evil, by, ago) in [
            (History::Earlier, 8, false, operator(), 1200),
            (History::Before, 11, false, operator(), 600),
            (History::Now, 16, false, operator(), 0),
            (History::Fork, 11, true, operator(), 300),
            (History::LongFork, 16, true, operator(), 0),
            (History::Foreign, 16, false, key(7), 0),
        ] {
            let mut script = Script::new(now - 86_400, evil, by);
            for number in 1..length {
                script.play(number).await;
            }
            script.world.clock.set(now - ago);
            script.registry.tend().await.unwrap();
            let options = Options::new(url.parse().unwrap());
            let router = router(Arc::clone(&script.registry), options);
            chapters.push((history, Chapter { registry: script.registry, router }));
        }
        Self { url: url.to_owned(), now, chapters }
    }

    /// One of the histories.
    pub fn chapter(&self, history: History) -> &Chapter {
        let found = self.chapters.iter().find(|(known, _)| *known == history);
        found.map(|(_, chapter)| chapter).unwrap()
    }

    /// The truth.
    pub fn truth(&self) -> &Chapter {
        self.chapter(History::Now)
    }

    /// What an honest client holds that has met the registry elsewhere: the newest true checkpoint.
    pub fn true_checkpoint(&self) -> SignedCheckpoint {
        self.truth().checkpoint()
    }

    /// The present, as checkpoints have it.
    pub fn now_seconds(&self) -> u64 {
        u64::try_from(self.now).unwrap()
    }
}

impl Chapter {
    /// The newest checkpoint.
    pub fn checkpoint(&self) -> SignedCheckpoint {
        self.registry.newest().checkpoint.clone()
    }

    /// Its length.
    pub fn length(&self) -> LogLength {
        self.registry.newest().committed.length()
    }

    /// The position of a record, by its id.
    pub fn index(&self, log: &LogId, record: &str) -> Option<RegistryIndex> {
        match self.registry.record_status(log, &record.parse().ok()?).unwrap()? {
            RecordStatus::Published { index } => Some(index),
            _ => None,
        }
    }

    fn leaves(&self, length: LogLength) -> Vec<LogLeaf> {
        let limit = usize::try_from(length.get()).unwrap();
        self.registry.leaves(RegistryIndex::FIRST, limit).unwrap()
    }

    /// The best that somebody can answer who wants to have records taken for the newest ones of their
    /// logs: true proofs that they are in the log, and what the map has for the logs. For records that
    /// are the newest it is the answer of the real server.
    pub fn inclusion(&self, length: LogLength, at: &[RegistryIndex]) -> (Vec<u8>, Vec<u8>) {
        let leaves = self.leaves(length);
        let last = leaves.len() - 1;
        let at: Vec<_> =
            at.iter().map(|at| usize::try_from(at.get()).unwrap_or(last).min(last)).collect();
        let newest = |at: &usize| leaves.iter().rposition(|leaf| leaf.log_id == leaves[*at].log_id);
        let newest: Vec<_> =
            at.iter().map(|at| RegistryIndex::new(newest(at).unwrap() as u64)).collect();
        let map = self.registry.prove_inclusion(length, &newest).unwrap().map;
        let hashes: Vec<_> = leaves.iter().map(LogLeaf::hash).collect();
        let grown = Edge::empty().append(&hashes).unwrap();
        let indices: Vec<_> = at.iter().map(|at| LeafIndex::new(*at as u64).unwrap()).collect();
        let plan = ProofPlan::inclusion(grown.length(), grown.length(), &indices).unwrap();
        let tile = |wanted| grown.tiles.iter().find(|stored| stored.at == wanted).unwrap();
        let tiles: Vec<_> = plan.tiles().iter().map(|at| Arc::clone(&tile(*at).tile)).collect();
        (plan.complete(&tiles).unwrap().encode().unwrap(), map)
    }
}

/// A history while it is played.
struct Script {
    world: World,
    registry: Arc<Registry>,
    begin: i64,
    evil: bool,
    heads: HashMap<&'static str, RecordId>,
}

impl Script {
    fn new(begin: i64, evil: bool, by: PrivateKey) -> Self {
        let mut world = World::new();
        world.signer = Arc::new(LocalSigner::new(by));
        world.clock.set(begin);
        let registry = world.open();
        Self { world, registry, begin, evil, heads: HashMap::new() }
    }

    /// The record at a position.
    async fn play(&mut self, number: u8) {
        self.world.clock.set(self.begin + 60 * i64::from(number));
        // The other history goes its own way from the ninth record on.
        let evil = self.evil && number >= 8;
        match number {
            2 => self.grant(&registrar(), OperatorPermission::DefineNamespace).await,
            5 => self.grant(&second_signer(), OperatorPermission::Commit).await,
            7 => self.operate(Entry::import_namespace("elsewhere", "other.example")).await,
            10 => self.grant(&former_signer(), OperatorPermission::Commit).await,
            12 => {
                let id = former_signer().public_key().id();
                self.operate(Entry::revoke(id, [OperatorPermission::Commit])).await;
            }
            1 => self.release(HELLO, "0.1.0", number, false).await,
            3 => self.release(OTHER, "1.0.0", number, false).await,
            4 => self.release(HELLO, "0.2.0", number, false).await,
            8 => self.release(THIRD, "0.1.0", number, evil).await,
            9 => self.release(HELLO, "0.3.0", number, evil).await,
            14 => self.release(OTHER, "1.1.0", number, false).await,
            15 => self.release(HELLO, "0.4.0", number, evil).await,
            6 => {
                let both = [PackagePermission::Release, PackagePermission::Yank];
                self.append(HELLO, number, vec![Entry::grant(bob().public_key(), both)], b"").await;
            }
            11 => {
                let yank = Entry::yank("0.1.0".parse().unwrap());
                self.append(HELLO, number, vec![yank], b"").await;
            }
            _ => {
                let both = [PackagePermission::Release, PackagePermission::Yank];
                let revoke = Entry::revoke(bob().public_key().id(), both);
                self.append(HELLO, number, vec![revoke], b"").await;
            }
        }
    }

    async fn grant(&mut self, to: &PrivateKey, permission: OperatorPermission) {
        self.operate(Entry::grant(to.public_key(), [permission])).await;
    }

    async fn operate(&mut self, entry: wargate_protocol::OperatorEntry) {
        self.registry.operate(vec![entry]).await.unwrap();
    }

    async fn release(&mut self, package: &'static str, version: &str, number: u8, evil: bool) {
        let content = content(package, version, evil);
        let first = (!self.heads.contains_key(package)).then(|| init(&alice()));
        let entries = first.into_iter().chain([release(version, &content)]).collect();
        self.append(package, number, entries, &content).await;
    }

    async fn append(
        &mut self,
        package: &'static str,
        number: u8,
        entries: Vec<PackageEntry>,
        content: &[u8],
    ) {
        // One of the releases is bob's.
        let signer = if number == 9 { bob() } else { alice() };
        let time = self.begin + 60 * i64::from(number);
        let prev = self.heads.get(package).copied();
        let record = record_at(&signer, prev, time, entries);
        self.heads.insert(package, record.record_id());
        let status = world::publish(&self.registry, package, &record, content).await;
        assert_eq!(world::published(&status), u64::from(number));
    }
}

/// The digest of a release's true content.
pub fn digest(package: &str, version: &str) -> Digest {
    Digest::of(&content(package, version, false))
}
