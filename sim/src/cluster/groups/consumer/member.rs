//! A member of a consumer group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::{Str, Uuid};

use super::Assignor;

/// The epoch of a static member that has left for a while.
pub(crate) const AWAY: i32 = -2;

/// Partitions by the ids of their topics. No topic is there without partitions.
pub(crate) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For nothing.
    Stable,
    /// It has not given up yet what it shall not have any more.
    Revoking,
    /// Others have not given up yet what it shall have.
    Waiting,
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) epoch: i32,
    /// The epoch before that: a member whose answer got lost still says it.
    pub(crate) previous_epoch: i32,
    pub(crate) phase: Phase,
    pub(crate) assigned: Partitions,
    /// What it has to give up, and has not yet.
    pub(crate) revoking: Partitions,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            epoch: 0,
            previous_epoch: -1,
            phase: Phase::Stable,
            assigned: Partitions::new(),
            revoking: Partitions::new(),
        }
    }
}

/// What a member wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) topics: BTreeSet<Str>,
    /// As it was said; an empty one is none.
    pub(crate) pattern: Option<Str>,
    pub(crate) assignor: Option<Assignor>,
}

impl Wishes {
    /// The regular expression, if there is one.
    pub(crate) fn regex(&self) -> Option<&Str> {
        self.pattern.as_ref().filter(|pattern| !pattern.is_empty())
    }
}

/// What is known of a member that speaks the classic protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassicSide {
    pub(crate) session_timeout: Duration,
    /// Names and metadata, in the order of preference.
    pub(crate) protocols: Vec<(Str, Bytes)>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: Str,
    /// A static member's own name.
    pub(crate) instance_id: Option<Str>,
    pub(crate) rack_id: Option<Str>,
    pub(crate) client_id: Str,
    /// How long it may take to give up what it has to.
    pub(crate) rebalance_timeout: Duration,
    pub(crate) wishes: Wishes,
    pub(crate) progress: Progress,
    /// Only of members that speak the classic protocol.
    pub(crate) classic: Option<ClassicSide>,
}

impl Member {
    pub(crate) fn new(id: Str) -> Self {
        Self {
            id,
            instance_id: None,
            rack_id: None,
            client_id: Str::default(),
            rebalance_timeout: Duration::ZERO,
            wishes: Wishes { pattern: Some(Str::default()), ..Wishes::default() },
            progress: Progress::default(),
            classic: None,
        }
    }

    /// Whether it has what it shall have in an epoch.
    pub(crate) fn is_settled_in(&self, epoch: i32) -> bool {
        self.progress.phase == Phase::Stable && self.progress.epoch == epoch
    }
}
