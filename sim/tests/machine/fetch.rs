use std::time::Duration;

use klamm_protocol::ErrorCode;
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse, ForgottenTopic};
use klamm_protocol::records::{Batches, Stamp};

use crate::wire::{Got, Wire, batch, plain};

fn offsets(bytes: &[u8]) -> Vec<i64> {
    Batches::new(bytes).map(|batch| batch.unwrap().base_offset()).collect()
}

/// A request that opens a session.
fn opening(wire: &Wire, version: i16) -> FetchRequest {
    FetchRequest { session_epoch: 0, ..wire.fetch_request(version, 0) }
}

/// A session request that names nothing.
fn again(response: &FetchResponse, session_epoch: i32) -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_bytes: 1 << 20,
        session_id: response.session_id,
        session_epoch,
        ..FetchRequest::default()
    }
}

#[test]
fn records_come_back_as_they_were_sent() {
    for version in 4..=18 {
        let mut wire = Wire::with_topic(1, "4.2");
        wire.produce(9, plain(&["a", "b"]));
        wire.produce(9, batch(&["c"], Compression::Gzip, &Stamp::default()));
        let data = wire.fetch(version, 1);
        assert_eq!(
            (data.error_code, data.high_watermark, data.preferred_read_replica),
            (ErrorCode::NONE, 3, -1)
        );
        let bytes = data.records.unwrap().into_bytes();
        assert_eq!(bytes, wire.cluster.batches("t", 0).unwrap(), "v{version}");
        assert_eq!(offsets(&bytes), [0, 2]);
    }
}

#[test]
fn the_first_batch_is_whole_and_the_rest_obeys_the_limits() {
    let mut wire = Wire::with_topic(1, "4.2");
    let len = plain(&["a"]).len();
    for _ in 0..3 {
        wire.produce(9, plain(&["a"]));
    }
    let mut fetch = |max_bytes, partition_max_bytes| {
        let mut request = wire.fetch_request(12, 0);
        request.max_bytes = max_bytes;
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
        let mut response = wire.ask(1, 12, &request);
        response.responses[0].partitions.remove(0).records.unwrap().len()
    };
    assert_eq!([fetch(0, 0), fetch(1, 1000), fetch(1000, 1)], [len; 3]);
    let limit = i32::try_from(2 * len + 5).unwrap();
    assert_eq!([fetch(limit, 1000), fetch(1000, limit)], [2 * len + 5; 2], "a batch is cut off at the end");
    assert_eq!(fetch(1000, 1000), 3 * len);
}

