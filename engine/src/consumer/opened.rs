//! A chunk that is open for reading, of which parts are handed out.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use klamm_core::{
    ConsumerId, PartitionIndex,
    consumer::{Chunk, ChunkReader, OwnedBatch, OwnedBatchIter, Ticket},
    group::HandedOut,
};
use klamm_protocol::{
    Str,
    records::{Corrupt, ReadOptions, Record, RecordPlace, Scratch},
};

use super::{ConsumedRecord, FetchedBatch};
use crate::shared::Shared;

/// How a consumer reads its chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) options: ReadOptions,
    /// Whether control records are kept.
    pub(super) control: bool,
    pub(super) limits: Limits,
}

/// The most that is handed out at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) records: usize,
    /// Of keys, values and headers.
    pub(super) bytes: usize,
}

impl Limits {
    pub(super) const NONE: Self = Self { records: usize::MAX, bytes: usize::MAX };
    pub(super) const ONE_RECORD: Self = Self { records: 1, bytes: usize::MAX };
}

impl Default for Reading {
    fn default() -> Self {
        Self { options: ReadOptions::default(), control: false, limits: Limits::NONE }
    }
}

/// A chunk, checked and decompressed. Its share of the consumer's memory is given back with the last part of it.
pub(super) struct Opened {
    pub(super) topic: Str,
    pub(super) partition: i32,
    pub(super) chunk: Chunk,
    pub(super) batches: Vec<OwnedBatch>,
    /// Where and why reading failed. The consumer hears of it at the end.
    pub(super) corrupt: OnceLock<(i64, Corrupt)>,
    /// What the chunk was decompressed into, in bytes.
    pub(super) decompressed: usize,
    shared: Arc<Shared>,
    consumer: ConsumerId,
}

/// A place among the records of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Which of its batches.
    pub(super) batch: usize,
    /// Where in that; `None`: at its beginning.
    pub(super) place: Option<RecordPlace>,
}

impl Mark {
    pub(super) const START: Self = Self { batch: 0, place: None };
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("ticket", &self.chunk.ticket).finish_non_exhaustive()
    }
}

impl Opened {
    /// Checks and decompresses a chunk, on the reader's thread.
    pub(super) fn new(
        shared: Arc<Shared>,
        consumer: ConsumerId,
        (topic, partition): (Str, i32),
        chunk: Chunk,
        (reading, scratch): (&Reading, &mut Scratch),
    ) -> Self {
        let mut reader = ChunkReader::new(&chunk, reading.options).show_control(reading.control);
        let mut batches = Vec::new();
        let corrupt = OnceLock::new();
        while let Some(batch) = reader.next_owned(scratch) {
            match batch {
                Ok(batch) => batches.push(batch),
                Err(error) => {
                    let _ = corrupt.set((reader.next_offset(), error));
                    break;
                }
            }
        }
        let decompressed = batches.iter().map(OwnedBatch::decompressed_bytes).sum();
        if decompressed > 0 {
            shared.with(|state, now| {
                if let Some(consumer) = state.client.consumer_mut(consumer) {
                    consumer.handle_decompressed(now, decompressed);
                }
            });
        }
        Self { topic, partition, chunk, batches, corrupt, decompressed, shared, consumer }
    }

    /// The records from a place on, up to the end of its batch; none of a marker.
    #[inline]
    pub(super) fn records_from(&self, mark: Mark) -> Option<OwnedBatchIter<'_>> {
        let batch = self.batches.get(mark.batch)?;
        let place = if batch.control().is_some() { Some(RecordPlace::END) } else { mark.place };
        Some(place.map_or_else(|| batch.iter(), |place| batch.iter_from(place)))
    }

    /// A part of it that was handed out is given back to the group.
    pub(super) fn give_back(&self, id: HandedOut) {
        let partition = (self.topic.clone(), self.partition);
        self.shared.with(|state, _| {
            if let Some(group) = state.client.group_mut(self.consumer) {
                group.give_back(&partition, id);
            }
        });
    }

    /// The record at a place, the batch that it is of, and the place after it.
    pub(super) fn step(&self, mark: Mark) -> Option<Result<(Record<'_>, &OwnedBatch, Mark), Corrupt>> {
        let mut mark = mark;
        loop {
            let batch = self.batches.get(mark.batch)?;
            let mut records = self.records_from(mark)?;
            match records.next() {
                Some(Ok(record)) => {
                    let next = Mark { batch: mark.batch, place: Some(records.place()) };
                    return Some(Ok((record, batch, next)));
                }
                Some(Err(error)) => return Some(Err(error)),
                None => mark = Mark { batch: mark.batch + 1, place: None },
            }
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let corrupt_at = self.corrupt.get().map(|(offset, _)| *offset);
        let Ticket { partition, epoch, .. } = self.chunk.ticket;
        self.shared.with(|state, now| {
            if let Some(consumer) = state.client.consumer_mut(self.consumer) {
                if let Some(offset) = corrupt_at {
                    consumer.handle_corrupt(now, partition, epoch, offset);
                }
                consumer.handle_freed(now, self.decompressed);
                consumer.handle_consumed(now, self.chunk.ticket);
            }
        });
    }
}

