use std::time::Duration;

use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_protocol::{ErrorCode, Str};
use klamm_sim::cluster::ClusterConfig;

use super::driver::*;
use crate::wire::Wire;

fn beat(wire: &mut Wire, member_id: &Str, instance_id: Option<Str>, generation_id: i32) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id,
        member_id: member_id.clone(),
        group_instance_id: instance_id,
        ..HeartbeatRequest::default()
    };
    wire.ask(1, 4, &request).error_code
}

#[test]
fn three_members_join_and_share() {
    let mut wire = with_initial_delay(Duration::from_secs(3));
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&mut wire)).collect();
    for member in &mut members {
        member.begin_join(&mut wire);
    }
    assert!(Answers::<JoinGroupResponse>::all(&mut wire).is_empty());
    assert_eq!(state(&mut wire), "PreparingRebalance");
    // Somebody came while it waited: it waits once more.
    wire.advance(Duration::from_secs(3));
    assert!(Answers::<JoinGroupResponse>::all(&mut wire).is_empty());
    wire.advance(Duration::from_secs(3));
    let mut answers = Answers::all(&mut wire);
    let responses: Vec<_> = members.iter_mut().map(|member| member.joined(&mut answers)).collect();
    for (index, response) in responses.iter().enumerate() {
        assert_eq!((response.generation_id, &response.leader), (1, &members[0].id));
        assert_eq!(response.protocol_type, Some("consumer".into()));
        assert_eq!(response.protocol_name, Some("range".into()));
        assert_eq!(response.members.len(), if index == 0 { 3 } else { 0 });
    }
    assert_eq!(state(&mut wire), "CompletingRebalance");
    assert_eq!(sync_all(&mut wire, &members, &members[0].id), ["p0", "p1", "p2"]);
    let group = described(&mut wire, 5);
    assert_eq!((group.group_state, group.protocol_data), ("Stable".into(), "range".into()));
    let mut assignments: Vec<_> = group.members.iter().map(|member| &member.member_assignment[..]).collect();
    assignments.sort_unstable();
    assert_eq!(assignments, [b"p0", b"p1", b"p2"]);
    assert!(group.members.iter().all(|member| member.client_id == "test"));
}

