//! Why a record was not accepted, and why a batch was not acknowledged.

use core::fmt;

use klamm_protocol::{ErrorCode, records};

use crate::Effect;

/// A record was refused by [`PartitionBuffer::append`](super::PartitionBuffer::append). Nothing was buffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The record does not fit into a request.
    RecordTooLarge {
        /// The size in bytes of a batch with only this record, uncompressed.
        size: usize,
        /// The configured `max_request_size`, in bytes.
        max_request_size: usize,
    },
    /// The timestamp is negative and not -1.
    Timestamp(i64),
}

impl AppendError {
    /// The same for a record that was refused by a new batch, which is never full.
    pub(super) const fn of(error: records::AppendError) -> Self {
        match error {
            records::AppendError::TooLarge { needed_bytes, max_bytes } => {
                Self::RecordTooLarge { size: needed_bytes, max_request_size: max_bytes }
            }
            records::AppendError::Timestamp(timestamp) => Self::Timestamp(timestamp),
            _ => Self::RecordTooLarge { size: usize::MAX, max_request_size: 0 },
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordTooLarge { size, max_request_size } => write!(
                f,
                "the record takes {size} bytes, a request at most {max_request_size}: raise max_request_size \
                 (and the topic's max.message.bytes), or send less"
            ),
            Self::Timestamp(timestamp) => {
                write!(f, "timestamp {timestamp} is negative: use milliseconds since 1970, or -1 for none")
            }
        }
    }
}

impl core::error::Error for AppendError {}

/// What kind of failure ended a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProduceErrorKind {
    /// The delivery timeout passed.
    TimedOut,
    /// The cluster has no such topic, or it was deleted.
    UnknownTopic,
    /// The broker refused the batch for good, or as often as `retries` allows.
    Refused,
    /// The broker finds the record invalid and says so of this record (KIP-467): a record without a key for a compacted
    /// topic, for instance. Other records of its batch may be written if they are sent again.
    InvalidRecord,
    /// The broker refused the batch for other records of it, which are told
    /// [`InvalidRecord`](Self::InvalidRecord). This one may be written if it is sent again.
    BesideInvalidRecord,
    /// The producer may not write to the topic, or not be idempotent.
    Unauthorized,
    /// The broker finds the batch too large even with one record.
    TooLarge,
    /// The producer can never write again: a newer instance took over, or the cluster lacks what it needs.
    Fatal,
    /// The application aborted the buffered records, or the producer was closed.
    Aborted,
    /// The broker is too old for what the records hold: headers need brokers from 0.11.
    Unsupported,
}

/// Why a batch was not acknowledged, and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProduceError {
    /// What kind of failure it was.
    pub kind: ProduceErrorKind,
    /// Whether the records may be in the log all the same. With idempotence, at most one copy of them is.
    pub effect: Effect,
    /// The last error code from a broker for this batch, `NONE` if there was none.
    pub code: ErrorCode,
}

impl ProduceError {
    /// An error of this kind.
    #[must_use]
    pub const fn new(kind: ProduceErrorKind, effect: Effect, code: ErrorCode) -> Self {
        Self { kind, effect, code }
    }

    /// Whether sending the same records anew may succeed. If the effect is unknown, it may also write them twice.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(
            self.kind,
            ProduceErrorKind::TimedOut
                | ProduceErrorKind::UnknownTopic
                | ProduceErrorKind::Aborted
                | ProduceErrorKind::BesideInvalidRecord
        )
    }
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ProduceErrorKind::TimedOut => "no acknowledgement before the delivery timeout",
            ProduceErrorKind::UnknownTopic => "the cluster does not know the topic or partition",
            ProduceErrorKind::Refused => "the broker refused the batch",
            ProduceErrorKind::InvalidRecord => "the broker finds the record invalid",
            ProduceErrorKind::BesideInvalidRecord => "the broker refused other records of the same batch",
            ProduceErrorKind::Unauthorized => "not authorised",
            ProduceErrorKind::TooLarge => {
                "the broker finds the record too large (see the topic's max.message.bytes)"
            }
            ProduceErrorKind::Fatal => "the producer cannot write any more",
            ProduceErrorKind::Aborted => "aborted by the application",
            ProduceErrorKind::Unsupported => {
                "the broker is too old for record headers (0.11 or later has them)"
            }
        };
        f.write_str(what)?;
        if !self.code.is_ok() {
            write!(f, ": {}", self.code)?;
        }
        match self.effect {
            Effect::None => f.write_str(" (nothing was written)"),
            Effect::Unknown => f.write_str(" (it may have been written)"),
            Effect::Done => Ok(()),
        }
    }
}

impl core::error::Error for ProduceError {}
