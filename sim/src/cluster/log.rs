//! The log of one partition: batches as bytes, and an index of where each one is.
//!
//! Batches are appended to a growing tail; a full tail becomes an immutable chunk, of which readers get slices.
//! No batch spans two chunks. So a batch is copied once, when it is appended (and again only by those who read
//! at the very end of the log).

use std::collections::VecDeque;

use bytes::Bytes;

/// The size from which on a tail becomes a chunk: a few fetches of the default size.
const CHUNK_BYTES: usize = 4 << 20;

/// One batch (of format 2) or shallow message (of formats 0 and 1) of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) max_timestamp: i64,
    /// The highest timestamp of this and all earlier entries, so that a search may halve the log.
    highest_timestamp: i64,
    /// Bytes between the creation of the log and this entry.
    position: u64,
    len: usize,
}

impl Entry {
    const fn end(&self) -> u64 {
        self.position + self.len as u64
    }
}

/// What the log has to know of a batch that it stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// Offsets that the batch takes, at least one.
    pub(crate) offsets: i64,
    pub(crate) max_timestamp: i64,
}

#[derive(Debug)]
struct Chunk {
    position: u64,
    data: Bytes,
}

/// What a read found: at most two slices, which together start with the batch that holds the offset asked for.
/// The last batch may be cut off, as Kafka does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) head: Bytes,
    pub(crate) tail: Bytes,
}

