use bytes::Bytes;
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use klamm_protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::Writer;
use klamm_protocol::{ErrorCode, Message, RecordBytes, Request};

use super::history::*;
use crate::check::Invariant;
use crate::cluster::ConnectionId;
use crate::observe::{ClusterEvent, Refusal, Side, Wire};

fn frame(writer: Writer) -> Bytes {
    let pieces: Vec<Bytes> = writer.into_segments().into_iter().collect();
    Bytes::from(pieces.concat())
}

pub(super) fn request<R: Request>(correlation_id: i32, version: i16, request: &R) -> Bytes {
    let mut writer = Writer::new();
    let header = RequestHeader {
        request_api_key: R::API_KEY.0,
        request_api_version: version,
        correlation_id,
        ..RequestHeader::default()
    };
    header.encode(&mut writer, request_header_version(R::API_KEY, version).unwrap()).unwrap();
    request.encode(&mut writer, version).unwrap();
    frame(writer)
}

pub(super) fn response<R: Request>(correlation_id: i32, version: i16, response: &R::Response) -> Bytes {
    let mut writer = Writer::new();
    let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
    header.encode(&mut writer, response_header_version(R::API_KEY, version).unwrap()).unwrap();
    response.encode(&mut writer, version).unwrap();
    frame(writer)
}

impl History {
    /// The client asks and the question arrives.
    pub(super) fn ask<R: Request>(&mut self, connection: u64, id: i32, version: i16, what: &R) -> &mut Self {
        let frame = request(id, version, what);
        self.wire(connection, Wire::Sent(&frame)).wire(connection, Wire::Request(&frame))
    }

    pub(super) fn answer<R: Request>(
        &mut self,
        connection: u64,
        id: i32,
        version: i16,
        what: &R::Response,
    ) -> &mut Self {
        let frame = response::<R>(id, version, what);
        self.wire(connection, Wire::Received(&frame))
    }

    /// Connected to a broker, with the versions of produce, fetch and metadata known.
    pub(super) fn connected(&mut self, connection: u64, broker: i32) -> &mut Self {
        self.wire(connection, Wire::Connecting(CLIENT, broker))
            .wire(connection, Wire::Opened(CLIENT, broker));
        self.ask(
            connection,
            0,
            3,
            &ApiVersionsRequest {
                client_software_name: "k".into(),
                client_software_version: "1".into(),
                ..ApiVersionsRequest::default()
            },
        );
        let api = |api_key, min_version, max_version| ApiVersion {
            api_key,
            min_version,
            max_version,
            ..ApiVersion::default()
        };
        let api_keys =
            vec![api(0, 3, 13), api(1, 4, 17), api(3, 0, 13), api(17, 0, 1), api(18, 0, 4), api(36, 0, 2)];
        let versions = ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() };
        self.answer::<ApiVersionsRequest>(connection, 0, 3, &versions)
    }

    pub(super) fn produce(&mut self, connection: u64, id: i32, batch: Vec<u8>) -> &mut Self {
        self.ask(connection, id, 12, &produce(batch))
    }
}

