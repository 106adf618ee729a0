//! The states of a position, and what leads from one to another.

/// What is known of where to fetch from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PositionState {
    /// Nothing: not even where to start.
    Initializing,
    /// A place that only the leader can turn into an offset (ListOffsets).
    AwaitReset,
    /// An offset; whether the log was truncated below it is being asked (OffsetForLeaderEpoch, KIP-320).
    AwaitValidation,
    /// An offset to fetch from.
    Fetching,
    /// An offset from which nothing can be fetched. Only a seek leads out.
    Stopped,
}

/// What happens to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Input {
    /// A seek to a place that only the leader knows.
    SeekPlace,
    /// A seek to an offset.
    SeekOffset,
    /// A seek to an offset with the leader epoch before it.
    SeekOffsetAndEpoch,
    /// The leader said which offset the place is.
    Found,
    /// The leader does not have the offset, and the policy names a place to go to.
    OutOfRange,
    /// The leader changed, and it can be asked whether the log was truncated.
    LeaderChanged,
    /// The log is not truncated below the offset, or nobody can say.
    Validated,
    /// The log is truncated; the leader said where.
    Diverged,
    /// The log is truncated, the leader cannot say where, and the policy names a place to go to.
    Undefined,
    /// It cannot go on from here without the application.
    Stop,
}

use Input as I;
use PositionState as S;

/// Every transition. What is not here is ignored: an answer that comes too late.
pub(super) const TRANSITIONS: &[(S, I, S)] = &[
    (S::Initializing, I::SeekPlace, S::AwaitReset),
    (S::Initializing, I::SeekOffset, S::Fetching),
    (S::Initializing, I::SeekOffsetAndEpoch, S::AwaitValidation),
    (S::Initializing, I::Stop, S::Stopped),
    (S::AwaitReset, I::SeekPlace, S::AwaitReset),
    (S::AwaitReset, I::SeekOffset, S::Fetching),
    (S::AwaitReset, I::SeekOffsetAndEpoch, S::AwaitValidation),
    (S::AwaitReset, I::Found, S::Fetching),
    (S::AwaitReset, I::Stop, S::Stopped),
    (S::AwaitValidation, I::SeekPlace, S::AwaitReset),
    (S::AwaitValidation, I::SeekOffset, S::Fetching),
    (S::AwaitValidation, I::SeekOffsetAndEpoch, S::AwaitValidation),
    (S::AwaitValidation, I::LeaderChanged, S::AwaitValidation),
    (S::AwaitValidation, I::Validated, S::Fetching),
    (S::AwaitValidation, I::Diverged, S::Fetching),
    (S::AwaitValidation, I::Undefined, S::AwaitReset),
    (S::AwaitValidation, I::Stop, S::Stopped),
    (S::Fetching, I::SeekPlace, S::AwaitReset),
    (S::Fetching, I::SeekOffset, S::Fetching),
    (S::Fetching, I::SeekOffsetAndEpoch, S::AwaitValidation),
    (S::Fetching, I::OutOfRange, S::AwaitReset),
    (S::Fetching, I::LeaderChanged, S::AwaitValidation),
    (S::Fetching, I::Stop, S::Stopped),
    (S::Stopped, I::SeekPlace, S::AwaitReset),
    (S::Stopped, I::SeekOffset, S::Fetching),
    (S::Stopped, I::SeekOffsetAndEpoch, S::AwaitValidation),
];

/// Where `input` leads from `state`; `None` if it is to be ignored.
pub(super) fn next(state: PositionState, input: Input) -> Option<PositionState> {
    TRANSITIONS.iter().find(|(from, by, _)| *from == state && *by == input).map(|(_, _, to)| *to)
}
