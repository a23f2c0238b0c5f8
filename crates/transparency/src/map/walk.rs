//! Fetching the pages on the way to a set of slots, one batch for each level.

use std::ops::Range;
use std::sync::Arc;

use super::error::{MapError, MapReadError};
use super::page::{Child, Page};
use super::path::{PageId, Path};
use super::{MapVersion, PageReader};

/// The pages that lie above a set of slots, as far as they have been supplied.
#[derive(Debug)]
pub(super) struct Walk {
    /// Where the walk goes, ascending, each once.
    paths: Vec<Path>,
    /// The pages so far, parents before children; the root page first.
    visits: Vec<Visit>,
    /// What is wanted next, and where it hangs.
    wanted: Vec<PageId>,
    hooks: Vec<Hook>,
}

/// A page, and the paths of the walk that lead through it.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) id: PageId,
    pub(super) page: Arc<Page>,
    pub(super) paths: Range<usize>,
    /// The visits of its child pages, by the child's position, ascending.
    pub(super) below: Vec<(usize, usize)>,
}

/// Where a wanted page hangs: below this visit, at this child.
#[derive(Debug)]
struct Hook {
    parent: Option<(usize, usize)>,
    paths: Range<usize>,
}

impl Walk {
    /// A walk to `paths`, which must ascend without repeats, in the map whose newest root page has
    /// this version (`None`: the map is empty).
    pub(super) fn new(head: Option<MapVersion>, paths: Vec<Path>) -> Self {
        debug_assert!(paths.is_sorted_by(|a, b| a < b), "the paths ascend without repeats");
        let mut walk = Self { paths, visits: Vec::new(), wanted: Vec::new(), hooks: Vec::new() };
        if let Some(version) = head {
            walk.wanted.push(PageId::root(version));
            walk.hooks.push(Hook { parent: None, paths: 0..walk.paths.len() });
        }
        walk
    }

    pub(super) fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The pages to supply next; none if the walk is complete.
    pub(super) fn wanted(&self) -> &[PageId] {
        &self.wanted
    }

    /// The visit of the root page, if the map has one and the walk is complete.
    pub(super) fn root(&self) -> Result<Option<&Visit>, MapError> {
        if self.wanted.is_empty() { Ok(self.visits.first()) } else { Err(MapError::Incomplete) }
    }

    /// A visit by its number, as found in [`Visit::below`].
    pub(super) fn visit(&self, at: usize) -> &Visit {
        &self.visits[at]
    }

    /// Every page of the walk: what a rewrite of them all replaces.
    pub(super) fn superseded(&self) -> Vec<PageId> {
        self.visits.iter().map(|visit| visit.id).collect()
    }

    /// Takes the wanted pages, in the order asked, and works out what is wanted below them.
    pub(super) fn supply(&mut self, pages: Vec<Arc<Page>>) -> Result<(), MapError> {
        if pages.len() != self.wanted.len() {
            return Err(MapError::Count { wanted: self.wanted.len(), got: pages.len() });
        }
        let wanted = std::mem::take(&mut self.wanted);
        let hooks = std::mem::take(&mut self.hooks);
        for ((id, page), hook) in wanted.into_iter().zip(pages).zip(hooks) {
            let at = self.visits.len();
            if let Some((parent, nibble)) = hook.parent {
                self.visits[parent].below.push((nibble, at));
            }
            self.descend(at, id, &page, hook.paths.clone())?;
            self.visits.push(Visit { id, page, paths: hook.paths, below: Vec::new() });
        }
        Ok(())
    }

    fn descend(
        &mut self,
        at: usize,
        id: PageId,
        page: &Page,
        paths: Range<usize>,
    ) -> Result<(), MapError> {
        for (nibble, group) in groups(&self.paths, paths, id.prefix.level()) {
            let Some(Child::Page { version, .. }) = page.child(nibble) else { continue };
            // A page never refers to one written after it, nor below the last level.
            let prefix = id.prefix.child(nibble).filter(|_| *version <= id.version);
            let prefix = prefix.ok_or(MapError::Misplaced(id))?;
            self.wanted.push(PageId { version: *version, prefix });
            self.hooks.push(Hook { parent: Some((at, nibble)), paths: group });
        }
        Ok(())
    }

    /// Drives the walk with a synchronous reader.
    pub(super) fn complete<R: PageReader>(
        &mut self,
        reader: &R,
    ) -> Result<(), MapReadError<R::Error>> {
        while !self.wanted.is_empty() {
            let pages = reader.pages(&self.wanted).map_err(MapReadError::Reader)?;
            self.supply(pages)?;
        }
        Ok(())
    }
}

/// The runs of `paths[range]` that take the same child in a page at `level`, with that child.
pub(super) fn groups(
    paths: &[Path],
    range: Range<usize>,
    level: usize,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let nibble = paths[start..range.end].first()?.nibble(level);
        let length = paths[start..range.end].partition_point(|path| path.nibble(level) == nibble);
        let group = start..start + length;
        start = group.end;
        Some((nibble, group))
    })
}
