//! Publishing: once, whatever happens on the way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use tokio::sync::Barrier;
use tower::ServiceExt;
use wargate_client::memory::MemoryState;
use wargate_client::seams::{Clock, Key, State};
use wargate_client::{Change, Error, Kind, Publication, Published};
use wargate_crypto::Digest;
use wargate_http::{Options, router};
use wargate_protocol::{PackagePermission, RecordId};
use wargate_registry::Registry;
use wargate_testkit::world::{init, key, name};

use crate::lab::{HOME, Lab, Meddling, Shelf, User};

const ONE: &[u8] = b"\0asm\x01\0\0\0";
const TWO: &[u8] = b"\0asm\x0d\0\x01\0";

fn release(version: &str, content: &[u8]) -> Publication {
    let content = Digest::of(content).into();
    let entries = vec![Change::Release { version: version.parse().unwrap(), content }];
    Publication { name: name("test:hello"), head: None, entries }
}

async fn publish(user: &User, publication: &Publication) -> Result<Published, Error> {
    let home = user.client.home().unwrap();
    home.publish(publication, &key(7), &Shelf::of(&[ONE, TWO]), true).await
}

fn record(published: &Published) -> RecordId {
    match published {
        Published::InLog { record, .. } => *record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_package_is_created_and_goes_on() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let user = lab.user();
    let first = publish(&user, &release("1.0.0", ONE)).await.unwrap();
    let Published::InLog { created: true, package, registry_index, .. } = &first else {
        panic!("{first:?}")
    };
    assert_eq!(package.index(), *registry_index);
    assert_eq!(package.state().releases().count(), 1);
    let second = publish(&user, &release("1.1.0", TWO)).await.unwrap();
    assert!(matches!(second, Published::InLog { created: false, .. }));
    // Once more is nothing, with the same content; with other content it is an error.
    let already = publish(&user, &release("1.1.0", TWO)).await.unwrap();
    assert!(matches!(already, Published::Already { .. }), "{already:?}");
    let error = publish(&user, &release("1.1.0", ONE)).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyReleased { .. }), "{error}");
    assert_eq!(registry.newest().committed.length().get(), 3);
}

#[tokio::test]
async fn whatever_is_lost_on_the_way_a_second_run_publishes_once() {
    // Each request in turn, and its answer, is lost; then the command runs again.
    for deaf in [false, true] {
        for lost in 0.. {
            let lab = Lab::new();
            let registry = lab.registry(HOME);
            let user = lab.user_with(|settings| settings.attempts = 1);
            let mut count = 0;
            lab.net.meddle(move |_| {
                count += 1;
                match count > lost {
                    true if deaf => Meddling::Deaf,
                    true => Meddling::Lost,
                    false => Meddling::Pass,
                }
            });
            let interrupted = publish(&user, &release("1.0.0", ONE)).await;
            lab.net.leave_alone();
            let done = interrupted.is_ok();
            let user = user.again(|_| ());
            let again = publish(&user, &release("1.0.0", ONE)).await.unwrap();
            assert!(matches!(again, Published::InLog { .. }) || done, "{again:?}");
            assert_eq!(registry.newest().committed.length().get(), 2, "after {lost} requests");
            if done {
                assert!(lost > 3, "only {lost} requests");
                break;
            }
        }
    }
}

#[tokio::test]
async fn whoever_is_overtaken_signs_anew() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let (user, other) = (lab.user(), lab.user());
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    // The other one publishes between this one's look at the log and its record.
    let plan = user.client.home().unwrap();
    let plan = plan.plan(&release("1.1.0", ONE), &key(7).public_key()).await.unwrap();
    publish(&other, &release("1.2.0", TWO)).await.unwrap();
    let stale = Publication { head: plan.prev, ..release("1.1.0", ONE) };
    let error = publish(&user, &stale).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    // Without a head of its own it goes behind the other's record.
    publish(&user, &release("1.1.0", ONE)).await.unwrap();
    assert_eq!(registry.newest().committed.length().get(), 4);
}