#[cfg(test)]
impl Slice {
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
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    tail_position: u64,
    start_offset: i64,
    end_offset: i64,
    /// Leader epochs with the offset at which each began, both rising.
    epochs: Vec<(i32, i64)>,
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
        self.end_position() - self.entries.front().map_or_else(|| self.end_position(), |entry| entry.position)
    }

    fn end_position(&self) -> u64 {
        self.tail_position + self.tail.len() as u64
    }

    /// Stores a batch under the next offset and returns that offset. `patch` gets the stored bytes, to write the
    /// offset and the epoch into them.
    pub(crate) fn append(
        &mut self,
        leader_epoch: i32,
        pieces: [&[u8]; 2],
        stored: Stored,
        patch: impl FnOnce(&mut [u8], i64),
    ) -> i64 {
        let len = pieces[0].len() + pieces[1].len();
        if self.tail.len() + len > CHUNK_BYTES {
            self.seal();
        }
        let start = self.tail.len();
        self.tail.extend_from_slice(pieces[0]);
        self.tail.extend_from_slice(pieces[1]);
        let base_offset = self.end_offset;
        patch(&mut self.tail[start..], base_offset);
        let highest = self.entries.back().map_or(i64::MIN, |entry| entry.highest_timestamp);
        self.entries.push_back(Entry {
            base_offset,
            last_offset: base_offset + stored.offsets - 1,
            leader_epoch,
            max_timestamp: stored.max_timestamp,
            highest_timestamp: highest.max(stored.max_timestamp),
            position: self.tail_position + start as u64,
            len,
        });
        self.end_offset += stored.offsets;
        if self.epochs.last().is_none_or(|(epoch, _)| *epoch < leader_epoch) {
            self.epochs.push((leader_epoch, base_offset));
        }
        base_offset
    }

    fn seal(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let data = Bytes::from(std::mem::replace(&mut self.tail, Vec::with_capacity(CHUNK_BYTES)));
        let position = self.tail_position;
        self.tail_position += data.len() as u64;
        self.chunks.push_back(Chunk { position, data });
    }

    /// One batch.
    pub(crate) fn batch(&self, entry: &Entry) -> Bytes {
        self.piece(entry.position, entry.end())
    }

    /// All batches from the one at `offset` on.
    pub(crate) fn batches_from(&self, offset: i64) -> Bytes {
        let slice = self.read(offset, self.end_offset, usize::MAX, FirstBatch::Whole);
        if slice.tail.is_empty() { slice.head } else { [slice.head, slice.tail].concat().into() }
    }

    /// The batches from the one that holds `offset` (or the next one) up to `end_offset`, at most `max_bytes` of
    /// them.
    pub(crate) fn read(&self, offset: i64, end_offset: i64, max_bytes: usize, first: FirstBatch) -> Slice {
        let index = self.entries.partition_point(|entry| entry.last_offset < offset);
        let Some(entry) = self.entries.get(index).filter(|entry| entry.last_offset < end_offset) else {
            return Slice::default();
        };
        let max_bytes = match first {
            FirstBatch::Whole => max_bytes.max(entry.len),
            FirstBatch::WholeOrNothing if max_bytes < entry.len => return Slice::default(),
            FirstBatch::WholeOrNothing | FirstBatch::Cut => max_bytes,
        };
        let last = self.entries.partition_point(|entry| entry.last_offset < end_offset);
        let readable_end = self.entries.get(last.saturating_sub(1)).map_or(entry.position, Entry::end);
        let end = readable_end.min(entry.position.saturating_add(max_bytes as u64));
        let head = self.piece(entry.position, end);
        let tail = self.piece(entry.position + head.len() as u64, end);
        Slice { head, tail }
    }

    /// Bytes that a reader at `offset` could get up to `end_offset`.
    pub(crate) fn readable_bytes(&self, offset: i64, end_offset: i64) -> u64 {
        let first = self.entries.partition_point(|entry| entry.last_offset < offset);
        let end = self.entries.partition_point(|entry| entry.last_offset < end_offset);
        match (self.entries.get(first), end.checked_sub(1).and_then(|last| self.entries.get(last))) {
            (Some(entry), Some(last)) => last.end().saturating_sub(entry.position),
            _ => 0,
        }
    }

    /// The bytes from `position` to `end`, or as many of them as lie in one chunk.
    fn piece(&self, position: u64, end: u64) -> Bytes {
        if position >= end {
            return Bytes::new();
        }
        let index = |from: u64, at: u64| usize::try_from(at - from).unwrap_or(usize::MAX);
        if let Some(tail_start) = position.checked_sub(self.tail_position) {
            let start = usize::try_from(tail_start).unwrap_or(usize::MAX);
            return Bytes::copy_from_slice(&self.tail[start..index(self.tail_position, end)]);
        }
        let after = self.chunks.partition_point(|chunk| chunk.position <= position);
        let Some(chunk) = after.checked_sub(1).and_then(|at| self.chunks.get(at)) else {
            return Bytes::new();
        };
        let stop = index(chunk.position, end).min(chunk.data.len());
        chunk.data.slice(index(chunk.position, position)..stop)
    }

    /// The first entry that has a record of `timestamp` or later, among those from the start offset on.
    pub(crate) fn entry_by_timestamp(&self, timestamp: i64) -> Option<&Entry> {
        self.entries.get(self.entries.partition_point(|entry| entry.highest_timestamp < timestamp))
    }

    /// The first entry that has a record of the highest timestamp of all.
    pub(crate) fn entry_of_highest_timestamp(&self) -> Option<&Entry> {
        self.entry_by_timestamp(self.entries.back()?.highest_timestamp)
    }

    /// Leader epochs with the offset at which each began, both rising.
    pub(crate) fn epochs(&self) -> &[(i32, i64)] {
        &self.epochs
    }

    /// The epoch under which `offset` was written.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        let after = self.epochs.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|at| self.epochs[at].0)
    }

    /// KIP-101 and KIP-279: the highest epoch that is not above `epoch`, and where it ends. `current` is the
    /// leader's own.
    pub(crate) fn end_of_epoch(&self, epoch: i32, current: i32) -> Option<(i32, i64)> {
        if epoch == current {
            return Some((epoch, self.end_offset));
        }
        if epoch > current {
            return None;
        }
        let after = self.epochs.partition_point(|(known, _)| *known <= epoch);
        // A leader's own epoch begins at the end that it found, before it has appended anything.
        let end = self.epochs.get(after).map_or(self.end_offset, |(_, start)| *start);
        match after.checked_sub(1) {
            Some(at) => Some((self.epochs[at].0, end)),
            None => Some((epoch, end)),
        }
    }

    /// Forgets the oldest chunks as long as more than `max_bytes` are stored.
    pub(crate) fn retain(&mut self, max_bytes: u64) {
        while self.len() > max_bytes {
            let Some(chunk) = self.chunks.pop_front() else { return };
            let end = chunk.position + chunk.data.len() as u64;
            let gone = self.entries.partition_point(|entry| entry.position < end);
            self.entries.drain(..gone);
            self.start_offset = self.entries.front().map_or(self.end_offset, |entry| entry.base_offset);
            self.forget_epochs();
        }
    }

    fn forget_epochs(&mut self) {
        let after = self.epochs.partition_point(|(_, start)| *start <= self.start_offset);
        self.epochs.drain(..after.saturating_sub(1));
        if let Some(first) = self.epochs.first_mut() {
            first.1 = first.1.max(self.start_offset);
        }
    }
}

#[cfg(test)]
mod tests;
