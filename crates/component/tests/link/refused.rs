//! What cannot be linked, and how it is explained.

use crate::fixtures;
use crate::fixtures::{adder, caller, consumer, handles, producer};
use crate::world::{World, look};
use wargate_component::link::{Chain, LinkError};
use wargate_component::{InspectError, Kind};
use wargate_crypto::Digest;

fn adding() -> World {
    World::default().with("test:add@1.0.0", &adder(0))
}

const ROOT: &str = "unlocked-dep=<test:add@{>=1.0.0}>";

#[test]
fn a_resource_of_another_version_is_refused_with_the_imports_that_lead_there() {
    let world = World::default()
        .with("test:d@1.0.0", &handles())
        .with("test:d@2.0.0", &handles())
        .with("test:b@1.0.0", &producer("unlocked-dep=<test:d@{>=1.0.0 <2.0.0}>"))
        .with("test:c@1.0.0", &consumer("unlocked-dep=<test:d@{>=2.0.0}>"));
    let error = world.refused(&fixtures::diamond());
    let LinkError::Resource { chain, resource, chains } = &error else { panic!("{error:?}") };
    assert_eq!((chain.0.len(), resource.as_str()), (1, "handle"));
    let chains: Vec<String> = chains.iter().map(Chain::to_string).collect();
    assert_eq!(
        chains,
        [
            "the root imports test:b@*; test:b 1.0.0 imports test:d@{>=1.0.0 <2.0.0}",
            "the root imports test:c@*; test:c 1.0.0 imports test:d@{>=2.0.0}",
        ]
    );
    assert_eq!(
        error.to_string(),
        "the root imports test:c@*, but the resource `handle` that it takes is not the one that \
         others give: the root imports test:b@*; test:b 1.0.0 imports test:d@{>=1.0.0 <2.0.0}, and \
         the root imports test:c@*; test:c 1.0.0 imports test:d@{>=2.0.0}; let them share one \
         version"
    );
    // Where the root has the resource itself, it is the same.
    let error = world.refused(&fixtures::diamond_with_root());
    let LinkError::Resource { chains, .. } = &error else { panic!("{error:?}") };
    assert_eq!(chains.len(), 2, "{error}");
}

#[test]
fn contents_must_be_those_of_the_solution() {
    let root = wat::parse_str(caller(ROOT, "run", 1)).unwrap();
    let mut case = adding().solve(&root);
    let last = case.contents[0].len() - 1;
    case.contents[0][last] ^= 1;
    let found = Digest::of(&case.contents[0]);
    for error in [case.lock().unwrap_err(), case.bundle().unwrap_err()] {
        let LinkError::OtherContent { found: had, .. } = error else { panic!("{error:?}") };
        assert_eq!(had, found);
    }
    case.contents.clear();
    assert_eq!(case.lock().unwrap_err(), LinkError::Contents { contents: 0, nodes: 1 });
}

#[test]
fn contents_must_be_what_imports_are_locked_to() {
    let sri = |bytes: &[u8]| wargate_component::Integrity::of(&Digest::of(bytes)).to_string();
    let right = sri(&wat::parse_str(adder(0)).unwrap());
    for integrity in [sri(b"other"), format!("{right} {right}"), "sha512-AAAA".to_owned()] {
        let name = format!("locked-dep=<test:add@1.0.0>,integrity=<{integrity}>");
        let right = format!("locked-dep=<test:add@1.0.0>,integrity=<{right}>");
        let mut case = adding().solve(&wat::parse_str(caller(&right, "run", 1)).unwrap());
        case.root = wat::parse_str(caller(&name, "run", 1)).unwrap();
        case.solution.roots[0].import = name.parse().unwrap();
        let error = case.lock().unwrap_err();
        assert!(matches!(error, LinkError::OtherIntegrity { .. }), "{error:?}");
    }
}

