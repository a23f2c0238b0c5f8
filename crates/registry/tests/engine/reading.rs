//! What anybody may ask.

use wargate_protocol::{LogId, LogLength, RegistryIndex};
use wargate_registry::limits::Limits;
use wargate_registry::read::{LogsRequest, TranscriptRequest};
use wargate_registry::{ReadError, Registry};
use wargate_transparency::log::{Edge, LogProofBundle};

use wargate_testkit::world::{BEGIN, World, init, key, name, publish, record, release};

/// A registry with `packages` packages of three releases each; lengths 1 to 1 + 3 * packages.
async fn grown(world: &World, packages: u8) -> std::sync::Arc<Registry> {
    let registry = world.open();
    for number in 0..packages {
        let (author, package) = (key(number + 1), format!("test:p{number}"));
        let mut prev = None;
        for version in 0..3 {
            let first = (version == 0).then(|| init(&author));
            let release = release(&format!("1.{version}.0"), b"x");
            let record = record(&author, prev, first.into_iter().chain([release]));
            publish(&registry, &package, &record, b"x").await;
            prev = Some(record.record_id());
        }
    }
    registry
}

fn log(package: &str) -> LogId {
    LogId::package(&name(package))
}

fn logs(length: u64, limit: usize, packages: Vec<(LogId, Option<String>)>) -> LogsRequest {
    LogsRequest { length: LogLength::new(length), limit, operator: None, packages }
}

#[tokio::test]
async fn pages_of_logs_end_where_the_length_ends() {
    let world = World::new();
    let registry = grown(&world, 2).await;
    let fetch = |length, limit, token: Option<String>| {
        registry.fetch_logs(&logs(length, limit, vec![(log("test:p0"), token)]))
    };
    let page = fetch(7, 2, None).unwrap();
    assert!(page.more);
    assert_eq!(page.operator.len(), 1);
    let records = &page.packages[0].1;
    assert_eq!(records.iter().map(|r| r.index.get()).collect::<Vec<_>>(), [1, 2]);
    let token = Some(records[1].leaf.record_id.to_string());
    let page = fetch(7, 2, token.clone()).unwrap();
    assert_eq!((page.more, page.packages[0].1.len()), (false, 1));
    // An older length is answered as it was.
    assert_eq!(fetch(2, 100, None).unwrap().packages[0].1.len(), 1);
    // A client may hold more than the length that it asks for.
    assert!(fetch(2, 100, token).unwrap().packages[0].1.is_empty());
    let unknown = Some("sha256:00".to_owned());
    assert!(matches!(fetch(7, 2, unknown), Err(ReadError::FetchTokenNotFound(_))));
    let unknown = Some(log("test:p0").to_string());
    assert!(matches!(fetch(7, 2, unknown), Err(ReadError::FetchTokenNotFound(_))));
    for length in [0, 8, u64::MAX] {
        assert!(matches!(fetch(length, 2, None), Err(ReadError::CheckpointNotFound(_))));
    }
}

/// 12.3: a log that is newer than the length does not exist yet, for whoever asks without a token.
#[tokio::test]
async fn a_log_that_is_newer_than_the_length_is_not_found() {
    let world = World::new();
    let registry = grown(&world, 2).await;
    let fetch =
        |length, package| registry.fetch_logs(&logs(length, 100, vec![(log(package), None)]));
    for (length, package) in [(4, "test:p1"), (7, "test:none")] {
        let missing = fetch(length, package).unwrap_err();
        assert!(matches!(missing, ReadError::LogNotFound(found) if found == log(package)));
    }
    let operator = registry.fetch_logs(&logs(7, 100, vec![(LogId::operator(), None)]));
    assert!(matches!(operator, Err(ReadError::LogNotFound(_))));
    assert_eq!(fetch(5, "test:p1").unwrap().packages[0].1.len(), 1);
}

