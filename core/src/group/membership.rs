//! What both kinds of membership say and ask.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use klamm_protocol::{Str, messages::AnyRequest};

use super::{GroupError, LostReason, assignor::Member};

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
    /// The coordinator has to be found (again).
    Rediscover,
    /// The membership is over; everything is lost.
    Parted(LostReason),
    /// It cannot be a member; everything is lost.
    Failed(GroupError),
    /// It is over for good.
    Closed,
}
