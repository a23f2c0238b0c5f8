//! What releases depend on, and the index of what depends on them.

use std::fmt::Write as _;
use std::sync::Arc;

use wargate_component::ImportName;
use wargate_component::solve::{Answer, Options, Release, Snapshot, solve};
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{Entry, PackageEnvelope, PackageName};
use wargate_registry::index::{Index, Place, Through};
use wargate_registry::limits::DEPENDENTS_PER_REQUEST_MAX;
use wargate_registry::{ReadError, Registry, follow};
use wargate_testkit::memory_index::MemoryIndex;
use wargate_testkit::world::{World, init, key, name, publish, published, record, release};

/// A component with these imports.
fn component(imports: &[&str]) -> Vec<u8> {
    let mut text = String::from("(component");
    for import in imports {
        write!(text, "(import {import:?} (instance))").unwrap();
    }
    // Two components with the same imports are different.
    text.push(')');
    wat::parse_str(text).unwrap()
}

/// Publishes releases of a package, one record each, and returns the last.
async fn package(
    registry: &Arc<Registry>,
    package: &str,
    releases: &[(&str, &[&str])],
) -> PackageEnvelope {
    let author = key(7);
    let mut last: Option<PackageEnvelope> = None;
    for (version, imports) in releases {
        let content = component(imports);
        let first = last.is_none().then(|| init(&author));
        let prev = last.as_ref().map(PackageEnvelope::record_id);
        let entries = first.into_iter().chain([release(version, &content)]);
        let record = record(&author, prev, entries);
        published(&publish(registry, package, &record, &content).await);
        last = Some(record);
    }
    last.unwrap()
}

const ADD: &str = "unlocked-dep=<test:add@{>=1.0.0 <2.0.0}>";
const ANY_INC: &str = "unlocked-dep=<test:inc>";
const WASI: &str = "wasi:cli/environment@0.2.0";

/// `meet` needs `inc` and `five`, which need `add`.
async fn tower(registry: &Arc<Registry>) {
    package(registry, "test:add", &[("1.0.0", &[]), ("1.1.0", &[WASI]), ("2.0.0", &[])]).await;
    package(registry, "test:inc", &[("0.1.0", &[ADD, WASI])]).await;
    package(registry, "test:five", &[("1.0.0", &[ADD, ANY_INC])]).await;
    let locked = "locked-dep=<test:five@1.0.0>";
    package(registry, "test:meet", &[("1.0.0", &[ANY_INC, WASI, locked, "plain"])]).await;
}

fn follow_all(registry: &Registry) -> usize {
    let mut steps = 1;
    while follow::step(registry).unwrap() {
        steps += 1;
    }
    steps
}

fn dependents(registry: &Registry, package: &str) -> Vec<String> {
    let page = registry.dependents(&name(package), Place::default()).unwrap();
    let line = |(row, yanked): &(wargate_registry::index::Dependent, bool)| {
        let mark = if *yanked { " yanked" } else { "" };
        format!("{} {} {}{mark}", row.package, row.version, row.import)
    };
    page.dependents.iter().map(line).collect()
}

#[tokio::test]
async fn releases_say_what_they_depend_on() {
    let registry = World::new().open();
    tower(&registry).await;
    let of = |content: &[u8]| registry.dependencies(&AnyDigest::from(Digest::of(content)));
    // Interfaces and plain names are no packages.
    assert_eq!(of(&component(&[ADD, WASI])).unwrap().unwrap(), [ADD]);
    assert_eq!(of(&component(&[])).unwrap().unwrap(), [""; 0]);
    assert!(matches!(of(b"never came"), Err(ReadError::ContentNotFound(_))));

    let of = |package: &str, version: &str| {
        registry.release_dependencies(&name(package), &version.parse().unwrap())
    };
    let meet = of("test:meet", "1.0.0").unwrap();
    assert_eq!(meet.1.unwrap(), [ANY_INC, "locked-dep=<test:five@1.0.0>"]);
    assert!(matches!(of("test:meet", "1.0.1"), Err(ReadError::ReleaseNotFound { .. })));
    assert!(matches!(of("test:nobody", "1.0.0"), Err(ReadError::PackageNotFound(_))));

    let page = registry
        .packages_dependencies(&[name("test:five"), name("test:nobody"), name("test:add")])
        .unwrap();
    assert_eq!(page.length, registry.newest().committed.length());
    let versions: Vec<_> = page.packages.iter().map(|(_, releases)| releases.len()).collect();
    assert_eq!((versions, page.rest.len()), (vec![1, 0, 3], 0));
    // Two releases of `test:add` have the same content.
    assert_eq!(page.contents.len(), 3);
}

