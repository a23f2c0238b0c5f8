//! Hashes of the pieces of content that was read as a whole and found right, so that a part of it can be
//! checked without reading the rest again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use wargate_crypto::{Digest, Sha256};

use crate::limits::{PIECE_BYTES, PIECE_HASHES_MAX};

/// Of each piece of a content, in its order.
pub(crate) type Hashes = Arc<[Digest]>;

/// What is remembered, the oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct PieceHashes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    of: HashMap<Digest, Hashes>,
    oldest: VecDeque<Digest>,
    pieces: usize,
}

impl PieceHashes {
    pub(crate) fn known(&self, content: &Digest) -> Option<Hashes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).of.get(content).cloned()
    }

    /// Remembers hashes of content whose digest was found right.
    pub(crate) fn remember(&self, content: Digest, hashes: Hashes) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hashes.len() > PIECE_HASHES_MAX || known.of.contains_key(&content) {
            return;
        }
        known.pieces += hashes.len();
        known.of.insert(content, hashes);
        known.oldest.push_back(content);
        while known.pieces > PIECE_HASHES_MAX {
            let Some(oldest) = known.oldest.pop_front() else { break };
            let pieces = known.of.remove(&oldest).map_or(0, |hashes| hashes.len());
            known.pieces = known.pieces.saturating_sub(pieces);
        }
    }
}

/// The hashes of pieces, and of all of them, of bytes that come one after the other.
#[derive(Clone)]
pub(crate) struct Hasher {
    whole: Sha256,
    piece: Sha256,
    /// Bytes of the piece that is not full yet.
    piece_bytes: u64,
    hashes: Vec<Digest>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let (whole, piece) = (Sha256::new(), Sha256::new());
        Self { whole, piece, piece_bytes: 0, hashes: Vec::new() }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let room = usize::try_from(PIECE_BYTES - self.piece_bytes).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.piece.update(now);
            self.piece_bytes += now.len() as u64;
            if self.piece_bytes == PIECE_BYTES {
                self.end_piece();
            }
            bytes = rest;
        }
    }

    /// How many pieces are full.
    pub(crate) fn pieces(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The digest of all, and the hashes of the pieces.
    pub(crate) fn finish(mut self) -> (Digest, Hashes) {
        if self.piece_bytes > 0 {
            self.end_piece();
        }
        (self.whole.finish(), self.hashes.into())
    }

    fn end_piece(&mut self) {
        self.hashes.push(std::mem::replace(&mut self.piece, Sha256::new()).finish());
        self.piece_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_hashed_however_they_come() {
        let bytes: Vec<u8> = (0..PIECE_BYTES * 2 + 5).map(|at| at.to_le_bytes()[0]).collect();
        let expected: Vec<Digest> = bytes.chunks(1 << 20).map(Digest::of).collect();
        for chunk in [1 << 20, 700_001, bytes.len()] {
            let mut all = Hasher::new();
            bytes.chunks(chunk).for_each(|chunk| all.update(chunk));
            let (digest, hashes) = all.finish();
            assert_eq!((digest, &*hashes), (Digest::of(&bytes), &*expected));
        }
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let known = PieceHashes::default();
        let many: Hashes = vec![Digest::of(b""); PIECE_HASHES_MAX / 2].into();
        let names = [b"a", b"b", b"c"].map(|name| Digest::of(name));
        for name in names {
            known.remember(name, Arc::clone(&many));
            known.remember(name, Arc::clone(&many));
        }
        assert_eq!(names.map(|name| known.known(&name).is_some()), [false, true, true]);
        known.remember(Digest::of(b"d"), vec![Digest::of(b""); PIECE_HASHES_MAX + 1].into());
        assert!(known.known(&Digest::of(b"d")).is_none() && known.known(&names[1]).is_some());
    }
}
