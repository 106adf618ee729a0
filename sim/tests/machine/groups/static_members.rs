use klamm_protocol::ErrorCode;
use klamm_protocol::messages::join_group::JoinGroupResponse;
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};

use super::driver::*;
use crate::wire::Wire;

/// A stable group: a leader `a` and a follower `b`.
fn two_static(wire: &mut Wire) -> Vec<Member> {
    let mut members = vec![Member::named(wire, "a"), Member::named(wire, "b")];
    settle(wire, &mut members);
    members
}

#[test]
fn a_static_member_comes_back_to_its_assignment() {
    let mut wire = one_broker();
    let members = two_static(&mut wire);
    let mut back = Member::named(&mut wire, "b");
    let response = wire.call(back.connection, 9, &back.join_request());
    assert_eq!((response.error_code, response.generation_id), (ErrorCode::NONE, members[1].generation));
    assert_ne!(response.member_id, members[1].id);
    assert_eq!((response.leader, response.skip_assignment), (members[0].id.clone(), false));
    (back.id, back.generation) = (response.member_id, response.generation_id);
    assert_eq!(&wire.ask(1, 5, &back.sync_request(&[])).assignment[..], b"p1");
    assert_eq!(state(&mut wire), "Stable");
    // The one that had its name is fenced.
    assert_eq!(members[1].beat(&mut wire), ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(members[1].leave(&mut wire), ErrorCode::FENCED_INSTANCE_ID);
    let join = wire.ask(1, 9, &members[1].join_request());
    assert_eq!(join.error_code, ErrorCode::FENCED_INSTANCE_ID);
    let sync = wire.ask(1, 5, &members[1].sync_request(&[]));
    assert_eq!(sync.error_code, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(back.beat(&mut wire), ErrorCode::NONE);
}

#[test]
fn a_static_leader_is_told_not_to_assign() {
    let mut wire = one_broker();
    let members = two_static(&mut wire);
    let back = Member::named(&mut wire, "a");
    let response = wire.call(back.connection, 9, &back.join_request());
    assert!(response.skip_assignment);
    assert_eq!((response.leader, response.members.len()), (response.member_id.clone(), 2));
    // Before version 9 it is not told that it leads.
    let older = wire.ask(1, 8, &back.join_request());
    assert_eq!((older.leader, older.members.len()), (response.member_id, 0));
    assert_eq!(members[1].beat(&mut wire), ErrorCode::NONE);
}

#[test]
fn the_waiting_join_of_a_fenced_member_is_answered() {
    let mut wire = one_broker();
    let mut members = two_static(&mut wire);
    members[0].begin_join(&mut wire);
    let back = Member::named(&mut wire, "a");
    wire.send(back.connection, 9, &back.join_request());
    let mut answers = Answers::<JoinGroupResponse>::all(&mut wire);
    assert_eq!(answers.take(members[0].connection).error_code, ErrorCode::FENCED_INSTANCE_ID);
    wire.send(members[1].connection, 9, &members[1].join_request());
    let mut answers = Answers::all(&mut wire);
    let mut members = [back, members.remove(1)];
    let responses: Vec<_> = members.iter_mut().map(|member| member.joined(&mut answers)).collect();
    assert_eq!(responses[0].leader, members[0].id);
}

#[test]
fn a_static_member_keeps_its_place_while_others_rebalance() {
    let mut wire = one_broker();
    let mut members = two_static(&mut wire);
    members[0].begin_join(&mut wire);
    for _ in 0..12 {
        assert_eq!(members[1].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
        wire.advance(REBALANCE / 12);
    }
    let response = members[0].joined(&mut Answers::all(&mut wire));
    assert_eq!(response.members.len(), 2);
}

#[test]
fn a_static_member_is_sent_away_by_name() {
    let mut wire = one_broker();
    let members = two_static(&mut wire);
    let identity = MemberIdentity { group_instance_id: Some("b".into()), ..MemberIdentity::default() };
    let request = LeaveGroupRequest { group_id: GROUP.into(), members: vec![identity], ..Default::default() };
    assert_eq!(wire.ask(1, 5, &request).members[0].error_code, ErrorCode::NONE);
    assert_eq!(members[1].beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
}