#[tokio::test]
async fn what_depends_on_a_package_is_found_page_by_page() {
    let world = World::new();
    let registry = world.open();
    tower(&registry).await;
    assert_eq!(dependents(&registry, "test:add"), [""; 0], "nobody has followed the log yet");
    assert_eq!(follow_all(&registry), 1);
    assert_eq!(follow_all(&registry), 1, "once more changes nothing");
    assert_eq!(
        dependents(&registry, "test:add"),
        [format!("test:inc 0.1.0 {ADD}"), format!("test:five 1.0.0 {ADD}")]
    );
    assert_eq!(dependents(&registry, "test:five").len(), 1);
    assert_eq!(dependents(&registry, "test:meet"), [""; 0]);

    let count = DEPENDENTS_PER_REQUEST_MAX + 3;
    let versions: Vec<_> = (0..count).map(|n| format!("1.0.{n}")).collect();
    let releases: Vec<(&str, &[&str])> =
        versions.iter().map(|version| (&**version, &[ADD] as &[&str])).collect();
    let last = package(&registry, "test:many", &releases).await;
    follow_all(&registry);
    let first = registry.dependents(&name("test:add"), Place::default()).unwrap();
    assert_eq!(first.dependents.len(), DEPENDENTS_PER_REQUEST_MAX);
    let second = registry.dependents(&name("test:add"), first.next.unwrap()).unwrap();
    assert_eq!((second.dependents.len(), second.next), (5, None));
    assert_eq!(second.length, registry.newest().committed.length());

    // What is yanked is told so, though the index does not know.
    let yank = Entry::yank(versions.last().unwrap().parse().unwrap());
    let yank = record(&key(7), Some(last.record_id()), [yank]);
    published(&publish(&registry, "test:many", &yank, b"").await);
    let second = registry.dependents(&name("test:add"), first.next.unwrap()).unwrap();
    let yanked: Vec<_> = second.dependents.iter().map(|(_, yanked)| *yanked).collect();
    assert_eq!(yanked, [false, false, false, false, true]);
}

#[tokio::test]
async fn many_long_names_are_taken_in_by_steps() {
    let registry = World::new().open();
    let count = 40;
    let target = format!("test:{}", "a".repeat(60));
    let imports: Vec<Vec<String>> = (0..count)
        .map(|n| (0..500).map(|m| format!("unlocked-dep=<{target}@{{>={n}.{m}.0}}>")).collect())
        .collect();
    let imports: Vec<Vec<&str>> =
        imports.iter().map(|them| them.iter().map(String::as_str).collect()).collect();
    let versions: Vec<_> = (0..count).map(|n| format!("1.0.{n}")).collect();
    let releases: Vec<(&str, &[&str])> =
        versions.iter().zip(&imports).map(|(version, them)| (&**version, &**them)).collect();
    package(&registry, "test:many", &releases).await;
    assert_eq!(follow_all(&registry), 2);
    let mut after = Some(Place::default());
    let mut seen = 0;
    while let Some(place) = after {
        let page = registry.dependents(&name(&target), place).unwrap();
        seen += page.dependents.len();
        after = page.next;
    }
    assert_eq!(seen, count * 500);
}

#[tokio::test]
async fn an_index_of_another_history_begins_anew() {
    let mut world = World::new();
    let index = Arc::new(MemoryIndex::default());
    world.index = Arc::<MemoryIndex>::clone(&index);
    let registry = world.open();
    tower(&registry).await;
    follow_all(&registry);
    let length = index.through().unwrap().length;
    assert_eq!(length, registry.newest().committed.length());

    // A shorter one, one of the same length, and a longer one.
    for records in [1, length.get() - 1, length.get() + 5] {
        let mut other = World::new();
        other.index = Arc::<MemoryIndex>::clone(&index);
        let other = other.open();
        let versions: Vec<_> = (0..records).map(|n| format!("3.0.{n}")).collect();
        let releases: Vec<(&str, &[&str])> =
            versions.iter().map(|version| (&**version, &[ANY_INC] as &[&str])).collect();
        package(&other, "test:other", &releases).await;
        follow_all(&other);
        assert_eq!(dependents(&other, "test:add"), [""; 0]);
        let page = other.dependents(&name("test:inc"), Place::default()).unwrap();
        assert_eq!(page.dependents.len() as u64, records);
    }
    index.clear().unwrap();
    assert_eq!(index.through().unwrap(), Through::START);
}

#[tokio::test]
async fn the_registry_solves_as_whoever_has_what_it_looked_at() {
    let registry = World::new().open();
    tower(&registry).await;
    let imports: Vec<ImportName> = ["locked-dep=<test:meet@1.0.0>".parse().unwrap()].into();
    let options = Options::default();
    let page = registry.solve(&imports, &options).unwrap();
    assert_eq!(page.checkpoint, registry.newest().checkpoint);
    let looked_at: Vec<_> = page.packages.iter().map(PackageName::name).collect();
    assert_eq!(looked_at, ["add", "five", "inc", "meet"]);

    let names = |texts: &[String]| texts.iter().map(|name| name.parse().unwrap()).collect();
    let mut snapshot = Snapshot::default();
    let known = registry.packages_dependencies(&page.packages).unwrap();
    for (package, releases) in known.packages {
        let releases = releases.into_iter().map(|release| Release {
            version: release.version,
            digest: Digest::try_from(&release.digest).unwrap(),
            yanked: release.yanked,
            imports: names(&known.contents[&release.digest]),
        });
        snapshot.insert(package, releases.collect()).unwrap();
    }
    assert_eq!(solve(&imports, &snapshot, &options).unwrap(), page.answer);
    let Answer::Solved(solution) = page.answer else { panic!("not solved: {:?}", page.answer) };
    let chosen: Vec<_> =
        solution.nodes.iter().map(|node| format!("{} {}", node.package, node.version)).collect();
    assert_eq!(chosen, ["test:add 1.1.0", "test:five 1.0.0", "test:inc 0.1.0", "test:meet 1.0.0"]);

    let nobody = ["unlocked-dep=<test:nobody>".parse().unwrap()];
    let page = registry.solve(&nobody, &options).unwrap();
    assert!(matches!(page.answer, Answer::Conflict(_)), "{:?}", page.answer);
}
