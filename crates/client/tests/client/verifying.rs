//! Deriving packages, files and registries anew.

use std::sync::Arc;

use wargate_client::verify::{Depth, Finding, Relation, Report};
use wargate_client::{Error, Kind};
use wargate_crypto::Digest;
use wargate_protocol::{Entry, OperatorPermission, PackageEntry, SignedCheckpoint};
use wargate_registry::Registry;
use wargate_testkit::world::{World, init, key, name, publish, published, record, release, submit};

use crate::lab::{HOME, Lab};
use crate::liar::{Liar, resign};

const ONE: &[u8] = b"\0asm\x01\0\0\0";
const TWO: &[u8] = b"two";
const ALL: Depth = Depth { contents: true };

/// `test:hello` with 1.0.0, a yanked 1.1.0 and 1.2.0, and `test:other` with 0.1.0: six records.
async fn fill(registry: &Arc<Registry>) {
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    let second = record(&key(7), Some(first.record_id()), [release("1.1.0", TWO)]);
    let yank = [PackageEntry::yank("1.1.0".parse().unwrap())];
    let third = record(&key(7), Some(second.record_id()), yank);
    let fourth = record(&key(7), Some(third.record_id()), [release("1.2.0", TWO)]);
    published(&publish(registry, "test:hello", &first, ONE).await);
    published(&publish(registry, "test:hello", &second, TWO).await);
    published(&submit(registry, "test:hello", &third).await.unwrap());
    published(&publish(registry, "test:hello", &fourth, TWO).await);
    let other = record(&key(8), None, [init(&key(8)), release("0.1.0", ONE)]);
    published(&publish(registry, "test:other", &other, ONE).await);
}

fn count(report: &Report, fact: &str) -> u64 {
    let found = report.facts.iter().find(|it| it.fact == fact);
    found.unwrap_or_else(|| panic!("no {fact}: {:#?}", report.facts)).count
}

fn finding(error: Error) -> Finding {
    assert_eq!(error.kind(), Kind::Untrusted);
    match error {
        Error::Finding { finding, .. } => *finding,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_registry_is_derived_from_its_first_record() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    fill(&registry).await;
    let user = lab.user();
    let home = user.client.home().unwrap();
    let report = home.verify(ALL).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    let counts = ["records", "packages", "names", "contents", "roots"].map(|it| count(&report, it));
    assert_eq!(counts, [6, 2, 2, 2, 2]);
    assert!(home.checkpoint().unwrap().is_none(), "nothing is believed because of it");
    assert!(report.notes[0].contains("nobody has confirmed"));
    // What was believed before is compared.
    user.client.update(&[name("test:hello")]).await.unwrap();
    let more = record(&key(9), None, [init(&key(9))]);
    published(&submit(&registry, "test:more", &more).await.unwrap());
    let report = home.verify(Depth::default()).await.unwrap();
    assert_eq!((count(&report, "believed"), count(&report, "records")), (1, 7));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["checkpoint"]["contents"]["logLength"], 7);
    assert_eq!(json["problemCount"], 0);
}

#[tokio::test]
async fn a_registry_that_hides_or_bends_something_is_found_out() {
    let (lab, liar) = (Lab::new(), Liar::default());
    let registry = World::new().open();
    lab.put(HOME, liar.over(&registry));
    fill(&registry).await;
    let user = lab.user();
    let home = user.client.home().unwrap();
    liar.tell_json("/v1/fetch/names", |answer| {
        let names = answer["packages"].as_object_mut().unwrap();
        names.values_mut().for_each(|name| *name = "test:hello".into());
    });
    let error = home.verify(Depth::default()).await.unwrap_err();
    let kept = error.evidence().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(kept.registry, *home.domain());
    assert!(matches!(finding(error), Finding::WrongName { .. }));
    // Contents that are other ones, or are not there, are no lie of the log's.
    liar.tell(|path, body| {
        if path == format!("/content/{}", Digest::of(ONE).to_string().replace(':', "-")) {
            body.push(7);
        }
    });
    let report = home.verify(ALL).await.unwrap();
    assert_eq!((report.problem_count, count(&report, "contents")), (1, 1));
    let report = user.client.verify_package(&name("test:hello"), ALL).await.unwrap();
    assert_eq!((report.problem_count, count(&report, "contents")), (1, 1));
    assert!(report.problems[0].starts_with("1.0.0: "), "{:?}", report.problems);
    liar.tell_json("/v1/fetch/logs", |page| {
        // The operator log comes without packages.
        let packages = page.get_mut("packages").and_then(|it| it.as_object_mut());
        for (_, records) in packages.into_iter().flatten() {
            records.as_array_mut().unwrap().reverse();
        }
    });
    let error = home.verify(Depth::default()).await.unwrap_err();
    assert!(matches!(finding(error), Finding::MissingRecord { .. }));
}

#[tokio::test]
async fn a_package_is_derived_from_its_first_record() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    fill(&registry).await;
    let user = lab.user();
    let hello = name("test:hello");
    user.client.update(std::slice::from_ref(&hello)).await.unwrap();
    let report = user.client.verify_package(&hello, ALL).await.unwrap();
    assert!(report.is_clean());
    assert_eq!((count(&report, "records"), count(&report, "believedRecords")), (4, 4));
    let releases: Vec<_> = report
        .releases
        .iter()
        .map(|it| (it.version.to_string(), it.yanked, it.content_bytes, it.registry_index.get()))
        .collect();
    let expected = [
        ("1.0.0".to_owned(), false, Some(8), 1),
        ("1.1.0".to_owned(), true, None, 2),
        ("1.2.0".to_owned(), false, Some(3), 4),
    ];
    assert_eq!(releases, expected);
    let error = user.client.verify_package(&name("test:nothing"), ALL).await.unwrap_err();
    assert!(matches!(error, Error::UnknownPackage { .. }), "{error}");
    // Another history of the same registry is not believed.
    lab.clock.set(wargate_testkit::world::BEGIN);
    let other = lab.registry(HOME);
    for number in 10..17 {
        let first = record(&key(number), None, [init(&key(number))]);
        let package = format!("test:p{}", char::from(b'a' + number - 10));
        published(&submit(&other, &package, &first).await.unwrap());
    }
    let error = user.client.verify_package(&name("test:pa"), ALL).await.unwrap_err();
    assert!(matches!(error, Error::Misbehaviour { .. }), "{error}");
}

