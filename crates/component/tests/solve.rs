//! The solver, case by case: what it selects, and how it explains what it cannot.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "../benches/solve/large.rs"]
mod large;
#[path = "solve/registry.rs"]
mod registry;

use registry::{Registry, digest, in_rounds, snapshot};
use wargate_component::solve::{
    Answer, Conflict, Options, Problem, Release, Snapshot, SnapshotError, Solution, SolveError,
    solve,
};
use wargate_component::{ImportName, Integrity, limits};

/// Reads `a:a 1.0.0 yanked -> ~b:b@{>=1.0.0}, locked-dep=<c:c>`, a line for each release, in which
/// `yanked` and the imports may be left out.
fn registry(text: &str) -> Registry {
    let mut registry = Registry::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (release, names) = line.split_once(" -> ").unwrap_or((line, ""));
        let mut words = release.split(' ');
        let (package, version) = (words.next().unwrap(), words.next().unwrap());
        registry.entry(package.parse().unwrap()).or_default().push(Release {
            version: version.parse().unwrap(),
            digest: digest(package, version),
            yanked: words.next() == Some("yanked"),
            imports: imports(names).into(),
        });
    }
    registry
}

/// Imports with a comma between; `~b:b@{>=1.0.0}` is short for `unlocked-dep=<b:b@{>=1.0.0}>`.
fn imports(text: &str) -> Vec<ImportName> {
    let names = text.split(", ").filter(|name| !name.is_empty());
    let full = |name: &str| match name.strip_prefix('~') {
        Some(short) => format!("unlocked-dep=<{short}>"),
        None => name.to_owned(),
    };
    names.map(|name| full(name).parse().unwrap()).collect()
}

/// The names and versions of a solution.
fn versions(solution: &Solution) -> Vec<String> {
    solution.nodes.iter().map(|node| format!("{} {}", node.package, node.version)).collect()
}

fn ask(roots: &str, registry: &Registry, options: &Options) -> Answer {
    let ask = |known: &Snapshot| solve(&imports(roots), known, options).unwrap();
    let (answer, _) = in_rounds(registry, snapshot(registry), ask);
    let (in_rounds, _) = in_rounds(registry, Snapshot::default(), ask);
    assert_eq!(in_rounds, answer, "what is known from the beginning makes no difference");
    answer
}

fn solution(roots: &str, text: &str, options: &Options) -> Solution {
    match ask(roots, &registry(text), options) {
        Answer::Solved(solution) => solution,
        other => panic!("{roots}: {other:?}"),
    }
}

/// What is selected for the roots, with the default options.
fn solved(roots: &str, text: &str) -> Vec<String> {
    versions(&solution(roots, text, &Options::default()))
}

fn conflict(roots: &str, text: &str) -> Conflict {
    match ask(roots, &registry(text), &Options::default()) {
        Answer::Conflict(conflict) => {
            assert!(!conflict.problem.hint().is_empty());
            conflict
        }
        other => panic!("{roots}: {other:?}"),
    }
}

fn explained(roots: &str, text: &str) -> String {
    conflict(roots, text).to_string()
}

#[test]
fn the_highest_and_not_the_last() {
    let text = "a:a 1.10.0\n a:a 1.9.0\n a:a 2.0.0\n a:a 1.2.0";
    assert_eq!(solved("~a:a", text), ["a:a 2.0.0"]);
    assert_eq!(solved("~a:a@*", text), ["a:a 2.0.0"]);
    assert_eq!(solved("~a:a@{<2.0.0}", text), ["a:a 1.10.0"]);
    assert_eq!(solved("~a:a@{>=1.2.0 <1.10.0}", text), ["a:a 1.9.0"]);
    assert_eq!(solved("~a:a@{>=1.2.0}", text), ["a:a 2.0.0"]);
}

