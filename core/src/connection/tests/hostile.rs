//! Peers that are broken, malicious or no Kafka at all.

use std::vec::Vec;

use bytes::Buf;
use klamm_protocol::ApiKey;
use proptest::prelude::*;

use super::link::{Link, framed};
use crate::{
    Misbehaved,
    connection::{CloseReason, ConnectionConfig, Peer, Progress},
};

fn opened() -> Link {
    let mut link = Link::opened(ConnectionConfig::default());
    link.seen();
    link
}

fn busy() -> (Link, i32) {
    let mut link = Link::ready(ConnectionConfig::default());
    link.ask(1);
    let id = link.correlations()[0];
    (link, id)
}

#[test]
fn other_protocols_are_recognised_by_their_first_bytes() {
    for (greeting, peer) in [
        (&b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"[..], Peer::Http),
        (b"<html><body>bad request", Peer::Http),
        // An alert and a ServerHello of TLS.
        (&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46], Peer::Tls),
        (&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x0a], Peer::Tls),
        (&[0x16, 0x03, 0x03, 0x00, 0x31, 0x02], Peer::Tls),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Peer::Ssh),
        (b"-ERR unknown command", Peer::Text(*b"-ERR")),
        (b"220 mail.example.org ESMTP", Peer::Text(*b"220 ")),
    ] {
        let mut link = opened();
        link.receive(greeting);
        assert_eq!(link.closed().0, CloseReason::NotKafka(peer), "{}", greeting.escape_ascii());
        // Also if the configured limit is larger than what the bytes mean as a length.
        let config = ConnectionConfig { max_frame_bytes: u32::MAX, ..ConnectionConfig::default() };
        let mut link = Link::opened(config);
        for byte in &greeting[..4] {
            link.receive(&[*byte]);
        }
        assert_eq!(link.closed().0, CloseReason::NotKafka(peer), "{}", greeting.escape_ascii());
    }
}

#[test]
fn a_port_that_closes_without_a_word_is_told_from_one_that_refuses() {
    let mut link = opened();
    link.peer_closes();
    let (reason, _) = link.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::NoAnswer));
    assert!(std::format!("{reason}").contains("TLS"));
}

#[test]
fn a_broker_that_closes_at_the_first_request_is_suspected_to_want_authentication() {
    let (mut link, _) = busy();
    link.peer_closes();
    let (reason, _) = link.closed();
    assert_eq!(reason, CloseReason::PeerClosed(Progress::FirstRequest));
    assert!(std::format!("{reason}").contains("authentication"));
}

#[test]
fn the_first_request_ends_a_line_for_servers_that_read_lines() {
    let mut link = Link::opened(ConnectionConfig::default());
    let outbox = link.connection.outbox();
    let bytes = outbox.copy_to_bytes(outbox.remaining());
    let line_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    assert_eq!(line_end, Some(8), "in the place of the correlation id");
}

#[test]
fn impossible_lengths_end_the_connection_at_once() {
    for length in [-1, i32::MIN, 0, 3, (100 << 20) + 1, i32::MAX] {
        let (mut link, _) = busy();
        link.receive(&length.to_be_bytes());
        let first = length.to_be_bytes();
        let reason = CloseReason::Misbehaved(Misbehaved::FrameLength { length, first });
        assert_eq!(link.closed().0, reason);
        let mut link = opened();
        link.receive(&length.to_be_bytes());
        assert_eq!(link.closed().0, reason);
    }
}

#[test]
fn a_wrong_correlation_id_ends_the_connection_before_the_frame_is_whole() {
    let (mut link, id) = busy();
    let mut head = (1_000_000_i32).to_be_bytes().to_vec();
    head.extend_from_slice(&(id + 1).to_be_bytes());
    link.receive(&head[..7]);
    assert_eq!(link.events(), []);
    link.receive(&head[7..]);
    let (reason, unanswered) = link.closed();
    let misbehaved = Misbehaved::Correlation { expected: Some(id), received: id + 1 };
    assert_eq!(reason, CloseReason::Misbehaved(misbehaved));
    assert_eq!(unanswered.len(), 1);
}

