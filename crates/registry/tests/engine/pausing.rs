//! A registry that is paused: it refuses what is new, and loses nothing of what it has accepted.

use wargate_crypto::Digest;
use wargate_protocol::LogId;
use wargate_registry::limits::Limits;
use wargate_registry::{RecordStatus, WriteError};
use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, release, submit, upload,
};

#[tokio::test]
async fn what_is_new_is_refused_and_what_waits_is_not_forgotten() {
    let mut world = World::new();
    world.limits = Limits { pending_seconds_max: 100, ..Limits::default() };
    let registry = world.open();
    let author = key(2);
    let waiting = record(&author, None, [init(&author), release("1.0.0", b"late")]);
    let digest = Digest::of(b"late");
    submit(&registry, "test:late", &waiting).await.unwrap();
    let length = registry.newest().committed.length();

    registry.pause("the disk is being moved");
    let new = record(&author, None, [init(&author)]);
    for refused in [
        submit(&registry, "test:new", &new).await.unwrap_err(),
        upload(&registry, "test:late", &waiting, &digest, b"late").await.unwrap_err(),
    ] {
        assert!(matches!(&refused, WriteError::Paused(why) if why.contains("disk")), "{refused}");
        assert!(refused.to_string().contains("the disk is being moved"));
    }
    // Long after its time, it still waits, and the checkpoint is signed again all the same.
    for seconds in [BEGIN + 1000, BEGIN + 2000] {
        world.clock.set(seconds);
        registry.tend().await.unwrap();
        let signed = registry.newest().checkpoint.contents.timestamp_seconds;
        assert_eq!(signed, u64::try_from(seconds).unwrap());
    }
    let log = LogId::package(&name("test:late"));
    let status = registry.status(&log, &waiting.record_id()).unwrap();
    assert_eq!(status, Some(RecordStatus::Sourcing(vec![digest])));
    assert_eq!(registry.newest().committed.length(), length);

    registry.resume();
    registry.tend().await.unwrap();
    published(&upload(&registry, "test:late", &waiting, &digest, b"late").await.unwrap());
    published(&publish(&registry, "test:new", &new, b"").await);
    // What came after is forgotten in its time again.
    let other = record(&author, None, [init(&author), release("1.0.0", b"never")]);
    submit(&registry, "test:other", &other).await.unwrap();
    world.clock.set(BEGIN + 3000);
    registry.tend().await.unwrap();
    let log = LogId::package(&name("test:other"));
    assert_eq!(registry.status(&log, &other.record_id()).unwrap(), None);
    world.check();
}
