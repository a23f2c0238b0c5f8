//! Rows, and how they are measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::sizes::{ROUND_TIME, ROUNDS};

/// One side of a row: does its work so many times and says how long that took.
pub(crate) struct Side(Box<dyn FnMut(u32) -> Duration>);

impl Side {
    /// Work that can be done again and again, timed as a whole. It is given a number that counts up.
    pub(crate) fn repeated<O>(mut work: impl FnMut(usize) -> O + 'static) -> Self {
        let mut count = 0;
        Self(Box::new(move |times| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(work(black_box(count)));
                count += 1;
            }
            start.elapsed()
        }))
    }

    /// Work that uses something up, which is made anew each time. Neither making it nor dropping
    /// what comes out is timed.
    pub(crate) fn fresh<I, O>(
        mut make: impl FnMut() -> I + 'static,
        mut work: impl FnMut(I) -> O + 'static,
    ) -> Self {
        Self(Box::new(move |times| {
            let mut sum = Duration::ZERO;
            for _ in 0..times {
                let input = black_box(make());
                let start = Instant::now();
                let output = black_box(work(input));
                sum += start.elapsed();
                drop(output);
            }
            sum
        }))
    }

    /// As often as fills the time of a round. Also the warm-up.
    fn calibrate(&mut self) -> u32 {
        let mut times = 1;
        loop {
            let took = (self.0)(times);
            if took >= ROUND_TIME || times >= 1 << 24 {
                return times;
            }
            let nanos = took.as_nanos().max(1);
            let wanted = u128::from(times) * ROUND_TIME.as_nanos() / nanos + 1;
            times = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(times + 1, times * 16);
        }
    }

    /// Nanoseconds for each time.
    fn sample(&mut self, times: u32) -> f64 {
        (self.0)(times).as_secs_f64() * 1e9 / f64::from(times)
    }
}

/// One line of the table, before it is measured.
pub(crate) struct Row {
    /// Short.
    pub(crate) name: String,
    /// What is timed, and what is not.
    pub(crate) measures: &'static str,
    /// Ours.
    pub(crate) ours: Side,
    /// Theirs.
    pub(crate) theirs: Side,
}

/// One line of the table.
pub(crate) struct Outcome {
    /// Short.
    pub(crate) name: String,
    /// What is measured, and what is not.
    pub(crate) measures: &'static str,
    /// Of the two numbers.
    pub(crate) unit: Unit,
    /// The median of our samples.
    pub(crate) ours: f64,
    /// The median of theirs.
    pub(crate) theirs: f64,
    /// Theirs by ours in each round, ascending. More than 1: we are ahead.
    pub(crate) ratios: Vec<f64>,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Time.
    Nanoseconds,
    /// Memory.
    Bytes,
}

impl Row {
    /// Measures both sides in turns.
    pub(crate) fn measure(mut self) -> Outcome {
        let (our_times, their_times) = (self.ours.calibrate(), self.theirs.calibrate());
        let rounds = (0..ROUNDS).map(|round| {
            if round % 2 == 0 {
                let ours = self.ours.sample(our_times);
                (ours, self.theirs.sample(their_times))
            } else {
                let theirs = self.theirs.sample(their_times);
                (self.ours.sample(our_times), theirs)
            }
        });
        let samples = rounds.collect();
        Outcome::new(self.name, self.measures, Unit::Nanoseconds, samples)
    }
}

impl Outcome {
    /// From samples of both sides, round by round.
    pub(crate) fn new(
        name: String,
        measures: &'static str,
        unit: Unit,
        samples: Vec<(f64, f64)>,
    ) -> Self {
        let ratios = sorted(samples.iter().map(|(ours, theirs)| theirs / ours));
        let (ours, theirs): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let (ours, theirs) = (median(&sorted(ours)), median(&sorted(theirs)));
        Self { name, measures, unit, ours, theirs, ratios }
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }

    /// `ahead` or `behind`.
    pub(crate) fn verdict(&self) -> &'static str {
        if self.ratio() > 1.0 { "ahead" } else { "behind" }
    }
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
