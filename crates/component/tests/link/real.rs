//! Towers of real components of several languages.

use std::collections::BTreeSet;

use crate::tower::{GREETING, component, tower};
use wargate_component::link::{Root, bundle, lock};
use wargate_component::{Limits, inspect};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

fn linked(names: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let (root, solution, contents) = tower(names);
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let root = Root { bytes: &root, release: None };
    let bundle = bundle(&root, &solution, &contents).unwrap().to_vec();
    wasmparser_newest::Validator::new().validate_all(&bundle).unwrap();
    (lock(&root, &solution, &contents).unwrap().to_vec(), bundle)
}

fn imports(bytes: &[u8]) -> Vec<String> {
    let imports = inspect(bytes, &Limits::default()).unwrap().imports;
    imports.into_iter().map(|import| import.name).collect()
}

#[test]
fn real_components_call_each_other() {
    let (locked, bundle) = linked(&["tower-rust", "tower-rust", "tower-rust", "greeter-rust"]);
    assert_eq!(imports(&bundle), [""; 0]);
    assert_eq!(imports(&locked).len(), 3);
    let engine = Engine::default();
    let component = Component::new(&engine, &bundle).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let greeting = instance.get_export_index(&mut store, None, GREETING).unwrap();
    let greet = instance.get_export_index(&mut store, Some(&greeting), "greet").unwrap();
    let greet = instance.get_typed_func::<(&str,), (String,)>(&mut store, greet).unwrap();
    let (words,) = greet.call(&mut store, ("Ada",)).unwrap();
    assert_eq!(words, "Rust[Rust[Rust[Rust says hello to Ada]]]");
}

#[test]
fn every_language_has_its_place_and_system_interfaces_become_one() {
    let names = ["tower-go", "tower-c-wasip2", "tower-rust", "tower-qjs", "greeter-go"];
    let (locked, bundle) = linked(&names);
    let open = imports(&bundle);
    let unversioned: BTreeSet<&str> =
        open.iter().filter_map(|name| Some(name.split_once('@')?.0)).collect();
    assert_eq!(unversioned.len(), open.len(), "each interface once: {open:?}");
    let own: BTreeSet<String> = names
        .iter()
        .flat_map(|name| imports(&component(name)))
        .filter(|name| name != GREETING)
        .collect();
    assert!(own.len() > open.len(), "some came at several versions");
    assert!(open.iter().all(|name| own.contains(name)), "under names that one of them has");
    assert_eq!(imports(&locked)[4..], open);
    let (_, smaller) = linked(&["tower-c-wasip2", "greeter-c-wasip2"]);
    Component::new(&Engine::default(), smaller).unwrap();
}
