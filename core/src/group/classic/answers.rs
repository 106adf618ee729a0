//! What a membership makes of the coordinator's answers.

use alloc::vec::Vec;

use klamm_protocol::{
    ErrorCode,
    messages::{AnyResponse, join_group::JoinGroupResponse, sync_group::SyncGroupResponse},
};

use super::{
    ClassicGroup, ClassicState, Input, MembershipOutput,
    errors::{Step, Verdict, verdict},
    requests::PROTOCOL_TYPE,
};
use crate::{
    Instant,
    group::{
        GroupError, GroupStep, LostReason,
        assignor::{Member, Subscription},
        looks::EarlyLooks,
        membership::Identity,
    },
};

impl Step {
    const fn public(self) -> GroupStep {
        match self {
            Self::Join => GroupStep::Join,
            Self::Sync => GroupStep::Sync,
            Self::Heartbeat => GroupStep::Heartbeat,
        }
    }
}

impl ClassicGroup {
    /// Takes an answer. One that nobody waits for any more is ignored. Returns whether it was one to what was asked.
    pub(in crate::group) fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &AnyResponse,
    ) -> bool {
        if self.leave.as_ref().is_some_and(|leave| leave.sent == Some(number)) {
            let AnyResponse::LeaveGroup(response) = response else {
                self.left(now);
                return false;
            };
            self.leave_answered(now, response.error_code);
            return true;
        }
        if let Some(beat) = self.beat.take_if(|beat| beat.number == number) {
            let AnyResponse::Heartbeat(response) = response else {
                self.clocks.beat_at = Some(now + self.config.heartbeat_interval);
                return false;
            };
            self.handle_beat(now, &beat.identity, response.error_code);
            return true;
        }
        if self.flight.take_if(|flight| flight.number == number).is_none() {
            return true;
        }
        match (self.state, response) {
            (ClassicState::Joining, AnyResponse::JoinGroup(response)) => self.handle_joined(now, response),
            (ClassicState::Syncing, AnyResponse::SyncGroup(response)) => self.handle_synced(now, response),
            _ => {
                self.backoff(now);
                return false;
            }
        }
        true
    }

    /// A request will not be answered. `unsupported`: the broker cannot understand it.
    pub(in crate::group) fn handle_lost(&mut self, now: Instant, number: u64, unsupported: bool) {
        if let Some(leave) = self.leave.as_mut().filter(|leave| leave.sent == Some(number)) {
            if unsupported && !leave.old_form && self.config.instance_id.is_none() {
                leave.old_form = true;
                leave.sent = None;
                self.settle_leave(now);
            } else if unsupported || leave.member_id.is_empty() {
                // Without a word the session ends by itself; and a name alone may be another member's by now.
                self.left(now);
            } else {
                self.leave_again(now);
            }
            return;
        }
        if self.beat.take_if(|beat| beat.number == number).is_some() {
            let delay = self.config.backoff.initial.min(self.config.heartbeat_interval);
            self.clocks.beat_at = Some(now + delay);
        } else if self.flight.take_if(|flight| flight.number == number).is_some() {
            if unsupported {
                let doing =
                    if self.state == ClassicState::Joining { GroupStep::Join } else { GroupStep::Sync };
                self.fail(now, GroupError::new(doing, ErrorCode::UNSUPPORTED_VERSION));
            } else {
                self.backoff(now);
            }
        }
    }

    /// Whatever the answer, the coordinator was told, unless it could not take it in.
    fn leave_answered(&mut self, now: Instant, code: ErrorCode) {
        match verdict(Step::Heartbeat, code) {
            _ if code.is_ok() => self.left(now),
            Verdict::Rediscover => {
                self.more.outputs.push_back(MembershipOutput::Rediscover);
                self.leave_again(now);
            }
            Verdict::Backoff => self.leave_again(now),
            _ => self.left(now),
        }
    }

    /// The coordinator may not have been told.
    fn leave_again(&mut self, now: Instant) {
        let delay = self.delay();
        if let Some(leave) = &mut self.leave {
            (leave.sent, leave.retry_at) = (None, Some(now + delay));
        }
        self.settle_leave(now);
    }

    fn left(&mut self, now: Instant) {
        self.leave = None;
        self.clocks.leave_by = None;
        self.settle_leave(now);
    }

    /// The coordinator says that a member is not, or not in this generation, what it says to be: on a commit.
    pub(in crate::group) fn disowned(&mut self, now: Instant, identity: &Identity, code: ErrorCode) {
        if *identity != self.identity {
            return;
        }
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => self.reset(now, false),
            ErrorCode::ILLEGAL_GENERATION => self.reset(now, true),
            ErrorCode::REBALANCE_IN_PROGRESS => self.rejoin("the group is rebalancing"),
            ErrorCode::FENCED_INSTANCE_ID => self.fail(now, GroupError::new(GroupStep::Heartbeat, code)),
            _ => {}
        }
    }

    fn handle_beat(&mut self, now: Instant, identity: &Identity, code: ErrorCode) {
        if *identity != self.identity {
            // It is about a generation that is over.
            return;
        }
        if code.is_ok() {
            self.heard(now);
        } else {
            self.refused(now, Step::Heartbeat, code);
        }
    }

    fn handle_joined(&mut self, now: Instant, response: &JoinGroupResponse) {
        if !response.error_code.is_ok() {
            if response.error_code == ErrorCode::MEMBER_ID_REQUIRED {
                self.identity.member_id = response.member_id.clone();
            }
            return self.refused(now, Step::Join, response.error_code);
        }
        if response.protocol_type.as_ref().is_some_and(|kind| *kind != PROTOCOL_TYPE) {
            let error = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
            return self
                .fail(now, GroupError::because(GroupStep::Join, error, "it is no group of consumers"));
        }
        self.identity =
            Identity { generation: response.generation_id, member_id: response.member_id.clone() };
        self.protocol = response.protocol_name.clone();
        self.heard(now);
        if response.leader != response.member_id || response.member_id.is_empty() {
            self.step(Input::Follows);
            self.more.outputs.push_back(MembershipOutput::Follow);
            return;
        }
        self.step(Input::Leads);
        if response.skip_assignment {
            // A static leader that came back: the assignment of its generation holds (KIP-814).
            self.led(Vec::new());
            return;
        }
        self.lead(now, response);
    }

    fn lead(&mut self, now: Instant, response: &JoinGroupResponse) {
        let members = response.members.iter().map(|member| {
            let subscription = Subscription::decode(member.metadata.clone())?;
            Ok(Member {
                id: member.member_id.clone(),
                instance_id: member.group_instance_id.clone(),
                subscription,
            })
        });
        let members: Result<Vec<Member>, klamm_protocol::wire::DecodeError> = members.collect();
        let strategy = self.protocol.clone().unwrap_or_default();
        match members {
            Ok(members) => self.more.outputs.push_back(MembershipOutput::Lead { members, strategy }),
            Err(_) => {
                let what = "a member of the group sent no subscription of a consumer";
                self.fail(now, GroupError::because(GroupStep::Assign, ErrorCode::NONE, what));
            }
        }
    }

    fn handle_synced(&mut self, now: Instant, response: &SyncGroupResponse) {
        if !response.error_code.is_ok() {
            return self.refused(now, Step::Sync, response.error_code);
        }
        let other = |ours: Option<&klamm_protocol::Str>, theirs: Option<&klamm_protocol::Str>| {
            theirs.is_some_and(|theirs| ours != Some(theirs))
        };
        if other(self.protocol.as_ref(), response.protocol_name.as_ref())
            || other(Some(&PROTOCOL_TYPE), response.protocol_type.as_ref())
        {
            let error = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
            return self.fail(now, GroupError::new(GroupStep::Sync, error));
        }
        self.assignments.clear();
        if self.config.is_cooperative() {
            self.clocks.looks = EarlyLooks::begin();
        }
        self.heard(now);
        self.step(Input::Synced);
        self.more.outputs.push_back(MembershipOutput::Assigned { assignment: response.assignment.clone() });
    }

    /// Does what an error asks for.
    fn refused(&mut self, now: Instant, step: Step, code: ErrorCode) {
        match verdict(step, code) {
            Verdict::Rediscover => {
                if step == Step::Heartbeat {
                    self.clocks.beat_at = Some(now);
                }
                self.more.outputs.push_back(MembershipOutput::Rediscover);
            }
            Verdict::Backoff if step == Step::Heartbeat => {
                self.clocks.beat_at = Some(now + self.config.heartbeat_interval);
            }
            Verdict::Backoff => self.backoff(now),
            // The coordinator may say so again and again.
            Verdict::AdoptMemberId | Verdict::Again => {
                let first = self.more.failures == 0;
                self.backoff(now);
                if first {
                    self.clocks.retry_at = None;
                }
            }
            Verdict::Rejoin => {
                self.heard(now);
                if step == Step::Sync || self.state == ClassicState::Stable {
                    self.step(Input::Rejoin);
                    self.prepare(None, "the group is rebalancing");
                    if crate::planted!(RejoinSlow) {
                        let patience = self.config.session_timeout + self.config.max_poll_interval;
                        self.clocks.retry_at = Some(now + patience * 3 / 2);
                    }
                }
            }
            Verdict::ResetMember => self.reset(now, false),
            Verdict::ResetGeneration => self.reset(now, true),
            Verdict::Fatal => self.fail(now, GroupError::new(step.public(), code)),
        }
    }

    /// The coordinator does not know the member, or its generation.
    fn reset(&mut self, now: Instant, keep_id: bool) {
        if !self.step(Input::Reset) {
            return;
        }
        let member_id = core::mem::take(&mut self.identity.member_id);
        let was_member = self.identity.generation >= 0;
        self.forget(now);
        if keep_id {
            self.identity.member_id = member_id;
        }
        if !was_member {
            self.backoff(now);
        }
        self.prepare(Some(LostReason::Fenced), "the coordinator did not know the member");
    }
}
