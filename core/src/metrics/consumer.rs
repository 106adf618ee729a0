//! Consuming.

use alloc::vec::Vec;
use core::time::Duration;

use klamm_protocol::Str;

use super::Histogram;
use crate::{
    ConsumerId,
    consumer::{ConsumerEvent, PositionState},
};

/// What a consumer has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerCounts {
    /// Fetches that were answered with what could be used.
    pub fetches: u64,
    /// Those of them that brought no records.
    pub empty_fetches: u64,
    /// Fetches that told the broker everything, as no session could be gone on with (KIP-227).
    pub full_fetches: u64,
    /// Fetches whose answer did not fit the session or refused it.
    pub session_misses: u64,
    /// Bytes of record batches that were fetched.
    pub bytes: u64,
    /// Records in them, by the batches' headers: with those of control batches, and those before the position.
    pub records: u64,
    /// Positions that were moved, because the broker was asked for a place or does not have the offset.
    pub resets: u64,
    /// Truncations of the log below what was read (KIP-320).
    pub truncations: u64,
    /// Failures of a partition that the application was told of.
    pub errors: u64,
    /// From a fetch to its answer: with the time that the broker waited for records.
    pub fetch_latency: Histogram,
}

impl ConsumerCounts {
    /// A fetch was answered.
    pub(crate) fn fetched(&mut self, latency: Option<Duration>) {
        self.fetches += 1;
        if let Some(latency) = latency {
            self.fetch_latency.record(latency);
        }
    }

    /// The application is told something.
    pub(crate) const fn told(&mut self, event: &ConsumerEvent) {
        match event {
            ConsumerEvent::PartitionError(_) => self.errors += 1,
            ConsumerEvent::Reset { .. } => self.resets += 1,
            ConsumerEvent::Truncated { .. } => self.truncations += 1,
            ConsumerEvent::EndOfPartition { .. } => {}
        }
    }
}

/// One assigned partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionMetrics {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// How its position stands.
    pub state: PositionState,
    /// Whether it is paused.
    pub paused: bool,
    /// The next offset to be read by the application, if it is known.
    pub position: Option<i64>,
    /// The end of the log as the last answer had it: up to where records are visible under the consumer's isolation.
    pub end: Option<i64>,
    /// The first offset that the log still has, as the last answer had it.
    pub log_start: Option<i64>,
    /// Offsets between position and end; `None` while one of them is unknown. As old as the last answer of the
    /// broker: while the partition is paused nobody asks.
    pub lag: Option<u64>,
    /// Offsets between the log's first and the position: how far the partition is from losing records to retention.
    pub lead: Option<u64>,
    /// Bytes that are fetched and not read.
    pub unread_bytes: u64,
}

impl PartitionMetrics {
    pub(crate) const fn new(topic: Str, partition: i32, state: PositionState) -> Self {
        Self {
            topic,
            partition,
            state,
            paused: false,
            position: None,
            end: None,
            log_start: None,
            lag: None,
            lead: None,
            unread_bytes: 0,
        }
    }
}

/// One consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerMetrics {
    /// Which.
    pub consumer: ConsumerId,
    /// What it has counted.
    pub counts: ConsumerCounts,
    /// The assigned partitions.
    pub partitions: Vec<PartitionMetrics>,
    /// Bytes that are fetched or being fetched, and handed out and not given back.
    pub held_bytes: u64,
    /// The budget for them.
    pub buffer_bytes: u64,
}

impl ConsumerMetrics {
    /// The lags of all partitions together, and the largest; nothing of those that are not known.
    #[must_use]
    pub fn lag(&self) -> (u64, u64) {
        let lags = self.partitions.iter().filter_map(|partition| partition.lag);
        lags.fold((0, 0), |(sum, max), lag| (sum + lag, max.max(lag)))
    }
}
