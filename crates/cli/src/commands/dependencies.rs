//! `warg dependencies`: what components depend on, as a tree, a picture, or a list of reasons.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wargate_client::resolve::Resolved;
use wargate_component::lock::{Lock, PackageId};
use wargate_component::picture::{Graph, Node, NodeKind};
use wargate_component::solve::Edge;
use wargate_console::{Table, harmless};
use wargate_protocol::PackageName;

use super::locking::Locking;
use super::roots::Resolving;
use crate::args::Dependencies;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Digits of a digest that the tree shows; `--json` has all.
const DIGEST_DIGITS: usize = 12;

/// Shows what components depend on.
pub(crate) fn run(context: &Context, options: &Dependencies) -> Result<Report, Failure> {
    if let Some(package) = &options.reverse {
        return reverse(context, package);
    }
    let locking = Locking::new(context, &options.roots, &options.place)?;
    let known = locking.known.as_ref().filter(|_| !options.latest);
    let resolving = &locking.resolving;
    let mut question = resolving.question.clone();
    question.options.pins = known.map(Lock::pins).unwrap_or_default();
    question.locked = known.cloned().unwrap_or_default();
    let question = &question;
    let resolved = context.run(|client| async move { Ok(client.resolve(question).await?) })?;
    let shown = Shown { resolving, resolved: &resolved };
    if options.dot || options.svg {
        context.take_stdout()?;
        let graph = shown.graph();
        let text = if options.dot { graph.to_dot() } else { graph.to_svg() };
        return Ok(Report::own(text, shown.document()));
    }
    match &options.why {
        Some(package) => shown.why(package),
        None => Ok(Report::new(shown.tree(), shown.document())),
    }
}

/// An answer, and what it answers.
struct Shown<'a> {
    resolving: &'a Resolving,
    resolved: &'a Resolved,
}

