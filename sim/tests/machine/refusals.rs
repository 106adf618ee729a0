//! What answers say beside the error code, and requests that contradict themselves, as the comparison with real
//! brokers has shown them.

use klamm_protocol::compression::Compression;
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest};
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::records::{BatchEncoder, BatchLimits, RecordRef, Stamp};
use klamm_protocol::{ErrorCode, RecordBytes, Str, Uuid};

use crate::wire::{WALL, Wire, batch, plain};

/// Records with these keys and times.
fn records(of: &[(Option<&[u8]>, i64)]) -> RecordBytes {
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    for (key, timestamp) in of {
        let record = RecordRef { key: *key, value: Some(b"v"), headers: &[], timestamp: *timestamp };
        encoder.append(&record).unwrap();
    }
    RecordBytes::from(encoder.seal(Compression::None).to_bytes(&Stamp::default()))
}

#[test]
fn single_records_that_are_wrong_are_told_one_by_one() {
    let mut wire = Wire::with_topic(1, "4.2");
    let hours = |count: i64| WALL + count * 3_600_000;
    let late = wire.produce(9, records(&[(None, hours(0)), (None, hours(2)), (None, -1), (None, hours(3))]));
    assert_eq!((late.error_code, late.log_start_offset), (ErrorCode::INVALID_TIMESTAMP, 0));
    let wrong: Vec<_> = late.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(wrong, [1, 3]);
    assert!(late.error_message.is_some());

    wire.cluster.configure_topic("t", "message.timestamp.before.max.ms", Some("3600000")).unwrap();
    let old = wire.produce(9, records(&[(None, hours(0)), (None, hours(-2))]));
    assert_eq!((old.error_code, old.record_errors[0].batch_index), (ErrorCode::INVALID_TIMESTAMP, 1));

    wire.cluster.configure_topic("t", "cleanup.policy", Some("compact")).unwrap();
    let keyless = wire.produce(9, records(&[(Some(b"k"), hours(0)), (None, hours(0))]));
    assert_eq!((keyless.error_code, keyless.record_errors[0].batch_index), (ErrorCode::INVALID_RECORD, 1));
}

#[test]
fn where_the_log_begins_is_told_if_the_log_was_asked() {
    let mut wire = Wire::with_topic(1, "4.2");
    let good = plain(&["a"]).into_bytes();
    let twice = RecordBytes::new(good.clone(), good.clone());
    let mut moved = good.to_vec();
    moved[7] = 9;
    let mut unknown_format = good.to_vec();
    unknown_format[16] = 3;
    let mut wrong_checksum = good.to_vec();
    *wrong_checksum.last_mut().unwrap() ^= 1;
    for (what, records, start, in_words) in [
        ("two batches", twice, -1, false),
        ("a base offset", RecordBytes::from(moved), 0, false),
        ("an unknown format", RecordBytes::from(unknown_format), -1, true),
        ("a wrong checksum", RecordBytes::from(wrong_checksum), -1, false),
    ] {
        let result = wire.produce(9, records);
        assert_eq!((result.log_start_offset, result.error_message.is_some()), (start, in_words), "{what}");
    }
    // Bytes that are too few for another batch are none.
    let with_rest = RecordBytes::new(good, [1, 2, 3].as_slice().into());
    assert_eq!(wire.produce(9, with_rest).error_code, ErrorCode::NONE);
}

#[test]
fn a_repetition_is_told_the_time_of_the_first() {
    let mut wire = Wire::with_topic(1, "4.2");
    let again = || batch(&["x", "y"], Compression::None, &Stamp::idempotent(7, 0, 0));
    assert_eq!(wire.produce(9, again()).log_append_time_ms, -1);
    assert_eq!(wire.produce(9, again()).log_append_time_ms, WALL + 1);
}

