//! What administrators do with partitions: deleting records, electing leaders, looking how large logs are.

use std::collections::BTreeMap;

use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use klamm_protocol::{ErrorCode, Str};

use crate::wire::{Wire, plain};

fn delete(wire: &mut Wire, broker: i32, topic: &str, offset: i64) -> (i64, ErrorCode) {
    let partition = DeleteRecordsPartition { offset, ..DeleteRecordsPartition::default() };
    let topic = DeleteRecordsTopic {
        name: Str::copy_of(topic),
        partitions: vec![partition],
        ..DeleteRecordsTopic::default()
    };
    let request = DeleteRecordsRequest { topics: vec![topic], ..DeleteRecordsRequest::default() };
    let told = wire.ask(broker, 2, &request).topics.remove(0).partitions.remove(0);
    (told.low_watermark, told.error_code)
}

fn leader(wire: &Wire) -> i32 {
    wire.cluster.partition("t", 0).unwrap().leader.unwrap()
}

#[test]
fn records_are_deleted_by_the_leader() {
    let mut wire = Wire::with_topic(2, "4.2");
    for _ in 0..4 {
        wire.produce(9, plain(&["a"]));
    }
    let leader = leader(&wire);
    assert_eq!(delete(&mut wire, leader, "t", 2), (2, ErrorCode::NONE));
    assert_eq!(delete(&mut wire, leader, "t", 1), (2, ErrorCode::NONE), "what is gone is gone");
    assert_eq!(wire.fetch(12, 1).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(wire.fetch(12, 2).error_code, ErrorCode::NONE);
    assert_eq!(delete(&mut wire, leader, "t", -1), (4, ErrorCode::NONE));
    for (broker, topic, offset, expected) in [
        (leader, "t", 5, ErrorCode::OFFSET_OUT_OF_RANGE),
        (leader, "t", -2, ErrorCode::OFFSET_OUT_OF_RANGE),
        (3 - leader, "t", 4, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (leader, "missing", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        assert_eq!(delete(&mut wire, broker, topic, offset), (-1, expected));
    }
    wire.cluster.configure_topic("t", "cleanup.policy", Some("compact")).unwrap();
    assert_eq!(delete(&mut wire, leader, "t", 4), (-1, ErrorCode::POLICY_VIOLATION));
}

/// Asks for elections; the results by topic and partition, and the error of the whole.
fn elect(
    wire: &mut Wire,
    version: i16,
    election_type: i8,
    named: Option<&[(&str, i32)]>,
) -> (BTreeMap<(String, i32), i16>, ErrorCode) {
    let topic = |(topic, partition): &(&str, i32)| TopicPartitions {
        topic: Str::copy_of(topic),
        partitions: [*partition].into(),
        ..TopicPartitions::default()
    };
    let request = ElectLeadersRequest {
        election_type,
        topic_partitions: named.map(|named| named.iter().map(topic).collect()),
        ..ElectLeadersRequest::default()
    };
    let broker = if wire.cluster.is_up(1) { 1 } else { 2 };
    let response = wire.ask(broker, version, &request);
    let mut told = BTreeMap::new();
    for topic in &response.replica_election_results {
        for result in &topic.partition_result {
            told.insert((topic.topic.as_str().to_owned(), result.partition_id), result.error_code.0);
        }
    }
    (told, response.error_code)
}

#[test]
fn preferred_leaders_are_elected_where_that_changes_something() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.cluster.create_topic("u", 2, 2).unwrap();
    let preferred = leader(&wire);
    wire.cluster.kill(wire.now, preferred);
    while wire.cluster.poll_output().is_some() {}
    let of = |topic: &str, partition, code| ((topic.to_owned(), partition), code);
    let (told, _) = elect(&mut wire, 2, 0, Some(&[("t", 0), ("missing", 0), ("t", 9)]));
    assert_eq!(told, BTreeMap::from([of("t", 0, 80), of("missing", 0, 3), of("t", 9, 3)]));
    wire.cluster.restart(preferred);
    assert_ne!(leader(&wire), preferred);
    let led: usize =
        (0..2).filter(|index| wire.cluster.partition("u", *index).unwrap().leader == Some(preferred)).count();
    let (told, error) = elect(&mut wire, 2, 0, None);
    assert_eq!((led, error, leader(&wire)), (0, ErrorCode::NONE, preferred));
    assert_eq!(
        told.values().copied().collect::<Vec<_>>(),
        [0, 0],
        "of three partitions two had another leader"
    );
    assert_eq!(elect(&mut wire, 2, 0, Some(&[("t", 0)])).0, BTreeMap::from([of("t", 0, 84)]));
    assert_eq!(elect(&mut wire, 2, 0, None).0, BTreeMap::new());
}

#[test]
fn a_partition_without_leader_gets_one_that_is_not_in_sync() {
    let mut wire = Wire::with_topic(2, "4.2");
    let preferred = leader(&wire);
    let other = 3 - preferred;
    wire.cluster.kill(wire.now, other);
    wire.produce(9, plain(&["a"]));
    wire.cluster.kill(wire.now, preferred);
    wire.cluster.restart(other);
    while wire.cluster.poll_output().is_some() {}
    assert_eq!(wire.cluster.partition("t", 0).unwrap().leader, None);
    let one = BTreeMap::from([(("t".to_owned(), 0), 0)]);
    let (told, _) = elect(&mut wire, 2, 0, Some(&[("t", 0)]));
    assert_eq!(told.values().next(), Some(&80));
    assert_eq!(elect(&mut wire, 2, 1, Some(&[("t", 0)])).0, one);
    assert_eq!(leader(&wire), other);
    assert_eq!(elect(&mut wire, 2, 1, Some(&[("t", 0)])).0.values().next(), Some(&84));
    let (told, error) = elect(&mut wire, 2, 5, Some(&[("t", 0)]));
    assert_eq!((told.len(), error), (1, ErrorCode::INVALID_REQUEST));
}

#[test]
fn an_election_fails_for_one_partition_and_not_for_others() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.create_topic("u", 1, 1).unwrap();
    wire.inject("error code=NOT_CONTROLLER api=ElectLeaders topic=u");
    let (told, error) = elect(&mut wire, 2, 0, Some(&[("t", 0), ("u", 0)]));
    assert_eq!(told.values().copied().collect::<Vec<_>>(), [84, 41]);
    assert_eq!(error, ErrorCode::NONE);
}

#[test]
fn logs_have_sizes() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.cluster.create_topic("u", 1, 1).unwrap();
    wire.produce(9, plain(&["a"]));
    let size = i64::try_from(wire.cluster.batches("t", 0).unwrap().len()).unwrap();
    let all = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
    let mut topics = 0;
    for broker in [1, 2] {
        let dirs = wire.ask(broker, 4, &all).results;
        assert_eq!(dirs.len(), 1);
        let described = dirs[0].topics.iter().find(|topic| topic.name == "t").unwrap();
        assert_eq!((described.partitions[0].partition_size, described.partitions[0].offset_lag), (size, 0));
        topics += dirs[0].topics.len();
    }
    assert_eq!(topics, 3);
    let wanted = DescribableLogDirTopic {
        topic: Str::from("t"),
        partitions: [1].into(),
        ..DescribableLogDirTopic::default()
    };
    let one = DescribeLogDirsRequest { topics: Some(vec![wanted]), ..DescribeLogDirsRequest::default() };
    assert_eq!(wire.ask(1, 4, &one).results[0].topics, []);
}
