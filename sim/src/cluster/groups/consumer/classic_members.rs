//! Members of a consumer group that still speak the classic protocol, while the group moves from one protocol to the
//! other. To them the group is one that rebalances whenever they have to give something up or get something.

use bytes::Bytes;
use klamm_protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use klamm_protocol::messages::join_group::JoinGroupResponse;
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_protocol::{ErrorCode, Str};

use super::heartbeat::{Comer, Modern, replacing};
use super::{ClassicSide, Member, Phase, embedded};
use crate::cluster::groups::timers::Timer;
use crate::cluster::groups::{Claim, Join};
use crate::cluster::random_uuid;

/// The protocol type of groups of consumers.
const CONSUMER: &str = "consumer";

/// What comes of a join.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) response: JoinGroupResponse,
    /// The last member of the newer protocol has made room: the group becomes a classic one.
    pub(crate) downgrade: Option<Downgrade>,
}

/// How a group becomes a classic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Downgrade {
    pub(crate) generation: i32,
    /// Members want something else now, or there are fewer.
    pub(crate) needs_rebalance: bool,
}

impl Modern<'_> {
    /// A classic member joins.
    pub(crate) fn join_classic(&mut self, join: &Join) -> Result<Joined, (Str, ErrorCode)> {
        let request = &join.request;
        let is_new = request.member_id.is_empty();
        let id = if is_new {
            Str::from(random_uuid(self.member_ids).to_string())
        } else {
            Str::copy_of(&request.member_id)
        };
        let refused = |code| (Str::default(), code);
        self.check_room(&id).map_err(|error| refused(error.code))?;
        if !self.group.fits_classic(&request.protocol_type, &join.protocols()) {
            return Err(refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        if is_new && request.group_instance_id.is_none() && join.needs_member_id {
            return Err((id, ErrorCode::MEMBER_ID_REQUIRED));
        }
        let comer = self.admit_classic(id, join).map_err(refused)?;
        let protocols = join.protocols();
        let said = protocols.first().and_then(|(_, metadata)| embedded::subscription(metadata));
        let said = said.ok_or_else(|| refused(ErrorCode::UNKNOWN_SERVER_ERROR))?;
        self.place_classic(join, comer, &said).map_err(refused)
    }

    /// Finds the member, makes one, or replaces a static one.
    fn admit_classic(&self, id: Str, join: &Join) -> Result<Comer, ErrorCode> {
        let known = match &join.request.group_instance_id {
            Some(instance_id) if !join.request.member_id.is_empty() => {
                self.group.claimed(&id, Some(instance_id)).map_err(|refused| refused.code)?.clone()
            }
            Some(instance_id) => match self.group.static_member(instance_id) {
                Some(known) => return Ok(replacing(known, id)),
                None => Member::new(id),
            },
            None => self.group.members.get(&id).cloned().unwrap_or_else(|| Member::new(id)),
        };
        Ok(Comer { after: known.clone(), before: known, replaced: None })
    }

    fn place_classic(
        &mut self,
        join: &Join,
        mut comer: Comer,
        said: &ConsumerProtocolSubscription,
    ) -> Result<Joined, ErrorCode> {
        comer.after = self.said_by_classic(&comer.after, join, said);
        let has_new_wishes = comer.before.wishes.topics != comer.after.wishes.topics
            || comer.before.wishes.regex() != comer.after.wishes.regex();
        let downgrade = self
            .would_be_classic_after(&comer)
            .then_some(Downgrade { generation: self.group.epoch, needs_rebalance: has_new_wishes });
        let named = said.owned_partitions.iter().map(|topic| (&topic.topic, &topic.partitions[..]));
        let owned = embedded::by_id(named, self.topics);
        let id = comer.after.id.clone();
        let target = downgrade.map(|_| self.group.target.clone());
        let progress = self.take_over(&comer, Some(&owned)).map_err(|refused| refused.code)?;
        // A group that becomes a classic one gets no new target from the coordinator.
        if let Some(mut target) = target {
            if let Some(known) = comer.replaced.as_ref().and_then(|replaced| target.remove(replaced)) {
                target.insert(id.clone(), known);
            }
            self.group.target = target;
        }
        self.timers.cancel(&self.group.id, Timer::Rejoin(id.clone()));
        self.begin_session(&id, join.session_timeout());
        let deadline = self.now + join.rebalance_timeout();
        self.timers.set(&self.group.id, Timer::Assignment(id.clone()), deadline);
        let is_left_behind = downgrade.is_some_and(|downgrade| downgrade.needs_rebalance);
        let response = JoinGroupResponse {
            // Who makes the group rebalance has not been given anything yet.
            generation_id: if is_left_behind { comer.before.progress.epoch } else { progress.epoch },
            protocol_type: Some(Str::from_static(CONSUMER)),
            protocol_name: join.protocols().into_iter().next().map(|(name, _)| name),
            member_id: id,
            ..JoinGroupResponse::default()
        };
        Ok(Joined { response, downgrade })
    }

    fn said_by_classic(&self, known: &Member, join: &Join, said: &ConsumerProtocolSubscription) -> Member {
        let mut member = known.clone();
        member.instance_id =
            join.request.group_instance_id.as_deref().map(Str::copy_of).or(member.instance_id);
        let rack_id = said.rack_id.as_ref().filter(|rack| !rack.is_empty());
        member.rack_id = rack_id.map(|rack| Str::copy_of(rack)).or(member.rack_id);
        member.client_id = join.client_id.clone();
        if join.request.rebalance_timeout_ms != -1 {
            member.rebalance_timeout = join.rebalance_timeout();
        }
        member.wishes.topics = said.topics.iter().map(|topic| Str::copy_of(topic)).collect();
        member.wishes.pattern = Some(Str::default());
        member.classic =
            Some(ClassicSide { session_timeout: join.session_timeout(), protocols: join.protocols() });
        member
    }

    /// Whether all members are classic ones, once a static one has taken the place of the last that is not.
    fn would_be_classic_after(&self, comer: &Comer) -> bool {
        let instance_id = comer.after.instance_id.as_ref();
        let Some(replaced) = instance_id.and_then(|instance_id| self.group.static_member(instance_id)) else {
            return false;
        };
        let mut others = self.group.members.values().filter(|member| member.id != replaced.id);
        replaced.classic.is_none()
            && others.all(|member| member.classic.is_some())
            && self.group.members.len() <= self.config.max_size
    }

    /// A classic member asks for what it has.
    pub(crate) fn sync_classic(
        &mut self,
        request: &SyncGroupRequest,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let claim = Claim {
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_ref(),
            generation: request.generation_id,
        };
        let (member, side) = self.classic_member(&claim)?;
        let protocol = side.protocols.first().cloned().unwrap_or_default();
        let differs = |said: &Option<Str>, own: &str| said.as_ref().is_some_and(|said| said != own);
        if differs(&request.protocol_type, CONSUMER) || differs(&request.protocol_name, &protocol.0) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if self.group.epoch > member.progress.epoch && member.progress.phase != Phase::Revoking {
            self.await_rejoin(&member);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.timers.cancel(&self.group.id, Timer::Assignment(member.id.clone()));
        self.begin_session(&member.id, side.session_timeout);
        Ok(SyncGroupResponse {
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: embedded::assignment_for(&protocol.1, &member.progress.assigned, self.topics),
            ..SyncGroupResponse::default()
        })
    }

    /// A classic member says that it lives, and is told whether it has to join again.
    pub(crate) fn heartbeat_classic(&mut self, claim: &Claim<'_>) -> Result<(), ErrorCode> {
        let (member, side) = self.classic_member(claim)?;
        self.begin_session(&member.id, side.session_timeout);
        let has_to_join = member.progress.epoch < self.group.epoch
            || match member.progress.phase {
                Phase::Stable => false,
                Phase::Revoking => true,
                Phase::Waiting => !self.waits_for_others(&member),
            };
        if !has_to_join {
            return Ok(());
        }
        self.await_rejoin(&member);
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    }

    /// The member that a claim is of, if it speaks the classic protocol and knows its epoch.
    fn classic_member(&self, claim: &Claim<'_>) -> Result<(Member, ClassicSide), ErrorCode> {
        let member =
            self.group.claimed(claim.member_id, claim.instance_id).map_err(|refused| refused.code)?;
        let side = member.classic.clone().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.progress.epoch != claim.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        Ok((member.clone(), side))
    }

    /// It has to join again in time; the time runs from when it was told first.
    fn await_rejoin(&mut self, member: &Member) {
        let timer = Timer::Rejoin(member.id.clone());
        if !self.timers.is_set(&self.group.id, &timer) {
            self.timers.set(&self.group.id, timer, self.now + member.rebalance_timeout);
        }
    }

    fn waits_for_others(&self, member: &Member) -> bool {
        let taken = self.group.owned_by_others(&member.id);
        let target = self.group.target.get(&member.id).into_iter().flatten();
        target
            .into_iter()
            .any(|(topic, indexes)| indexes.iter().any(|index| taken.contains(&(*topic, *index))))
    }
}

impl super::ConsumerGroup {
    /// Whether a classic member with these protocols can be in the group.
    fn fits_classic(&self, protocol_type: &str, protocols: &[(Str, Bytes)]) -> bool {
        let supports = |side: &ClassicSide, name: &Str| side.protocols.iter().any(|(known, _)| known == name);
        protocol_type == CONSUMER
            && protocols.iter().any(|(name, _)| {
                let mut sides = self.members.values().filter_map(|member| member.classic.as_ref());
                sides.all(|side| supports(side, name))
            })
    }
}
