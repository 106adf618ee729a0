//! Members of a group, each with a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use klamm_protocol::{ErrorCode, Message, Str};
use klamm_sim::cluster::{ClusterConfig, ConnectionId};

use crate::wire::{Got, Wire};

pub(super) const GROUP: &str = "g";
pub(super) const SESSION: Duration = Duration::from_secs(10);
pub(super) const REBALANCE: Duration = Duration::from_secs(60);

/// A member as its client sees it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) connection: ConnectionId,
    pub(super) id: Str,
    pub(super) instance_id: Option<Str>,
    pub(super) generation: i32,
    pub(super) protocols: Vec<&'static str>,
}

/// A cluster of one broker, and a topic `t`.
pub(super) fn one_broker() -> Wire {
    Wire::with_topic(1, "4.2")
}

/// The first rebalance waits so long for more members.
pub(super) fn with_initial_delay(delay: Duration) -> Wire {
    let mut config = ClusterConfig::default();
    config.groups.initial_rebalance_delay = delay;
    Wire::new(config)
}

impl Member {
    pub(super) fn new(wire: &mut Wire) -> Self {
        Self::at(wire, 1)
    }

    pub(super) fn at(wire: &mut Wire, broker: i32) -> Self {
        let connection = wire.connect(broker);
        Self { connection, id: Str::default(), instance_id: None, generation: -1, protocols: vec!["range"] }
    }

    pub(super) fn named(wire: &mut Wire, instance_id: &'static str) -> Self {
        Self { instance_id: Some(instance_id.into()), ..Self::new(wire) }
    }

    pub(super) fn join_request(&self) -> JoinGroupRequest {
        let protocol = |name: &&'static str| JoinGroupRequestProtocol {
            name: Str::from_static(name),
            metadata: Bytes::from_static(b"metadata"),
            ..JoinGroupRequestProtocol::default()
        };
        JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: i32::try_from(SESSION.as_millis()).unwrap(),
            rebalance_timeout_ms: i32::try_from(REBALANCE.as_millis()).unwrap(),
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: "consumer".into(),
            protocols: self.protocols.iter().map(protocol).collect(),
            ..JoinGroupRequest::default()
        }
    }

    /// Sends a join, with an id if it is needed, whose answer is yet to come.
    pub(super) fn begin_join(&mut self, wire: &mut Wire) {
        if self.id.is_empty() && self.instance_id.is_none() {
            let response = wire.call(self.connection, 9, &self.join_request());
            assert_eq!(response.error_code, ErrorCode::MEMBER_ID_REQUIRED);
            self.id = response.member_id;
        }
        wire.send(self.connection, 9, &self.join_request());
    }

    /// The answer to a join.
    pub(super) fn joined(&mut self, answers: &mut Answers<JoinGroupResponse>) -> JoinGroupResponse {
        let response = answers.take(self.connection);
        assert_eq!(response.error_code, ErrorCode::NONE);
        self.id = response.member_id.clone();
        self.generation = response.generation_id;
        response
    }

    pub(super) fn sync_request(&self, assignments: &[(&Self, &'static str)]) -> SyncGroupRequest {
        let assignment = |(member, assignment): &(&Self, &'static str)| SyncGroupRequestAssignment {
            member_id: member.id.clone(),
            assignment: Bytes::from_static(assignment.as_bytes()),
            ..SyncGroupRequestAssignment::default()
        };
        SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some(self.protocols[0].into()),
            assignments: assignments.iter().map(assignment).collect(),
            ..SyncGroupRequest::default()
        }
    }

    pub(super) fn begin_sync(&self, wire: &mut Wire, assignments: &[(&Self, &'static str)]) {
        wire.send(self.connection, 5, &self.sync_request(assignments));
    }

    pub(super) fn beat(&self, wire: &mut Wire) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            ..HeartbeatRequest::default()
        };
        wire.call(self.connection, 4, &request).error_code
    }

    pub(super) fn leave(&self, wire: &mut Wire) -> ErrorCode {
        let member = MemberIdentity {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            ..MemberIdentity::default()
        };
        let request =
            LeaveGroupRequest { group_id: GROUP.into(), members: vec![member], ..Default::default() };
        let mut response = wire.call(self.connection, 5, &request);
        assert_eq!(response.error_code, ErrorCode::NONE);
        response.members.remove(0).error_code
    }
}