#[tokio::test]
async fn every_newest_record_can_be_proven_at_every_length() {
    let world = World::new();
    let registry = grown(&world, 3).await;
    let newest = registry.newest().committed.length().get();
    for length in 1..=newest {
        let heads = |package: u64| (0..3).map(|v| 1 + 3 * package + v).rfind(|at| *at < length);
        let heads: Vec<_> =
            std::iter::once(0).chain((0..3).filter_map(heads)).map(RegistryIndex::new).collect();
        let proofs = registry.prove_inclusion(LogLength::new(length), &heads).unwrap();
        let bundle = LogProofBundle::decode(&proofs.log).unwrap();
        assert_eq!(bundle.included().len(), heads.len());
    }
    let prove = |length, at: &[u64]| {
        let at: Vec<_> = at.iter().copied().map(RegistryIndex::new).collect();
        registry.prove_inclusion(LogLength::new(length), &at)
    };
    assert!(matches!(prove(10, &[10]), Err(ReadError::LeafNotFound(_))));
    assert!(matches!(prove(2, &[2]), Err(ReadError::CannotProve(_))));
    assert!(matches!(prove(11, &[0]), Err(ReadError::CannotProve(_))));
    assert!(matches!(prove(u64::MAX, &[0]), Err(ReadError::CannotProve(_))));
    assert!(matches!(prove(10, &[]), Err(ReadError::CannotProve(_))));
    assert!(matches!(prove(10, &[1]), Err(ReadError::IncorrectProof { .. })));
    for (from, to) in [(0, 3), (4, 3), (3, 11), (3, u64::MAX)] {
        let proof = registry.prove_consistency(LogLength::new(from), LogLength::new(to));
        assert!(matches!(proof, Err(ReadError::CannotProve(_))), "{from} {to}");
    }
    for from in 1..=newest {
        let proof = registry.prove_consistency(LogLength::new(from), LogLength::new(newest));
        LogProofBundle::decode(&proof.unwrap()).unwrap();
    }
}

/// A transcript is what the three questions answer at the checkpoint's length, whatever is known.
#[tokio::test]
async fn a_transcript_answers_three_questions_at_once() {
    let world = World::new();
    let registry = grown(&world, 3).await;
    let length = registry.newest().committed.length();
    let tokens: Vec<_> = {
        let all = registry.fetch_logs(&logs(length.get(), 100, vec![(log("test:p1"), None)]));
        let records = all.unwrap().packages.remove(0).1;
        records.iter().map(|record| Some(record.leaf.record_id.to_string())).collect()
    };
    for token in [None].into_iter().chain(tokens) {
        let packages = vec![(log("test:p2"), None), (log("test:p1"), token)];
        let consistent_from = [0, 1, 4, 9, 10, 11].map(LogLength::new);
        let request = TranscriptRequest {
            limit: 100,
            packages: packages.clone(),
            consistent_from: consistent_from[2..].to_vec(),
            ..TranscriptRequest::default()
        };
        let page = registry.fetch_transcript(&request).unwrap();
        assert_eq!(page.checkpoint, registry.newest().checkpoint);
        assert_eq!(page.logs, registry.fetch_logs(&logs(length.get(), 100, packages)).unwrap());
        let proofs = page.proofs.unwrap();
        let heads = [0, 9, 6].map(RegistryIndex::new);
        let inclusion = registry.prove_inclusion(length, &heads).unwrap();
        assert_eq!((proofs.log, proofs.map), (inclusion.log, inclusion.map));
        let from: Vec<_> = proofs.consistency.iter().map(|proof| proof.from.get()).collect();
        assert_eq!(from, [4, 9]);
        for proof in proofs.consistency {
            assert_eq!(proof.proof, registry.prove_consistency(proof.from, length).unwrap());
        }
        let first = TranscriptRequest { consistent_from: consistent_from[..2].to_vec(), ..request };
        assert_eq!(registry.fetch_transcript(&first).unwrap().proofs.unwrap().consistency.len(), 1);
    }
}

