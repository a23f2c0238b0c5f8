//! Content that is only referred to: whose release it is good enough for, and what becomes of it.

use std::sync::Arc;

use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{LogId, PackageEnvelope};
use wargate_registry::content::Facts;
use wargate_registry::fsck::{self, Depth};
use wargate_registry::limits::INLINE_CONTENT_BYTES_MAX;
use wargate_registry::policy::{ContentKinds, ContentRules};
use wargate_registry::store::ContentPlace;
use wargate_registry::{RecordStatus, Registry, WriteError};
use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, refused, release, submit, upload,
};

const URL: &str = "https://files.example/a.wasm";
const OTHER: &str = "https://other.example/a.wasm";

/// A record of a new package, which waits for this content.
async fn waiting(
    registry: &Arc<Registry>,
    package: &str,
    author: &PrivateKey,
    contents: &[&[u8]],
) -> PackageEnvelope {
    let releases = contents.iter().zip(1..).map(|(it, minor)| release(&format!("1.{minor}.0"), it));
    let record = record(author, None, std::iter::once(init(author)).chain(releases));
    let status = submit(registry, package, &record).await.unwrap();
    assert!(matches!(status, RecordStatus::Sourcing(_)), "{status:?}");
    record
}

/// The content was fetched from there.
async fn refer(
    registry: &Arc<Registry>,
    package: &str,
    record: &PackageEnvelope,
    bytes: &[u8],
    url: &str,
) -> Result<RecordStatus, WriteError> {
    let (log, digest) = (LogId::package(&name(package)), Digest::of(bytes));
    let mut upload = registry.begin_upload(&log, &record.record_id(), &digest)?;
    upload.write(bytes)?;
    upload.finish_by_referring(url.into()).await
}

/// Where it is; `None` if it is kept.
fn place(registry: &Arc<Registry>, bytes: &[u8]) -> Option<String> {
    let found = registry.content_place(&Digest::of(bytes).into()).unwrap();
    let (size, url) = found.unwrap();
    assert_eq!(size, bytes.len() as u64);
    url
}

fn large() -> Vec<u8> {
    vec![7; usize::try_from(INLINE_CONTENT_BYTES_MAX).unwrap() + 1]
}

#[tokio::test]
async fn a_release_is_published_and_nothing_is_kept() {
    let world = World::new();
    let registry = world.open();
    for (package, bytes) in [("test:small", b"few".to_vec()), ("test:large", large())] {
        let record = waiting(&registry, package, &key(2), &[&bytes]).await;
        published(&refer(&registry, package, &record, &bytes, URL).await.unwrap());
        assert_eq!(place(&registry, &bytes).as_deref(), Some(URL));
        let found = registry.find_content(&Digest::of(&bytes)).unwrap().unwrap();
        assert_eq!(
            (&found.place, found.size),
            (&ContentPlace::Url(URL.into()), bytes.len() as u64)
        );
        assert!(registry.open_content(&Digest::of(&bytes)).is_err());
    }
    assert_eq!(world.blobs.list(None, 10).unwrap(), []);
    assert_eq!(registry.load().spooled_bytes, 0);
    let report = fsck::check(&*world.store, &*world.blobs, Depth::Bytes).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert!(report.notes.iter().any(|note| note.contains("2 digests was not checked")));
    // It counts as any other.
    let used = registry.usages(None, 1).unwrap().remove(0).1;
    assert_eq!(used.bytes, 3 + large().len() as u64);
}

#[tokio::test]
async fn it_is_good_for_whoever_named_the_place_and_for_nobody_else() {
    let world = World::new();
    let registry = world.open();
    let bytes = large();
    let before = waiting(&registry, "test:before", &key(2), &[&bytes]).await;
    let mine = waiting(&registry, "test:mine", &key(3), &[&bytes]).await;
    published(&refer(&registry, "test:mine", &mine, &bytes, URL).await.unwrap());
    // Whoever waited waits on, and whoever comes later waits, too.
    let status = |package: &str, record: &PackageEnvelope| {
        registry.status(&LogId::package(&name(package)), &record.record_id()).unwrap().unwrap()
    };
    let sourcing = RecordStatus::Sourcing(vec![Digest::of(&bytes)]);
    assert_eq!(status("test:before", &before), sourcing);
    let after = waiting(&registry, "test:after", &key(4), &[&bytes]).await;
    // The same place will do once more.
    let again = waiting(&registry, "test:again", &key(5), &[&bytes]).await;
    published(&refer(&registry, "test:again", &again, &bytes, URL).await.unwrap());
    assert_eq!(status("test:after", &after), sourcing);
    // What somebody brings is kept, for all.
    published(
        &upload(&registry, "test:before", &before, &Digest::of(&bytes), &bytes).await.unwrap(),
    );
    published(&status("test:after", &after));
    assert_eq!(place(&registry, &bytes), None);
    assert!(registry.open_content(&Digest::of(&bytes)).unwrap().is_some());
    // And stays so.
    let late = record(&key(6), None, [init(&key(6)), release("1.0.0", &bytes)]);
    published(&submit(&registry, "test:late", &late).await.unwrap());
    world.check();
    drop(registry);
    let registry = world.open();
    assert_eq!(place(&registry, &bytes), None);
}

