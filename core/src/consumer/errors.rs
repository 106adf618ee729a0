//! What an error code of one partition means: one table for Fetch, ListOffsets and OffsetForLeaderEpoch.

use klamm_protocol::ErrorCode;

/// What to do about an error of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// The metadata are out of date, or may be.
    pub(super) refresh: bool,
    /// A replica that it came from is not read from any more.
    pub(super) unfollow: bool,
    /// The application should hear of it, since it may not go away by itself.
    pub(super) report: bool,
}

const ROUTINE: Remedy = Remedy { refresh: true, unfollow: true, report: false };
const BEHIND: Remedy = Remedy { refresh: true, unfollow: false, report: false };
const WAIT: Remedy = Remedy { refresh: false, unfollow: false, report: false };
const TELL: Remedy = Remedy { refresh: false, unfollow: false, report: true };
const TELL_AND_REFRESH: Remedy = Remedy { refresh: true, unfollow: true, report: true };

/// Every error is tried again with backoff; OFFSET_OUT_OF_RANGE is handled before.
const REMEDIES: &[(ErrorCode, Remedy)] = &[
    // The leader moved, is moving, or the metadata of either side lag behind.
    (ErrorCode::NOT_LEADER_OR_FOLLOWER, ROUTINE),
    (ErrorCode::LEADER_NOT_AVAILABLE, ROUTINE),
    (ErrorCode::REPLICA_NOT_AVAILABLE, ROUTINE),
    (ErrorCode::FENCED_LEADER_EPOCH, ROUTINE),
    (ErrorCode::KAFKA_STORAGE_ERROR, ROUTINE),
    (ErrorCode::OFFSET_NOT_AVAILABLE, ROUTINE),
    (ErrorCode::UNKNOWN_TOPIC_ID, ROUTINE),
    (ErrorCode::INCONSISTENT_TOPIC_ID, ROUTINE),
    (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, TELL_AND_REFRESH),
    // The broker is behind our metadata; or the epoch is one of a topic that was made anew under its name, which brokers
    // before 2.8 do not tell in another way.
    (ErrorCode::UNKNOWN_LEADER_EPOCH, BEHIND),
    (ErrorCode::REQUEST_TIMED_OUT, WAIT),
    (ErrorCode::TOPIC_AUTHORIZATION_FAILED, TELL),
    (ErrorCode::CORRUPT_MESSAGE, TELL),
    (ErrorCode::UNKNOWN_SERVER_ERROR, TELL_AND_REFRESH),
];

/// What to do about `code`.
pub(super) fn remedy(code: ErrorCode) -> Remedy {
    REMEDIES.iter().find(|(each, _)| *each == code).map_or(TELL_AND_REFRESH, |(_, remedy)| *remedy)
}
