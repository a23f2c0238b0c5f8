//! The search for the first complete answer.
//!
//! The queue of imports is also the stack of choices: the import at place `n` is answered by the frame
//! at level `n`, and a release that is selected appends its imports to the queue.
//!
//! **Invariant**: a dead end names the levels that have a part in it, so that no answer has all the
//! choices made there. It is therefore right to jump back to the highest of them and to leave what
//! lies between untried. [property tests against trying everything]

use std::collections::{BTreeSet, HashMap};

use wargate_protocol::{PackageName, Version};

use super::choices::choices;
use super::snapshot::{Release, Snapshot, locked};
use super::{Answer, Conflict, Edge, Node, Options, Problem, Solution, SolveError, Step, track};
use crate::limits::{
    CONFLICT_CHAINS_MAX, SOLVE_DEPTH_MAX, SOLVE_EDGES_MAX, SOLVE_NODES_MAX, SOLVE_STEPS_MAX,
};
use crate::names::ImportName;

pub(super) struct Search<'a> {
    snapshot: &'a Snapshot,
    options: &'a Options,
    roots: &'a [ImportName],
    queue: Vec<Pending<'a>>,
    frames: Vec<Frame<'a>>,
    selected: Vec<Selected<'a>>,
    /// Where in `selected` the versions of each package are.
    by_package: HashMap<&'a PackageName, Vec<usize>>,
    missing: BTreeSet<&'a PackageName>,
    steps: usize,
    first: Option<Trace<'a>>,
}

/// An import that is to be answered.
#[derive(Clone, Copy)]
struct Pending<'a> {
    /// Whose import it is, in `selected`. `None` is the root.
    owner: Option<usize>,
    import: &'a ImportName,
    package: &'a PackageName,
    /// Imports from the root to here, this one included.
    depth: usize,
}

/// How an import is answered, and with what else it could be.
struct Frame<'a> {
    choices: Vec<&'a Release>,
    /// The next choice to try.
    next: usize,
    /// What is chosen, in `selected`. `None` while that is open, or if the package is not known.
    chosen: Option<usize>,
    /// The levels below that have a part in the failure of the choices so far.
    reasons: BTreeSet<usize>,
    /// How the first choice failed.
    trace: Option<Trace<'a>>,
}

struct Selected<'a> {
    package: &'a PackageName,
    release: &'a Release,
    /// The level that selected it.
    level: usize,
    /// Where its imports begin in the queue.
    imports_at: usize,
}

/// A [`Step`], not copied yet.
type StepRef<'a> = (Option<(&'a PackageName, &'a Version)>, &'a ImportName);

/// A [`Conflict`], not copied yet.
#[derive(Clone)]
struct Trace<'a> {
    chains: Vec<Vec<StepRef<'a>>>,
    chains_left_out: usize,
    problem: Problem,
}

