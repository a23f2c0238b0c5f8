//! Downloads over a bad line.

use super::*;
use crate::content::download_all;

const LENGTH: usize = 300_000;

#[tokio::test]
async fn downloads_come_through_any_fault_that_passes() {
    let passing: &[(&str, &[Fault])] = &[
        (CONTENT, &[]),
        (CONTENT, &[Fault::CutAnswer(0), Fault::CutAnswer(1)]),
        (CONTENT, &[Fault::CutAnswer(100_000), Fault::CutAnswer(150_000)]),
        (CONTENT, &[Fault::ResetAnswer(0), Fault::ResetAnswer(200_000)]),
        (CONTENT, &[Fault::StallAnswer(50_000)]),
        (CONTENT, &[Fault::Silence]),
        (CONTENT, &[Fault::LoseAnswer, Fault::CutRequest(0)]),
        (CONTENT, &[Fault::CutAnswer(7), Fault::WrongLength(-5)]),
        (CONTENT, &[Fault::busy(503, "1"), Fault::busy(429, "2")]),
        (SOURCES, &[Fault::CutAnswer(3), Fault::busy(503, "1"), Fault::LoseAnswer]),
    ];
    for (path, faults) in passing {
        for direct in [false, true] {
            let scene = Scene::new(LENGTH, path, faults).await;
            scene.download(direct).await.unwrap_or_else(|error| panic!("{faults:?}: {error}"));
            assert!(scene.file().unwrap() == scene.bytes, "{faults:?}");
            let told = scene.surroundings.observer.told();
            assert!(told.last().unwrap().contains("complete: true"), "{told:?}");
        }
    }
}

#[tokio::test]
async fn all_that_is_there_is_enough_though_more_was_said() {
    let scene = Scene::new(LENGTH, CONTENT, &[Fault::WrongLength(5)]).await;
    scene.download(true).await.unwrap();
    assert!(scene.file().unwrap() == scene.bytes);
    assert_eq!(scene.ranges().len(), 1);
}

#[tokio::test]
async fn a_direct_download_takes_one_request() {
    let scene = Scene::new(LENGTH, CONTENT, &[]).await;
    scene.download(true).await.unwrap();
    assert_eq!(scene.proxy.seen().len(), 1);
    scene.download(true).await.unwrap();
    assert_eq!(scene.proxy.seen().len(), 1, "it is in the cache");
}

#[tokio::test]
async fn places_of_content_are_not_told_who_asks() {
    let scene = Scene::new(LENGTH, CONTENT, &[Fault::CutAnswer(9)]).await;
    scene.download(false).await.unwrap();
    for seen in scene.proxy.seen() {
        let told = seen.header("authorization").is_some();
        assert_eq!(told, seen.path.starts_with(SOURCES), "{seen:?}");
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_was() {
    let cuts = [Fault::CutAnswer(100_000), Fault::CutAnswer(50_000)];
    let scene = Scene::new(LENGTH, CONTENT, &cuts).await;
    scene.download(true).await.unwrap();
    assert_eq!(scene.ranges(), ["", "bytes=100000-", "bytes=150000-"]);
}

#[tokio::test]
async fn a_later_run_goes_on_where_an_earlier_one_was() {
    let cuts = vec![Fault::CutAnswer(10_000); 4];
    let scene = Scene::new(LENGTH, CONTENT, &cuts).await;
    let error = scene.download(true).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(scene.file().is_none());
    assert_eq!(scene.waits().len(), 3);
    scene.download(true).await.unwrap();
    assert_eq!(scene.ranges().last().unwrap(), "bytes=40000-");
    assert!(scene.file().unwrap() == scene.bytes);
}

#[tokio::test]
async fn what_an_earlier_run_left_is_checked() {
    // All of it: nothing is asked for.
    let scene = Scene::new(LENGTH, CONTENT, &[]).await;
    let leave = |bytes: &[u8]| {
        let partial = scene.cache.begin(scene.remote.domain(), &scene.digest).unwrap();
        partial.unwrap().append(bytes).unwrap();
    };
    leave(&scene.bytes);
    scene.download(true).await.unwrap();
    assert!(scene.proxy.seen().is_empty());
    // Something else, too short and too long: it begins anew.
    for wrong in [1000, LENGTH, LENGTH + 1] {
        scene.cache.remove(scene.remote.domain(), &scene.digest).unwrap();
        leave(&vec![0; wrong]);
        scene.download(true).await.unwrap();
        assert!(scene.file().unwrap() == scene.bytes);
        let ranges = scene.ranges();
        assert_eq!(ranges[ranges.len() - 2..], [format!("bytes={wrong}-"), String::new()]);
    }
}

#[tokio::test]
async fn retries_come_when_the_registry_says() {
    let busy = [Fault::busy(429, "7"), Fault::busy(503, "30")];
    let scene = Scene::new(LENGTH, CONTENT, &busy).await;
    scene.download(true).await.unwrap();
    assert_eq!(scene.waits(), [7, 30].map(Duration::from_secs));

    let scene = Scene::new(LENGTH, SOURCES, &[Fault::busy(503, "9999")]).await;
    let error = scene.download(false).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 503, .. }), "{error}");
    assert!(scene.waits().is_empty());
}

#[tokio::test]
async fn one_of_many_who_want_it_fetches_it() {
    let scene = Scene::new(LENGTH, CONTENT, &[Fault::CutAnswer(1000)]).await;
    let twice = [scene.digest, scene.digest];
    let (one, other, all) = tokio::join!(
        scene.download(true),
        scene.download(true),
        download_all(&scene.remote, &scene.cache, twice, true, 4),
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].1.is_ok());
    assert_eq!(scene.ranges().len(), 2, "the cut one, and the rest of it");
}

#[tokio::test]
async fn large_content_comes_in_parts() {
    let length = 20 << 20;
    let scene = Scene::deciding(length, |seen| {
        let part = seen.header("range").is_some_and(|range| range.starts_with("bytes=4194304-"));
        if part { Fault::CutAnswer(1_000_000) } else { Fault::None }
    })
    .await;
    scene.download(false).await.unwrap();
    assert!(scene.file().unwrap() == scene.bytes);
    let mut ranges = scene.ranges();
    ranges.sort();
    let expected = [
        "bytes=0-4194303",
        "bytes=12582912-16777215",
        "bytes=16777216-20971519",
        "bytes=4194304-8388607",
        "bytes=5194304-8388607",
        "bytes=8388608-12582911",
    ];
    assert_eq!(ranges, expected);
}

#[tokio::test]
async fn a_download_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let scene = Scene::new(10, CONTENT, &[]).await;
    let Scene { remote, cache, digest, directory, .. } = scene;
    let fetched = tokio::spawn(async move {
        is_send(download(&remote, &cache, &digest, false)).await.map(drop)?;
        let all = is_send(download_all(&remote, &cache, [digest], false, 1)).await;
        drop(directory);
        Ok::<_, Error>(all.len())
    });
    assert_eq!(fetched.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn unknown_content_is_not_there() {
    let scene = Scene::new(10, CONTENT, &[]).await;
    let digest = Digest::of(b"unknown");
    for direct in [true, false] {
        let error = download(&scene.remote, &scene.cache, &digest, direct).await.map(drop);
        assert!(matches!(error, Err(Error::NoContent { .. })), "{error:?}");
    }
}
