//! Components of many toolchains, for several versions of WASI.

use wargate_component::virtualize::{Options, Sealed, virtualize};
use wasmparser_newest::{Validator, WasmFeatures};

use crate::host::{Host, exports, greet, imports};
use crate::{PROBE, seal, sealed};

/// Each file, and the WASI whose environment and files it imports.
const COMPONENTS: &[(&str, Option<&str>)] = &[
    ("virtualize/probe", Some("0.2.12")),
    ("components/greeter-go", Some("0.2.12")),
    ("components/tower-go", Some("0.2.12")),
    ("components/foreign/golem-cart", Some("0.2.0")),
    ("components/foreign/golem-cart-versioned", Some("0.2.0")),
    ("components/foreign/oci-wasm-http", Some("0.2.0")),
    ("components/foreign/wac-http-v020", None),
    ("components/foreign/wac-http-v023", None),
    ("components/greeter-c-wasip2", None),
    ("components/greeter-qjs", None),
    ("components/greeter-rust", None),
];

#[test]
fn nothing_that_is_sealed_is_imported() {
    for (name, version) in COMPONENTS {
        let bytes = read(name);
        let made = seal(&bytes, Options::default());
        let Some(version) = version else {
            assert_eq!((made.bytes, made.answered), (bytes, vec![]), "{name}");
            continue;
        };
        let mut answered = made.answered.clone();
        answered.sort_unstable();
        let sealed = ["wasi:cli/environment", "wasi:filesystem/preopens", "wasi:filesystem/types"];
        assert_eq!(answered, sealed.map(|interface| format!("{interface}@{version}")), "{name}");
        let clock = format!("wasi:clocks/monotonic-clock@{version}");
        let mut before = imports(&bytes);
        before.retain(|import| !answered.contains(import) && *import != clock);
        before.sort_unstable();
        let mut after = imports(&made.bytes);
        // What the host has to be asked for if somebody waits for a file.
        after.retain(|import| *import != clock);
        after.sort_unstable();
        assert_eq!(before, after, "{name}");
        assert_eq!(exports(&bytes), exports(&made.bytes), "{name}");
        Validator::new_with_features(WasmFeatures::all()).validate_all(&made.bytes).unwrap();
    }
}

#[test]
fn equal_questions_have_the_same_answer() {
    let made = seal(PROBE, Options::default());
    assert_eq!(made, seal(PROBE, Options::default()));
    let mut other = sealed();
    other.environment.insert("NAME".to_owned(), "Bob".to_owned());
    let other = virtualize(PROBE, &other, Options::default()).unwrap();
    assert_ne!(made.bytes, other.bytes);
    // What is sealed already asks for nothing.
    let again = seal(&made.bytes, Options::default());
    assert_eq!((again.bytes, again.answered), (made.bytes, vec![]));
}

#[test]
fn what_is_sealed_takes_little_more_than_its_size() {
    let made = virtualize(PROBE, &Sealed::default(), Options::default()).unwrap();
    assert!(made.bytes.len() - PROBE.len() < 64_000, "{}", made.bytes.len() - PROBE.len());
}

#[test]
fn a_component_may_be_for_several_versions_of_wasi() {
    let host = Host::new();
    let rows: [&[(&str, &str)]; 4] = [
        &[("@0.2.12", "@0.2.10")],
        &[("filesystem/types@0.2.12", "filesystem/types@0.2.10")],
        &[("io/streams@0.2.12", "io/streams@0.2.10"), ("cli/stdin@0.2.12", "cli/stdin@0.2.11")],
        &[("cli/environment@0.2.12", "cli/environment@0.2.19")],
    ];
    for row in rows {
        let mut probe = PROBE.to_vec();
        for (from, to) in row {
            replace(&mut probe, from.as_bytes(), to.as_bytes());
        }
        assert_ne!(probe, PROBE);
        let made = seal(&probe, Options::default());
        assert_eq!(made.answered.len(), 3, "{row:?}");
        let said = host.run(&made.bytes, "read hello.txt\nsplice-stdin 2\nok", &[]).unwrap();
        assert_eq!(said, "Hello, Ada.\nok Ok(2)\n", "{row:?}");
    }
}

#[test]
fn reactors_go_on_as_before() {
    for name in ["components/greeter-go", "components/greeter-c-wasip2"] {
        let made = seal(&read(name), Options::default());
        assert!(greet(&made.bytes, "Ada").unwrap().contains("Ada"), "{name}");
    }
}

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/../../testdata/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Replaces bytes by as many others.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for place in 0..=bytes.len() - from.len() {
        if bytes[place..].starts_with(from) {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
    }
}
