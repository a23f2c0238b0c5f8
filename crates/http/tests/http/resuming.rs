//! Uploads that break off and go on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body::Frame;
use tokio::sync::oneshot;
use wargate_crypto::Digest;
use wargate_protocol::Timestamp;
use wargate_registry::limits::{
    Limits, UPLOAD_PARKED_SECONDS_MAX, UPLOADS_PARKED_MAX, UPLOADS_PARKED_OF_ONE_MAX,
};

use crate::publishing::{Chunks, chunks, content};
use crate::world::{Answer, Setup, Signed, World, request};

const NAME: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "1123456789abcdef0123456789abcdef";
const SIZE: usize = 600_000;
const BROKEN: usize = 500_000;

/// A record that waits for content, and where that goes.
async fn waiting(world: &World, name: &str) -> (Signed, Vec<u8>, String) {
    let content = [name.as_bytes(), &content(SIZE)[name.len()..]].concat();
    let record = Signed::first(name, "alice", world.clock_now(), "0.1.0", &content);
    world.publish(&record).await;
    let path = record.upload_path(&Digest::of(&content));
    (record, content, path)
}

async fn send(world: &World, path: &str, name: &str, offset: usize, body: Body) -> Answer {
    let post = request("POST", path).header("warg-upload", name);
    world.send(post.header("upload-offset", offset).body(body).unwrap()).await
}

/// Sends the beginning, and is gone.
async fn break_off(world: &World, path: &str, name: &str, content: &[u8]) {
    let mut broken = chunks(&content[..BROKEN], 100_000);
    broken.insert(0, None);
    let answer = send(world, path, name, 0, Body::new(Chunks(broken))).await;
    answer.error(StatusCode::BAD_REQUEST);
}

async fn progress(world: &World, path: &str, name: &str) -> Option<usize> {
    let answer = world.get_with(path, "warg-upload", name).await;
    if answer.status == 204 {
        return Some(answer.header("upload-offset").unwrap().parse().unwrap());
    }
    answer.error(StatusCode::NOT_FOUND);
    None
}

#[tokio::test]
async fn what_came_is_not_sent_again() {
    let world = World::new();
    let (record, content, path) = waiting(&world, "test:one").await;
    assert_eq!(progress(&world, &path, NAME).await, None);
    break_off(&world, &path, NAME, &content).await;
    assert_eq!(progress(&world, &path, NAME).await, Some(BROKEN));
    let rest = content[BROKEN..].to_vec();
    assert_eq!(send(&world, &path, NAME, BROKEN, rest.into()).await.status, 201);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
    assert_eq!(progress(&world, &path, NAME).await, None);
}

#[tokio::test]
async fn nobody_goes_on_with_what_others_have_begun() {
    let world = World::new();
    let (record, content, path) = waiting(&world, "test:one").await;
    break_off(&world, &path, NAME, &vec![0; SIZE]).await;
    assert_eq!(progress(&world, &path, OTHER).await, None);
    let rest = content[BROKEN..].to_vec();
    for (name, offset) in [(OTHER, BROKEN), (NAME, BROKEN - 1)] {
        let answer = send(&world, &path, name, offset, rest.clone().into()).await;
        answer.error(StatusCode::BAD_REQUEST);
    }
    // Bytes that are not those of the digest are refused in the end, and all that came is forgotten.
    let answer = send(&world, &path, NAME, BROKEN, rest.into()).await;
    answer.error(StatusCode::BAD_REQUEST);
    assert_eq!(progress(&world, &path, NAME).await, None);
    assert_eq!(world.upload(&path, content).await.status, 201);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
}

#[tokio::test]
async fn it_may_break_off_again() {
    let world = World::new();
    let (record, content, path) = waiting(&world, "test:one").await;
    break_off(&world, &path, NAME, &content).await;
    let mut piece = chunks(&content[BROKEN..BROKEN + 50_000], 7_000);
    piece.insert(0, None);
    let answer = send(&world, &path, NAME, BROKEN, Body::new(Chunks(piece))).await;
    answer.error(StatusCode::BAD_REQUEST);
    assert_eq!(progress(&world, &path, NAME).await, Some(BROKEN + 50_000));
    let rest = content[BROKEN + 50_000..].to_vec();
    assert_eq!(send(&world, &path, NAME, BROKEN + 50_000, rest.into()).await.status, 201);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
}

