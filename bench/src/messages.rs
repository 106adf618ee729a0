//! Work on messages.
#![expect(clippy::expect_used, reason = "a benchmark that goes wrong has to stop")]

use std::{hint::black_box, sync::Arc};

use bytes::{Buf, Bytes};
use klamm_core::{
    ConsumerId, Instant, Outgoing, Token,
    connection::{Connection, ConnectionConfig, ConnectionEvent},
};
use klamm_protocol::{
    ApiKey, Message, Str,
    messages::{
        AnyRequest,
        api_versions::{ApiVersion, ApiVersionsResponse},
        heartbeat::HeartbeatRequest,
        metadata::{MetadataResponse, MetadataResponsePartition, MetadataResponseTopic},
    },
    wire::{Reader, Writer},
};

/// Partitions in the measured metadata.
pub const METADATA_PARTITIONS: usize = 10_000;
/// The version that they are encoded in.
pub const METADATA_VERSION: i16 = 12;
/// Round trips in a measured round.
pub const ROUND_TRIPS: usize = 100;

/// An encoded Metadata response: 100 topics of 100 partitions on three replicas each.
///
/// # Panics
/// It cannot be encoded, which it can.
#[must_use]
pub fn metadata() -> Bytes {
    let partition = |index: i32| MetadataResponsePartition {
        partition_index: index,
        leader_id: index % 3,
        leader_epoch: 5,
        replica_nodes: [0, 1, 2].into(),
        isr_nodes: [0, 1, 2].into(),
        ..Default::default()
    };
    let topic = |index: usize| MetadataResponseTopic {
        name: Some(Str::from(format!("topic-{index}"))),
        partitions: (0..100).map(partition).collect(),
        ..Default::default()
    };
    let topics = (0..METADATA_PARTITIONS / 100).map(topic).collect();
    let mut writer = Writer::new();
    let response = MetadataResponse { topics, ..Default::default() };
    response.encode(&mut writer, METADATA_VERSION).expect("encodable metadata");
    writer.into_bytes()
}

/// Decodes metadata; returns the number of topics.
///
/// # Panics
/// They are not what [`metadata`] gives.
#[must_use]
pub fn decode_metadata(frame: &Bytes) -> usize {
    let mut reader = Reader::new(frame.clone());
    let response = MetadataResponse::decode(&mut reader, METADATA_VERSION).expect("metadata");
    black_box(&response).topics.len()
}

/// A connection that is ready, without a socket.
#[derive(Debug)]
pub struct RoundTrips {
    connection: Connection,
    number: u64,
}

const NOW: Instant = Instant::from_millis(1_000);

impl RoundTrips {
    /// Opens the connection.
    ///
    /// # Panics
    /// It does not become ready.
    #[must_use]
    pub fn new() -> Self {
        let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), NOW);
        connection.handle_open(NOW);
        let mut this = Self { connection, number: 0 };
        let offered = [(ApiKey::API_VERSIONS, 4), (ApiKey::HEARTBEAT, 4)]
            .map(|(api, max_version)| ApiVersion { api_key: api.0, max_version, ..Default::default() });
        let mut writer = Writer::new();
        let (correlation, version) = this.take_request();
        let response = ApiVersionsResponse { api_keys: offered.into(), ..Default::default() };
        response.encode(&mut writer, version).expect("an encodable response");
        // The header of an ApiVersions response is never flexible.
        this.answer(correlation, &[], &writer.into_bytes());
        assert!(matches!(this.connection.poll_event(), Some(ConnectionEvent::Ready(_))), "a handshake");
        this
    }

    /// Sends a small request and reads the small answer to it, [`ROUND_TRIPS`] times.
    ///
    /// # Panics
    /// An answer does not come through.
    pub fn run(&mut self) {
        for _ in 0..ROUND_TRIPS {
            self.number += 1;
            let outgoing = Outgoing {
                token: Token::Consumer(ConsumerId(1), self.number),
                request: Box::new(AnyRequest::from(HeartbeatRequest::default())),
                max_version: i16::MAX,
                deadline: NOW + std::time::Duration::from_secs(30),
                no_response: false,
            };
            self.connection.submit(NOW, outgoing).expect("room in the queue");
            let (correlation, _) = self.take_request();
            // No tags in the header; no throttling, no error, no tags.
            self.answer(correlation, &[0], &[0; 7]);
            let event = self.connection.poll_event();
            assert!(matches!(black_box(event), Some(ConnectionEvent::Response { .. })), "an answer");
        }
    }

    /// Takes the only request out of the outbox; returns its correlation id and version.
    fn take_request(&mut self) -> (i32, i16) {
        let outbox = self.connection.outbox();
        let length = outbox.get_i32();
        let _api = outbox.get_i16();
        let version = outbox.get_i16();
        let correlation = outbox.get_i32();
        outbox.advance(usize::try_from(length).expect("a length") - 8);
        (correlation, version)
    }

    fn answer(&mut self, correlation: i32, header_tags: &[u8], body: &[u8]) {
        let length = u32::try_from(4 + header_tags.len() + body.len()).expect("a short frame");
        let buffer = self.connection.read_buffer();
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(&correlation.to_be_bytes());
        buffer.extend_from_slice(header_tags);
        buffer.extend_from_slice(body);
        self.connection.handle_read(NOW);
    }
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self::new()
    }
}
