//! The state of a group of the classic protocol: its members assign among themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use klamm_protocol::messages::join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use klamm_protocol::wire::Reader;
use klamm_protocol::{ErrorCode, Message as _, Str};

use super::member::Member;

/// The protocol type of groups of consumers.
const CONSUMER: &str = "consumer";

/// The phase that a group is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members. It may have offsets, and members that were told their id and have not joined yet.
    Empty,
    /// Members join.
    PreparingRebalance,
    /// All have joined, and wait for the leader to assign.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
}

impl State {
    /// As it is listed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// Who is in a group, in which generation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    pub(crate) generation: i32,
    /// Of the members, or of those that were there last.
    pub(crate) protocol_type: Option<Str>,
    /// What the members agreed upon in this generation.
    pub(crate) protocol: Option<Str>,
    pub(crate) leader: Option<Str>,
    pub(crate) members: BTreeMap<Str, Member>,
}

/// The first rebalance of an empty group, which waits some time for more members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Initial {
    pub(crate) has_new_member: bool,
    pub(crate) delay: Duration,
    pub(crate) remaining: Duration,
}

/// A group of the classic protocol.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) id: Str,
    pub(crate) state: State,
    pub(crate) now: Membership,
    /// What would be in the log: the membership when the group was last stable or empty.
    stored: Membership,
    /// Since when nobody is in it, if anybody ever was.
    pub(crate) empty_since: Option<Instant>,
    /// The rebalance, if it began when the group was empty.
    pub(crate) initial: Option<Initial>,
    /// Who was told an id and has not joined with it yet (KIP-394).
    pub(crate) pending_joins: BTreeSet<Str>,
    /// Who has not asked for its assignment in this generation yet.
    pub(crate) pending_syncs: BTreeSet<Str>,
}

impl ClassicGroup {
    pub(crate) fn new(id: Str) -> Self {
        Self {
            id,
            state: State::Empty,
            now: Membership::default(),
            stored: Membership::default(),
            empty_since: None,
            initial: None,
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
        }
    }

    /// Remembers the membership for [`ClassicGroup::reload`].
    pub(crate) fn store(&mut self) {
        self.stored = self.now.clone();
        for member in self.stored.members.values_mut() {
            (member.joining, member.syncing, member.is_new) = (None, None, false);
        }
    }

    /// Goes back to what was stored last. Returns whether a rebalance is forgotten by that: one that nobody's coming or
    /// going will begin again, as after a group of KIP-848 became a classic one because somebody left.
    pub(crate) fn reload(&mut self) -> bool {
        let rebalances = matches!(self.state, State::PreparingRebalance | State::CompletingRebalance);
        let forgets = rebalances && self.now.members.keys().eq(self.stored.members.keys());
        self.now = self.stored.clone();
        self.state = if self.now.members.is_empty() { State::Empty } else { State::Stable };
        self.initial = None;
        self.pending_joins.clear();
        self.pending_syncs.clear();
        forgets
    }

    pub(crate) fn add(&mut self, protocol_type: &Str, member: Member) {
        if self.now.members.is_empty() {
            self.now.protocol_type = Some(Str::copy_of(protocol_type));
        }
        self.now.leader.get_or_insert_with(|| member.id.clone());
        self.pending_joins.remove(&member.id);
        self.now.members.insert(member.id.clone(), member);
    }

    pub(crate) fn remove(&mut self, member: &str) -> Option<Member> {
        self.pending_joins.remove(member);
        self.pending_syncs.remove(member);
        let removed = self.now.members.remove(member);
        if self.is_leader(member) {
            self.now.leader = self.now.members.keys().next().cloned();
        }
        removed
    }

    pub(crate) fn is_leader(&self, member: &str) -> bool {
        self.now.leader.as_ref().is_some_and(|leader| leader == member)
    }

    /// The member with a name of its own.
    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&Str> {
        let has_name =
            |member: &&Member| member.instance_id.as_ref().is_some_and(|instance| instance == instance_id);
        self.now.members.values().find(has_name).map(|member| &member.id)
    }

    /// Whether there is a member of this id, and of this name if it has one.
    pub(crate) fn check_member(&self, id: &str, instance_id: Option<&Str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            let known = self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            if known != id {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            }
        }
        if self.now.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// Whether a member that knows these protocols can be in the group.
    pub(crate) fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.now.protocol_type.as_ref().is_some_and(|known| known == protocol_type)
            && protocols.iter().any(|protocol| self.all_support(&protocol.name))
    }

    fn all_support(&self, protocol: &str) -> bool {
        self.now.members.values().all(|member| member.supports(protocol))
    }

    /// The protocol with the most votes: each member has one for the protocol that it likes best of those that all
    /// support. Of several with as many votes it is the one that comes first by the order of the members.
    pub(crate) fn select_protocol(&self) -> Option<Str> {
        let mut votes: Vec<(&Str, usize)> = Vec::new();
        for member in self.now.members.values() {
            let Some((choice, _)) = member.protocols.iter().find(|(name, _)| self.all_support(name)) else {
                continue;
            };
            match votes.iter_mut().find(|(name, _)| *name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    pub(crate) fn has_all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.now.members.values().all(|member| member.joining.is_some())
    }

    /// How long a rebalance may take: as long as the slowest member wants.
    pub(crate) fn rebalance_timeout(&self) -> Duration {
        self.now.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Has a member that joins lead, if the leader does not join. Returns false if nobody joins.
    pub(crate) fn elect_leader(&mut self) -> bool {
        let members = &self.now.members;
        let joins = |id: &Str| members.get(id).is_some_and(|member| member.joining.is_some());
        match &self.now.leader {
            None => false,
            Some(leader) if joins(leader) => true,
            Some(_) => {
                let next = members.keys().find(|id| joins(id)).cloned();
                let is_found = next.is_some();
                self.now.leader = next.or_else(|| self.now.leader.take());
                is_found
            }
        }
    }

    /// What the leader is told of the members.
    pub(crate) fn described_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.now.protocol.as_deref().unwrap_or_default();
        let member = |member: &Member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
            ..JoinGroupResponseMember::default()
        };
        self.now.members.values().map(member).collect()
    }

    /// Whether the group consists of consumers, as far as is known.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.now.protocol_type.as_ref().is_some_and(|kind| kind == CONSUMER)
    }

    /// Whether any member wants a topic. A subscription that cannot be read wants everything.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let Some(protocol) = self.now.protocol.as_ref().filter(|_| self.is_of_consumers()) else {
            return false;
        };
        self.now.members.values().any(|member| {
            let subscription = subscribed_topics(member.metadata(protocol));
            subscription.is_none_or(|topics| topics.iter().any(|wanted| wanted == topic))
        })
    }
}

/// The topics of a subscription. Its later versions only add to what comes first.
fn subscribed_topics(metadata: Bytes) -> Option<Vec<Str>> {
    let mut reader = Reader::new(metadata);
    let version = reader.read_i16();
    if version < 0 {
        return None;
    }
    ConsumerProtocolSubscription::decode(&mut reader, 0).ok().map(|subscription| subscription.topics)
}
