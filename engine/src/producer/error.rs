//! Why a record was not written.

use std::{fmt, sync::Arc, time::Duration};

use klamm_core::{
    Effect,
    client::TopicUnavailable,
    producer::{AppendError, ProduceError, ProduceErrorKind},
};
use klamm_protocol::{ErrorCode, Str};

use crate::Record;

/// Why a record was not accepted or not acknowledged, and what is known about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The topic cannot be had. The record was not accepted.
    Topic {
        /// The topic.
        topic: Str,
        /// Why.
        error: TopicUnavailable,
    },
    /// The topic has no such partition. The record was not accepted.
    NoSuchPartition {
        /// The topic.
        topic: Str,
        /// What the record asked for; `None` if it named no partition and the producer's partitioner picks none.
        partition: Option<i32>,
        /// How many partitions the topic has.
        count: usize,
    },
    /// The record cannot be put into a batch: it is too large, or its timestamp is none. It was not accepted.
    Record {
        /// The topic.
        topic: Str,
        /// Why.
        error: AppendError,
    },
    /// The record alone is larger than the producer's memory (`buffer_memory`). It was not accepted.
    TooLargeForMemory {
        /// The bytes that it takes.
        bytes: usize,
        /// The producer's memory.
        memory: usize,
    },
    /// There was no room in the producer's memory for as long as a record may wait for it (`max_block`). It was not
    /// accepted.
    NoRoom {
        /// The bytes that it takes.
        bytes: usize,
        /// The producer's memory.
        memory: usize,
        /// How long it waited at most.
        max_block: Duration,
        /// What else is known, for instance why a broker cannot be reached.
        context: Option<Arc<str>>,
    },
    /// The record is not what the permit was given for: another topic, or more bytes. It was not accepted.
    NotReserved {
        /// The bytes that were reserved.
        reserved: usize,
        /// The bytes that the record takes.
        bytes: usize,
        /// The topic that they were reserved for.
        topic: Str,
    },
    /// The record was accepted, and its batch was not acknowledged.
    Produce {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// What happened.
        error: ProduceError,
        /// What else is known, for instance why a broker cannot be reached.
        context: Option<Arc<str>>,
    },
    /// The producer or its client is closed. The record was not accepted.
    Closed,
    /// The runtime that drove the client is gone. The record may have been written.
    Stopped,
}

