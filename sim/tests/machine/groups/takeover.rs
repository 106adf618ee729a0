//! Coordinators that die.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::join_group::JoinGroupResponse;
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use klamm_sim::cluster::ClusterConfig;

use super::driver::*;
use super::offsets::committed;
use crate::wire::{Got, Wire};

fn commit(wire: &mut Wire, member: &Member, offset: i64) -> ErrorCode {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        member_id: member.id.clone(),
        generation_id_or_member_epoch: member.generation,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    wire.call(member.connection, 8, &request).topics[0].partitions[0].error_code
}

/// A cluster of three with a stable group of two.
fn three_brokers() -> (Wire, Vec<Member>, i32) {
    let mut wire = Wire::with_topic(3, "4.2");
    let broker = coordinator(&mut wire);
    let mut members = vec![Member::at(&mut wire, broker), Member::at(&mut wire, broker)];
    settle(&mut wire, &mut members);
    (wire, members, broker)
}

fn drain(wire: &mut Wire) {
    while wire.cluster.poll_output().is_some() {}
}

#[test]
fn groups_are_spread_over_the_brokers() {
    let mut wire = Wire::with_topic(3, "4.2");
    let keys = (0..100).map(|index| format!("group-{index}").into()).collect();
    let request = FindCoordinatorRequest { coordinator_keys: keys, ..Default::default() };
    let found = wire.ask(2, 6, &request).coordinators;
    for broker in 1..=3 {
        assert!(found.iter().filter(|coordinator| coordinator.node_id == broker).count() > 20);
    }
}

#[test]
fn only_the_coordinator_answers() {
    let (mut wire, members, broker) = three_brokers();
    let other = Member { connection: wire.connect(broker % 3 + 1), ..members[0].clone() };
    assert_eq!(other.beat(&mut wire), ErrorCode::NOT_COORDINATOR);
    assert_eq!(commit(&mut wire, &other, 1), ErrorCode::NOT_COORDINATOR);
    let join = wire.call(other.connection, 9, &other.join_request());
    assert_eq!(join.error_code, ErrorCode::NOT_COORDINATOR);
    let sync = wire.call(other.connection, 5, &other.sync_request(&[]));
    assert_eq!(sync.error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn a_stable_group_goes_on_with_the_next_coordinator() {
    let (mut wire, mut members, broker) = three_brokers();
    assert_eq!(commit(&mut wire, &members[0], 42), ErrorCode::NONE);
    wire.advance(SESSION / 2);
    wire.cluster.kill(wire.now, broker);
    drain(&mut wire);
    let next = coordinator(&mut wire);
    assert_ne!(next, broker);
    assert_eq!(committed(&mut wire), 42);
    members.iter_mut().for_each(|member| member.connection = wire.connect(next));
    // Their sessions began anew.
    wire.advance(SESSION - std::time::Duration::from_millis(1));
    assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::NONE));
    let request = members[1].sync_request(&[]);
    assert_eq!(&wire.call(members[1].connection, 5, &request).assignment[..], b"p1");
    wire.advance(SESSION);
    assert_eq!(state(&mut wire), "Empty");
}

