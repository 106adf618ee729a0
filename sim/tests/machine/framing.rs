use bytes::Bytes;
use klamm_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::metadata::MetadataRequest;
use klamm_protocol::messages::{RequestHeader, ResponseHeader};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, ErrorCode, Message, Str};
use klamm_sim::Release;
use klamm_sim::cluster::Output;
use klamm_sim::observe::{ClusterEvent, Refusal};

use crate::wire::{Got, Wire};

fn software() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: Str::from("klamm-sim.test"),
        client_software_version: Str::from("1.0"),
        ..ApiVersionsRequest::default()
    }
}

#[test]
fn versions_are_those_of_the_release() {
    let key = |response: &ApiVersionsResponse, key: i16| {
        let found = response.api_keys.iter().find(|range| range.api_key == key);
        found.map(|range| (range.min_version, range.max_version))
    };
    for (release, produce, fetch, describe) in [
        ("0.10.0", (0, 2), (0, 2), None),
        ("0.11.0", (0, 3), (0, 5), Some((0, 0))),
        ("2.8", (0, 9), (0, 12), Some((0, 4))),
        ("4.2", (0, 13), (4, 18), Some((1, 4))),
    ] {
        let response = Wire::with_topic(1, release).ask(1, 0, &ApiVersionsRequest::default());
        assert_eq!(key(&response, 0), Some(produce), "{release}");
        assert_eq!((key(&response, 1), key(&response, 32)), (Some(fetch), describe), "{release}");
        assert_eq!(key(&response, 76), None, "share groups are not served here");
    }
}

#[test]
fn an_unsupported_version_of_api_versions_is_answered_in_version_0() {
    for (release, ranges) in [("1.1", 0), ("2.3", 0), ("2.4", 1), ("4.2", 1)] {
        let mut wire = Wire::with_topic(1, release);
        let connection = wire.connect(1);
        let mut writer = Writer::new();
        let header = RequestHeader {
            request_api_key: 18,
            request_api_version: 99,
            correlation_id: 5,
            ..RequestHeader::default()
        };
        header.encode(&mut writer, 2).unwrap();
        software().encode(&mut writer, 3).unwrap();
        wire.cluster.handle_request(wire.now, connection, writer.into_bytes());
        let Some(Output::Response { segments, .. }) = wire.cluster.poll_output() else { panic!("no answer") };
        let mut reader = Reader::new(Bytes::from(segments.concat()).slice(4..));
        assert_eq!(ResponseHeader::decode(&mut reader, 0).unwrap().correlation_id, 5);
        let response = ApiVersionsResponse::decode(&mut reader, 0).unwrap();
        reader.finish().unwrap();
        assert_eq!((response.error_code, response.api_keys.len()), (ErrorCode::UNSUPPORTED_VERSION, ranges));
        assert!(!wire.cluster.is_busy(connection));
    }
}

#[test]
fn the_software_names_itself_properly() {
    let mut wire = Wire::with_topic(1, "4.4");
    let mut request = software();
    assert_eq!(wire.ask(1, 4, &request).error_code, ErrorCode::NONE);
    for bad in ["", "-a", "a.", "a b", "ä"] {
        request.client_software_name = Str::from(bad);
        assert_eq!(wire.ask(1, 4, &request).error_code, ErrorCode::INVALID_REQUEST, "{bad:?}");
    }
    request = ApiVersionsRequest { node_id: 2, ..software() };
    assert_eq!(wire.ask(1, 5, &request).error_code, ErrorCode::REBOOTSTRAP_REQUIRED);
    request = ApiVersionsRequest { cluster_id: Some(Str::from("another")), ..software() };
    assert_eq!(wire.ask(1, 5, &request).error_code, ErrorCode::REBOOTSTRAP_REQUIRED);
}

