//! Bundles beside what `wac` makes of the same components with the same wiring.

use std::collections::BTreeMap;

use wargate_component::{Inspection, Limits, inspect};
use wargate_oracle::bundle::Tower;
use wasmparser::{Validator, WasmFeatures};

const TOWERS: &[&[&str]] = &[
    &["tower-rust", "greeter-rust"],
    &["tower-rust", "tower-rust", "tower-rust", "greeter-rust"],
    &["tower-c-wasip2", "tower-c-wasip2", "greeter-c-wasip2"],
    &["tower-go", "tower-rust", "greeter-go"],
    &["tower-go", "tower-c-wasip2", "tower-rust", "tower-qjs", "greeter-go"],
    &["tower-qjs", "tower-go", "tower-qjs", "tower-c-wasip2", "greeter-qjs"],
];

/// What stands outside of a component that is valid, its code included.
fn look(bytes: &[u8]) -> Inspection {
    Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).unwrap();
    inspect(bytes, &Limits::default()).unwrap()
}

#[test]
fn bundles_import_and_export_the_same_as_those_of_wac() {
    for names in TOWERS {
        let tower = Tower::of(names);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        tower.write_ours(&mut ours);
        tower.into_theirs().write(&mut theirs);
        let (ours, theirs) = (look(&ours), look(&theirs));
        assert_eq!(ours.exports, theirs.exports, "{names:?}");
        let imports = |found: &Inspection| -> BTreeMap<_, _> {
            found.imports.iter().map(|import| (import.name.clone(), import.kind)).collect()
        };
        assert_eq!(imports(&ours), imports(&theirs), "{names:?}");
    }
}
