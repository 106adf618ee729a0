//! What a partition's leader remembers of the producers that wrote to it: the idempotence of KIP-98, with the
//! relaxation of KIP-360.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use klamm_core::Instant;

/// Batches remembered of each producer.
const REMEMBERED: usize = 5;

/// The producer fields of a batch. A batch without producer id has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequenced {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    /// Offsets that the batch takes, at least one.
    pub(crate) offsets: i64,
}

impl Sequenced {
    /// Sequence numbers go round at the highest `i32`.
    fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + self.offsets - 1;
        i32::try_from(last % (i64::from(i32::MAX) + 1)).unwrap_or(0)
    }
}

/// Where a batch was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) base_offset: i64,
    /// The time of appending if that is what the topic keeps, otherwise -1.
    pub(crate) log_append_time_ms: i64,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is there already.
    Duplicate(Written),
    OutOfOrderSequence,
    UnknownProducerId,
    InvalidProducerEpoch,
}

#[derive(Debug)]
struct Remembered {
    base_sequence: i32,
    last_sequence: i32,
    written: Written,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    /// When it last wrote.
    used_at: Instant,
}

/// The producers known to one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: BTreeMap<i64, Producer>,
    now: Instant,
    /// No producer wrote last before this.
    oldest: Instant,
}

impl Producers {
    /// What is remembered from now on was written now.
    pub(crate) const fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Forgets producers that wrote nothing for longer than `expiration`, once there are some of them.
    pub(crate) fn set_time(&mut self, now: Instant, expiration: Duration) {
        self.now = now;
        if self.oldest + expiration < now {
            self.by_id.retain(|_, producer| producer.used_at + expiration >= now);
            self.oldest = self.by_id.values().map(|producer| producer.used_at).min().unwrap_or(now);
        }
    }

    /// Whether the batch continues its producer's sequence. `lenient`: a producer that is not known may start
    /// anywhere (Kafka 2.5 and later).
    pub(crate) fn check(&self, batch: &Sequenced, lenient: bool) -> Verdict {
        let Some(producer) = self.by_id.get(&batch.producer_id) else {
            let start = batch.base_sequence == 0 || lenient;
            return if start { Verdict::Append } else { Verdict::UnknownProducerId };
        };
        if batch.producer_epoch < producer.epoch {
            return Verdict::InvalidProducerEpoch;
        }
        if batch.producer_epoch > producer.epoch {
            let start = batch.base_sequence == 0;
            return if start { Verdict::Append } else { Verdict::OutOfOrderSequence };
        }
        let same = |known: &&Remembered| {
            known.base_sequence == batch.base_sequence && known.last_sequence == batch.last_sequence()
        };
        if let Some(known) = producer.batches.iter().find(same) {
            return Verdict::Duplicate(known.written);
        }
        let next = producer.batches.back().map_or(0, |last| last.last_sequence.checked_add(1).unwrap_or(0));
        if batch.base_sequence == next { Verdict::Append } else { Verdict::OutOfOrderSequence }
    }

    /// Remembers a batch that was appended.
    pub(crate) fn remember(&mut self, batch: &Sequenced, written: Written) {
        let now = self.now;
        let epoch = batch.producer_epoch;
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch,
            batches: VecDeque::new(),
            used_at: now,
        });
        producer.used_at = now;
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            written,
        });
    }

    /// Forgets all producers, and names them.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = i64> {
        std::mem::take(&mut self.by_id).into_keys()
    }

    /// Forgets a producer, as its expiry would.
    pub(crate) fn forget(&mut self, producer_id: i64) -> bool {
        self.by_id.remove(&producer_id).is_some()
    }
}

#[cfg(test)]
mod tests;
