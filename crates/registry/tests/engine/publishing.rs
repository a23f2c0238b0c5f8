//! One publisher after the other.

use wargate_protocol::{Entry, LogId, Operator, PackagePermission, RecordId};
use wargate_registry::{RecordStatus, WriteError};

use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, record_at, refused, release, submit,
};

#[tokio::test]
async fn a_new_registry_has_one_record_and_signs_it() {
    let world = World::new();
    let newest = world.open().newest();
    assert_eq!(newest.committed.length().get(), 1);
    assert_eq!(newest.checkpoint.contents.timestamp_seconds, u64::try_from(BEGIN).unwrap());
    newest.checkpoint.verify_signature(&key(1).public_key()).unwrap();
    world.check();
}

#[tokio::test]
async fn a_record_without_content_is_published_at_once() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let status = submit(&registry, "test:a", &record(&author, None, [init(&author)])).await;
    assert_eq!(published(&status.unwrap()), 1);
    assert_eq!(registry.newest().committed.length().get(), 2);
    world.check();
}

#[tokio::test]
async fn many_releases_of_many_packages() {
    let world = World::new();
    let registry = world.open();
    let mut expected = 1;
    for package in 0..12_u8 {
        let (author, package) =
            (key(10 + package), format!("test:p-x{}", "a".repeat(package.into())));
        let mut prev: Option<RecordId> = None;
        for version in 0..5 {
            let content = format!("{package} {version}");
            let release = release(&format!("1.{version}.0"), content.as_bytes());
            let first = prev.is_none().then(|| init(&author));
            let record = record(&author, prev, first.into_iter().chain([release]));
            let status = publish(&registry, &package, &record, content.as_bytes()).await;
            assert_eq!(published(&status), expected);
            (expected, prev) = (expected + 1, Some(record.record_id()));
        }
    }
    world.check();
}

#[tokio::test]
async fn what_was_published_is_there_after_a_restart() {
    let world = World::new();
    let author = key(2);
    let first = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    let before = {
        let registry = world.open();
        publish(&registry, "test:a", &first, b"x").await;
        registry.newest()
    };
    let registry = world.open();
    assert_eq!(registry.newest().committed, before.committed);
    let second = record(&author, Some(first.record_id()), [release("1.1.0", b"x")]);
    assert_eq!(published(&submit(&registry, "test:a", &second).await.unwrap()), 2);
    world.check();
}

/// 20.3, N5: the same record again is answered with what has become of it.
#[tokio::test]
async fn the_same_record_again_changes_nothing() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let first = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    for _ in 0..3 {
        let status = submit(&registry, "test:a", &first).await.unwrap();
        assert!(matches!(status, RecordStatus::Sourcing(_)), "{status:?}");
    }
    let status = publish(&registry, "test:a", &first, b"x").await;
    assert_eq!(submit(&registry, "test:a", &first).await.unwrap(), status);
    let stale = record(&author, None, [init(&author)]);
    let why = refused(submit(&registry, "test:a", &stale).await.unwrap());
    assert_eq!(refused(submit(&registry, "test:a", &stale).await.unwrap()), why);
    assert_eq!(registry.newest().committed.length().get(), 2);
    world.check();
}

/// 4.2 and 12.4: records are not bound to a name.
#[tokio::test]
async fn equal_bytes_may_go_to_two_logs() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let record = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    publish(&registry, "test:a", &record, b"x").await;
    assert_eq!(published(&submit(&registry, "test:b", &record).await.unwrap()), 2);
    world.check();
}

#[tokio::test]
async fn what_does_not_fit_onto_its_log_is_refused_with_the_reason() {
    let world = World::new();
    let registry = world.open();
    let (author, stranger) = (key(2), key(3));
    let first = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    publish(&registry, "test:a", &first, b"x").await;
    let prev = Some(first.record_id());
    let grant = Entry::grant(stranger.public_key(), [PackagePermission::Yank]);
    let second = record(&author, prev, [grant]);
    published(&submit(&registry, "test:a", &second).await.unwrap());
    let head = Some(second.record_id());
    let rows = [
        (record(&author, prev, [release("2.0.0", b"x")]), "does not follow"),
        (record(&author, head, [release("1.0.0", b"x")]), "1.0.0"),
        (record(&stranger, head, [release("2.0.0", b"x")]), "release"),
        (record(&author, head, [Entry::yank("9.0.0".parse().unwrap())]), "9.0.0"),
        (record_at(&author, head, BEGIN - 9, [release("2.0.0", b"x")]), "dated before"),
    ];
    for (record, word) in rows {
        let why = refused(submit(&registry, "test:a", &record).await.unwrap());
        assert!(why.starts_with("the package record was invalid: "), "{why}");
        assert!(why.contains(word), "{why:?} does not speak of {word:?}");
    }
    world.check();
}

