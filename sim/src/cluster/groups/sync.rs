//! SyncGroup: the leader brings the assignment, all others ask for theirs.

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_protocol::{ErrorCode, Str};

use super::timers::Timer;
use super::{Answer, Groups, State, Turn};
use crate::cluster::ConnectionId;
use crate::cluster::topics::Topics;

/// A request for an assignment.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) connection: ConnectionId,
    pub(crate) request: SyncGroupRequest,
}

impl Groups {
    /// Serves a sync; the answer comes from [`Groups::poll_answer`], maybe later.
    pub(crate) fn sync(&mut self, now: Instant, topics: &Topics, sync: &Sync) {
        if self.sync_consumers(now, topics, sync) {
            return;
        }
        if let Some(mut turn) = self.turn(now, &sync.request.group_id) {
            return turn.sync(sync);
        }
        let response =
            SyncGroupResponse { error_code: ErrorCode::UNKNOWN_MEMBER_ID, ..SyncGroupResponse::default() };
        self.answers.push_back((sync.connection, Answer::Sync(response)));
    }
}

impl Turn<'_> {
    fn sync(&mut self, sync: &Sync) {
        if let Err(error) = self.check_sync(&sync.request) {
            return self.answer_sync(sync.connection, Err(error));
        }
        let id = &sync.request.member_id;
        self.group.pending_syncs.remove(id);
        if self.group.pending_syncs.is_empty() {
            self.timers.cancel(&self.group.id, Timer::Sync);
        }
        let Some(member) = self.group.now.members.get_mut(id) else { return };
        if self.group.state == State::Stable {
            let assignment = member.assignment.clone();
            self.answer_sync(sync.connection, Ok(assignment));
            return self.begin_session(id);
        }
        member.syncing = Some(sync.connection);
        if self.group.is_leader(id) {
            self.assign(&sync.request);
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let group = &self.group;
        group.check_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != group.now.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |said: &Option<Str>, own: &Option<Str>| said.is_some() && said != own;
        if differs(&request.protocol_type, &group.now.protocol_type)
            || differs(&request.protocol_name, &group.now.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match group.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Gives each member its assignment, which is empty for those that the leader left out.
    fn assign(&mut self, request: &SyncGroupRequest) {
        for member in self.group.now.members.values_mut() {
            let given = request.assignments.iter().rev().find(|given| given.member_id == member.id);
            member.assignment =
                given.map(|given| Bytes::copy_from_slice(&given.assignment)).unwrap_or_default();
        }
        self.group.state = State::Stable;
        self.group.store();
        let members = self.group.now.members.values_mut();
        let waiting: Vec<_> = members
            .filter_map(|member| {
                let connection = member.syncing.take()?;
                Some((member.id.clone(), connection, member.assignment.clone()))
            })
            .collect();
        for (id, connection, assignment) in waiting {
            self.answer_sync(connection, Ok(assignment));
            self.begin_session(&id);
        }
    }

    pub(super) fn answer_sync(&mut self, connection: ConnectionId, assignment: Result<Bytes, ErrorCode>) {
        let response = match assignment {
            Ok(assignment) => SyncGroupResponse {
                protocol_type: self.group.now.protocol_type.clone(),
                protocol_name: self.group.now.protocol.clone(),
                assignment,
                ..SyncGroupResponse::default()
            },
            Err(error_code) => SyncGroupResponse { error_code, ..SyncGroupResponse::default() },
        };
        self.answers.push_back((connection, Answer::Sync(response)));
    }
}
