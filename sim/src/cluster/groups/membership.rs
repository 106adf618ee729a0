//! Heartbeat and LeaveGroup.

use klamm_core::Instant;
use klamm_protocol::messages::leave_group::MemberIdentity;
use klamm_protocol::{ErrorCode, Str};

use super::timers::Timer;
use super::{Groups, State, Turn};
use crate::cluster::topics::Topics;

/// Who a request says it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) member_id: &'a Str,
    pub(crate) instance_id: Option<&'a Str>,
    pub(crate) generation: i32,
}

impl Groups {
    /// A member says that it lives.
    pub(crate) fn heartbeat(
        &mut self,
        now: Instant,
        topics: &Topics,
        group: &str,
        claim: &Claim<'_>,
    ) -> Result<(), ErrorCode> {
        if let Some(mut modern) = self.modern(now, topics, group) {
            return modern.heartbeat_classic(claim);
        }
        let mut turn = self.turn(now, group).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        turn.group.check_member(claim.member_id, claim.instance_id)?;
        if claim.generation != turn.group.now.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        turn.begin_session(claim.member_id);
        match turn.group.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Members leave, or are sent away by their names. One result for each.
    pub(crate) fn leave(
        &mut self,
        now: Instant,
        topics: &Topics,
        group: &str,
        members: &[MemberIdentity],
    ) -> Vec<Result<(), ErrorCode>> {
        if let Some(results) = self.leave_consumers(now, topics, group, members) {
            return results;
        }
        let Some(mut turn) = self.turn(now, group) else {
            return vec![Err(ErrorCode::UNKNOWN_MEMBER_ID); members.len()];
        };
        let results: Vec<_> = members.iter().map(|member| turn.leave(member)).collect();
        if results.iter().any(Result::is_ok) {
            turn.handle_members_gone();
        }
        results
    }
}

impl Turn<'_> {
    fn leave(&mut self, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let (id, instance_id) = (&member.member_id, member.group_instance_id.as_ref());
        if id.is_empty() {
            let known = instance_id.and_then(|instance_id| self.group.static_member(instance_id)).cloned();
            let known = known.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            self.remove_member(&known);
            self.tell_gone(&known, false);
        } else if self.group.pending_joins.contains(id) {
            if instance_id.is_some() {
                return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
            }
            self.group.pending_joins.remove(id);
            self.timers.cancel(&self.group.id, Timer::Session(id.clone()));
        } else {
            self.group.check_member(id, instance_id)?;
            self.remove_member(id);
            self.tell_gone(id, false);
        }
        Ok(())
    }
}