type Check = fn(WriteError) -> bool;

/// Specification 12.4 and 20.3: N7, N8, N9, and whose fault it is.
#[tokio::test]
async fn what_is_wrong_by_itself_is_refused_before_it_is_kept() {
    let world = World::new();
    let registry = world.open();
    let (author, stranger) = (key(2), key(3));
    let first = record(&author, None, [init(&author)]);
    published(&submit(&registry, "test:a", &first).await.unwrap());
    let short = Entry::release(
        "1.0.0".parse().unwrap(),
        "sha256:abcd".parse::<wargate_crypto::AnyDigest>().unwrap(),
    );
    let unauthorized = |error| matches!(error, WriteError::Unauthorized(_));
    let bad = |error| matches!(error, WriteError::BadRequest(_));
    let rejected = |error| matches!(error, WriteError::Rejected(_));
    let rows: [(&str, _, Check); 6] = [
        ("test:b", record(&author, None, [init(&author), short]), bad),
        ("test:b", record_at(&author, None, BEGIN + 301, [init(&author)]), rejected),
        ("test:b", record_at(&author, None, -1, [init(&author)]), rejected),
        (
            "test:a",
            record(&stranger, None, [init(&stranger), release("1.0.0", b"x")]),
            unauthorized,
        ),
        ("test:b", record(&author, None, [release("1.0.0", b"x")]), unauthorized),
        ("other:b", record(&author, None, [init(&author)]), |error| {
            error == WriteError::NamespaceNotDefined("other".into())
        }),
    ];
    for (package, record, check) in rows {
        let error = submit(&registry, package, &record).await.unwrap_err();
        assert!(check(error.clone()), "{package}: {error:?}");
        let log = LogId::package(&name(package));
        let status = registry.status(&log, &record.record_id()).unwrap();
        assert_eq!(status, None, "{package}: something was kept");
    }
    let ahead = record_at(&author, None, BEGIN + 300, [init(&author)]);
    published(&submit(&registry, "test:b", &ahead).await.unwrap());
    world.check();
}

#[tokio::test]
async fn a_signature_of_another_record_is_refused() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let (one, two) = (
        record(&author, None, [init(&author)]),
        record(&author, None, [init(&author), release("1.0.0", b"x")]),
    );
    let mixed = wargate_protocol::SignedEnvelope::new(
        one.signed().content_bytes().to_vec(),
        one.key_id().clone(),
        *two.signed().signature(),
    );
    let mixed = wargate_protocol::PackageEnvelope::decode(mixed).unwrap();
    let error = submit(&registry, "test:a", &mixed).await.unwrap_err();
    assert!(matches!(error, WriteError::Unauthorized(_)), "{error:?}");
    let operator = wargate_protocol::SignedEnvelope::sign::<Operator>(
        one.signed().content_bytes().to_vec(),
        &author,
    );
    let operator = wargate_protocol::PackageEnvelope::decode(operator).unwrap();
    let error = submit(&registry, "test:a", &operator).await.unwrap_err();
    assert!(matches!(error, WriteError::Unauthorized(_)), "{error:?}");
}

/// Specification 5.2: a key without permissions could go on signing records that do nothing, each in
/// the place of somebody's next one.
#[tokio::test]
async fn a_key_that_has_lost_its_permissions_can_do_nothing_more() {
    let world = World::new();
    let registry = world.open();
    let (owner, former) = (key(2), key(3));
    let all = [PackagePermission::Release, PackagePermission::Yank];
    let grant = Entry::grant(former.public_key(), all);
    let first = record(&owner, None, [init(&owner), grant]);
    published(&submit(&registry, "test:a", &first).await.unwrap());
    let revoke = Entry::revoke(former.public_key().id(), all);
    let second = record(&owner, Some(first.record_id()), [revoke]);
    published(&submit(&registry, "test:a", &second).await.unwrap());
    let head = Some(second.record_id());
    let nothing = record(&former, head, []);
    let nobody = record(&former, head, [Entry::grant(key(4).public_key(), [])]);
    for record in [nothing, nobody] {
        let why = refused(submit(&registry, "test:a", &record).await.unwrap());
        assert!(why.contains("holds no permission"), "{why}");
    }
    published(&submit(&registry, "test:a", &record(&owner, head, [])).await.unwrap());
    world.check();
}
