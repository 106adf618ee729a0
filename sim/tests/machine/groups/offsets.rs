use std::time::Duration;

use klamm_protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_protocol::wire::Writer;
use klamm_protocol::{ErrorCode, Message, Str, Uuid};

use super::driver::*;
use crate::wire::Wire;

/// A commit of partition 0 of `t` by nobody in particular.
fn commit_request(wire: &Wire, version: i16, offset: i64) -> OffsetCommitRequest {
    let partition =
        OffsetCommitRequestPartition { committed_offset: offset, ..OffsetCommitRequestPartition::default() };
    let mut topic = OffsetCommitRequestTopic { partitions: vec![partition], ..Default::default() };
    if version < 10 {
        topic.name = "t".into();
    } else {
        topic.topic_id = wire.topic_id();
    }
    OffsetCommitRequest { group_id: GROUP.into(), topics: vec![topic], ..OffsetCommitRequest::default() }
}

fn commit(wire: &mut Wire, version: i16, request: &OffsetCommitRequest) -> ErrorCode {
    let broker = coordinator(wire);
    wire.ask(broker, version, request).topics[0].partitions[0].error_code
}

/// What is committed for partition 0 of `t`.
pub(super) fn committed(wire: &mut Wire) -> i64 {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: [0].as_slice().into(),
        ..OffsetFetchRequestTopics::default()
    };
    let group =
        OffsetFetchRequestGroup { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
    let request =
        OffsetFetchRequest { groups: vec![group], require_stable: true, ..OffsetFetchRequest::default() };
    let broker = coordinator(wire);
    let group = wire.ask(broker, 9, &request).groups.remove(0);
    assert_eq!(group.error_code, ErrorCode::NONE);
    group.topics[0].partitions[0].committed_offset
}

#[test]
fn anybody_commits_for_a_group_without_members() {
    let mut wire = one_broker();
    assert_eq!(committed(&mut wire), -1);
    for version in 2..=10 {
        let request = commit_request(&wire, version, i64::from(version));
        assert_eq!(commit(&mut wire, version, &request), ErrorCode::NONE);
        assert_eq!(committed(&mut wire), i64::from(version));
    }
    let group = described(&mut wire, 5);
    assert_eq!((group.group_state, group.protocol_type), ("Empty".into(), "".into()));
    stable(&mut wire, 1);
    let request = commit_request(&wire, 9, 77);
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(committed(&mut wire), 10);
}

#[test]
fn commits_by_generation() {
    let mut wire = one_broker();
    let by = |wire: &Wire, id: &Str, generation: i32| OffsetCommitRequest {
        member_id: id.clone(),
        generation_id_or_member_epoch: generation,
        ..commit_request(wire, 8, 5)
    };
    let early = by(&wire, &"nobody".into(), 1);
    assert_eq!(commit(&mut wire, 8, &early), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(commit(&mut wire, 9, &early), ErrorCode::GROUP_ID_NOT_FOUND);
    let mut members = stable(&mut wire, 2);
    let (id, generation) = (members[0].id.clone(), members[0].generation);
    for (request, expected) in [
        (by(&wire, &"nobody".into(), generation), ErrorCode::UNKNOWN_MEMBER_ID),
        (by(&wire, &id, generation - 1), ErrorCode::ILLEGAL_GENERATION),
        (by(&wire, &id, -1), ErrorCode::ILLEGAL_GENERATION),
        (
            OffsetCommitRequest { group_instance_id: Some("i".into()), ..by(&wire, &id, generation) },
            ErrorCode::UNKNOWN_MEMBER_ID,
        ),
        (by(&wire, &id, generation), ErrorCode::NONE),
    ] {
        assert_eq!(commit(&mut wire, 8, &request), expected, "{request:?}");
    }
    assert_eq!(committed(&mut wire), 5);
    // While others join it may still commit, and not any more when its next generation has begun.
    members[1].protocols = vec!["range", "sticky"];
    members[1].begin_join(&mut wire);
    let request =
        OffsetCommitRequest { topics: commit_request(&wire, 8, 6).topics, ..by(&wire, &id, generation) };
    assert_eq!(commit(&mut wire, 8, &request), ErrorCode::NONE);
    wire.send(members[0].connection, 9, &members[0].join_request());
    let mut answers = Answers::all(&mut wire);
    members.iter_mut().for_each(|member| drop(member.joined(&mut answers)));
    let request = by(&wire, &id, generation + 1);
    assert_eq!(commit(&mut wire, 8, &request), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(committed(&mut wire), 6);
}

#[test]
fn what_cannot_be_committed_is_refused_by_itself() {
    let mut wire = one_broker();
    let mut request = commit_request(&wire, 9, 1);
    request.topics[0].partitions[0].committed_metadata = Some("x".repeat(4096).into());
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::NONE);
    request.topics[0].partitions[0].committed_metadata = Some("x".repeat(4097).into());
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::OFFSET_METADATA_TOO_LARGE);
    request.topics[0].name = "unknown".into();
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut by_id = commit_request(&wire, 10, 1);
    by_id.topics[0].topic_id = Uuid([7; 16]);
    assert_eq!(commit(&mut wire, 10, &by_id), ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn all_offsets_are_fetched_at_once() {
    let mut wire = one_broker();
    let mut request = commit_request(&wire, 9, 1);
    request.topics[0].partitions[0].committed_metadata = Some("note".into());
    request.topics[0].partitions[0].committed_leader_epoch = 3;
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::NONE);
    let all = OffsetFetchRequest { group_id: GROUP.into(), topics: None, ..OffsetFetchRequest::default() };
    let response = wire.ask(1, 7, &all);
    let partition = &response.topics[0].partitions[0];
    assert_eq!((response.topics.len(), &response.topics[0].name), (1, &"t".into()));
    assert_eq!((partition.committed_offset, partition.committed_leader_epoch), (1, 3));
    assert_eq!(partition.metadata, Some("note".into()));
    let group = |id: &'static str| OffsetFetchRequestGroup {
        group_id: id.into(),
        topics: None,
        ..OffsetFetchRequestGroup::default()
    };
    let batch = OffsetFetchRequest { groups: vec![group(GROUP), group("none")], ..Default::default() };
    let response = wire.ask(1, 10, &batch);
    assert_eq!(response.groups[0].topics[0].topic_id, wire.topic_id());
    assert!(response.groups[1].topics.is_empty() && response.groups[1].error_code.is_ok());
    wire.cluster.delete_topic(wire.now, "t").unwrap();
    assert!(wire.ask(1, 7, &all).topics.is_empty());
}

