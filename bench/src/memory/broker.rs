//! The broker: acknowledges every batch unread, and serves the same batch at any offset.

use bytes::Bytes;
use klamm_protocol::{
    ApiKey, Message, RecordBytes, Str,
    messages::{
        AnyRequest, AnyResponse, RequestHeader, ResponseHeader,
        api_versions::{ApiVersion, ApiVersionsResponse},
        fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
        init_producer_id::InitProducerIdResponse,
        metadata::{
            MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
            MetadataResponsePartition, MetadataResponseTopic,
        },
        produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse},
        request_header_version, response_header_version,
    },
    wire::{Reader, Writer},
};

/// The only topic.
pub const TOPIC: &str = "benchmark";
/// The number of its partitions.
pub const PARTITIONS: i32 = 6;

/// What is offered: versions that name topics by name.
const APIS: [(ApiKey, i16, i16); 5] = [
    (ApiKey::PRODUCE, 3, 12),
    (ApiKey::FETCH, 4, 12),
    (ApiKey::METADATA, 0, 12),
    (ApiKey::API_VERSIONS, 0, 3),
    (ApiKey::INIT_PRODUCER_ID, 0, 4),
];

/// See the module.
#[derive(Debug, Default)]
pub struct Broker {
    /// One batch, without its base offset.
    batch: Bytes,
    records: i64,
    next_offset: i64,
}

impl Broker {
    /// A broker that serves `batch`, which has so many `records`, again and again.
    #[must_use]
    pub fn new(batch: &Bytes, records: i64) -> Self {
        Self { batch: batch.slice(8.min(batch.len())..), records, next_offset: 0 }
    }

    /// Answers a frame, which comes without its length; the answer has it.
    ///
    /// # Panics
    /// The client sends what it should not.
    #[expect(clippy::expect_used, reason = "a benchmark that goes wrong has to stop")]
    pub(super) fn answer(&mut self, frame: Bytes) -> Vec<Bytes> {
        let head = frame.first_chunk::<4>().expect("a header");
        let api = ApiKey(i16::from_be_bytes([head[0], head[1]]));
        let version = i16::from_be_bytes([head[2], head[3]]);
        let header_version = request_header_version(api, version).expect("a known version");
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader, header_version).expect("a header");
        let request = AnyRequest::decode(api, version, &mut reader).expect("a request");

        let mut writer = Writer::new();
        writer.write_i32(0);
        let header = ResponseHeader { correlation_id: header.correlation_id, ..ResponseHeader::default() };
        let header_version = response_header_version(api, version).expect("a known version");
        header.encode(&mut writer, header_version).expect("a header");
        self.response(request).encode(&mut writer, version).expect("a response");
        let length = u32::try_from(writer.len() - 4).expect("a short frame");
        let mut segments = writer.into_segments();
        let first = segments.first_mut().expect("a segment");
        *first = [&length.to_be_bytes(), &first[4..]].concat().into();
        segments
    }

    #[expect(clippy::panic, reason = "a benchmark that goes wrong has to stop")]
    fn response(&mut self, request: AnyRequest) -> AnyResponse {
        match request {
            AnyRequest::ApiVersions(_) => api_versions().into(),
            AnyRequest::Metadata(request) => metadata(request).into(),
            AnyRequest::InitProducerId(_) => {
                InitProducerIdResponse { producer_id: 1, producer_epoch: 0, ..Default::default() }.into()
            }
            AnyRequest::Produce(request) => self.produce(request).into(),
            AnyRequest::Fetch(request) => self.fetch(request).into(),
            other => panic!("the client sends {:?}", other.api_key()),
        }
    }

    fn produce(&mut self, request: ProduceRequest) -> ProduceResponse {
        let next_offset = &mut self.next_offset;
        let mut partition = |index: i32| {
            *next_offset += 1_000_000;
            PartitionProduceResponse { index, base_offset: *next_offset, ..Default::default() }
        };
        let topics = request.topic_data.into_iter().map(|topic| TopicProduceResponse {
            name: topic.name,
            partition_responses: topic.partition_data.iter().map(|each| partition(each.index)).collect(),
            ..Default::default()
        });
        ProduceResponse { responses: topics.collect(), ..Default::default() }
    }

    fn fetch(&self, request: FetchRequest) -> FetchResponse {
        let partition = |index: i32, offset: i64| {
            let base_offset = Bytes::copy_from_slice(&offset.to_be_bytes());
            PartitionData {
                partition_index: index,
                high_watermark: offset + self.records,
                last_stable_offset: offset + self.records,
                records: Some(RecordBytes::new(base_offset, self.batch.clone())),
                ..Default::default()
            }
        };
        let topics = request.topics.into_iter().map(|topic| FetchableTopicResponse {
            topic: topic.topic,
            partitions: topic
                .partitions
                .iter()
                .map(|each| partition(each.partition, each.fetch_offset))
                .collect(),
            ..Default::default()
        });
        FetchResponse { responses: topics.collect(), ..Default::default() }
    }
}

fn api_versions() -> ApiVersionsResponse {
    let apis = APIS.map(|(api, min_version, max_version)| ApiVersion {
        api_key: api.0,
        min_version,
        max_version,
        ..Default::default()
    });
    ApiVersionsResponse { api_keys: apis.into(), ..Default::default() }
}

fn metadata(request: MetadataRequest) -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: [1].into(),
        isr_nodes: [1].into(),
        ..Default::default()
    };
    let topic = |asked: MetadataRequestTopic| MetadataResponseTopic {
        name: asked.name,
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: Str::from("broker"),
            port: 9092,
            ..Default::default()
        }],
        cluster_id: Some(Str::from("memory")),
        controller_id: 1,
        topics: request.topics.unwrap_or_default().into_iter().map(topic).collect(),
        ..Default::default()
    }
}
