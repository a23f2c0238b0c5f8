//! What gets wired to what, and that it runs.

use crate::fixtures;
use crate::fixtures::{ADD, adder, caller, consumer, handles, producer};
use crate::tower::section;
use crate::world::{World, imported, look};
use wargate_component::Integrity;
use wargate_component::link::{Root, lock};
use wargate_component::solve::Options;

/// The designers' tower: `meet` needs `inc` and `five`, which both need `add`.
fn tower() -> World {
    World::default()
        .with("test:add@1.2.0", &adder(0))
        .with("test:inc@1.0.0", &caller("unlocked-dep=<test:add@{>=1.0.0 <2.0.0}>", "inc", 1))
        .with("test:five@1.0.0", &caller("unlocked-dep=<test:add@{>=1.2.0}>", "five", 5))
}

const MEET: &str = r#"(component
    (import "unlocked-dep=<test:inc@{>=1.0.0}>" (instance $inc
        (export "inc" (func (param "n" u32) (result u32)))))
    (import "unlocked-dep=<test:five>" (instance $five
        (export "five" (func (param "n" u32) (result u32)))))
    (core func $inc (canon lower (func $inc "inc")))
    (core func $five (canon lower (func $five "five")))
    (core module $m
        (import "" "inc" (func $inc (param i32) (result i32)))
        (import "" "five" (func $five (param i32) (result i32)))
        (func (export "meet") (param i32) (result i32)
            local.get 0 call $inc call $five))
    (core instance $i (instantiate $m (with "" (instance
        (export "inc" (func $inc)) (export "five" (func $five))))))
    (func (export "meet") (param "n" u32) (result u32) (canon lift (core func $i "meet"))))"#;

#[test]
fn a_tower_runs_and_shares_what_it_needs_twice() {
    let world = tower();
    let linked = world.link(MEET);
    assert_eq!(linked.call::<_, u32>("meet", (7u32,)), 13);
    let name = |release: &str| {
        format!("locked-dep=<{release}>,integrity=<{}>", Integrity::of(&world.digest(release)))
    };
    let names = ["test:add@1.2.0", "test:inc@1.0.0", "test:five@1.0.0"].map(name);
    assert_eq!(imported(&linked.locked), names, "each once, before those that need it");
    assert_eq!(imported(&linked.bundle), [""; 0]);
}

#[test]
fn a_root_that_is_a_release_is_imported_too() {
    let world = tower();
    let root = wat::parse_str(MEET).unwrap();
    let case = world.solve(&root);
    let contents: Vec<&[u8]> = case.contents.iter().map(Vec::as_slice).collect();
    let release = Some(("test:meet".parse().unwrap(), "3.0.0-rc.1".parse().unwrap()));
    let locked = lock(&Root { bytes: &root, release }, &case.solution, &contents).unwrap().to_vec();
    assert!(locked.len() < 2000 && imported(&locked).len() == 4);
    let world = world.with_bytes("test:meet@3.0.0-rc.1", root);
    assert_eq!(world.link_bytes(&locked).call::<_, u32>("meet", (1u32,)), 7);
}

#[test]
fn every_form_of_a_name_is_wired() {
    let digest = tower().digest("test:add@1.2.0");
    let hex = digest.to_string().replace(':', "-");
    let base64 = Integrity::of(&digest);
    let names = [
        "unlocked-dep=<test:add>".to_owned(),
        "unlocked-dep=<test:add@*>".to_owned(),
        "unlocked-dep=<test:add@{<3.0.0}>".to_owned(),
        "unlocked-dep=<test:add@{>=1.0.0-rc.1 <1.3.0}>".to_owned(),
        "locked-dep=<test:add>".to_owned(),
        "locked-dep=<test:add@1.2.0>".to_owned(),
        format!("locked-dep=<test:add>,integrity=<{base64}>"),
        format!("locked-dep=<test:add@1.2.0>,integrity=<{base64}>"),
        format!("locked-dep=<test:add@1.2.0>,integrity=<{hex}>"),
    ];
    for name in names {
        let linked = tower().link(&caller(&name, "run", 2));
        assert_eq!(linked.call::<_, u32>("run", (40u32,)), 42, "{name}");
    }
}

