//! Requests of members of consumer groups (KIP-848).

use std::collections::BTreeSet;

use klamm_core::Instant;
use klamm_protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use klamm_protocol::messages::leave_group::MemberIdentity;
use klamm_protocol::messages::sync_group::SyncGroupResponse;
use klamm_protocol::{ErrorCode, Str};

use super::consumer::{Beat, ConsumerGroup, Downgrade, Modern, Refused};
use super::join::join_error;
use super::timers::Timer;
use super::{Answer, Claim, Group, Groups, Join, Kind, Sync};
use crate::cluster::topics::Topics;
use crate::observe::ClusterEvent;

/// Since this version a commit can say the epoch of a member.
const EPOCH_IN_COMMIT: i16 = 9;

impl Groups {
    /// A group of KIP-848 and what is needed to change it.
    pub(super) fn modern<'a>(
        &'a mut self,
        now: Instant,
        topics: &'a Topics,
        group: &str,
    ) -> Option<Modern<'a>> {
        let Kind::Consumer(group) = &mut self.by_id.get_mut(group)?.kind else { return None };
        Some(Modern {
            now,
            config: &self.config,
            topics,
            group,
            timers: &mut self.timers,
            member_ids: &mut self.member_ids,
        })
    }

    /// Serves the heartbeat of a member that does not leave. The first one makes the group.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        now: Instant,
        topics: &Topics,
        beat: &Beat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = &beat.request.group_id;
        if let Some(mut modern) = self.modern(now, topics, id) {
            return modern.heartbeat(beat);
        }
        if beat.request.member_epoch != 0 {
            return Err(no_consumer_group(id));
        }
        let is_used = self.by_id.get(id).is_some_and(|group| !group.is_empty());
        let mut group =
            if is_used { self.upgraded(now, topics, id)? } else { ConsumerGroup::new(Str::copy_of(id)) };
        let mut modern = Modern {
            now,
            config: &self.config,
            topics,
            group: &mut group,
            timers: &mut self.timers,
            member_ids: &mut self.member_ids,
        };
        let response = modern.heartbeat(beat)?;
        modern.begin_classic_sessions();
        self.timers.cancel(id, Timer::Join);
        self.timers.cancel(id, Timer::Sync);
        let known = self.by_id.entry(group.id.clone()).or_insert_with_key(|id| Group::new(id.clone()));
        known.kind = Kind::Consumer(group);
        Ok(response)
    }

    /// A member leaves its group, or a static one for a while.
    pub(crate) fn leave_consumer_group(
        &mut self,
        now: Instant,
        topics: &Topics,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = &request.group_id;
        let mut modern = self.modern(now, topics, id).ok_or_else(|| no_consumer_group(id))?;
        let (response, leaving) = modern.leave(request)?;
        self.send_away(now, topics, id, &leaving, false);
        Ok(response)
    }

    /// Takes members out of a consumer group, which becomes a classic one if only classic members are left.
    pub(super) fn send_away(
        &mut self,
        now: Instant,
        topics: &Topics,
        id: &str,
        leaving: &[Str],
        expired: bool,
    ) {
        let group = Str::copy_of(id);
        let gone =
            |member: &Str| ClusterEvent::MemberGone { group: group.clone(), member: member.clone(), expired };
        self.news.extend(leaving.iter().map(gone));
        let Some(mut modern) = self.modern(now, topics, id) else { return };
        if leaving.is_empty() {
            return;
        }
        if !modern.would_be_classic_without(leaving) {
            return modern.remove_members(leaving);
        }
        let downgrade = Downgrade { generation: modern.group.epoch, needs_rebalance: true };
        modern.remove_members(leaving);
        self.downgrade(now, topics, id, downgrade);
    }

    /// A classic member joins a consumer group. The answer is there at once. Returns false if it is no such group.
    pub(super) fn join_consumers(&mut self, now: Instant, topics: &Topics, join: &Join) -> bool {
        let id = &join.request.group_id;
        let Some(mut modern) = self.modern(now, topics, id).filter(|modern| !modern.group.members.is_empty())
        else {
            return false;
        };
        let response = match modern.join_classic(join) {
            Ok(joined) => {
                if let Some(downgrade) = joined.downgrade {
                    self.downgrade(now, topics, id, downgrade);
                }
                joined.response
            }
            Err((member_id, error)) => join_error(&member_id, error),
        };
        self.answers.push_back((join.connection, Answer::Join(response)));
        true
    }

    /// A classic member of a consumer group asks for its assignment. Returns false if it is no such group.
    pub(super) fn sync_consumers(&mut self, now: Instant, topics: &Topics, sync: &Sync) -> bool {
        let Some(mut modern) = self.modern(now, topics, &sync.request.group_id) else { return false };
        let refused = |error_code| SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
        let response = modern.sync_classic(&sync.request).unwrap_or_else(refused);
        self.answers.push_back((sync.connection, Answer::Sync(response)));
        true
    }

    /// Classic members leave a consumer group, or others by the API of the classic protocol.
    pub(super) fn leave_consumers(
        &mut self,
        now: Instant,
        topics: &Topics,
        id: &str,
        members: &[MemberIdentity],
    ) -> Option<Vec<Result<(), ErrorCode>>> {
        let group = self.get(id)?.consumer()?;
        let found = members.iter().map(|member| group.leaving(member));
        let found: Vec<_> = found.collect();
        let leaving: BTreeSet<Str> = found.iter().flatten().cloned().collect();
        let leaving: Vec<Str> = leaving.into_iter().collect();
        self.send_away(now, topics, id, &leaving, false);
        Some(found.into_iter().map(|found| found.map(drop)).collect())
    }

    /// A member of a consumer group has not done what it had to in time.
    pub(super) fn handle_late_member(&mut self, now: Instant, topics: &Topics, group: &str, timer: &Timer) {
        let Some(modern) = self.modern(now, topics, group) else { return };
        if let Some(member) = modern.overdue(timer) {
            self.send_away(now, topics, group, &[member], true);
        }
    }
}