#[test]
fn solutions_must_be_those_of_the_contents() {
    let case = || adding().solve(&wat::parse_str(caller(ROOT, "run", 1)).unwrap());

    let mut none = case();
    none.solution.roots.clear();
    let error = none.lock().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the root imports test:add@{>=1.0.0}, and the solution has no release for it: solve again"
    );

    let mut more = case();
    let mut edge = more.solution.roots[0].clone();
    edge.import = "unlocked-dep=<test:more>".parse().unwrap();
    more.solution.roots.push(edge);
    assert!(matches!(more.lock().unwrap_err(), LinkError::NoImport { .. }));

    let mut nowhere = case();
    nowhere.solution.roots[0].to = 1;
    assert!(matches!(nowhere.lock().unwrap_err(), LinkError::NoNode { .. }));

    let mut twice = case();
    twice.solution.nodes.push(twice.solution.nodes[0].clone());
    twice.contents.push(twice.contents[0].clone());
    assert!(matches!(twice.lock().unwrap_err(), LinkError::Twice { .. }));

    for (package, version) in [("test:other", "1.0.0"), ("test:add", "0.9.0")] {
        let mut other = case();
        other.solution.nodes[0].package = package.parse().unwrap();
        other.solution.nodes[0].version = version.parse().unwrap();
        assert!(matches!(other.lock().unwrap_err(), LinkError::OtherRelease { .. }));
    }
}

#[test]
fn cycles_are_named() {
    let world = World::default()
        .with("test:add@1.0.0", &caller("unlocked-dep=<test:back>", "add", 0))
        .with("test:back@1.0.0", &adder(0));
    let mut case = world.solve(&wat::parse_str(caller(ROOT, "run", 1)).unwrap());
    // A solver makes no cycle, so it is made by hand.
    let back = wat::parse_str(caller("unlocked-dep=<test:add>", "add", 0)).unwrap();
    let node = case.solution.nodes.iter().position(|node| node.package.as_str() == "test:back");
    let node = node.unwrap();
    case.solution.nodes[node].digest = Digest::of(&back);
    case.contents[node] = back;
    let mut edge = case.solution.roots[0].clone();
    edge.import = "unlocked-dep=<test:add>".parse().unwrap();
    case.solution.nodes[node].edges.push(edge);
    let error = case.bundle().unwrap_err();
    let LinkError::Cycle { chain } = &error else { panic!("{error:?}") };
    assert_eq!(
        chain.to_string(),
        "test:add 1.0.0 imports test:back@*; test:back 1.0.0 imports test:add@*"
    );
}

#[test]
fn only_components_are_linked() {
    let rows = [
        ("(module)", Kind::CoreModule),
        (
            r#"(component (type (component (type (instance)) (export "test:add/x@1.0.0" (instance (type 0))))) (export "x" (type 0)))"#,
            Kind::WitPackage,
        ),
    ];
    for (wat, expected) in rows {
        let world = World::default().with("test:add@1.0.0", wat);
        let error = world.refused(&caller(ROOT, "run", 1));
        let LinkError::NoComponent { chain, kind } = &error else { panic!("{error:?}") };
        assert_eq!((chain.0.len(), *kind), (1, expected));
        assert!(error.to_string().starts_with("test:add (the root imports test:add@{>=1.0.0})"));
        let root = World::default().solve(&wat::parse_str(wat).unwrap());
        assert!(matches!(root.bundle().unwrap_err(), LinkError::NoComponent { .. }));
    }
}

#[test]
fn invalid_contents_are_refused() {
    // The validity of the code matters to the bundle only, which holds it.
    let invalid = adder(0).replace("local.get 0 local.get 1", "local.get 0");
    let world = World::default().with("test:add@1.0.0", &invalid);
    let case = world.solve_unseen(&wat::parse_str(caller(ROOT, "run", 1)).unwrap());
    let error = case.bundle().unwrap_err();
    let LinkError::Content { chain, error: InspectError::Invalid { offset, .. } } = &error else {
        panic!("{error:?}")
    };
    assert!(chain.0.len() == 1 && *offset < case.contents[0].len() as u64);
    case.lock().unwrap();
}

