//! Some things that were used a moment ago, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, in two generations: when the young ones have become too many, they are the old ones,
/// and those before them are dropped. Whatever is used becomes young again.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// Most values of a generation.
    most: usize,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Copy, V: Clone> Kept<K, V> {
    /// Room for twice as many values, at the most.
    pub(crate) fn new(most: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generations: Mutex::new(generations), most }
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
            let find = |it: &W| generations.use_again(&key(it)).filter(|value| does(it, value));
            wanted.iter().map(find).collect()
        };
        let missing: Vec<W> = wanted
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(wanted, _)| *wanted)
            .collect();
        if !missing.is_empty() {
            let mut fetched = fetch(&missing)?.into_iter();
            let mut generations = self.lock();
            for (wanted, found) in wanted.iter().zip(&mut found) {
                if found.is_none()
                    && let Some(value) = fetched.next()
                {
                    generations.keep(key(wanted), value.clone(), self.most);
                    *found = Some(value);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// One insertion or removal at a time, so it is whole after a panic.
    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, V: Clone> Generations<K, V> {
    fn use_again(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.young.insert(*key, value.clone());
        Some(value)
    }

    fn keep(&mut self, key: K, value: V, most: usize) {
        self.young.insert(key, value);
        if self.young.len() > most {
            self.old = std::mem::take(&mut self.young);
        }
    }
}
