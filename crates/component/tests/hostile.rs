//! Files made to do harm: they may be refused, and nothing else may happen.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use proptest::prelude::*;
use wargate_component::{InspectError, Limits, inspect, limits};
use wargate_testkit::vectors::testdata;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn look(bytes: &[u8]) -> Result<wargate_component::Inspection, InspectError> {
    inspect(bytes, &Limits::default())
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// A component type that holds one declaration, a component type that holds one …
fn nested_types(levels: usize, opening: u8) -> Vec<u8> {
    let body = [&[1][..], &[opening, 1, 1].repeat(levels), &[opening, 0]].concat();
    [COMPONENT, &section(7, &body)].concat()
}

#[test]
fn types_nested_a_million_times_do_not_exhaust_the_stack() {
    for opening in [0x41, 0x42] {
        for levels in [limits::TYPE_NESTING_MAX, 1_000_000] {
            let error = look(&nested_types(levels, opening)).unwrap_err();
            assert!(matches!(error, InspectError::TooDeep { .. }), "{error}");
        }
        assert!(look(&nested_types(90, opening)).is_ok(), "{:?}", look(&nested_types(90, opening)));
    }
}

#[test]
fn components_nested_too_deep_are_refused() {
    let nest = |levels: usize| {
        (0..levels).fold(COMPONENT.to_vec(), |inner, _| [COMPONENT, &section(4, &inner)].concat())
    };
    assert!(look(&nest(limits::COMPONENT_NESTING_MAX)).is_ok());
    let error = look(&nest(limits::COMPONENT_NESTING_MAX + 1)).unwrap_err();
    assert!(matches!(error, InspectError::TooDeep { levels_max: 100, .. }), "{error}");
}

fn samples() -> Vec<Vec<u8>> {
    let names = ["greeter-rust.wasm", "tower-rust.wasm", "greeter-c-wasip2.wasm"];
    let read = |name| fs::read(testdata().join("components").join(name)).unwrap();
    names.into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn changed_components_never_panic(
        which in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = samples().swap_remove(which);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        prop_assert_ne!(look(&bytes), Err(InspectError::Defect));
    }

    #[test]
    fn random_sections_never_panic(
        layer in any::<bool>(),
        sections in prop::collection::vec((0_u8..14, prop::collection::vec(any::<u8>(), 0..64)), 0..8),
    ) {
        let header: &[u8] = if layer { COMPONENT } else { b"\0asm\x01\0\0\0" };
        let mut bytes = header.to_vec();
        for (id, body) in sections {
            bytes.extend(section(id, &body));
        }
        prop_assert_ne!(look(&bytes), Err(InspectError::Defect));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert_ne!(look(&bytes), Err(InspectError::Defect));
    }
}