#[test]
fn of_a_partition_named_twice_the_last_counts() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut request = wire.produce_request(9, -1, plain(&["a"]));
    let again = wire.produce_request(9, -1, plain(&["b"]));
    request.topic_data.extend(again.topic_data);
    let response = wire.ask(1, 9, &request);
    assert_eq!(response.responses[0].partition_responses.len(), 1);
    assert_eq!(wire.values(), ["b"]);

    let mut request = wire.fetch_request(12, 0);
    let partition = FetchPartition { fetch_offset: 1, ..request.topics[0].partitions[0].clone() };
    request.topics[0].partitions.push(partition);
    let response = wire.ask(1, 12, &request);
    assert_eq!(response.responses[0].partitions.len(), 1);
    assert!(response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[test]
fn no_more_replicas_are_required_than_there_are() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.cluster.configure_topic("t", "min.insync.replicas", Some("3")).unwrap();
    assert_eq!(wire.produce(9, plain(&["a"])).error_code, ErrorCode::NONE);
    wire.cluster.kill(wire.now, 2);
    assert_eq!(wire.produce(9, plain(&["b"])).error_code, ErrorCode::NOT_ENOUGH_REPLICAS);
}

#[test]
fn fetches_that_make_no_sense() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.produce(9, plain(&["a", "b"]));
    let mut ask = |change: fn(&mut FetchRequest)| {
        let mut request = wire.fetch_request(12, 1);
        change(&mut request);
        let response = wire.ask(1, 12, &request);
        let partition = response.responses.first().map(|topic| topic.partitions[0].error_code);
        (response.error_code, partition)
    };
    let unexpected = ErrorCode::UNKNOWN_SERVER_ERROR;
    assert_eq!(ask(|request| request.isolation_level = 2), (unexpected, None));
    let (fine, wrong) = ((ErrorCode::NONE, Some(ErrorCode::NONE)), (ErrorCode::NONE, Some(unexpected)));
    assert_eq!(ask(|request| request.max_bytes = -1), wrong);
    assert_eq!(ask(|request| request.topics[0].partitions[0].partition_max_bytes = -1), wrong);
    assert_eq!(ask(|request| request.topics[0].partitions[0].current_leader_epoch = -2), fine);
    let ahead = (ErrorCode::NONE, Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(ask(|request| request.topics[0].partitions[0].last_fetched_epoch = 5), ahead);
}

#[test]
fn what_nobody_knows_comes_last() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut request = wire.fetch_request(12, 0);
    let mut unknown = request.topics[0].clone();
    unknown.topic = Str::from("unknown");
    request.topics.insert(0, unknown);
    let response = wire.ask(1, 12, &request);
    assert_eq!(response.responses[1].topic, "unknown");
    assert_eq!(response.responses[1].partitions[0].aborted_transactions, Some(Vec::new()));
    assert_eq!(response.responses[0].partitions[0].aborted_transactions, None);
}

#[test]
fn since_4_0_codecs_are_not_held_back() {
    for (release, expected) in [("3.9", ErrorCode::UNSUPPORTED_COMPRESSION_TYPE), ("4.0", ErrorCode::NONE)] {
        let mut wire = Wire::with_topic(1, release);
        wire.produce(9, batch(&["compressible, compressible"; 9], Compression::Zstd, &Stamp::default()));
        assert_eq!(wire.fetch(9, 0).error_code, expected, "{release}");
    }
}

#[test]
fn sessions_are_opened_for_nothing_too() {
    let mut wire = Wire::with_topic(1, "4.2");
    let request = FetchRequest { session_epoch: 0, ..FetchRequest::default() };
    assert_ne!(wire.ask(1, 17, &request).session_id, 0);
}

#[test]
fn a_producer_id_and_its_epoch_come_together() {
    let mut wire = Wire::with_topic(1, "4.2");
    for (producer_id, producer_epoch, expected) in [
        (-1, -1, ErrorCode::NONE),
        (5, 0, ErrorCode::NONE),
        (5, -1, ErrorCode::INVALID_REQUEST),
        (-1, 0, ErrorCode::INVALID_REQUEST),
    ] {
        let request = InitProducerIdRequest {
            transactional_id: None,
            producer_id,
            producer_epoch,
            ..InitProducerIdRequest::default()
        };
        assert_eq!(wire.ask(1, 4, &request).error_code, expected);
    }
}

