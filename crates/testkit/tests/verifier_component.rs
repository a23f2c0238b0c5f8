//! The verifier as a component, in a WebAssembly runtime: it accepts the registry of the vectors and
//! refuses every tampered one, with the words of the native verifier.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use serde_json::{Value, json};
use wargate_protocol::verify::{Transcript, TrustAnchor, VerifyError, transcript};
use wargate_testkit::registry::Registry;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder};
use wit_component::ComponentEncoder;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../guests/verifier/wit",
        world: "verifier",
    });
}

use bindings::exports::wargate::verifier::verification::{Culprit, Refusal, Verified};

/// Memory that an instance may use, in bytes.
const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Instructions, roughly, that one call may take.
const FUEL_MAX: u64 = 2_000_000_000;

struct Runtime {
    engine: Engine,
    component: Component,
}

impl Runtime {
    /// Compiles the component that `cargo xtask test` has built.
    fn new() -> Self {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("../wasm/wasm32-unknown-unknown/release/wargate_verifier.wasm");
        let module = std::fs::read(&built).unwrap_or_else(|error| {
            unreachable!("{}: {error}; run `cargo xtask test`, which builds it", built.display())
        });
        let component = ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .unwrap();
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, component).unwrap();
        Self { engine, component }
    }

    /// One call in an instance of its own, without any import.
    fn verify(&self, transcript: &[u8], anchor: &[u8]) -> Result<Verified, Refusal> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
        let mut store: Store<StoreLimits> = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(FUEL_MAX).unwrap();
        let linker = Linker::new(&self.engine);
        let instance =
            bindings::Verifier::instantiate(&mut store, &self.component, &linker).unwrap();
        let exports = instance.wargate_verifier_verification();
        exports.call_verify(&mut store, transcript, anchor).unwrap()
    }

    /// The component's answer to a changed transcript, after comparing it with the native one.
    fn refusal(&self, document: &Value, anchor: &TrustAnchor) -> Option<Refusal> {
        let bytes = serde_json::to_vec(document).unwrap();
        let native = transcript(&bytes, anchor);
        let anchor = serde_json::to_vec(anchor).unwrap();
        let refusal = self.verify(&bytes, &anchor).err();
        match (&native, &refusal) {
            (Ok(_), None) => {}
            (Err(VerifyError::Unreadable(text)), Some(Refusal::Unreadable(same))) => {
                assert_eq!(text, same);
            }
            (Err(VerifyError::Misbehaviour(native)), Some(Refusal::Misbehaviour(same))) => {
                assert_eq!(native.fault.to_string(), same.fault);
                let evidence: Value = serde_json::from_str(&same.evidence).unwrap();
                assert_eq!(serde_json::to_value(&native.evidence).unwrap(), evidence);
            }
            _ => unreachable!("natively {native:?}, in Wasm {refusal:?}"),
        }
        refusal
    }
}

#[test]
fn the_component_says_what_the_native_verifier_says() {
    let runtime = Runtime::new();
    let registry = Registry::load();
    accepts_the_registry(&runtime, &registry);
    refuses_every_tampering(&runtime, &registry);
    refuses_what_is_no_transcript(&runtime);
    names_the_registry_that_contradicts_itself(&runtime, &registry);
}

fn accepts_the_registry(runtime: &Runtime, registry: &Registry) {
    let bytes = serde_json::to_vec(&registry.transcript(None, 6)).unwrap();
    let anchor = serde_json::to_vec(&registry.anchor()).unwrap();
    let verified = runtime.verify(&bytes, &anchor).unwrap();
    let checkpoint = registry.checkpoint(6).contents;
    assert_eq!(verified.operator_key, registry.operator.public_key().id().as_str());
    assert_eq!(verified.log_length, 6);
    assert_eq!(verified.log_root, checkpoint.checkpoint.log_root.to_string());
    assert_eq!(verified.map_root, checkpoint.checkpoint.map_root.to_string());
    assert_eq!(verified.signed_at, checkpoint.timestamp_seconds);
    let packages = verified.packages.iter().map(|package| {
        let releases = package.releases.iter();
        let releases =
            releases.map(|release| (release.version.as_str(), release.content.is_some()));
        (package.name.as_str(), releases.collect::<Vec<_>>())
    });
    let expected = vec![
        ("test:two", vec![("1.0.0", true)]),
        ("test:one", vec![("0.1.0", false), ("0.2.0", true)]),
    ];
    assert_eq!(packages.collect::<Vec<_>>(), expected);
}

