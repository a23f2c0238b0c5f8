//! Registries of components as WAT, what is linked from them, and running it.

use std::collections::BTreeMap;

use wargate_component::link::{LinkError, Output, Root, bundle, lock};
use wargate_component::solve::{Answer, Edge, Node, Options, Release, Snapshot, Solution, solve};
use wargate_component::{ImportName, Inspection, Limits, inspect};
use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};
use wasmtime::component::{Component, ComponentNamedList, Lift, Linker, Lower, Val};
use wasmtime::{Engine, Store};

/// The contents of releases, by package and version.
#[derive(Clone, Default)]
pub(crate) struct World(BTreeMap<(PackageName, Version), Vec<u8>>);

/// A root, what the solver found for it, and the contents.
pub(crate) struct Case {
    pub(crate) root: Vec<u8>,
    pub(crate) solution: Solution,
    pub(crate) contents: Vec<Vec<u8>>,
}

/// What was made of a root: the locked component, the bundle, and the bundle of the locked component.
pub(crate) struct Linked {
    pub(crate) locked: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
    pub(crate) rebundled: Vec<u8>,
}

impl World {
    /// Adds a release, `ns:name@1.0.0`, from WAT.
    pub(crate) fn with(self, release: &str, wat: &str) -> Self {
        self.with_bytes(release, wat::parse_str(wat).unwrap())
    }

    pub(crate) fn with_bytes(mut self, release: &str, bytes: Vec<u8>) -> Self {
        let (package, version) = release.split_once('@').unwrap();
        self.0.insert((package.parse().unwrap(), version.parse().unwrap()), bytes);
        self
    }

    /// The digest of a release.
    pub(crate) fn digest(&self, release: &str) -> Digest {
        let (package, version) = release.split_once('@').unwrap();
        Digest::of(&self.0[&(package.parse().unwrap(), version.parse().unwrap())])
    }

    /// Solves for a root.
    pub(crate) fn solve(&self, root: &[u8]) -> Case {
        self.solve_with(root, &Options::default())
    }

    /// Solves for a root that may have no answer.
    pub(crate) fn try_solve(&self, root: &[u8]) -> Option<Case> {
        self.answer(root, &Options::default(), imports).ok()
    }

    /// Solves for a root that needs only releases that import nothing, without a look at these.
    pub(crate) fn solve_unseen(&self, root: &[u8]) -> Case {
        self.answer(root, &Options::default(), |_| Vec::new()).unwrap()
    }

    pub(crate) fn solve_with(&self, root: &[u8], options: &Options) -> Case {
        self.answer(root, options, imports).unwrap()
    }

    fn answer(
        &self,
        root: &[u8],
        options: &Options,
        of_release: impl Fn(&[u8]) -> Vec<ImportName>,
    ) -> Result<Case, Box<Answer>> {
        let mut packages: BTreeMap<PackageName, Vec<Release>> = BTreeMap::new();
        for ((package, version), bytes) in &self.0 {
            packages.entry(package.clone()).or_default().push(Release {
                version: version.clone(),
                digest: Digest::of(bytes),
                yanked: false,
                imports: of_release(bytes).into(),
            });
        }
        let mut snapshot = Snapshot::default();
        for (package, releases) in packages {
            snapshot.insert(package, releases).unwrap();
        }
        let solution = match solve(&imports(root), &snapshot, options).unwrap() {
            Answer::Solved(solution) => solution,
            other => return Err(Box::new(other)),
        };
        let content = |node: &Node| self.0[&(node.package.clone(), node.version.clone())].clone();
        let contents = solution.nodes.iter().map(content).collect();
        Ok(Case { root: root.to_vec(), solution, contents })
    }

    /// Links a root from WAT in all ways.
    pub(crate) fn link(&self, root: &str) -> Linked {
        self.link_bytes(&wat::parse_str(root).unwrap())
    }

    pub(crate) fn link_bytes(&self, root: &[u8]) -> Linked {
        let case = self.solve(root);
        let (locked, bundle) = (case.lock().unwrap(), case.bundle().unwrap());
        check_locked(&locked, &case);
        check_bundle(&bundle);
        let turned: Vec<usize> = (0..case.contents.len()).rev().collect();
        case.permuted(&turned).check(&locked, &bundle);
        let relocked = self.solve(&locked);
        assert_eq!(relocked.lock().unwrap(), locked, "a locked component stays as it is");
        let rebundled = relocked.bundle().unwrap();
        check_bundle(&rebundled);
        Linked { locked, bundle, rebundled }
    }

    /// Why a root from WAT cannot be locked and cannot be bundled, which is the same.
    pub(crate) fn refused(&self, root: &str) -> LinkError {
        let case = self.solve(&wat::parse_str(root).unwrap());
        let error = case.bundle().unwrap_err();
        assert_eq!(case.lock().unwrap_err(), error);
        error
    }
}

