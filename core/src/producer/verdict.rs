//! What an error code says about a produced batch.

use klamm_protocol::ErrorCode;

use super::ProduceErrorKind;

/// What to do with a batch after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the log.
    Acknowledged,
    /// It was in the log before: a resend was recognised.
    Duplicate,
    /// It is not in the log for now: send it again.
    Retry,
    /// As [`Retry`](Self::Retry), and the leader is probably another one.
    RetryElsewhere,
    /// It may be in the log: send it again.
    RetryUnsure,
    /// Its sequence does not follow the broker's last one.
    OutOfOrder,
    /// The broker does not know the producer id (any more).
    UnknownProducer,
    /// It is larger than the broker takes.
    TooLarge,
    /// It will never be taken.
    Fail(ProduceErrorKind),
    /// It is not known whether it is in the log, and the broker does not want it again.
    FailUnsure,
    /// No batch of this producer will ever be taken.
    Fatal,
}

/// What differs from the protocol's own classes: see [`Verdict::of`].
const VERDICTS: &[(ErrorCode, Verdict)] = &[
    (ErrorCode::UNKNOWN_SERVER_ERROR, Verdict::FailUnsure),
    (ErrorCode::NONE, Verdict::Acknowledged),
    (ErrorCode::REQUEST_TIMED_OUT, Verdict::RetryUnsure),
    (ErrorCode::BROKER_NOT_AVAILABLE, Verdict::RetryElsewhere),
    (ErrorCode::MESSAGE_TOO_LARGE, Verdict::TooLarge),
    (ErrorCode::NETWORK_EXCEPTION, Verdict::RetryUnsure),
    (ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, Verdict::RetryUnsure),
    (ErrorCode::TOPIC_AUTHORIZATION_FAILED, Verdict::Fail(ProduceErrorKind::Unauthorized)),
    (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, Verdict::Fatal),
    (ErrorCode::UNSUPPORTED_VERSION, Verdict::Fatal),
    (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, Verdict::OutOfOrder),
    (ErrorCode::DUPLICATE_SEQUENCE_NUMBER, Verdict::Duplicate),
    (ErrorCode::INVALID_PRODUCER_ID_MAPPING, Verdict::Fatal),
    (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Verdict::Fatal),
    (ErrorCode::KAFKA_STORAGE_ERROR, Verdict::RetryUnsure),
    (ErrorCode::UNKNOWN_PRODUCER_ID, Verdict::UnknownProducer),
    (ErrorCode::PRODUCER_FENCED, Verdict::Fatal),
];

impl Verdict {
    /// What `code` says: as in the table, or else as the protocol classifies it.
    pub(super) fn of(code: ErrorCode) -> Self {
        let listed = VERDICTS.iter().find_map(|(known, verdict)| (*known == code).then_some(*verdict));
        match listed {
            Some(verdict) => verdict,
            None if code.is_stale_metadata() => Self::RetryElsewhere,
            None if code.is_retriable() => Self::Retry,
            None => Self::Fail(ProduceErrorKind::Refused),
        }
    }

    /// Whether the batch may be in the log, as far as this answer alone tells.
    pub(super) const fn is_unsure(self) -> bool {
        matches!(self, Self::RetryUnsure | Self::FailUnsure)
    }
}