/// What of an open chunk is not handed out.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(super) opened: Arc<Opened>,
    pub(super) from: Mark,
    pub(super) from_offset: i64,
}

/// How far to go with a part of a chunk.
struct Part {
    until: Option<i64>,
    next_offset: i64,
    leader_epoch: i32,
    rest: Option<Mark>,
}

impl Rest {
    pub(super) fn all(opened: Opened) -> Self {
        let from_offset = opened.chunk.from_offset;
        Self { opened: Arc::new(opened), from: Mark::START, from_offset }
    }

    /// The partition that it is of.
    pub(super) fn partition(&self) -> PartitionIndex {
        self.opened.chunk.ticket.partition
    }

    /// The bytes that the chunk holds of the consumer's memory.
    pub(super) fn bytes(&self) -> usize {
        self.opened.chunk.ticket.bytes
    }

    /// The next record, owned; `None` at the end, and if it is not wanted any more. `take` is as for [`cut`](Self::cut).
    pub(super) fn next(&mut self, take: impl FnOnce(Ticket, i64, i32) -> bool) -> Option<ConsumedRecord> {
        let ticket = self.opened.chunk.ticket;
        match self.opened.step(self.from) {
            Some(Ok((record, batch, next))) => {
                let next_offset = record.offset + 1;
                if !take(ticket, next_offset, batch.leader_epoch()) {
                    return None;
                }
                let record = ConsumedRecord::new(&self.opened, batch.own(&record));
                (self.from, self.from_offset) = (next, next_offset);
                Some(record)
            }
            Some(Err(error)) => {
                let _ = self.opened.corrupt.set((self.from_offset, error));
                None
            }
            None => {
                if self.opened.corrupt.get().is_none() {
                    take(ticket, self.opened.chunk.next_offset, self.opened.chunk.leader_epoch);
                }
                None
            }
        }
    }

    /// Cuts off as much as may be handed out at once, at least one record. `take` moves the position, and says whether
    /// these records are still wanted: if not, there is nothing left. It is given the offset after them, and the leader
    /// epoch before that.
    pub(super) fn cut(
        self,
        limits: Limits,
        take: impl FnOnce(Ticket, i64, i32) -> bool,
    ) -> Option<(FetchedBatch, Option<Self>)> {
        let Self { opened, from, from_offset } = self;
        let part = opened.part(from, limits);
        if !take(opened.chunk.ticket, part.next_offset, part.leader_epoch) {
            return None;
        }
        let rest =
            part.rest.map(|from| Self { opened: Arc::clone(&opened), from, from_offset: part.next_offset });
        Some((FetchedBatch::new(opened, (from, from_offset), part.until), rest))
    }
}

impl Opened {
    /// How much may be handed out from a place on.
    fn part(&self, from: Mark, limits: Limits) -> Part {
        let all = Part {
            until: None,
            next_offset: self.chunk.next_offset,
            leader_epoch: self.chunk.leader_epoch,
            rest: None,
        };
        if limits == Limits::NONE {
            return all;
        }
        let (mut mark, mut records, mut bytes) = (from, 0usize, 0usize);
        let mut last = (0, -1);
        // Corrupt records are the end of the last part.
        while let Some(Ok((record, batch, next))) = self.step(mark) {
            bytes = bytes.saturating_add(size_of(&record));
            if records > 0 && (records == limits.records || bytes > limits.bytes) {
                let (offset, leader_epoch) = last;
                return Part {
                    until: Some(offset + 1),
                    next_offset: offset + 1,
                    leader_epoch,
                    rest: Some(mark),
                };
            }
            records += 1;
            last = (record.offset, batch.leader_epoch());
            mark = next;
        }
        all
    }
}

/// The bytes of a record that an application brought.
fn size_of(record: &Record<'_>) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = record.headers.raw().map(|(key, value)| key.len() + length(value));
    length(record.key) + length(record.value) + headers.sum::<usize>()
}