#[test]
fn prereleases_are_wired_where_the_solver_takes_them() {
    let world = World::default().with("test:add@2.0.0-rc.1", &adder(100));
    let linked = world.link(&caller("unlocked-dep=<test:add@{>=2.0.0-beta}>", "run", 1));
    assert_eq!(linked.call::<_, u32>("run", (0u32,)), 101);
    let root = wat::parse_str(caller("unlocked-dep=<test:add@{>=1.0.0}>", "run", 1)).unwrap();
    let case = world.solve_with(&root, &Options { prereleases: true, ..Options::default() });
    assert_eq!(crate::world::call::<_, u32>(&case.bundle().unwrap(), "run", (0u32,)), 101);
}

#[test]
fn majors_stand_side_by_side_where_no_resource_crosses() {
    let world = World::default()
        .with("test:add@1.0.0", &adder(0))
        .with("test:add@2.0.0", &adder(1000))
        .with("test:inc@1.0.0", &caller("unlocked-dep=<test:add@{>=1.0.0 <2.0.0}>", "inc", 1))
        .with("test:five@1.0.0", &caller("unlocked-dep=<test:add@{>=2.0.0}>", "five", 5));
    let linked = world.link(MEET);
    assert_eq!(linked.call::<_, u32>("meet", (1u32,)), 1007);
    assert_eq!(imported(&linked.locked).len(), 4);
}

#[test]
fn equal_contents_are_in_a_bundle_once() {
    let of_two = |second: &str| {
        World::default()
            .with("test:add@1.0.0", &adder(0))
            .with("test:add@2.0.0", second)
            .with("test:inc@1.0.0", &caller("unlocked-dep=<test:add@{<2.0.0}>", "inc", 1))
            .with("test:five@1.0.0", &caller("unlocked-dep=<test:add@{>=2.0.0}>", "five", 5))
            .link(MEET)
    };
    let (equal, different) = (of_two(&adder(0)), of_two(&adder(1)));
    let size = wat::parse_str(adder(0)).unwrap().len();
    assert_eq!(different.bundle.len() - equal.bundle.len(), size + 3);
}

#[test]
fn projections_are_wired_to_exports() {
    let exporting = |names: &[&str]| {
        let exports = names.iter().map(|name| format!("(export \"{name}\" (instance $i))"));
        ADD.replace("EXPORTS", &exports.collect::<String>())
    };
    let rows: &[(&str, &[&str])] = &[
        ("unlocked-dep=<test:add/calc@{>=1.0.0 <1.3.0}>", &["test:add/calc@1.2.0"]),
        ("unlocked-dep=<test:add/calc@*>", &["test:add/other@1.2.0", "test:add/calc"]),
        ("unlocked-dep=<test:add/calc>", &["calc"]),
        ("unlocked-dep=<test:add/calc>", &["test:add/calc@0.9.0", "test:add/calc@1.2.0"]),
        ("locked-dep=<test:add/calc@1.2.0>", &["test:add/calc@1.2.0"]),
    ];
    for (name, exports) in rows {
        let world = World::default().with("test:add@1.2.0", &exporting(exports));
        let linked = world.link(&caller(name, "run", 1));
        assert_eq!(linked.call::<_, u32>("run", (1u32,)), 2, "{name} {exports:?}");
    }
}