/// A way to tamper with a transcript in JSON.
type Tampering = (&'static str, fn(&mut Value));

const TAMPERINGS: &[Tampering] = &[
    ("a later time", |document| document["checkpoint"]["contents"]["timestamp"] = json!(1)),
    ("another length", |document| document["checkpoint"]["contents"]["logLength"] = json!(5)),
    ("another root", |document| {
        let root = document["checkpoint"]["contents"]["logRoot"].clone();
        document["checkpoint"]["contents"]["mapRoot"] = root;
    }),
    ("a key nobody knows", |document| document["checkpoint"]["keyId"] = json!("nobody")),
    ("no operator", |document| document["operator"] = json!([])),
    ("a package without records", |document| document["packages"][0]["records"] = json!([])),
    ("the newest record held back", |document| {
        document["packages"][1]["records"].as_array_mut().unwrap().pop();
    }),
    ("the first record held back", |document| {
        document["packages"][1]["records"].as_array_mut().unwrap().remove(0);
    }),
    ("records in another order", |document| {
        document["packages"][1]["records"].as_array_mut().unwrap().swap(1, 2);
    }),
    ("a record beyond the end", |document| {
        document["packages"][0]["records"][1]["registryIndex"] = json!(6);
    }),
    ("another name", |document| document["packages"][0]["name"] = json!("test:three")),
    ("packages in another order", |document| {
        document["packages"].as_array_mut().unwrap().reverse();
    }),
    ("somebody else's signature", |document| {
        let other = document["packages"][0]["records"][0]["signature"].clone();
        document["packages"][1]["records"][0]["signature"] = other;
    }),
    ("no log proof", |document| document["proofs"]["log"] = json!("")),
    ("no map proof", |document| document["proofs"]["map"] = json!("")),
    ("the one proof for the other", |document| {
        document["proofs"]["map"] = document["proofs"]["log"].clone();
    }),
];

fn refuses_every_tampering(runtime: &Runtime, registry: &Registry) {
    let honest = serde_json::to_value(registry.transcript(None, 6)).unwrap();
    let anchor = registry.anchor();
    assert!(runtime.refusal(&honest, &anchor).is_none());
    for (name, tamper) in TAMPERINGS {
        let mut document = honest.clone();
        tamper(&mut document);
        let refusal = runtime.refusal(&document, &anchor);
        assert!(matches!(refusal, Some(Refusal::Misbehaviour(_))), "{name}: {refusal:?}");
    }
    let pinned = TrustAnchor { operator_keys: vec!["mine".into()], ..TrustAnchor::default() };
    assert!(runtime.refusal(&honest, &pinned).is_some());
    // A sample of all flipped bits; the native verifier is tested with every one of them.
    for (place, step) in [("/proofs/log", 97), ("/proofs/map", 53)] {
        let text = honest.pointer(place).unwrap().as_str().unwrap();
        let bytes = wargate_protocol::base64::decode(text).unwrap();
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut document = honest.clone();
            *document.pointer_mut(place).unwrap() =
                wargate_protocol::base64::encode(&changed).into();
            assert!(runtime.refusal(&document, &anchor).is_some(), "{place} bit {bit}");
        }
    }
}

fn refuses_what_is_no_transcript(runtime: &Runtime) {
    for bytes in [&b""[..], b"{}", b"null", b"\xff", br#"{"checkpoint":1}"#] {
        let refusal = runtime.verify(bytes, b"{}").unwrap_err();
        assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}");
    }
    let refusal = runtime.verify(b"{}", br#"{"operatorKey":"a misspelt member"}"#).unwrap_err();
    assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}");
}

fn names_the_registry_that_contradicts_itself(runtime: &Runtime, registry: &Registry) {
    let mut forged = registry.checkpoint(6).contents;
    forged.checkpoint.map_root = registry.checkpoint(5).contents.checkpoint.map_root;
    let mut anchor = registry.anchor();
    anchor.checkpoint = Some(registry.sign(forged));
    let document: Transcript = registry.transcript(None, 6);
    let refusal = runtime.refusal(&serde_json::to_value(document).unwrap(), &anchor);
    let Some(Refusal::Misbehaviour(misbehaviour)) = refusal else {
        unreachable!("a fork is refused: {refusal:?}");
    };
    let key = registry.operator.public_key().id();
    assert!(matches!(misbehaviour.culprit, Culprit::Registry(id) if id == key.as_str()));
}
