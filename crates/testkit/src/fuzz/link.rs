//! Linking components that a stranger has made, of which none was looked at before.

use std::collections::BTreeMap;

use wargate_component::link::{LinkError, Root, bundle, lock};
use wargate_component::solve::{Answer, Options, Release, Snapshot, solve};
use wargate_component::{ImportName, Limits, inspect};
use wargate_crypto::Digest;

use super::Bytes;

/// How many releases there are at most.
const RELEASES_MAX: usize = 6;

/// A root and releases, each behind its length in two bytes, little-endian. The first release is
/// `a:a 1.0.0`, then come `b:b` and `c:c`, then 2.0.0 of each.
pub fn link(data: &[u8]) {
    let mut bytes = Bytes(data);
    let root = bytes.piece();
    let mut packages: BTreeMap<String, Vec<(Release, &[u8])>> = BTreeMap::new();
    for number in 0..RELEASES_MAX {
        let content = bytes.piece();
        let letter = ["a", "b", "c"][number % 3];
        let release = Release {
            version: format!("{}.0.0", 1 + number / 3).parse().unwrap(),
            digest: Digest::of(content),
            yanked: false,
            imports: imports(content).into(),
        };
        packages.entry(format!("{letter}:{letter}")).or_default().push((release, content));
    }
    let mut snapshot = Snapshot::default();
    let mut contents = BTreeMap::new();
    for (package, releases) in packages {
        for (release, content) in &releases {
            contents.insert((package.clone(), release.version.clone()), *content);
        }
        let releases = releases.into_iter().map(|(release, _)| release).collect();
        if snapshot.insert(package.parse().unwrap(), releases).is_err() {
            return;
        }
    }
    let Ok(Answer::Solved(solution)) = solve(&imports(root), &snapshot, &Options::default()) else {
        return;
    };
    let nodes = solution.nodes.iter();
    let contents: Vec<&[u8]> =
        nodes.map(|node| contents[&(node.package.to_string(), node.version.clone())]).collect();
    let root = Root { bytes: root, release: None };
    let bundled = bundle(&root, &solution, &contents);
    let locked = lock(&root, &solution, &contents);
    for error in [&bundled, &locked].into_iter().filter_map(|result| result.as_ref().err()) {
        assert!(!error.to_string().is_empty());
        assert_ne!(*error, LinkError::Defect);
    }
    if let Ok(bundled) = bundled {
        let bytes = bundled.to_vec();
        assert!(imports(&bytes).iter().all(|import| import.dependency().is_none()));
        inspect(&bytes, &Limits::default()).expect("a bundle is valid");
        assert_eq!(bundle(&root, &solution, &contents).unwrap().to_vec(), bytes);
        locked.expect("what can be bundled can be locked");
    }
}

/// The imports of a content that can be read, and none of another one.
fn imports(content: &[u8]) -> Vec<ImportName> {
    let imports = inspect(content, &Limits::default()).map(|inspection| inspection.imports);
    imports.unwrap_or_default().iter().filter_map(|import| import.name.parse().ok()).collect()
}
