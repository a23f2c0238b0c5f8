//! Who asks too often is told so, in a form that released clients show, and nobody else pays for it.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use wargate_crypto::Digest;
use wargate_http::Options;
use wargate_http::throttle::{Peer, Throttling};
use wargate_registry::limits::Limits;
use wargate_registry::throttle::Rate;
use wargate_registry::usage::{Quota, Quotas};

use crate::world::{Answer, EMPTY, JSON, Setup, Signed, World, options, request};

/// So many, and no more for an hour.
#[expect(clippy::unnecessary_wraps, reason = "the form of a limit")]
fn only(burst: u64) -> Option<Rate> {
    Some(Rate::new(1, Duration::from_hours(1), burst))
}

fn limited(throttling: Throttling) -> World {
    let options = Options { throttling, ..options() };
    World::with(Setup { options, ..Setup::default() })
}

async fn from(world: &World, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let builder =
        headers.iter().fold(request("GET", path), |it, (name, value)| it.header(*name, *value));
    let builder = builder.extension(Peer(peer.parse().unwrap()));
    world.send(builder.body(Body::empty()).unwrap()).await
}

async fn post(world: &World, peer: &str, path: &str, body: impl Into<Body>) -> Answer {
    let builder = request("POST", path).header("content-type", JSON);
    let builder = builder.extension(Peer(peer.parse().unwrap()));
    world.send(builder.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again() {
    let world = limited(Throttling { reads: only(3), ..Throttling::default() });
    for path in ["/v1/fetch/checkpoint", "/", "/nope"] {
        assert_ne!(from(&world, "192.0.2.1", path, &[]).await.status, 429);
    }
    for path in ["/v1/fetch/checkpoint", "/nope", "/v1/content/sha256:00"] {
        let answer = from(&world, "192.0.2.1", path, &[]).await;
        let body = answer.error(StatusCode::TOO_MANY_REQUESTS);
        assert!(body["message"].as_str().unwrap().contains("too many requests"), "{body}");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&seconds), "{seconds}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    // Other kinds of requests, other addresses, and probes have nothing to do with it.
    let logs = post(&world, "192.0.2.1", "/v1/fetch/logs", r#"{"logLength":1}"#).await;
    assert_eq!(logs.status, 200);
    assert_eq!(from(&world, "192.0.2.2", "/v1/fetch/checkpoint", &[]).await.status, 200);
    for _ in 0..10 {
        assert_eq!(from(&world, "192.0.2.1", "/healthz", &[]).await.status, 200);
    }
    // Nobody has said where this comes from.
    for _ in 0..10 {
        assert_eq!(world.get("/v1/fetch/checkpoint").await.status, 200);
    }
}

#[tokio::test]
async fn proxies_are_believed_only_if_they_are_trusted() {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let world = limited(Throttling { reads: only(1), trusted_proxies, ..Throttling::default() });
    let ask = async |peer: &str, client: &str| {
        from(&world, peer, "/v1/ledger", &[("x-forwarded-for", client)]).await.status
    };
    assert_eq!(ask("10.0.0.1", "192.0.2.1").await, 200);
    assert_eq!(ask("10.0.0.2", "1.1.1.1, 192.0.2.1").await, 429);
    assert_eq!(ask("10.0.0.2", "192.0.2.2").await, 200);
    // Whatever a stranger invents, it is he who asks.
    assert_eq!(ask("198.51.100.1", "192.0.2.3").await, 200);
    assert_eq!(ask("198.51.100.1", "192.0.2.4").await, 429);
    assert_eq!(ask("10.0.0.1", "192.0.2.3").await, 200);
}

#[tokio::test]
async fn networks_of_ipv6_are_one_client_and_sites_have_a_limit_of_their_own() {
    let world = limited(Throttling { reads: only(1), ..Throttling::default() });
    let ask = async |peer: &str| from(&world, peer, "/v1/ledger", &[]).await.status;
    assert_eq!(ask("2001:db8::1").await, 200);
    assert_eq!(ask("2001:db8::ffff:1").await, 429);
    assert_eq!(ask("::ffff:192.0.2.1").await, 200);
    assert_eq!(ask("192.0.2.1").await, 429);
    let mut taken = 0;
    for network in 1..1000 {
        taken += u32::from(ask(&format!("2001:db8:0:{network:x}::1")).await == 200);
    }
    assert_eq!(taken, 15, "one of sixteen was taken before");
    assert_eq!(ask("2001:db8:1::1").await, 200);
}

#[tokio::test]
async fn records_uploads_and_waiting_records_have_limits_of_their_own() {
    let limits = Throttling {
        publishes: only(3),
        uploads: only(2),
        sourcing: only(1),
        ..Throttling::default()
    };
    let world = limited(limits);
    let now = world.clock_now();
    let (alice, peer) = ("alice", "192.0.2.1");
    let waiting = |name: &str| Signed::first(name, alice, now, "1.0.0", name.as_bytes());
    let send = async |record: &Signed, peer: &str| {
        post(&world, peer, &record.path(), record.body().to_string()).await
    };
    let (one, two) = (waiting("test:one"), waiting("test:two"));
    assert_eq!(send(&one, peer).await.json()["state"], "sourcing");
    let answer = send(&two, peer).await;
    let body = answer.error(StatusCode::TOO_MANY_REQUESTS);
    assert!(body["message"].as_str().unwrap().contains("wait for content"), "{body}");
    // Whoever brings the content has room again.
    let path = one.upload_path(&Digest::of(b"test:one"));
    assert_eq!(post(&world, peer, &path, &b"garbage"[..]).await.status, 400);
    assert_eq!(post(&world, peer, &path, &b"test:one"[..]).await.status, 201);
    assert_eq!(send(&two, peer).await.json()["state"], "sourcing");
    // And has sent three records and two uploads by now.
    assert_eq!(send(&two, peer).await.status, 429);
    assert_eq!(post(&world, peer, &path, &b"test:one"[..]).await.status, 429);
    assert_eq!(send(&two, "192.0.2.2").await.status, 202);
    // A record that does not wait does not count as one that does.
    let third = one.next(alice, now, "1.0.1", b"test:one");
    assert_eq!(send(&third, "192.0.2.2").await.status, 429, "of the second address's own");
    assert_eq!(send(&third, "192.0.2.3").await.json()["state"], "published");
    assert_eq!(send(&waiting("test:four"), "192.0.2.3").await.json()["state"], "sourcing");
}

#[tokio::test]
async fn downloads_are_counted_by_their_bytes() {
    let world = limited(Throttling { download_bytes: only(20), ..Throttling::default() });
    world.publish_new("test:one").await;
    let path = format!("/content/{}", Digest::of(EMPTY).to_string().replace(':', "-"));
    let get =
        async |headers: &[(&str, &str)]| from(&world, "192.0.2.1", &path, headers).await.status;
    assert_eq!(get(&[]).await, 200);
    assert_eq!(get(&[("range", "bytes=0-3")]).await, 206);
    assert_eq!(get(&[]).await, 200);
    assert_eq!(get(&[]).await, 429);
    let tag = format!("\"{}\"", Digest::of(EMPTY));
    assert_eq!(get(&[("if-none-match", &tag)]).await, 304, "nothing is sent");
    assert_eq!(from(&world, "192.0.2.2", &path, &[]).await.status, 200);
}

#[tokio::test]
async fn quotas_and_limits_of_keys_are_told_in_the_form_of_the_api() {
    let limits =
        Limits { publishes_of_key: only(2), sourcing_records_of_key_max: 1, ..Limits::default() };
    let namespace = Quota { packages: Some(1), ..Quota::default() };
    let quotas = Quotas { namespace, ..Quotas::default() };
    let world = World::with(Setup { limits, quotas, ..Setup::default() });
    let record = world.publish_new("test:one").await;
    let now = world.clock_now();
    let other = Signed::first("test:two", "bob", now, "1.0.0", EMPTY);
    let body = world.publish(&other).await.error(StatusCode::FORBIDDEN);
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("the namespace test has a quota of 1 packages"), "{message}");
    let next = record.next("alice", now, "0.2.0", b"waits");
    assert_eq!(world.publish(&next).await.json()["state"], "sourcing");
    let answer = world.publish(&record.next("alice", now, "0.3.0", b"waits, too")).await;
    answer.error(StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.header("retry-after").is_some());
}
