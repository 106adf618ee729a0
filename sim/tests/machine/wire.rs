//! A driver of the machine: connections that send requests of the generated types and decode strictly.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use klamm_core::{Instant, WallTime};
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use klamm_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::records::{BatchEncoder, BatchLimits, RecordRef, Stamp};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, Message, RecordBytes, Request, Str};
use klamm_sim::cluster::{Cluster, ClusterConfig, ConnectionId, Output};

/// The wall clock of all tests.
pub(crate) const WALL: i64 = 1_700_000_000_000;

pub(crate) struct Wire {
    pub(crate) cluster: Cluster,
    pub(crate) now: Instant,
    connections: u64,
    correlation_id: i32,
    sent: BTreeMap<i32, (ApiKey, i16)>,
}

/// What a connection got.
#[derive(Debug, PartialEq)]
pub(crate) enum Got<T> {
    Response(T),
    Closed,
    Nothing,
}

impl Wire {
    pub(crate) fn new(config: ClusterConfig) -> Self {
        let mut cluster = Cluster::new(config);
        cluster.set_wall_time(WallTime(WALL));
        let now = Instant::from_millis(1_000);
        Self { cluster, now, connections: 0, correlation_id: 100, sent: BTreeMap::new() }
    }

    /// A cluster of `brokers` of a release, and a topic `t` with one partition on all of them.
    pub(crate) fn with_topic(brokers: i32, release: &str) -> Self {
        let mut config = ClusterConfig::default();
        config.brokers = brokers;
        config.release = release.parse().unwrap();
        let mut wire = Self::new(config);
        wire.cluster.create_topic("t", 1, i16::try_from(brokers).unwrap()).unwrap();
        wire
    }

    pub(crate) fn connect(&mut self, broker: i32) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.cluster.handle_opened(connection, broker);
        connection
    }

    /// Makes a fault true, by its text.
    pub(crate) fn inject(&mut self, fault: &str) {
        self.cluster.inject(self.now, &fault.parse().unwrap());
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now = self.now + time;
        self.cluster.handle_timeout(self.now);
    }

    pub(crate) fn send<R: Request>(&mut self, connection: ConnectionId, version: i16, request: &R) {
        self.correlation_id += 1;
        let mut writer = Writer::new();
        let header = RequestHeader {
            request_api_key: R::API_KEY.0,
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(Str::from("test")),
            ..RequestHeader::default()
        };
        header.encode(&mut writer, request_header_version(R::API_KEY, version).unwrap()).unwrap();
        request.encode(&mut writer, version).unwrap();
        self.sent.insert(self.correlation_id, (R::API_KEY, version));
        self.cluster.handle_request(self.now, connection, writer.into_bytes());
    }

    /// The next thing that happens to any connection.
    pub(crate) fn next<T: Message>(&mut self) -> (Option<ConnectionId>, Got<T>) {
        match self.cluster.poll_output() {
            None => (None, Got::Nothing),
            Some(Output::Close { connection }) => (Some(connection), Got::Closed),
            Some(Output::Response { connection, segments }) => {
                (Some(connection), Got::Response(self.decode(&segments.concat())))
            }
        }
    }

    fn decode<T: Message>(&mut self, frame: &[u8]) -> T {
        let (length, frame) = frame.split_at(4);
        assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, frame.len());
        let mut reader = Reader::new(Bytes::copy_from_slice(frame));
        let correlation_id = i32::from_be_bytes(frame[..4].try_into().unwrap());
        let (api, version) = self.sent.remove(&correlation_id).expect("a response to a request");
        ResponseHeader::decode(&mut reader, response_header_version(api, version).unwrap()).unwrap();
        let response = T::decode(&mut reader, version).unwrap();
        reader.finish().unwrap();
        response
    }

    /// Sends a request and takes what comes of it at once.
    pub(crate) fn try_call<R: Request>(
        &mut self,
        connection: ConnectionId,
        version: i16,
        request: &R,
    ) -> Got<R::Response> {
        self.send(connection, version, request);
        let (at, got) = self.next();
        assert!(at.is_none_or(|at| at == connection));
        got
    }

    pub(crate) fn call<R: Request>(
        &mut self,
        connection: ConnectionId,
        version: i16,
        request: &R,
    ) -> R::Response {
        match self.try_call(connection, version, request) {
            Got::Response(response) => response,
            other => panic!("{} v{version}: {other:?} instead of a response", R::NAME),
        }
    }

    /// Sends a request on a connection of its own to a broker.
    pub(crate) fn ask<R: Request>(&mut self, broker: i32, version: i16, request: &R) -> R::Response {
        let connection = self.connect(broker);
        let response = self.call(connection, version, request);
        self.cluster.handle_closed(connection);
        response
    }

    /// Produces to partition 0 of `t` at its leader.
    pub(crate) fn produce(&mut self, version: i16, records: RecordBytes) -> PartitionProduceResponse {
        let leader = self.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap_or(1);
        let request = self.produce_request(version, -1, records);
        let mut response = self.ask(leader, version, &request);
        response.responses.remove(0).partition_responses.remove(0)
    }

    pub(crate) fn produce_request(&self, version: i16, acks: i16, records: RecordBytes) -> ProduceRequest {
        let partition =
            PartitionProduceData { index: 0, records: Some(records), ..PartitionProduceData::default() };
        let mut topic = TopicProduceData { partition_data: vec![partition], ..TopicProduceData::default() };
        if version < 13 {
            topic.name = Str::from("t");
        } else {
            topic.topic_id = self.topic_id();
        }
        ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic], ..ProduceRequest::default() }
    }

    pub(crate) fn topic_id(&self) -> klamm_protocol::Uuid {
        self.cluster.topic_id("t").unwrap()
    }

    /// A fetch of partition 0 of `t` that does not wait.
    pub(crate) fn fetch_request(&self, version: i16, fetch_offset: i64) -> FetchRequest {
        let partition =
            FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
        let mut topic = FetchTopic { partitions: vec![partition], ..FetchTopic::default() };
        if version < 13 {
            topic.topic = Str::from("t");
        } else {
            topic.topic_id = self.topic_id();
        }
        FetchRequest { replica_id: -1, max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() }
    }

    pub(crate) fn fetch(&mut self, version: i16, offset: i64) -> PartitionData {
        let leader = self.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap_or(1);
        let request = self.fetch_request(version, offset);
        let mut response = self.ask(leader, version, &request);
        response.responses.remove(0).partitions.remove(0)
    }

    /// The values in partition 0 of `t`.
    pub(crate) fn values(&self) -> Vec<String> {
        let records = self.cluster.records("t", 0).unwrap();
        assert!(records.iter().zip(0..).all(|(record, offset)| record.offset == offset));
        records.into_iter().map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
    }
}

/// A batch of format 2 with these values; the n-th record's timestamp is n milliseconds after the wall clock.
pub(crate) fn batch(values: &[&str], compression: Compression, stamp: &Stamp) -> RecordBytes {
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 30, max_bytes: 1 << 30 });
    for (value, timestamp) in values.iter().zip(WALL..) {
        let record = RecordRef { key: Some(b"k"), value: Some(value.as_bytes()), headers: &[], timestamp };
        encoder.append(&record).unwrap();
    }
    RecordBytes::from(encoder.seal(compression).to_bytes(stamp))
}

pub(crate) fn plain(values: &[&str]) -> RecordBytes {
    batch(values, Compression::None, &Stamp::default())
}
