//! Transactions in a partition: where the open ones begin, and which ones were aborted.

use std::collections::BTreeMap;

use super::Producers;

/// The end of a transaction, as a coordinator has it written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) commit: bool,
    pub(crate) coordinator_epoch: i32,
    /// Whether the epoch is one more than that of the transaction (KIP-890).
    pub(crate) is_bumped: bool,
}

/// Why a marker is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkerRefused {
    InvalidProducerEpoch,
    CoordinatorFenced,
}

/// What is known of a producer, to be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerState {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) last_sequence: i32,
    pub(crate) last_timestamp: i64,
    pub(crate) coordinator_epoch: i32,
    pub(crate) transaction: Option<i64>,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Of the marker.
    last_offset: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// The offsets at which open transactions begin, and whose they are.
    open: BTreeMap<i64, i64>,
    /// Ended ones: first offset, and that of the marker. They count as open until the marker is committed.
    ended: BTreeMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl Transactions {
    pub(super) fn begin(&mut self, producer_id: i64, offset: i64) {
        self.open.insert(offset, producer_id);
    }
}

impl Producers {
    /// Whether a producer is in a transaction here, under this epoch.
    pub(crate) fn is_in_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        let known = self.by_id.get(&producer_id);
        known.is_some_and(|producer| producer.transaction.is_some() && producer.epoch == epoch)
    }

    /// Whether a marker may be written.
    pub(crate) fn check_marker(&self, marker: &Marker) -> Result<(), MarkerRefused> {
        let Some(producer) = self.by_id.get(&marker.producer_id) else { return Ok(()) };
        let is_repeated = producer.transaction.is_none() && marker.producer_epoch == producer.epoch;
        let is_old = marker.producer_epoch < producer.epoch
            || marker.is_bumped && marker.producer_epoch == producer.epoch && !is_repeated;
        if is_old {
            return Err(MarkerRefused::InvalidProducerEpoch);
        }
        if producer.coordinator_epoch > marker.coordinator_epoch {
            return Err(MarkerRefused::CoordinatorFenced);
        }
        Ok(())
    }

    /// Remembers that a marker was written.
    pub(crate) fn end(&mut self, marker: &Marker, offset: i64, timestamp: i64) {
        let producer = self.producer(marker.producer_id, marker.producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = timestamp;
        let Some(first_offset) = producer.transaction.take() else { return };
        self.transactions.open.remove(&first_offset);
        self.transactions.ended.insert(first_offset, offset);
        if !marker.commit {
            let aborted = Aborted { producer_id: marker.producer_id, first_offset, last_offset: offset };
            self.transactions.aborted.push(aborted);
        }
    }

    /// Readers of committed records see what is below this, where `high_watermark` is committed.
    pub(crate) fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        let open = self.transactions.open.keys().next().copied();
        let ended = self.transactions.ended.iter().find(|(_, marker)| **marker >= high_watermark);
        let first = open.into_iter().chain(ended.map(|(first, _)| *first)).min();
        first.map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// Forgets ended transactions whose markers are below the high watermark, and aborted ones of which nothing is left.
    pub(crate) fn forget_transactions_below(&mut self, high_watermark: i64, log_start: i64) {
        self.transactions.ended.retain(|_, marker| *marker >= high_watermark);
        self.transactions.aborted.retain(|aborted| aborted.last_offset >= log_start);
    }

    /// The aborted transactions that reach into these offsets.
    pub(crate) fn aborted_between(&self, from: i64, to: i64) -> impl Iterator<Item = &Aborted> {
        let all = self.transactions.aborted.iter();
        all.filter(move |aborted| aborted.last_offset >= from && aborted.first_offset < to)
    }

    /// All producers, in the order of their ids.
    pub(crate) fn states(&self) -> impl Iterator<Item = ProducerState> {
        self.by_id.iter().map(|(id, producer)| ProducerState {
            id: *id,
            epoch: producer.epoch,
            last_sequence: producer.batches.back().map_or(-1, |last| last.last_sequence),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            transaction: producer.transaction,
        })
    }
}
