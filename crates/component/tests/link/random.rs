//! Random small worlds, beside a model of what their components compute.
//!
//! Every release exports `go`, a function that adds up its argument, a number of its own, 4 if it calls
//! a hook, and what its imports make of the same argument. So the number that a bundle computes says what
//! was wired to what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use wargate_component::lock::{Lock, LockedRegistry, Origin};
use wargate_component::solve::{Answer, Edge, Node, Options, Solution, solve};
use wargate_component::{ImportName, Integrity, InterfaceName};
use wargate_crypto::Digest;
use wargate_protocol::{LogLength, Version};

use crate::world::{Case, World, imported, imports, look};

/// Versions of a package beside 1.0.0, which every package has.
const VERSIONS: [&str; 5] = ["0.1.0", "1.1.0", "1.2.0-rc.1", "1.2.0+b", "2.0.0"];

/// Ranges that 1.0.0 is in.
const RANGES: [&str; 7] = [
    "",
    "@*",
    "@{>=1.0.0}",
    "@{<2.0.0}",
    "@{>=1.0.0 <1.1.0}",
    "@{>=1.0.0 <2.0.0}",
    "@{>=0.1.0 <3.0.0}",
];

/// Versions of the system's interfaces.
const SYSTEM: [&str; 4] = ["0.2.0", "0.2.1", "0.2.3", "0.3.0-rc-2025-08-15"];

const GO: &str = r#"(export "go" (func (param "n" u32) (result u32)))"#;

/// A package, which may import those before it.
#[derive(Clone, Debug)]
struct Package {
    /// Whether its interface is exported with the release's version, or as `calc`.
    versioned: bool,
    /// 1.0.0, and those of [`VERSIONS`].
    releases: Vec<(&'static str, Part)>,
}

/// A release, or a root.
#[derive(Clone, Debug)]
struct Part {
    number: u32,
    /// The package, the version or range, and the form of imports.
    imports: Vec<(Index, Index, Index)>,
    hook: bool,
    /// Of `wasi:io/poll`, and whether `wasi:clocks/monotonic-clock` comes with it.
    system: Option<(&'static str, bool)>,
}

fn part(imports: Range<usize>) -> impl Strategy<Value = Part> {
    let import = (any::<Index>(), any::<Index>(), any::<Index>());
    let system = proptest::option::of((proptest::sample::select(&SYSTEM[..]), any::<bool>()));
    (1_u32..1 << 20, vec(import, imports), any::<bool>(), system)
        .prop_map(|(number, imports, hook, system)| Part { number, imports, hook, system })
}

fn package() -> impl Strategy<Value = Package> {
    let versions = subsequence(&VERSIONS[..], 0..=3);
    (any::<bool>(), versions, vec(part(0..4), 4)).prop_map(|(versioned, mut versions, parts)| {
        versions.insert(0, "1.0.0");
        Package { versioned, releases: versions.into_iter().zip(parts).collect() }
    })
}

/// A world of packages `t:p0`, `t:p1`, …, and a root.
struct Made {
    world: World,
    root: Vec<u8>,
    /// What each release computes; the root under the empty name.
    sums: BTreeMap<String, Sum>,
}

/// What a part computes.
#[derive(Default)]
struct Sum {
    /// What it adds itself.
    own: u32,
    /// The imports that it calls.
    called: Vec<ImportName>,
    /// Its exports beside `go`, and the components that these are instances of. A component may not call
    /// what is within it.
    made: Vec<(String, ImportName)>,
}

impl Made {
    fn of(packages: &[Package], root: &Part) -> Self {
        let mut made = Self { world: World::default(), root: Vec::new(), sums: BTreeMap::new() };
        for (number, package) in packages.iter().enumerate() {
            for (version, part) in &package.releases {
                let interface = if package.versioned {
                    format!("t:p{number}/calc@{version}")
                } else {
                    "calc".to_owned()
                };
                let release = format!("t:p{number}@{version}");
                let bytes = made.add(&packages[..number], &release, part, Some(&interface));
                made.world = made.world.with_bytes(&release, bytes);
            }
        }
        made.root = made.add(packages, "", root, None);
        made
    }

    /// Writes a part, and remembers what it computes.
    fn add(
        &mut self,
        below: &[Package],
        name: &str,
        part: &Part,
        interface: Option<&str>,
    ) -> Vec<u8> {
        let mut wat = Wat::default();
        // What nobody is below of can be imported as a component, with nothing open.
        let is_open = !below.is_empty();
        if is_open {
            wat.system(part.system);
        }
        let (mut names, mut sum) = (BTreeSet::new(), Sum { own: part.number, ..Sum::default() });
        for (package, which, form) in part.imports.iter().filter(|_| is_open) {
            let number = package.index(below.len());
            let (package, form) = (&below[number], form.index(4));
            let (name, form) = self.import(number, package, *which, form);
            if !names.insert(name.clone()) {
                continue;
            }
            let read = name.parse().unwrap();
            match wat.import(&name, &form) {
                Some(export) => sum.made.push((export, read)),
                None => sum.called.push(read),
            }
        }
        if part.hook && is_open {
            sum.own += 4;
            wat.outside.push_str("(import \"hook\" (func $hook (result u32)))");
            wat.outside.push_str("(core func $lowered (canon lower (func $hook)))");
            wat.call("lowered", "(result i32)", "");
        }
        self.sums.insert(name.to_owned(), sum);
        wat::parse_str(wat.component(part.number, interface)).unwrap()
    }

