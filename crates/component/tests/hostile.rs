//! Files made to do harm: they may be refused, and nothing else may happen.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use proptest::prelude::*;
use wargate_component::diff::diff;
use wargate_component::inspect::{examine, is_brief};
use wargate_component::wit::{WitError, wit};
use wargate_component::{InspectError, Limits, inspect, limits};
use wargate_testkit::vectors::testdata;
use wasmparser::{Validator, WasmFeatures};

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
fn only_what_has_little_to_validate_is_brief() {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let custom = section(0, &[&[1, b'x'][..], &[7; 9000]].concat());
    let types = |count: usize| section(1, &[leb(count), b"\x60\0\0".repeat(count)].concat());
    let broken = &[&section(1, &[9])[..], &[1, 0xff]].concat();
    for sections in [&b""[..], &custom, &[types(100), custom.clone()].concat(), broken] {
        assert!(is_brief(&[MODULE, sections].concat()));
        assert!(!is_brief(&[COMPONENT, sections].concat()));
    }
    assert!(!is_brief(&[MODULE, &types(200)].concat()));
    assert!(!is_brief(&[MODULE, &types(100), &custom, &section(10, &[0; 300])].concat()));
    assert!(is_brief(b"text"));
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
fn parts_that_claim_to_be_longer_than_the_file_are_refused() {
    let module = b"\0asm\x01\0\0\0";
    let whole = [COMPONENT, &section(1, module)].concat();
    assert!(look(&whole).is_ok());
    let deep = |claimed: usize| {
        let inner = [COMPONENT, &[1], &leb(claimed), module].concat();
        [COMPONENT, &section(4, &inner)].concat()
    };
    assert!(look(&deep(8)).is_ok());
    for claimed in [9, 100] {
        let flat = [COMPONENT, &[1], &leb(claimed), module].concat();
        for bytes in [flat, deep(claimed)] {
            assert!(matches!(look(&bytes), Err(InspectError::Invalid { .. })), "{claimed}");
        }
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

/// Components of up to 300 KB that make the validator copy large types hundreds of times.
fn bombs(size: usize, copies: usize) -> Vec<(&'static str, String)> {
    let exports = |each: &dyn Fn(usize) -> String| (0..size).map(each).collect::<Vec<_>>().concat();
    let types = exports(&|n| format!("(export \"f{n}\" (type $r2))"));
    let component = format!(
        "(component $c (type $r (resource (rep i32))) (export $r2 \"r\" (type $r)) {types})"
    );
    let instances = "(instance (instantiate $c))".repeat(copies);
    let functions =
        exports(&|n| format!("(type $t{n} (own $r)) (export \"f{n}\" (func (param \"a\" $t{n})))"));
    let interface =
        format!("(type $i (instance (export \"r\" (type $r (sub resource))) {functions}))");
    let importers = "(type (component (import \"i\" (instance (type $i)))))".repeat(copies);
    let inner =
        "(type (component (alias outer 2 $i (type $j)) (import \"i\" (instance (type $j)))))"
            .repeat(copies);
    let imports: Vec<_> =
        (0..copies).map(|n| format!("(import \"i{n}\" (instance (type $i)))")).collect();
    let in_one = format!("(type (component {interface} {importers}))");
    let nesting = "(component $w (instance $x (instantiate $c)) (export \"x\" (instance $x)))";
    let wrapped = "(instance (instantiate $w))".repeat(copies);
    let aliased = "(alias export $a \"i\" (type $i))";
    let holder = format!("(type $h (instance {interface} (export \"i\" (type (eq $i)))))");
    vec![
        ("instances", format!("(component {component} {instances})")),
        ("imports", format!("(component {interface} {})", imports.concat())),
        ("component types", format!("(component {interface} {importers})")),
        ("component types in one", format!("(component {interface} (type (component {inner})))")),
        ("all in one", format!("(component {in_one})")),
        ("wrapped", format!("(component {component} {nesting} {wrapped})")),
        (
            "a type that an instance exports",
            format!(
                "(component (type (component {holder} (import \"a\" (instance $a (type $h))) {aliased} \
                 {importers})))"
            ),
        ),
    ]
}

#[test]
fn types_that_are_copied_too_often_are_refused() {
    for (what, text) in bombs(100, 10) {
        let found = look(&wat::parse_str(text).unwrap());
        let unknown = what == "a type that an instance exports";
        assert_eq!(found.is_ok(), !unknown, "{what}: {found:?}");
    }
    for (what, text) in bombs(5000, 900) {
        let error = look(&wat::parse_str(text).unwrap()).unwrap_err();
        // The validator itself limits how large one component gets.
        let large = matches!(&error, InspectError::Invalid { reason, .. }
            if reason.contains("effective type size"));
        assert!(large || matches!(error, InspectError::TooComplex { .. }), "{what}: {error}");
    }
}

/// Modules of two to six bytes for each thousand steps that the validator takes.
fn code_bombs(count: usize) -> Vec<(&'static str, String)> {
    let values = "i32 ".repeat(1000);
    let types = format!(
        "(type $w (func (result {values}))) (type $a (array i32))
         (func $f (param {values}) (result {values}) unreachable)"
    );
    let code =
        |body: &str| format!("(module {types} (func (type $w) unreachable {body} unreachable))");
    vec![
        ("branches", code(&format!("br_table {}", "0 ".repeat(count)))),
        ("calls", code(&"call $f ".repeat(count))),
        ("arrays", code(&"array.new_fixed $a 1000 drop ".repeat(count))),
        ("blocks", code(&"block (type $w) unreachable end ".repeat(count))),
    ]
}

#[test]
fn code_that_takes_too_long_to_validate_is_refused() {
    for (what, text) in code_bombs(100) {
        let found = look(&wat::parse_str(text).unwrap());
        assert!(found.is_ok(), "{what}: {found:?}");
    }
    for (what, text) in code_bombs(300_000) {
        let error = look(&wat::parse_str(text).unwrap()).unwrap_err();
        assert!(matches!(error, InspectError::TooMuchCode { .. }), "{what}: {error}");
    }
}

fn samples() -> Vec<Vec<u8>> {
    let names = ["greeter-rust.wasm", "tower-rust.wasm", "greeter-c-wasip2.wasm"];
    let read = |name| fs::read(testdata().join("components").join(name)).unwrap();
    names.into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn changed_components_never_panic_in_other_readers(
        which in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let before = samples().swap_remove(which);
        let mut after = before.clone();
        for (place, byte) in changes {
            // Types stand at the beginning.
            let place = place.index(after.len().min(2000));
            after[place] = byte;
        }
        let limits = Limits::default();
        prop_assert_ne!(examine(&after, &limits).err(), Some(InspectError::Defect));
        prop_assert_ne!(wit(&after, &limits).err(), Some(WitError::Inspect(InspectError::Defect)));
        if let Ok(found) = diff(&before, &after, &limits) {
            prop_assert_eq!(found.identical, before == after);
        }
    }

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
        let ours = look(&bytes);
        prop_assert_ne!(&ours, &Err(InspectError::Defect));
        // Sections go to the validator item by item, which must not change its verdict. Only it takes the
        // end of the file for that of what claims to be longer.
        let valid = |features| Validator::new_with_features(features).validate_all(&bytes).is_ok();
        let cut = matches!(&ours, Err(InspectError::Invalid { reason, .. }) if reason.contains("ends beyond"));
        prop_assert!(ours.is_ok() || cut || !valid(WasmFeatures::default()), "{:?}", ours);
        prop_assert!(ours.is_err() || valid(WasmFeatures::all()));
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
