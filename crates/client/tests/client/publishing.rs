//! Publishing: once, whatever happens on the way.

use wargate_client::{Change, Error, Publication, Published};
use wargate_crypto::Digest;
use wargate_protocol::{PackagePermission, RecordId};
use wargate_testkit::world::{key, name};

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