#[test]
fn a_whole_package_gives_interfaces_of_compatible_versions() {
    let add = ADD.replace("EXPORTS", r#"(export "test:add/calc@1.2.0" (instance $i))"#);
    let world = World::default().with("test:add@1.2.0", &add);
    for asked in ["1.2.0", "1.1.0"] {
        let root = format!(
            r#"(component
                (import "unlocked-dep=<test:add>" (instance $add
                    (export "test:add/calc@{asked}" (instance
                        (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))))
                (alias export $add "test:add/calc@{asked}" (instance $calc))
                (export "calc" (instance $calc)))"#
        );
        assert_eq!(look(&world.link(&root).bundle).exports[0].name, "calc");
    }
}

#[test]
fn one_resource_goes_through_a_diamond() {
    let range = "{>=1.0.0 <2.0.0}";
    let world = World::default()
        .with("test:d@1.0.0", &handles())
        .with("test:d@1.1.0", &handles())
        .with("test:b@1.0.0", &producer("unlocked-dep=<test:d@{>=1.0.0}>"))
        .with("test:c@1.0.0", &consumer(&format!("unlocked-dep=<test:d@{range}>")));
    let linked = world.link(&fixtures::diamond());
    assert_eq!(linked.call::<_, u32>("run", (41u32,)), 41);
    assert_eq!(imported(&linked.locked).len(), 3, "one version of the package of handles");
    // The root can have the resource from its package, too.
    let linked = world.link(&fixtures::diamond_with_root());
    assert_eq!(linked.call::<_, u32>("run", (5u32,)), 5);
    // And the interface of handles can come by its projection.
    let world = World::default()
        .with("test:d@1.0.0", &fixtures::handles_in_interface())
        .with("test:b@1.0.0", &producer("unlocked-dep=<test:d/handles@{>=1.0.0}>"))
        .with("test:c@1.0.0", &consumer("unlocked-dep=<test:d/handles@{>=1.0.0 <2.0.0}>"));
    assert_eq!(world.link(&fixtures::diamond()).call::<_, u32>("run", (9u32,)), 9);
}

#[test]
fn types_are_exported_with_the_functions_that_take_them() {
    // Plain exports of a root: a record, a resource of its own, and functions that have them.
    let root = handles().replace(
        "(component",
        r#"(component
        (import "unlocked-dep=<test:add>" (instance $add
            (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
        (export "add" (func $add "add"))
        (type $record (record (field "x" u32)))
        (export $point "point" (type $record))
        (core module $n (func (export "move") (param i32) (result i32) local.get 0))
        (core instance $n (instantiate $n))
        (func $move (param "it" $point) (result u32) (canon lift (core func $n "move")))
        (export "move" (func $move))"#,
    );
    let linked = World::default().with("test:add@1.0.0", &adder(0)).link(&root);
    assert_eq!(linked.call::<_, u32>("add", (1u32, 2u32)), 3);
    assert_eq!(look(&linked.bundle).exports.len(), 6);
}

#[test]
fn open_imports_stay_and_become_one() {
    let clock = |version: &str, more: &str| {
        format!(
            r#"(component
                (import "wasi:io/poll@{version}" (instance $poll
                    (export "pollable" (type $p (sub resource)))
                    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
                (alias export $poll "pollable" (type $pollable))
                (import "wasi:clocks/monotonic-clock@{version}" (instance $clock
                    (type $nanoseconds u64)
                    (export "instant" (type (eq $nanoseconds)))
                    (alias outer 1 $pollable (type $outer))
                    (export "pollable" (type $own (eq $outer)))
                    (type $record (record (field "of" u64)))
                    (export "settings" (type $settings (eq $record)))
                    (export "configure" (func (param "it" $settings)))
                    (export "subscribe" (func (param "when" u64) (result (own $own))))
                    {more}))
                (import "hook" (func $hook (result u32)))
                (core func $hook (canon lower (func $hook)))
                (core module $m
                    (import "" "hook" (func $hook (result i32)))
                    (func (export "add") (param i32 i32) (result i32)
                        local.get 0 local.get 1 i32.add)
                    (func (export "hooked") (result i32) call $hook))
                (core instance $c (instantiate $m (with "" (instance (export "hook" (func $hook))))))
                (func (export "add") (param "a" u32) (param "b" u32) (result u32)
                    (canon lift (core func $c "add")))
                (func (export "hooked") (result u32) (canon lift (core func $c "hooked"))))"#
        )
    };
    let world = World::default()
        .with("test:add@1.0.0", &clock("0.2.0", ""))
        .with("test:add@2.0.0", &clock("0.2.3", r#"(export "now" (func (result u64)))"#))
        .with("test:add@3.0.0", &clock("0.3.0-rc-2025-08-15", ""));
    let root = r#"(component
        (import "hook" (func $hook (result u32)))
        (import "unlocked-dep=<test:add@{<2.0.0}>" (instance $one (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
        (import "unlocked-dep=<test:add@{>=2.0.0 <3.0.0}>" (instance $two (export "hooked" (func (result u32)))))
        (import "unlocked-dep=<test:add@{>=3.0.0}>" (instance $three (export "hooked" (func (result u32)))))
        (export "add" (func $one "add"))
        (export "hooked" (func $two "hooked")))"#;
    let linked = world.link(root);
    let expected = [
        "hook",
        "wasi:io/poll@0.2.3",
        "wasi:clocks/monotonic-clock@0.2.3",
        "wasi:io/poll@0.3.0-rc-2025-08-15",
        "wasi:clocks/monotonic-clock@0.3.0-rc-2025-08-15",
    ];
    let mut found = imported(&linked.bundle);
    assert_eq!(imported(&linked.locked)[3..], found);
    found.sort_unstable();
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(linked.call::<_, u32>("hooked", ()), 4);
    assert_eq!(linked.call::<_, u32>("add", (1u32, 2u32)), 3);
}

#[test]
fn an_imported_component_is_instantiated_by_its_importer() {
    let world = World::default().with("test:add@1.0.0", &adder(3));
    for name in ["locked-dep=<test:add@1.0.0>", "unlocked-dep=<test:add@{>=1.0.0}>"] {
        let root = format!(
            r#"(component
                (import "{name}" (component $add
                    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
                (instance $one (instantiate $add))
                (instance $two (instantiate $add))
                (export "one" (func $one "add"))
                (export "two" (func $two "add")))"#
        );
        let linked = world.link(&root);
        assert_eq!(linked.call::<_, u32>("one", (1u32, 2u32)), 6);
        assert_eq!(linked.call::<_, u32>("two", (4u32, 2u32)), 9);
    }
}

#[test]
fn names_of_packages_leave_nested_components_too() {
    // A tower that is locked within a component: names stand in types, arguments and imports.
    let world = tower();
    let nested = [b"\0asm\x0d\0\x01\0".as_slice(), &section(4, &world.link(MEET).locked)].concat();
    let root = wat::parse_str(caller("unlocked-dep=<test:add>", "run", 0)).unwrap();
    let mut with = root.clone();
    with.extend(section(4, &nested));
    let linked = world.link_bytes(&with);
    assert_eq!(linked.call::<_, u32>("run", (8u32,)), 8);
    assert!(!linked.bundle.windows(4).any(|bytes| bytes == b"dep="));
}

#[test]
fn a_root_without_packages_stays_as_it_is() {
    let root = wat::parse_str(
        r#"(component (import "hook" (func)) (import "wasi:cli/environment@0.2.0" (instance)))"#,
    )
    .unwrap();
    let linked = World::default().link_bytes(&root);
    assert_eq!((&linked.locked, &linked.bundle), (&root, &root));
}

#[test]
fn what_has_no_package_stays_in_a_locked_component() {
    let world = World::default().with("test:add@1.0.0", &adder(0));
    let root = r#"(component
        (import "url=<https://example.com/x.wasm>" (component))
        (import "unlocked-dep=<test:add>" (instance)))"#;
    let locked = world.solve(&wat::parse_str(root).unwrap()).lock().unwrap();
    assert_eq!(imported(&locked)[1], "url=<https://example.com/x.wasm>");
}

#[test]
fn deep_towers_are_linked() {
    let mut world = World::default().with("test:add@1.0.0", &adder(0));
    let level = |below: &str| {
        caller(&format!("unlocked-dep=<{below}>"), "add-one", 0)
            .replace(
                r#"(func (export "add-one") (param "n" u32)"#,
                r#"(func (export "add") (param "a" u32) (param "b" u32)"#,
            )
            .replace("(export \"add-one\") (param i32)", "(export \"add-one\") (param i32 i32)")
    };
    let mut below = "test:add".to_owned();
    for number in 1..=200 {
        let name = format!("test:level{number}");
        world = world.with(&format!("{name}@1.0.0"), &level(&below));
        below = name;
    }
    let linked = world.link(&level(&below));
    assert_eq!(linked.call::<_, u32>("add", (20u32, 1u32)), 20);
}
