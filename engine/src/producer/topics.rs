//! From a topic's name to the slots of its partitions, without a lock where it matters.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use klamm_core::{
    Entropy,
    producer::partitioner::{Partitioner, TopicSpread},
};
use klamm_protocol::Str;

use super::slot::Slot;
use crate::wait::lock;

/// Where the keyless records of one topic go.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) topic: TopicSpread,
    pub(super) entropy: Entropy,
}

/// One topic as a producer sees it. Replaced as a whole when its partitions change.
#[derive(Debug)]
pub(super) struct TopicEntry {
    pub(super) name: Str,
    pub(super) slots: Vec<Arc<Slot>>,
    /// Shared by all versions of the entry.
    pub(super) spread: Arc<Mutex<Spread>>,
}

impl TopicEntry {
    /// The partition of a record with this key, if hashing it says so.
    pub(super) fn hashed(&self, partitioner: Partitioner, key: Option<&[u8]>) -> Option<usize> {
        let count = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let partition = partitioner.partition(key, &mut TopicSpread::new(count), &mut Entropy::new(0))?;
        usize::try_from(partition).ok()
    }
}

/// The topics of one producer.
#[derive(Debug)]
pub(super) struct TopicTable {
    /// Tells this table from all others, in the caches of threads.
    id: u64,
    /// Counts the changes.
    generation: AtomicU64,
    entries: RwLock<BTreeMap<Str, Arc<TopicEntry>>>,
}

/// What a thread looked up before.
struct Cached {
    table: u64,
    generation: u64,
    entry: Arc<TopicEntry>,
}

const CACHED: usize = 8;

thread_local! {
    static CACHE: RefCell<[Option<Cached>; CACHED]> = const { RefCell::new([const { None }; CACHED]) };
}

impl TopicTable {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, generation: AtomicU64::new(0), entries: RwLock::new(BTreeMap::new()) }
    }

    /// Lends out a topic's entry; `None` if it is not there. Usually this takes no lock: a thread remembers the
    /// topics that it used last.
    pub(super) fn with<R>(&self, topic: &str, use_it: impl FnOnce(&TopicEntry) -> R) -> Option<R> {
        let generation = self.generation.load(Ordering::Acquire);
        CACHE.with(|cache| {
            let Ok(mut cache) = cache.try_borrow_mut() else {
                return self.find(topic).map(|entry| use_it(&entry));
            };
            let place = &mut cache[place_of(topic)];
            let hit = place.as_ref().is_some_and(|cached| {
                cached.table == self.id
                    && cached.generation == generation
                    && cached.entry.name.as_bytes() == topic.as_bytes()
            });
            if !hit {
                *place = Some(Cached { table: self.id, generation, entry: self.find(topic)? });
            }
            place.as_ref().map(|cached| use_it(&cached.entry))
        })
    }

    pub(super) fn find(&self, topic: &str) -> Option<Arc<TopicEntry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// Adds or replaces an entry.
    pub(super) fn put(&self, entry: TopicEntry) {
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(entry.name.clone(), Arc::new(entry));
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(super) fn clear(&self) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The names of the topics.
    pub(super) fn names(&self) -> Vec<Str> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Spread {
    pub(super) fn shared(count: usize, entropy: Entropy) -> Arc<Mutex<Self>> {
        let topic = TopicSpread::new(u32::try_from(count).unwrap_or(u32::MAX));
        Arc::new(Mutex::new(Self { topic, entropy }))
    }

    pub(super) fn update(spread: &Mutex<Self>, count: usize, writable: Option<Vec<u32>>) {
        lock(spread).topic.update(u32::try_from(count).unwrap_or(u32::MAX), writable);
    }
}

/// The place of a topic in a thread's cache: its length and last bytes differ where names do, as a rule.
fn place_of(topic: &str) -> usize {
    let last = match topic.as_bytes() {
        [.., before, last] => usize::from(*before).wrapping_mul(31) ^ usize::from(*last),
        _ => 0,
    };
    (topic.len().wrapping_mul(31) ^ last) % CACHED
}
