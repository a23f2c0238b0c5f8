//! Random numbers that a seed repeats.

use std::hash::{BuildHasher, RandomState};

/// Takes the place of a seed that was made at random.
const SEED: &str = "WARGATE_CRASH_SEED";

/// The seed of a test: a new one each time, unless the environment has one. It is printed, so that a
/// failure can be repeated as far as threads can be.
pub(crate) fn seed(test: &str) -> u64 {
    let given = std::env::var(SEED).ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(test));
    eprintln!("{test}: {SEED}={seed}");
    seed
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than this one, which is not 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    /// True once in so many times.
    pub(crate) const fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(length).collect()
    }

    /// Keeps the processor busy for a moment of random length.
    pub(crate) fn hesitate(&mut self, turns_max: u64) {
        for _ in 0..self.below(turns_max) {
            std::hint::spin_loop();
        }
    }
}
