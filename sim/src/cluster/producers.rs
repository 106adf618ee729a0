//! What a partition's leader remembers of the producers that wrote to it: the idempotence of KIP-98, with the
//! relaxation of KIP-360, and their transactions.

mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use klamm_core::Instant;

use transactions::Transactions;
pub(crate) use transactions::{Marker, MarkerRefused, ProducerState};

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
    pub(crate) is_transactional: bool,
    pub(crate) max_timestamp: i64,
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
    /// The producer is in a transaction, and the batch is not.
    InvalidTransactionState,
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
    last_timestamp: i64,
    /// Where its transaction begins here, if it is in one.
    transaction: Option<i64>,
    /// Of the coordinator that ended its last one; -1: none did.
    coordinator_epoch: i32,
}

/// The producers known to one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: BTreeMap<i64, Producer>,
    now: Instant,
    /// No producer wrote last before this.
    oldest: Instant,
    transactions: Transactions,
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
            self.by_id
                .retain(|_, producer| producer.transaction.is_some() || producer.used_at + expiration >= now);
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
        if producer.transaction.is_some() && !batch.is_transactional {
            return Verdict::InvalidTransactionState;
        }
        let next = producer.batches.back().map_or(0, |last| last.last_sequence.checked_add(1).unwrap_or(0));
        if batch.base_sequence == next { Verdict::Append } else { Verdict::OutOfOrderSequence }
    }

    /// Remembers a batch that was appended.
    pub(crate) fn remember(&mut self, batch: &Sequenced, written: Written) {
        let producer = self.producer(batch.producer_id, batch.producer_epoch);
        producer.last_timestamp = batch.max_timestamp;
        if batch.is_transactional && producer.transaction.is_none() {
            producer.transaction = Some(written.base_offset);
            self.transactions.begin(batch.producer_id, written.base_offset);
        }
        let producer = self.producer(batch.producer_id, batch.producer_epoch);
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            written,
        });
    }

    /// The producer, who is known by this epoch from now on.
    fn producer(&mut self, id: i64, epoch: i16) -> &mut Producer {
        let now = self.now;
        let producer = self.by_id.entry(id).or_insert_with(|| Producer {
            epoch,
            batches: VecDeque::new(),
            used_at: now,
            last_timestamp: -1,
            transaction: None,
            coordinator_epoch: -1,
        });
        producer.used_at = now;
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer
    }

    /// Forgets all producers that are in no transaction, and names them.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = i64> {
        let idle: Vec<i64> = self
            .by_id
            .iter()
            .filter(|(_, producer)| producer.transaction.is_none())
            .map(|(id, _)| *id)
            .collect();
        idle.iter().for_each(|id| drop(self.by_id.remove(id)));
        idle.into_iter()
    }

    /// Forgets a producer, as its expiry would: not while it is in a transaction.
    pub(crate) fn forget(&mut self, producer_id: i64) -> bool {
        let is_idle = self.by_id.get(&producer_id).is_some_and(|producer| producer.transaction.is_none());
        is_idle && self.by_id.remove(&producer_id).is_some()
    }
}

#[cfg(test)]
mod tests;