#[test]
fn before_version_2_errors_are_told_for_each_partition() {
    let mut wire = Wire::with_topic(3, "4.2");
    let other = coordinator(&mut wire) % 3 + 1;
    let topic = OffsetFetchRequestTopic {
        name: "t".into(),
        partition_indexes: [0].as_slice().into(),
        ..OffsetFetchRequestTopic::default()
    };
    let request =
        OffsetFetchRequest { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
    let response = wire.ask(other, 1, &request);
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NOT_COORDINATOR);
    let response = wire.ask(other, 5, &request);
    assert_eq!((response.error_code, response.topics.len()), (ErrorCode::NOT_COORDINATOR, 0));
}

fn delete_offset(
    wire: &mut Wire,
    group: &'static str,
    topic: &'static str,
) -> (ErrorCode, Option<ErrorCode>) {
    let partitions = vec![OffsetDeleteRequestPartition::default()];
    let topic = OffsetDeleteRequestTopic { name: topic.into(), partitions, ..Default::default() };
    let request = OffsetDeleteRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
    let response = wire.ask(1, 0, &request);
    (response.error_code, response.topics.first().map(|topic| topic.partitions[0].error_code))
}

#[test]
fn offsets_and_groups_are_deleted_when_nobody_needs_them() {
    let mut wire = one_broker();
    let delete = |wire: &mut Wire| {
        let request = DeleteGroupsRequest { groups_names: vec![GROUP.into()], ..Default::default() };
        wire.ask(1, 2, &request).results[0].error_code
    };
    assert_eq!(delete(&mut wire), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(delete_offset(&mut wire, GROUP, "t"), (ErrorCode::GROUP_ID_NOT_FOUND, None));
    wire.cluster.create_topic("u", 1, 1).unwrap();
    let request = commit_request(&wire, 9, 1);
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::NONE);
    // A member that wants `t`, and nothing else.
    let mut member = Member::new(&mut wire);
    let subscription = ConsumerProtocolSubscription { topics: vec!["t".into()], ..Default::default() };
    let mut writer = Writer::new();
    writer.write_i16(1);
    subscription.encode(&mut writer, 1).unwrap();
    let mut join = member.join_request();
    join.protocols[0].metadata = writer.into_bytes();
    let joined = wire.call(member.connection, 3, &join);
    (member.id, member.generation) = (joined.member_id, joined.generation_id);
    let subscribed = ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC;
    assert_eq!(delete_offset(&mut wire, GROUP, "t"), (ErrorCode::NONE, Some(subscribed)));
    assert_eq!(delete_offset(&mut wire, GROUP, "u"), (ErrorCode::NONE, Some(ErrorCode::NONE)));
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(delete_offset(&mut wire, GROUP, "v"), (ErrorCode::NONE, Some(unknown)));
    assert_eq!(delete(&mut wire), ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(member.leave(&mut wire), ErrorCode::NONE);
    assert_eq!(committed(&mut wire), 1);
    assert_eq!(delete_offset(&mut wire, GROUP, "t"), (ErrorCode::NONE, Some(ErrorCode::NONE)));
    assert_eq!(committed(&mut wire), -1);
    assert_eq!(delete(&mut wire), ErrorCode::NONE);
    assert_eq!(described(&mut wire, 6).error_code, ErrorCode::GROUP_ID_NOT_FOUND);
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn what_nobody_needs_any_more_expires() {
    let mut wire = one_broker();
    let request = commit_request(&wire, 9, 5);
    assert_eq!(commit(&mut wire, 9, &request), ErrorCode::NONE);
    wire.advance(DAY * 6);
    assert_eq!(committed(&mut wire), 5);
    // A group with members keeps it, and one whose members have left keeps it for a week from then on.
    let members = stable(&mut wire, 1);
    wire.advance(Duration::from_secs(9));
    assert_eq!(members[0].leave(&mut wire), ErrorCode::NONE);
    wire.advance(DAY * 6);
    assert_eq!(committed(&mut wire), 5);
    assert_eq!(described(&mut wire, 5).group_state, "Empty");
    wire.advance(DAY + Duration::from_secs(600));
    assert_eq!(committed(&mut wire), -1);
    assert_eq!(described(&mut wire, 5).group_state, "Dead");
}

#[test]
fn what_was_committed_without_members_expires_by_itself() {
    let mut wire = one_broker();
    for (offset, wait) in [(5, DAY * 5), (6, DAY * 5), (7, DAY * 7)] {
        let request = commit_request(&wire, 9, offset);
        assert_eq!(commit(&mut wire, 9, &request), ErrorCode::NONE);
        assert_eq!(committed(&mut wire), offset);
        wire.advance(wait);
    }
    wire.advance(Duration::from_secs(600));
    assert_eq!(committed(&mut wire), -1);
}
