//! What an error of the coordinator means to a member, as in the Java client.

use klamm_protocol::ErrorCode as E;

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum Verdict {
    /// The broker is not the coordinator (any more): find it and say the same again.
    Rediscover,
    /// Say the same again after the backoff.
    Backoff,
    /// Everything is lost: join again, with the same id.
    Fence,
    /// The member's name is taken, perhaps by itself: give it free and join again; if it still is, it is another's.
    Release,
    /// The application should know, but it remains a member.
    Tell,
    /// It is for the application to change something.
    Fatal,
}

/// The errors that are expected. [`Verdict::Fatal`] is for those that are not here, but for what passes by itself.
pub(in crate::group) const TABLE: &[(E, Verdict)] = &[
    (E::COORDINATOR_NOT_AVAILABLE, Verdict::Rediscover),
    (E::NOT_COORDINATOR, Verdict::Rediscover),
    (E::COORDINATOR_LOAD_IN_PROGRESS, Verdict::Backoff),
    (E::UNKNOWN_MEMBER_ID, Verdict::Fence),
    (E::FENCED_MEMBER_EPOCH, Verdict::Fence),
    (E::TOPIC_AUTHORIZATION_FAILED, Verdict::Tell),
    (E::UNRELEASED_INSTANCE_ID, Verdict::Release),
    (E::FENCED_INSTANCE_ID, Verdict::Fatal),
    (E::UNSUPPORTED_ASSIGNOR, Verdict::Fatal),
    (E::INVALID_REQUEST, Verdict::Fatal),
    (E::GROUP_MAX_SIZE_REACHED, Verdict::Fatal),
    (E::INVALID_REGULAR_EXPRESSION, Verdict::Fatal),
    (E::GROUP_AUTHORIZATION_FAILED, Verdict::Fatal),
    (E::GROUP_ID_NOT_FOUND, Verdict::Fatal),
    (E::UNSUPPORTED_VERSION, Verdict::Fatal),
];

pub(in crate::group) fn verdict(code: E) -> Verdict {
    let expected = TABLE.iter().find(|(error, _)| *error == code);
    match expected {
        Some((_, verdict)) => *verdict,
        None if code.is_retriable() => Verdict::Backoff,
        None => Verdict::Fatal,
    }
}