impl Case {
    pub(crate) fn lock(&self) -> Result<Vec<u8>, LinkError> {
        lock(&self.root(), &self.solution, &self.slices()).map(|output| written(&output))
    }

    pub(crate) fn bundle(&self) -> Result<Vec<u8>, LinkError> {
        bundle(&self.root(), &self.solution, &self.slices()).map(|output| written(&output))
    }

    fn root(&self) -> Root<'_> {
        Root { bytes: &self.root, release: None }
    }

    fn slices(&self) -> Vec<&[u8]> {
        self.contents.iter().map(Vec::as_slice).collect()
    }

    /// The same with other numbers for the releases, which changes nothing. The order says which release
    /// comes first, second, and so on.
    pub(crate) fn permuted(&self, order: &[usize]) -> Self {
        let place = |of: usize| order.iter().position(|node| *node == of).unwrap();
        let turned = |edges: &[Edge]| {
            let edges = edges.iter().rev();
            edges.map(|edge| Edge { to: place(edge.to), ..edge.clone() }).collect()
        };
        let nodes = order.iter().map(|at| {
            let node = &self.solution.nodes[*at];
            Node { edges: turned(&node.edges), ..node.clone() }
        });
        let (nodes, roots) = (nodes.collect(), turned(&self.solution.roots));
        let contents = order.iter().map(|at| self.contents[*at].clone()).collect();
        Self { root: self.root.clone(), solution: Solution { roots, nodes }, contents }
    }

    /// Makes both forms again and compares them with what they were.
    pub(crate) fn check(&self, locked: &[u8], bundle: &[u8]) {
        assert_eq!(self.lock().unwrap(), locked);
        assert_eq!(self.bundle().unwrap(), bundle);
    }
}

impl Linked {
    /// Calls an export of what was made, instantiated from the bundle and from that of the locked
    /// component.
    pub(crate) fn call<P, R>(&self, name: &str, parameters: P) -> R
    where
        P: ComponentNamedList + Lower + Copy,
        R: Lift + PartialEq + std::fmt::Debug + 'static,
        (R,): ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let result: R = call(&self.bundle, name, parameters);
        assert_eq!(result, call(&self.rebundled, name, parameters));
        result
    }
}

/// Calls an export of a component.
pub(crate) fn call<P, R>(component: &[u8], name: &str, parameters: P) -> R
where
    P: ComponentNamedList + Lower,
    R: 'static,
    (R,): ComponentNamedList + Lift + Send + Sync + 'static,
{
    let engine = Engine::default();
    let component = Component::new(&engine, component).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    // The tests' hooks say their own name's length; everything else must not be needed.
    linker
        .root()
        .func_new("hook", |_, _, _, results| {
            results[0] = Val::U32(4);
            Ok(())
        })
        .unwrap();
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let function = instance.get_typed_func::<P, (R,)>(&mut store, name).unwrap();
    function.call(&mut store, parameters).unwrap().0
}

/// What a valid component shows.
pub(crate) fn look(bytes: &[u8]) -> Inspection {
    inspect(bytes, &Limits::default()).unwrap()
}

/// The names of what a component imports.
pub(crate) fn imported(bytes: &[u8]) -> Vec<String> {
    look(bytes).imports.into_iter().map(|import| import.name).collect()
}

/// What a component imports.
pub(crate) fn imports(bytes: &[u8]) -> Vec<ImportName> {
    imported(bytes).iter().map(|name| name.parse().unwrap()).collect()
}

/// All bytes of an output, of which all ways to have them agree.
fn written(output: &Output<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    output.write_to(&mut bytes).unwrap();
    assert_eq!(output.to_vec(), bytes);
    assert_eq!(output.len(), bytes.len() as u64);
    assert_eq!(output.digest(), Digest::of(&bytes));
    bytes
}

/// A locked component imports every release that it needs, and no other, by digest.
fn check_locked(locked: &[u8], case: &Case) {
    let exports = look(locked).exports;
    assert_eq!(exports, look(&case.root).exports);
    for import in imports(locked).iter().filter(|import| import.dependency().is_some()) {
        let ImportName::Locked { package, version: Some(version), integrity, .. } = import else {
            panic!("{import} is not locked");
        };
        let digest = integrity.as_ref().unwrap().sha256().unwrap();
        assert!(integrity.as_ref().unwrap().as_str().ends_with('='), "it is base64: {import}");
        assert!(case.solution.nodes.iter().any(|node| {
            (&node.package, &node.version, &node.digest) == (package, version, &digest)
        }));
    }
}

/// A bundle imports no package, and is valid for this line of tools and for the newest one.
fn check_bundle(bundle: &[u8]) {
    for import in imports(bundle) {
        assert!(import.dependency().is_none(), "{import} is left");
    }
    wasmparser_newest::Validator::new().validate_all(bundle).unwrap();
}
