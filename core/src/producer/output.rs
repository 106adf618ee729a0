//! What a producer wants of its driver.

use alloc::vec::Vec;

use klamm_protocol::{Str, compression::Compression, records::SealedBatch};

use super::{BatchId, FlushId, Outcome};
use crate::{
    BrokerId, PartitionIndex, Request,
    cluster::{Broker, Leader},
    transaction::BatchFailure,
};

/// Batches to take out of their buffers and to seal, off every lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The broker that they will go to; hand it back with [`Producer::handle_sealed`](super::Producer::handle_sealed).
    pub broker: BrokerId,
    /// From each of these, one batch: [`PartitionBuffer::take`](super::PartitionBuffer::take).
    pub partitions: Vec<PartitionIndex>,
    /// Stop taking when the next batch ([`PartitionBuffer::next_len`](super::PartitionBuffer::next_len)) would
    /// make more than so many bytes; but always take the first.
    pub max_bytes: usize,
    /// The codec to seal with.
    pub compression: Compression,
}

/// Who leads a partition, as a produce response said (KIP-951): for
/// [`Cluster::handle_leader_hint`](crate::cluster::Cluster::handle_leader_hint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// The partition.
    pub partition: PartitionIndex,
    /// Its leader.
    pub leader: Leader,
    /// Where the leader listens, if the response said.
    pub endpoint: Option<Broker>,
}

/// One wish or piece of news, from [`Producer::poll`](super::Producer::poll).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProducerOutput {
    /// A connection to this broker for produce requests: answer with
    /// [`handle_ready`](super::Producer::handle_ready) or
    /// [`handle_unready`](super::Producer::handle_unready). Asked for once until answered.
    Connect(BrokerId),
    /// Batches to seal: answer with [`handle_sealed`](super::Producer::handle_sealed), always.
    Seal(Seal),
    /// A request to send.
    Request(Request),
    /// What became of a batch, or of some of its records.
    Outcome {
        /// The outcome.
        outcome: Outcome,
        /// Why, in the broker's words, if it said so (KIP-467).
        reason: Option<Str>,
    },
    /// The batches of this partition up to this one have their outcome and are still in the buffer: drop them with
    /// [`PartitionBuffer::discard`](super::PartitionBuffer::discard).
    Discard {
        /// The partition.
        partition: PartitionIndex,
        /// The last batch to drop.
        through: BatchId,
    },
    /// The partition's leader is unknown or was wrong:
    /// [`Cluster::request_refresh`](crate::cluster::Cluster::request_refresh).
    WantLeader(PartitionIndex),
    /// [`Producer::is_available`](super::Producer::is_available) has another answer for some broker.
    AvailabilityChanged,
    /// A response named a partition's new leader.
    Leader(LeaderHint),
    /// Every batch that was there when the flush began has its outcome.
    Flushed(FlushId),
    /// A partition has something and is not in the transaction:
    /// [`Transaction::handle_wanted`](crate::transaction::Transaction::handle_wanted).
    Enrol {
        /// The partition.
        partition: PartitionIndex,
        /// Its topic.
        topic: Str,
        /// Its number.
        number: i32,
    },
    /// A batch of the transaction was not written:
    /// [`Transaction::handle_batch_failed`](crate::transaction::Transaction::handle_batch_failed).
    BatchFailed(BatchFailure),
    /// The transaction has nothing left and nothing under way:
    /// [`Transaction::handle_drained`](crate::transaction::Transaction::handle_drained).
    Drained,
    /// The producer was closed and every batch has its outcome. Nothing follows.
    Closed,
}

/// What became of one partition's part of a [`Seal`].
#[derive(Clone, Debug)]
pub struct SealedPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// What became of it.
    pub result: SealResult,
}

/// What became of a batch that was to be sealed.
#[derive(Clone, Debug)]
pub enum SealResult {
    /// It is sealed.
    Sealed {
        /// Which batch it is.
        batch: BatchId,
        /// The sealed batch.
        sealed: SealedBatch,
    },
    /// It was left in its buffer, because it would not fit with the others.
    Left,
    /// There was nothing in the buffer.
    Empty,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// No byte of it was written.
    NotSent,
    /// It was written, at least in part: a broker may have acted on it.
    MaybeSent,
    /// There is no version of it that this broker knows.
    Unsupported,
}