#[test]
fn a_fetch_waits_for_enough_bytes_or_its_time() {
    let mut wire = Wire::with_topic(1, "4.2");
    let len = i32::try_from(plain(&["a"]).len()).unwrap();
    let consumer = wire.connect(1);
    let mut request = wire.fetch_request(12, 0);
    (request.min_bytes, request.max_wait_ms) = (2 * len, 500);
    wire.send(consumer, 12, &request);
    assert!(wire.cluster.is_busy(consumer));
    assert_eq!(wire.cluster.poll_timeout(), Some(wire.now + Duration::from_millis(500)));
    wire.produce(9, plain(&["a"]));
    assert_eq!(wire.next::<FetchResponse>().1, Got::Nothing, "one byte short");
    let producer = wire.connect(1);
    let more = wire.produce_request(9, 0, plain(&["b"]));
    wire.send(producer, 9, &more);
    let (at, Got::Response(response)) = wire.next::<FetchResponse>() else { panic!("the bytes are there") };
    assert_eq!(at, Some(consumer));
    assert_eq!(response.responses[0].partitions[0].records.as_ref().unwrap().len(), 2 * len as usize);
    assert_eq!((wire.cluster.poll_timeout(), wire.cluster.is_busy(consumer)), (None, false));

    request.topics[0].partitions[0].fetch_offset = 2;
    wire.send(consumer, 12, &request);
    wire.advance(Duration::from_millis(499));
    assert_eq!(wire.next::<FetchResponse>().1, Got::Nothing);
    wire.advance(Duration::from_millis(1));
    let (_, Got::Response(response)) = wire.next::<FetchResponse>() else { panic!("the time is over") };
    assert!(response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[test]
fn a_waiting_fetch_hears_at_once_of_a_new_leader_and_of_deletion() {
    let mut wire = Wire::with_topic(2, "4.2");
    let mut request = wire.fetch_request(16, 0);
    (request.min_bytes, request.max_wait_ms) = (1, 60_000);
    let consumer = wire.connect(1);
    wire.send(consumer, 16, &request);
    wire.cluster.delete_topic(wire.now, "t").unwrap();
    let (_, Got::Response(response)) = wire.next::<FetchResponse>() else { panic!("the topic is gone") };
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);

    let mut wire = Wire::with_topic(2, "4.2");
    let consumer = wire.connect(1);
    wire.send(consumer, 16, &request);
    wire.cluster.kill(wire.now, 1);
    assert_eq!(wire.next::<FetchResponse>(), (Some(consumer), Got::Closed));
    assert_eq!(wire.cluster.poll_timeout(), None);
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    let mut wire = Wire::with_topic(1, "4.2");
    let mut request = wire.fetch_request(12, 0);
    (request.min_bytes, request.max_wait_ms) = (1, 60_000);
    let consumer = wire.connect(1);
    wire.send(consumer, 12, &request);
    wire.cluster.handle_closed(consumer);
    assert_eq!(wire.cluster.poll_timeout(), None);
    wire.produce(9, plain(&["a"]));
    assert_eq!(wire.next::<FetchResponse>().1, Got::Nothing);
}

#[test]
fn places_and_epochs_are_checked() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.produce(9, plain(&["a"]));
    assert_eq!(wire.fetch(12, 1).error_code, ErrorCode::NONE, "the end");
    for offset in [-1, 2] {
        let data = wire.fetch(12, offset);
        assert_eq!((data.error_code, data.high_watermark), (ErrorCode::OFFSET_OUT_OF_RANGE, -1));
    }
    wire.cluster.kill(wire.now, 1);
    wire.cluster.restart(1);
    assert_eq!(wire.cluster.partition("t", 0).unwrap().leader, Some(2));
    let mut fetch = |broker, epoch| {
        let mut request = wire.fetch_request(16, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let mut response = wire.ask(broker, 16, &request);
        let endpoints = response.node_endpoints.len();
        let data = response.responses.remove(0).partitions.remove(0);
        (data.error_code, data.current_leader.leader_id, endpoints)
    };
    assert_eq!(fetch(2, 0), (ErrorCode::FENCED_LEADER_EPOCH, 2, 1));
    assert_eq!(fetch(2, 2), (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, 0));
    assert_eq!(fetch(1, 1), (ErrorCode::NONE, -1, 0), "followers answer, too");
    assert_eq!(fetch(2, 1), (ErrorCode::NONE, -1, 0));
    for (version, expected) in [(10, ErrorCode::NOT_LEADER_OR_FOLLOWER), (11, ErrorCode::NONE)] {
        let request = wire.fetch_request(version, 0);
        let response = wire.ask(1, version, &request);
        assert_eq!(response.responses[0].partitions[0].error_code, expected, "v{version}");
    }
}

#[test]
fn a_session_tells_only_what_is_new() {
    for version in [7, 12, 13, 18] {
        let mut wire = Wire::with_topic(1, "4.2");
        let connection = wire.connect(1);
        let opened = wire.call(connection, version, &opening(&wire, version));
        assert!(opened.session_id > 0 && opened.responses.len() == 1, "v{version}");
        let idle = wire.call(connection, version, &again(&opened, 1));
        assert_eq!((idle.session_id, idle.responses.len()), (opened.session_id, 0));
        wire.produce(9, plain(&["a"]));
        let news = wire.call(connection, version, &again(&opened, 2));
        assert_eq!(news.responses[0].partitions[0].high_watermark, 1);
        let stale = wire.call(connection, version, &again(&opened, 2));
        assert_eq!(stale.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        let mut forget = again(&opened, 3);
        let mut topic = ForgottenTopic { partitions: [0].into(), ..ForgottenTopic::default() };
        let named = wire.fetch_request(version, 0);
        (topic.topic, topic.topic_id) = (named.topics[0].topic.clone(), named.topics[0].topic_id);
        forget.forgotten_topics_data.push(topic);
        let ended = wire.call(connection, version, &forget);
        assert_eq!((ended.session_id, ended.responses.len()), (0, 0));
        let gone = wire.call(connection, version, &again(&opened, 4));
        assert_eq!(gone.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    }
}

#[test]
fn sessions_do_not_survive_a_restart_nor_mix_names_and_ids() {
    let mut wire = Wire::with_topic(2, "4.2");
    let opened = wire.ask(1, 12, &opening(&wire, 12));
    let mixed = wire.ask(1, 13, &again(&opened, 1));
    assert_eq!(mixed.error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    wire.cluster.kill(wire.now, 1);
    wire.cluster.restart(1);
    let gone = wire.ask(1, 12, &again(&opened, 1));
    assert_eq!(gone.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn zstd_needs_a_fetch_that_knows_it() {
    let mut wire = Wire::with_topic(1, "3.9");
    wire.produce(9, batch(&["compressible, compressible"; 9], Compression::Zstd, &Stamp::default()));
    for version in [0, 3, 4, 9] {
        assert_eq!(wire.fetch(version, 0).error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, "v{version}");
    }
    assert_eq!(wire.fetch(10, 0).error_code, ErrorCode::NONE);
}

#[test]
fn a_reader_whose_log_diverged_is_told_where() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.produce(9, plain(&["a", "b"]));
    wire.cluster.kill(wire.now, 1);
    wire.produce(9, plain(&["c"]));
    let mut request = wire.fetch_request(12, 3);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let mut response = wire.ask(2, 12, &request);
    let data = response.responses.remove(0).partitions.remove(0);
    assert_eq!((data.diverging_epoch.epoch, data.diverging_epoch.end_offset), (0, 2));
    assert!(data.records.unwrap().is_empty());
}
