//! A group of either protocol, and what is committed for it.

use std::collections::BTreeMap;

use klamm_protocol::Str;

use super::offsets::Committed;
use super::{ClassicGroup, ConsumerGroup};

/// How the members of a group get their assignments.
#[derive(Debug)]
pub(crate) enum Kind {
    /// They assign among themselves.
    Classic(Box<ClassicGroup>),
    /// The coordinator assigns (KIP-848).
    Consumer(ConsumerGroup),
}

impl Kind {
    pub(super) fn classic(id: Str) -> Self {
        Self::Classic(Box::new(ClassicGroup::new(id)))
    }
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Str,
    pub(crate) kind: Kind,
    pub(crate) offsets: BTreeMap<(Str, i32), Committed>,
    /// What transactions that have not ended will commit, by producer.
    pub(crate) pending: BTreeMap<i64, BTreeMap<(Str, i32), Committed>>,
    /// Commits so far: of two for a partition, the one that was asked for last counts.
    pub(super) commits: u64,
}

impl Group {
    /// A group without members; it is of the classic protocol until a member says otherwise.
    pub(crate) fn new(id: Str) -> Self {
        Self {
            kind: Kind::classic(id.clone()),
            id,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
            commits: 0,
        }
    }

    pub(crate) fn classic(&self) -> Option<&ClassicGroup> {
        match &self.kind {
            Kind::Classic(group) => Some(group),
            Kind::Consumer(_) => None,
        }
    }

    pub(crate) const fn consumer(&self) -> Option<&ConsumerGroup> {
        match &self.kind {
            Kind::Consumer(group) => Some(group),
            Kind::Classic(_) => None,
        }
    }

    /// Whether nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.state == super::State::Empty,
            Kind::Consumer(group) => group.members.is_empty(),
        }
    }

    /// As it is listed.
    pub(crate) fn state_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(group) => group.state.name(),
            Kind::Consumer(group) => group.state_name(),
        }
    }

    /// Whether any member wants a topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_subscribed_to(topic),
            Kind::Consumer(group) => group.is_subscribed_to(topic),
        }
    }
}
