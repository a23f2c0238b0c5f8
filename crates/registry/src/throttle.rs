//! How often somebody may do something: token buckets in a table that never grows.
//!
//! A bucket holds as many tokens as its rate's burst; what is done takes some, and they come back one
//! by one. It is kept as a single number, the moment at which it is full again, and a bucket that is
//! full is the same as none. So the table has a fixed number of places, in small sets that a keyed hash
//! chooses. Where a set has no place left, the bucket goes that is full soonest: whoever comes with
//! many names at once gains what each of them has anyway, and nobody else loses anything.
//!
//! Time is given by the caller, since any moment that it likes. If it steps back, nobody waits longer
//! than it takes to fill a bucket.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many sets of buckets there are in a table: with [`WAYS`] in each, 64 Ki buckets in 1 MiB.
const SETS: usize = 8192;

/// How many buckets there are in a set.
const WAYS: usize = 8;

/// How many tokens there are at most, and how fast they come back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How long one token takes, in picoseconds: a byte of a fast download takes less than a
    /// nanosecond.
    token_picos: u64,
    burst: u64,
}

impl Rate {
    /// So many tokens in so much time, and at most `burst` of them at once. Neither is less than one.
    pub fn new(tokens: u64, time: Duration, burst: u64) -> Self {
        let picos = time.as_nanos().saturating_mul(1000) / u128::from(tokens.max(1));
        Self { token_picos: u64::try_from(picos).unwrap_or(u64::MAX).max(1), burst: burst.max(1) }
    }

    /// The same, so many times faster and larger.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        let factor = factor.max(1);
        let token_picos = (self.token_picos / factor).max(1);
        Self { token_picos, burst: self.burst.saturating_mul(factor) }
    }

    /// How long it takes until so many tokens have come back.
    fn time_of(self, tokens: u64) -> Duration {
        let picos = u128::from(self.token_picos) * u128::from(tokens);
        Duration::from_nanos(u64::try_from(picos / 1000).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({:?} each, at most {})", self.time_of(1), self.burst)
    }
}

/// A table of buckets.
pub struct Buckets {
    hasher: RandomState,
    sets: Box<[Mutex<Set>]>,
}

type Set = [Bucket; WAYS];

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Whose it is; two with one mark are one in 2^64.
    mark: u64,
    /// When it is full again.
    full: Duration,
}

impl Default for Buckets {
    fn default() -> Self {
        let sets = (0..SETS).map(|_| Mutex::new(Set::default())).collect();
        Self { hasher: RandomState::new(), sets }
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buckets(…)")
    }
}

impl Buckets {
    /// Takes tokens out of somebody's bucket. Who asks for more than a bucket holds waits until it is
    /// full, and takes all of them.
    ///
    /// # Errors
    /// How long to wait until there are as many.
    pub fn take(
        &self,
        who: impl Hash,
        rate: Rate,
        tokens: u64,
        now: Duration,
    ) -> Result<(), Duration> {
        let all = rate.time_of(rate.burst);
        let cost = rate.time_of(tokens).min(all);
        self.with(who, now, |bucket| {
            // Unless time has stepped back, it is never further away.
            let full = bucket.full.clamp(now, now.saturating_add(all));
            let needed = full.saturating_add(cost).saturating_sub(now);
            if needed > all {
                return Err(needed.saturating_sub(all));
            }
            bucket.full = full.saturating_add(cost);
            Ok(())
        })
    }

    /// Puts tokens back that were taken for nothing.
    pub fn give_back(&self, who: impl Hash, rate: Rate, tokens: u64, now: Duration) {
        self.with(who, now, |bucket| {
            bucket.full = bucket.full.saturating_sub(rate.time_of(tokens));
        });
    }

