//! Getting content.

use wargate_client::{Error, Selector, Wanted};
use wargate_crypto::Digest;
use wargate_protocol::Entry;
use wargate_testkit::world::{init, key, name, publish, record, release};

use crate::lab::{HOME, Lab};

const ONE: &[u8] = b"\0asm\x01\0\0\0";
const TWO: &[u8] = b"\0asm\x0d\0\x01\0";

fn wanted(version: Selector) -> Wanted {
    Wanted { name: name("test:hello"), version, yanked: false }
}

fn highest(requirement: &str) -> Selector {
    Selector::Highest(requirement.parse().unwrap())
}

fn exact(version: &str) -> Selector {
    Selector::Exact(version.parse().unwrap())
}

fn bytes(content: &mut dyn wargate_client::seams::Content) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(content.length()).unwrap()];
    assert_eq!(content.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

#[tokio::test]
async fn the_highest_that_fits_comes_and_the_exact_one_needs_no_network_again() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let second = record(&key(7), Some(first.record_id()), [release("1.1.0", TWO)]);
    publish(&registry, "test:hello", &second, TWO).await;
    let user = lab.user();
    let mut got = user.client.get(&[wanted(highest("*"))]).await.unwrap().remove(0);
    assert_eq!(
        (got.release.version.to_string(), bytes(&mut *got.content)),
        ("1.1.0".into(), TWO.into())
    );
    assert_eq!(lab.net.drain().len(), 3);
    let mut got = user.client.get(&[wanted(exact("1.0.0"))]).await.unwrap().remove(0);
    assert_eq!(bytes(&mut *got.content), ONE);
    lab.net.drain();
    user.client.get(&[wanted(exact("1.0.0")), wanted(exact("1.1.0"))]).await.unwrap();
    assert!(lab.net.drain().is_empty());
    let error = user.client.get(&[wanted(highest("^2"))]).await.err().unwrap();
    let Error::NoSuchRelease { available, .. } = &error else { panic!("{error}") };
    assert_eq!(available.len(), 2);
}

#[tokio::test]
async fn a_yanked_release_comes_only_if_it_is_asked_for() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let yank = Entry::yank("1.0.0".parse().unwrap());
    let second = record(&key(7), Some(first.record_id()), [yank]);
    publish(&registry, "test:hello", &second, ONE).await;
    let user = lab.user();
    let error = user.client.get(&[wanted(highest("*"))]).await.err().unwrap();
    assert!(matches!(error, Error::NoSuchRelease { .. }), "{error}");
    let error = user.client.get(&[wanted(exact("1.0.0"))]).await.err().unwrap();
    assert!(matches!(error, Error::Yanked { .. }), "{error}");
    let yes = Wanted { yanked: true, ..wanted(exact("1.0.0")) };
    let mut got = user.client.get(&[yes]).await.unwrap().remove(0);
    assert_eq!(bytes(&mut *got.content), ONE);
}

#[tokio::test]
async fn the_newest_is_asked_for_even_beside_one_that_is_known() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let user = lab.user();
    user.client.get(&[wanted(exact("1.0.0"))]).await.unwrap();
    let second = record(&key(7), Some(first.record_id()), [release("1.1.0", TWO)]);
    publish(&registry, "test:hello", &second, TWO).await;
    for order in [[exact("1.0.0"), highest("*")], [highest("*"), exact("1.0.0")]] {
        let got = user.client.get(&order.clone().map(wanted)).await.unwrap();
        for (got, want) in got.iter().zip(order) {
            let version = if want == exact("1.0.0") { "1.0.0" } else { "1.1.0" };
            assert_eq!(got.release.version.to_string(), version);
        }
    }
}

#[tokio::test]
async fn what_has_rotten_in_the_cache_is_fetched_again() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let user = lab.user();
    user.client.get(&[wanted(exact("1.0.0"))]).await.unwrap();
    let rot = || {
        let (cache, domain) = (&user.parts.cache, user.client.home().unwrap().domain().clone());
        let mut partial = cache.begin(&domain, &Digest::of(ONE)).unwrap().unwrap();
        partial.restart().unwrap();
        partial.append(b"rotten").unwrap();
        partial.commit().unwrap();
    };
    rot();
    lab.net.drain();
    let mut got = user.client.get(&[wanted(exact("1.0.0"))]).await.unwrap().remove(0);
    assert_eq!(bytes(&mut *got.content), ONE);
    assert_eq!(lab.net.drain().len(), 1);
    let told = user.notes.of("Warning");
    assert!(told.len() == 1 && told[0].contains("has rotten in the cache"), "{told:?}");
    // Without the network it is said what is missing, and the rotten bytes are gone.
    rot();
    let offline = user.again(|settings| settings.offline = true);
    let error = offline.client.get(&[wanted(exact("1.0.0"))]).await.err().unwrap();
    assert!(matches!(&error, Error::Offline(what) if what.contains("intact")), "{error}");
    assert_eq!(user.notes.of("Warning").len(), 2);
    let mut got = user.client.get(&[wanted(exact("1.0.0"))]).await.unwrap().remove(0);
    assert_eq!(bytes(&mut *got.content), ONE);
}
