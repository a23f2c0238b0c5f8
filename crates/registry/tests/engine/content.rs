//! Content: what comes, what is kept, and what is refused.

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::LogId;
use wargate_registry::content::Body;
use wargate_registry::limits::{
    BACKLOG_RECORDS_MAX, INLINE_CONTENT_BYTES_MAX, Limits, RECORD_ENTRIES_MAX,
};
use wargate_registry::policy::{AuthorizedKeys, ContentKinds, ContentRules};
use wargate_registry::{RecordStatus, WriteError};

use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, refused, release, submit, upload,
};

/// The smallest component, and the smallest module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[tokio::test]
async fn garbage_for_a_known_record_harms_nobody() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let record = record(&author, None, [init(&author), release("1.0.0", b"right")]);
    let digest = Digest::of(b"right");
    submit(&registry, "test:a", &record).await.unwrap();
    for garbage in [&b""[..], b"wrong", &vec![7; 100_000]] {
        let error = upload(&registry, "test:a", &record, &digest, garbage).await.unwrap_err();
        assert!(matches!(error, WriteError::BadRequest(_)), "{error:?}");
    }
    let status = registry.status(&LogId::package(&name("test:a")), &record.record_id());
    assert_eq!(status.unwrap(), Some(RecordStatus::Sourcing(vec![digest])));
    published(&upload(&registry, "test:a", &record, &digest, b"right").await.unwrap());
    world.check();
}

#[tokio::test]
async fn content_of_any_size_comes_back_as_it_went() {
    let world = World::new();
    let registry = world.open();
    let inline = usize::try_from(INLINE_CONTENT_BYTES_MAX).unwrap();
    for (number, size) in [0, 1, inline - 1, inline, inline + 1, 300_000].into_iter().enumerate() {
        let author = key(10);
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let package = format!("test:p{number}");
        let record = record(&author, None, [init(&author), release("1.0.0", &content)]);
        published(&publish(&registry, &package, &record, &content).await);
        let found = registry.open_content(&Digest::of(&content)).unwrap().unwrap();
        assert_eq!(found.size, size as u64);
        let bytes = match found.body {
            Body::Inline(bytes) => bytes,
            Body::Blob(blob) => {
                let mut bytes = vec![0; size + 10];
                let mut position = 0;
                loop {
                    match blob.read_at(position as u64, &mut bytes[position..]).unwrap() {
                        0 => break,
                        read => position += read,
                    }
                }
                bytes.truncate(position);
                bytes
            }
        };
        assert!(bytes == content, "{size} bytes");
    }
    world.check();
}

#[tokio::test]
async fn a_record_waits_for_all_its_content_in_any_order() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let contents: [&[u8]; 3] = [b"one", b"two", b"three"];
    let entries = [
        release("1.0.0", contents[0]),
        release("2.0.0", contents[1]),
        release("3.0.0", contents[2]),
        release("3.0.1", contents[2]),
    ];
    let record = record(&author, None, [init(&author)].into_iter().chain(entries));
    let status = submit(&registry, "test:a", &record).await.unwrap();
    assert_eq!(status, RecordStatus::Sourcing(contents.map(Digest::of).to_vec()));
    for (at, missing) in [(2, 2), (0, 1)] {
        let digest = Digest::of(contents[at]);
        let status = upload(&registry, "test:a", &record, &digest, contents[at]).await.unwrap();
        assert!(matches!(status, RecordStatus::Sourcing(left) if left.len() == missing));
    }
    let last = upload(&registry, "test:a", &record, &Digest::of(b"two"), b"two").await;
    published(&last.unwrap());
    world.check();
}

/// 20.3, N12: content that another record brought counts for all that wait for it.
#[tokio::test]
async fn content_sets_every_record_free_that_waits_for_it() {
    let world = World::new();
    let registry = world.open();
    let packages: Vec<_> = (0..20_u8).map(|n| (format!("test:p{n}"), key(10 + n))).collect();
    let mut records = Vec::new();
    for (package, author) in &packages {
        let record = record(author, None, [init(author), release("1.0.0", b"shared")]);
        submit(&registry, package, &record).await.unwrap();
        records.push(record);
    }
    let digest = Digest::of(b"shared");
    let status = upload(&registry, &packages[3].0, &records[3], &digest, b"shared").await;
    published(&status.unwrap());
    assert_eq!(registry.newest().committed.length().get(), 21);
    for ((package, _), record) in packages.iter().zip(&records) {
        // Those who come late with the same bytes are not turned away.
        published(&upload(&registry, package, record, &digest, b"shared").await.unwrap());
    }
    world.check();
}

