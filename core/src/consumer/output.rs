//! What a consumer says: requests to send, chunks to hand out, events to report.

use alloc::boxed::Box;
use core::fmt;

use klamm_protocol::{ErrorCode, Str, Uuid};

use super::chunk::{AssignmentEpoch, Chunk};
use crate::{BrokerId, PartitionIndex, Request, error::is_refusal};

/// One partition given to a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The client's index of (topic, partition). Of a topic that was deleted and made again it stays the same.
    pub index: PartitionIndex,
    /// The topic's name.
    pub topic: Str,
    /// The partition's number within the topic.
    pub partition: i32,
    /// Where to start.
    pub start: super::StartAt,
}

/// Where a partition is led, as the metadata say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLeader {
    /// The broker that leads the partition.
    pub broker: BrokerId,
    /// The leader's epoch; negative if the metadata do not say.
    pub epoch: i32,
    /// The topic's id; zero if the broker knows no topic ids (before Kafka 2.8).
    pub topic_id: Uuid,
}

/// What a consumer wants done. Outputs are in order: what is said of a partition after one of its chunks holds
/// from that chunk on.
#[derive(Clone, Debug, PartialEq)]
pub enum ConsumerOutput {
    /// Send this: a Fetch, ListOffsets or OffsetForLeaderEpoch. It is answered by exactly one call of
    /// [`Consumer::handle_response`](super::Consumer::handle_response) or
    /// [`Consumer::handle_lost`](super::Consumer::handle_lost), by the number in its token.
    Request(Box<Request>),
    /// Hand this to the reader.
    Deliver(Chunk),
    /// Tell the application.
    Event {
        /// The assignment epoch of the partition in which it happened: see
        /// [`Consumer::is_event_current`](super::Consumer::is_event_current) before it is shown.
        epoch: AssignmentEpoch,
        /// What happened.
        event: ConsumerEvent,
    },
    /// The metadata of this topic are wanted from now on.
    WantTopic(Str),
    /// The metadata of this topic are not wanted any more. Once for each [`ConsumerOutput::WantTopic`].
    ReleaseTopic(Str),
    /// The metadata of this topic are out of date.
    RefreshTopic(Str),
    /// Memory is short, and chunks that wait hold more of it than they need: each is to be given to
    /// [`Consumer::relieve`](super::Consumer::relieve).
    Relieve,
    /// Partitions of which nothing is fetched wait for memory. If others have readers of their own who leave what was fetched
    /// unread, some of those are to be [set aside](super::Consumer::set_aside): about so many bytes.
    MakeRoom {
        /// How many.
        bytes: usize,
    },
    /// A broker that is not the leader said who is (KIP-951).
    LeaderHint(LeaderHint),
}

/// A broker's word on who leads a partition (KIP-951).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// The partition.
    pub partition: PartitionIndex,
    /// The new leader.
    pub broker: BrokerId,
    /// The new leader's epoch.
    pub epoch: i32,
    /// Where that broker is, if it said: host and port.
    pub endpoint: Option<(Str, u16)>,
}

/// Something that the application should know of a partition. Each is in order with the partition's chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// Reading a partition fails. Reported once until it succeeds again or fails otherwise.
    PartitionError(PartitionError),
    /// The position was moved, because there was none or because its offset does not exist.
    Reset {
        /// The partition.
        partition: PartitionIndex,
        /// Where it was; `None` if it had no position.
        from: Option<i64>,
        /// Where it is now.
        to: i64,
        /// Why it was moved.
        why: ResetReason,
    },
    /// The log was truncated below what was read already, after a leader was lost (KIP-320): what was read from
    /// `diverged_at` on is not what the log holds there now.
    Truncated {
        /// The partition.
        partition: PartitionIndex,
        /// The offset of the next record before.
        position: i64,
        /// The first offset at which the log differs; `None` if the broker cannot say.
        diverged_at: Option<i64>,
        /// Whether reading continues there. If not, the partition is stopped until it is sought.
        continues: bool,
    },
    /// The end of the partition is reached: the high watermark, or the last stable offset with
    /// [`Isolation::ReadCommitted`](super::Isolation::ReadCommitted). Reported once an offset.
    EndOfPartition {
        /// The partition.
        partition: PartitionIndex,
        /// The end: the offset that the next record will have or exceed.
        offset: i64,
    },
}

/// Why a position was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// The application asked for a place that only the broker knows (earliest, latest, by timestamp).
    Asked,
    /// The offset does not exist at the broker (OFFSET_OUT_OF_RANGE): deleted by retention, or never written.
    OutOfRange,
    /// The log was truncated, and the broker cannot say where.
    Truncated,
}

/// Why reading a partition fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionError {
    /// The partition.
    pub partition: PartitionIndex,
    /// What happened.
    pub kind: PartitionErrorKind,
    /// The next offset to fetch, if there is a position.
    pub offset: Option<i64>,
    /// Whether it is tried again by itself (with backoff). If not, the partition is stopped until it is sought.
    pub retrying: bool,
}

/// What went wrong with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionErrorKind {
    /// The broker says so.
    Code(ErrorCode),
    /// There is no position, and [`OffsetReset::None`](super::OffsetReset::None) forbids to choose one.
    NoPosition,
    /// The offset does not exist, and [`OffsetReset::None`](super::OffsetReset::None) forbids to choose another.
    OutOfRange,
    /// A batch is larger than `fetch_max_bytes`, and the broker is too old to return it nevertheless.
    BatchTooLarge,
    /// The broker returned bytes that hold no whole batch, or batches that lie before the offset asked for.
    NoProgress,
    /// The bytes returned are no record batches.
    Corrupt,
}

impl PartitionErrorKind {
    /// Whether it takes somebody to change the cluster or the program, and not only time: a permission is lacking, or the
    /// topic's name is invalid. It is tried again nevertheless, since a permission may be given.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::Code(code) => is_refusal(code),
            _ => false,
        }
    }
}

impl fmt::Display for PartitionErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::NoPosition => f.write_str("there is no position to begin at"),
            Self::OutOfRange => f.write_str("the offset does not exist any more, or not yet"),
            Self::BatchTooLarge => f.write_str("a batch is larger than a fetch may be"),
            Self::NoProgress => f.write_str("the broker returned nothing that can be used"),
            Self::Corrupt => f.write_str("the records are corrupt"),
        }
    }
}

impl ConsumerEvent {
    /// The partition that it is about.
    #[must_use]
    pub const fn partition(&self) -> PartitionIndex {
        match self {
            Self::PartitionError(error) => error.partition,
            Self::Reset { partition, .. }
            | Self::Truncated { partition, .. }
            | Self::EndOfPartition { partition, .. } => *partition,
        }
    }
}
