//! What one fetch brought of one partition.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Isolation;
use crate::PartitionIndex;

/// Counts the times that a partition's position was set from outside: assigned, sought, paused, moved. What was
/// fetched under an older epoch is not to be handed out. Unique within a consumer, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssignmentEpoch(pub u64);

/// The stamp of a chunk: to whom it belongs, and what it holds of the byte budget.
///
/// Each is returned once by [`Consumer::handle_consumed`](super::Consumer::handle_consumed), whether the chunk was
/// read or dropped: the budget waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The partition.
    pub partition: PartitionIndex,
    /// The assignment epoch under which it was fetched.
    pub epoch: AssignmentEpoch,
    /// The response that it is part of; its memory is one piece.
    pub(super) response: u64,
    /// The bytes of the chunk, as fetched.
    pub bytes: usize,
}

/// What one fetch brought of one partition: at least one whole batch, unread.
///
/// [`ChunkReader`](super::ChunkReader) reads it, on the reader's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// To whom it belongs.
    pub ticket: Ticket,
    /// The offset that was asked for: earlier records, which the first batch may hold, are not shown.
    pub from_offset: i64,
    /// The offset after the last whole batch.
    pub next_offset: i64,
    /// The leader epoch of the last whole batch; -1 if its format has none.
    pub leader_epoch: i32,
    /// The batches, as the broker sent them; a slice of the response. The last may be incomplete.
    pub data: Bytes,
    /// Which records of transactions are visible.
    pub isolation: Isolation,
    /// What was aborted within the chunk. Empty unless [`Isolation::ReadCommitted`].
    pub aborted: Vec<Aborted>,
    /// The offset after the last record that all in-sync replicas have.
    pub high_watermark: i64,
    /// The offset before which every transaction is decided; -1 if the broker does not say (Fetch before v4).
    pub last_stable_offset: i64,
    /// The first offset that the log still has; -1 if the broker does not say (Fetch before v5).
    pub log_start_offset: i64,
}

/// An aborted transaction, as a Fetch response lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Whose.
    pub producer_id: i64,
    /// The offset of its first record in this partition.
    pub first_offset: i64,
}
