//! From the open transport to readiness.

use core::time::Duration;
use std::vec::Vec;

use bytes::Bytes;
use klamm_protocol::{
    ApiKey, ErrorCode, Message, Str,
    messages::api_versions::{ApiVersionsRequest, FinalizedFeatureKey},
    wire::Reader,
};

use super::link::{Link, OFFERED, frame, token, versions_frame, versions_response};
use crate::{
    Misbehaved,
    connection::{CloseReason, ConnectionConfig, ConnectionEvent, Progress, TransportEnd, Unanswered},
};

fn config() -> ConnectionConfig {
    ConnectionConfig { client_id: Str::from("me"), ..ConnectionConfig::default() }
}

fn refusal(correlation: i32, named: &[(ApiKey, i16, i16)]) -> Bytes {
    let response = versions_response(named, ErrorCode::UNSUPPORTED_VERSION);
    frame(ApiKey::API_VERSIONS, 0, correlation, &response)
}

#[test]
fn asks_for_versions_first_and_names_the_software() {
    let mut link = Link::new(config());
    link.ask(1);
    assert!(link.seen().is_empty());
    assert!(!link.connection.wants_read());

    link.connection.handle_open(link.now);
    assert!(link.connection.wants_read());
    let seen = link.seen();
    let [asked] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(asked.api, ApiKey::API_VERSIONS);
    assert_eq!(asked.version, 4);
    assert_eq!(asked.client_id.as_deref(), Some("me"));
    let body = ApiVersionsRequest::decode(&mut Reader::new(asked.body.clone()), asked.version).unwrap();
    assert_eq!(body.client_software_name, "klamm");
    assert_eq!(body.client_software_version, env!("CARGO_PKG_VERSION"));

    link.receive(&versions_frame(asked.version, asked.correlation));
    let events = link.events();
    let [ConnectionEvent::Ready(versions)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(versions.range(ApiKey::METADATA), Some((0, 12)));
    assert_eq!(versions.range(ApiKey::FETCH), None);
    let seen = link.seen();
    assert_eq!((seen.len(), seen[0].api, seen[0].version), (1, ApiKey::METADATA, 12));
}

#[test]
fn keeps_the_finalized_features() {
    let mut link = Link::opened(config());
    let asked = link.seen().pop().unwrap();
    let mut response = versions_response(&OFFERED, ErrorCode::NONE);
    response.finalized_features_epoch = 7;
    response.finalized_features = std::vec![FinalizedFeatureKey {
        name: Str::from("transaction.version"),
        max_version_level: 2,
        min_version_level: 1,
        ..FinalizedFeatureKey::default()
    }];
    link.receive(&frame(ApiKey::API_VERSIONS, asked.version, asked.correlation, &response));
    assert!(link.connection.is_ready());
    let versions = link.connection.versions();
    assert_eq!(versions.feature("transaction.version"), Some(2));
    assert_eq!(versions.feature("metadata.version"), None);
    assert_eq!(versions.features_epoch(), 7);
}

/// The versions of ApiVersions that a client asks for if each is refused with `named`.
fn attempts(named: &[(ApiKey, i16, i16)]) -> (Vec<i16>, Link) {
    let mut link = Link::opened(config());
    let mut attempts = Vec::new();
    for _ in 0..100 {
        let Some(asked) = link.seen().pop() else { break };
        attempts.push(asked.version);
        link.receive(&refusal(asked.correlation, named));
    }
    (attempts, link)
}

#[test]
fn unsupported_for_ever_ends() {
    let newest = 4;
    let named = |min, max| [(ApiKey::API_VERSIONS, min, max)];
    for (named, expected) in [
        (&[][..], &[newest, 0][..]),
        (&named(0, 2), &[newest, 2, 0]),
        (&named(0, 0), &[newest, 0]),
        // Nonsense does not lead upwards, nor around in a circle.
        (&named(0, newest), &[newest, 0]),
        (&named(0, i16::MAX), &[newest, 0]),
        (&named(-5, -1), &[newest, 0]),
    ] {
        let (attempts, mut link) = attempts(named);
        assert_eq!(attempts, expected, "{named:?}");
        assert_eq!(link.closed(), (CloseReason::UnsupportedVersion, Vec::new()));
    }
}

#[test]
fn a_refusal_without_a_body_leads_to_version_0() {
    let mut link = Link::opened(config());
    let asked = link.seen().pop().unwrap();
    let mut body = asked.correlation.to_be_bytes().to_vec();
    body.extend_from_slice(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes());
    link.receive(&super::link::framed(&body));
    let asked = link.seen().pop().unwrap();
    assert_eq!(asked.version, 0);
    link.receive(&versions_frame(0, asked.correlation));
    assert!(link.connection.is_ready());
}

#[test]
fn a_broker_that_closes_on_the_new_version_is_tried_with_the_old_one() {
    let mut link = Link::opened(config());
    link.peer_closes();
    let (reason, _) = link.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::NoAnswer));
    assert!(reason.suggests_older_api_versions());

    let mut link = Link::opened(ConnectionConfig { api_versions_hint: Some(0), ..config() });
    let asked = link.seen().pop().unwrap();
    assert_eq!(asked.version, 0);
    let response = versions_response(&[(ApiKey::API_VERSIONS, 0, 2)], ErrorCode::NONE);
    link.receive(&frame(ApiKey::API_VERSIONS, 0, asked.correlation, &response));
    assert!(link.connection.is_ready());
}

