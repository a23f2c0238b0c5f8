//! Random numbers that a seed repeats: SplitMix64.

use std::cell::Cell;

/// A generator. Everything that it makes follows from its seed.
///
/// It is shared by reference, so that one expression can draw several times.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Random {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        let mut bits = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(bits);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a usize has at most 64 bits");
        usize::try_from(self.bits() % end).expect("less than a usize")
    }

    /// A number from `first` to `last`.
    pub fn between(&self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True once in `often` times.
    pub fn one_in(&self, often: usize) -> bool {
        self.below(often) == 0
    }

    /// One of the values.
    pub fn pick<'a, T>(&self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    /// A byte.
    pub fn byte(&self) -> u8 {
        self.bits().to_le_bytes()[0]
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// As many bytes as asked for.
    pub fn bytes(&self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// A text of these characters.
    pub fn text(&self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| *self.pick(&alphabet)).collect()
    }

    /// Bytes that differ from these in one to three random places: changed, left out, doubled, put
    /// in, cut off, or a run copied elsewhere.
    pub fn corrupt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut corrupt = bytes.to_vec();
        for _ in 0..self.between(1, 3) {
            let at = self.below(corrupt.len() + 1);
            match self.below(7) {
                0 if at < corrupt.len() => corrupt[at] ^= 1 << self.below(8),
                1 if at < corrupt.len() => corrupt[at] = self.byte(),
                2 if at < corrupt.len() => drop(corrupt.remove(at)),
                3 => corrupt.insert(at, self.byte()),
                4 if self.one_in(4) => corrupt.truncate(at),
                5 if at < corrupt.len() => corrupt[at] = corrupt[at].wrapping_add(1),
                _ => {
                    let end = self.between(at, corrupt.len());
                    let run = corrupt[at..end.min(at + 80)].to_vec();
                    let to = self.below(corrupt.len() + 1);
                    corrupt.splice(to..to, run);
                }
            }
        }
        corrupt
    }

    /// A text that differs from this ASCII one in one to three random places.
    pub fn corrupt_text(&self, text: &str) -> String {
        let mut corrupt: Vec<char> = text.chars().collect();
        for _ in 0..self.between(1, 3) {
            let at = self.below(corrupt.len() + 1);
            let new = *self
                .pick(&['A', 'b', 'f', '0', '9', '+', '/', '=', '-', '_', ':', ' ', 'é', '\n']);
            match self.below(5) {
                0 if at < corrupt.len() => corrupt[at] = new,
                1 if at < corrupt.len() => drop(corrupt.remove(at)),
                2 if at < corrupt.len() => {
                    corrupt[at] = match corrupt[at] {
                        lower if lower.is_ascii_lowercase() => lower.to_ascii_uppercase(),
                        upper => upper.to_ascii_lowercase(),
                    }
                }
                3 if at < corrupt.len() && self.one_in(3) => corrupt.truncate(at),
                _ => corrupt.insert(at, new),
            }
        }
        corrupt.into_iter().collect()
    }
}