#[tokio::test]
async fn keys_are_granted_and_revoked_and_what_is_not_permitted_is_said_first() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    let home = user.client.home().unwrap();
    let second = key(8);
    let shelf = Shelf::of(&[ONE, TWO]);
    let error = home.publish(&release("2.0.0", TWO), &second, &shelf, true).await.unwrap_err();
    let Error::NotPermitted { holders, .. } = &error else { panic!("{error}") };
    assert_eq!(*holders, [key(7).public_key().id()]);
    let permissions = vec![PackagePermission::Release];
    let grant = Change::Grant { key: second.public_key(), permissions: permissions.clone() };
    let entries = |change| Publication { entries: vec![change], ..release("0.0.0", ONE) };
    let granted = publish(&user, &entries(grant)).await.unwrap();
    home.publish(&release("2.0.0", TWO), &second, &shelf, true).await.unwrap();
    let yank = Change::Yank { version: "2.0.0".parse().unwrap() };
    let error = home.publish(&entries(yank.clone()), &second, &shelf, true).await.unwrap_err();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    let revoke = Change::Revoke { key_id: second.public_key().id(), permissions };
    publish(&user, &entries(revoke)).await.unwrap();
    publish(&user, &entries(yank)).await.unwrap();
    let package = user.client.known(&name("test:hello")).unwrap().unwrap();
    let history = home.history(&package).await.unwrap();
    assert_eq!(history.len(), 5);
    assert_eq!(history[1].id, record(&granted));
    assert!(package.state().release(&"2.0.0".parse().unwrap()).unwrap().is_yanked());
}

#[tokio::test]
async fn a_publication_is_put_together_over_several_calls() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let user = lab.user();
    let home = user.client.home().unwrap();
    home.begin_pending(name("test:hello")).unwrap();
    assert!(matches!(home.begin_pending(name("test:x")), Err(Error::Usage(_))));
    for (version, content) in [("1.0.0", ONE), ("1.1.0", TWO)] {
        let change = release(version, content).entries.remove(0);
        assert!(home.add_pending(&name("test:other"), change.clone()).is_err());
        home.add_pending(&name("test:hello"), change).unwrap();
    }
    // The next process finds it.
    let user = user.again(|_| ());
    let pending = user.client.home().unwrap().pending().unwrap().unwrap();
    let published = publish(&user, &pending).await.unwrap();
    user.client.home().unwrap().abort_pending().unwrap();
    let Published::InLog { package, .. } = published else { panic!("{published:?}") };
    assert_eq!(package.state().releases().count(), 2);
    assert_eq!(registry.newest().committed.length().get(), 2);
}

#[tokio::test]
async fn content_that_is_not_offered_is_not_sent() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    lab.net.meddle(|request| {
        if request.method() == "POST" && request.uri().path().ends_with("/record") {
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            let record: wargate_protocol::SignedEnvelope =
                serde_json::from_value(body["record"].clone()).unwrap();
            let place = serde_json::json!([{"type": "http", "method": "POST", "url": "v1/take"}]);
            let missing = serde_json::json!({ Digest::of(TWO).to_string(): {"upload": place} });
            let answer = serde_json::json!({
                "recordId": record.record_id::<wargate_protocol::Package>(),
                "state": "sourcing",
                "missingContent": missing,
            });
            let answer = http::Response::builder()
                .header("content-type", "application/json")
                .body(answer.to_string().into_bytes())
                .unwrap();
            return Meddling::Answer(answer);
        }
        assert!(!request.uri().path().contains("take"));
        Meddling::Pass
    });
    let error = publish(&user, &release("1.0.0", ONE)).await.unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_that_says_when_to_come_again_is_not_asked_before() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let user = lab.user();
    user.client.home().unwrap().refresh().await.unwrap();
    let begin = lab.clock.now();
    let mut busy = true;
    lab.net.meddle(move |request| {
        let is_record = request.method() == "POST" && request.uri().path().ends_with("/record");
        if !is_record || !std::mem::take(&mut busy) {
            return Meddling::Pass;
        }
        let answer = http::Response::builder().status(503).header("retry-after", "7");
        Meddling::Answer(answer.body(Vec::new()).unwrap())
    });
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    assert!(lab.clock.now().seconds() >= begin.seconds() + 7);
    assert_eq!(user.notes.of("Retrying").len(), 1);
    assert_eq!(registry.newest().committed.length().get(), 2);
}

