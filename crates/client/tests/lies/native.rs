//! The client on this machine: HTTP over TCP, state and cache in files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use wargate_client::native::{FileCache, FileState, Http, HttpOptions, SystemRandom};
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::{Asked, BoxFuture, Clock, SecretError, Secrets, Silent, Token};
use wargate_client::verify::Depth;
use wargate_client::{
    Change, Client, Error, MemoryContents, Parts, Publication, Published, Selector, Settings,
    Wanted,
};
use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{PackageName, Timestamp};
use wargate_testkit::hostile::{HELLO, Operation, PRESENT, Served, alice, operator};

use crate::{CONTENT, Runner, Said, kept};

/// The client's directories.
pub(crate) struct Native {
    directory: TempDir,
    url: RegistryUrl,
}

/// A clock that stands at the story's present, and passes when it is waited for.
pub(crate) struct Present(AtomicI64);

impl Present {
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(PRESENT * 1000))
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst) / 1000
    }

    pub(crate) fn pass(&self, how_long: Duration) {
        self.0.fetch_add(i64::try_from(how_long.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Present {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.seconds())
    }

    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()> {
        self.pass(how_long);
        Box::pin(std::future::ready(()))
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn signing_key(&self, _: &RegistryUrl) -> Result<Option<PrivateKey>, SecretError> {
        Ok(None)
    }

    fn token(&self, _: Asked<'_>) -> Result<Option<Token>, SecretError> {
        // Whoever is not the registry must not see it.
        Token::new("the-users-token").map(Some)
    }
}

/// HTTP that does not wait for long.
pub(crate) fn http() -> Http {
    let mut options = HttpOptions::default();
    options.connect_timeout = Duration::from_secs(2);
    options.answer_timeout = Duration::from_secs(5);
    options.idle_timeout = Duration::from_secs(5);
    Http::new(options)
}

impl Native {
    fn client(&self) -> Client {
        let parts = Parts {
            transport: Arc::new(http()),
            state: Arc::new(FileState::new(self.directory.path().join("state"))),
            cache: Arc::new(FileCache::new(self.directory.path().join("cache"))),
            clock: Arc::new(Present::new()),
            random: Arc::new(SystemRandom),
            secrets: Arc::new(NoSecrets),
            observer: Arc::new(Silent),
        };
        let mut settings = Settings::default();
        settings.home = Some(self.url.clone());
        let keys = vec![operator().public_key().id()];
        settings.operator_keys.insert(self.url.domain(), keys);
        settings.attempts = 2;
        Client::new(parts, settings)
    }

    async fn attempt(&self, client: &Client, operation: Operation) -> Result<(), Error> {
        let name = |text: &str| text.parse::<PackageName>().unwrap();
        match operation {
            Operation::Update(names) => {
                let names: Vec<_> = names.iter().map(|text| name(text)).collect();
                client.update(&names).await.map(|_| ())
            }
            Operation::Follow(package) => client.update(&[name(package)]).await.map(|_| ()),
            Operation::Get(package, version) => {
                let version = Selector::Exact(version.parse().unwrap());
                let wanted = Wanted { name: name(package), version, yanked: false };
                let mut fetched = client.get(&[wanted]).await?.remove(0);
                assert!(client.copy(&mut fetched, &mut |_| Ok(()))?, "wrong content in the cache");
                Ok(())
            }
            Operation::Publish(version) => {
                let content = Digest::of(CONTENT).into();
                let entries = vec![Change::Release { version: version.parse().unwrap(), content }];
                let publication = Publication { name: name(HELLO), head: None, entries };
                let contents = MemoryContents::of([CONTENT]);
                let home = client.home()?;
                let published = home.publish(&publication, &alice(), &contents, true).await?;
                assert!(matches!(published, Published::InLog { .. }), "{published:?}");
                Ok(())
            }
            Operation::Discover => client.home()?.refresh().await,
            Operation::Names => client.home()?.verify(Depth::default()).await.map(|_| ()),
        }
    }
}

impl Runner for Native {
    fn new(served: &Served) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), url: served.url.parse().unwrap() }
    }

    fn believe(&mut self, checkpoint: String) {
        let checkpoint = serde_json::from_str(&checkpoint).unwrap();
        self.client().home().unwrap().believe(&checkpoint).unwrap();
    }

    async fn run(&self, operation: Operation) -> Said {
        let client = self.client();
        match self.attempt(&client, operation).await {
            Ok(()) => Said { code: None, message: String::new(), culprit: None, evidence: false },
            Err(error) => {
                let piece = error.evidence().map(|id| client.evidence_piece(id));
                Said {
                    code: Some(error.code().to_owned()),
                    message: error.to_string(),
                    culprit: error.culprit().map(ToOwned::to_owned),
                    evidence: matches!(piece, Some(Ok(Some(_)))),
                }
            }
        }
    }

    fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = kept::files(self.directory.path());
        files.retain(|path, _| kept::is_belief(path) && !path.contains("/partial/"));
        files
    }

    fn does(_: Operation) -> bool {
        true
    }
}
