//! What a client wants done.

use alloc::{string::String, sync::Arc, vec::Vec};

use bytes::Bytes;
use klamm_protocol::Str;

use super::{ConnectError, TopicUnavailable};
use crate::{
    ConnectionId, ConsumerId, Instant, OperationId, PartitionIndex, ProducerHandle,
    admin::{AdminError, AdminReply},
    cluster::{Address, TopicError},
    connection::{ConnectionConfig, Outgoing},
    consumer::{AssignmentEpoch, Chunk, ConsumerEvent},
    group::{CommitError, CommitResult, CommittedOffsets, GroupEvent, Parting},
    producer::{BatchId, Outcome, Seal},
    sasl::{Answer, Credentials},
    transaction::TransactionError,
};

/// An output of [`Client`](super::Client). Carry them out in their order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Open a connection and run a [`Connection`](crate::connection::Connection) on it with this configuration. Its
    /// events belong to [`Client::handle_connection`](super::Client::handle_connection).
    Open {
        /// Names the connection from now on.
        connection: ConnectionId,
        /// Where to.
        address: Address,
        /// How it behaves.
        config: Arc<ConnectionConfig>,
    },
    /// Close a connection. Its last event is still due.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Submit a request to a connection. If the connection is over, say so by
    /// [`Client::handle_unsent`](super::Client::handle_unsent).
    Send {
        /// To which.
        connection: ConnectionId,
        /// The request.
        outgoing: Outgoing,
    },
    /// Take batches out of their buffers, seal them, and answer with
    /// [`Client::handle_sealed`](super::Client::handle_sealed). Best done where `connection` is driven.
    Seal {
        /// The connection that the batches will travel on, if it is open.
        connection: Option<ConnectionId>,
        /// Whose batches.
        producer: ProducerHandle,
        /// Which.
        seal: Seal,
    },
    /// What became of a batch.
    Outcome {
        /// Whose batch.
        producer: ProducerHandle,
        /// The outcome.
        outcome: Outcome,
        /// What else is known if it failed, for instance why a broker cannot be reached.
        context: Option<String>,
    },
    /// Drop batches that have their outcome from their buffer.
    Discard {
        /// Whose batches.
        producer: ProducerHandle,
        /// The partition.
        partition: PartitionIndex,
        /// The last batch to drop.
        through: BatchId,
    },
    /// A producer was closed and all its batches have their outcome.
    ProducerClosed {
        /// Which.
        producer: ProducerHandle,
    },
    /// Hand this to the reader of a consumer.
    Deliver {
        /// Which.
        consumer: ConsumerId,
        /// What was fetched.
        chunk: Chunk,
    },
    /// Tell the reader of a consumer.
    ConsumerEvent {
        /// Which.
        consumer: ConsumerId,
        /// The assignment epoch that it is about.
        epoch: AssignmentEpoch,
        /// What happened.
        event: ConsumerEvent,
    },
    /// A group took partitions away from a consumer: what was fetched of them and not handed out is not to be.
    Unassigned {
        /// Which.
        consumer: ConsumerId,
        /// The partitions.
        partitions: Vec<PartitionIndex>,
        /// Why.
        why: Parting,
    },
    /// Tell the reader of a consumer that is in a group.
    GroupEvent {
        /// Which.
        consumer: ConsumerId,
        /// What happened.
        event: GroupEvent,
    },
    /// The topics of the cluster changed: say by [`Group::matched`](crate::group::Group::matched) which of them match
    /// the expression that a consumer subscribes by.
    MatchTopics {
        /// Which consumer.
        consumer: ConsumerId,
    },
    /// Set partitions aside that have readers of their own who do not read: see
    /// [`ConsumerOutput::MakeRoom`](crate::consumer::ConsumerOutput::MakeRoom).
    MakeRoom {
        /// Of which consumer.
        consumer: ConsumerId,
        /// About so many bytes.
        bytes: usize,
    },
    /// Copy out the chunks that wait for a reader of their own: see
    /// [`ConsumerOutput::Relieve`](crate::consumer::ConsumerOutput::Relieve).
    Relieve {
        /// Of which consumer.
        consumer: ConsumerId,
    },
    /// What [`Client::cluster`](super::Client::cluster) tells has changed: topics, partitions, leaders.
    ClusterChanged,
    /// Ask the application for credentials, and answer with
    /// [`Client::handle_credentials`](super::Client::handle_credentials).
    AskCredentials {
        /// The connection that needs them ends if they have not come by then.
        deadline: Instant,
    },
    /// Hand these to [`Connection::handle_credentials`](crate::connection::Connection::handle_credentials).
    GiveCredentials {
        /// Which connection.
        connection: ConnectionId,
        /// The credentials, or why there are none.
        result: Result<Credentials, Str>,
    },
    /// Have a message of a mechanism made, and answer with [`Client::handle_answer`](super::Client::handle_answer).
    AskAnswer {
        /// Whose dialogue it is.
        connection: ConnectionId,
        /// The broker's host, as the connection has it.
        host: Str,
        /// What the broker said; `None` begins a dialogue, in place of one that there was.
        challenge: Option<Bytes>,
        /// The connection ends if the answer has not come by then.
        deadline: Instant,
    },
    /// Hand this to [`Connection::handle_answer`](crate::connection::Connection::handle_answer).
    GiveAnswer {
        /// Which connection.
        connection: ConnectionId,
        /// The message, or why there is none.
        result: Result<Answer, Str>,
    },
    /// A topic that is wanted cannot be had.
    TopicFailed {
        /// Its name.
        topic: Str,
        /// Why.
        error: TopicError,
    },
    /// An operation ended.
    Done {
        /// Which.
        operation: OperationId,
        /// What came of it.
        result: Done,
    },
    /// The client was closed, and all that it had open. Nothing follows.
    Closed,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Done {
    /// The cluster was found, or was not.
    Connected(Result<(), ConnectError>),
    /// A topic is known, or cannot be had.
    Topic(Result<(), TopicUnavailable>),
    /// Every batch that was there when the flush began has its outcome.
    Flushed,
    /// A step of a transaction.
    Transaction(Result<(), TransactionError>),
    /// A commit.
    Committed(CommitResult),
    /// What a group has committed.
    CommittedOffsets(Result<CommittedOffsets, CommitError>),
    /// A consumer is no member of its group any more.
    GroupClosed,
    /// An operation of administration.
    Admin(Result<AdminReply, AdminError>),
}
