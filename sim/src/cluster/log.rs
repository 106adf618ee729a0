//! The log of one replica of a partition: an index of where each batch is in the [`Store`] that the replicas share.

mod epochs;
mod store;

use std::collections::VecDeque;

use bytes::Bytes;

pub(crate) use epochs::Epochs;
pub(crate) use store::{CHUNK_BYTES, Store};

/// `index.interval.bytes`.
const INDEX_INTERVAL_BYTES: u64 = 4096;

/// One batch (of format 2) or shallow message (of formats 0 and 1) of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) max_timestamp: i64,
    /// The highest timestamp of this and all earlier entries, so that a search may halve the log.
    highest_timestamp: i64,
    /// Where it is in the store.
    position: u64,
    /// Bytes that the log had before this entry, since its creation.
    bytes_before: u64,
    len: usize,
}

impl Entry {
    const fn end(&self) -> u64 {
        self.position + self.len as u64
    }

    const fn bytes_after(&self) -> u64 {
        self.bytes_before + self.len as u64
    }
}

/// What the log has to know of a batch that it stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// Offsets that the batch takes, at least one.
    pub(crate) offsets: i64,
    pub(crate) max_timestamp: i64,
}

/// What a read found: at most two slices, which together start with the batch that holds the offset asked for.
/// The last batch may be cut off, as Kafka does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) head: Bytes,
    pub(crate) tail: Bytes,
}

impl Slice {
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.tail.is_empty() { self.head } else { [self.head, self.tail].concat().into() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// What to do with the first batch of a read when it is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstBatch {
    Whole,
    WholeOrNothing,
    Cut,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    start_offset: i64,
    end_offset: i64,
    /// Bytes that were ever in the log and not cut off at its end.
    bytes: u64,
    /// The first offsets of all segments but the first one. The oldest segment is what retention deletes.
    segments: VecDeque<i64>,
    /// Bytes before the newest segment.
    bytes_before_segment: u64,
    pub(crate) epochs: Epochs,
}

impl Log {
    /// The offset of the oldest record.
    pub(crate) const fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets.
    pub(crate) const fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Bytes stored.
    pub(crate) fn len(&self) -> u64 {
        self.bytes - self.entries.front().map_or(self.bytes, |entry| entry.bytes_before)
    }

    /// Where the oldest batch is in the store. `None`: there is none.
    pub(crate) fn first_position(&self) -> Option<u64> {
        // Who wrote a batch had those before it already: positions rise with offsets.
        self.entries.front().map(|entry| entry.position)
    }

    /// Stores a batch under the next offset and returns that offset. `patch` gets the stored bytes, to write the
    /// offset and the epoch into them.
    pub(crate) fn append(
        &mut self,
        store: &mut Store,
        leader_epoch: i32,
        pieces: [&[u8]; 2],
        stored: Stored,
        patch: impl FnOnce(&mut [u8], i64),
    ) -> i64 {
        let base_offset = self.end_offset;
        let position = store.append(pieces, |bytes| patch(bytes, base_offset));
        self.push(Entry {
            base_offset,
            last_offset: base_offset + stored.offsets - 1,
            leader_epoch,
            max_timestamp: stored.max_timestamp,
            highest_timestamp: 0,
            position,
            bytes_before: 0,
            len: pieces[0].len() + pieces[1].len(),
        });
        base_offset
    }

    fn push(&mut self, mut entry: Entry) {
        let highest = self.entries.back().map_or(i64::MIN, |entry| entry.highest_timestamp);
        entry.highest_timestamp = highest.max(entry.max_timestamp);
        entry.bytes_before = self.bytes;
        self.bytes += entry.len as u64;
        self.end_offset = entry.last_offset + 1;
        self.epochs.begin(entry.leader_epoch, entry.base_offset);
        self.entries.push_back(entry);
    }

