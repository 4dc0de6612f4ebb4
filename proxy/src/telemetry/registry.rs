//! Where a shard's numbers lie so that a scrape finds them.

use foldhash::fast::FixedState;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Entries that one shard may have of one kind. Names come from the configuration, so this is met only where many
/// configurations with other names followed each other.
const MAX_ENTRIES: usize = 32_768;

/// Numbers by key: what a shard has made so far. Locked when a key is new, and by scrapes.
#[derive(Debug)]
pub(crate) struct Registry<K, V>(Mutex<Vec<(K, Arc<V>)>>);

/// The shard's own way to its numbers, without a lock.
pub(crate) struct Local<K, V> {
    /// By the hash of the query; borrowed parts find an owned key without making one.
    known: HashMap<u64, Vec<(K, Arc<V>)>, Prehashed>,
    entries: usize,
    /// Takes what does not fit; no scrape shows it.
    overflow: Arc<V>,
    make: Box<dyn Fn() -> V>,
    registry: Arc<Registry<K, V>>,
}

/// Finds a key by its parts.
pub(crate) trait Query<K>: Hash {
    /// Whether this is the key.
    fn is(&self, key: &K) -> bool;
    /// Makes the key, once.
    fn key(&self) -> K;
}

impl<K, V> Default for Registry<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<K, V> Registry<K, V> {
    /// Visits every entry.
    pub(crate) fn each(&self, mut visit: impl FnMut(&K, &V)) {
        for (key, value) in self.lock().iter() {
            visit(key, value);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(K, Arc<V>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone, V: Default + 'static> Local<K, V> {
    pub(crate) fn new(registry: Arc<Registry<K, V>>) -> Self {
        Self::made_by(registry, Box::new(V::default))
    }
}

impl<K: Clone, V> Local<K, V> {
    /// For numbers that need to be told what they are to look like.
    pub(crate) fn made_by(registry: Arc<Registry<K, V>>, make: Box<dyn Fn() -> V>) -> Self {
        Self { known: HashMap::default(), entries: 0, overflow: Arc::new(make()), make, registry }
    }

    /// The numbers of a key.
    pub(crate) fn of(&mut self, query: &(impl Query<K> + ?Sized)) -> &Arc<V> {
        let same = self.known.entry(FixedState::default().hash_one(query)).or_default();
        let at = match same.iter().position(|(key, _)| query.is(key)) {
            Some(at) => at,
            None if self.entries >= MAX_ENTRIES => return &self.overflow,
            None => {
                let (key, value) = (query.key(), Arc::new((self.make)()));
                self.registry.lock().push((key.clone(), value.clone()));
                same.push((key, value));
                self.entries += 1;
                same.len() - 1
            }
        };
        &same[at].1
    }

    /// Forgets keys that are not wanted any more, if so many are known that new ones may soon not fit.
    pub(crate) fn make_room(&mut self, wanted: impl Fn(&K) -> bool) {
        if self.entries >= MAX_ENTRIES / 2 {
            self.known.retain(|_, same| {
                same.retain(|(key, _)| wanted(key));
                !same.is_empty()
            });
            self.entries = self.known.values().map(Vec::len).sum();
            self.registry.lock().retain(|(key, _)| wanted(key));
        }
    }
}

impl Query<Box<str>> for str {
    fn is(&self, key: &Box<str>) -> bool {
        **key == *self
    }

    fn key(&self) -> Box<str> {
        self.into()
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Prehashed;

impl BuildHasher for Prehashed {
    type Hasher = Taken;

    fn build_hasher(&self) -> Taken {
        Taken(0)
    }
}

struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::number::Counter;

    #[test]
    fn keys_are_made_once_and_overflow_is_bounded() {
        let registry = Arc::<Registry<Box<str>, Counter>>::default();
        let mut local = Local::new(registry.clone());
        for number in 0..MAX_ENTRIES + 10 {
            local.of(number.to_string().as_str()).add(1);
        }
        local.of("7").add(1);
        let mut seen = 0;
        registry.each(|key, counter| {
            seen += 1;
            assert_eq!(counter.get(), if **key == *"7" { 2 } else { 1 });
        });
        assert_eq!(seen, MAX_ENTRIES);
        local.make_room(|key| **key == *"7");
        local.of("new").add(5);
        let mut left = Vec::new();
        registry.each(|key, counter| left.push((key.to_string(), counter.get())));
        assert_eq!(left, [("7".to_owned(), 2), ("new".to_owned(), 5)]);
    }
}
