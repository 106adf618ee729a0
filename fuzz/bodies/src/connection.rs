//! A connection: whatever a peer sends, in whatever pieces, every request has one end, the events do not depend on the
//! pieces, and memory follows what has arrived.
//!
//! Input: how to cut (1 byte), flags (1 byte: bit 0 lets time pass between the pieces), then what the peer sends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use klamm_core::connection::{Connection, ConnectionConfig, ConnectionEvent, Outgoing, TransportEnd};
use klamm_core::{Instant, OperationId, Token};
use klamm_protocol::ApiKey;
use klamm_protocol::messages::AnyRequest;
use klamm_protocol::messages::{
    create_topics::CreateTopicsRequest, fetch::FetchRequest, list_offsets::ListOffsetsRequest,
    metadata::MetadataRequest, produce::ProduceRequest,
};

use crate::allocation::measure;

/// A frame of up to 1 MiB gets its buffer at once; beyond that, what is granted is doubled as it fills.
const ALLOWED: usize = (2 << 20) + (256 << 10);

/// Feeds the bytes in pieces and all at once.
///
/// # Panics
/// When a law is broken.
pub fn run(input: &[u8]) {
    let &[cut, flags, ref received @ ..] = input else { return };
    let pieces = feed(received, 1 + usize::from(cut % 32), flags & 1 == 1);
    if flags & 1 == 0 {
        let whole = feed(received, usize::MAX, false);
        assert_eq!(pieces, whole, "the events depend on how the bytes were cut");
    }
}

fn requests() -> [AnyRequest; 6] {
    [
        MetadataRequest::default().into(),
        MetadataRequest::default().into(),
        FetchRequest::default().into(),
        ListOffsetsRequest::default().into(),
        CreateTopicsRequest::default().into(),
        ProduceRequest { acks: -1, ..ProduceRequest::default() }.into(),
    ]
}

pub(crate) fn feed(received: &[u8], piece: usize, time_passes: bool) -> Vec<String> {
    let mut now = Instant::from_millis(5);
    let config = ConnectionConfig { max_frame_bytes: 64 << 20, ..ConnectionConfig::default() };
    let mut connection = Connection::new(Arc::new(config), now);
    let mut owed = BTreeSet::new();
    connection.handle_open(now);
    for (number, request) in (0..).zip(requests()) {
        let token = Token::Operation(OperationId(number), number);
        let no_response = request.api_key() == ApiKey(0) && number % 2 == 0;
        let deadline = now + Duration::from_secs(30);
        let outgoing =
            Outgoing { token, request: Box::new(request), max_version: i16::MAX, deadline, no_response };
        assert!(connection.submit(now, outgoing).is_ok(), "the queue has room");
        owed.insert(token);
    }
    let mut events = Vec::new();
    drain(&mut connection, &mut owed, &mut events);
    for bytes in frames(received).flat_map(|frame| frame.chunks(piece.min(frame.len()).max(1))) {
        if !connection.wants_read() {
            break;
        }
        let ((), cost) = measure(|| {
            let room = connection.read_buffer();
            assert!(room.capacity() > room.len(), "there is room to read into");
            room.extend_from_slice(bytes);
            connection.handle_read(now);
            drain(&mut connection, &mut owed, &mut events);
        });
        assert!(cost.peak <= ALLOWED + 400 * received.len(), "{cost:?} for {} bytes", received.len());
        if time_passes {
            now = now + Duration::from_millis(400);
            connection.handle_timeout(now);
            drain(&mut connection, &mut owed, &mut events);
            let due = connection.poll_timeout();
            assert!(due.is_none_or(|due| due > now), "after a drain the next deadline lies ahead");
        }
    }
    connection.handle_closed(now, TransportEnd::PeerClosed);
    drain(&mut connection, &mut owed, &mut events);
    assert!(connection.is_closed() && connection.poll_event().is_none(), "closed is the end");
    assert!(owed.is_empty(), "requests without an end: {owed:?}");
    assert_eq!(connection.load(), 0);
    assert!(connection.poll_timeout().is_none() && !connection.outbox().has_remaining());
    events
}

/// Cuts where one frame ends and the next begins: an answer may only come when its request has left, so the pieces must
/// not reach beyond.
fn frames(mut received: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let claimed = received.first_chunk().map_or(usize::MAX, |length| {
            usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).saturating_add(4)
        });
        let (frame, rest) = received.split_at(claimed.min(received.len()));
        received = rest;
        (!frame.is_empty()).then_some(frame)
    })
}

/// Takes all there is out of a connection, and ticks off the requests that have ended.
fn drain(connection: &mut Connection, owed: &mut BTreeSet<Token>, events: &mut Vec<String>) {
    let written = connection.outbox().remaining();
    connection.outbox().advance(written);
    while let Some(event) = connection.poll_event() {
        match &event {
            ConnectionEvent::Response { token, .. }
            | ConnectionEvent::Written { token }
            | ConnectionEvent::Failed { token, .. } => {
                assert!(owed.remove(token), "{token:?} has ended before: {event:?}");
            }
            ConnectionEvent::Closed { unanswered, .. } => {
                for request in unanswered {
                    assert!(owed.remove(&request.token), "{request:?} has ended before");
                }
            }
            _ => {}
        }
        // As text, and not long: what is compared is the order and the kind, and the first part of the content.
        events.push(format!("{event:?}").chars().take(2_000).collect());
    }
}
