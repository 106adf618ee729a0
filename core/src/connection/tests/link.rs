//! A connection and the broker at its other end.

use core::time::Duration;
use std::{boxed::Box, sync::Arc, vec::Vec};

use bytes::{Buf, Bytes, BytesMut};
use klamm_protocol::{
    ApiKey, ErrorCode, Message,
    messages::{
        AnyRequest, RequestHeader, ResponseHeader,
        api_versions::{ApiVersion, ApiVersionsResponse},
        metadata::{MetadataRequest, MetadataResponse},
        request_header_version, response_header_version,
    },
    wire::{Reader, Writer},
};

use crate::{
    ConsumerId, Instant, Outgoing, Token,
    connection::{
        CloseReason, Connection, ConnectionConfig, ConnectionEvent, Refused, TransportEnd, Unanswered,
    },
};

/// What the broker of these tests offers.
pub(super) const OFFERED: [(ApiKey, i16, i16); 5] = [
    (ApiKey::PRODUCE, 3, 9),
    (ApiKey::METADATA, 0, 12),
    (ApiKey::SASL_HANDSHAKE, 0, 1),
    (ApiKey::API_VERSIONS, 0, 4),
    (ApiKey::SASL_AUTHENTICATE, 0, 2),
];

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) now: Instant,
}

/// A request as the broker sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) client_id: Option<std::string::String>,
    pub(super) body: Bytes,
}

impl Link {
    pub(super) fn new(config: ConnectionConfig) -> Self {
        let now = Instant::from_millis(1_000);
        Self { connection: Connection::new(Arc::new(config), now), now }
    }

    pub(super) fn opened(config: ConnectionConfig) -> Self {
        let mut link = Self::new(config);
        link.connection.handle_open(link.now);
        link
    }

    /// A connection over which requests can be sent; nothing is left to be written or polled.
    pub(super) fn ready(config: ConnectionConfig) -> Self {
        let mut link = Self::opened(config);
        let asked = link.seen().pop().unwrap();
        link.receive(&versions_frame(asked.version, asked.correlation));
        assert!(matches!(link.events()[..], [ConnectionEvent::Ready(_)]));
        link
    }

    /// Time passes.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.connection.handle_timeout(self.now);
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let buffer = self.connection.read_buffer();
        assert!(buffer.capacity() > buffer.len(), "no room to read into");
        buffer.extend_from_slice(bytes);
        self.connection.handle_read(self.now);
    }

    pub(super) fn peer_closes(&mut self) {
        self.connection.handle_closed(self.now, TransportEnd::PeerClosed);
    }

    pub(super) fn submit(&mut self, outgoing: Outgoing) -> Result<(), Refused> {
        self.connection.submit(self.now, outgoing)
    }

    /// Submits a metadata request that is due in 30 s.
    pub(super) fn ask(&mut self, number: u64) {
        let deadline = self.now + Duration::from_secs(30);
        self.submit(metadata(number, deadline)).unwrap();
    }

    /// Answers a metadata request, which came in version 12.
    pub(super) fn answer(&mut self, correlation: i32, throttle_time_ms: i32) {
        let response = MetadataResponse { throttle_time_ms, ..MetadataResponse::default() };
        self.receive(&frame(ApiKey::METADATA, 12, correlation, &response));
    }

    pub(super) fn events(&mut self) -> Vec<ConnectionEvent> {
        core::iter::from_fn(|| self.connection.poll_event()).collect()
    }

    /// Writes all that is to be written; what the broker sees then.
    pub(super) fn seen(&mut self) -> Vec<Seen> {
        let outbox = self.connection.outbox();
        let mut bytes = outbox.copy_to_bytes(outbox.remaining());
        let mut seen = Vec::new();
        while bytes.has_remaining() {
            let length = usize::try_from(bytes.get_i32()).unwrap();
            seen.push(see(bytes.split_to(length)));
        }
        seen
    }

    /// The correlation ids of the requests that the broker sees.
    pub(super) fn correlations(&mut self) -> Vec<i32> {
        self.seen().iter().map(|seen| seen.correlation).collect()
    }

    /// The only event, which must be the end.
    pub(super) fn closed(&mut self) -> (CloseReason, Vec<Unanswered>) {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        match events.pop() {
            Some(ConnectionEvent::Closed { reason, unanswered }) => {
                assert!(self.connection.is_closed());
                assert_eq!(self.connection.poll_timeout(), None);
                (reason, unanswered)
            }
            other => panic!("not closed but {other:?}"),
        }
    }
}

fn see(mut frame: Bytes) -> Seen {
    let (api, version) = (ApiKey((&frame[..2]).get_i16()), (&frame[2..4]).get_i16());
    let mut reader = Reader::new(frame.clone());
    let header = RequestHeader::decode(&mut reader, request_header_version(api, version).unwrap()).unwrap();
    frame.advance(reader.position());
    Seen {
        api,
        version,
        correlation: header.correlation_id,
        client_id: header.client_id.map(|id| id.as_str().into()),
        body: frame,
    }
}

pub(super) fn token(number: u64) -> Token {
    Token::Consumer(ConsumerId(0), number)
}

pub(super) fn metadata(number: u64, deadline: Instant) -> Outgoing {
    outgoing(number, MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() }, deadline)
}

pub(super) fn outgoing(number: u64, request: impl Into<AnyRequest>, deadline: Instant) -> Outgoing {
    Outgoing {
        token: token(number),
        request: Box::new(request.into()),
        max_version: i16::MAX,
        deadline,
        no_response: false,
    }
}

/// The numbers of the answered requests.
pub(super) fn answered(events: &[ConnectionEvent]) -> Vec<u64> {
    events
        .iter()
        .map(|event| match event {
            ConnectionEvent::Response { token: Token::Consumer(_, number), .. } => *number,
            other => panic!("not a response: {other:?}"),
        })
        .collect()
}

/// A response as it is on the wire.
pub(super) fn frame(api: ApiKey, version: i16, correlation: i32, response: &impl Message) -> Bytes {
    let mut writer = Writer::new();
    let header = ResponseHeader { correlation_id: correlation, ..ResponseHeader::default() };
    header.encode(&mut writer, response_header_version(api, version).unwrap()).unwrap();
    response.encode(&mut writer, version).unwrap();
    framed(&writer.into_bytes())
}

/// Bytes with their length in front.
pub(super) fn framed(body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.extend_from_slice(&i32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame.freeze()
}

pub(super) fn versions_frame(version: i16, correlation: i32) -> Bytes {
    frame(ApiKey::API_VERSIONS, version, correlation, &versions_response(&OFFERED, ErrorCode::NONE))
}

pub(super) fn versions_response(ranges: &[(ApiKey, i16, i16)], error_code: ErrorCode) -> ApiVersionsResponse {
    let api_keys = ranges
        .iter()
        .map(|(api, min_version, max_version)| ApiVersion {
            api_key: api.0,
            min_version: *min_version,
            max_version: *max_version,
            ..ApiVersion::default()
        })
        .collect();
    ApiVersionsResponse { api_keys, error_code, ..ApiVersionsResponse::default() }
}
