//! Requests and their answers over a connection that is ready.

use core::time::Duration;
use std::vec::Vec;

use bytes::{Buf, Bytes};
use klamm_protocol::{
    ApiKey, RecordBytes, Str,
    messages::{
        fetch::FetchRequest,
        metadata::MetadataRequest,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};

use super::link::{Link, answered, metadata, outgoing, token};
use crate::{
    Instant, Outgoing,
    connection::{
        CloseReason, ConnectionConfig, ConnectionEvent, Progress, RefusedReason, RequestError, Unanswered,
    },
};

fn ready() -> Link {
    Link::ready(ConnectionConfig::default())
}

fn unanswered(number: u64, written: bool) -> Unanswered {
    Unanswered { token: token(number), written }
}

#[test]
fn answers_go_to_their_requests_in_order() {
    let mut link = ready();
    for number in [7, 8, 9] {
        link.ask(number);
    }
    let ids = link.correlations();
    assert_eq!(ids.len(), 3);
    link.answer(ids[0], 0);
    link.answer(ids[1], 0);
    assert_eq!(answered(&link.events()), [7, 8]);
    link.answer(ids[2], 0);
    assert_eq!(answered(&link.events()), [9]);
    assert_eq!(link.connection.load(), 0);
}

#[test]
fn the_highest_common_version_is_used_and_capped() {
    let mut link = ready();
    let mut capped = metadata(1, Instant::MAX);
    capped.max_version = 4;
    link.submit(capped).unwrap();
    link.ask(2);
    let versions: Vec<_> = link.seen().iter().map(|seen| seen.version).collect();
    assert_eq!(versions, [4, 12]);
}

#[test]
fn what_cannot_be_sent_fails_alone() {
    let mut link = ready();
    link.ask(1);
    link.submit(outgoing(2, FetchRequest::default(), Instant::MAX)).unwrap();
    let mut below = outgoing(3, ProduceRequest::default(), Instant::MAX);
    below.max_version = 2;
    link.submit(below).unwrap();
    // Version 0 cannot ask for all topics by null.
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let inexpressible = Outgoing { max_version: 0, ..outgoing(4, request, Instant::MAX) };
    link.submit(inexpressible).unwrap();
    link.ask(5);

    let ids = link.correlations();
    assert_eq!(ids.len(), 2, "those that failed left no trace");
    let events = link.events();
    let unsupported = |number, api, offered| ConnectionEvent::Failed {
        token: token(number),
        error: RequestError::Unsupported { api, offered },
    };
    assert_eq!(
        events[..2],
        [unsupported(2, ApiKey::FETCH, None), unsupported(3, ApiKey::PRODUCE, Some((3, 9)))]
    );
    assert!(
        matches!(&events[2..], [ConnectionEvent::Failed {
            token: failed,
            error: RequestError::NotExpressible { api: ApiKey::METADATA, version: 0, .. },
        }] if *failed == token(4)),
        "{events:?}"
    );
    for id in ids {
        link.answer(id, 0);
    }
    assert_eq!(answered(&link.events()), [1, 5]);
}

#[test]
fn the_window_holds_requests_back() {
    let mut link =
        Link::ready(ConnectionConfig { max_in_flight: 2, max_queued: 2, ..ConnectionConfig::default() });
    for number in 1..=4 {
        link.ask(number);
    }
    let refused = link.submit(metadata(5, Instant::MAX)).unwrap_err();
    assert_eq!((refused.reason, refused.outgoing.token), (RefusedReason::Full, token(5)));
    let ids = link.correlations();
    assert_eq!(ids.len(), 2);
    link.answer(ids[0], 0);
    assert_eq!(link.correlations().len(), 1);
    link.answer(ids[1], 0);
    assert_eq!(link.correlations().len(), 1);
    assert_eq!(answered(&link.events()), [1, 2]);
}

fn produce(number: u64, payload: &'static [u8]) -> Outgoing {
    let partition = PartitionProduceData {
        records: Some(RecordBytes::from(Bytes::from_static(payload))),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from("t"),
        partition_data: std::vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest { acks: 0, topic_data: std::vec![topic], ..ProduceRequest::default() };
    Outgoing { no_response: true, ..outgoing(number, request, Instant::MAX) }
}

#[test]
fn a_request_without_an_answer_is_done_when_written() {
    let mut link = ready();
    link.submit(produce(1, b"abc")).unwrap();
    link.ask(2);
    let length = 4 + usize::try_from((link.connection.outbox().chunk()).get_i32()).unwrap();
    link.connection.outbox().advance(length - 1);
    assert_eq!(link.events(), []);
    link.connection.outbox().advance(1);
    assert_eq!(link.events(), [ConnectionEvent::Written { token: token(1) }]);
    let ids = link.correlations();
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [2]);
}

#[test]
fn a_large_payload_is_not_copied() {
    static PAYLOAD: [u8; 100_000] = [7; 100_000];
    let mut link = ready();
    link.submit(produce(1, &PAYLOAD)).unwrap();
    let outbox = link.connection.outbox();
    assert!(outbox.segments().any(|segment| segment.as_ptr() == PAYLOAD.as_ptr()));
    assert_eq!(outbox.segments().map(<[u8]>::len).sum::<usize>(), outbox.remaining());
}

#[test]
fn the_end_tells_what_was_written() {
    let mut link = Link::ready(ConnectionConfig { max_in_flight: 4, ..ConnectionConfig::default() });
    link.ask(0);
    let ids = link.correlations();
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [0]);
    link.ask(1);
    link.seen();
    link.ask(2);
    link.submit(produce(3, b"abc")).unwrap();
    link.connection.outbox().advance(1);
    link.ask(4);
    link.ask(5);
    link.peer_closes();
    let (reason, rest) = link.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::Busy));
    assert_eq!(
        rest,
        [
            unanswered(1, true),
            unanswered(2, true),
            unanswered(3, false),
            unanswered(4, false),
            unanswered(5, false)
        ]
    );
    assert!(!link.connection.outbox().has_remaining());
    let refused = link.submit(metadata(6, Instant::MAX)).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::Closed);
}

