use std::time::Duration;

use klamm_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest};
use klamm_protocol::{ApiKey, ErrorCode, Str};
use klamm_sim::cluster::{ClusterConfig, Fault};
use klamm_sim::observe::ClusterEvent;

use crate::wire::{Got, Wire, plain};

/// A topic `t` with two partitions, and a request to produce to both.
fn two_partitions(version: i16) -> (Wire, ProduceRequest) {
    let mut wire = Wire::new(ClusterConfig::default());
    wire.cluster.create_topic("t", 2, 1).unwrap();
    let mut request = wire.produce_request(version, -1, plain(&["a"]));
    let second =
        PartitionProduceData { index: 1, records: Some(plain(&["b"])), ..PartitionProduceData::default() };
    request.topic_data[0].partition_data.push(second);
    (wire, request)
}

fn lengths(wire: &Wire) -> [usize; 2] {
    [0, 1].map(|partition| wire.cluster.records("t", partition).unwrap().len())
}

#[test]
fn one_partition_is_refused_and_the_others_are_served() {
    for version in [9, 13] {
        let (mut wire, request) = two_partitions(version);
        wire.inject("error code=NOT_LEADER_OR_FOLLOWER api=Produce topic=t partition=1");
        let response = wire.ask(1, version, &request);
        assert_eq!(response.responses.len(), 1);
        let told = |partition: i32| {
            let all = &response.responses[0].partition_responses;
            let found = all.iter().find(|result| result.index == partition).unwrap();
            (found.error_code, found.base_offset)
        };
        assert_eq!(told(0), (ErrorCode::NONE, 0));
        assert_eq!(told(1), (ErrorCode::NOT_LEADER_OR_FOLLOWER, -1));
        assert_eq!(lengths(&wire), [1, 0]);
    }
}

#[test]
fn an_error_after_the_effect() {
    for (place, expected) in [("topic=t partition=1", [0, 6]), ("topic=t", [6, 6]), ("", [6, 6])] {
        let (mut wire, request) = two_partitions(13);
        wire.cluster.record_events(true);
        wire.inject(&format!("error-after code=NOT_LEADER_OR_FOLLOWER api=Produce {place}"));
        let response = wire.ask(1, 13, &request);
        let told = response.responses[0].partition_responses.iter().map(|result| result.error_code.0);
        assert_eq!(told.collect::<Vec<_>>(), expected, "{place}");
        assert_eq!(lengths(&wire), [1, 1]);
        let injected = ClusterEvent::Injected {
            api: ApiKey::PRODUCE,
            broker: 1,
            error: ErrorCode::NOT_LEADER_OR_FOLLOWER,
            applied: true,
        };
        assert_eq!(wire.cluster.poll_event(), Some(injected));
    }
}

#[test]
fn requests_that_are_about_something_else_are_left_alone() {
    let (mut wire, request) = two_partitions(9);
    wire.cluster.create_topic("other", 3, 1).unwrap();
    for fault in [
        "error code=9999 api=Produce topic=other",
        "error code=9999 api=Produce topic=t partition=2",
        "error code=9999 api=Produce topic=missing",
        "error code=9999 api=Produce client=somebody",
        "error code=9999 api=Heartbeat place=each",
    ] {
        wire.inject(fault);
    }
    let response = wire.ask(1, 9, &request);
    assert!(response.responses[0].partition_responses.iter().all(|result| result.error_code.is_ok()));
    let heartbeat = HeartbeatRequest { group_id: Str::from("g"), ..HeartbeatRequest::default() };
    assert_ne!(wire.ask(1, 4, &heartbeat).error_code, ErrorCode(9999));
    wire.inject("error code=9999 api=Heartbeat client=test");
    assert_eq!(wire.ask(1, 4, &heartbeat).error_code, ErrorCode(9999));
}

#[test]
fn a_producer_that_expects_no_answer_is_disconnected() {
    for (fault, written) in [("error", 0), ("error-after", 1)] {
        let mut wire = Wire::with_topic(1, "4.2");
        wire.inject(&format!("{fault} code=UNKNOWN_SERVER_ERROR api=Produce"));
        let connection = wire.connect(1);
        let request = wire.produce_request(9, 0, plain(&["a"]));
        assert_eq!(wire.try_call(connection, 9, &request), Got::Closed, "{fault}");
        assert_eq!(wire.values().len(), written);
    }
}

#[test]
fn faults_strike_in_their_order_and_so_many_times() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("error code=REQUEST_TIMED_OUT api=Produce times=2");
    wire.inject("error code=NOT_LEADER_OR_FOLLOWER api=Produce");
    let codes: Vec<i16> = (0..4).map(|_| wire.produce(9, plain(&["a"])).error_code.0).collect();
    assert_eq!(codes, [7, 7, 6, 0]);
}

#[test]
fn a_fault_has_its_time() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("error code=REQUEST_TIMED_OUT api=Produce after=1s lasting=2s");
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(wire.produce(9, plain(&["a"])).error_code.0);
        codes.push(wire.produce(9, plain(&["a"])).error_code.0);
        wire.advance(Duration::from_millis(700));
    }
    assert_eq!(codes, [0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 0, 0]);
}

#[test]
fn chance_depends_on_the_seed_the_fault_and_the_number_of_the_request_only() {
    let struck = |seed: u64, others: &[&str], fault: &str| {
        let mut config = ClusterConfig::default();
        config.seed = seed;
        let mut wire = Wire::new(config);
        wire.cluster.create_topic("t", 1, 1).unwrap();
        others.iter().for_each(|other| wire.inject(other));
        wire.inject(fault);
        (0..400).map(|_| wire.produce(9, plain(&["a"])).error_code.0).collect::<Vec<_>>()
    };
    let fault = "error code=REQUEST_TIMED_OUT api=Produce one_in=4";
    let first = struck(1, &[], fault);
    let count = first.iter().filter(|code| **code == 7).count();
    assert!((70..130).contains(&count), "{count} of 400");
    assert_eq!(first, struck(1, &["drop-before api=Metadata", "delay time=0ns api=Fetch"], fault));
    assert_ne!(first, struck(2, &[], fault));
    assert_ne!(first, struck(1, &[], &format!("{fault} name=other")));
}

