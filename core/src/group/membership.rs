//! What both kinds of membership say and ask.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use klamm_protocol::{
    ErrorCode, Str,
    messages::{AnyRequest, AnyResponse},
};

use super::{
    GroupConfig, GroupError, GroupProtocol, LostReason,
    assignor::{Joining, Member},
    classic::{ClassicGroup, ClassicState},
    consumer::{ConsumerMembership, Subscribed},
};
use crate::{Entropy, Instant};

/// What a member is for its coordinator: requests carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The generation, or the member epoch; -1 if it has none.
    pub(super) generation: i32,
    /// Empty before the coordinator gave one.
    pub(super) member_id: Str,
}

impl Identity {
    /// Nobody that the coordinator knows.
    pub(super) const NOBODY: Self = Self { generation: -1, member_id: Str::from_static("") };
}

/// A request for the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) request: AnyRequest,
    pub(super) max_version: i16,
    pub(super) timeout: Duration,
    /// The coordinator may hold the answer back for as long as it likes.
    pub(super) held_back: bool,
}

impl Ask {
    pub(super) fn new(request: impl Into<AnyRequest>, timeout: Duration) -> Self {
        Self { request: request.into(), max_version: i16::MAX, timeout, held_back: false }
    }

    pub(super) fn held_back(request: impl Into<AnyRequest>, timeout: Duration) -> Self {
        Self { held_back: true, ..Self::new(request, timeout) }
    }
}

/// What a membership wants its group to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MembershipOutput {
    /// Give up what may not be kept while the group rebalances, then say `prepared`.
    Prepare {
        /// Everything is lost already, for this reason.
        lost: Option<LostReason>,
    },
    /// Assign partitions to these members, then say `led`.
    Lead { members: Vec<Member>, strategy: Str },
    /// Another member leads.
    Follow,
    /// This is assigned, and nothing else.
    Assigned { assignment: Bytes },
    /// The coordinator assigns this, and nothing else: take it up and give the rest up, then say `reconciled`.
    Target { target: super::consumer::ById },
    /// Tell the application.
    Trouble(GroupError),
    /// The coordinator has to be found (again).
    Rediscover,
    /// The membership is over; everything is lost.
    Parted(LostReason),
    /// It cannot be a member; everything is lost.
    Failed(GroupError),
    /// It is over for good.
    Closed,
}

/// A membership of either kind.
#[derive(Clone, Debug)]
pub(super) enum Membership {
    Classic(ClassicGroup),
    Consumer(ConsumerMembership),
}

macro_rules! either {
    ($self:ident, $one:ident => $of:expr) => {
        match $self {
            Self::Classic($one) => $of,
            Self::Consumer($one) => $of,
        }
    };
}

impl Membership {
    pub(super) fn new(config: GroupConfig, entropy: Entropy) -> Self {
        match config.protocol {
            GroupProtocol::Classic => Self::Classic(ClassicGroup::new(config, entropy)),
            GroupProtocol::Consumer => Self::Consumer(ConsumerMembership::new(config, entropy)),
        }
    }

    pub(super) fn is_stable(&self) -> bool {
        match self {
            Self::Classic(one) => one.state() == ClassicState::Stable,
            Self::Consumer(one) => one.is_stable(),
        }
    }

    /// Whether only the application can change that it is no member.
    pub(super) fn is_failed(&self) -> bool {
        match self {
            Self::Classic(one) => one.state() == ClassicState::Failed,
            Self::Consumer(one) => one.is_failed(),
        }
    }

    /// Who the member is for the coordinator, as far as it is one.
    pub(super) fn identity(&self) -> Option<&Identity> {
        either!(self, one => one.identity())
    }

    /// As whom a member looks up offsets; brokers ask that of members by KIP-848 only.
    pub(super) fn lookup_identity(&self) -> Option<&Identity> {
        match self {
            Self::Classic(_) => None,
            Self::Consumer(one) => one.identity(),
        }
    }

    /// Whether the coordinator may be between two generations, so that nothing is to be said of offsets.
    pub(super) const fn is_between_generations(&self) -> bool {
        match self {
            Self::Classic(one) => one.is_between_generations(),
            Self::Consumer(_) => false,
        }
    }

    pub(super) fn poll(&mut self) -> Option<MembershipOutput> {
        either!(self, one => one.poll())
    }

    pub(super) fn subscribe(&mut self) {
        either!(self, one => one.subscribe());
    }

    pub(super) fn unsubscribe(&mut self, now: Instant) {
        either!(self, one => one.unsubscribe(now));
    }

    /// Asks for a rebalance. A coordinator that assigns by itself is not to be asked.
    pub(super) fn rejoin(&mut self, reason: Str) {
        if let Self::Classic(one) = self {
            one.rejoin(reason);
        }
    }

    pub(super) fn prepared(&mut self) {
        if let Self::Classic(one) = self {
            one.prepared();
        }
    }

    pub(super) fn led(&mut self, assignments: Vec<(Str, Bytes)>) {
        if let Self::Classic(one) = self {
            one.led(assignments);
        }
    }

    pub(super) fn cannot_lead(&mut self, now: Instant, error: GroupError) {
        if let Self::Classic(one) = self {
            one.cannot_lead(now, error);
        }
    }

    pub(super) fn abandon(&mut self, now: Instant, error: GroupError) {
        either!(self, one => one.abandon(now, error));
    }

    pub(super) fn poll_expired(&mut self, now: Instant) {
        either!(self, one => one.poll_expired(now));
    }

    pub(super) fn polled(&mut self) {
        either!(self, one => one.polled());
    }

    pub(super) fn close(&mut self, now: Instant, leave: bool, deadline: Instant) {
        either!(self, one => one.close(now, leave, deadline));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        either!(self, one => one.handle_timeout(now));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        either!(self, one => one.poll_timeout())
    }

    pub(super) fn ask_timeout(&self) -> Option<Instant> {
        either!(self, one => one.ask_timeout())
    }

    pub(super) fn wants_coordinator(&self, now: Instant) -> bool {
        either!(self, one => one.wants_coordinator(now))
    }

    pub(super) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        joining: impl FnOnce() -> Joining,
        subscribed: impl FnOnce() -> Subscribed,
    ) -> Option<Ask> {
        match self {
            Self::Classic(one) => one.ask(now, number, joining),
            Self::Consumer(one) => one.ask(now, number, subscribed),
        }
    }

    pub(super) fn handle_response(&mut self, now: Instant, number: u64, response: &AnyResponse) -> bool {
        either!(self, one => one.handle_response(now, number, response))
    }

    pub(super) fn handle_lost(&mut self, now: Instant, number: u64, unsupported: bool) {
        either!(self, one => one.handle_lost(now, number, unsupported));
    }

    /// The coordinator says on a commit that the member is not what it says to be. By KIP-848 only its heartbeats tell.
    pub(super) fn disowned(&mut self, now: Instant, identity: &Identity, code: ErrorCode) {
        if let Self::Classic(one) = self {
            one.disowned(now, identity, code);
        }
    }
}
