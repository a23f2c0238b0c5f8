//! Some things that were used a moment ago, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, in two generations: when the young ones have become too many, they are the old ones,
/// and those before them are dropped. Whatever is used becomes young again.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    generations: Mutex<Generations<K, V>>,
    weigh: fn(&V) -> usize,
    /// What the values of a generation may weigh.
    most: usize,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// What the young ones weigh.
    weight: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Kept<K, V> {
    /// Room for twice as many values, at the most.
    pub(crate) fn new(most: usize) -> Self {
        Self::weighed(most, |_| 1)
    }

    /// Room for values that weigh twice as much, at the most.
    pub(crate) fn weighed(most: usize, weigh: fn(&V) -> usize) -> Self {
        Self { generations: Mutex::default(), weigh, most }
    }

    /// The value, if it is here.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.use_again(&mut self.lock(), key)
    }

    /// Keeps a value, if there is room for it at all.
    pub(crate) fn keep(&self, key: K, value: V) {
        self.change([(key, Some(value))]);
    }

    /// Keeps values, and forgets those of keys that come without one.
    pub(crate) fn change(&self, changes: impl IntoIterator<Item = (K, Option<V>)>) {
        let mut generations = self.lock();
        for (key, value) in changes {
            self.forget(&mut generations, &key);
            if let Some(value) = value {
                self.insert(&mut generations, key, value);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Generations::default();
    }

    /// The values of these keys in the order asked. Those that are not here, or do not do, are fetched
    /// together, in the order asked.
    pub(crate) fn all<W: Copy, E>(
        &self,
        wanted: &[W],
        key: impl Fn(&W) -> K,
        does: impl Fn(&W, &V) -> bool,
        fetch: impl FnOnce(&[W]) -> Result<Vec<V>, E>,
    ) -> Result<Vec<V>, E> {
        let mut found: Vec<Option<V>> = {
            let mut generations = self.lock();
            let mut find =
                |it: &W| self.use_again(&mut generations, &key(it)).filter(|value| does(it, value));
            wanted.iter().map(&mut find).collect()
        };
        let missing: Vec<W> = wanted
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(wanted, _)| *wanted)
            .collect();
        if !missing.is_empty() {
            let mut fetched = fetch(&missing)?.into_iter();
            let mut fresh = Vec::with_capacity(missing.len());
            for (wanted, found) in wanted.iter().zip(&mut found) {
                if found.is_none()
                    && let Some(value) = fetched.next()
                {
                    fresh.push((key(wanted), Some(value.clone())));
                    *found = Some(value);
                }
            }
            self.change(fresh);
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn use_again(&self, generations: &mut Generations<K, V>, key: &K) -> Option<V> {
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        self.insert(generations, key, value.clone());
        Some(value)
    }

    fn insert(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        generations.weight += (self.weigh)(&value);
        generations.young.insert(key, value);
        if generations.weight > self.most {
            generations.old = std::mem::take(&mut generations.young);
            generations.weight = 0;
        }
    }

    fn forget(&self, generations: &mut Generations<K, V>, key: &K) {
        generations.old.remove(key);
        if let Some(gone) = generations.young.remove(key) {
            generations.weight = generations.weight.saturating_sub((self.weigh)(&gone));
        }
    }

    /// One insertion or removal at a time, so it is whole after a panic.
    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), weight: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let kept = Kept::new(2);
        kept.keep(0, 'a');
        for number in 1..100 {
            kept.keep(number, 'x');
            assert_eq!(kept.get(&0), Some('a'), "after {number}");
        }
        assert_eq!((1..95).find_map(|number| kept.get(&number)), None);
    }

    #[test]
    fn what_weighs_more_takes_the_room_of_more() {
        let there = |weight| {
            let kept = Kept::weighed(10, |value: &usize| *value);
            kept.change((0..100).map(|number| (number, Some(weight))));
            let generations = kept.lock();
            assert!(generations.weight <= 10);
            generations.young.len() + generations.old.len()
        };
        assert_eq!((there(1), there(4), there(100)), (12, 4, 1));
        let kept = Kept::weighed(10, |value: &usize| *value);
        kept.keep(0, 1000);
        kept.keep(1, 1000);
        assert_eq!((kept.get(&0), kept.get(&1)), (None, Some(1000)));
    }

    #[test]
    fn what_is_forgotten_leaves_its_room() {
        let kept = Kept::new(3);
        kept.keep(0, 'a');
        for _ in 0..100 {
            kept.keep(1, 'b');
            kept.change([(1, None)]);
        }
        assert_eq!((kept.get(&0), kept.get(&1)), (Some('a'), None));
        kept.clear();
        assert_eq!(kept.get(&0), None);
    }

    #[test]
    fn only_what_is_missing_is_fetched() {
        let kept = Kept::new(10);
        kept.keep(1, "one");
        let fetch = |missing: &[i32]| {
            assert_eq!(missing, [3, 2]);
            Ok::<_, ()>(vec!["three", "two"])
        };
        let all = kept.all(&[3, 1, 2], |it| *it, |_, _| true, fetch);
        assert_eq!(all, Ok(vec!["three", "one", "two"]));
        let again = kept.all(
            &[2, 3],
            |it| *it,
            |_, value| *value != "two",
            |missing| {
                assert_eq!(missing, [2]);
                Err("gone")
            },
        );
        assert_eq!(again, Err("gone"));
    }
}