#[test]
fn lookups_that_say_nothing_or_nonsense() {
    let mut wire = Wire::with_topic(1, "4.2");
    let look = |isolation_level| ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![ListOffsetsTopic {
            name: Str::from("t"),
            partitions: vec![ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() }],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    let empty = wire.ask(1, 10, &look(0)).topics.remove(0).partitions.remove(0);
    assert_eq!((empty.offset, empty.leader_epoch), (0, 0));
    let strange = wire.ask(1, 10, &look(2)).topics.remove(0).partitions.remove(0);
    assert_eq!(strange.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);

    let partition = OffsetForLeaderPartition {
        current_leader_epoch: -1,
        leader_epoch: -1,
        ..OffsetForLeaderPartition::default()
    };
    let topic = OffsetForLeaderTopic {
        topic: Str::from("t"),
        partitions: vec![partition],
        ..OffsetForLeaderTopic::default()
    };
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![topic],
        ..OffsetForLeaderEpochRequest::default()
    };
    let end = wire.ask(1, 4, &request).topics.remove(0).partitions.remove(0);
    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (ErrorCode::NONE, -1, -1));
}

#[test]
fn metadata_that_contradicts_itself() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.create_topic("other", 1, 1).unwrap();
    let (name, id) = (Some(Str::from("t")), wire.cluster.topic_id("other").unwrap());
    let ask = |wire: &mut Wire, topics: &[(Option<Str>, Uuid)]| {
        let wanted = |(name, topic_id): &(Option<Str>, Uuid)| MetadataRequestTopic {
            name: name.clone(),
            topic_id: *topic_id,
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: Some(topics.iter().map(wanted).collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let topics = wire.ask(1, 12, &request).topics;
        topics.into_iter().map(|topic| (topic.error_code, topic.name)).collect::<Vec<_>>()
    };
    let other = [(ErrorCode::NONE, Some(Str::from("other")))];
    assert_eq!(ask(&mut wire, &[(name.clone(), id)]), other, "the id says more");
    assert_eq!(ask(&mut wire, &[(name.clone(), Uuid::ZERO), (None, id)]), other, "names count no longer");
    let twice = ask(&mut wire, &[(name.clone(), Uuid::ZERO), (name.clone(), Uuid::ZERO)]);
    assert_eq!(twice, [(ErrorCode::NONE, name)]);
    let nothing = ask(&mut wire, &[(None, Uuid::ZERO)]);
    assert_eq!(nothing, [(ErrorCode::UNKNOWN_SERVER_ERROR, Some(Str::default()))]);
}

#[test]
fn a_topic_deleted_by_name_and_by_id_at_once_stays() {
    let mut wire = Wire::with_topic(1, "4.2");
    let id = wire.topic_id();
    let by_name = DeleteTopicState { name: Some(Str::from("t")), ..DeleteTopicState::default() };
    let by_id = DeleteTopicState { name: None, topic_id: id, ..DeleteTopicState::default() };
    let delete = |topics: &[&DeleteTopicState]| DeleteTopicsRequest {
        topics: topics.iter().map(|topic| (*topic).clone()).collect(),
        ..DeleteTopicsRequest::default()
    };
    for twice in [[&by_name, &by_id], [&by_name, &by_name], [&by_id, &by_id]] {
        let response = wire.ask(1, 6, &delete(&twice));
        let errors: Vec<_> = response.responses.iter().map(|result| result.error_code).collect();
        assert_eq!(errors, [ErrorCode::INVALID_REQUEST]);
    }
    let deleted = wire.ask(1, 6, &delete(&[&by_name])).responses.remove(0);
    assert_eq!((deleted.error_code, deleted.topic_id), (ErrorCode::NONE, id));
}

#[test]
fn a_cursor_has_to_be_at_a_topic_that_is_asked_for() {
    let mut wire = Wire::with_topic(1, "4.2");
    for (topic, partition_index, expected) in [
        ("t", 0, ErrorCode::NONE),
        ("t", -1, ErrorCode::INVALID_REQUEST),
        ("s", 0, ErrorCode::INVALID_REQUEST),
    ] {
        let request = DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest { name: Str::from("t"), ..TopicRequest::default() }],
            cursor: Some(Cursor { topic_name: Str::from(topic), partition_index, ..Cursor::default() }),
            ..DescribeTopicPartitionsRequest::default()
        };
        assert_eq!(wire.ask(1, 0, &request).topics[0].error_code, expected, "{topic} {partition_index}");
    }
}