fn no_consumer_group(id: &Str) -> Refused {
    Refused::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("There is no consumer group {id}."))
}

impl ConsumerGroup {
    /// The member that is to leave.
    fn leaving(&self, member: &MemberIdentity) -> Result<Str, ErrorCode> {
        let (id, instance_id) = (&member.member_id, member.group_instance_id.as_ref());
        let found = match instance_id.and_then(|instance_id| self.static_member(instance_id)) {
            Some(known) if id.is_empty() => Ok(known),
            _ => self.claimed(id, instance_id),
        };
        found.map(|member| member.id.clone()).map_err(|refused| refused.code)
    }

    /// Whether somebody may commit for the group.
    pub(super) fn check_commit(&self, claim: &Claim<'_>, version: i16) -> Result<(), ErrorCode> {
        if claim.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.member(claim.member_id).map_err(|refused| refused.code)?;
        if member.classic.is_none() && version < EPOCH_IN_COMMIT {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        self.check_member_epoch(claim.member_id, claim.generation)
    }

    /// Whether somebody may fetch what is committed. Who says no member is not asked.
    pub(crate) fn check_fetch(&self, member_id: Option<&Str>, epoch: i32) -> Result<(), ErrorCode> {
        match member_id {
            None if epoch < 0 => Ok(()),
            // Kafka looks for a member without an id, and fails in that.
            None => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            Some(id) => self.check_member_epoch(id.as_str(), epoch),
        }
    }

    fn check_member_epoch(&self, id: &str, epoch: i32) -> Result<(), ErrorCode> {
        let member = self.member(id).map_err(|refused| refused.code)?;
        match &member.classic {
            _ if member.progress.epoch == epoch => Ok(()),
            Some(_) => Err(ErrorCode::ILLEGAL_GENERATION),
            None => Err(ErrorCode::STALE_MEMBER_EPOCH),
        }
    }
}
