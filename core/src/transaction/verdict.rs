//! What an error code says about a step of a transaction.

use klamm_protocol::ErrorCode;

use super::TransactionStep;

/// What to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Done,
    /// Ask again.
    Retry,
    /// The transaction before is still being completed: ask again soon.
    RetrySoon,
    /// Another broker is the coordinator: ask there.
    Elsewhere,
    /// The transaction has to be aborted.
    Abort,
    /// The transaction has to be aborted, and then another epoch is needed.
    AbortAndRenew,
    /// Another producer took over.
    Fenced,
    /// It will not be done until something is changed.
    Refused,
    /// Nothing can be done any more.
    Fatal,
}

use TransactionStep as T;
use Verdict as V;

/// What holds for every step, where [`SPECIAL`] says nothing else.
const COMMON: &[(ErrorCode, Verdict)] = &[
    (ErrorCode::NONE, V::Done),
    (ErrorCode::UNKNOWN_SERVER_ERROR, V::Retry),
    (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, V::Retry),
    (ErrorCode::COORDINATOR_NOT_AVAILABLE, V::Elsewhere),
    (ErrorCode::NOT_COORDINATOR, V::Elsewhere),
    (ErrorCode::CONCURRENT_TRANSACTIONS, V::RetrySoon),
    (ErrorCode::PRODUCER_FENCED, V::Fenced),
    // A coordinator whose transaction timeout passed has raised the epoch itself (KIP-588): whether another producer
    // did is told when the next epoch is asked for.
    (ErrorCode::INVALID_PRODUCER_EPOCH, V::AbortAndRenew),
    (ErrorCode::UNKNOWN_PRODUCER_ID, V::AbortAndRenew),
    // It expired: nobody used it for longer than transactional.id.expiration.ms.
    (ErrorCode::INVALID_PRODUCER_ID_MAPPING, V::AbortAndRenew),
    (ErrorCode::TRANSACTION_ABORTABLE, V::Abort),
    (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, V::Fatal),
    (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, V::Fatal),
    (ErrorCode::INVALID_TXN_STATE, V::Fatal),
    (ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT, V::Fatal),
];

/// What holds for one step.
const SPECIAL: &[(TransactionStep, ErrorCode, Verdict)] = &[
    (T::FindCoordinator, ErrorCode::GROUP_AUTHORIZATION_FAILED, V::Abort),
    (T::Initialise, ErrorCode::INVALID_PRODUCER_EPOCH, V::Fenced),
    (T::Initialise, ErrorCode::INVALID_TRANSACTION_TIMEOUT, V::Refused),
    (T::Initialise, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, V::Refused),
    (T::Initialise, ErrorCode::CLUSTER_AUTHORIZATION_FAILED, V::Refused),
    (T::Initialise, ErrorCode::TRANSACTION_ABORTABLE, V::Retry),
    (T::SendOffsets, ErrorCode::REQUEST_TIMED_OUT, V::Elsewhere),
    // There is nothing left to abort that could be aborted in another way.
    (T::Abort, ErrorCode::TRANSACTION_ABORTABLE, V::Fatal),
];

impl Verdict {
    /// What `code` says at `step`: as in the tables, or else as the protocol classifies it.
    pub(super) fn of(step: TransactionStep, code: ErrorCode) -> Self {
        let special = SPECIAL.iter().find(|(at, known, _)| *at == step && *known == code);
        if let Some((_, _, verdict)) = special {
            return *verdict;
        }
        let common = COMMON.iter().find_map(|(known, verdict)| (*known == code).then_some(*verdict));
        match (common, step) {
            (Some(verdict), _) => verdict,
            (None, _) if code.is_retriable() => Self::Retry,
            (None, T::AddPartitions | T::SendOffsets | T::Produce) => Self::Abort,
            (None, _) => Self::Fatal,
        }
    }
}