#[test]
fn yanked_versions_are_passed_over_unless_something_names_them() {
    let text = "a:a 1.2.0 yanked\n a:a 1.1.0\n a:a 1.0.0\n b:b 1.0.0 -> ~a:a@{>=1.2.0}";
    assert_eq!(solved("~a:a", text), ["a:a 1.1.0"]);
    assert_eq!(solved("locked-dep=<a:a@1.2.0>", text), ["a:a 1.2.0"]);
    let pins = [("a:a".parse().unwrap(), ["1.2.0".parse().unwrap()].into())].into();
    let pinned = solution("~a:a", text, &Options { pins, ..Options::default() });
    assert_eq!(versions(&pinned), ["a:a 1.2.0"]);
    assert!(pinned.nodes[0].yanked);
    // Selected already, so it is reused.
    let both = solved("locked-dep=<a:a@1.2.0>, ~b:b", text);
    assert_eq!(both, ["a:a 1.2.0", "b:b 1.0.0"]);
    // Even where a step back is what selects it.
    let back = "c:a 2.0.0\n c:a 1.0.0 -> locked-dep=<a:a@1.2.0>";
    let both = solved("~c:a, ~d:b", &format!("{text}\n {back}\n d:b 1.0.0 -> ~a:a@{{>=1.2.0}}"));
    assert_eq!(both, ["a:a 1.2.0", "c:a 1.0.0", "d:b 1.0.0"]);
    let why = explained("~b:b", text);
    assert_eq!(
        why,
        "the root imports b:b@*; b:b 1.0.0 imports a:a@{>=1.2.0}: all versions of a:a that match \
         are yanked; the highest of them is 1.2.0"
    );
}

#[test]
fn pre_releases_only_where_asked_for() {
    let text = "a:a 1.0.0\n a:a 1.1.0-rc.1\n a:a 1.2.0-rc.1\n b:b 2.0.0-rc.1";
    assert_eq!(solved("~a:a", text), ["a:a 1.0.0"]);
    assert_eq!(solved("~a:a@{>=1.1.0-rc.1}", text), ["a:a 1.1.0-rc.1"]);
    assert_eq!(solved("locked-dep=<a:a@1.2.0-rc.1>", text), ["a:a 1.2.0-rc.1"]);
    let options = Options { prereleases: true, ..Options::default() };
    let selected = |roots| versions(&solution(roots, text, &options));
    assert_eq!(selected("~a:a"), ["a:a 1.2.0-rc.1"]);
    assert_eq!(selected("~a:a@{<1.2.0}"), ["a:a 1.1.0-rc.1"]);
    assert_eq!(
        explained("~b:b@{>=1.0.0}", text),
        "the root imports b:b@{>=1.0.0}: only pre-releases of b:b match; the highest of them is \
         2.0.0-rc.1"
    );
}