#[tokio::test]
async fn a_file_is_found_among_the_releases() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    fill(&registry).await;
    let user = lab.user();
    let hello = name("test:hello");
    let report = user.client.verify_file(ONE, Some(&hello)).await.unwrap();
    assert!(report.is_clean());
    assert_eq!(
        (report.releases.len(), &report.releases[0].signed_by),
        (1, &key(7).public_key().id())
    );
    assert_eq!(report.facts[0].fact, "file");
    assert!(report.facts.last().unwrap().text.contains("test:hello@1.0.0"));
    // One content, released twice, once withdrawn.
    let report = user.client.verify_file(TWO, Some(&hello)).await.unwrap();
    assert_eq!((report.releases.len(), report.problem_count), (2, 1));
    let report = user.client.verify_file(b"something", Some(&hello)).await.unwrap();
    assert!(report.problems[0].contains("no release"), "{:?}", report.problems);
    let report = user.client.verify_file(b"something", None).await.unwrap();
    assert!(report.is_clean() && report.registry.is_none() && report.notes.len() == 1);
}

#[tokio::test]
async fn checkpoints_of_others_are_compared() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let (user, early) = (lab.user(), registry.newest().checkpoint.clone());
    fill(&registry).await;
    let home = user.client.home().unwrap();
    let relation = home.compare(&early).await.unwrap().relation;
    assert_eq!(relation, Relation::Earlier);
    let ours = registry.newest().checkpoint.clone();
    assert_eq!(home.compare(&ours).await.unwrap().relation, Relation::Same);
    // A key that could sign then, and no more.
    let commit = [OperatorPermission::Commit];
    registry.operate(vec![Entry::grant(key(5).public_key(), commit)]).await.unwrap();
    let during = registry.newest().checkpoint.clone();
    registry.operate(vec![Entry::revoke(key(5).public_key().id(), commit)]).await.unwrap();
    let by = |signer: u8, of: &SignedCheckpoint| {
        let mut value = serde_json::to_value(of).unwrap();
        resign(&mut value, signer, |_| ());
        serde_json::from_value::<SignedCheckpoint>(value).unwrap()
    };
    assert_eq!(home.compare(&by(5, &during)).await.unwrap().relation, Relation::Earlier);
    for (signer, of) in [(5, &ours), (5, &registry.newest().checkpoint), (9, &during)] {
        let error = home.compare(&by(signer, of)).await.unwrap_err();
        assert!(matches!(finding(error), Finding::NotItsCheckpoint(_)), "{signer}");
    }
    assert!(user.client.evidence().unwrap().is_empty());
    // The other's history: of the same length, shorter, longer.
    let other = World::new().open();
    fill(&other).await;
    let fresh = record(&key(9), None, [init(&key(9))]);
    published(&submit(&other, "test:fresh", &fresh).await.unwrap());
    let lag = other.newest().checkpoint.clone();
    let error = home.compare(&lag).await.unwrap_err();
    assert!(matches!(error, Error::Misbehaviour { .. }), "{error}");
    registry_grows(&other, 10).await;
    let same = other.newest().checkpoint.clone();
    assert_eq!(
        same.contents.checkpoint.log_length,
        registry.newest().checkpoint.contents.checkpoint.log_length
    );
    let error = home.compare(&same).await.unwrap_err();
    assert_eq!((error.code(), error.culprit()), ("fork", Some("registry")));
    registry_grows(&other, 11).await;
    let longer = other.newest().checkpoint.clone();
    let error = home.compare(&longer).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Untrusted | Kind::NotFound), "{error}");
}

#[tokio::test]
async fn a_registry_that_shows_us_less_than_others_is_asked_for_the_rest() {
    let (lab, liar) = (Lab::new(), Liar::default());
    let registry = World::new().open();
    lab.put(HOME, liar.over(&registry));
    let early = registry.newest().checkpoint.clone();
    fill(&registry).await;
    let later = registry.newest().checkpoint.clone();
    let user = lab.user();
    liar.tell(move |path, body| match path {
        "/v1/fetch/checkpoint" => *body = serde_json::to_vec(&early).unwrap(),
        "/v1/fetch/transcript" => *body = b"{}".to_vec(),
        _ => {}
    });
    lab.net.meddle(|request| match request.uri().path() {
        "/v1/fetch/transcript" => crate::lab::Meddling::Answer(
            http::Response::builder().status(404).body(Vec::new()).unwrap(),
        ),
        _ => crate::lab::Meddling::Pass,
    });
    let comparison = user.client.home().unwrap().compare(&later).await.unwrap();
    assert_eq!(comparison.relation, Relation::Later);
}

async fn registry_grows(registry: &Arc<Registry>, number: u8) {
    let first = record(&key(number), None, [init(&key(number))]);
    let package = format!("test:p{}", char::from(b'a' + number));
    published(&submit(registry, &package, &first).await.unwrap());
}