/// What is kept in memory of a record must not hide what others have brought for it.
#[tokio::test]
async fn what_others_bring_for_a_record_is_known_at_once() {
    let world = World::new();
    let registry = world.open();
    let (one, two) = (key(2), key(3));
    let alone = record(&one, None, [init(&one), release("1.0.0", b"shared")]);
    let releases = [release("1.0.0", b"shared"), release("2.0.0", b"own")];
    let both = record(&two, None, [init(&two)].into_iter().chain(releases));
    submit(&registry, "test:one", &alone).await.unwrap();
    submit(&registry, "test:two", &both).await.unwrap();
    let digest = Digest::of(b"shared");
    published(&upload(&registry, "test:one", &alone, &digest, b"shared").await.unwrap());
    let status = registry.status(&LogId::package(&name("test:two")), &both.record_id());
    assert_eq!(status.unwrap(), Some(RecordStatus::Sourcing(vec![Digest::of(b"own")])));
    let own = upload(&registry, "test:two", &both, &Digest::of(b"own"), b"own").await;
    published(&own.unwrap());
    world.check();
}

/// A record that is sent again while another publisher brings what it waits for is not left behind
/// until the next time that the registry tends to itself.
#[tokio::test]
async fn a_record_that_is_sent_again_when_it_is_set_free_is_not_left_behind() {
    let world = World::new();
    let registry = world.open();
    for number in 0..20_u8 {
        let content = [number; 9];
        let (one, two) = (key(10 + number), key(50 + number));
        let (first, second) = (format!("test:a{number}"), format!("test:b{number}"));
        let brought = record(&one, None, [init(&one), release("1.0.0", &content)]);
        let waiting = record(&two, None, [init(&two), release("1.0.0", &content)]);
        submit(&registry, &first, &brought).await.unwrap();
        submit(&registry, &second, &waiting).await.unwrap();
        let mut changes = registry.changes();
        let digest = Digest::of(&content);
        let (uploaded, again) = tokio::join!(
            upload(&registry, &first, &brought, &digest, &content),
            submit(&registry, &second, &waiting)
        );
        published(&uploaded.unwrap());
        again.unwrap();
        let log = LogId::package(&name(&second));
        let status = || registry.status(&log, &waiting.record_id()).unwrap();
        while !matches!(status(), Some(RecordStatus::Published { .. })) {
            changes.changed().await.unwrap();
        }
    }
    world.check();
}

#[tokio::test]
async fn content_that_a_record_does_not_name_is_refused() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let record = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    let other = Digest::of(b"other");
    let begin = || upload(&registry, "test:a", &record, &other, b"other");
    let log = LogId::package(&name("test:a"));
    assert_eq!(begin().await.unwrap_err(), WriteError::LogNotFound(log));
    submit(&registry, "test:a", &record).await.unwrap();
    assert!(matches!(begin().await.unwrap_err(), WriteError::BadRequest(_)));
}

#[tokio::test]
async fn content_that_is_too_large_is_refused_as_it_comes() {
    let mut world = World::new();
    world.limits = Limits { content_bytes_max: 20_000, ..Limits::default() };
    let registry = world.open();
    let author = key(2);
    let content = vec![1; 20_001];
    let record = record(&author, None, [init(&author), release("1.0.0", &content)]);
    submit(&registry, "test:a", &record).await.unwrap();
    let error = upload(&registry, "test:a", &record, &Digest::of(&content), &content).await;
    assert_eq!(error.unwrap_err(), WriteError::ContentTooLarge { bytes_max: 20_000 });
}

