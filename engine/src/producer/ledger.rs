//! What was accepted and not delivered, by the flush that tells of it; and those who look on at all deliveries.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use klamm_core::Effect;
use klamm_protocol::Str;

use super::{SendError, Undelivered, deliveries::Watchers, error::UndeliveredPartition};
use crate::wait::lock;

/// Losses by partition, and by the generation of their batch: batches opened between two flushes are one.
///
/// It costs nothing per record, and nothing per batch that is delivered but reading a number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    generation: AtomicU64,
    log: Mutex<Log>,
    pub(super) watchers: Watchers,
}

type Losses = BTreeMap<(Str, i32), UndeliveredPartition>;

#[derive(Debug, Default)]
struct Log {
    lost: BTreeMap<u64, Losses>,
    /// Generations below this were told of.
    told_below: u64,
    /// From where the flushes under way tell, and how many begin there.
    under_way: BTreeMap<u64, usize>,
}

/// Tells of what is lost among the records that were accepted before it, and since the last one that ended.
#[derive(Debug)]
pub(super) struct Report<'a> {
    ledger: &'a Ledger,
    from: u64,
    to: u64,
}

impl Ledger {
    /// The generation of a batch that is opened now.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Records of a batch of this generation were not acknowledged.
    pub(super) fn lost(&self, generation: u64, place: (Str, i32), records: u64, error: &SendError) {
        let mut log = lock(&self.log);
        let (topic, partition) = place.clone();
        let loss = log.lost.entry(generation).or_default().entry(place).or_insert_with(|| {
            let error = error.clone();
            UndeliveredPartition { topic, partition, records: 0, maybe_written: 0, error }
        });
        loss.add(records, error);
    }

    /// Begins to tell of what was accepted so far.
    pub(super) fn begin(&self) -> Report<'_> {
        let mut log = lock(&self.log);
        let to = self.generation.fetch_add(1, Ordering::AcqRel);
        let from = log.told_below;
        *log.under_way.entry(from).or_default() += 1;
        Report { ledger: self, from, to }
    }
}

impl Report<'_> {
    /// What is lost, once everything that was accepted before has its outcome.
    pub(super) fn end(self) -> Result<(), Undelivered> {
        let undelivered = {
            let mut log = lock(&self.ledger.log);
            log.told_below = log.told_below.max(self.to + 1);
            let mut losses = log.lost.range(self.from..=self.to).flat_map(|(_, losses)| losses.values());
            Undelivered::of(&mut losses)
        };
        if undelivered.records == 0 { Ok(()) } else { Err(undelivered) }
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let mut log = lock(&self.ledger.log);
        if let Some(count) = log.under_way.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                log.under_way.remove(&self.from);
            }
        }
        let oldest = log.under_way.keys().next().copied().unwrap_or(u64::MAX);
        let keep_from = oldest.min(log.told_below);
        log.lost = log.lost.split_off(&keep_from);
    }
}

impl Undelivered {
    fn of(losses: &mut dyn Iterator<Item = &UndeliveredPartition>) -> Self {
        let mut partitions = Losses::new();
        for loss in losses {
            let place = (loss.topic.clone(), loss.partition);
            match partitions.entry(place) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(loss.clone());
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.records += loss.records;
                    known.maybe_written += loss.maybe_written;
                    known.error = loss.error.clone();
                }
            }
        }
        let partitions: Vec<_> = partitions.into_values().collect();
        let records = partitions.iter().map(|loss| loss.records).sum();
        let maybe_written = partitions.iter().map(|loss| loss.maybe_written).sum();
        Self { records, maybe_written, partitions }
    }
}

impl UndeliveredPartition {
    fn add(&mut self, records: u64, error: &SendError) {
        self.records += records;
        if error.effect() == Effect::Unknown {
            self.maybe_written += records;
        }
        self.error = error.clone();
    }
}