#[test]
fn a_rebalance_is_forgotten() {
    let (mut wire, mut members, broker) = three_brokers();
    let generation = members[0].generation;
    let mut newer = Member::at(&mut wire, broker);
    newer.begin_join(&mut wire);
    assert_eq!(state(&mut wire), "PreparingRebalance");
    wire.cluster.kill(wire.now, broker);
    drain(&mut wire);
    assert_eq!(state(&mut wire), "Stable");
    let next = coordinator(&mut wire);
    members.iter_mut().for_each(|member| member.connection = wire.connect(next));
    newer.connection = wire.connect(next);
    assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::NONE));
    assert_eq!(members[0].generation, generation);
    let unknown = wire.call(newer.connection, 9, &newer.join_request());
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn without_a_broker_there_is_no_coordinator_until_it_is_back() {
    let mut wire = Wire::with_topic(1, "4.2");
    let members = stable(&mut wire, 1);
    wire.cluster.kill(wire.now, 1);
    drain(&mut wire);
    wire.advance(SESSION * 2);
    wire.cluster.restart(1);
    let back = Member { connection: wire.connect(1), ..members[0].clone() };
    assert_eq!(back.beat(&mut wire), ErrorCode::NONE);
    wire.advance(SESSION);
    assert_eq!(back.beat(&mut wire), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn there_is_no_coordinator_when_all_that_know_the_group_are_dead() {
    // Three brokers of four hold the group.
    let mut wire = Wire::with_topic(4, "4.2");
    let request = FindCoordinatorRequest { key: GROUP.into(), ..Default::default() };
    let mut alive = vec![1, 2, 3, 4];
    for _ in 0..3 {
        let found = wire.ask(alive[0], 3, &request).node_id;
        wire.cluster.kill(wire.now, found);
        drain(&mut wire);
        alive.retain(|broker| *broker != found);
    }
    assert_eq!(alive.len(), 1);
    assert_eq!(wire.ask(alive[0], 3, &request).error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

#[test]
fn a_coordinator_that_moves_answers_who_waits_and_loads() {
    let (mut wire, mut members, broker) = three_brokers();
    assert_eq!(commit(&mut wire, &members[0], 42), ErrorCode::NONE);
    let mut newcomer = Member::at(&mut wire, broker);
    newcomer.begin_join(&mut wire);
    let next = broker % 3 + 1;
    let load = std::time::Duration::from_secs(3);
    wire.cluster.move_coordinator(wire.now, GROUP, next, load).unwrap();
    let (at, Got::Response(join)) = wire.next::<JoinGroupResponse>() else { panic!("it is told") };
    assert_eq!((at, join.error_code), (Some(newcomer.connection), ErrorCode::NOT_COORDINATOR));
    assert_eq!(coordinator(&mut wire), next);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::NOT_COORDINATOR);
    members.iter_mut().for_each(|member| member.connection = wire.connect(next));
    assert_eq!(commit(&mut wire, &members[0], 43), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    let join = wire.call(members[0].connection, 9, &members[0].join_request());
    assert_eq!(join.error_code, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(members[0].beat(&mut wire), ErrorCode::NONE, "nobody can say yet");
    let listed = wire.ask(next, 4, &ListGroupsRequest::default());
    assert_eq!(listed.error_code, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(wire.cluster.poll_timeout(), Some(wire.now + load));
    wire.advance(load);
    assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::NONE));
    assert_eq!(commit(&mut wire, &members[0], 43), ErrorCode::NONE);
    assert_eq!((committed(&mut wire), state(&mut wire).as_str()), (43, "Stable"));
    wire.advance(SESSION - std::time::Duration::from_millis(1));
    assert!(members.iter().all(|member| member.beat(&mut wire) == ErrorCode::NONE), "sessions began anew");
    assert!(wire.cluster.move_coordinator(wire.now, GROUP, 9, load).is_err());
}

#[test]
fn a_successor_loads_for_as_long_as_it_is_configured() {
    let mut config = ClusterConfig::default();
    config.brokers = 3;
    config.groups.load_time = std::time::Duration::from_secs(1);
    let mut wire = Wire::new(config);
    wire.cluster.create_topic("t", 1, 3).unwrap();
    let broker = coordinator(&mut wire);
    let mut members = vec![Member::at(&mut wire, broker)];
    settle(&mut wire, &mut members);
    wire.cluster.kill(wire.now, broker);
    drain(&mut wire);
    let next = coordinator(&mut wire);
    members[0].connection = wire.connect(next);
    assert_eq!(commit(&mut wire, &members[0], 1), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    wire.advance(std::time::Duration::from_secs(1));
    assert_eq!(commit(&mut wire, &members[0], 1), ErrorCode::NONE);
}