#[tokio::test]
async fn policies_refuse_content_and_the_record_with_it() {
    let mut world = World::new();
    let kinds = ContentKinds { modules: false, ..ContentKinds::ALL };
    world.content_policies = vec![Arc::new(ContentRules { kinds, compare_names: true })];
    let registry = world.open();
    for (number, content) in [MODULE, b"no wasm", &vec![0; 50_000]].into_iter().enumerate() {
        let (author, package) = (key(20), format!("test:p{number}"));
        let record = record(&author, None, [init(&author), release("1.0.0", content)]);
        submit(&registry, &package, &record).await.unwrap();
        let digest = Digest::of(content);
        let error = upload(&registry, &package, &record, &digest, content).await.unwrap_err();
        assert!(matches!(error, WriteError::Rejected(_)), "{error:?}");
        let status = registry.status(&LogId::package(&name(&package)), &record.record_id());
        refused(status.unwrap().unwrap());
        assert!(registry.open_content(&digest).unwrap().is_none(), "it was kept");
        // And again, to a record that was refused.
        let error = upload(&registry, &package, &record, &digest, content).await.unwrap_err();
        assert_eq!(error, WriteError::NotSourcing);
    }
    let author = key(21);
    let good = record(&author, None, [init(&author), release("1.0.0", COMPONENT)]);
    published(&publish(&registry, "test:good", &good, COMPONENT).await);
    // Content that is there already is judged again under each name.
    let again = record(&author, None, [init(&author), release("1.0.0", COMPONENT)]);
    published(&submit(&registry, "test:again", &again).await.unwrap());
    world.check();
}

#[tokio::test]
async fn records_that_wait_too_long_are_forgotten_and_too_many_are_not_taken() {
    let mut world = World::new();
    world.limits =
        Limits { sourcing_records_max: 3, pending_seconds_max: 100, ..Limits::default() };
    let registry = world.open();
    let author = key(2);
    let waiting = |package: &str| {
        let content = package.as_bytes().to_vec();
        record(&author, None, [init(&author), release("1.0.0", &content)])
    };
    for package in ["test:a", "test:b", "test:c"] {
        submit(&registry, package, &waiting(package)).await.unwrap();
    }
    let error = submit(&registry, "test:d", &waiting("test:d")).await.unwrap_err();
    assert!(matches!(error, WriteError::Busy(_)), "{error:?}");
    world.clock.set(BEGIN + 99);
    registry.tend().await.unwrap();
    let log = LogId::package(&name("test:a"));
    let status = registry.status(&log, &waiting("test:a").record_id()).unwrap();
    assert!(matches!(status, Some(RecordStatus::Sourcing(_))));
    world.clock.set(BEGIN + 100);
    registry.tend().await.unwrap();
    assert_eq!(registry.status(&log, &waiting("test:a").record_id()).unwrap(), None);
    submit(&registry, "test:d", &waiting("test:d")).await.unwrap();
    // The number is counted again at start.
    let registry = world.open();
    for package in ["test:e", "test:f"] {
        submit(&registry, package, &waiting(package)).await.unwrap();
    }
    assert!(submit(&registry, "test:g", &waiting("test:g")).await.is_err());
    world.check();
}

/// More records wait for one content than one step looks at: the rest follows without being asked.
#[tokio::test]
async fn a_crowd_that_waits_for_one_content_is_set_free_in_several_steps() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let crowd = BACKLOG_RECORDS_MAX + 50;
    let record = record(&author, None, [init(&author), release("1.0.0", b"shared")]);
    let packages: Vec<_> = (0..crowd)
        .map(|number| {
            let letter =
                |at: u32| char::from(b'a' + u8::try_from(number / 26_usize.pow(at) % 26).unwrap());
            format!("test:{}{}{}", letter(2), letter(1), letter(0))
        })
        .collect();
    for package in &packages {
        submit(&registry, package, &record).await.unwrap();
    }
    let digest = Digest::of(b"shared");
    published(&upload(&registry, &packages[0], &record, &digest, b"shared").await.unwrap());
    assert_eq!(registry.newest().committed.length().get(), 1 + crowd as u64);
    world.check();
}

/// What is too large or too much for one record is refused before it is kept.
#[tokio::test]
async fn records_have_limits() {
    let world = World::new();
    let registry = world.open();
    let author = key(2);
    let yanks = |count: usize| {
        let yank = |_| wargate_protocol::Entry::yank("1.0.0".parse().unwrap());
        record(&author, None, std::iter::once(init(&author)).chain((0..count).map(yank)))
    };
    let long = "a".repeat(60_000);
    let versions = (0..5).map(|n| release(&format!("1.0.{n}-{long}"), b"x"));
    let large = record(&author, None, std::iter::once(init(&author)).chain(versions));
    for record in [yanks(RECORD_ENTRIES_MAX), large] {
        let error = submit(&registry, "test:a", &record).await.unwrap_err();
        assert!(matches!(error, WriteError::BadRequest(_)), "{error:?}");
    }
    refused(submit(&registry, "test:a", &yanks(RECORD_ENTRIES_MAX - 1)).await.unwrap());
}