#[test]
fn faults_are_lifted_by_name() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("error code=REQUEST_TIMED_OUT api=Produce times=always name=mine");
    assert_eq!(wire.produce(9, plain(&["a"])).error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!((wire.cluster.lift("yours"), wire.cluster.lift("mine")), (0, 1));
    assert_eq!(wire.produce(9, plain(&["a"])).error_code, ErrorCode::NONE);
}

/// Opens a session for partition 0 of `t` and returns the next request of it.
fn session(wire: &mut Wire) -> (klamm_sim::cluster::ConnectionId, FetchRequest) {
    let connection = wire.connect(1);
    let full = FetchRequest { session_epoch: 0, ..wire.fetch_request(13, 0) };
    let session_id = wire.call(connection, 13, &full).session_id;
    assert_ne!(session_id, 0);
    let next = FetchRequest { session_id, session_epoch: 1, topics: Vec::new(), ..full };
    (connection, next)
}

#[test]
fn an_incremental_fetch_tells_the_error_and_then_the_state_again() {
    let mut wire = Wire::with_topic(1, "4.2");
    let (connection, mut request) = session(&mut wire);
    wire.inject("error code=NOT_LEADER_OR_FOLLOWER api=Fetch topic=t partition=0");
    // It would wait for records; the error is told at once.
    (request.min_bytes, request.max_wait_ms) = (1, 1000);
    let response = wire.call(connection, 13, &request);
    assert_eq!(response.error_code, ErrorCode::NONE);
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(response.responses[0].topic_id, wire.topic_id());
    (request.session_epoch, request.max_wait_ms) = (2, 0);
    let response = wire.call(connection, 13, &request);
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::NONE);
    request.session_epoch = 3;
    assert_eq!(wire.call(connection, 13, &request).responses, [], "nothing new");
}

#[test]
fn a_fetch_fails_as_a_whole_or_in_each_partition() {
    for (place, whole, each) in [("", 71, Some(71)), ("place=each", 0, Some(71))] {
        let mut wire = Wire::with_topic(1, "4.2");
        wire.inject(&format!("error code=INVALID_FETCH_SESSION_EPOCH api=Fetch {place}"));
        let request = wire.fetch_request(12, 0);
        let response: FetchResponse = wire.ask(1, 12, &request);
        assert_eq!(response.error_code.0, whole);
        let nested = response.responses.first().map(|topic| topic.partitions[0].error_code.0);
        assert_eq!(nested, each);
    }
}

#[test]
fn metadata_fails_for_a_topic_or_a_partition() {
    let mut wire = Wire::new(ClusterConfig::default());
    for topic in ["t", "u"] {
        wire.cluster.create_topic(topic, 2, 1).unwrap();
    }
    wire.inject("error code=LEADER_NOT_AVAILABLE api=Metadata topic=t");
    wire.inject("error code=LISTENER_NOT_FOUND api=Metadata topic=t partition=1");
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let response = wire.ask(1, 12, &all);
    let codes: Vec<i16> = response.topics.iter().map(|topic| topic.error_code.0).collect();
    assert_eq!((codes, response.topics[0].partitions.len()), (vec![5, 0], 0));
    let named = MetadataRequestTopic { name: Some(Str::from("u")), ..MetadataRequestTopic::default() };
    let other = MetadataRequest { topics: Some(vec![named]), ..MetadataRequest::default() };
    assert_eq!(wire.ask(1, 12, &other).topics[0].error_code, ErrorCode::NONE);
    let response = wire.ask(1, 12, &all);
    let told =
        response.topics[0].partitions.iter().map(|partition| (partition.error_code.0, partition.leader_id));
    assert_eq!(told.collect::<Vec<_>>(), [(0, 1), (72, -1)]);
}

#[test]
fn offsets_are_not_told_with_an_error() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("error code=OFFSET_NOT_AVAILABLE api=ListOffsets topic=t partition=0");
    let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
    let topic =
        ListOffsetsTopic { name: Str::from("t"), partitions: vec![partition], ..ListOffsetsTopic::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let told = &wire.ask(1, 7, &request).topics[0].partitions[0];
    assert_eq!((told.error_code, told.offset), (ErrorCode::OFFSET_NOT_AVAILABLE, -1));
    assert_eq!(wire.ask(1, 7, &request).topics[0].partitions[0].offset, 0);
}

#[test]
fn one_topic_is_not_created_and_the_others_are() {
    let mut wire = Wire::new(ClusterConfig::default());
    wire.cluster.inject(
        wire.now,
        &Fault::error(ErrorCode::THROTTLING_QUOTA_EXCEEDED).api(ApiKey::CREATE_TOPICS).topic("b"),
    );
    let topic = |name: &str| CreatableTopic {
        name: Str::copy_of(name),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: ["a", "b", "c"].map(topic).to_vec(), ..CreateTopicsRequest::default() };
    let response = wire.ask(1, 7, &request);
    let mut told: Vec<_> =
        response.topics.iter().map(|topic| (topic.name.as_str(), topic.error_code.0)).collect();
    told.sort_unstable();
    assert_eq!(told, [("a", 0), ("b", 89), ("c", 0)]);
    assert_eq!(wire.cluster.topic_names().collect::<Vec<_>>(), ["a", "c"]);
}
