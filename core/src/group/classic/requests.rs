//! What a membership asks of its coordinator, and when.

use alloc::vec;

use klamm_protocol::{
    Str,
    messages::{
        heartbeat::HeartbeatRequest,
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
        leave_group::{LeaveGroupRequest, MemberIdentity},
        sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};

use super::{Ask, ClassicGroup, ClassicState, Flight, Joining};
use crate::{
    Instant,
    group::{config::millis, looks::EarlyLooks},
};

/// The kind of group that consumers form.
pub(super) const PROTOCOL_TYPE: Str = Str::from_static("consumer");

impl ClassicGroup {
    /// Whether there is something to say to the coordinator now, or soon.
    pub(in crate::group) fn wants_coordinator(&self, now: Instant) -> bool {
        let due = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        self.wants_to_leave(now)
            || (self.wants_to_speak() && due(self.clocks.retry_at))
            || (self.beats() && self.beat.is_none() && due(self.clocks.beat_at))
    }

    fn wants_to_leave(&self, now: Instant) -> bool {
        self.leave.as_ref().is_some_and(|leave| leave.is_due(now))
    }

    /// Whether JoinGroup or SyncGroup is to be sent.
    pub(super) const fn wants_to_speak(&self) -> bool {
        self.flight.is_none() && matches!(self.state, ClassicState::Joining | ClassicState::Syncing)
    }

    /// The next request for the coordinator, which is known. `number` will come back with the answer; `joining` is
    /// what the member tells about itself.
    pub(in crate::group) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        joining: impl FnOnce() -> Joining,
    ) -> Option<Ask> {
        if self.wants_to_leave(now) {
            return self.ask_to_leave(now, number);
        }
        let due = self.clocks.retry_at.is_none_or(|at| at <= now);
        if self.wants_to_speak() && due {
            self.clocks.retry_at = None;
            self.flight = Some(Flight { number, identity: self.identity.clone() });
            return Some(match self.state {
                ClassicState::Joining => self.join(&joining()),
                _ => self.sync(),
            });
        }
        let beat_due = self.clocks.beat_at.is_some_and(|at| at <= now);
        if self.beats() && self.beat.is_none() && beat_due {
            self.beat = Some(Flight { number, identity: self.identity.clone() });
            return Some(self.heartbeat());
        }
        None
    }

    fn join(&mut self, joining: &Joining) -> Ask {
        (self.clocks.beat_at, self.clocks.looks) = (None, EarlyLooks::default());
        self.clocks.session_end = None;
        self.assignments.clear();
        let protocols = self.config.assignors.iter().map(|strategy| JoinGroupRequestProtocol {
            name: strategy.name(),
            // Names that are too long for the wire are no topics'.
            metadata: strategy.subscription(joining).encode().unwrap_or_default(),
            ..Default::default()
        });
        let request = JoinGroupRequest {
            group_id: self.config.group_id.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.max_poll_interval),
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.config.instance_id.clone(),
            protocol_type: PROTOCOL_TYPE,
            protocols: protocols.collect(),
            reason: Some(self.reason.clone()),
            ..Default::default()
        };
        Ask::held_back(request, self.config.join_timeout(self.more.failures))
    }

    fn sync(&self) -> Ask {
        let assignments = self.assignments.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: assignment.clone(),
            ..Default::default()
        });
        let request = SyncGroupRequest {
            group_id: self.config.group_id.clone(),
            generation_id: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.config.instance_id.clone(),
            protocol_type: Some(PROTOCOL_TYPE),
            protocol_name: self.protocol.clone(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        // The leader may be slow, but not slower than the group's patience.
        Ask::held_back(request, self.config.join_timeout(self.more.failures))
    }

    fn heartbeat(&self) -> Ask {
        let request = HeartbeatRequest {
            group_id: self.config.group_id.clone(),
            generation_id: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.config.instance_id.clone(),
            ..Default::default()
        };
        Ask::new(request, self.config.request_timeout)
    }

    fn ask_to_leave(&mut self, now: Instant, number: u64) -> Option<Ask> {
        let by = self.clocks.leave_by.unwrap_or(now + self.config.request_timeout);
        let group_id = self.config.group_id.clone();
        let group_instance_id = self.config.instance_id.clone();
        let leave = self.leave.as_mut()?;
        leave.sent = Some(number);
        let mut request = LeaveGroupRequest { group_id, ..Default::default() };
        if leave.old_form {
            request.member_id = leave.member_id.clone();
        } else {
            request.members = vec![MemberIdentity {
                member_id: leave.member_id.clone(),
                group_instance_id,
                reason: Some(Str::from_static(leave.reason)),
                ..Default::default()
            }];
        }
        let mut ask = Ask::new(request, self.config.request_timeout.max(by.since(now)));
        if leave.old_form {
            ask.max_version = 2;
        }
        Some(ask)
    }
}