impl Shown<'_> {
    fn edges_of_root(&self, root: usize) -> Vec<&Edge> {
        let imports = self.resolving.roots.get(root).map(|(_, imports)| imports.as_slice());
        let edges = self.resolved.solution.roots.iter();
        edges.filter(|edge| imports.is_some_and(|them| them.contains(&edge.import))).collect()
    }

    fn id(&self, at: usize) -> String {
        let node = &self.resolved.solution.nodes[at];
        format!("{}@{}", node.package, node.version)
    }

    /// The beginning of the digest of its content, by which people tell it from others.
    fn digest(&self, at: usize) -> String {
        let digest = self.resolved.solution.nodes[at].digest.to_string();
        digest.rsplit(':').flat_map(str::chars).take(DIGEST_DIGITS).collect()
    }

    /// Packages that stand in more than one version.
    fn doubled(&self) -> BTreeSet<&PackageName> {
        let mut counts: BTreeMap<&PackageName, usize> = BTreeMap::new();
        for node in &self.resolved.solution.nodes {
            *counts.entry(&node.package).or_default() += 1;
        }
        counts.into_iter().filter(|(_, count)| *count > 1).map(|(package, _)| package).collect()
    }

    /// Where a package comes from, if not from the registry that is asked anyway.
    fn remarks(&self, at: usize, doubled: &BTreeSet<&PackageName>) -> String {
        let node = &self.resolved.solution.nodes[at];
        let mut remarks = String::new();
        if let Some(path) = self.resolving.files.get(&PackageId::of(node)) {
            remarks.push_str(&format!(" = {path}"));
        }
        if node.yanked {
            remarks.push_str(" [yanked]");
        }
        if doubled.contains(&node.package) {
            remarks.push_str(" [one of several versions]");
        }
        remarks
    }

    fn tree(&self) -> String {
        let doubled = self.doubled();
        let mut text = String::new();
        let mut told = BTreeSet::new();
        for (root, name) in self.resolving.names.iter().enumerate() {
            let edges = self.edges_of_root(root);
            // A package that was asked for by name is the root itself.
            let is_package = self.resolving.roots[root].0.is_none();
            if let (true, [edge]) = (is_package, edges.as_slice()) {
                let remarks = self.remarks(edge.to, &doubled);
                text.push_str(&format!(
                    "{}{remarks}  {}\n",
                    self.id(edge.to),
                    self.digest(edge.to)
                ));
                told.insert(edge.to);
                self.branches(edge.to, "", &doubled, &mut told, &mut text);
            } else {
                text.push_str(&format!("{}\n", harmless(name)));
                self.branch(&edges, "", &doubled, &mut told, &mut text);
            }
        }
        let nodes = &self.resolved.solution.nodes;
        if nodes.is_empty() {
            text.push_str("No dependencies on packages.\n");
        } else if text.contains(" (*)\n") {
            text.push_str("\n(*) shown above\n");
        }
        text
    }

    fn branches(
        &self,
        at: usize,
        before: &str,
        doubled: &BTreeSet<&PackageName>,
        told: &mut BTreeSet<usize>,
        text: &mut String,
    ) {
        let edges: Vec<&Edge> = self.resolved.solution.nodes[at].edges.iter().collect();
        self.branch(&edges, before, doubled, told, text);
    }

    /// As deep as the solver lets a graph be.
    fn branch(
        &self,
        edges: &[&Edge],
        before: &str,
        doubled: &BTreeSet<&PackageName>,
        told: &mut BTreeSet<usize>,
        text: &mut String,
    ) {
        let mut targets: Vec<usize> = edges.iter().map(|edge| edge.to).collect();
        targets.sort_unstable();
        targets.dedup();
        for (place, to) in targets.iter().enumerate() {
            let is_last = place + 1 == targets.len();
            let (branch, further) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let remarks = self.remarks(*to, doubled);
            let is_new = told.insert(*to);
            let has_more = !self.resolved.solution.nodes[*to].edges.is_empty();
            let mark = match (is_new, has_more) {
                (true, _) => format!("  {}", self.digest(*to)),
                (false, true) => " (*)".to_owned(),
                (false, false) => String::new(),
            };
            text.push_str(&format!("{before}{branch}{}{remarks}{mark}\n", self.id(*to)));
            if is_new {
                self.branches(*to, &format!("{before}{further}"), doubled, told, text);
            }
        }
    }

    /// One chain of imports for each that imports the package.
    fn why(&self, package: &PackageName) -> Result<Report, Failure> {
        let nodes = &self.resolved.solution.nodes;
        let targets: BTreeSet<usize> =
            (0..nodes.len()).filter(|at| nodes[*at].package == *package).collect();
        if targets.is_empty() {
            return Err(Failure::usage(format!("nothing here depends on {package}"))
                .hint("`warg dependencies` without `--why` shows all"));
        }
        let shortest = self.shortest_ways();
        let (mut text, mut chains) = (String::new(), Vec::new());
        for (root, name) in self.resolving.names.iter().enumerate() {
            for edge in self.edges_of_root(root) {
                if targets.contains(&edge.to) {
                    let steps = vec![step(name, edge, &self.id(edge.to))];
                    chain(&steps, &mut text, &mut chains);
                }
            }
        }
        for (at, node) in nodes.iter().enumerate() {
            for edge in node.edges.iter().filter(|edge| targets.contains(&edge.to)) {
                let mut steps = shortest.get(&at).cloned().unwrap_or_default();
                steps.push(step(&self.id(at), edge, &self.id(edge.to)));
                chain(&steps, &mut text, &mut chains);
            }
        }
        Ok(Report::new(text, json!({ "package": package, "chains": chains })))
    }

    /// The shortest chain of imports from a root to each release.
    fn shortest_ways(&self) -> BTreeMap<usize, Vec<Value>> {
        let mut ways: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        let mut next = std::collections::VecDeque::new();
        for (root, name) in self.resolving.names.iter().enumerate() {
            for edge in self.edges_of_root(root) {
                if let std::collections::btree_map::Entry::Vacant(way) = ways.entry(edge.to) {
                    way.insert(vec![step(name, edge, &self.id(edge.to))]);
                    next.push_back(edge.to);
                }
            }
        }
        while let Some(at) = next.pop_front() {
            for edge in &self.resolved.solution.nodes[at].edges {
                if !ways.contains_key(&edge.to) {
                    let mut way = ways.get(&at).cloned().unwrap_or_default();
                    way.push(step(&self.id(at), edge, &self.id(edge.to)));
                    ways.insert(edge.to, way);
                    next.push_back(edge.to);
                }
            }
        }
        ways
    }

    fn graph(&self) -> Graph {
        let doubled = self.doubled();
        let mut graph = Graph::default();
        for node in &self.resolved.solution.nodes {
            let looks = node.yanked || doubled.contains(&node.package);
            let kind = if looks { NodeKind::Warning } else { NodeKind::Plain };
            let yanked = if node.yanked { ", yanked" } else { "" };
            let detail = format!("{}{yanked}", node.version);
            graph.nodes.push(Node { title: node.package.to_string(), detail, kind });
        }
        for (from, node) in self.resolved.solution.nodes.iter().enumerate() {
            graph.edges.extend(node.edges.iter().map(|edge| (from, edge.to)));
        }
        for (root, name) in self.resolving.names.iter().enumerate() {
            let edges = self.edges_of_root(root);
            if self.resolving.roots[root].0.is_none()
                && let [edge] = edges.as_slice()
            {
                graph.nodes[edge.to].kind = NodeKind::Root;
                continue;
            }
            let title = name.clone();
            graph.edges.extend(edges.iter().map(|edge| (graph.nodes.len(), edge.to)));
            graph.nodes.push(Node { title, detail: String::new(), kind: NodeKind::Root });
        }
        graph.edges.sort_unstable();
        graph.edges.dedup();
        graph
    }

    fn document(&self) -> Value {
        let edges = |edges: &[&Edge]| -> Vec<Value> {
            let edge = |edge: &&Edge| json!({ "import": edge.import.to_string(), "package": self.id(edge.to) });
            edges.iter().map(edge).collect()
        };
        let roots = self.resolving.names.iter().enumerate().map(|(root, name)| {
            let mut value =
                json!({ "root": name, "dependencies": edges(&self.edges_of_root(root)) });
            if let Some((Some(file), _)) = self.resolving.roots.get(root) {
                value["digest"] = file.digest.to_string().into();
            }
            value
        });
        let packages = self.resolved.solution.nodes.iter().map(|node| {
            let mut value = json!({
                "package": node.package,
                "version": node.version,
                "digest": node.digest,
                "dependencies": edges(&node.edges.iter().collect::<Vec<_>>()),
            });
            if let Some(registry) = self.resolved.registries.get(&node.package) {
                value["registry"] = registry.as_str().into();
            }
            if let Some(path) = self.resolving.files.get(&PackageId::of(node)) {
                value["file"] = path.as_str().into();
            }
            if node.yanked {
                value["yanked"] = true.into();
            }
            value
        });
        json!({ "roots": roots.collect::<Vec<_>>(), "packages": packages.collect::<Vec<_>>() })
    }
}