    fn with<T>(&self, who: impl Hash, now: Duration, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let mark = self.hasher.hash_one(who);
        let at = usize::try_from(mark % SETS as u64).unwrap_or(0);
        // Nothing can be half done when the lock is released.
        let mut set = self.sets[at].lock().unwrap_or_else(PoisonError::into_inner);
        let place = place(&set, mark, now);
        let bucket = &mut set[place];
        if bucket.mark != mark {
            *bucket = Bucket { mark, full: now };
        }
        work(bucket)
    }
}

/// Where a bucket is, or may be: in the place of the one that is full soonest.
fn place(set: &Set, mark: u64, now: Duration) -> usize {
    let own = set.iter().position(|bucket| bucket.mark == mark);
    let soonest = || (0..WAYS).min_by_key(|at| set[*at].full.max(now)).unwrap_or(0);
    own.unwrap_or_else(soonest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_after_the_other() {
        let (buckets, rate) = (Buckets::default(), Rate::new(10, Duration::from_secs(1), 3));
        for _ in 0..3 {
            assert_eq!(buckets.take("a", rate, 1, at(0)), Ok(()));
        }
        assert_eq!(buckets.take("a", rate, 1, at(0)), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("a", rate, 1, at(60)), Err(Duration::from_millis(40)));
        assert_eq!(buckets.take("a", rate, 1, at(100)), Ok(()));
        assert_eq!(buckets.take("a", rate, 1, at(100)), Err(Duration::from_millis(100)));
        // Nobody else pays for it.
        assert_eq!(buckets.take("b", rate, 3, at(100)), Ok(()));
        // Who has waited long enough has all of it again, and no more.
        assert_eq!(buckets.take("a", rate, 3, at(10_000)), Ok(()));
        assert!(buckets.take("a", rate, 1, at(10_000)).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_a_bucket_holds_no_more_than_it_does() {
        let (buckets, rate) = (Buckets::default(), Rate::new(1, Duration::from_mins(1), 2));
        assert_eq!(buckets.take(1, rate, 2, at(0)), Ok(()));
        assert!(buckets.take(1, rate, 1, at(0)).is_err());
        buckets.give_back(1, rate, 1, at(0));
        assert_eq!(buckets.take(1, rate, 1, at(0)), Ok(()));
        buckets.give_back(1, rate, 100, at(0));
        assert_eq!(buckets.take(1, rate, 2, at(0)), Ok(()));
        assert!(buckets.take(1, rate, 1, at(0)).is_err());
    }

    #[test]
    fn who_takes_more_than_a_bucket_holds_takes_all_of_it() {
        let (buckets, rate) = (Buckets::default(), Rate::new(100, Duration::from_secs(1), 100));
        assert_eq!(buckets.take(1, rate, 1000, at(0)), Ok(()));
        assert_eq!(buckets.take(1, rate, 1, at(0)), Err(Duration::from_millis(10)));
        assert_eq!(buckets.take(1, rate, 1000, at(400)), Err(Duration::from_millis(600)));
        assert_eq!(buckets.take(1, rate, 1000, at(1000)), Ok(()));
    }

    #[test]
    fn a_clock_that_steps_back_makes_nobody_wait_for_long() {
        let (buckets, rate) = (Buckets::default(), Rate::new(1, Duration::from_secs(1), 2));
        assert_eq!(buckets.take(1, rate, 2, at(900_000)), Ok(()));
        assert_eq!(buckets.take(1, rate, 1, at(0)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn many_names_take_nobody_elses_place_and_free_nobody_who_waits() {
        let (buckets, rate) = (Buckets::default(), Rate::new(1, Duration::from_hours(1), 10));
        assert_eq!(buckets.take("exhausted", rate, 10, at(0)), Ok(()));
        for stranger in 0..1_000_000_u32 {
            assert_eq!(buckets.take(stranger, rate, 1, at(0)), Ok(()));
        }
        assert!(buckets.take("exhausted", rate, 1, at(0)).is_err());
        assert_eq!(buckets.take("honest", rate, 10, at(0)), Ok(()));
    }
}