#[tokio::test]
async fn a_record_that_nobody_knows_is_nobodys_lie() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    let home = user.client.home().unwrap();
    let id = user.client.known(&name("test:hello")).unwrap().unwrap().state().head();
    assert!(home.wait(&name("test:hello"), id.unwrap().record_id).await.is_ok());
    let mistyped = wargate_testkit::world::record(&key(9), None, [init(&key(9))]).record_id();
    for package in ["test:hello", "test:other"] {
        let error = home.wait(&name(package), mistyped).await.unwrap_err();
        assert!(matches!(error, Error::UnknownRecord { .. }), "{error}");
        assert_eq!((error.kind(), error.culprit()), (Kind::NotFound, None));
    }
}

/// Everything below a key.
fn kept(state: &MemoryState) -> Vec<(Key, Vec<u8>)> {
    let keys = state.list(&Key::new(["publishing"]).unwrap()).unwrap();
    keys.into_iter().map(|key| (key.clone(), state.read(&key).unwrap().unwrap())).collect()
}

#[tokio::test]
async fn what_was_collected_is_published_once_though_it_was_not_settled() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    let home = user.client.home().unwrap();
    let permissions = vec![wargate_protocol::PackagePermission::Release];
    let grant = Change::Grant { key: key(9).public_key(), permissions };
    home.begin_pending(name("test:hello")).unwrap();
    home.add_pending(&name("test:hello"), grant).unwrap();
    // What is kept while the record is on its way is what a crash leaves.
    let (state, left) = (Arc::clone(&user.state), Arc::new(Mutex::new(Vec::new())));
    let leave = Arc::clone(&left);
    lab.net.meddle(move |request| {
        if request.method() == "POST" && request.uri().path().ends_with("/record") {
            *leave.lock().unwrap() = kept(&state);
        }
        Meddling::Pass
    });
    let contents = Shelf::of(&[ONE, TWO]);
    let first = home.publish_pending(&key(7), &contents, true).await.unwrap();
    lab.net.leave_alone();
    assert_eq!((first.len(), kept(&user.state)), (1, Vec::new()));
    for (key, value) in left.lock().unwrap().drain(..) {
        user.state.write(&key, &value).unwrap();
    }
    // Others go on, and so does the user, with another key.
    publish(&user, &release("1.1.0", TWO)).await.unwrap();
    let user = user.again(|_| ());
    let home = user.client.home().unwrap();
    home.add_pending(&name("test:hello"), release("2.0.0", TWO).entries.remove(0)).unwrap();
    let published = home.publish_pending(&key(9), &contents, true).await.unwrap();
    let records: Vec<_> = published.iter().map(record).collect();
    assert_eq!((records.len(), records[0]), (2, record(&first[0])));
    let package = user.client.known(&name("test:hello")).unwrap().unwrap();
    let history = home.history(&package).await.unwrap();
    assert_eq!(history.len(), 4, "{history:#?}");
    assert_eq!(kept(&user.state), Vec::new());
    assert!(matches!(home.publish_pending(&key(7), &contents, true).await, Err(Error::Usage(_))));
}

