//! JoinGroup: a member comes, or comes again.

use std::time::Duration;

use bytes::Bytes;
use klamm_core::{Entropy, Instant};
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::{ErrorCode, Str};

use super::member::Member;
use super::timers::Timer;
use super::{Answer, Groups, State, Turn};
use crate::cluster::ConnectionId;
use crate::cluster::topics::Topics;

/// How long a member that has not been told its id may wait for the others: nothing else tells that it is gone.
const NEW_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);

/// A request to join a group.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) connection: ConnectionId,
    pub(crate) client_id: Str,
    /// A dynamic member has to come a second time, with the id that it is told (KIP-394).
    pub(crate) needs_member_id: bool,
    /// The returning leader of a stable group can be told not to assign (KIP-814).
    pub(crate) can_skip_assignment: bool,
    pub(crate) request: JoinGroupRequest,
}

/// The answer to a join that failed.
pub(crate) fn join_error(member_id: &Str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error,
        protocol_name: None,
        member_id: member_id.clone(),
        ..JoinGroupResponse::default()
    }
}

impl Join {
    pub(super) fn session_timeout(&self) -> Duration {
        millis(self.request.session_timeout_ms)
    }

    /// Version 0 has no timeout for rebalances of its own.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        match self.request.rebalance_timeout_ms {
            -1 => self.session_timeout(),
            timeout => millis(timeout),
        }
    }

    pub(super) fn protocols(&self) -> Vec<(Str, Bytes)> {
        let owned = self
            .request
            .protocols
            .iter()
            .map(|protocol| (Str::copy_of(&protocol.name), Bytes::copy_from_slice(&protocol.metadata)));
        owned.collect()
    }

    fn says_the_same_as(&self, member: &Member) -> bool {
        let said = member.protocols.iter().map(|(name, metadata)| (name, metadata));
        self.request.protocols.iter().map(|protocol| (&protocol.name, &protocol.metadata)).eq(said)
    }
}

