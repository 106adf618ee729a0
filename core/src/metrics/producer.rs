//! Producing.

use super::Histogram;
use crate::ProducerHandle;

/// What a producer has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerCounts {
    /// Batches that were sealed, parts of those that were split not included.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes, compressed, headers included.
    pub bytes: u64,
    /// Their bytes before compression.
    pub plain_bytes: u64,
    /// Requests with batches.
    pub requests: u64,
    /// Batches that are sent once more, because an attempt failed.
    pub retries: u64,
    /// Batches, or parts of split ones, that were acknowledged.
    pub acknowledged_batches: u64,
    /// Records in them.
    pub acknowledged_records: u64,
    /// Batches, or parts of split ones, that failed for good.
    pub failed_batches: u64,
    /// Records in those of them that were sealed.
    pub failed_records: u64,
    /// Batches that a broker found too large and that were split.
    pub splits: u64,
    /// How often a partition began a new epoch.
    pub epoch_bumps: u64,
    /// From the first record of a batch to its first sending.
    pub queue_time: Histogram,
}

impl ProducerCounts {
    /// A batch was sealed.
    pub(crate) fn sealed(&mut self, records: i32, bytes: usize, plain_bytes: usize) {
        self.batches += 1;
        self.records += u64::from(records.unsigned_abs());
        self.bytes += bytes as u64;
        self.plain_bytes += plain_bytes as u64;
    }

    /// A batch, or a part of one, has its outcome.
    pub(crate) fn ended(&mut self, records: i32, acknowledged: bool) {
        let records = u64::from(records.unsigned_abs());
        if acknowledged {
            self.acknowledged_batches += 1;
            self.acknowledged_records += records;
        } else {
            self.failed_batches += 1;
            self.failed_records += records;
        }
    }

    /// How far compression shrinks batches: bytes over plain bytes; `None` before the first batch.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn compression_ratio(&self) -> Option<f64> {
        (self.plain_bytes > 0).then(|| self.bytes as f64 / self.plain_bytes as f64)
    }

    /// The mean size of a batch before compression over the configured `batch_size`; `None` before the first batch.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn batch_fill(&self, batch_size: usize) -> Option<f64> {
        let room = self.batches as f64 * batch_size as f64;
        (room > 0.0).then(|| self.plain_bytes as f64 / room)
    }
}

/// One producer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerMetrics {
    /// Which.
    pub producer: ProducerHandle,
    /// What it has counted.
    pub counts: ProducerCounts,
    /// The size at which a batch is full (`batch.size`).
    pub batch_size: usize,
    /// Batches without an outcome at present.
    pub outstanding_batches: u64,
    /// Produce requests under way at present.
    pub requests_in_flight: u64,
    /// Bytes of the buffer that are taken at present. Known to the handles, not to the machine: 0 there.
    pub buffered_bytes: u64,
    /// The bytes that the buffer has (`buffer.memory`). Known to the handles, not to the machine: 0 there.
    pub buffer_bytes: u64,
}

impl ProducerMetrics {
    /// Of one producer, with nothing counted.
    #[must_use]
    pub fn new(producer: ProducerHandle) -> Self {
        Self { producer, ..Self::default() }
    }
}