    /// The place of the first batch that ends at `offset` or later; if there is none, one behind the last. It is looked
    /// for from the end on, in steps that double: whoever reads or follows a busy log is near its end.
    fn place_of(&self, offset: i64) -> usize {
        let is_before =
            |place: usize| self.entries.get(place).is_some_and(|entry| entry.last_offset < offset);
        let (mut low, mut high, mut step) = (0, self.entries.len(), 1);
        while let Some(place) = high.checked_sub(step) {
            if is_before(place) {
                low = place + 1;
                break;
            }
            (high, step) = (place, step * 2);
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Copies from a log of another replica what lies between this log's end and `end`.
    pub(crate) fn copy(&mut self, from: &Self, end: i64) {
        // An empty log may begin inside a batch.
        let first = from.place_of(self.end_offset);
        for entry in from.entries.range(first..) {
            if entry.last_offset >= end {
                return;
            }
            self.push(*entry);
        }
    }

    /// Begins a new segment if the next batch of `len` bytes would make the newest one larger than `max_bytes`.
    pub(crate) fn roll(&mut self, len: usize, max_bytes: u64) {
        if self.entries.is_empty() {
            self.segments.clear();
            self.bytes_before_segment = self.bytes;
        }
        let size = self.bytes - self.bytes_before_segment;
        if size > 0 && size + len as u64 > max_bytes.min(CHUNK_BYTES as u64) {
            self.segments.push_back(self.end_offset);
            self.bytes_before_segment = self.bytes;
        }
    }

    /// One batch.
    pub(crate) fn batch(&self, store: &Store, entry: &Entry) -> Bytes {
        store.piece(entry.position, entry.end())
    }

    /// The batches from the one that holds `offset` on.
    pub(crate) fn batches_from(&self, store: &Store, offset: i64) -> impl Iterator<Item = (&Entry, Bytes)> {
        let first = self.place_of(offset);
        self.entries.range(first..).map(|entry| (entry, self.batch(store, entry)))
    }

    /// The batches from the one that holds `offset` (or the next one) up to `end_offset`, at most `max_bytes` of
    /// them.
    pub(crate) fn read(
        &self,
        store: &Store,
        offset: i64,
        end_offset: i64,
        max_bytes: usize,
        first: FirstBatch,
    ) -> Slice {
        let index = self.place_of(offset);
        let Some(entry) = self.entries.get(index).filter(|entry| entry.last_offset < end_offset) else {
            return Slice::default();
        };
        let max_bytes = match first {
            FirstBatch::Whole => max_bytes.max(entry.len),
            FirstBatch::WholeOrNothing if max_bytes < entry.len => return Slice::default(),
            FirstBatch::WholeOrNothing | FirstBatch::Cut => max_bytes,
        } as u64;
        let end = self.place_of(end_offset);
        let head_end = self.run(index, end);
        let room = self.entries[head_end - 1].end() - entry.position;
        let head = store.piece(entry.position, entry.position + room.min(max_bytes));
        let left = max_bytes - head.len() as u64;
        // What is left is in the next chunk, or was not written right behind.
        let (position, tail_end) = if (head.len() as u64) < room {
            (entry.position + head.len() as u64, self.entries[head_end - 1].end())
        } else if head_end < end {
            (self.entries[head_end].position, self.entries[self.run(head_end, end) - 1].end())
        } else {
            return Slice { head, tail: Bytes::new() };
        };
        let tail = store.piece(position, tail_end.min(position.saturating_add(left)));
        Slice { head, tail }
    }

    /// Up to where the entries from `first` on lie side by side in the store; at most `end`.
    fn run(&self, first: usize, end: usize) -> usize {
        let start = self.entries[first].position.wrapping_sub(self.entries[first].bytes_before);
        let is_beside = |entry: &Entry| entry.position.wrapping_sub(entry.bytes_before) == start;
        if is_beside(&self.entries[end - 1]) {
            return end;
        }
        let run = self.entries.range(first..end).take_while(|entry| is_beside(entry)).count();
        first + run
    }

    /// Bytes that a reader at `offset` could get up to `end_offset`.
    pub(crate) fn readable_bytes(&self, offset: i64, end_offset: i64) -> u64 {
        let first = self.place_of(offset);
        let end = self.place_of(end_offset);
        match (self.entries.get(first), end.checked_sub(1).and_then(|last| self.entries.get(last))) {
            (Some(entry), Some(last)) => last.bytes_after().saturating_sub(entry.bytes_before),
            _ => 0,
        }
    }

    /// An offset that everything lies before which a read of so many bytes from `offset` on finds: not the least one, but
    /// the next one that an index has with an entry each 4096 bytes, as a broker's.
    pub(crate) fn offset_beyond(&self, offset: i64, bytes: usize) -> i64 {
        let Some(first) = self.entries.get(self.place_of(offset)) else { return self.end_offset };
        let end = first.bytes_before + bytes as u64 + INDEX_INTERVAL_BYTES;
        let at = self.entries.partition_point(|entry| entry.bytes_before < end);
        self.entries.get(at).map_or(self.end_offset, |entry| entry.base_offset)
    }

    /// The first entry that has a record of `timestamp` or later, among those from the start offset on.
    pub(crate) fn entry_by_timestamp(&self, timestamp: i64) -> Option<&Entry> {
        self.entries.get(self.entries.partition_point(|entry| entry.highest_timestamp < timestamp))
    }

    /// The first entry that has a record of the highest timestamp of all.
    pub(crate) fn entry_of_highest_timestamp(&self) -> Option<&Entry> {
        self.entry_by_timestamp(self.entries.back()?.highest_timestamp)
    }

    /// KIP-101 and KIP-279: the highest epoch that is not above `epoch`, and where it ends. `None`: no leader of this
    /// log has had such an epoch yet.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.end_of(epoch, self.end_offset)
    }
}

mod cutting;
#[cfg(test)]
mod tests;