/// What came to connections, by connection.
pub(super) struct Answers<T> {
    got: Vec<(ConnectionId, T)>,
}

impl<T: Message> Answers<T> {
    /// Everything that was sent since, which must be answers of one kind.
    pub(super) fn all(wire: &mut Wire) -> Self {
        let mut got = Vec::new();
        loop {
            match wire.next() {
                (Some(connection), Got::Response(response)) => got.push((connection, response)),
                (None, Got::Nothing) => return Self { got },
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn take(&mut self, connection: ConnectionId) -> T {
        let index = self.got.iter().position(|(at, _)| *at == connection).expect("an answer");
        self.got.remove(index).1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.got.is_empty()
    }
}

/// All join again, or for the first time; the first of them comes first.
pub(super) fn join_all(wire: &mut Wire, members: &mut [Member]) -> Vec<JoinGroupResponse> {
    for member in members.iter_mut() {
        member.begin_join(wire);
    }
    let mut answers = Answers::all(wire);
    let responses = members.iter_mut().map(|member| member.joined(&mut answers)).collect();
    assert!(answers.is_empty());
    responses
}

/// All ask for their assignment, which is what the leader gives them: `p0`, `p1` and so on.
pub(super) fn sync_all(wire: &mut Wire, members: &[Member], leader: &str) -> Vec<Bytes> {
    const PARTS: [&str; 4] = ["p0", "p1", "p2", "p3"];
    let plan: Vec<(&Member, &'static str)> = members.iter().zip(PARTS).collect();
    for member in members {
        member.begin_sync(wire, if member.id == leader { &plan } else { &[] });
    }
    let mut answers = Answers::<SyncGroupResponse>::all(wire);
    let sync = |member: &Member| {
        let response = answers.take(member.connection);
        assert_eq!(response.error_code, ErrorCode::NONE);
        response.assignment
    };
    members.iter().map(sync).collect()
}

/// A stable group of so many members. The first one leads.
pub(super) fn stable(wire: &mut Wire, count: usize) -> Vec<Member> {
    let mut members: Vec<Member> = (0..count).map(|_| Member::new(wire)).collect();
    settle(wire, &mut members);
    members
}

/// Members join one after the other, then together, and get their assignments.
pub(super) fn settle(wire: &mut Wire, members: &mut [Member]) {
    members[0].begin_join(wire);
    let first = members[0].joined(&mut Answers::all(wire));
    for newer in &mut members[1..] {
        newer.begin_join(wire);
    }
    assert!(members.len() == 1 || Answers::<JoinGroupResponse>::all(wire).is_empty());
    if members.len() > 1 {
        wire.send(members[0].connection, 9, &members[0].join_request());
        let mut answers = Answers::all(wire);
        members.iter_mut().for_each(|member| drop(member.joined(&mut answers)));
    }
    sync_all(wire, members, &first.member_id);
}

/// The group as it is described.
pub(super) fn described(wire: &mut Wire, version: i16) -> DescribedGroup {
    let request = DescribeGroupsRequest { groups: vec![GROUP.into()], ..DescribeGroupsRequest::default() };
    let broker = coordinator(wire);
    wire.ask(broker, version, &request).groups.remove(0)
}

pub(super) fn state(wire: &mut Wire) -> Str {
    described(wire, 5).group_state
}

/// The coordinator of the group.
pub(super) fn coordinator(wire: &mut Wire) -> i32 {
    use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
    let request = FindCoordinatorRequest { coordinator_keys: vec![GROUP.into()], ..Default::default() };
    for broker in 1..=3 {
        let connection = wire.connect(broker);
        if let Got::Response(mut response) = wire.try_call(connection, 6, &request) {
            wire.cluster.handle_closed(connection);
            return response.coordinators.remove(0).node_id;
        }
    }
    panic!("no broker answers");
}
