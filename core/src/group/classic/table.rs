//! The states of a classic membership, and what leads from one to another.

/// How far a membership of a classic group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::group) enum ClassicState {
    /// Nothing is subscribed to.
    Unsubscribed,
    /// It has to join, and gives up before what it may not keep.
    Preparing,
    /// JoinGroup is sent, or waits for the coordinator.
    Joining,
    /// It leads the group, and the assignment is not complete.
    Leading,
    /// SyncGroup is sent, or waits for the coordinator.
    Syncing,
    /// It has its assignment.
    Stable,
    /// It left because the application did not ask for records for too long.
    Parted,
    /// It cannot be a member. Only the application can change that.
    Failed,
    /// It leaves for good.
    Closing,
    /// It is over.
    Closed,
}

/// What happens to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::group) enum Input {
    /// The application subscribes.
    Subscribe,
    /// The application subscribes to nothing any more.
    Unsubscribe,
    /// The group rebalances, or has to.
    Rejoin,
    /// What had to be given up is given up.
    Prepared,
    /// The coordinator took the member in, as the leader.
    Leads,
    /// The coordinator took the member in.
    Follows,
    /// The assignment for all members is there.
    Led,
    /// The assignment of this member is there.
    Synced,
    /// The coordinator does not know the member or its generation.
    Reset,
    /// The application did not ask for records for too long.
    Expire,
    /// The application asks for records.
    Poll,
    /// It cannot be a member.
    Fail,
    /// The application closes.
    Close,
    /// The coordinator was told, or need not be.
    Left,
}

use ClassicState as S;
use Input as I;

/// Every transition. What is not here is ignored.
pub(in crate::group) const TRANSITIONS: &[(S, I, S)] = &[
    (S::Unsubscribed, I::Subscribe, S::Preparing),
    (S::Unsubscribed, I::Close, S::Closing),
    (S::Preparing, I::Prepared, S::Joining),
    (S::Preparing, I::Reset, S::Preparing),
    (S::Preparing, I::Unsubscribe, S::Unsubscribed),
    (S::Preparing, I::Expire, S::Parted),
    (S::Preparing, I::Fail, S::Failed),
    (S::Preparing, I::Close, S::Closing),
    (S::Joining, I::Leads, S::Leading),
    (S::Joining, I::Follows, S::Syncing),
    (S::Joining, I::Reset, S::Preparing),
    (S::Joining, I::Unsubscribe, S::Unsubscribed),
    (S::Joining, I::Expire, S::Parted),
    (S::Joining, I::Fail, S::Failed),
    (S::Joining, I::Close, S::Closing),
    (S::Leading, I::Led, S::Syncing),
    (S::Leading, I::Reset, S::Preparing),
    (S::Leading, I::Unsubscribe, S::Unsubscribed),
    (S::Leading, I::Expire, S::Parted),
    (S::Leading, I::Fail, S::Failed),
    (S::Leading, I::Close, S::Closing),
    (S::Syncing, I::Synced, S::Stable),
    (S::Syncing, I::Rejoin, S::Preparing),
    (S::Syncing, I::Reset, S::Preparing),
    (S::Syncing, I::Unsubscribe, S::Unsubscribed),
    (S::Syncing, I::Expire, S::Parted),
    (S::Syncing, I::Fail, S::Failed),
    (S::Syncing, I::Close, S::Closing),
    (S::Stable, I::Rejoin, S::Preparing),
    (S::Stable, I::Reset, S::Preparing),
    (S::Stable, I::Unsubscribe, S::Unsubscribed),
    (S::Stable, I::Expire, S::Parted),
    (S::Stable, I::Fail, S::Failed),
    (S::Stable, I::Close, S::Closing),
    (S::Parted, I::Poll, S::Preparing),
    (S::Parted, I::Unsubscribe, S::Unsubscribed),
    (S::Parted, I::Close, S::Closing),
    (S::Failed, I::Subscribe, S::Preparing),
    (S::Failed, I::Unsubscribe, S::Unsubscribed),
    (S::Failed, I::Close, S::Closing),
    (S::Closing, I::Left, S::Closed),
];

impl ClassicState {
    /// Where `input` leads from here; `None` if it is to be ignored.
    pub(in crate::group) fn after(self, input: Input) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input).map(|(_, _, to)| *to)
    }
}