impl SendError {
    /// Whether the record may be in the log all the same.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Produce { error, .. } => error.effect,
            Self::Stopped => Effect::Unknown,
            Self::Topic { .. }
            | Self::NoSuchPartition { .. }
            | Self::Record { .. }
            | Self::TooLargeForMemory { .. }
            | Self::NoRoom { .. }
            | Self::NotReserved { .. }
            | Self::Closed => Effect::None,
        }
    }

    /// Whether the transaction that the record belongs to can only be aborted now. A record that was not accepted does
    /// no harm to its transaction.
    #[must_use]
    pub const fn requires_abort(&self) -> bool {
        matches!(self, Self::Produce { .. } | Self::Stopped)
    }

    /// Whether another producer took over the transactional id. Where the record alone shows that the epoch is an old
    /// one, only the end of the transaction tells whose the new one is.
    #[must_use]
    pub fn fenced(&self) -> bool {
        self.code() == Some(ErrorCode::PRODUCER_FENCED)
    }

    /// The broker's error code, if a broker gave one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Produce { error, .. } => Some(error.code).filter(|code| !code.is_ok()),
            Self::Topic { error, .. } => error.error.map(|error| error.code),
            _ => None,
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        let Self::Produce { error, .. } = self else { return None };
        match (error.kind, error.code) {
            (ProduceErrorKind::Fatal, ErrorCode::UNSUPPORTED_VERSION) => Some(
                "the brokers are too old for an idempotent producer (before Kafka 0.11): set idempotent(false)",
            ),
            (ProduceErrorKind::Unauthorized, ErrorCode::CLUSTER_AUTHORIZATION_FAILED) => {
                Some("the user lacks the permission (ACL) to write idempotently")
            }
            (ProduceErrorKind::Unauthorized, _) => {
                Some("the user lacks the permission (ACL) to write to the topic")
            }
            (ProduceErrorKind::TooLarge, _) => {
                Some("send smaller records, or raise the topic's max.message.bytes")
            }
            _ => None,
        }
    }

    /// Whether sending the record anew may succeed. If the [`effect`](Self::effect) is unknown, it may also write
    /// the record twice.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Produce { error, .. } => error.is_retriable(),
            Self::Topic { error, .. } => error.error.is_none_or(|error| error.code.is_retriable()),
            Self::NoRoom { .. } => true,
            _ => false,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic { topic, error } => write!(f, "topic {topic}: {error}"),
            Self::NoSuchPartition { topic, partition: Some(partition), count } => {
                write!(f, "topic {topic} has no partition {partition}: it has {count}, counted from 0")
            }
            Self::NoSuchPartition { topic, partition: None, .. } => {
                write!(
                    f,
                    "a record for topic {topic} names no partition, and the producer's partitioner picks none"
                )
            }
            Self::Record { topic, error } => write!(f, "topic {topic}: {error}"),
            Self::TooLargeForMemory { bytes, memory } => {
                write!(
                    f,
                    "the record takes {bytes} bytes, the producer's memory is {memory}: raise buffer_memory"
                )
            }
            Self::NoRoom { bytes, memory, max_block, context } => {
                write!(
                    f,
                    "no room for {bytes} bytes in the producer's memory of {memory} for {max_block:?} \
                     (buffer_memory, buffer_records, max_block): the cluster takes less than is sent"
                )?;
                match context {
                    Some(context) => write!(f, "; {context}"),
                    None => Ok(()),
                }
            }
            Self::NotReserved { reserved, bytes, topic } => {
                write!(
                    f,
                    "{reserved} bytes were reserved for topic {topic}, and the record takes {bytes} or is for another topic"
                )
            }
            Self::Produce { topic, partition, error, context } => {
                write!(f, "topic {topic}, partition {partition}: {error}")?;
                if let Some(cure) = self.cure() {
                    write!(f, " ({cure})")?;
                }
                match context {
                    Some(context) => write!(f, "; {context}"),
                    None => Ok(()),
                }
            }
            Self::Closed => f.write_str("the producer is closed"),
            Self::Stopped => f.write_str("the runtime that drove the client is gone"),
        }
    }
}

impl std::error::Error for SendError {}

/// Why a record was not accepted at once. The record comes back.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrySendError<'a> {
    /// The producer's memory is used up: wait, or send less.
    Full(Record<'a>),
    /// The topic's metadata are not there yet; they have been asked for.
    TopicPending(Record<'a>),
    /// The record will never be accepted.
    Refused(Record<'a>, SendError),
}

impl<'a> TrySendError<'a> {
    /// Whether the producer's memory is used up.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the same record may be accepted later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        !matches!(self, Self::Refused(..))
    }

    /// Why, where the record will never be accepted.
    pub(super) fn into_error(self) -> SendError {
        match self {
            Self::Full(_) | Self::TopicPending(_) => SendError::Closed,
            Self::Refused(_, error) => error,
        }
    }

    /// The record.
    pub fn into_record(self) -> Record<'a> {
        match self {
            Self::Full(record) | Self::TopicPending(record) | Self::Refused(record, _) => record,
        }
    }
}

impl fmt::Display for TrySendError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the producer's memory (buffer_memory) is used up"),
            Self::TopicPending(record) => {
                write!(f, "the metadata of topic {} are not there yet", record.topic())
            }
            Self::Refused(_, error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrySendError<'_> {}

/// Records that were accepted were not acknowledged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Undelivered {
    /// How many.
    pub records: u64,
    /// How many of them may be in the log all the same: their effect is [`Effect::Unknown`]. The others surely are not.
    pub maybe_written: u64,
    /// Where they were to go, by topic and partition.
    pub partitions: Vec<UndeliveredPartition>,
}

/// Records of one partition that were accepted and not acknowledged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UndeliveredPartition {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// How many.
    pub records: u64,
    /// How many of them may be in the log all the same.
    pub maybe_written: u64,
    /// Why the last of them were not acknowledged.
    pub error: SendError,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, maybe_written, partitions } = self;
        write!(f, "{records} records of {} partitions were not acknowledged", partitions.len())?;
        if *maybe_written > 0 {
            write!(f, ", of which {maybe_written} may have been written")?;
        }
        match partitions.first() {
            Some(first) => write!(f, "; for instance: {}", first.error),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Undelivered {}
