//! What goes into a transaction and what comes out.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use klamm_protocol::{ErrorCode, Uuid};

use super::TransactionError;
use crate::{
    OperationId, PartitionIndex, Request,
    group::{CommitOffset, GroupMetadata, TopicPartition},
    producer::ProducerId,
};

/// What the application wants.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionCommand {
    /// Get the producer id. What another producer of the same transactional id left open is ended by that, and that
    /// producer is fenced.
    Init,
    /// Begin a transaction. One that is still open is given up first.
    Begin,
    /// Commit these offsets for a group as a part of the transaction (KIP-447).
    SendOffsets {
        /// For whom.
        group: GroupMetadata,
        /// The next offset to read, by partition.
        offsets: BTreeMap<TopicPartition, CommitOffset>,
    },
    /// Commit the transaction. If that fails and the outcome is known, it is aborted.
    Commit,
    /// Abort the transaction.
    Abort,
    /// Find out what became of a commit whose outcome is unknown.
    Resume,
}

/// Why a batch of the transaction was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFailure {
    /// The last error code from a broker, `NONE` if there was none.
    pub code: ErrorCode,
    /// Whether it was sent: then its sequence numbers cannot be used again.
    pub was_sent: bool,
    /// Whether no batch of this producer will ever be taken.
    pub is_fatal: bool,
}

/// One wish or piece of news, from [`Transaction::poll`](super::Transaction::poll).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransactionOutput {
    /// A request to send.
    Request(Box<Request>),
    /// A transaction begins:
    /// [`Producer::begin_transaction`](crate::producer::Producer::begin_transaction).
    Begun {
        /// The id and epoch of its batches.
        id: ProducerId,
        /// Whether writing to a partition adds it to the transaction (version 2).
        implicit: bool,
    },
    /// These partitions are in the transaction:
    /// [`Producer::handle_enrolled`](crate::producer::Producer::handle_enrolled).
    Enrolled(Vec<PartitionIndex>),
    /// Send all that was accepted, and answer with
    /// [`Transaction::handle_drained`](super::Transaction::handle_drained) when all of it is settled:
    /// [`Producer::drain`](crate::producer::Producer::drain).
    Drain,
    /// Drop what was not sent, and what comes later:
    /// [`Producer::abandon_transaction`](crate::producer::Producer::abandon_transaction).
    Abandon {
        /// What was sent and has to be sent again still is, because a sequence number that is never used cannot be
        /// got over: these brokers have no way to another epoch.
        keep_sent: bool,
    },
    /// Nothing can be written any more: [`Producer::doom`](crate::producer::Producer::doom).
    Doomed(ErrorCode),
    /// The answer to a command.
    Done {
        /// Which.
        operation: OperationId,
        /// What came of it.
        result: Result<(), TransactionError>,
    },
    /// It was closed, and nothing is left to do. Nothing follows.
    Closed,
}

/// The ids of topics, as far as they are known.
pub(super) type TopicIds = BTreeMap<klamm_protocol::Str, Uuid>;