#[test]
fn what_a_release_does_not_export_is_named() {
    let error = adding().refused(&caller("unlocked-dep=<test:add/calc>", "run", 1));
    assert_eq!(
        error.to_string(),
        "the root imports test:add/calc@*, but version 1.0.0 exports no `calc`"
    );
    let error =
        World::default().with("test:add@1.0.0", "(component)").refused(&caller(ROOT, "run", 1));
    let LinkError::Mismatch { chain, reason } = &error else { panic!("{error:?}") };
    assert!(chain.0.len() == 1 && reason.contains("add"), "{error}");
    let wrong = adder(0).replace("u32", "s32");
    let error = World::default().with("test:add@1.0.0", &wrong).refused(&caller(ROOT, "run", 1));
    assert!(matches!(error, LinkError::Mismatch { .. }), "{error}");
    let error = adding().refused(&format!("(component (import \"{ROOT}\" (func)))"));
    assert!(matches!(error, LinkError::Kind { .. }), "{error}");
}

#[test]
fn a_chain_leads_through_releases() {
    let world = World::default()
        .with("test:add@1.0.0", &caller("unlocked-dep=<test:deep>", "add", 1))
        .with("test:deep@1.0.0", "(component)");
    let root = format!("(component (import \"{ROOT}\" (instance)))");
    let error = world.refused(&root);
    let LinkError::Mismatch { chain, .. } = &error else { panic!("{error:?}") };
    assert_eq!(
        chain.to_string(),
        "the root imports test:add@{>=1.0.0}; test:add 1.0.0 imports test:deep@*"
    );
}

#[test]
fn imports_that_cannot_become_one_are_named() {
    let hook = |ty: &str, add: &str| {
        format!("(component (import \"hook\" (func {ty})) (import \"{add}\" (instance)))")
    };
    let world = adding().with("test:mid@1.0.0", &hook("(param \"a\" u32)", ROOT));
    let error = world.refused(&hook("", "unlocked-dep=<test:mid>"));
    let LinkError::Unmergeable { chains, .. } = &error else { panic!("{error:?}") };
    let chains: Vec<String> = chains.iter().map(Chain::to_string).collect();
    assert_eq!(
        chains,
        ["the root imports test:mid@*; test:mid 1.0.0 imports hook", "the root imports hook",]
    );
    let kinds = hook("", "unlocked-dep=<test:mid>").replace("(func )", "(instance)");
    assert!(matches!(world.refused(&kinds), LinkError::Unmergeable { .. }));
}

#[test]
fn components_that_would_stay_open_are_refused() {
    let world = adding().with("test:inc@1.0.0", &caller(ROOT, "inc", 1));
    let root = r#"(component (import "locked-dep=<test:inc@1.0.0>" (component
        (export "inc" (func (param "n" u32) (result u32))))))"#;
    let error = world.refused(root);
    let LinkError::Open { import, .. } = &error else { panic!("{error:?}") };
    assert_eq!(import, ROOT);
}

#[test]
fn bundles_hold_no_urls() {
    for name in ["url=<https://example.com/x>", "integrity=<sha256-AAAA>"] {
        let alone = format!("(component (import \"{name}\" (component)))");
        let beside =
            format!("(component (import \"{ROOT}\" (instance)) (import \"{name}\" (component)))");
        for root in [alone, beside] {
            let error = adding().solve(&wat::parse_str(&root).unwrap()).bundle().unwrap_err();
            assert!(matches!(error, LinkError::Remote { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn exports_that_nobody_could_name_are_refused() {
    let world = World::default().with("test:d@1.0.0", &handles());
    let root = |export: &str| {
        format!(
            r#"(component
                (import "unlocked-dep=<test:d>" (instance $d
                    (export "handle" (type $h (sub resource)))
                    (export "make" (func (param "n" u32) (result (own $h))))))
                (alias export $d "handle" (type $handle))
                {export}
                (export "make" (func $d "make")))"#
        )
    };
    let error = world.refused(&root(""));
    let LinkError::Export { export, .. } = &error else { panic!("{error:?}") };
    assert_eq!(export, "make");
    // Where the type is exported before, the function is exported in terms of it.
    world.link(&root(r#"(export "handle" (type $handle))"#));
    let interface = r#"
        (instance $i (export "handle" (type $handle)) (export "make" (func $d "make")))
        (export "test:a/handles@1.0.0" (instance $i))"#;
    let linked = world.link(&root(interface));
    assert_eq!(look(&linked.bundle).exports.len(), 2);
}
