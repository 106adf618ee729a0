//! What a reader is handed: the records of one partition, borrowed.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use klamm_core::{
    ConsumerId,
    consumer::{Chunk, ChunkReader, OwnedBatch, Ticket},
    planted,
};
use klamm_protocol::{
    Str,
    records::{ControlRecord, Corrupt, ReadOptions, Record, Scratch},
};

use crate::shared::Shared;

/// Records of one partition, in the order of their offsets.
///
/// Iterating borrows and allocates nothing. The batch holds a share of the consumer's memory until it is dropped, so
/// do not keep many: copy what is to be kept.
pub struct FetchedBatch {
    topic: Str,
    partition: i32,
    chunk: Chunk,
    opened: Vec<OwnedBatch>,
    /// Where and why reading failed. The consumer reports it when the batch is dropped.
    corrupt: OnceLock<(i64, Corrupt)>,
    lease: Lease,
}

/// How a consumer reads its chunks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub(super) options: ReadOptions,
    /// Whether control records are kept.
    pub(super) control: bool,
}

/// The share of the consumer's memory that a chunk holds.
struct Lease {
    shared: Arc<Shared>,
    consumer: ConsumerId,
    ticket: Ticket,
    /// What the chunk was decompressed into, in bytes.
    decompressed: usize,
}

impl fmt::Debug for FetchedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedBatch")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("from_offset", &self.chunk.from_offset)
            .field("next_offset", &self.chunk.next_offset)
            .finish_non_exhaustive()
    }
}

impl FetchedBatch {
    /// Checks and decompresses a chunk, on the reader's thread.
    pub(super) fn open(
        shared: Arc<Shared>,
        consumer: ConsumerId,
        (topic, partition): (Str, i32),
        chunk: Chunk,
        reading: Reading,
    ) -> Self {
        let mut reader = ChunkReader::new(&chunk, reading.options).show_control(reading.control);
        let mut scratch = Scratch::new();
        let mut opened = Vec::new();
        let corrupt = OnceLock::new();
        while let Some(batch) = reader.next_owned(&mut scratch) {
            match batch {
                Ok(batch) => opened.push(batch),
                Err(error) => {
                    let _ = corrupt.set((reader.next_offset(), error));
                    break;
                }
            }
        }
        let decompressed = opened.iter().map(OwnedBatch::decompressed_bytes).sum();
        if decompressed > 0 {
            shared.with(|state, now| {
                if let Some(consumer) = state.client.consumer_mut(consumer) {
                    consumer.handle_decompressed(now, decompressed);
                }
            });
        }
        let lease = Lease { shared, consumer, ticket: chunk.ticket, decompressed };
        Self { topic, partition, chunk, opened, corrupt, lease }
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Str {
        &self.topic
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// The records, borrowed from the batch.
    ///
    /// Should one of them be corrupt, the iteration ends before it, the partition is stopped there, and
    /// [`Consumer::next`](super::Consumer::next) reports it once the batch is dropped.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> + '_ {
        let mut next_offset = self.chunk.from_offset;
        let data = self.opened.iter().filter(|batch| batch.control().is_none());
        data.flat_map(OwnedBatch::iter).map_while(move |record| match record {
            Ok(mut record) => {
                record.offset += i64::from(planted!(ValueShifted, every 20));
                next_offset = record.offset + 1;
                Some(record)
            }
            Err(error) => {
                let _ = self.corrupt.set((next_offset, error));
                None
            }
        })
    }

    /// The offsets and contents of the markers that end transactions. There are none unless the consumer was
    /// [built](super::ConsumerBuilder::control_records) to show them.
    pub fn control_records(&self) -> impl Iterator<Item = (i64, ControlRecord)> + '_ {
        let offset = |batch: &OwnedBatch| Some(batch.iter().next()?.ok()?.offset);
        self.opened.iter().filter_map(move |batch| Some((offset(batch)?, batch.control()?)))
    }

    /// What was found to be corrupt, if anything was so far: the offset at which to go on, and what is wrong.
    #[must_use]
    pub fn corrupt(&self) -> Option<(i64, &Corrupt)> {
        self.corrupt.get().map(|(offset, corrupt)| (*offset, corrupt))
    }

    /// The offset that was asked for: no record has a smaller one.
    #[must_use]
    pub const fn from_offset(&self) -> i64 {
        self.chunk.from_offset
    }

    /// The offset at which reading goes on after the batch: what to commit or to store when its records are done
    /// with. It may lie beyond the last record's, because compacted, aborted and control records take offsets too.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.chunk.next_offset
    }

    /// The offset after the last record that all in-sync replicas had when the batch was fetched.
    #[must_use]
    pub const fn high_watermark(&self) -> i64 {
        self.chunk.high_watermark
    }

    /// The offset before which every transaction was decided when the batch was fetched; `None` if the broker does
    /// not say.
    #[must_use]
    pub fn last_stable_offset(&self) -> Option<i64> {
        Some(self.chunk.last_stable_offset).filter(|offset| *offset >= 0)
    }

    /// The bytes that were fetched.
    #[must_use]
    pub const fn fetched_bytes(&self) -> usize {
        self.chunk.ticket.bytes
    }

    /// What compressed records among them were decompressed into, in bytes; 0 if none were.
    #[must_use]
    pub const fn decompressed_bytes(&self) -> usize {
        self.lease.decompressed
    }
}

impl Drop for FetchedBatch {
    fn drop(&mut self) {
        let corrupt_at = self.corrupt.get().map(|(offset, _)| *offset);
        let Lease { shared, consumer, ticket, decompressed } = &self.lease;
        shared.with(|state, now| {
            if let Some(consumer) = state.client.consumer_mut(*consumer) {
                if let Some(offset) = corrupt_at {
                    consumer.handle_corrupt(now, ticket.partition, ticket.epoch, offset);
                }
                consumer.handle_freed(now, *decompressed);
                consumer.handle_consumed(now, *ticket);
            }
        });
    }
}