#[test]
fn an_answer_to_nothing_ends_the_connection() {
    let mut link = Link::ready(ConnectionConfig::default());
    link.receive(&framed(&[0, 0, 0, 9]));
    let misbehaved = Misbehaved::Correlation { expected: None, received: 9 };
    assert_eq!(link.closed().0, CloseReason::Misbehaved(misbehaved));
}

#[test]
fn an_answer_before_its_request_has_left_ends_the_connection() {
    let (mut link, id) = busy();
    link.answer(id, 0);
    link.events();
    link.ask(2);
    let remaining = link.connection.outbox().remaining();
    link.connection.outbox().advance(remaining - 1);
    link.answer(id + 1, 0);
    let misbehaved = Misbehaved::Correlation { expected: None, received: id + 1 };
    assert_eq!(link.closed().0, CloseReason::Misbehaved(misbehaved));
}

#[test]
fn a_malformed_answer_ends_the_connection() {
    let (mut link, id) = busy();
    let mut body = id.to_be_bytes().to_vec();
    // An empty list of tags, no throttle, and 2^32 - 1 brokers.
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    link.receive(&framed(&body));
    assert!(matches!(link.closed().0, CloseReason::Misbehaved(Misbehaved::Malformed(_))));
}

#[test]
fn closing_in_the_middle_of_a_frame_is_told() {
    let (mut link, id) = busy();
    let mut bytes = (100_i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&id.to_be_bytes());
    link.receive(&bytes);
    link.peer_closes();
    assert_eq!(link.closed().0, CloseReason::PeerClosed(Progress::MidFrame));
}

#[test]
fn a_claimed_length_is_not_believed_before_its_bytes_come() {
    let (mut link, id) = busy();
    let mut head = (100_i32 << 20).to_be_bytes().to_vec();
    head.extend_from_slice(&id.to_be_bytes());
    link.receive(&head);
    let mut received = head.len();
    while received < 8 << 20 {
        let capacity = link.connection.read_buffer().capacity();
        assert!(capacity <= (2 * received).max((1 << 20) + 4), "{capacity} bytes for {received}");
        link.receive(&std::vec![0; (capacity - received).min(100_000)]);
        received += (capacity - received).min(100_000);
    }
    assert_eq!(link.events(), []);
}

#[test]
fn one_byte_a_second_does_not_outlive_the_request() {
    let (mut link, id) = busy();
    let mut bytes = (1_000_i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.resize(1_004, 0);
    for byte in bytes {
        link.pass(1_000);
        if link.connection.is_closed() {
            break;
        }
        link.receive(&[byte]);
    }
    assert_eq!(link.closed().0, CloseReason::RequestTimeout { api: ApiKey::METADATA });
}

proptest! {
    #[test]
    fn random_bytes_after_a_valid_handshake(pieces: Vec<Vec<u8>>) {
        let (mut link, _) = busy();
        for piece in pieces {
            link.receive(&piece);
            prop_assert!(link.connection.read_buffer().capacity() < 2 << 20);
        }
        let closed = link.connection.is_closed();
        let events = link.events();
        prop_assert!(events.len() <= 1);
        prop_assert_eq!(closed, events.len() == 1);
    }

    #[test]
    fn random_bodies_under_valid_heads(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)) {
        let mut link = Link::ready(ConnectionConfig::default());
        for body in bodies {
            link.ask(1);
            let Some(id) = link.correlations().pop() else { break };
            let mut frame = id.to_be_bytes().to_vec();
            frame.extend_from_slice(&body);
            link.receive(&framed(&frame));
            let events = link.events();
            prop_assert_eq!(events.len(), 1, "answered, or ended");
            if link.connection.is_closed() {
                break;
            }
        }
    }
}
