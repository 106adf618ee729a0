//! Why a transaction does not go on.

use alloc::string::String;
use core::fmt;

use klamm_protocol::ErrorCode;

use crate::Effect;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionStep {
    /// Looking for the coordinator (FindCoordinator).
    FindCoordinator,
    /// Getting the producer id or another epoch (InitProducerId).
    Initialise,
    /// Beginning a transaction.
    Begin,
    /// Adding partitions (AddPartitionsToTxn).
    AddPartitions,
    /// Writing records.
    Produce,
    /// Adding offsets (AddOffsetsToTxn, TxnOffsetCommit).
    SendOffsets,
    /// Committing (EndTxn).
    Commit,
    /// Aborting (EndTxn).
    Abort,
}

impl TransactionStep {
    const fn describe(self) -> &'static str {
        match self {
            Self::FindCoordinator => "looking for the transaction's coordinator",
            Self::Initialise => "getting the producer id",
            Self::Begin => "beginning a transaction",
            Self::AddPartitions => "adding partitions to the transaction",
            Self::Produce => "writing records",
            Self::SendOffsets => "adding offsets to the transaction",
            Self::Commit => "committing",
            Self::Abort => "aborting",
        }
    }
}

/// What kind of failure it was (KIP-1050).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionErrorKind {
    /// The transaction has to be aborted; the producer can begin another one.
    Abortable,
    /// There was no answer in time. A transaction that was to be committed was, or is being, aborted.
    TimedOut,
    /// The commit was sent, and it is not known what became of it.
    InDoubt,
    /// Another producer took over the transactional id. This one can do nothing any more.
    Fenced,
    /// The coordinator does not allow what is asked: a permission, the timeout, the version of the brokers. Asking again
    /// may succeed once that was changed.
    Refused,
    /// This producer can do nothing any more. Another one with the same transactional id can.
    Fatal,
    /// The application asked for what cannot be done now, for instance to commit what was never begun.
    Misuse,
    /// The producer or its client is closed.
    Closed,
}

/// Why a step of a transaction failed, and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionError {
    /// What kind of failure it was.
    pub kind: TransactionErrorKind,
    /// What was being done.
    pub doing: TransactionStep,
    /// What is known of the transaction: with [`Effect::None`] nobody who reads committed records will ever see
    /// anything of it.
    pub effect: Effect,
    /// The last error code from a broker, `NONE` if there was none.
    pub code: ErrorCode,
    /// What else is known, for instance why a broker cannot be reached.
    pub context: Option<String>,
}

impl TransactionError {
    pub(crate) const fn new(kind: TransactionErrorKind, doing: TransactionStep, code: ErrorCode) -> Self {
        let effect = match kind {
            TransactionErrorKind::InDoubt => Effect::Unknown,
            _ => Effect::None,
        };
        Self { kind, doing, effect, code, context: None }
    }

    /// The error of what is asked of a closed producer.
    #[must_use]
    pub const fn closed(doing: TransactionStep) -> Self {
        // A commit may have been under way when it was closed.
        let effect = match doing {
            TransactionStep::Commit => Effect::Unknown,
            _ => Effect::None,
        };
        Self { kind: TransactionErrorKind::Closed, doing, effect, code: ErrorCode::NONE, context: None }
    }

    pub(crate) fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    pub(crate) fn because(self, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { context: Some(message).filter(|message| !message.is_empty()), ..self }
    }

    /// Whether the transaction can only be aborted. If it was a commit that failed, that was done already.
    #[must_use]
    pub const fn requires_abort(&self) -> bool {
        matches!(self.kind, TransactionErrorKind::Abortable | TransactionErrorKind::TimedOut)
    }

    /// Whether it is not known if the transaction was committed. What was written may be visible, now or later.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self.effect, Effect::Unknown)
    }

    /// Whether another producer took over the transactional id.
    #[must_use]
    pub const fn fenced(&self) -> bool {
        matches!(self.kind, TransactionErrorKind::Fenced)
    }

    /// Whether this producer can do nothing any more: make another one.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(
            self.kind,
            TransactionErrorKind::Fenced | TransactionErrorKind::Fatal | TransactionErrorKind::Closed
        )
    }

    /// Whether the same may succeed in another transaction of this producer.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.requires_abort()
            && !matches!(
                self.code,
                ErrorCode::TOPIC_AUTHORIZATION_FAILED
                    | ErrorCode::GROUP_AUTHORIZATION_FAILED
                    | ErrorCode::MESSAGE_TOO_LARGE
                    | ErrorCode::RECORD_LIST_TOO_LARGE
                    | ErrorCode::INVALID_RECORD
                    | ErrorCode::INVALID_TIMESTAMP
                    | ErrorCode::POLICY_VIOLATION
                    | ErrorCode::INVALID_TOPIC_EXCEPTION
                    | ErrorCode::OFFSET_METADATA_TOO_LARGE
                    | ErrorCode::FENCED_INSTANCE_ID
                    | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
            )
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub const fn cure(&self) -> Option<&'static str> {
        match self.code {
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                Some("the user lacks the permission (ACL) to write with this transactional id")
            }
            ErrorCode::GROUP_AUTHORIZATION_FAILED => {
                Some("the user lacks the permission (ACL) to read the group")
            }
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                Some("the user lacks the permission (ACL) to write to the topic")
            }
            ErrorCode::INVALID_TRANSACTION_TIMEOUT => {
                Some("the timeout is above the brokers' transaction.max.timeout.ms: lower it")
            }
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::STALE_MEMBER_EPOCH
            | ErrorCode::FENCED_INSTANCE_ID => {
                Some("the group has rebalanced: abort, and read again from what is committed")
            }
            ErrorCode::UNSUPPORTED_VERSION => match self.kind {
                TransactionErrorKind::Refused => {
                    Some("the brokers are too old for transactions (before Kafka 0.11)")
                }
                _ => Some("the brokers are too old to go on (before Kafka 2.5): make another producer"),
            },
            _ => match self.kind {
                TransactionErrorKind::InDoubt => Some("resume the commit to find out"),
                TransactionErrorKind::Fatal => Some("make another producer"),
                _ => None,
            },
        }
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = self.doing.describe();
        match self.kind {
            TransactionErrorKind::Abortable => {
                write!(f, "{doing} failed, the transaction has to be aborted")?
            }
            TransactionErrorKind::TimedOut => write!(f, "{doing} took too long")?,
            TransactionErrorKind::InDoubt => {
                f.write_str("the commit was sent and not answered: it is not known what became of it")?;
            }
            TransactionErrorKind::Fenced => {
                write!(f, "{doing} failed: another producer has taken over the transactional id")?;
            }
            TransactionErrorKind::Refused => write!(f, "{doing} was refused")?,
            TransactionErrorKind::Fatal => write!(f, "{doing} failed, the producer cannot go on")?,
            TransactionErrorKind::Misuse => write!(f, "{doing} is not possible now")?,
            TransactionErrorKind::Closed => f.write_str("the producer is closed")?,
        }
        if !self.code.is_ok() {
            write!(f, ": {}", self.code)?;
        }
        if self.outcome_unknown() && self.kind != TransactionErrorKind::InDoubt {
            f.write_str(" (it may have been committed)")?;
        }
        if let Some(cure) = self.cure() {
            write!(f, " ({cure})")?;
        }
        match &self.context {
            Some(context) => write!(f, "; {context}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for TransactionError {}
