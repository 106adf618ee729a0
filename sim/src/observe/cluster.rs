//! What happens in the cluster.

use bytes::Bytes;
use klamm_protocol::{ApiKey, ErrorCode, Str, Uuid};

use crate::cluster::ConnectionId;

/// Where the transaction of a transactional id is, as its coordinator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionPhase {
    /// There is none: a producer was given an epoch.
    Empty,
    /// It has partitions or offsets.
    Ongoing,
    /// It was decided to commit it, and that is being written.
    Committing,
    /// It was decided to abort it, and that is being written.
    Aborting,
    /// Its commit is written everywhere.
    Committed,
    /// Its abort is written everywhere.
    Aborted,
}

/// In the cluster. Offsets are of the leader's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A broker that believes to lead the partition appended batches of a producer, stored as they are here.
    Appended {
        /// Where.
        topic_id: Uuid,
        /// The topic's name.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The broker.
        broker: i32,
        /// Its epoch.
        leader_epoch: i32,
        /// The batches as stored, with their offsets.
        batches: Bytes,
    },
    /// The high watermark that the true leader has reached: what is below is committed.
    Committed {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// Offsets below this are committed.
        high_watermark: i64,
    },
    /// A partition has another leader (-1: none).
    Elected {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// Who leads now.
        leader: i32,
        /// Since this epoch.
        leader_epoch: i32,
        /// The end of the new leader's log, where its epoch begins: what lies behind it in other logs is lost. -1
        /// without a leader.
        end_offset: i64,
        /// The epochs of the new leader's log, the oldest first, each with the offset at which it begins: which of the
        /// records that were ever appended are in it. Empty: those of the log before, up to the end offset.
        epochs: Vec<(i32, i64)>,
        /// Whether it was not in sync, so that committed records may be lost.
        unclean: bool,
    },
    /// Committed records from this offset on are lost: unflushed, or not on the new leader.
    Lost {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The first one that is lost.
        from_offset: i64,
        /// Those are lost that were written under an earlier epoch than this; later ones have taken their offsets.
        leader_epoch: i32,
    },
    /// Records below this offset are gone: retention, or deletion. It falls if another replica leads whose log begins
    /// earlier.
    LogStart {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The first offset that is left.
        offset: i64,
    },
    /// A topic was created, or got more partitions.
    Topic {
        /// Its id.
        topic_id: Uuid,
        /// Its name.
        topic: Str,
        /// How many partitions it has now.
        partitions: i32,
        /// Whether it has too few replicas for `acks=all` ever to be enough (`min.insync.replicas`).
        lacks_replicas: bool,
    },
    /// A topic was deleted.
    TopicDeleted {
        /// Its id.
        topic_id: Uuid,
        /// Its name.
        topic: Str,
    },
    /// A broker went down or came up, or is cut off from the controller (a zombie).
    Broker {
        /// Which.
        broker: i32,
        /// Whether it serves.
        up: bool,
    },
    /// A broker has forgotten fetch sessions, although it did not go down.
    SessionsDropped {
        /// Which.
        broker: i32,
    },
    /// A partition's replicas have forgotten a producer's sequences, as when it was idle for long: what it sends again
    /// is not recognised.
    ProducerForgotten {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The id.
        producer_id: i64,
    },
    /// A member of a group has committed an offset.
    OffsetCommitted {
        /// The group.
        group: Str,
        /// The member's id.
        member: Str,
        /// In which generation.
        generation: i32,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A member of a group is not one any more.
    MemberGone {
        /// The group.
        group: Str,
        /// The member's id.
        member: Str,
        /// Whether it was silent or slow for too long; otherwise it has left.
        expired: bool,
    },
    /// A group has another coordinator, and nobody knows any more that it was to rebalance: what is stored of it names
    /// those who are in it.
    RebalanceForgotten {
        /// The group.
        group: Str,
    },
    /// What is known of a transactional id has changed.
    Transaction {
        /// The transactional id.
        id: Str,
        /// Whose it is now.
        producer_id: i64,
        /// Since which epoch nobody with a lower one may write.
        epoch: i16,
        /// Where its transaction is.
        phase: TransactionPhase,
    },
    /// What was committed for a group as part of a transaction counts from now on.
    TransactionalOffset {
        /// The group.
        group: Str,
        /// Who committed it.
        producer_id: i64,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A producer id was given out.
    ProducerId {
        /// The id.
        producer_id: i64,
        /// The epoch.
        epoch: i16,
    },
    /// A request was answered with an injected error.
    Injected {
        /// Of which API.
        api: ApiKey,
        /// At which broker.
        broker: i32,
        /// The error.
        error: ErrorCode,
        /// Whether the request took effect all the same.
        applied: bool,
    },
    /// The answer to a request was damaged or not sent, or the request was dropped: by a fault of this name.
    Tampered {
        /// On which connection.
        connection: ConnectionId,
        /// Of which API.
        api: ApiKey,
        /// The name of the [fault](crate::cluster::FAULTS).
        fault: &'static str,
    },
    /// A broker refused what a client sent in a way that blames the client.
    Refused {
        /// On which connection.
        connection: ConnectionId,
        /// Why.
        reason: Refusal,
    },
}

/// What a broker finds wrong with a request that its client should never have sent like that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The frame is too short to say what it is.
    TooShort,
    /// The frame has so many bytes, more than `socket.request.max.bytes`.
    TooLong(usize),
    /// The broker's release has no such API.
    UnknownApi(ApiKey),
    /// The broker's release lacks this version of the API; not told for `ApiVersions`, whose refusal is how versions
    /// are found.
    UnsupportedVersion(ApiKey, i16),
    /// The header cannot be read.
    Header(ApiKey, i16),
    /// The body cannot be read; in words.
    Body(ApiKey, i16, String),
    /// Bytes follow the body.
    TrailingBytes(ApiKey, i16),
    /// Record batches are not as they must be: the error that says so, and words.
    Records(ErrorCode, String),
    /// The request was understood and is not allowed: the error that says so.
    Invalid(ApiKey, ErrorCode),
}