/// The room for records that wait is what the store says, whatever became of those that waited.
#[tokio::test]
async fn the_number_of_waiting_records_never_drifts() {
    let mut world = World::new();
    let crowd = BACKLOG_RECORDS_MAX + 20;
    world.limits = Limits {
        sourcing_records_max: crowd as u64,
        pending_seconds_max: 100,
        ..Limits::default()
    };
    let registry = world.open();
    let author = key(2);
    let shared = record(&author, None, [init(&author), release("1.0.0", b"shared")]);
    let letters = |number: usize| {
        let letter =
            |at: u32| char::from(b'a' + u8::try_from(number / 26_usize.pow(at) % 26).unwrap());
        format!("test:{}{}{}", letter(2), letter(1), letter(0))
    };
    for number in 0..crowd {
        submit(&registry, &letters(number), &shared).await.unwrap();
    }
    let other = record(&author, None, [init(&author), release("1.0.0", b"other")]);
    assert!(submit(&registry, "test:other", &other).await.is_err());
    upload(&registry, &letters(0), &shared, &Digest::of(b"shared"), b"shared").await.unwrap();
    for number in 0..crowd {
        let more = record(&author, None, [init(&author), release("1.0.0", &number.to_be_bytes())]);
        submit(&registry, &format!("test:x{}", &letters(number)[5..]), &more).await.unwrap();
    }
    world.clock.set(BEGIN + 200);
    while world.store.counts().unwrap().sourcing > 0 {
        registry.tend().await.unwrap();
    }
    submit(&registry, "test:other", &other).await.unwrap();
    assert_eq!(world.store.counts().unwrap().sourcing, 1);
    world.check();
}

/// Records that wait for the same content are freed in the order in which they came.
#[tokio::test]
async fn records_are_freed_in_the_order_of_their_admission() {
    for seed in 0..8_u8 {
        let world = World::new();
        let registry = world.open();
        let author = key(seed + 1);
        let first = record(&author, None, [init(&author)]);
        published(&submit(&registry, "test:a", &first).await.unwrap());
        let mut prev = Some(first.record_id());
        let mut chain = Vec::new();
        for version in ["1.0.0", "1.0.1", "1.0.2", "1.0.3"] {
            let record = record(&author, prev, [release(version, b"x")]);
            submit(&registry, "test:a", &record).await.unwrap();
            prev = Some(record.record_id());
            chain.push(record);
        }
        upload(&registry, "test:a", &chain[0], &Digest::of(b"x"), b"x").await.unwrap();
        assert_eq!(registry.newest().committed.length().get(), 6);
        world.check();
    }
}

/// Content of any size can be looked into, whatever the limits are: nobody waits for room for ever.
#[tokio::test]
async fn the_largest_content_finds_room_to_be_looked_into() {
    let mut world = World::new();
    let (content_bytes_max, inspected_bytes_max) = (1_000_001, 1_000_001);
    world.limits = Limits { content_bytes_max, inspected_bytes_max, ..Limits::default() };
    let registry = world.open();
    let (author, content) = (key(2), vec![9; 1_000_001]);
    let record = record(&author, None, [init(&author), release("1.0.0", &content)]);
    published(&publish(&registry, "test:a", &record, &content).await);
}

/// What is allowed is asked again when a record has waited.
#[tokio::test]
async fn a_record_that_waited_is_judged_by_the_rules_of_today() {
    let mut world = World::new();
    let author = key(2);
    let waits = record(&author, None, [init(&author), release("1.0.0", b"x")]);
    submit(&world.open(), "test:a", &waits).await.unwrap();
    world.record_policies = vec![Arc::new(AuthorizedKeys::from_toml("").unwrap())];
    let registry = world.open();
    let status = upload(&registry, "test:a", &waits, &Digest::of(b"x"), b"x").await.unwrap();
    assert!(refused(status).contains("not authorised"));
    world.check();
}