fn millis(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

impl Groups {
    /// Serves a join; the answer comes from [`Groups::poll_answer`], maybe later.
    pub(crate) fn join(&mut self, now: Instant, topics: &Topics, join: &Join) {
        let group = &join.request.group_id;
        let refused = if !self.config.session_timeouts().contains(&join.session_timeout()) {
            Some(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else if self.join_consumers(now, topics, join) {
            return;
        } else if !join.request.member_id.is_empty() && self.has_no_classic(group) {
            Some(ErrorCode::UNKNOWN_MEMBER_ID)
        } else {
            None
        };
        if let Some(error) = refused {
            let response = join_error(&join.request.member_id, error);
            return self.answers.push_back((join.connection, Answer::Join(response)));
        }
        if let Some(mut turn) = self.turn_of_new(now, group) {
            turn.join(join);
        }
    }

    /// Whether there is no group, or one of KIP-848 in which nobody is.
    fn has_no_classic(&self, group: &str) -> bool {
        self.get(group).is_none_or(|group| group.classic().is_none())
    }
}

impl Turn<'_> {
    fn join(&mut self, join: &Join) {
        let id = &join.request.member_id;
        if !self.has_room_for(id) {
            self.group.remove(id);
            self.refuse_join(join, &Str::default(), ErrorCode::GROUP_MAX_SIZE_REACHED);
        } else if !self.group.supports(&join.request.protocol_type, &join.request.protocols) {
            self.refuse_join(join, id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        } else if id.is_empty() {
            self.join_new(join);
        } else {
            self.join_known(join);
        }
    }

    fn refuse_join(&mut self, join: &Join, member_id: &Str, error: ErrorCode) {
        self.answer_join(join.connection, join_error(member_id, error));
    }

    pub(super) fn answer_join(&mut self, connection: ConnectionId, response: JoinGroupResponse) {
        self.answers.push_back((connection, Answer::Join(response)));
    }

    fn has_room_for(&self, id: &str) -> bool {
        let members = &self.group.now.members;
        let limit = self.config.max_size;
        match self.group.state {
            State::Empty => true,
            // Who has not joined again yet may lose its place.
            State::PreparingRebalance => {
                let joins = |member: &Member| member.joining.is_some();
                members.get(id).is_some_and(joins)
                    || members.values().filter(|member| joins(member)).count() < limit
            }
            State::CompletingRebalance | State::Stable => members.contains_key(id) || members.len() < limit,
        }
    }

    fn join_new(&mut self, join: &Join) {
        if let Some(instance_id) = &join.request.group_instance_id {
            let id = new_member_id(instance_id, self.member_ids);
            match self.group.static_member(instance_id).cloned() {
                Some(known) => self.replace_static_member(join, &known, id),
                None => self.add_member(join, id),
            }
            return;
        }
        let id = new_member_id(&join.client_id, self.member_ids);
        if join.needs_member_id {
            self.group.pending_joins.insert(id.clone());
            let deadline = self.now + join.session_timeout();
            self.timers.set(&self.group.id, Timer::Session(id.clone()), deadline);
            self.refuse_join(join, &id, ErrorCode::MEMBER_ID_REQUIRED);
        } else {
            self.add_member(join, id);
        }
    }

    fn join_known(&mut self, join: &Join) {
        let (id, instance_id) = (&join.request.member_id, join.request.group_instance_id.as_ref());
        if self.group.pending_joins.contains(id) {
            // Only dynamic members are told to come again.
            return match instance_id {
                Some(_) => self.refuse_join(join, id, ErrorCode::UNKNOWN_SERVER_ERROR),
                None => self.add_member(join, Str::copy_of(id)),
            };
        }
        if let Err(error) = self.group.check_member(id, instance_id) {
            return self.refuse_join(join, id, error);
        }
        let is_same = self.group.now.members.get(id).is_some_and(|member| join.says_the_same_as(member));
        let is_answered = match self.group.state {
            State::Empty => return self.refuse_join(join, id, ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => false,
            // The answer to its first join may have got lost.
            State::CompletingRebalance => is_same,
            // A leader joins to have the group rebalance.
            State::Stable => is_same && !self.group.is_leader(id),
        };
        if is_answered {
            let response = self.joined(id);
            self.answer_join(join.connection, response);
        } else {
            self.update_member(join, id);
            self.rebalance_or_complete();
        }
    }

    fn add_member(&mut self, join: &Join, id: Str) {
        let member = Member {
            id: id.clone(),
            instance_id: join.request.group_instance_id.as_deref().map(Str::copy_of),
            client_id: join.client_id.clone(),
            session_timeout: join.session_timeout(),
            rebalance_timeout: join.rebalance_timeout(),
            protocols: join.protocols(),
            assignment: Bytes::new(),
            joining: Some(join.connection),
            syncing: None,
            is_new: true,
        };
        if let Some(initial) = &mut self.group.initial {
            initial.has_new_member = true;
        }
        self.group.add(&join.request.protocol_type, member);
        self.timers.set(&self.group.id, Timer::Session(id), self.now + NEW_MEMBER_TIMEOUT);
        self.rebalance_or_complete();
    }

    /// Takes over what a member says now, and has it wait for the others.
    fn update_member(&mut self, join: &Join, id: &str) {
        let Some(member) = self.group.now.members.get_mut(id) else { return };
        member.protocols = join.protocols();
        member.session_timeout = join.session_timeout();
        member.rebalance_timeout = join.rebalance_timeout();
        member.joining = Some(join.connection);
    }

    /// A static member is back without its id, or another one has its name: the one that was there is fenced.
    fn replace_static_member(&mut self, join: &Join, old_id: &Str, id: Str) {
        let was_leader = self.group.is_leader(old_id);
        let Some(mut member) = self.group.remove(old_id) else { return };
        if let Some(connection) = member.joining.take() {
            self.answer_join(connection, join_error(old_id, ErrorCode::FENCED_INSTANCE_ID));
        }
        if let Some(connection) = member.syncing.take() {
            self.answer_sync(connection, Err(ErrorCode::FENCED_INSTANCE_ID));
        }
        self.timers.cancel(&self.group.id, Timer::Session(old_id.clone()));
        member.id = id.clone();
        self.group.now.members.insert(id.clone(), member);
        if was_leader {
            self.group.now.leader = Some(id.clone());
        }
        self.update_member(join, &id);
        self.begin_session(&id);
        if self.group.state == State::Stable && self.group.select_protocol() == self.group.now.protocol {
            self.welcome_back(join, old_id, &id, was_leader);
        } else {
            self.rebalance_or_complete();
        }
    }

    /// A static member came back to a stable group, which stays as it is.
    fn welcome_back(&mut self, join: &Join, old_id: &Str, id: &str, was_leader: bool) {
        let mut response = self.joined(id);
        if join.can_skip_assignment {
            response.skip_assignment = was_leader;
        } else if was_leader {
            // By its old id it does not know itself, and does not assign.
            response.leader = old_id.clone();
            response.members.clear();
        }
        if let Some(member) = self.group.now.members.get_mut(id) {
            member.joining = None;
        }
        self.group.store();
        self.answer_join(join.connection, response);
    }

    /// What a member is told when the phase of joining is over.
    pub(super) fn joined(&self, id: &str) -> JoinGroupResponse {
        let group = &self.group;
        JoinGroupResponse {
            error_code: ErrorCode::NONE,
            generation_id: group.now.generation,
            protocol_type: group.now.protocol_type.clone(),
            protocol_name: group.now.protocol.clone(),
            leader: group.now.leader.clone().unwrap_or_default(),
            member_id: Str::copy_of(id),
            members: if group.is_leader(id) { group.described_members() } else { Vec::new() },
            ..JoinGroupResponse::default()
        }
    }
}

/// A prefix and a random UUID, as Java prints it.
fn new_member_id(prefix: &str, entropy: &mut Entropy) -> Str {
    let bits = u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64());
    let random = bits & !(0xf000 << 64) & !(0xc000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let part = |from: u32, digits: usize| {
        let mask = (1_u128 << (4 * digits)) - 1;
        format!("{:0digits$x}", (random >> from) & mask)
    };
    Str::from(format!(
        "{prefix}-{}-{}-{}-{}-{}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    ))
}
