use std::time::Duration;

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};

use super::driver::*;

#[test]
fn a_new_member_has_all_join_again() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    let generation = members[0].generation;
    let mut newer = Member::new(&mut wire);
    newer.begin_join(&mut wire);
    assert!(Answers::<JoinGroupResponse>::all(&mut wire).is_empty());
    assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::REBALANCE_IN_PROGRESS));
    for member in &members {
        wire.send(member.connection, 9, &member.join_request());
    }
    let mut answers = Answers::all(&mut wire);
    members.push(newer);
    for member in &mut members {
        assert_eq!(member.joined(&mut answers).generation_id, generation + 1);
    }
    assert_eq!(sync_all(&mut wire, &members, &members[0].id), ["p0", "p1", "p2"]);
}

#[test]
fn who_leaves_is_missed_at_once() {
    let mut wire = one_broker();
    let members = stable(&mut wire, 3);
    // The leader goes: another one leads.
    assert_eq!(members[0].leave(&mut wire), ErrorCode::NONE);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(members[1].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
    let mut rest = members[1..].to_vec();
    let responses = join_all(&mut wire, &mut rest);
    assert!(rest.iter().any(|member| member.id == responses[0].leader));
    assert_eq!(sync_all(&mut wire, &rest, &responses[0].leader), ["p0", "p1"]);
}

#[test]
fn who_is_silent_is_missed_after_its_session() {
    let mut wire = one_broker();
    let members = stable(&mut wire, 2);
    let nearly = SESSION - Duration::from_millis(1);
    wire.advance(nearly);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::NONE);
    assert_eq!(state(&mut wire), "Stable");
    wire.advance(Duration::from_millis(1));
    assert_eq!(state(&mut wire), "PreparingRebalance");
    assert_eq!(members[1].beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
    let mut rest = members[..1].to_vec();
    join_all(&mut wire, &mut rest);
    sync_all(&mut wire, &rest, &rest[0].id);
    wire.advance(SESSION);
    assert_eq!(state(&mut wire), "Empty");
    // Nothing is waited for but the next look for what has expired.
    let next = wire.cluster.poll_timeout().expect("what is committed expires");
    assert!(next >= wire.now + Duration::from_secs(60), "{next:?}");
}

#[test]
fn who_does_not_join_again_loses_its_place() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    let mut newer = Member::new(&mut wire);
    newer.begin_join(&mut wire);
    wire.send(members[0].connection, 9, &members[0].join_request());
    // The second one lives, but does not join.
    for _ in 0..12 {
        assert_eq!(members[1].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
        wire.advance(REBALANCE / 12);
    }
    let mut answers = Answers::all(&mut wire);
    assert_eq!(members[0].joined(&mut answers).members.len(), 2);
    newer.joined(&mut answers);
    assert_eq!(members[1].beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_does_not_sync_loses_its_place() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    members[0].begin_join(&mut wire);
    wire.send(members[1].connection, 9, &members[1].join_request());
    let mut answers = Answers::all(&mut wire);
    members.iter_mut().for_each(|member| drop(member.joined(&mut answers)));
    let leader = members[0].clone();
    leader.begin_sync(&mut wire, &[(&leader, "all")]);
    drop(Answers::<klamm_protocol::messages::sync_group::SyncGroupResponse>::all(&mut wire));
    for _ in 0..12 {
        assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::NONE));
        wire.advance(REBALANCE / 12);
    }
    assert_eq!(members[1].beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_follower_that_says_the_same_disturbs_nobody() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 2);
    let generation = members[0].generation;
    let same = wire.call(members[1].connection, 9, &members[1].join_request());
    assert_eq!((same.error_code, same.generation_id), (ErrorCode::NONE, generation));
    assert!(same.members.is_empty());
    assert_eq!(state(&mut wire), "Stable");
    members[1].protocols = vec!["range", "sticky"];
    wire.send(members[1].connection, 9, &members[1].join_request());
    assert_eq!(state(&mut wire), "PreparingRebalance");
}

#[test]
fn a_member_that_never_comes_back_with_its_id_is_forgotten() {
    let mut wire = one_broker();
    let mut members = stable(&mut wire, 1);
    let request: JoinGroupRequest = Member::new(&mut wire).join_request();
    assert_eq!(wire.ask(1, 9, &request).error_code, ErrorCode::MEMBER_ID_REQUIRED);
    // The rebalance waits for it.
    members[0].begin_join(&mut wire);
    assert!(Answers::<JoinGroupResponse>::all(&mut wire).is_empty());
    wire.advance(SESSION);
    let response = members[0].joined(&mut Answers::all(&mut wire));
    assert_eq!(response.members.len(), 1);
}

#[test]
fn a_new_member_whose_client_died_is_given_up() {
    let mut wire = with_initial_delay(Duration::from_secs(3));
    let mut dead = Member::new(&mut wire);
    dead.begin_join(&mut wire);
    wire.cluster.handle_closed(dead.connection);
    wire.advance(Duration::from_secs(3));
    assert_eq!(state(&mut wire), "CompletingRebalance");
    wire.advance(SESSION);
    assert_eq!(state(&mut wire), "Empty");
}