fn step(importer: &str, edge: &Edge, package: &str) -> Value {
    json!({ "importer": importer, "import": edge.import.to_string(), "package": package })
}

/// Tells a chain of imports, and keeps it.
fn chain(steps: &[Value], text: &mut String, chains: &mut Vec<Value>) {
    for (depth, step) in steps.iter().enumerate() {
        let word = |name: &str| harmless(step[name].as_str().unwrap_or_default());
        if depth == 0 {
            text.push_str(&format!("{}\n", word("importer")));
        }
        let indent = "    ".repeat(depth);
        text.push_str(&format!("{indent}└── {}  ({})\n", word("package"), word("import")));
    }
    chains.push(steps.into());
}

/// Releases that depend on a package, by the word of its registry.
fn reverse(context: &Context, package: &PackageName) -> Result<Report, Failure> {
    let (length, dependents) =
        context.run(|client| async move { Ok(client.dependents(package).await?) })?;
    let mut table = Table::new(["PACKAGE", "VERSION", "IMPORT"]);
    let mut rows = Vec::new();
    for row in dependents {
        let yanked = if row.yanked { " [yanked]" } else { "" };
        let version = format!("{}{yanked}", row.version);
        table.row([row.package.to_string(), version, row.import.clone()]);
        rows.push(serde_json::to_value(&row).unwrap_or_default());
    }
    let text = if rows.is_empty() {
        format!("No release depends on {package}, as far as its registry has looked.\n")
    } else {
        table.to_string()
    };
    Ok(Report::new(text, json!({ "package": package, "logLength": length, "dependents": rows })))
}
