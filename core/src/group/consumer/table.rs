//! The states of a membership by KIP-848, and what leads from one to another.

/// How far a membership is whose partitions the coordinator assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::group) enum ConsumerState {
    /// Nothing is subscribed to.
    Unsubscribed,
    /// The coordinator is to be told everything.
    Joining,
    /// It has what it is assigned.
    Stable,
    /// It gives up and takes up partitions.
    Reconciling,
    /// The coordinator is to be told that this is done.
    Acknowledging,
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
    /// The coordinator knows the member, and assigns nothing new.
    Settled,
    /// The coordinator assigns something else.
    Target,
    /// What is assigned is taken up, and the rest given up.
    Reconciled,
    /// The coordinator knows that.
    Acknowledged,
    /// The coordinator does not know the member or its epoch.
    Fence,
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

use ConsumerState as S;
use Input as I;

/// Every transition. What is not here is ignored.
pub(in crate::group) const TRANSITIONS: &[(S, I, S)] = &[
    (S::Unsubscribed, I::Subscribe, S::Joining),
    (S::Unsubscribed, I::Close, S::Closing),
    (S::Joining, I::Settled, S::Stable),
    (S::Joining, I::Target, S::Reconciling),
    (S::Joining, I::Fence, S::Joining),
    (S::Joining, I::Unsubscribe, S::Unsubscribed),
    (S::Joining, I::Expire, S::Parted),
    (S::Joining, I::Fail, S::Failed),
    (S::Joining, I::Close, S::Closing),
    (S::Stable, I::Target, S::Reconciling),
    (S::Stable, I::Fence, S::Joining),
    (S::Stable, I::Unsubscribe, S::Unsubscribed),
    (S::Stable, I::Expire, S::Parted),
    (S::Stable, I::Fail, S::Failed),
    (S::Stable, I::Close, S::Closing),
    (S::Reconciling, I::Reconciled, S::Acknowledging),
    (S::Reconciling, I::Fence, S::Joining),
    (S::Reconciling, I::Unsubscribe, S::Unsubscribed),
    (S::Reconciling, I::Expire, S::Parted),
    (S::Reconciling, I::Fail, S::Failed),
    (S::Reconciling, I::Close, S::Closing),
    (S::Acknowledging, I::Acknowledged, S::Stable),
    (S::Acknowledging, I::Target, S::Reconciling),
    (S::Acknowledging, I::Fence, S::Joining),
    (S::Acknowledging, I::Unsubscribe, S::Unsubscribed),
    (S::Acknowledging, I::Expire, S::Parted),
    (S::Acknowledging, I::Fail, S::Failed),
    (S::Acknowledging, I::Close, S::Closing),
    (S::Parted, I::Poll, S::Joining),
    (S::Parted, I::Unsubscribe, S::Unsubscribed),
    (S::Parted, I::Close, S::Closing),
    (S::Failed, I::Subscribe, S::Joining),
    (S::Failed, I::Unsubscribe, S::Unsubscribed),
    (S::Failed, I::Close, S::Closing),
    (S::Closing, I::Left, S::Closed),
];

impl ConsumerState {
    /// Where `input` leads from here; `None` if it is to be ignored.
    pub(in crate::group) fn after(self, input: Input) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input).map(|(_, _, to)| *to)
    }

    /// Whether the coordinator counts it as a member, as far as is known.
    pub(super) const fn is_member(self) -> bool {
        matches!(self, Self::Joining | Self::Stable | Self::Reconciling | Self::Acknowledging)
    }
}