#[tokio::test]
async fn content_that_two_have_at_two_places_is_kept() {
    let world = World::new();
    let registry = world.open();
    let bytes = large();
    let one = waiting(&registry, "test:one", &key(2), &[&bytes]).await;
    let two = waiting(&registry, "test:two", &key(3), &[&bytes]).await;
    // Both were fetched before either was taken: one wins, and the other waits.
    let begun = |package: &str, record: &PackageEnvelope| {
        let (log, digest) = (LogId::package(&name(package)), Digest::of(&bytes));
        registry.begin_upload(&log, &record.record_id(), &digest).unwrap()
    };
    let mut first = begun("test:one", &one);
    first.write(&bytes).unwrap();
    published(&first.finish_by_referring(URL.into()).await.unwrap());
    published(&refer(&registry, "test:two", &two, &bytes, OTHER).await.unwrap());
    assert_eq!(place(&registry, &bytes), None);
    world.check();
}

#[tokio::test]
async fn a_record_may_have_some_content_here_and_some_elsewhere() {
    let world = World::new();
    let registry = world.open();
    let contents: [&[u8]; 3] = [b"here", b"there", &large()];
    let record = waiting(&registry, "test:mixed", &key(2), &contents).await;
    let left = refer(&registry, "test:mixed", &record, contents[1], URL).await.unwrap();
    let digests = [0, 2].map(|at: usize| Digest::of(contents[at]));
    assert_eq!(left, RecordStatus::Sourcing(digests.to_vec()));
    // What is known survives the process.
    drop(registry);
    let registry = world.open();
    for at in [0, 2] {
        let digest = Digest::of(contents[at]);
        upload(&registry, "test:mixed", &record, &digest, contents[at]).await.unwrap();
    }
    let status = registry.status(&LogId::package(&name("test:mixed")), &record.record_id());
    published(&status.unwrap().unwrap());
    assert_eq!(place(&registry, contents[1]).as_deref(), Some(URL));
    world.check();
}

#[tokio::test]
async fn it_is_looked_at_as_an_upload_is() {
    let mut world = World::new();
    let kinds = ContentKinds { components: true, modules: false, wit_packages: false };
    world.content_policies = vec![Arc::new(ContentRules { kinds, compare_names: true })];
    world.limits.content_bytes_max = 100;
    let registry = world.open();
    let module = b"\0asm\x01\0\0\0";
    let record = waiting(&registry, "test:a", &key(2), &[module]).await;
    let other = registry.begin_upload(
        &LogId::package(&name("test:a")),
        &record.record_id(),
        &Digest::of(module),
    );
    let mut other = other.unwrap();
    other.write(b"other bytes").unwrap();
    let error = other.finish_by_referring(URL.into()).await.unwrap_err();
    assert!(matches!(error, WriteError::BadRequest(_)), "{error:?}");
    let error = refer(&registry, "test:a", &record, module, URL).await.unwrap_err();
    assert!(matches!(error, WriteError::Rejected(_)), "{error:?}");
    let status = registry.status(&LogId::package(&name("test:a")), &record.record_id());
    assert!(refused(status.unwrap().unwrap()).contains("was refused"));
    let long = waiting(&registry, "test:long", &key(3), &[&[0; 101]]).await;
    let error = refer(&registry, "test:long", &long, &[0; 101], URL).await.unwrap_err();
    assert!(matches!(error, WriteError::ContentTooLarge { bytes_max: 100 }), "{error:?}");
    // A component is known for one.
    let component = b"\0asm\x0d\0\x01\0";
    let record = waiting(&registry, "test:b", &key(4), &[component]).await;
    published(&refer(&registry, "test:b", &record, component, URL).await.unwrap());
    let found = registry.find_content(&Digest::of(component)).unwrap();
    let facts = found.as_ref().and_then(Facts::from_row);
    assert!(matches!(facts, Some(Facts::Wasm(_))));
    world.check();
}

#[tokio::test]
async fn what_nobody_names_is_forgotten() {
    let mut world = World::new();
    world.limits.unnamed_seconds_max = 100;
    world.limits.pending_seconds_max = 100;
    let registry = world.open();
    let record = waiting(&registry, "test:two", &key(2), &[b"one", b"two"]).await;
    refer(&registry, "test:two", &record, b"one", URL).await.unwrap();
    let kept = waiting(&registry, "test:one", &key(3), &[b"named"]).await;
    published(&refer(&registry, "test:one", &kept, b"named", URL).await.unwrap());
    world.clock.set(BEGIN + 10_000);
    registry.tend().await.unwrap();
    let known = |bytes: &[u8]| registry.content_place(&Digest::of(bytes).into()).unwrap().is_some();
    assert!(!known(b"one") && known(b"named"));
    let again = record_of_one(&registry).await;
    published(&again);
    world.check();
}

async fn record_of_one(registry: &Arc<Registry>) -> RecordStatus {
    let author = key(4);
    let record = record(&author, None, [init(&author), release("1.0.0", b"one")]);
    publish(registry, "test:again", &record, b"one").await
}