/// Levels whose choices cannot stand together, and why.
struct DeadEnd<'a> {
    reasons: BTreeSet<usize>,
    trace: Trace<'a>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        roots: &'a [ImportName],
        snapshot: &'a Snapshot,
        options: &'a Options,
    ) -> Result<Self, SolveError> {
        let mut search = Self {
            snapshot,
            options,
            roots,
            queue: Vec::new(),
            frames: Vec::new(),
            selected: Vec::new(),
            by_package: HashMap::new(),
            missing: BTreeSet::new(),
            steps: 0,
            first: None,
        };
        search.enqueue(None, roots, 1)?;
        Ok(search)
    }

    pub(super) fn run(mut self) -> Result<Answer, SolveError> {
        loop {
            let dead_end = match self.queue.get(self.frames.len()) {
                Some(&pending) => self.visit(pending)?,
                None if self.missing.is_empty() => match self.cycle()? {
                    None => return self.solved().map(Answer::Solved),
                    cycle => cycle,
                },
                None => return Ok(self.incomplete()),
            };
            let Some(dead_end) = dead_end else { continue };
            if !self.missing.is_empty() {
                // Whether this is the end can only be said when they are known.
                return Ok(self.incomplete());
            }
            if self.first.is_none() {
                self.first = Some(dead_end.trace.clone());
            }
            if let Some(trace) = self.jump_back(dead_end)? {
                return Ok(Answer::Conflict(trace.into()));
            }
        }
    }

    /// Answers the next import of the queue, if that is possible.
    fn visit(&mut self, pending: Pending<'a>) -> Result<Option<DeadEnd<'a>>, SolveError> {
        let mut frame = Frame {
            choices: Vec::new(),
            next: 0,
            chosen: None,
            reasons: self.owner_level(pending),
            trace: None,
        };
        let Some(releases) = self.snapshot.releases(pending.package) else {
            self.missing.insert(pending.package);
            self.frames.push(frame);
            return Ok(None);
        };
        self.spend(1 + releases.len() * (1 + self.versions(pending.package).len()))?;
        let known = self.versions(pending.package);
        let is_selected = |version: &Version| {
            known.iter().any(|at| self.selected[*at].release.version == *version)
        };
        let yanked_left_out = match choices(pending.import, releases, self.options, is_selected) {
            Ok(choices) => {
                frame.choices = choices.releases;
                choices.yanked_left_out
            }
            Err(problem) => {
                let trace = self.trace(pending, &[], *problem);
                let yanked_left_out = matches!(trace.problem, Problem::AllYanked { .. });
                self.blame_all(&mut frame, pending, yanked_left_out)?;
                return Ok(Some(DeadEnd { reasons: frame.reasons, trace }));
            }
        };
        self.blame_all(&mut frame, pending, yanked_left_out)?;
        self.frames.push(frame);
        if self.advance()? {
            return Ok(None);
        }
        Ok(self.exhausted(pending))
    }

    /// A yanked version may be reused where it is selected already, which only a locked import does.
    /// Where one could, every choice so far has a part in it that none did.
    fn blame_all(
        &mut self,
        frame: &mut Frame<'a>,
        pending: Pending<'a>,
        yanked_left_out: bool,
    ) -> Result<(), SolveError> {
        let package = pending.package;
        let is_locked = || {
            self.snapshot.locks(package)
                || self.roots.iter().any(|root| locked(root) == Some(package))
        };
        if yanked_left_out && is_locked() {
            frame.reasons.extend(0..self.frames.len());
            self.spend(self.frames.len())?;
        }
        Ok(())
    }

    /// Takes the next choice of the last frame. `false` if there is none left.
    fn advance(&mut self) -> Result<bool, SolveError> {
        let level = self.frames.len() - 1;
        let pending = self.queue[level];
        while let Some(&release) = self.frames[level].choices.get(self.frames[level].next) {
            self.frames[level].next += 1;
            self.spend(1 + self.versions(pending.package).len())?;
            let wanted = track(&release.version);
            let mut versions = self.versions(pending.package).iter().copied();
            let same = versions.find(|at| track(&self.selected[*at].release.version) == wanted);
            match same {
                Some(at) if self.selected[at].release.version != release.version => {
                    let blocking = self.selected[at].level;
                    self.frames[level].reasons.insert(blocking);
                    continue;
                }
                Some(at) => self.frames[level].chosen = Some(at),
                None => self.select(pending, release)?,
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn select(&mut self, pending: Pending<'a>, release: &'a Release) -> Result<(), SolveError> {
        let Pending { package, depth, .. } = pending;
        if self.selected.len() >= SOLVE_NODES_MAX {
            return Err(SolveError::TooManyNodes { nodes_max: SOLVE_NODES_MAX });
        }
        if depth > SOLVE_DEPTH_MAX {
            let (package, depth_max) = (package.clone(), SOLVE_DEPTH_MAX);
            return Err(SolveError::TooDeep { package, depth_max });
        }
        let (at, level) = (self.selected.len(), self.frames.len() - 1);
        let imports_at = self.queue.len();
        self.selected.push(Selected { package, release, level, imports_at });
        self.by_package.entry(package).or_default().push(at);
        self.frames[level].chosen = Some(at);
        self.enqueue(Some(at), &release.imports, depth + 1)
    }

    fn enqueue(
        &mut self,
        owner: Option<usize>,
        imports: &'a [ImportName],
        depth: usize,
    ) -> Result<(), SolveError> {
        let pending = imports.iter().filter_map(|import| {
            let package = import.dependency()?;
            Some(Pending { owner, import, package, depth })
        });
        self.queue.extend(pending);
        if self.queue.len() > SOLVE_EDGES_MAX {
            return Err(SolveError::TooManyEdges { edges_max: SOLVE_EDGES_MAX });
        }
        Ok(())
    }

    /// Goes back to the last choice that has a part in a dead end, takes the next one there, or goes
    /// back further. When nothing is left to choose, the dead end is the conflict.
    fn jump_back(&mut self, dead_end: DeadEnd<'a>) -> Result<Option<Trace<'a>>, SolveError> {
        let DeadEnd { mut reasons, mut trace } = dead_end;
        while let Some(level) = reasons.pop_last() {
            let told: usize = trace.chains.iter().map(Vec::len).sum();
            self.spend(reasons.len() + self.frames.len() - level + told)?;
            while self.frames.len() > level + 1 {
                self.undo();
                self.frames.pop();
            }
            self.undo();
            let frame = &mut self.frames[level];
            frame.reasons.append(&mut reasons);
            frame.trace.get_or_insert(trace);
            if self.advance()? {
                return Ok(None);
            }
            match self.exhausted(self.queue[level]) {
                Some(dead_end) => DeadEnd { reasons, trace } = dead_end,
                None => return Ok(None),
            }
        }
        Ok(Some(trace))
    }

    /// Takes back the choice of the last frame.
    fn undo(&mut self) {
        let level = self.frames.len() - 1;
        let chosen = self.frames[level].chosen.take();
        if chosen.is_some_and(|at| self.selected[at].level == level)
            && let Some(selected) = self.selected.pop()
        {
            self.queue.truncate(selected.imports_at);
            self.by_package.get_mut(selected.package).and_then(Vec::pop);
        }
    }

    /// Removes the last frame, which has no choice left, and says why.
    fn exhausted(&mut self, pending: Pending<'a>) -> Option<DeadEnd<'a>> {
        let frame = self.frames.pop()?;
        let trace = frame.trace.unwrap_or_else(|| {
            let mut blocking = self.versions(pending.package).to_vec();
            let tracks: BTreeSet<_> =
                frame.choices.iter().map(|release| track(&release.version)).collect();
            blocking.retain(|at| tracks.contains(&track(&self.selected[*at].release.version)));
            let versions = blocking.iter().map(|at| self.selected[*at].release.version.clone());
            let selected = versions.take(CONFLICT_CHAINS_MAX - 1).collect();
            let package = pending.package.clone();
            self.trace(pending, &blocking, Problem::Taken { package, selected })
        });
        Some(DeadEnd { reasons: frame.reasons, trace })
    }

    /// A cycle in the complete graph, if there is one.
    fn cycle(&mut self) -> Result<Option<DeadEnd<'a>>, SolveError> {
        self.spend(self.queue.len())?;
        let mut finished = vec![false; self.selected.len()];
        let mut on_path = vec![false; self.selected.len()];
        for start in 0..self.selected.len() {
            // Releases from `start` on, each with the level of the import that is looked at.
            let mut path = Vec::new();
            if !finished[start] {
                path.push((start, self.selected[start].imports_at));
                on_path[start] = true;
            }
            while let Some((node, level)) = path.last_mut() {
                let import = self.queue.get(*level).filter(|import| import.owner == Some(*node));
                let to = import.and_then(|_| self.frames[*level].chosen);
                match to {
                    None => {
                        (finished[*node], on_path[*node]) = (true, false);
                        path.pop();
                        if let Some((_, level)) = path.last_mut() {
                            *level += 1;
                        }
                    }
                    Some(to) if on_path[to] => {
                        let entry = path.iter().position(|(node, _)| *node == to).unwrap_or(0);
                        let levels: Vec<_> =
                            path[entry..].iter().map(|(_, level)| *level).collect();
                        return Ok(Some(self.circular(to, &levels)));
                    }
                    Some(to) if finished[to] => *level += 1,
                    Some(to) => {
                        on_path[to] = true;
                        path.push((to, self.selected[to].imports_at));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The dead end of a cycle that begins and ends with `entry`.
    fn circular(&self, entry: usize, levels: &[usize]) -> DeadEnd<'a> {
        let Selected { package, release, level, .. } = self.selected[entry];
        let problem = Problem::Cycle { package: package.clone(), version: release.version.clone() };
        let mut trace = self.trace(self.queue[level], &[], problem);
        let around = levels.iter().map(|level| self.step(self.queue[*level]));
        trace.chains.iter_mut().for_each(|chain| chain.extend(around.clone()));
        DeadEnd { reasons: levels.iter().copied().collect(), trace }
    }

    /// Tells of a problem with an import, and which selected releases have a part in it.
    fn trace(&self, pending: Pending<'a>, blocking: &[usize], problem: Problem) -> Trace<'a> {
        let ends = blocking.iter().map(|at| self.queue[self.selected[*at].level]);
        let chains = std::iter::once(pending).chain(ends).take(CONFLICT_CHAINS_MAX);
        let chains: Vec<_> = chains.map(|end| self.chain(end)).collect();
        let chains_left_out = 1 + blocking.len() - chains.len();
        Trace { chains, chains_left_out, problem }
    }

    /// The imports from the root to this one.
    fn chain(&self, end: Pending<'a>) -> Vec<StepRef<'a>> {
        let importer = |pending: &Pending<'a>| {
            pending.owner.map(|owner| self.queue[self.selected[owner].level])
        };
        let chain = std::iter::successors(Some(end), importer);
        let mut chain: Vec<_> = chain.map(|pending| self.step(pending)).collect();
        chain.reverse();
        chain
    }

    fn step(&self, pending: Pending<'a>) -> StepRef<'a> {
        let importer = pending.owner.map(|owner| {
            let Selected { package, release, .. } = &self.selected[owner];
            (*package, &release.version)
        });
        (importer, pending.import)
    }

    /// The level without which the import would not be there.
    fn owner_level(&self, pending: Pending<'a>) -> BTreeSet<usize> {
        pending.owner.map(|owner| self.selected[owner].level).into_iter().collect()
    }

    /// Where the selected versions of a package are.
    fn versions(&self, package: &PackageName) -> &[usize] {
        self.by_package.get(package).map_or(&[], Vec::as_slice)
    }

    fn spend(&mut self, steps: usize) -> Result<(), SolveError> {
        self.steps += steps;
        if self.steps <= SOLVE_STEPS_MAX {
            return Ok(());
        }
        let first = self.first.take().map(|trace| Box::new(trace.into()));
        Err(SolveError::TooManySteps { steps_max: SOLVE_STEPS_MAX, first })
    }

    /// All packages that are known to be needed and are not known themselves.
    fn incomplete(self) -> Answer {
        let waiting = self.queue[self.frames.len()..].iter().map(|pending| pending.package);
        let unknown = waiting.filter(|package| self.snapshot.releases(package).is_none());
        Answer::Missing(self.missing.iter().copied().chain(unknown).cloned().collect())
    }

    fn solved(self) -> Result<Solution, SolveError> {
        let name = |at: &usize| {
            let Selected { package, release, .. } = &self.selected[*at];
            (*package, &release.version)
        };
        let mut order: Vec<usize> = (0..self.selected.len()).collect();
        order.sort_by_key(|at| name(at));
        for (package, version) in &self.options.precise {
            if order.binary_search_by_key(&(package, version), name).is_err() {
                let (package, version) = (package.clone(), version.clone());
                return Err(SolveError::PreciseUnused { package, version });
            }
        }
        let mut places = vec![0; order.len()];
        for (place, at) in order.iter().enumerate() {
            places[*at] = place;
        }
        let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); order.len()];
        let mut roots = Vec::new();
        for (pending, frame) in self.queue.iter().zip(&self.frames) {
            let Some(chosen) = frame.chosen else { continue };
            let edge = Edge { import: pending.import.clone(), to: places[chosen] };
            match pending.owner {
                Some(owner) => edges[owner].push(edge),
                None => roots.push(edge),
            }
        }
        let nodes = order.iter().map(|at| {
            let Selected { package, release, .. } = &self.selected[*at];
            Node {
                package: (*package).clone(),
                version: release.version.clone(),
                digest: release.digest,
                yanked: release.yanked,
                edges: std::mem::take(&mut edges[*at]),
            }
        });
        Ok(Solution { roots, nodes: nodes.collect() })
    }
}

impl From<Trace<'_>> for Conflict {
    fn from(trace: Trace<'_>) -> Self {
        let Trace { chains, chains_left_out, problem } = trace;
        let step = |(importer, import): StepRef<'_>| Step {
            importer: importer.map(|(package, version)| (package.clone(), version.clone())),
            import: import.clone(),
        };
        let copy = |chain: Vec<_>| chain.into_iter().map(step).collect();
        Self { chains: chains.into_iter().map(copy).collect(), chains_left_out, problem }
    }
}