#[tokio::test]
async fn what_was_collected_goes_where_it_was_begun() {
    const OTHER: &str = "http://127.0.0.1:8091";
    let lab = Lab::new();
    let (home, other) = (lab.registry(HOME), lab.registry(OTHER));
    let user = lab.user();
    let begun = user.client.home().unwrap();
    begun.begin_pending(name("test:hello")).unwrap();
    let change = release("1.0.0", ONE).entries.remove(0);
    begun.add_pending(&name("test:hello"), change).unwrap();
    let user = user.again(|settings| settings.home = Some(OTHER.parse().unwrap()));
    let pending = user.client.pending().unwrap();
    assert_eq!((pending.len(), pending[0].registry.url()), (1, begun.url()));
    let published = pending[0].registry.publish_pending(&key(7), &Shelf::of(&[ONE]), true).await;
    assert!(matches!(published.unwrap()[..], [Published::InLog { .. }]));
    assert_eq!(home.newest().committed.length().get(), 2);
    assert_eq!(other.newest().committed.length().get(), 1);
    assert!(user.client.pending().unwrap().is_empty());
}

/// A registry that answers the first requests for logs when so many calls have asked.
fn together(lab: &Lab, registry: &Arc<Registry>, calls: usize) {
    let honest = router(Arc::clone(registry), Options::new(HOME.parse().unwrap()));
    let (barrier, asked) = (Arc::new(Barrier::new(calls)), Arc::new(AtomicUsize::new(0)));
    lab.put(
        HOME,
        Router::new().fallback(move |request: Request| {
            let (honest, barrier, asked) = (honest.clone(), barrier.clone(), asked.clone());
            async move {
                let is_early = request.uri().path() == "/v1/fetch/transcript"
                    && asked.fetch_add(1, Ordering::SeqCst) < calls;
                if is_early {
                    barrier.wait().await;
                }
                honest.oneshot(request).await.unwrap()
            }
        }),
    );
}

#[tokio::test]
async fn what_was_collected_is_published_once_by_all_who_submit_it_at_once() {
    const CALLS: usize = 6;
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let user = lab.user();
    publish(&user, &release("1.0.0", ONE)).await.unwrap();
    let home = user.client.home().unwrap();
    for key_of in [8, 9] {
        home.begin_pending(name("test:hello")).unwrap();
        let (key_of, permissions) = (key(key_of).public_key(), vec![PackagePermission::Release]);
        let grant = Change::Grant { key: key_of, permissions };
        home.add_pending(&name("test:hello"), grant).unwrap();
        let before = registry.newest().committed.length().get();
        // Nobody has signed when all have seen what there is to publish.
        together(&lab, &registry, CALLS);
        let users: Vec<_> = (0..CALLS).map(|_| user.again(|_| ())).collect();
        let calls = users.iter().map(|user| async {
            let contents = Shelf::default();
            user.client.home().unwrap().publish_pending(&key(7), &contents, true).await
        });
        let (mut records, mut late) = (std::collections::BTreeSet::new(), 0);
        for outcome in futures_util::future::join_all(calls).await {
            match outcome {
                Ok(published) => records.extend(published.iter().map(|it| record(it).to_string())),
                Err(Error::Usage(_)) => late += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((records.len(), registry.newest().committed.length().get()), (1, before + 1));
        assert!(late < CALLS);
        assert_eq!(kept(&user.state), Vec::new());
    }
}

#[tokio::test]
async fn what_is_damaged_keeps_nobody_from_publishing() {
    const OTHER: &str = "http://127.0.0.1:8091";
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    let home = user.client.home().unwrap();
    let other = user.client.registry(OTHER.parse().unwrap());
    for registry in [&home, &other] {
        registry.begin_pending(name("test:hello")).unwrap();
    }
    let damaged = Key::new(["publishing", "127.0.0.1-8091", "pending"]).unwrap();
    user.state.write(&damaged, b"{").unwrap();
    let pending = user.client.pending().unwrap();
    assert_eq!((pending.len(), pending[0].registry.url()), (1, home.url()));
    let told = user.notes.of("Warning").join("\n");
    assert!(told.contains("127.0.0.1-8091") && told.contains("damaged"), "{told}");
    assert!(matches!(other.pending(), Err(Error::Damaged { .. })));
    assert_eq!(other.abort_pending().unwrap(), None);
    assert_eq!(other.pending().unwrap(), None);
    other.begin_pending(name("test:hello")).unwrap();
    assert_eq!(user.client.pending().unwrap().len(), 2);
}
