//! Fetching the pages on the way to a set of slots, one batch for each level.

use std::ops::Range;
use std::sync::Arc;

use wargate_crypto::Digest;

use super::error::{MapError, MapReadError};
use super::page::{Child, Page};
use super::path::{PageId, Path};
use super::{MapHead, PageReader};

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

/// Where a wanted page hangs, and which one it is.
#[derive(Debug)]
struct Hook {
    /// Below this visit, at this child.
    parent: Option<(usize, usize)>,
    /// The hash that the parent gives it.
    hash: Digest,
    paths: Range<usize>,
}

impl Walk {
    /// A walk to `paths`, which must ascend without repeats, in the state with this head.
    pub(super) fn new(head: Option<MapHead>, paths: Vec<Path>) -> Self {
        debug_assert!(paths.is_sorted_by(|a, b| a < b), "the paths ascend without repeats");
        let mut walk = Self { paths, visits: Vec::new(), wanted: Vec::new(), hooks: Vec::new() };
        if let Some(MapHead { version, root }) = head {
            walk.wanted.push(PageId::root(version));
            walk.hooks.push(Hook { parent: None, hash: root, paths: 0..walk.paths.len() });
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

    /// Takes the wanted pages, in the order asked, and works out what is wanted below them. Pages that
    /// are not the wanted ones leave the walk as it was.
    pub(super) fn supply(&mut self, pages: Vec<Arc<Page>>) -> Result<(), MapError> {
        if pages.len() != self.wanted.len() {
            return Err(MapError::Count { wanted: self.wanted.len(), got: pages.len() });
        }
        let (mut wanted, mut hooks) = (Vec::new(), Vec::new());
        for (at, page) in pages.iter().enumerate() {
            let (id, hook) = (self.wanted[at], &self.hooks[at]);
            if page.hash_at(&id.prefix) != hook.hash {
                return Err(MapError::OtherPage(id));
            }
            for (nibble, paths) in groups(&self.paths, hook.paths.clone(), id.prefix.level()) {
                let Some(Child::Page { version, hash }) = page.child(nibble) else { continue };
                // A page never refers to one written after it, nor below the last level.
                let prefix = id.prefix.child(nibble).filter(|_| *version <= id.version);
                let prefix = prefix.ok_or(MapError::Misplaced(id))?;
                wanted.push(PageId { version: *version, prefix });
                let parent = Some((self.visits.len() + at, nibble));
                hooks.push(Hook { parent, hash: *hash, paths });
            }
        }
        let supplied = std::mem::replace(&mut self.wanted, wanted).into_iter().zip(pages);
        for ((id, page), hook) in supplied.zip(std::mem::replace(&mut self.hooks, hooks)) {
            let at = self.visits.len();
            if let Some((parent, nibble)) = hook.parent {
                self.visits[parent].below.push((nibble, at));
            }
            self.visits.push(Visit { id, page, paths: hook.paths, below: Vec::new() });
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
