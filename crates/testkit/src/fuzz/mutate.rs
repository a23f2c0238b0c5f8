//! Mutations of inputs that are the same on every machine and in every run.

/// A small generator of numbers (SplitMix64). The seed is all of its state.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that repeats with its seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }
}

/// A seed after one to four changes: bits flipped, bytes replaced, cut off, cut out, doubled, or
/// joined with a part of another seed.
pub fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds.get(random.below(seeds.len().max(1))).cloned().unwrap_or_default();
    for _ in 0..=random.below(4) {
        change(&mut input, seeds, random);
    }
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    if input.is_empty() {
        return input.push(random.next().to_le_bytes()[0]);
    }
    let at = random.below(input.len());
    let end = at + random.below((input.len() - at).min(64)) + 1;
    match random.below(8) {
        0 | 1 => input[at] ^= 1 << random.below(8),
        2 => input[at] = random.next().to_le_bytes()[0],
        3 => input[at] = [0x00, 0x7f, 0x80, 0xff, b'"', b':'][random.below(6)],
        4 => input.truncate(at),
        5 => drop(input.drain(at..end)),
        6 => {
            let doubled = input[at..end].to_vec();
            input.splice(at..at, doubled).for_each(drop);
        }
        _ => {
            input.truncate(at);
            if let Some(other) = seeds.get(random.below(seeds.len().max(1))) {
                let from = random.below(other.len() + 1);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_the_same_inputs() {
        let seeds = vec![b"one seed".to_vec(), Vec::new(), vec![7; 300]];
        let inputs = |seed| -> Vec<_> {
            let mut random = Random::new(seed);
            (0..100).map(|_| mutated(&seeds, &mut random)).collect()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(mutated(&[], &mut Random::new(3)).len() <= 8);
    }
}