    /// The name of an import, and the form in which it comes.
    fn import(
        &self,
        number: usize,
        package: &Package,
        which: Index,
        form: usize,
    ) -> (String, Form) {
        let which = which.index(RANGES.len() + 2 * package.releases.len());
        let Some(range) = RANGES.get(which) else {
            let which = which - RANGES.len();
            let version = package.releases[which / 2].0;
            let mut name = format!("locked-dep=<t:p{number}@{version}>");
            if which.is_multiple_of(2) {
                let digest = self.world.digest(&format!("t:p{number}@{version}"));
                let _ = write!(name, ",integrity=<{}>", Integrity::of(&digest));
            }
            return (name, if number == 0 && form == 0 { Form::Component } else { Form::Instance });
        };
        let is_first_major = range.starts_with("@{>=1.0.0 ");
        match form {
            0 if number == 0 => (format!("unlocked-dep=<t:p0{range}>"), Form::Component),
            1 if package.versioned && is_first_major => {
                let interface = format!("t:p{number}/calc@1.0.0");
                (format!("unlocked-dep=<t:p{number}{range}>"), Form::Within(interface))
            }
            2 => (format!("unlocked-dep=<t:p{number}/calc{range}>"), Form::Instance),
            _ => (format!("unlocked-dep=<t:p{number}{range}>"), Form::Instance),
        }
    }

    /// What a part makes of a number.
    fn value(&self, solution: &Solution, name: &str, edges: &[Edge], n: u32) -> u32 {
        let Sum { own, called, .. } = &self.sums[name];
        let of = |name: &ImportName| self.answer(solution, name, edges, n);
        called.iter().map(of).fold(own.wrapping_add(n), u32::wrapping_add)
    }

    /// What the answer to an import makes of a number.
    fn answer(&self, solution: &Solution, name: &ImportName, edges: &[Edge], n: u32) -> u32 {
        let edge = edges.iter().find(|edge| edge.import == *name).unwrap();
        let Node { package, version, edges, .. } = &solution.nodes[edge.to];
        self.value(solution, &format!("{package}@{version}"), edges, n)
    }
}

/// How an import has `go`.
enum Form {
    /// As an instance that exports it.
    Instance,
    /// As an instance that exports an interface that has it.
    Within(String),
    /// As a component that exports it.
    Component,
}

/// A component that is written.
#[derive(Default)]
struct Wat {
    /// Imports, and what is lowered of them.
    outside: String,
    /// Imports of the core module, what calls them, and what they are.
    core: [String; 3],
    count: usize,
}

impl Wat {
    /// Imports `go` and calls it, or exports that of an instance of a component; that export's name.
    fn import(&mut self, name: &str, form: &Form) -> Option<String> {
        let at = self.count;
        let (ty, made) = match form {
            Form::Instance => (format!("(instance $go{at} {GO})"), String::new()),
            Form::Within(interface) => (
                format!("(instance $in{at} (export \"{interface}\" (instance {GO})))"),
                format!("(alias export $in{at} \"{interface}\" (instance $go{at}))"),
            ),
            Form::Component => {
                let made = format!(
                    "(import \"{name}\" (component $new{at} {GO}))
                    (instance $go{at} (instantiate $new{at}))
                    (export \"made{at}\" (func $go{at} \"go\"))"
                );
                self.outside.push_str(&made);
                self.count += 1;
                return Some(format!("made{at}"));
            }
        };
        let lowered = format!("lowered{at}");
        let lower = format!("(core func ${lowered} (canon lower (func $go{at} \"go\")))");
        let _ = write!(self.outside, "(import \"{name}\" {ty}) {made} {lower}");
        self.call(&lowered, "(param i32) (result i32)", "local.get 0");
        None
    }

    /// Adds what a core function gives.
    fn call(&mut self, lowered: &str, ty: &str, arguments: &str) {
        let [imports, calls, given] = &mut self.core;
        let at = self.count;
        let _ = write!(imports, "(import \"\" \"{at}\" (func $f{at} {ty}))");
        let _ = write!(calls, "{arguments} call $f{at} i32.add ");
        let _ = write!(given, "(export \"{at}\" (func ${lowered}))");
        self.count += 1;
    }

    /// Imports of the system, which nobody calls.
    fn system(&mut self, system: Option<(&str, bool)>) {
        let Some((version, with_clock)) = system else { return };
        let ready = match version {
            "0.2.0" => "",
            _ => {
                r#"(export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))"#
            }
        };
        let _ = write!(
            self.outside,
            r#"(import "wasi:io/poll@{version}" (instance $poll
                (export "pollable" (type $p (sub resource)))
                (export "[method]pollable.block" (func (param "self" (borrow $p))))
                {ready}))
            (alias export $poll "pollable" (type $pollable))"#
        );
        if with_clock {
            let _ = write!(
                self.outside,
                r#"(import "wasi:clocks/monotonic-clock@{version}" (instance
                    (alias outer 1 $pollable (type $outer))
                    (export "pollable" (type $own (eq $outer)))
                    (export "subscribe" (func (param "when" u64) (result (own $own))))))"#
            );
        }
    }

    fn component(self, number: u32, interface: Option<&str>) -> String {
        let Self { outside, core: [imports, calls, given], .. } = self;
        let interface = interface.map_or_else(String::new, |name| {
            format!(
                "(instance $calc (export \"go\" (func $go))) (export \"{name}\" (instance $calc))"
            )
        });
        format!(
            r#"(component
                {outside}
                (core module $m
                    {imports}
                    (func (export "go") (param i32) (result i32)
                        local.get 0 i32.const {number} i32.add {calls}))
                (core instance $i (instantiate $m (with "" (instance {given}))))
                (func $go (param "n" u32) (result u32) (canon lift (core func $i "go")))
                {interface}
                (export "go" (func $go)))"#
        )
    }
}