#[test]
fn different_ranges_share_one_release() {
    let text = "a:a 1.0.0 -> ~c:c@{>=1.0.0 <2.0.0}, ~c:c/iface@{>=1.0.0 <1.2.0}
                b:b 1.0.0 -> ~c:c@*, custom-hook, wasi:http/types@0.2.0, url=<https://x>
                c:c 1.1.0
                c:c 1.2.0
                c:c 2.0.0";
    let solution = solution("~a:a, ~b:b", text, &Options::default());
    assert_eq!(versions(&solution), ["a:a 1.0.0", "b:b 1.0.0", "c:c 1.1.0"]);
    let edges: Vec<_> =
        solution.nodes[0].edges.iter().map(|edge| edge.import.to_string()).collect();
    assert_eq!(
        edges,
        ["unlocked-dep=<c:c/iface@{>=1.0.0 <1.2.0}>", "unlocked-dep=<c:c@{>=1.0.0 <2.0.0}>"]
    );
    let targets = solution.nodes.iter().flat_map(|node| &node.edges).map(|edge| edge.to);
    assert_eq!(targets.collect::<Vec<_>>(), [2, 2, 2], "any interface is left to who wires");
    assert_eq!(solution.roots.iter().map(|edge| edge.to).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_track_has_one_version_and_a_package_many_tracks() {
    let text = "a:a 0.0.3\n a:a 0.0.4\n a:a 0.1.0\n a:a 0.2.0\n a:a 1.0.0\n a:a 2.0.0";
    let ranges = "~a:a@{>=0.0.1 <0.0.4}, ~a:a@{>=0.0.4 <0.1.0}, ~a:a@{>=0.1.0 <0.2.0}";
    let selected = solved(&format!("{ranges}, ~a:a@{{>=0.2.0 <2.0.0}}, ~a:a@{{>=1.0.0}}"), text);
    assert_eq!(selected, ["a:a 0.0.3", "a:a 0.0.4", "a:a 0.1.0", "a:a 1.0.0"], "1.0.0 is reused");
    assert_eq!(
        explained("~a:a@{<1.1.0}, ~b:b", "a:a 1.0.0\n a:a 1.1.0\n b:b 1.0.0 -> ~a:a@{>=1.1.0}"),
        "the root imports b:b@*; b:b 1.0.0 imports a:a@{>=1.1.0}; the root imports a:a@{<1.1.0}: \
         a:a 1.0.0 is needed by others, and no version satisfies all of them"
    );
}

#[test]
fn a_choice_is_replaced_where_it_leads_nowhere() {
    let text = "a:a 1.2.0 -> ~c:c@{>=1.1.0 <2.0.0}
                a:a 1.1.0 -> ~nobody:knows
                a:a 1.0.0 -> ~c:c
                b:b 1.0.0
                b:b 1.1.0
                c:c 1.0.0
                c:c 1.1.0";
    assert_eq!(solved("~a:a, ~b:b, ~c:c@{<1.1.0}", text), ["a:a 1.0.0", "b:b 1.1.0", "c:c 1.0.0"]);
    let why = conflict("~a:a@{>=1.1.0}, ~b:b, ~c:c@{<1.1.0}", text);
    assert_eq!(why.chains.len(), 2);
    assert!(matches!(&why.problem, Problem::Taken { selected, .. } if selected.len() == 1));
    assert_eq!(
        explained("~a:a@{>=1.1.0 <1.2.0}", text),
        "the root imports a:a@{>=1.1.0 <1.2.0}; a:a 1.1.0 imports nobody:knows@*: the registry has \
         no package nobody:knows, or no release of it"
    );
}

#[test]
fn locked_names_with_and_without_version_and_digest() {
    let text = "a:a 1.0.0\n a:a 1.1.0 yanked\n a:a 1.2.0+x\n a:a 1.2.0+y\n a:a 1.3.0";
    let locked = |version: &str, of: &str| {
        let integrity = Integrity::of(&digest("a:a", of));
        format!("locked-dep=<a:a{version}>,integrity=<{integrity}>")
    };
    assert_eq!(solved("locked-dep=<a:a>", text), ["a:a 1.3.0"]);
    assert_eq!(solved("locked-dep=<a:a/iface@1.0.0>", text), ["a:a 1.0.0"]);
    assert_eq!(solved("locked-dep=<a:a@1.2.0+x>", text), ["a:a 1.2.0+x"]);
    assert_eq!(solved(&locked("", "1.1.0"), text), ["a:a 1.1.0"]);
    assert_eq!(solved(&locked("@1.0.0", "1.0.0"), text), ["a:a 1.0.0"]);
    let hexadecimal = digest("a:a", "1.0.0").to_string().replace("sha256:", "sha256-");
    let as_upstream = format!("locked-dep=<a:a@1.0.0>,integrity=<{hexadecimal}>");
    assert_eq!(solved(&as_upstream, text), ["a:a 1.0.0"]);

    let (demanded, found) = (digest("a:a", "1.0.0"), digest("a:a", "1.3.0"));
    let why = explained(&locked("@1.3.0", "1.0.0"), text);
    let problem =
        format!("the content of a:a 1.3.0 is {found}, but the import is locked to {demanded}");
    assert!(why.ends_with(&problem), "{why}");
    let problem = |roots: &str| conflict(roots, text).problem;
    assert!(matches!(problem(&locked("", "9.9.9")), Problem::NoDigest { .. }));
    assert!(matches!(problem("locked-dep=<a:a@1.2.0>"), Problem::NoVersion { .. }));
    let cut_off = "locked-dep=<a:a@1.0.0>,integrity=<sha256-AAAA>";
    assert!(matches!(problem(cut_off), Problem::UncheckableIntegrity { .. }));
}

#[test]
fn cycles_are_left_or_explained() {
    let text = "a:a 1.0.0 -> ~b:b
                b:b 1.0.0 -> ~c:c
                c:c 1.0.0 -> ~a:a@{>=1.0.0 <2.0.0}
                c:c 1.1.0 -> ~b:b
                d:d 1.0.0 -> ~d:d
                a:a 2.0.0 -> ~e:e
                e:e 1.0.0 -> ~a:a@{<2.0.0}
                e:e 0.1.0";
    let why = explained("~a:a@{<2.0.0}", text);
    assert_eq!(
        why,
        "the root imports a:a@{<2.0.0}; a:a 1.0.0 imports b:b@*; b:b 1.0.0 imports c:c@*; \
         c:c 1.1.0 imports b:b@*: b:b 1.0.0 needs itself, and components that import each other \
         in a cycle cannot be instantiated"
    );
    assert!(explained("~d:d", text).contains("d:d 1.0.0 imports d:d@*: d:d 1.0.0 needs itself"));
    // Another version of a package is not the package itself, and another choice may be free of it.
    let without = "e:e 1.0.0 -> ~a:a@{<2.0.0}\n a:a 1.0.0\n a:a 2.0.0 -> ~e:e";
    assert_eq!(solved("~a:a", without), ["a:a 1.0.0", "a:a 2.0.0", "e:e 1.0.0"]);
    assert_eq!(solved("~a:a", text), ["a:a 2.0.0", "e:e 0.1.0"]);
}

#[test]
fn what_is_asked_for_precisely_is_taken_or_nothing() {
    let text = "a:a 1.0.0\n a:a 1.1.0 yanked\n a:a 1.2.0\n a:a 2.0.0\n b:b 1.0.0 -> ~a:a@{>=1.2.0}";
    let precise = |version: &str| Options {
        precise: [("a:a".parse().unwrap(), version.parse().unwrap())].into(),
        ..Options::default()
    };
    let selected = |roots, version| versions(&solution(roots, text, &precise(version)));
    assert_eq!(selected("~a:a@{<2.0.0}", "1.0.0"), ["a:a 1.0.0"]);
    assert_eq!(selected("~a:a", "1.1.0"), ["a:a 1.1.0"]);
    assert_eq!(selected("~a:a, ~b:b", "1.0.0"), ["a:a 1.0.0", "a:a 2.0.0", "b:b 1.0.0"]);
    let answer = ask("~a:a@{>=1.1.0 <2.0.0}", &registry(text), &precise("1.0.0"));
    assert!(
        matches!(&answer, Answer::Conflict(Conflict { problem: Problem::Overridden { .. }, .. })),
        "{answer:?}"
    );
    let known = snapshot(&registry(text));
    let unused = solve(&imports("~a:a@{<1.0.0}, ~a:a@{>=2.0.0}"), &known, &precise("3.0.0"));
    assert!(matches!(unused, Ok(Answer::Conflict(_))), "there is no 0.x");
    let unused = solve(&imports("~a:a@{>=2.0.0}"), &known, &precise("1.0.0")).unwrap_err();
    assert!(matches!(unused, SolveError::PreciseUnused { .. }));
}

#[test]
fn a_large_graph_takes_few_rounds_in_any_order() {
    let (roots, registry) = large::registry(1_000);
    let options = Options::default();
    let whole = solve(&roots, &snapshot(&registry), &options).unwrap();
    let Answer::Solved(solution) = &whole else { panic!("{whole:?}") };
    assert_eq!(solution.nodes.len(), 500);
    let reversed: Vec<_> = roots.iter().rev().cloned().collect();
    let (answer, rounds) = in_rounds(&registry, Snapshot::default(), |known| {
        solve(&reversed, known, &options).unwrap()
    });
    assert_eq!(answer, whole);
    assert!(rounds <= 10, "{rounds} rounds");
}

/// Pigeons that are to sit in holes of their own, one too few of them: every set of choices fails, and
/// none of them says much about the others.
#[test]
fn an_exponential_graph_ends_with_an_error() {
    let mut text = String::new();
    let mut roots = Vec::new();
    for pigeon in b'a'..=b'l' {
        let pigeon = char::from(pigeon);
        roots.push(format!("~pigeon:{pigeon}"));
        for hole in 1..=11 {
            let sits =
                format!("~hole:h{hole}@{{>=1.{0}.0 <1.{1}.0}}", pigeon as u8, pigeon as u8 + 1);
            let releases = [
                format!("pigeon:{pigeon} 1.{hole}.0 -> {sits}\n"),
                format!("hole:h{hole} 1.{}.0\n", pigeon as u8),
            ];
            text.extend(releases);
        }
    }
    let known = snapshot(&registry(&text));
    let error = solve(&imports(&roots.join(", ")), &known, &Options::default()).unwrap_err();
    let SolveError::TooManySteps { first: Some(first), .. } = &error else { panic!("{error}") };
    assert!(matches!(first.problem, Problem::Taken { .. }));
    assert!(error.to_string().contains("; the first conflict is: the root imports pigeon:"));
    // With a hole for each it is easy.
    roots.pop();
    assert!(matches!(
        solve(&imports(&roots.join(", ")), &known, &Options::default()),
        Ok(Answer::Solved(_))
    ));
}

#[test]
fn limits() {
    let mut known = Snapshot::default();
    let name = |text: &str| text.parse().unwrap();
    let release = |patch: usize, names: String| Release {
        version: format!("1.0.{patch}").parse().unwrap(),
        digest: digest("x:x", &patch.to_string()),
        yanked: false,
        imports: imports(&names).into(),
    };
    let many = (0..=limits::RELEASES_PER_PACKAGE_MAX).map(|at| release(at, String::new()));
    let error = known.insert(name("x:x"), many.collect()).unwrap_err();
    assert!(matches!(error, SnapshotError::TooManyReleases { .. }), "{error}");
    let names: Vec<_> =
        (0..=limits::IMPORTS_PER_RELEASE_MAX).map(|at| format!("~x:x{at}")).collect();
    let error = known.insert(name("x:x"), vec![release(0, names.join(", "))]).unwrap_err();
    assert!(matches!(error, SnapshotError::TooManyImports { .. }), "{error}");
    let twice = vec![release(0, String::new()), release(0, String::new())];
    let error = known.insert(name("x:x"), twice).unwrap_err();
    assert!(matches!(error, SnapshotError::Twice { .. }), "{error}");
    assert!(known.releases(&name("x:x")).is_none(), "nothing has changed");

    let asked = |known: &Snapshot, roots: &str| {
        solve(&imports(roots), known, &Options::default()).unwrap_err()
    };
    for at in 0..=limits::SOLVE_DEPTH_MAX {
        let next = format!("~deep:x{}", at + 1);
        known.insert(name(&format!("deep:x{at}")), vec![release(0, next)]).unwrap();
    }
    assert!(matches!(asked(&known, "~deep:x0"), SolveError::TooDeep { .. }));
    for at in 0..5 {
        let next: Vec<_> = (0..1_000).map(|of| format!("~wide:y{at}x{of}")).collect();
        let release_of_all = vec![release(0, next.join(", "))];
        known.insert(name(&format!("wide:z{at}")), release_of_all).unwrap();
        for of in 0..1_000 {
            let leaf = vec![release(0, String::new())];
            known.insert(name(&format!("wide:y{at}x{of}")), leaf).unwrap();
        }
    }
    let roots = "~wide:z0, ~wide:z1, ~wide:z2, ~wide:z3, ~wide:z4";
    assert!(matches!(asked(&known, roots), SolveError::TooManyNodes { .. }));
    let all: Vec<_> = (0..1_000).map(|of| format!("~wide:y0x{of}")).collect();
    let roots: Vec<_> = (0..66).map(|at| format!("~many:x{at}")).collect();
    for at in 0..66 {
        known.insert(name(&format!("many:x{at}")), vec![release(0, all.join(", "))]).unwrap();
    }
    assert!(matches!(asked(&known, &roots.join(", ")), SolveError::TooManyEdges { .. }));
    for at in 0.. {
        let package = name(&format!("full:x{at}"));
        if let Err(error) = known.insert(package, Vec::new()) {
            assert!(matches!(error, SnapshotError::TooManyPackages { .. }), "{error}");
            break;
        }
    }
}
