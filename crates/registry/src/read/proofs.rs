//! Proofs (specification 12.7), made from tiles and pages that are read for the occasion.

use std::sync::Arc;

use wargate_protocol::{LogLeaf, LogLength, MapLeaf, RegistryIndex};
use wargate_transparency::log::{LeafIndex, LogProofBundle, ProofPlan, Tile, TileRef};
use wargate_transparency::map::{Lookup, MapProofBundle, Page, PageId};

use crate::error::ReadError;
use crate::limits::LEAVES_PER_REQUEST_MAX;
use crate::registry::Registry;
use crate::sequencer::{seconds, tree_length};
use crate::store::{Committed, StoreError};

/// Proofs that records are in the log and that each is the newest of its own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProofs {
    /// A log bundle with one proof for each record, in the order asked, encoded.
    pub log: Vec<u8>,
    /// A map bundle, likewise.
    pub map: Vec<u8>,
}

impl Registry {
    /// Proves records at a checkpoint's length.
    ///
    /// # Errors
    /// In this order: [`ReadError::LeafNotFound`] for a record behind the newest checkpoint,
    /// [`ReadError::CannotProve`] for one behind the length and for none at all,
    /// [`ReadError::CheckpointNotFound`] if no checkpoint has the length or its map is no longer
    /// kept, and [`ReadError::IncorrectProof`] for one that is not the newest of its log.
    pub fn prove_inclusion(
        &self,
        length: LogLength,
        indices: &[RegistryIndex],
    ) -> Result<InclusionProofs, ReadError> {
        if indices.len() > LEAVES_PER_REQUEST_MAX {
            return Err(ReadError::BadRequest(format!(
                "{} leaves were asked for, but at most {LEAVES_PER_REQUEST_MAX} can be at once",
                indices.len()
            )));
        }
        let newest = self.newest().committed.length();
        if let Some(index) = indices.iter().find(|index| !newest.contains(**index)) {
            return Err(ReadError::LeafNotFound(*index));
        }
        let leaves: Vec<_> = indices.iter().filter_map(|at| LeafIndex::new(at.get())).collect();
        let cannot = |error: &dyn std::fmt::Display| ReadError::CannotProve(error.to_string());
        let asked = tree_length(length).map_err(|_| beyond())?;
        let plan = ProofPlan::inclusion(tree_length(newest)?, asked, &leaves);
        let plan = plan.map_err(|error| cannot(&error))?;
        let committed = self.committed(length)?;
        self.check_window(&committed)?;
        let log = self.complete(&plan, &committed)?;
        let map = self.prove_newest(&committed, indices)?;
        Ok(InclusionProofs { log, map })
    }

    /// Proves that the log of one length is the beginning of the log of another.
    ///
    /// # Errors
    /// [`ReadError::CannotProve`]
    pub fn prove_consistency(&self, from: LogLength, to: LogLength) -> Result<Vec<u8>, ReadError> {
        let newest = self.newest().committed.length();
        let cannot = |error: &dyn std::fmt::Display| ReadError::CannotProve(error.to_string());
        let from = tree_length(from).map_err(|_| beyond())?;
        let to = tree_length(to).map_err(|_| beyond())?;
        let plan = ProofPlan::consistency(tree_length(newest)?, from, to);
        let plan = plan.map_err(|error| cannot(&error))?;
        let tiles = self.tiles(plan.tiles())?;
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(error.to_string());
        let bundle = plan.complete(&tiles).map_err(|error| damaged(&error))?;
        encode(&bundle)
    }

    /// A bundle that was checked against the committed root, so that a store that has rotted is found
    /// here and not by those who ask.
    fn complete(&self, plan: &ProofPlan, committed: &Committed) -> Result<Vec<u8>, ReadError> {
        let tiles = self.tiles(plan.tiles())?;
        let bundle = plan.complete_checked(&tiles, &committed.checkpoint.log_root);
        encode(&bundle.map_err(|error| StoreError::Damaged(error.to_string()))?)
    }

    fn prove_newest(
        &self,
        committed: &Committed,
        indices: &[RegistryIndex],
    ) -> Result<Vec<u8>, ReadError> {
        let leaves: Option<Vec<LogLeaf>> = self.store().leaves(indices)?.into_iter().collect();
        let leaves =
            leaves.ok_or_else(|| StoreError::Damaged("a leaf of the log is missing".into()))?;
        let paths: Vec<_> = leaves.iter().map(|leaf| leaf.log_id.map_path()).collect();
        let mut lookup = Lookup::new(Some(committed.map_head()), paths.iter().copied());
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(error.to_string());
        while !lookup.wanted().is_empty() {
            let pages = self.pages(lookup.wanted())?;
            lookup.supply(pages).map_err(|error| damaged(&error))?;
        }
        let mut proofs = Vec::with_capacity(leaves.len());
        for (leaf, path) in leaves.iter().zip(&paths) {
            let found = lookup.find(path).map_err(|error| damaged(&error))?;
            let found = found.ok_or_else(|| damaged(&"a log is not in the map"))?;
            let expected = MapLeaf { record_id: leaf.record_id }.hash();
            if found.leaf != expected {
                let root = committed.checkpoint.map_root;
                let found = found.proof.root(path, expected);
                return Err(ReadError::IncorrectProof { root, found });
            }
            proofs.push(found.proof);
        }
        Ok(MapProofBundle::new(proofs).encode())
    }

    /// Maps of old checkpoints are kept for a while only (the newest always is).
    fn check_window(&self, committed: &Committed) -> Result<(), ReadError> {
        let tools = self.tools();
        let newest = self.newest().committed.length();
        let oldest = seconds(tools.clock.now()).saturating_sub(tools.limits.map_window_seconds);
        if committed.length() == newest || committed.seconds >= oldest {
            return Ok(());
        }
        // The one that was the newest when the window began is part of it.
        let first = self.store().commit_at(oldest)?;
        match first {
            Some(first) if committed.length() < first.length() => {
                Err(ReadError::CheckpointNotFound(committed.length()))
            }
            _ => Ok(()),
        }
    }

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, ReadError> {
        let is_wide = |wanted: &TileRef, tile: &Arc<Tile>| tile.width() >= wanted.width;
        let fetch = |missing: &[TileRef]| self.store().tiles(missing);
        Ok(self.kept_tiles().all(wanted, |it| it.id, is_wide, fetch)?)
    }

    fn pages(&self, wanted: &[PageId]) -> Result<Vec<Arc<Page>>, ReadError> {
        let fetch = |missing: &[PageId]| self.store().pages(missing);
        Ok(self.kept_pages().all(wanted, |it| *it, |_, _| true, fetch)?)
    }
}

fn beyond() -> ReadError {
    ReadError::CannotProve("the log is not that long".into())
}

fn encode(bundle: &LogProofBundle) -> Result<Vec<u8>, ReadError> {
    bundle.encode().map_err(|error| ReadError::CannotProve(error.to_string()))
}