/// The open imports of what was linked: each interface once in each line of compatible versions, in the
/// highest version.
fn open(case: &Case) -> BTreeSet<String> {
    let mut found: BTreeMap<String, (Option<Version>, String)> = BTreeMap::new();
    for name in case.contents.iter().chain([&case.root]).flat_map(|bytes| imports(bytes)) {
        let (line, version) = match &name {
            ImportName::Interface(InterfaceName { version: Some(version), interface, .. }) => {
                let line = if version.is_prerelease() { version.to_string() } else { "0.2".into() };
                (format!("{interface} {line}"), Some(version.clone()))
            }
            ImportName::Plain(name) => (name.clone(), None),
            _ => continue,
        };
        let highest = found.entry(line).or_insert_with(|| (version.clone(), name.to_string()));
        if version > highest.0 {
            *highest = (version, name.to_string());
        }
    }
    found.into_values().map(|(_, name)| name).collect()
}

/// The solution that the text of a lock leads to.
fn through_lock(case: &Case) -> Solution {
    let roots = imports(&case.root);
    let origin = |_: &_| Origin::Registry("registry.example".into());
    let mut lock = Lock::new(&[(None, roots.clone())], &case.solution, origin);
    if !lock.packages.is_empty() {
        let root = Digest::of(b"root");
        let (log_length, log_root, map_root) = (LogLength::new(1), root, root);
        let registry = LockedRegistry { log_length, log_root, map_root };
        lock.registries.insert("registry.example".into(), registry);
    }
    let read = Lock::from_text(&lock.to_string()).unwrap();
    assert_eq!(read, lock);
    assert_eq!(read.reached(), lock, "it has nothing that is not needed");
    let options = Options { pins: lock.pins(), ..Options::default() };
    match solve(&roots, &lock.snapshot().unwrap(), &options).unwrap() {
        Answer::Solved(solution) => solution,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_solved_is_locked_bundled_and_computes_what_it_should(
        packages in vec(package(), 1..5),
        root in part(1..6),
        order in vec(any::<u32>(), 32),
        n in any::<u32>(),
    ) {
        let made = Made::of(&packages, &root);
        let case = made.world.try_solve(&made.root);
        prop_assume!(case.is_some(), "locked imports may exclude each other");
        let case = case.unwrap();
        // Valid, the same from a solution that was turned around, and a locked component of its own.
        let linked = made.world.link_bytes(&made.root);

        let expected = made.value(&case.solution, "", &case.solution.roots, n);
        prop_assert_eq!(linked.call::<_, u32>("go", (n,)), expected);
        for (export, name) in &made.sums[""].made {
            let expected = made.answer(&case.solution, name, &case.solution.roots, n);
            prop_assert_eq!(linked.call::<_, u32>(export, (n,)), expected);
        }

        let open = open(&case);
        let names = |bytes: &[u8]| -> BTreeSet<String> { imported(bytes).into_iter().collect() };
        prop_assert_eq!(&names(&linked.bundle), &open);
        prop_assert_eq!(&names(&linked.rebundled), &open);
        let locked = names(&linked.locked);
        prop_assert!(locked.is_superset(&open));
        prop_assert_eq!(locked.len(), open.len() + case.solution.nodes.len());
        prop_assert_eq!(look(&linked.rebundled).exports, look(&linked.bundle).exports);

        let mut by_chance: Vec<usize> = (0..case.solution.nodes.len()).collect();
        by_chance.sort_by_key(|node| order[*node]);
        case.permuted(&by_chance).check(&linked.locked, &linked.bundle);
        prop_assert_eq!(through_lock(&case), case.solution);
        let again = made.world.link_bytes(&linked.bundle);
        prop_assert_eq!(&again.bundle, &linked.bundle, "a bundle stays as it is");
    }
}
