//! The operator log: namespaces, permissions, keys.

use std::sync::Arc;

use wargate_protocol::{Entry, NamespaceState, OperatorPermission};
use wargate_registry::seams::LocalSigner;
use wargate_registry::{OpenError, WriteError};

use wargate_testkit::world::{
    BEGIN, World, init, key, namespace, published, record, refused, submit,
};

#[tokio::test]
async fn namespaces_are_defined_and_imported_for_good() {
    let world = World::new();
    let registry = world.open();
    assert_eq!(registry.operate(vec![Entry::define_namespace("mine")]).await.unwrap().get(), 1);
    let import = || vec![Entry::import_namespace("theirs", "registry.example.com")];
    assert_eq!(registry.operate(import()).await.unwrap().get(), 2);
    let state = |name| registry.namespace(&namespace(name)).unwrap();
    assert_eq!(state("mine"), Some(NamespaceState::Defined));
    let registry_name = "registry.example.com".to_owned();
    assert_eq!(state("theirs"), Some(NamespaceState::Imported { registry: registry_name }));
    assert_eq!(state("other"), None);
    for entries in
        [import(), vec![Entry::define_namespace("mine")], vec![Entry::define_namespace("No")]]
    {
        let error = registry.operate(entries).await.unwrap_err();
        assert!(matches!(error, WriteError::Rejected(_)), "{error:?}");
    }
    let author = key(2);
    let first = record(&author, None, [init(&author)]);
    published(&submit(&registry, "mine:a", &first).await.unwrap());
    let error = submit(&registry, "theirs:a", &first).await.unwrap_err();
    assert!(matches!(error, WriteError::NamespaceImported { .. }), "{error:?}");
    world.check();
}

#[tokio::test]
async fn a_trusting_registry_defines_namespaces_as_they_come() {
    let mut world = World::new();
    world.define_namespaces = true;
    let registry = world.open();
    let author = key(2);
    let first = record(&author, None, [init(&author)]);
    assert_eq!(published(&submit(&registry, "new:a", &first).await.unwrap()), 2);
    assert_eq!(published(&submit(&registry, "new:b", &first).await.unwrap()), 3);
    assert_eq!(registry.operator_state().unwrap().items().len(), 2);
    world.check();
}

/// 16.1 and 20.3, N13.
#[tokio::test]
async fn a_registry_does_not_open_with_a_key_that_is_not_its_own() {
    let mut world = World::new();
    let registry = world.open();
    let own = world.signer.clone();
    world.signer = Arc::new(LocalSigner::new(key(9)));
    let error = world.try_open().err().unwrap();
    assert!(matches!(error, OpenError::KeyNotPermitted { role: "operator", .. }), "{error}");
    world.signer = Arc::new(LocalSigner::new(key(1)).with_checkpoint_key(key(9)));
    let error = world.try_open().err().unwrap();
    assert!(matches!(error, OpenError::KeyNotPermitted { role: "checkpoint", .. }), "{error}");
    let grant = Entry::grant(key(9).public_key(), [OperatorPermission::Commit]);
    registry.operate(vec![grant]).await.unwrap();
    let reopened = world.open();
    reopened.newest().checkpoint.verify_signature(&key(9).public_key()).unwrap();
    assert_eq!(reopened.verify_checkpoint(&reopened.newest().checkpoint).unwrap(), (true, true));
    // What a key signed while it might is still believed when it may not any more.
    let old = reopened.newest().checkpoint.clone();
    world.signer = own;
    let registry = world.open();
    let revoke = Entry::revoke(key(9).public_key().id(), [OperatorPermission::Commit]);
    registry.operate(vec![revoke]).await.unwrap();
    assert_eq!(registry.verify_checkpoint(&old).unwrap(), (true, true));
    let mut forged = old;
    forged.contents.timestamp_seconds += 1;
    assert_eq!(registry.verify_checkpoint(&forged).unwrap(), (true, false));
    world.check();
}

#[tokio::test]
async fn the_time_of_checkpoints_never_goes_back() {
    let world = World::new();
    let begin = u64::try_from(BEGIN).unwrap();
    let registry = world.open();
    let signed = |registry: &wargate_registry::Registry| {
        registry.newest().checkpoint.contents.timestamp_seconds
    };
    world.clock.set(BEGIN + 50);
    registry.tend().await.unwrap();
    assert_eq!(signed(&registry), begin + 50);
    world.clock.set(BEGIN - 1000);
    registry.tend().await.unwrap();
    assert_eq!(signed(&registry), begin + 50);
    let registry = world.open();
    assert_eq!(signed(&registry), begin + 50);
    registry.operate(vec![Entry::define_namespace("a")]).await.unwrap();
    assert_eq!(signed(&registry), begin + 50);
    world.check();
}

/// A namespace is for ever, so only a record that is published makes one; and where none can be made,
/// nothing is published.
#[tokio::test]
async fn only_what_is_published_defines_a_namespace() {
    let mut world = World::new();
    world.define_namespaces = true;
    let registry = world.open();
    let author = key(2);
    let orphan = record(&author, Some(record(&author, None, []).record_id()), [init(&author)]);
    refused(submit(&registry, "new:a", &orphan).await.unwrap());
    assert_eq!(registry.namespace(&namespace("new")).unwrap(), None);
    let own = key(1).public_key().id();
    let revoke = Entry::revoke(own, [OperatorPermission::DefineNamespace]);
    registry.operate(vec![revoke]).await.unwrap();
    let first = record(&author, None, [init(&author)]);
    refused(submit(&registry, "new:a", &first).await.unwrap());
    published(&submit(&registry, "test:a", &first).await.unwrap());
    assert_eq!(registry.namespace(&namespace("new")).unwrap(), None);
    world.check();
}