#[tokio::test]
async fn a_name_and_an_offset_have_a_form() {
    let world = World::new();
    let (_, content, path) = waiting(&world, "test:one").await;
    for name in ["", "0123", "+123456789abcdef0123456789abcdef", &"0".repeat(33)] {
        let answer = world.get_with(&path, "warg-upload", name).await;
        answer.error(StatusCode::BAD_REQUEST);
    }
    for offset in ["-1", "x", "18446744073709551616"] {
        let post = request("POST", &path).header("warg-upload", NAME);
        let post = post.header("upload-offset", offset).body(content.clone().into());
        world.send(post.unwrap()).await.error(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn what_broke_off_is_kept_for_a_while() {
    let world = World::new();
    let (_, content, path) = waiting(&world, "test:one").await;
    break_off(&world, &path, NAME, &content).await;
    let begun = world.clock_now().seconds();
    let after = i64::try_from(UPLOAD_PARKED_SECONDS_MAX).unwrap();
    world.clock.set(Timestamp::from_seconds(begun + after));
    assert_eq!(progress(&world, &path, NAME).await, Some(BROKEN));
    world.clock.set(Timestamp::from_seconds(begun + after + 1));
    assert_eq!(progress(&world, &path, NAME).await, None);
}

#[tokio::test]
async fn what_broke_off_goes_for_what_comes() {
    let limits = Limits {
        content_bytes_max: SIZE as u64,
        spooled_bytes_max: (SIZE + BROKEN) as u64,
        ..Limits::default()
    };
    let world = World::with(Setup { limits, ..Setup::default() });
    let (_, content, path) = waiting(&world, "test:one").await;
    break_off(&world, &path, NAME, &content).await;
    break_off(&world, &path, OTHER, &content).await;
    assert_eq!(progress(&world, &path, NAME).await, Some(BROKEN));
    let (_, second, place) = waiting(&world, "test:two").await;
    assert_eq!(world.upload(&place, second).await.status, 201);
    // The oldest went first, and no more than had to.
    assert_eq!(progress(&world, &path, NAME).await, None);
    assert_eq!(progress(&world, &path, OTHER).await, Some(BROKEN));
    // Nothing of the room was lost.
    for number in 0..3 {
        let (_, content, path) = waiting(&world, &format!("test:n{number}")).await;
        assert_eq!(world.upload(&path, content).await.status, 201);
    }
}

/// Sends 20,000 bytes under this name, and is gone.
async fn begin(world: &World, path: &str, name: usize, content: &[u8]) {
    let mut broken = chunks(&content[..20_000], 20_000);
    broken.insert(0, None);
    let answer = send(world, path, &format!("{name:032x}"), 0, Body::new(Chunks(broken))).await;
    answer.error(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_so_many_are_kept() {
    let world = World::new();
    let (_, content, first) = waiting(&world, "test:one").await;
    begin(&world, &first, 0, &content).await;
    // Those of one content go for each other.
    let (_, content, second) = waiting(&world, "test:two").await;
    for name in 0..UPLOADS_PARKED_MAX {
        begin(&world, &second, name, &content).await;
    }
    let there = |name: usize| format!("{name:032x}");
    let oldest = UPLOADS_PARKED_MAX - UPLOADS_PARKED_OF_ONE_MAX;
    assert_eq!(progress(&world, &first, &there(0)).await, Some(20_000));
    assert_eq!(progress(&world, &second, &there(oldest - 1)).await, None);
    assert_eq!(progress(&world, &second, &there(oldest)).await, Some(20_000));
    // And there is a limit in all.
    for number in 0..UPLOADS_PARKED_MAX - UPLOADS_PARKED_OF_ONE_MAX {
        let (_, content, path) = waiting(&world, &format!("test:n{number}")).await;
        begin(&world, &path, number, &content).await;
    }
    assert_eq!(progress(&world, &first, &there(0)).await, None);
    assert_eq!(progress(&world, &second, &there(oldest)).await, Some(20_000));
}

#[tokio::test]
async fn content_that_came_another_way_is_not_kept_twice() {
    let world = World::new();
    let (_, content, path) = waiting(&world, "test:one").await;
    break_off(&world, &path, NAME, &content).await;
    assert_eq!(world.upload(&path, content).await.status, 201);
    assert_eq!(progress(&world, &path, NAME).await, None);
}

/// A body whose end never comes, and somebody who hears when all else was read.
struct Endless(Chunks, Option<oneshot::Sender<()>>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match Pin::new(&mut self.0).poll_frame(context) {
            Poll::Ready(None) => {
                self.1.take().map(|heard| heard.send(()));
                Poll::Pending
            }
            other => other,
        }
    }
}

#[tokio::test]
async fn a_line_that_died_unnoticed_is_given_up() {
    let world = Arc::new(World::new());
    let (record, content, path) = waiting(&world, "test:one").await;
    let (heard, all_was_read) = oneshot::channel();
    let body = Body::new(Endless(Chunks(chunks(&content[..BROKEN], 100_000)), Some(heard)));
    let (dead, there) = (Arc::clone(&world), path.clone());
    let dead = tokio::spawn(async move { send(&dead, &there, NAME, 0, body).await });
    all_was_read.await.unwrap();
    assert_eq!(progress(&world, &path, NAME).await, Some(BROKEN));
    dead.await.unwrap().error(StatusCode::CONFLICT);
    let rest = content[BROKEN..].to_vec();
    assert_eq!(send(&world, &path, NAME, BROKEN, rest.into()).await.status, 201);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
}