#[test]
fn an_overdue_request_costs_the_connection() {
    let mut link = ready();
    link.ask(1);
    link.pass(10_000);
    link.ask(2);
    link.seen();
    link.pass(19_999);
    assert_eq!(link.events(), []);
    link.pass(1);
    let reason = CloseReason::RequestTimeout { api: ApiKey::METADATA };
    assert_eq!(link.closed(), (reason, [unanswered(1, true), unanswered(2, true)].to_vec()));
}

#[test]
fn a_queued_request_that_is_overdue_fails_alone() {
    let mut link = Link::ready(ConnectionConfig { max_in_flight: 1, ..ConnectionConfig::default() });
    link.ask(1);
    link.submit(metadata(2, link.now + Duration::from_secs(1))).unwrap();
    assert_eq!(link.connection.poll_timeout(), Some(link.now + Duration::from_secs(1)));
    link.pass(1_000);
    let timed_out = ConnectionEvent::Failed { token: token(2), error: RequestError::TimedOut };
    assert_eq!(link.events(), [timed_out]);
    let ids = link.correlations();
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [1]);
}

#[test]
fn a_throttle_pauses_sending_and_nothing_else() {
    let mut link = ready();
    link.ask(1);
    link.ask(2);
    let ids = link.correlations();
    link.answer(ids[0], 1_500);
    link.ask(3);
    assert!(link.seen().is_empty());
    assert_eq!(link.connection.poll_timeout(), Some(link.now + Duration::from_millis(1_500)));
    link.pass(1_499);
    assert!(link.seen().is_empty());
    link.answer(ids[1], 0);
    assert_eq!(answered(&link.events()), [1, 2]);
    link.pass(1);
    assert_eq!(link.correlations().len(), 1);
}

#[test]
fn an_old_version_that_was_throttled_by_the_broker_is_not_throttled_again() {
    let mut link = ready();
    link.submit(Outgoing { max_version: 5, ..metadata(1, Instant::MAX) }).unwrap();
    let ids = link.correlations();
    let response = klamm_protocol::messages::metadata::MetadataResponse {
        throttle_time_ms: 1_500,
        ..Default::default()
    };
    link.receive(&super::link::frame(ApiKey::METADATA, 5, ids[0], &response));
    link.ask(2);
    assert_eq!(link.correlations().len(), 1);
}

#[test]
fn abandoning_one_request_leaves_the_others_alone() {
    let mut link = Link::ready(ConnectionConfig { max_in_flight: 2, ..ConnectionConfig::default() });
    for number in 1..=4 {
        link.ask(number);
    }
    assert!(link.connection.abandon(token(1)), "in flight");
    assert!(link.connection.abandon(token(3)), "queued");
    assert!(!link.connection.abandon(token(9)));
    assert!(!link.connection.abandon(token(3)), "gone");
    let ids = link.correlations();
    link.answer(ids[0], 0);
    assert_eq!(link.events(), []);
    link.answer(ids[1], 0);
    let ids = link.correlations();
    assert_eq!(ids.len(), 1);
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [2, 4]);
}

#[test]
fn an_abandoned_request_is_not_reported_at_the_end() {
    let mut link = ready();
    link.ask(1);
    link.ask(2);
    link.connection.abandon(token(1));
    link.peer_closes();
    assert_eq!(link.closed().1, [unanswered(2, false)]);
}

#[test]
fn idle_connections_close_and_busy_ones_do_not() {
    let mut link = ready();
    link.pass(300_000);
    link.submit(metadata(1, Instant::MAX)).unwrap();
    link.pass(500_000);
    let ids = link.correlations();
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [1]);
    link.pass(539_999);
    assert_eq!(link.events(), []);
    link.pass(1);
    assert_eq!(link.closed(), (CloseReason::Idle, Vec::new()));
}

#[test]
fn a_pause_in_reading_makes_no_request_overdue() {
    let mut link = ready();
    link.ask(1);
    let ids = link.correlations();
    link.pass(29_000);
    link.connection.set_reading(link.now, false);
    assert!(!link.connection.wants_read());
    link.pass(100_000);
    link.connection.set_reading(link.now, true);
    assert!(link.connection.wants_read());
    link.pass(999);
    assert_eq!(link.events(), []);
    link.answer(ids[0], 0);
    assert_eq!(answered(&link.events()), [1]);
}

#[test]
fn closing_reports_and_absorbs() {
    let mut link = ready();
    link.ask(1);
    link.connection.close();
    assert_eq!(link.closed(), (CloseReason::Local, [unanswered(1, false)].to_vec()));
    link.connection.close();
    link.peer_closes();
    link.pass(1_000_000);
    link.connection.handle_open(link.now);
    assert_eq!(link.events(), []);
    assert!(!link.connection.wants_read());
}
