//! How many records are with the application, and which of them it let go of.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use klamm_core::group::TopicPartition;

use crate::wait::{Waiters, lock};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Window {
    max: usize,
    slots: Mutex<Slots>,
    /// Who waits for a slot, for the records of a partition to come back, or for what was abandoned.
    pub(super) waiters: Waiters,
}

#[derive(Debug, Default)]
struct Slots {
    taken: usize,
    of: BTreeMap<TopicPartition, usize>,
    /// Not told yet.
    abandoned: VecDeque<(TopicPartition, i64)>,
}

/// What a reader found in the window.
pub(super) enum Found {
    Slot(Slot),
    Abandoned(TopicPartition, i64),
}

impl Window {
    /// With room for so many records, but at least for one.
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), slots: Mutex::default(), waiters: Waiters::default() }
    }

    /// What was abandoned, before a slot, which is taken then.
    pub(super) fn look(self: &Arc<Self>, wants_slot: bool) -> Option<Found> {
        let mut slots = lock(&self.slots);
        if let Some((partition, offset)) = slots.abandoned.pop_front() {
            return Some(Found::Abandoned(partition, offset));
        }
        if !wants_slot || slots.taken >= self.max {
            return None;
        }
        slots.taken += 1;
        Some(Found::Slot(Slot { window: Arc::clone(self), partition: None }))
    }

    /// How many records are with the application.
    pub(super) fn len(&self) -> usize {
        lock(&self.slots).of.values().sum()
    }

    /// Whether none of these partitions is.
    pub(super) fn has_none_of(&self, partitions: &[TopicPartition]) -> bool {
        let slots = lock(&self.slots);
        !partitions.iter().any(|partition| slots.of.contains_key(partition))
    }

    fn wake(&self) {
        let mut wakers = Vec::new();
        self.waiters.take(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }
}

/// Room for one record. Freed when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    window: Arc<Window>,
    partition: Option<TopicPartition>,
}

impl Slot {
    /// It is for a record of this partition.
    pub(super) fn fill(&mut self, partition: TopicPartition) {
        *lock(&self.window.slots).of.entry(partition.clone()).or_default() += 1;
        self.partition = Some(partition);
    }

    /// Its record was abandoned, and the reader is to hear of it.
    pub(super) fn abandon(&self, offset: i64) {
        if let Some(partition) = self.partition.clone() {
            lock(&self.window.slots).abandoned.push_back((partition, offset));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut slots = lock(&self.window.slots);
        slots.taken -= 1;
        if let Some(partition) = &self.partition
            && let Some(count) = slots.of.get_mut(partition)
        {
            *count -= 1;
            if *count == 0 {
                slots.of.remove(partition);
            }
        }
        drop(slots);
        self.window.wake();
    }
}