#[tokio::test]
async fn a_transcript_has_no_proofs_while_there_are_more_records() {
    let world = World::new();
    let registry = grown(&world, 2).await;
    let fetch = |limit, packages: Vec<_>, consistent_from| {
        let operator = None;
        registry.fetch_transcript(&TranscriptRequest { limit, operator, packages, consistent_from })
    };
    let page = fetch(3, vec![(log("test:p0"), None)], Vec::new()).unwrap();
    assert_eq!((page.logs.more, page.proofs), (true, None));
    let page = fetch(4, vec![(log("test:p0"), None)], Vec::new()).unwrap();
    assert_eq!((page.logs.more, page.proofs.is_some()), (false, true));
    let missing = fetch(4, vec![(log("test:none"), None)], Vec::new());
    assert!(matches!(missing, Err(ReadError::LogNotFound(_))));
    let unknown = fetch(4, vec![(log("test:p0"), Some("x".into()))], Vec::new());
    assert!(matches!(unknown, Err(ReadError::FetchTokenNotFound(_))));
    let many = fetch(4, vec![(log("test:p0"), None); 1000], Vec::new());
    assert!(matches!(many, Err(ReadError::BadRequest(_))));
    let many = fetch(4, Vec::new(), vec![LogLength::new(1); 5]);
    assert!(matches!(many, Err(ReadError::BadRequest(_))));
    fetch(4, vec![(log("test:p0"), None); 999], vec![LogLength::new(1); 4]).unwrap();
}

#[tokio::test]
async fn tiles_make_the_same_tree() {
    let world = World::new();
    let registry = grown(&world, 4).await;
    let newest = registry.newest();
    let length = wargate_transparency::log::LogLength::new(13).unwrap();
    assert_eq!(newest.committed.length().get(), 13);
    let at = Edge::wanted(length)[0];
    let tile = registry.tile(at).unwrap().unwrap();
    assert_eq!(tile.len(), 13 * 32);
    let leaves: Vec<_> = registry.leaves(RegistryIndex::FIRST, 100).unwrap();
    let hashes: Vec<_> = leaves.iter().map(wargate_protocol::LogLeaf::hash).collect();
    let root = Edge::empty().append(&hashes).unwrap().root;
    assert_eq!(root, newest.committed.checkpoint.log_root);
    let entries = wargate_transparency::log::EntriesRef::at_length(0, length).unwrap();
    let bundle = registry.entry_bundle(entries).unwrap().unwrap();
    let bundle = wargate_transparency::log::EntryBundle::decode(&bundle, entries.width()).unwrap();
    assert!(bundle.entries().zip(&leaves).all(|(entry, leaf)| entry == leaf.encode()));
    let wider = wargate_transparency::log::TileWidth::new(14).unwrap();
    let wider = wargate_transparency::log::TileRef { id: at.id, width: wider };
    assert_eq!(registry.tile(wider).unwrap(), None);
}

#[tokio::test]
async fn maps_of_old_checkpoints_are_kept_for_a_while() {
    let mut world = World::new();
    world.limits = Limits { map_window_seconds: 100, ..Limits::default() };
    let registry = grown(&world, 2).await;
    let prove = |registry: &Registry, length| {
        registry.prove_inclusion(LogLength::new(length), &[RegistryIndex::FIRST])
    };
    world.clock.set(BEGIN + 5000);
    let author = key(77);
    let late = record(&author, None, [init(&author)]);
    publish(&registry, "test:late", &late, b"").await;
    registry.tend().await.unwrap();
    prove(&registry, 8).unwrap();
    // It was the newest when the window began.
    prove(&registry, 7).unwrap();
    for length in 1..7 {
        let gone = prove(&registry, length).unwrap_err();
        assert!(matches!(gone, ReadError::CheckpointNotFound(_)), "{length}: {gone:?}");
    }
    // Everything else of it is there for ever.
    registry.prove_consistency(LogLength::new(3), LogLength::new(5)).unwrap();
    let request = logs(3, 100, vec![(log("test:p0"), None)]);
    assert_eq!(registry.fetch_logs(&request).unwrap().packages[0].1.len(), 2);
    world.check();
}
