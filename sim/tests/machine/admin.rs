use klamm_protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use klamm_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_topic_partitions::DescribeTopicPartitionsRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::wire::Wire;

fn topic(name: &'static str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: Str::from(name), num_partitions, replication_factor, ..CreatableTopic::default() }
}

fn create(wire: &mut Wire, topics: Vec<CreatableTopic>) -> Vec<(ErrorCode, Option<Str>)> {
    let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
    let results = wire.ask(1, 7, &request).topics;
    results.into_iter().map(|result| (result.error_code, result.error_message)).collect()
}

fn metadata(wire: &mut Wire, version: i16, name: &'static str, create: bool) -> (ErrorCode, usize) {
    let wanted = MetadataRequestTopic { name: Some(Str::from(name)), ..MetadataRequestTopic::default() };
    let request = MetadataRequest {
        topics: Some(vec![wanted]),
        allow_auto_topic_creation: create,
        ..MetadataRequest::default()
    };
    let response = wire.ask(1, version, &request);
    (response.topics[0].error_code, response.topics[0].partitions.len())
}

#[test]
fn topics_are_created_spread_and_described() {
    let mut wire = Wire::with_topic(3, "4.2");
    assert_eq!(create(&mut wire, vec![topic("new", 6, 2)]), [(ErrorCode::NONE, None)]);
    let leaders: Vec<_> =
        (0..6).map(|index| wire.cluster.partition("new", index).unwrap().leader.unwrap()).collect();
    assert!(
        (1..=3).all(|broker| leaders.iter().filter(|leader| **leader == broker).count() == 2),
        "{leaders:?}"
    );
    assert_eq!(metadata(&mut wire, 12, "new", false), (ErrorCode::NONE, 6));
    let mut described = DescribeTopicPartitionsRequest { response_partition_limit: 4, ..Default::default() };
    let first = wire.ask(1, 0, &described);
    assert_eq!((first.topics.len(), first.topics[0].partitions.len()), (1, 4));
    described.cursor = first.next_cursor;
    let second = wire.ask(1, 0, &described);
    assert_eq!(second.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(second.next_cursor.is_none());
}

#[test]
fn bad_topics_are_refused_with_reasons() {
    let mut wire = Wire::with_topic(3, "4.2");
    wire.cluster.create_topic("a.b", 1, 1).unwrap();
    let placed = |brokers: &[i32]| CreatableTopic {
        assignments: vec![CreatableReplicaAssignment { broker_ids: brokers.into(), ..Default::default() }],
        ..topic("x", -1, -1)
    };
    let with = |name: &'static str, value: &'static str| CreatableTopic {
        configs: vec![CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
            ..Default::default()
        }],
        ..topic("x", 1, 1)
    };
    for (bad, expected) in [
        (topic("t", 1, 1), ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic("", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("a/b", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("a_b", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("x", 0, 1), ErrorCode::INVALID_PARTITIONS),
        (topic("x", i32::MAX, 1), ErrorCode::POLICY_VIOLATION),
        (topic("x", 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("x", 1, 4), ErrorCode::INVALID_REPLICATION_FACTOR),
        (with("nonsense", "1"), ErrorCode::INVALID_CONFIG),
        (with("retention.ms", "soon"), ErrorCode::INVALID_CONFIG),
        (placed(&[]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (placed(&[9]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (placed(&[1, 1]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (CreatableTopic { num_partitions: 1, ..placed(&[1]) }, ErrorCode::INVALID_REQUEST),
    ] {
        let what = format!("{bad:?}");
        let result = create(&mut wire, vec![bad]);
        assert_eq!(result[0].0, expected, "{what}");
        assert!(result[0].1.as_ref().is_some_and(|text| !text.is_empty()), "{what}");
    }
    let twice = create(&mut wire, vec![topic("x", 1, 1), topic("y", 1, 1), topic("x", 2, 1)]);
    assert_eq!(
        twice.iter().map(|result| result.0).collect::<Vec<_>>(),
        [ErrorCode::INVALID_REQUEST, ErrorCode::NONE]
    );
    assert_eq!(create(&mut wire, vec![placed(&[3, 1])])[0].0, ErrorCode::NONE);
    assert_eq!(wire.cluster.partition("x", 0).unwrap().replicas, [3, 1]);
}

#[test]
fn validation_only_creates_nothing() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut request =
        CreateTopicsRequest { topics: vec![topic("x", 3, 1)], ..CreateTopicsRequest::default() };
    request.validate_only = true;
    let result = wire.ask(1, 7, &request).topics.remove(0);
    assert_eq!((result.error_code, result.num_partitions), (ErrorCode::NONE, 3));
    assert_ne!(result.topic_id, Uuid::ZERO, "as if it had been created");
    assert_eq!(wire.cluster.topic_names().collect::<Vec<_>>(), ["t"]);
}

#[test]
fn metadata_creates_topics_only_if_all_agree() {
    for (release, expected) in
        [("2.8", ErrorCode::LEADER_NOT_AVAILABLE), ("4.2", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]
    {
        let mut wire = Wire::with_topic(1, release);
        assert_eq!(metadata(&mut wire, 9, "x", false), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0));
        assert_eq!(metadata(&mut wire, 9, "x", false).1, 0, "still not there");
        assert_eq!(metadata(&mut wire, 9, "x", true), (expected, 0));
        assert_eq!(metadata(&mut wire, 9, "x", false), (ErrorCode::NONE, 1));
        assert_eq!(metadata(&mut wire, 9, "a b", true).0, ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
}

#[test]
fn topics_are_deleted_by_name_or_id() {
    let mut wire = Wire::with_topic(1, "4.2");
    let by_name = DeleteTopicsRequest { topic_names: vec!["t".into(), "x".into()], ..Default::default() };
    let old_id = wire.topic_id();
    let results = wire.ask(1, 5, &by_name).responses;
    let errors: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(errors, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    wire.cluster.create_topic("t", 1, 1).unwrap();
    assert_ne!(wire.topic_id(), old_id);
    for (id, expected) in [(old_id, ErrorCode::UNKNOWN_TOPIC_ID), (wire.topic_id(), ErrorCode::NONE)] {
        let state = DeleteTopicState { topic_id: id, ..DeleteTopicState::default() };
        let by_id = DeleteTopicsRequest { topics: vec![state], ..DeleteTopicsRequest::default() };
        let result = wire.ask(1, 6, &by_id).responses.remove(0);
        assert_eq!(result.error_code, expected);
        if expected.is_ok() {
            assert_eq!(result.name, Some("t".into()));
        }
    }
    assert_eq!(wire.cluster.topic_names().count(), 0);
}

#[test]
fn partitions_are_added() {
    let mut wire = Wire::with_topic(2, "4.2");
    let mut grow = |count, assignments: Option<Vec<&[i32]>>, validate_only| {
        let assignment =
            |brokers: &[i32]| CreatePartitionsAssignment { broker_ids: brokers.into(), ..Default::default() };
        let topic = CreatePartitionsTopic {
            name: "t".into(),
            count,
            assignments: assignments.map(|all| all.into_iter().map(assignment).collect()),
            ..Default::default()
        };
        let request = CreatePartitionsRequest { topics: vec![topic], validate_only, ..Default::default() };
        wire.ask(1, 3, &request).results.remove(0).error_code
    };
    assert_eq!(grow(1, None, false), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(grow(0, None, false), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(grow(3, Some(vec![&[1, 2]]), false), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    assert_eq!(grow(2, Some(vec![&[2, 1]]), true), ErrorCode::NONE);
    assert_eq!(grow(2, Some(vec![&[2, 1]]), false), ErrorCode::NONE);
    assert_eq!(grow(4, None, false), ErrorCode::NONE);
    assert_eq!(wire.cluster.partition("t", 1).unwrap().leader, Some(2));
    assert_eq!(metadata(&mut wire, 12, "t", false), (ErrorCode::NONE, 4));
}

#[test]
fn configurations_are_described() {
    let mut wire = Wire::with_topic(1, "2.8");
    wire.cluster.configure_topic("t", "retention.ms", Some("5000")).unwrap();
    for version in 0..=4 {
        let resource = |resource_type, name: &'static str| DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: Some(vec!["retention.ms".into(), "min.insync.replicas".into()]),
            ..DescribeConfigsResource::default()
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource(2, "t"), resource(2, "x"), resource(4, "1"), resource(9, "?")],
            ..DescribeConfigsRequest::default()
        };
        let results = wire.ask(1, version, &request).results;
        let errors: Vec<_> = results.iter().map(|result| result.error_code).collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(errors, [ErrorCode::NONE, unknown, ErrorCode::NONE, ErrorCode::INVALID_REQUEST]);
        let configs = &results[0].configs;
        assert_eq!(configs.len(), 2);
        assert_eq!((configs[1].name.as_str(), configs[1].value.as_deref()), ("retention.ms", Some("5000")));
        assert_eq!(configs[1].config_source, if version == 0 { -1 } else { 1 });
        assert_eq!(configs[0].is_default, version == 0);
    }
}

#[test]
fn producer_ids_are_unique() {
    let mut wire = Wire::with_topic(2, "4.2");
    let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    let ids: Vec<_> = [1, 2, 1].map(|broker| wire.ask(broker, 4, &request).producer_id).into();
    assert_eq!(ids, [0, 1, 2]);
}
