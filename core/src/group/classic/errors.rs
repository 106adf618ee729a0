//! What an error of the coordinator means, request by request, as in the Java client.

use klamm_protocol::ErrorCode as E;

/// What a request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::group) enum Step {
    Join,
    Sync,
    Heartbeat,
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum Verdict {
    /// The broker is not the coordinator (any more): find it and say the same again.
    Rediscover,
    /// Say the same again after the backoff.
    Backoff,
    /// Say the same again, with the member id that the answer brought.
    AdoptMemberId,
    /// Say the same again at once.
    Again,
    /// The group rebalances: join, and keep id and generation.
    Rejoin,
    /// The coordinator does not know the member: forget id and generation, and join.
    ResetMember,
    /// The generation is not the group's: forget it but keep the id, and join.
    ResetGeneration,
    /// It is for the application to change something.
    Fatal,
}

use Step::{Heartbeat, Join, Sync};
use Verdict as V;

/// The errors that are expected. [`Verdict::Fatal`] is for those that are not here.
pub(in crate::group) const TABLE: &[(Step, E, Verdict)] = &[
    (Join, E::COORDINATOR_NOT_AVAILABLE, V::Rediscover),
    (Join, E::NOT_COORDINATOR, V::Rediscover),
    (Join, E::COORDINATOR_LOAD_IN_PROGRESS, V::Backoff),
    (Join, E::MEMBER_ID_REQUIRED, V::AdoptMemberId),
    (Join, E::UNKNOWN_MEMBER_ID, V::ResetMember),
    (Join, E::REBALANCE_IN_PROGRESS, V::Again),
    (Sync, E::COORDINATOR_NOT_AVAILABLE, V::Rediscover),
    (Sync, E::NOT_COORDINATOR, V::Rediscover),
    (Sync, E::COORDINATOR_LOAD_IN_PROGRESS, V::Backoff),
    (Sync, E::UNKNOWN_MEMBER_ID, V::ResetMember),
    (Sync, E::ILLEGAL_GENERATION, V::ResetGeneration),
    (Sync, E::REBALANCE_IN_PROGRESS, V::Rejoin),
    (Heartbeat, E::COORDINATOR_NOT_AVAILABLE, V::Rediscover),
    (Heartbeat, E::NOT_COORDINATOR, V::Rediscover),
    (Heartbeat, E::COORDINATOR_LOAD_IN_PROGRESS, V::Backoff),
    (Heartbeat, E::UNKNOWN_MEMBER_ID, V::ResetMember),
    (Heartbeat, E::ILLEGAL_GENERATION, V::ResetGeneration),
    (Heartbeat, E::REBALANCE_IN_PROGRESS, V::Rejoin),
];

/// What `code` means as the answer to `step`. Errors of the broker's own trouble are waited out.
pub(in crate::group) fn verdict(step: Step, code: E) -> Verdict {
    let expected = TABLE.iter().find(|(of, error, _)| *of == step && *error == code);
    match expected {
        Some((_, _, verdict)) => *verdict,
        None if code.is_retriable() => V::Backoff,
        None => V::Fatal,
    }
}