#[test]
fn nonsense_closes_the_connection() {
    let metadata_v9 = {
        let mut writer = Writer::new();
        let header = RequestHeader { request_api_key: 3, request_api_version: 9, ..RequestHeader::default() };
        header.encode(&mut writer, 2).unwrap();
        MetadataRequest::default().encode(&mut writer, 9).unwrap();
        writer.into_bytes().to_vec()
    };
    let changed = |index: usize, value: u8| {
        let mut bytes = metadata_v9.clone();
        bytes[index] = value;
        bytes
    };
    let trailing = [metadata_v9.clone(), vec![0]].concat();
    let cut = metadata_v9[..metadata_v9.len() - 1].to_vec();
    let huge_count = [&metadata_v9[..metadata_v9.len() - 5], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    for (what, frame) in [
        ("TooShort", vec![]),
        ("TooShort", vec![0, 3, 0]),
        ("UnknownApi(ApiKey(32515))", changed(0, 0x7f)),
        ("UnknownApi(LeaderAndIsr(4))", changed(1, 4)),
        ("UnsupportedVersion(Metadata(3), 99)", changed(3, 99)),
        ("UnsupportedVersion(Metadata(3), -247)", changed(2, 0xff)),
        ("TrailingBytes(Metadata(3), 9)", trailing),
        ("Body(Metadata(3), 9,", cut),
        ("Body(Metadata(3), 9,", huge_count),
    ] {
        let mut wire = Wire::with_topic(1, "4.2");
        wire.cluster.record_events(true);
        let connection = wire.connect(1);
        wire.cluster.handle_request(wire.now, connection, frame.into());
        assert_eq!(wire.next::<ResponseHeader>(), (Some(connection), Got::Closed), "{what}");
        let event = wire.cluster.poll_event();
        let Some(ClusterEvent::Refused { connection: of, reason }) = event else {
            panic!("{what}: {event:?}")
        };
        assert_eq!(of, connection);
        assert!(format!("{reason:?}").starts_with(what), "{reason:?} instead of {what}");
    }
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.record_events(true);
    let connection = wire.connect(1);
    wire.cluster.handle_request(wire.now, connection, metadata_v9.into());
    assert!(matches!(wire.cluster.poll_output(), Some(Output::Response { .. })), "as it was");
    assert_eq!(wire.cluster.poll_event(), None);
}

#[test]
fn a_dead_or_missing_broker_takes_no_connections() {
    let mut wire = Wire::with_topic(2, "4.2");
    wire.cluster.kill(wire.now, 1);
    for broker in [1, 3] {
        let connection = wire.connect(broker);
        assert_eq!(wire.next::<ResponseHeader>(), (Some(connection), Got::Closed));
    }
}

#[test]
fn requests_of_a_connection_are_answered_in_order_though_one_waits() {
    let mut wire = Wire::with_topic(1, "4.2");
    let connection = wire.connect(1);
    let mut fetch = wire.fetch_request(12, 0);
    (fetch.min_bytes, fetch.max_wait_ms) = (1, 100);
    wire.send(connection, 12, &fetch);
    wire.send(connection, 0, &ApiVersionsRequest::default());
    assert_eq!(wire.next::<ApiVersionsResponse>(), (None, Got::Nothing));
    wire.advance(std::time::Duration::from_millis(100));
    assert!(matches!(wire.next::<klamm_protocol::messages::fetch::FetchResponse>().1, Got::Response(_)));
    assert!(matches!(wire.next::<ApiVersionsResponse>().1, Got::Response(_)));
}

#[test]
fn every_release_answers_metadata_in_all_its_versions() {
    for release in Release::all() {
        let mut wire = Wire::with_topic(1, &release.to_string());
        let (_, min, max) = release.apis().find(|(key, ..)| *key == 3).unwrap();
        for version in min..=max {
            let response = wire.ask(1, version, &MetadataRequest::default());
            assert_eq!(response.brokers.len(), 1, "{release} v{version}");
        }
    }
}

#[test]
fn features_follow_the_release_and_the_cluster() {
    let told = |response: &ApiVersionsResponse| {
        let supported: Vec<_> = response
            .supported_features
            .iter()
            .map(|key| format!("{} {}-{}", key.name, key.min_version, key.max_version))
            .collect();
        let used: Vec<_> = response
            .finalized_features
            .iter()
            .map(|key| format!("{} {}", key.name, key.max_version_level))
            .collect();
        (supported.join(", "), used.join(", "), response.finalized_features_epoch)
    };
    let mut wire = Wire::with_topic(1, "3.9");
    let expected = ("metadata.version 1-21".to_owned(), "metadata.version 21".to_owned(), 0);
    assert_eq!(told(&wire.ask(1, 3, &software())), expected);
    let mut wire = Wire::with_topic(2, "4.2");
    assert_eq!(told(&wire.ask(1, 3, &software())).0, "metadata.version 7-29");
    let (supported, used, _) = told(&wire.ask(1, 4, &software()));
    assert!(supported.contains("transaction.version 0-2") && used.contains("transaction.version 2"));
    wire.cluster.set_feature("transaction.version", 1);
    wire.cluster.set_feature("group.version", 0);
    wire.cluster.set_release(2, "3.9".parse().unwrap());
    let (supported, used, epoch) = told(&wire.ask(2, 3, &software()));
    assert_eq!((supported.as_str(), epoch), ("metadata.version 1-21", 2));
    assert!(used.contains("transaction.version 1") && !used.contains("group.version"));
    let none = told(&Wire::with_topic(1, "2.8").ask(1, 3, &software()));
    assert_eq!(none, (String::new(), String::new(), -1));
}

#[test]
fn requests_that_are_not_allowed_are_told_of() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.record_events(true);
    let bad = ApiVersionsRequest { client_software_name: Str::from("-"), ..software() };
    wire.ask(1, 3, &bad);
    let event = wire.cluster.poll_event();
    let reason = Refusal::Invalid(ApiKey::API_VERSIONS, ErrorCode::INVALID_REQUEST);
    assert!(matches!(event, Some(ClusterEvent::Refused { reason: told, .. }) if told == reason));
    wire.inject("error code=INVALID_REQUEST api=ApiVersions");
    wire.ask(1, 3, &software());
    assert!(matches!(wire.cluster.poll_event(), Some(ClusterEvent::Injected { .. })));
    assert_eq!(wire.cluster.poll_event(), None, "nobody is to blame");
}
