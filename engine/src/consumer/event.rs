//! What a consumer reports, with the names of its partitions.

use std::fmt;

use klamm_core::{
    consumer::{PartitionErrorKind, ResetReason},
    group::CommitError,
};
use klamm_protocol::{ErrorCode, Str};

use super::{FetchedBatch, StreamEnd};

/// What comes next for the reader of a consumer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Records.
    Batch(FetchedBatch),
    /// The end of a partition is reached for now: there is no further record that the consumer may see. Reported
    /// once an offset.
    End {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset of the next record.
        offset: i64,
    },
    /// The position of a partition was chosen by the broker, or moved because its offset does not exist.
    Reset {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// Where it was; `None` if there was no position.
        from: Option<i64>,
        /// Where it is now.
        to: i64,
        /// Why.
        why: ResetReason,
    },
    /// The log lost records that were read already, after a leader was lost (KIP-320).
    Truncated {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset of the next record before.
        position: i64,
        /// The first offset at which the log differs; `None` if the broker cannot say.
        diverged_at: Option<i64>,
        /// Whether reading continues there. If not, the partition is stopped until it is sought.
        continues: bool,
    },
    /// Reading a partition fails for now; it is tried again by itself. What takes somebody to change is a
    /// [`ConsumeError::Partition`] instead: a permission that is lacking, a topic's name that is invalid.
    Trouble(PartitionTrouble),
    /// An [automatic](crate::ConsumerBuilder::auto_commit) commit failed. The next one covers it.
    CommitFailed(CommitError),
}

/// Reading a partition fails.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionTrouble {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// What happened.
    pub kind: PartitionErrorKind,
    /// The offset of the next record, if there is a position.
    pub offset: Option<i64>,
    /// Whether it is tried again by itself. If not, the partition is stopped until it is sought.
    pub retrying: bool,
    /// What else is known, for instance why a broker cannot be reached.
    pub context: Option<String>,
}

impl PartitionTrouble {
    /// The broker's error code, if a broker gave one.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self.kind {
            PartitionErrorKind::Code(code) => Some(code),
            _ => None,
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub const fn cure(&self) -> Option<&'static str> {
        match self.kind {
            PartitionErrorKind::Code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID) => {
                Some("check the topic's name and its number of partitions")
            }
            PartitionErrorKind::Code(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                Some("the user lacks the permission (ACL) to read the topic")
            }
            PartitionErrorKind::NoPosition | PartitionErrorKind::OutOfRange => {
                Some("seek to an offset that exists, or configure offset_reset")
            }
            PartitionErrorKind::BatchTooLarge => Some("raise fetch_max_bytes"),
            _ => None,
        }
    }
}

impl fmt::Display for PartitionTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}, partition {}", self.topic, self.partition)?;
        if let Some(offset) = self.offset {
            write!(f, ", offset {offset}")?;
        }
        write!(f, ": {}", self.kind)?;
        if let Some(cure) = self.cure() {
            write!(f, " ({cure})")?;
        }
        match &self.context {
            Some(context) => write!(f, "; {context}"),
            None => Ok(()),
        }
    }
}

/// Why a consumer gives no records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConsumeError {
    /// Reading a partition failed, and waiting will not help: the other partitions go on. It is stopped until it is sought;
    /// or the cluster refuses, for instance because the user lacks a permission (ACL): then
    /// [`retrying`](PartitionTrouble::retrying) is true, it goes on by itself once that has changed, and until then it is
    /// not said again.
    Partition(PartitionTrouble),
    /// The partition that was read for itself is gone.
    Ended(StreamEnd),
    /// The consumer or its client is closed.
    Closed,
    /// The runtime that drove the client is gone.
    Stopped,
}

impl ConsumeError {
    /// The broker's error code, if a broker gave one.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Partition(trouble) => trouble.code(),
            Self::Ended(_) | Self::Closed | Self::Stopped => None,
        }
    }

    /// Whether it is of no use to ask for more.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Partition(_))
    }
}

impl fmt::Display for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(trouble) => trouble.fmt(f),
            Self::Ended(why) => why.fmt(f),
            Self::Closed => f.write_str("the consumer is closed"),
            Self::Stopped => f.write_str("the runtime that drove the client is gone"),
        }
    }
}

impl std::error::Error for ConsumeError {}

/// A partition that is not assigned to the consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAssigned {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
}

impl fmt::Display for NotAssigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic {}, partition {} is not assigned to this consumer: assign it first",
            self.topic, self.partition
        )
    }
}

impl std::error::Error for NotAssigned {}

/// A partition that cannot be read for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStreamed {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// Whether it is assigned: then it has a stream already, or the consumer is closed.
    pub assigned: bool,
}

impl fmt::Display for NotStreamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.assigned {
            "is read by a stream of its own already: use that one, or drop it before"
        } else {
            "is not assigned to this consumer: assign it first"
        };
        write!(f, "topic {}, partition {} {why}", self.topic, self.partition)
    }
}

impl std::error::Error for NotStreamed {}

/// Why a position cannot be moved from where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeekError {
    /// The partition is not assigned.
    NotAssigned(NotAssigned),
    /// It has no position yet: its broker is still asked for where to start.
    NoPosition {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
    },
}

impl fmt::Display for SeekError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAssigned(error) => error.fmt(f),
            Self::NoPosition { topic, partition } => {
                write!(
                    f,
                    "topic {topic}, partition {partition} has no position yet: wait for its first event"
                )
            }
        }
    }
}

impl std::error::Error for SeekError {}