#[test]
fn before_version_4_no_id_is_needed() {
    let mut wire = one_broker();
    for (version, expected) in [(0, 1), (3, 1), (4, -1)] {
        let member = Member::new(&mut wire);
        let mut request =
            JoinGroupRequest { group_id: format!("g{version}").into(), ..member.join_request() };
        if version == 0 {
            request.rebalance_timeout_ms = -1;
        }
        let response = wire.call(member.connection, version.max(2), &request);
        assert_eq!(response.generation_id, expected);
        let prefix = response.member_id.strip_prefix("test-").expect("the client's id");
        assert_eq!(prefix.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}

#[test]
fn joins_are_refused_for_good_reasons() {
    let mut config = ClusterConfig::default();
    config.groups.max_size = 2;
    let mut wire = Wire::new(config);
    stable(&mut wire, 2);
    let good = Member::new(&mut wire).join_request();
    for (request, expected) in [
        (JoinGroupRequest { group_id: "".into(), ..good.clone() }, ErrorCode::INVALID_GROUP_ID),
        (JoinGroupRequest { session_timeout_ms: 5_999, ..good.clone() }, ErrorCode::INVALID_SESSION_TIMEOUT),
        (
            JoinGroupRequest { session_timeout_ms: 1_800_001, ..good.clone() },
            ErrorCode::INVALID_SESSION_TIMEOUT,
        ),
        (JoinGroupRequest { member_id: "nobody".into(), ..good.clone() }, ErrorCode::GROUP_MAX_SIZE_REACHED),
        (good.clone(), ErrorCode::GROUP_MAX_SIZE_REACHED),
        (
            JoinGroupRequest { group_id: "other".into(), member_id: "nobody".into(), ..good.clone() },
            ErrorCode::UNKNOWN_MEMBER_ID,
        ),
        (
            JoinGroupRequest { group_id: "other".into(), protocols: Vec::new(), ..good.clone() },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (
            JoinGroupRequest { group_id: "other".into(), protocol_type: "".into(), ..good },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
    ] {
        let response = wire.ask(1, 9, &request);
        assert_eq!(response.error_code, expected, "{request:?}");
        assert_eq!(response.generation_id, -1);
    }
}

#[test]
fn all_members_speak_one_protocol() {
    let mut wire = one_broker();
    stable(&mut wire, 1);
    for (kind, protocol) in [("connect", "range"), ("consumer", "sticky")] {
        let mut request = Member::new(&mut wire).join_request();
        request.protocol_type = kind.into();
        request.protocols[0].name = protocol.into();
        assert_eq!(wire.ask(1, 9, &request).error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
}

#[test]
fn the_protocol_with_the_most_votes_is_taken() {
    let mut wire = with_initial_delay(Duration::from_secs(3));
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&mut wire)).collect();
    members[0].protocols = vec!["own", "range", "sticky"];
    members[1].protocols = vec!["sticky", "range"];
    members[2].protocols = vec!["sticky", "range"];
    members.iter_mut().for_each(|member| member.begin_join(&mut wire));
    wire.advance(Duration::from_secs(6));
    wire.advance(Duration::from_secs(3));
    let mut answers = Answers::all(&mut wire);
    for member in &mut members {
        assert_eq!(member.joined(&mut answers).protocol_name, Some("sticky".into()));
    }
}

#[test]
fn heartbeats_by_state() {
    let mut wire = one_broker();
    assert_eq!(beat(&mut wire, &"nobody".into(), None, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let mut members = stable(&mut wire, 2);
    let (id, generation) = (members[0].id.clone(), members[0].generation);
    assert_eq!(beat(&mut wire, &id, None, generation), ErrorCode::NONE);
    assert_eq!(beat(&mut wire, &id, None, generation - 1), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(beat(&mut wire, &id, None, generation + 1), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(beat(&mut wire, &"nobody".into(), None, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(beat(&mut wire, &id, Some("i".into()), generation), ErrorCode::UNKNOWN_MEMBER_ID);
    members[0].begin_join(&mut wire);
    assert_eq!(members[1].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
    wire.send(members[1].connection, 9, &members[1].join_request());
    let mut answers = Answers::all(&mut wire);
    members.iter_mut().for_each(|member| drop(member.joined(&mut answers)));
    assert_eq!(state(&mut wire), "CompletingRebalance");
    assert_eq!(members[1].beat(&mut wire), ErrorCode::NONE);
}

#[test]
fn syncs_by_state() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    let good = members[1].sync_request(&[]);
    let again = wire.ask(1, 5, &good);
    assert_eq!((again.error_code, &again.assignment[..]), (ErrorCode::NONE, &b"p1"[..]));
    assert_eq!(again.protocol_name, Some("range".into()));
    for (request, expected) in [
        (SyncGroupRequest { group_id: "".into(), ..good.clone() }, ErrorCode::INVALID_GROUP_ID),
        (SyncGroupRequest { group_id: "other".into(), ..good.clone() }, ErrorCode::UNKNOWN_MEMBER_ID),
        (SyncGroupRequest { member_id: "nobody".into(), ..good.clone() }, ErrorCode::UNKNOWN_MEMBER_ID),
        (SyncGroupRequest { generation_id: 1, ..good.clone() }, ErrorCode::ILLEGAL_GENERATION),
        (
            SyncGroupRequest { protocol_name: Some("sticky".into()), ..good.clone() },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (
            SyncGroupRequest { protocol_type: Some("connect".into()), ..good.clone() },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (SyncGroupRequest { protocol_type: None, ..good.clone() }, ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
    ] {
        assert_eq!(wire.ask(1, 5, &request).error_code, expected, "{request:?}");
    }
    members[0].begin_join(&mut wire);
    assert_eq!(wire.ask(1, 5, &good).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_waiting_sync_is_called_back_when_somebody_joins() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    members[0].begin_join(&mut wire);
    wire.send(members[1].connection, 9, &members[1].join_request());
    let mut answers = Answers::all(&mut wire);
    members.iter_mut().for_each(|member| drop(member.joined(&mut answers)));
    members[1].begin_sync(&mut wire, &[]);
    Member::new(&mut wire).begin_join(&mut wire);
    let mut answers = Answers::<SyncGroupResponse>::all(&mut wire);
    assert_eq!(answers.take(members[1].connection).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn leaving_is_answered_for_each_member() {
    let mut wire = one_broker();
    let members = stable(&mut wire, 2);
    let identity = |id: &Str, instance_id: Option<&'static str>| MemberIdentity {
        member_id: id.clone(),
        group_instance_id: instance_id.map(Into::into),
        ..MemberIdentity::default()
    };
    let request = LeaveGroupRequest {
        group_id: GROUP.into(),
        members: vec![
            identity(&"nobody".into(), None),
            identity(&"".into(), None),
            identity(&"".into(), Some("i")),
            identity(&members[0].id, Some("i")),
            identity(&members[0].id, None),
            identity(&members[1].id, None),
        ],
        ..LeaveGroupRequest::default()
    };
    let results: Vec<_> = wire.ask(1, 5, &request).members.iter().map(|member| member.error_code).collect();
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(results, [unknown, unknown, unknown, unknown, ErrorCode::NONE, ErrorCode::NONE]);
    assert_eq!(state(&mut wire), "Empty");
    let single = LeaveGroupRequest { group_id: GROUP.into(), member_id: "x".into(), ..Default::default() };
    assert_eq!(wire.ask(1, 2, &single).error_code, unknown);
    let nowhere = LeaveGroupRequest { group_id: "other".into(), ..request };
    let response = wire.ask(1, 5, &nowhere);
    assert_eq!(response.error_code, ErrorCode::NONE);
    assert!(response.members.iter().all(|member| member.error_code == unknown));
}

#[test]
fn groups_are_found_listed_and_described() {
    let mut wire = one_broker();
    assert_eq!(described(&mut wire, 5).error_code, ErrorCode::NONE);
    assert_eq!(described(&mut wire, 6).error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(state(&mut wire), "Dead");
    stable(&mut wire, 1);
    let list = |wire: &mut Wire, state: &'static str, kind: &'static str| {
        let request = ListGroupsRequest {
            states_filter: vec![state.into()],
            types_filter: vec![kind.into()],
            ..ListGroupsRequest::default()
        };
        wire.ask(1, 5, &request).groups.len()
    };
    assert_eq!(list(&mut wire, "Stable", "classic"), 1);
    assert_eq!(list(&mut wire, "stable", "Classic"), 1);
    assert_eq!(list(&mut wire, "Empty", "classic"), 0);
    assert_eq!(list(&mut wire, "Stable", "consumer"), 0);
    let share = FindCoordinatorRequest {
        key: "x".into(),
        key_type: 2,
        coordinator_keys: vec!["x".into()],
        ..Default::default()
    };
    let single = FindCoordinatorRequest { coordinator_keys: Vec::new(), ..share.clone() };
    assert_eq!(wire.ask(1, 3, &single).error_code, ErrorCode::INVALID_REQUEST);
    let batched = FindCoordinatorRequest { key: "".into(), ..share };
    assert_eq!(wire.ask(1, 6, &batched).coordinators[0].error_code, ErrorCode::INVALID_REQUEST);
}
