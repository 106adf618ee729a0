use std::time::Duration;

use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::messages::produce::ProduceResponse;
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_sim::cluster::{Fault, Quota};

use crate::wire::{Got, Wire, plain};

#[test]
fn a_throttled_client_is_told_at_once_and_heard_later() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.inject("throttle time=300ms api=Produce");
    let (throttled, other) = (wire.connect(1), wire.connect(1));
    let request = wire.produce_request(9, -1, plain(&["a"]));
    let response = wire.call(throttled, 9, &request);
    assert_eq!((response.throttle_time_ms, wire.values().len()), (300, 1));
    assert!(wire.cluster.is_busy(throttled));
    wire.send(throttled, 9, &request);
    assert_eq!(wire.next::<ProduceResponse>().1, Got::Nothing);
    assert_eq!(wire.call(other, 9, &request).throttle_time_ms, 0);
    wire.advance(Duration::from_millis(299));
    assert_eq!(wire.next::<ProduceResponse>().1, Got::Nothing);
    wire.advance(Duration::from_millis(1));
    let (connection, got) = wire.next::<ProduceResponse>();
    assert_eq!(connection, Some(throttled));
    assert!(matches!(got, Got::Response(ProduceResponse { throttle_time_ms: 0, .. })));
    assert_eq!(wire.values().len(), 3);
}

#[test]
fn before_kip_219_the_answer_itself_comes_late() {
    let mut wire = Wire::with_topic(1, "1.1");
    wire.inject("throttle time=300ms api=Metadata");
    let connection = wire.connect(1);
    assert_eq!(wire.try_call(connection, 5, &MetadataRequest::default()), Got::Nothing);
    wire.advance(Duration::from_millis(300));
    let Got::Response(response) = wire.next::<MetadataResponse>().1 else { panic!("no answer") };
    assert_eq!(response.throttle_time_ms, 300);
    assert!(!wire.cluster.is_busy(connection));
}

#[test]
fn a_throttled_fetch_has_no_records_and_keeps_its_session() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.produce(9, plain(&["a"]));
    let connection = wire.connect(1);
    let full = FetchRequest { session_epoch: 0, ..wire.fetch_request(12, 0) };
    wire.inject("throttle time=50ms api=Fetch");
    let response: FetchResponse = wire.call(connection, 12, &full);
    assert_eq!((response.throttle_time_ms, response.session_id, response.responses), (50, 0, vec![]));
    wire.advance(Duration::from_millis(50));
    let session_id = wire.call(connection, 12, &full).session_id;
    let mut next = FetchRequest { session_id, session_epoch: 1, topics: Vec::new(), ..full };
    wire.inject("throttle time=50ms api=Fetch");
    let response = wire.call(connection, 12, &next);
    assert_eq!((response.session_id, response.responses), (session_id, vec![]));
    wire.advance(Duration::from_millis(50));
    next.session_epoch = 2;
    let response = wire.call(connection, 12, &next);
    assert_eq!(response.error_code, ErrorCode::NONE);
    assert!(response.responses[0].partitions[0].records.as_ref().is_some_and(|records| !records.is_empty()));
}

#[test]
fn quotas_throttle_those_who_are_ahead_of_their_rate() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.set_quota(Some("test"), Quota { produce_bytes: Some(100), ..Quota::default() });
    let connection = wire.connect(1);
    let request = wire.produce_request(9, -1, plain(&["0123456789"]));
    let mut waited = 0;
    for _ in 0..10 {
        let throttle = wire.call(connection, 9, &request).throttle_time_ms;
        waited += throttle;
        wire.advance(Duration::from_millis(u64::try_from(throttle).unwrap()));
    }
    let size = {
        let mut writer = klamm_protocol::wire::Writer::new();
        klamm_protocol::Message::encode(&request, &mut writer, 9).unwrap();
        // The header of version 2: 8 bytes, the client's name with its length, and no tags.
        i32::try_from(writer.len()).unwrap() + 15
    };
    // 100 bytes a second, and one second ahead; the client waits in whole milliseconds.
    let expected = size * 100 - 1000;
    assert!((expected - 10..=expected).contains(&waited), "{waited} ms instead of {expected}");
    wire.cluster.set_quota(Some("test"), Quota::default());
    assert_eq!(wire.call(connection, 9, &request).throttle_time_ms, 0);
}

#[test]
fn a_quota_of_fetched_bytes_counts_what_was_sent() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.produce(9, plain(&["0123456789"; 20]));
    wire.cluster.set_quota(None, Quota { fetch_bytes: Some(100), ..Quota::default() });
    let connection = wire.connect(1);
    let request = wire.fetch_request(12, 0);
    let first = wire.call(connection, 12, &request);
    assert_eq!((first.throttle_time_ms, first.responses.len()), (0, 1));
    let second = wire.call(connection, 12, &request);
    assert!(second.throttle_time_ms > 1000 && second.responses.is_empty());
}

#[test]
fn a_quota_of_requests_counts_all_of_them() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.set_quota(None, Quota { requests: Some(2), ..Quota::default() });
    let connection = wire.connect(1);
    let throttles = [(); 3].map(|()| {
        let throttle = wire.call(connection, 9, &MetadataRequest::default()).throttle_time_ms;
        wire.advance(Duration::from_millis(u64::try_from(throttle).unwrap()));
        throttle
    });
    assert_eq!(throttles, [0, 0, 500]);
}

#[test]
fn throttling_goes_on_beside_other_faults() {
    let mut wire = Wire::with_topic(1, "4.2");
    let time = Duration::from_millis(20);
    wire.cluster.inject(wire.now, &Fault::throttle(time).api(ApiKey::PRODUCE).always());
    wire.inject("error code=REQUEST_TIMED_OUT api=Produce");
    let connection = wire.connect(1);
    let request = wire.produce_request(9, -1, plain(&["a"]));
    let told = [(); 2].map(|()| {
        let response = wire.call(connection, 9, &request);
        wire.advance(time);
        (response.throttle_time_ms, response.responses[0].partition_responses[0].error_code.0)
    });
    assert_eq!(told, [(20, 7), (20, 0)]);
}