#[test]
fn a_wrong_hint_costs_a_round_trip_and_no_feature() {
    let mut link = Link::opened(ConnectionConfig { api_versions_hint: Some(0), ..config() });
    let asked = link.seen().pop().unwrap();
    link.receive(&versions_frame(0, asked.correlation));
    assert_eq!(link.events(), []);
    let asked = link.seen().pop().unwrap();
    assert_eq!(asked.version, 4);
    // If that is refused after all, the way leads down and no longer up.
    link.receive(&refusal(asked.correlation, &[(ApiKey::API_VERSIONS, 0, 4)]));
    let asked = link.seen().pop().unwrap();
    assert_eq!(asked.version, 0);
    link.receive(&versions_frame(0, asked.correlation));
    assert!(link.connection.is_ready());
}

#[test]
fn an_error_ends_the_handshake() {
    let mut link = Link::opened(config());
    let asked = link.seen().pop().unwrap();
    let response = versions_response(&[], ErrorCode::INVALID_REQUEST);
    link.receive(&frame(ApiKey::API_VERSIONS, asked.version, asked.correlation, &response));
    assert_eq!(link.closed().0, CloseReason::HandshakeFailed(ErrorCode::INVALID_REQUEST));
}

#[test]
fn a_malformed_answer_ends_the_handshake() {
    let mut link = Link::opened(config());
    let asked = link.seen().pop().unwrap();
    let whole = versions_frame(asked.version, asked.correlation);
    link.receive(&super::link::framed(&whole[4..whole.len() - 3]));
    assert!(matches!(link.closed().0, CloseReason::Misbehaved(Misbehaved::Malformed(_))));
}

#[test]
fn setup_times_out_wherever_it_is() {
    let unanswered = std::vec![Unanswered { token: token(1), written: false }];
    let mut link = Link::new(config());
    link.ask(1);
    assert_eq!(link.connection.poll_timeout(), Some(link.now + Duration::from_secs(10)));
    link.pass(9_999);
    assert_eq!(link.events(), []);
    link.pass(1);
    assert_eq!(link.closed(), (CloseReason::SetupTimeout(Progress::Connecting), unanswered.clone()));

    let mut link = Link::opened(config());
    link.ask(1);
    link.pass(10_000);
    assert_eq!(link.closed(), (CloseReason::SetupTimeout(Progress::NoAnswer), unanswered));
}

#[test]
fn one_byte_a_second_does_not_outlive_the_setup_timeout() {
    let mut link = Link::opened(config());
    let asked = link.seen().pop().unwrap();
    for byte in versions_frame(asked.version, asked.correlation).iter().take(20) {
        link.pass(1_000);
        if link.connection.is_closed() {
            break;
        }
        link.receive(&[*byte]);
    }
    assert_eq!(link.closed().0, CloseReason::SetupTimeout(Progress::MidFrame));
    assert_eq!(link.now - crate::Instant::from_millis(1_000), Duration::from_secs(10));
}

#[test]
fn a_failed_transport_ends_it() {
    let mut link = Link::new(config());
    link.connection.handle_closed(link.now, TransportEnd::ConnectFailed(Str::from("refused")));
    assert_eq!(link.closed().0, CloseReason::ConnectFailed(Str::from("refused")));
    let mut link = Link::opened(config());
    link.connection.handle_closed(link.now, TransportEnd::Broken(Str::from("reset")));
    assert_eq!(link.closed().0, CloseReason::Broken(Progress::NoAnswer, Str::from("reset")));
}