fn produce(batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData {
        index: 0,
        records: Some(RecordBytes::from(batch)),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData { name: TOPIC, partition_data: vec![data], ..TopicProduceData::default() };
    ProduceRequest { acks: -1, timeout_ms: 1_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

fn batch_at(sequence: i32, numbers: &[u64]) -> Vec<u8> {
    batch(numbers, Stamped { sequence, ..UNSTORED }, Compression::None)
}

#[test]
fn questions_and_answers_in_order_pass() {
    let mut history = History::new();
    history.connected(1, 1).ask(1, 1, 12, &MetadataRequest::default()).ask(
        1,
        2,
        12,
        &MetadataRequest::default(),
    );
    history.answer::<MetadataRequest>(1, 1, 12, &MetadataResponse::default());
    history.answer::<MetadataRequest>(1, 2, 12, &MetadataResponse::default());
    history.wire(1, Wire::Closed { by: Side::Client }).passes();
}

#[test]
fn an_answer_is_for_the_oldest_question() {
    let mut history = History::new();
    history.connected(1, 1).ask(1, 1, 12, &MetadataRequest::default()).ask(
        1,
        2,
        12,
        &MetadataRequest::default(),
    );
    history.answer::<MetadataRequest>(1, 2, 12, &MetadataResponse::default()).breaks(Invariant::Correlation);
}

#[test]
fn versions_are_asked_for_first() {
    let mut history = History::new();
    history
        .wire(1, Wire::Opened(CLIENT, 1))
        .ask(1, 1, 12, &MetadataRequest::default())
        .breaks(Invariant::Correlation);
}

#[test]
fn only_versions_that_the_broker_has_are_used() {
    let mut history = History::new();
    history.connected(1, 1);
    history
        .wire(1, Wire::Sent(&Bytes::from_static(&[0, 3, 0, 14, 0, 0, 0, 1])))
        .breaks(Invariant::Correlation);
}

#[test]
fn a_frame_that_cannot_be_read_is_malformed() {
    let mut history = History::new();
    history.connected(1, 1);
    history
        .wire(1, Wire::Sent(&Bytes::from_static(&[0, 0, 0, 12, 0, 0, 0, 1, 0, 0])))
        .breaks(Invariant::WellFormed);
}

#[test]
fn what_a_broker_cannot_read_is_malformed() {
    let refused = |reason| {
        let mut history = History::new();
        history.cluster(ClusterEvent::Refused { connection: ConnectionId(1), reason });
        history
    };
    refused(Refusal::TooShort).breaks(Invariant::WellFormed);
    let wrong = Refusal::Records(ErrorCode::CORRUPT_MESSAGE, "checksum".to_owned());
    refused(wrong).breaks(Invariant::BatchesValid);
}

#[test]
fn sequences_go_on_and_resends_are_the_same() {
    let mut history = History::new();
    history.accept(&[0, 2, 4]).connected(1, 1);
    history.produce(1, 1, batch_at(0, &[0, 2])).produce(1, 2, batch_at(2, &[4]));
    history.connected(2, 2).produce(2, 1, batch_at(0, &[0, 2])).produce(2, 2, batch_at(2, &[4])).passes();
}

#[test]
fn sequences_have_no_gap_and_no_overlap() {
    History::new().accept(&[0]).connected(1, 1).produce(1, 1, batch_at(1, &[0])).breaks(Invariant::Sequences);
    let mut history = History::new();
    history.accept(&[0, 2, 4]).connected(1, 1).produce(1, 1, batch_at(0, &[0, 2])).produce(
        1,
        2,
        batch_at(1, &[4]),
    );
    assert!(history.found().contains(&Invariant::Sequences));
}

#[test]
fn a_resend_is_the_same_to_the_byte() {
    let mut history = History::new();
    history.accept(&[0, 2, 4]).connected(1, 1).produce(1, 1, batch_at(0, &[0])).produce(
        1,
        2,
        batch_at(0, &[2]),
    );
    history.breaks(Invariant::Sequences);
    let mut history = History::new();
    history.accept(&[0, 2, 4]).connected(1, 1).produce(1, 1, batch_at(0, &[0]));
    let next = batch(&[0, 2], Stamped { producer_epoch: 1, ..UNSTORED }, Compression::None);
    history.produce(1, 2, next).breaks(Invariant::Sequences);
}

#[test]
fn what_is_too_large_is_divided() {
    let divided = |error| {
        let mut history = History::new();
        history.accept(&[0, 2, 4]).connected(1, 1).produce(1, 1, batch_at(0, &[0, 2, 4]));
        let refused = PartitionProduceResponse { error_code: error, ..PartitionProduceResponse::default() };
        let topic =
            TopicProduceResponse { partition_responses: vec![refused], ..TopicProduceResponse::default() };
        let refused = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        history.answer::<ProduceRequest>(1, 1, 12, &refused);
        history.produce(1, 2, batch_at(0, &[0])).produce(1, 3, batch_at(1, &[2, 4]));
        history.found()
    };
    assert_eq!(divided(ErrorCode::MESSAGE_TOO_LARGE), []);
    assert!(divided(ErrorCode::REQUEST_TIMED_OUT).contains(&Invariant::Sequences));
}

#[test]
fn a_new_epoch_begins_anew() {
    let mut history = History::new();
    history.accept(&[0, 2]).connected(1, 1).produce(1, 1, batch_at(0, &[0])).produce(1, 2, batch_at(1, &[2]));
    let next = batch(&[2], Stamped { producer_epoch: 1, ..UNSTORED }, Compression::None);
    history.produce(1, 3, next).passes();
}

#[test]
fn no_more_requests_are_in_flight_than_may() {
    let mut history = History::new();
    history.accept(&[0, 2, 4, 6, 8, 10]).connected(1, 1);
    for number in 0..5 {
        history.produce(1, number + 1, batch_at(number, &[u64::try_from(number).unwrap() * 2]));
    }
    history.answer::<ProduceRequest>(1, 1, 12, &ProduceResponse::default());
    history.produce(1, 6, batch_at(5, &[10]));
    assert_eq!(history.checker.violations(), []);
    history.produce(1, 7, batch_at(0, &[0])).breaks(Invariant::InFlight);
}

#[test]
fn batches_keep_to_their_limits() {
    let mut history = History::new();
    let numbers: Vec<u64> = (0..30).map(|number| number * 2).collect();
    history
        .accept(&numbers)
        .connected(1, 1)
        .produce(1, 1, batch_at(0, &numbers))
        .breaks(Invariant::BatchesValid);
    let mut history = History::new();
    let mut bytes = batch_at(0, &[0]);
    bytes.push(0);
    history.accept(&[0]).connected(1, 1).produce(1, 1, bytes).breaks(Invariant::BatchesValid);
}

#[test]
fn patience_that_was_asked_for_is_kept() {
    let throttled = |wait: u64| {
        let mut history = History::new();
        history.accept(&[0, 2]).connected(1, 1).produce(1, 1, batch_at(0, &[0]));
        let asked = ProduceResponse { throttle_time_ms: 500, ..ProduceResponse::default() };
        history.answer::<ProduceRequest>(1, 1, 12, &asked).pass(wait).produce(1, 2, batch_at(1, &[2]));
        history
    };
    throttled(501).passes();
    throttled(300).breaks(Invariant::Throttle);
}

fn shake_hands(history: &mut History, id: i32, version: i16, mechanism: &'static str) {
    let request = SaslHandshakeRequest { mechanism: mechanism.into(), ..SaslHandshakeRequest::default() };
    history.ask(1, id, version, &request);
    history.answer::<SaslHandshakeRequest>(1, id, version, &SaslHandshakeResponse::default());
}

#[test]
fn messages_of_old_mechanisms_have_no_header() {
    let bare = Bytes::from_static(b"n,,n=alice,r=abc");
    let dialogue = || {
        let mut history = History::new();
        history.connected(1, 1);
        shake_hands(&mut history, 1, 0, "SCRAM-SHA-256");
        for _ in 0..2 {
            history.wire(1, Wire::Sent(&bare)).wire(1, Wire::Request(&bare)).wire(1, Wire::Received(&bare));
        }
        history
    };
    let mut history = dialogue();
    history.ask(1, 2, 12, &MetadataRequest::default());
    history.answer::<MetadataRequest>(1, 2, 12, &MetadataResponse::default()).passes();
    dialogue().wire(1, Wire::Sent(&bare)).breaks(Invariant::Correlation);
}

#[test]
fn nobody_authenticates_again_while_patience_is_asked_for() {
    let renewed = |wait: u64| {
        let mut history = History::new();
        history.connected(1, 1).ask(1, 1, 12, &MetadataRequest::default());
        let patient = MetadataResponse { throttle_time_ms: 500, ..MetadataResponse::default() };
        history.answer::<MetadataRequest>(1, 1, 12, &patient).pass(wait);
        shake_hands(&mut history, 2, 1, "PLAIN");
        history
    };
    renewed(501).passes();
    renewed(300).breaks(Invariant::Throttle);
}

fn leads(leader_id: i32, leader_epoch: i32) -> MetadataResponse {
    let partition =
        MetadataResponsePartition { leader_id, leader_epoch, ..MetadataResponsePartition::default() };
    let topic = MetadataResponseTopic {
        name: Some(TOPIC),
        topic_id: TOPIC_ID,
        partitions: vec![partition],
        ..MetadataResponseTopic::default()
    };
    MetadataResponse { topics: vec![topic], ..MetadataResponse::default() }
}

#[test]
fn who_led_before_is_left_alone() {
    let learned = |leader: i32, epoch: i32, wait: u64| {
        let mut history = History::new();
        history.accept(&[0]).connected(1, 1);
        for (id, (leader, epoch)) in (1..).zip([(1, 4), (leader, epoch)]) {
            history.ask(1, id, 12, &MetadataRequest::default());
            history.answer::<MetadataRequest>(1, id, 12, &leads(leader, epoch));
        }
        history.pass(wait).produce(1, 9, batch_at(0, &[0]));
        history
    };
    learned(1, 5, 500).passes();
    learned(2, 5, 50).passes();
    learned(2, 5, 500).breaks(Invariant::NewLeader);
    // Old news are none.
    learned(2, 3, 500).passes();
}

#[test]
fn attempts_to_connect_have_a_bounded_rate() {
    let connect = |pause: u64| {
        let mut history = History::new();
        for attempt in 0..70 {
            history
                .wire(attempt, Wire::Connecting(CLIENT, 1))
                .wire(attempt, Wire::Closed { by: Side::Network });
            history.pass(pause);
        }
        history
    };
    connect(50).passes();
    connect(1).breaks(Invariant::BoundedRates);
}

#[test]
fn a_batch_is_not_sent_again_and_again() {
    let mut history = History::new();
    history.accept(&[0]).connected(1, 1);
    for id in 1..=30 {
        history.produce(1, id, batch_at(0, &[0])).answer::<ProduceRequest>(
            1,
            id,
            12,
            &ProduceResponse::default(),
        );
    }
    history.breaks(Invariant::BoundedRates);
}
