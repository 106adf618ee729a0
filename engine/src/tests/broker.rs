//! One broker of one topic, in a few lines.

use bytes::{Buf, Bytes, BytesMut};
use klamm_protocol::{
    ApiKey, ErrorCode, Message, RecordBytes, Str,
    compression::Compression,
    messages::{
        AnyRequest, AnyResponse, RequestHeader, ResponseHeader,
        api_versions::{ApiVersion, ApiVersionsResponse},
        fetch::{FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
        list_offsets::{
            ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
        },
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse},
        request_header_version, response_header_version,
    },
    records::{BatchEncoder, BatchLimits, RecordRef, Stamp},
    wire::{Reader, Writer},
};

use crate::ConnectionTask;

/// The APIs and their only version.
const APIS: &[(ApiKey, i16)] = &[
    (ApiKey::PRODUCE, 9),
    (ApiKey::FETCH, 6),
    (ApiKey::LIST_OFFSETS, 6),
    (ApiKey::METADATA, 9),
    (ApiKey::API_VERSIONS, 3),
];

/// What the broker does.
pub(super) struct Broker {
    /// The partitions of the topic; a leader of -1: none.
    pub(super) leaders: Vec<i32>,
    /// How many records each partition has, in one batch; fetches of nothing else wait.
    pub(super) records: u8,
    /// Whether produce requests are answered.
    pub(super) answers_produce: bool,
    /// Produce requests that came.
    pub(super) produced: usize,
    /// What the next of them are answered with.
    pub(super) refusals: Vec<ErrorCode>,
}

impl Default for Broker {
    fn default() -> Self {
        Self { leaders: vec![1], records: 0, answers_produce: true, produced: 0, refusals: Vec::new() }
    }
}

impl Broker {
    /// Takes the requests of a connection, and puts the answers where it reads them.
    pub(super) fn serve(&mut self, connection: &mut ConnectionTask) {
        let outbox = connection.outbox();
        let mut bytes = outbox.copy_to_bytes(outbox.remaining());
        while bytes.remaining() > 4 {
            let length = usize::try_from(bytes.get_i32()).unwrap();
            let response = self.answer(bytes.split_to(length));
            connection.read_buffer().extend_from_slice(&response);
        }
    }

    /// The whole frame of the answer; empty if there is none.
    fn answer(&mut self, frame: Bytes) -> Bytes {
        let (api, version) =
            (ApiKey(i16::from_be_bytes([frame[0], frame[1]])), i16::from_be_bytes([frame[2], frame[3]]));
        let mut reader = Reader::new(frame);
        let header_version = request_header_version(api, version).unwrap();
        let header = RequestHeader::decode(&mut reader, header_version).unwrap();
        let known = APIS.contains(&(api, version));
        let response: AnyResponse = if known {
            match AnyRequest::decode(api, version, &mut reader).unwrap() {
                AnyRequest::Metadata(_) => self.metadata().into(),
                AnyRequest::ListOffsets(request) => offsets(&request).into(),
                AnyRequest::Fetch(request) if self.has(&request) => self.fetched(&request).into(),
                AnyRequest::Produce(request) => {
                    self.produced += 1;
                    if !self.answers_produce {
                        return Bytes::new();
                    }
                    let code =
                        if self.refusals.is_empty() { ErrorCode::NONE } else { self.refusals.remove(0) };
                    produced(&request, code).into()
                }
                AnyRequest::ApiVersions(_) => versions(ErrorCode::NONE).into(),
                _ => return Bytes::new(),
            }
        } else {
            versions(ErrorCode::UNSUPPORTED_VERSION).into()
        };
        let version = if known { version } else { 0 };
        let mut writer = Writer::new();
        let header = ResponseHeader { correlation_id: header.correlation_id, ..ResponseHeader::default() };
        header.encode(&mut writer, response_header_version(api, version).unwrap()).unwrap();
        response.encode(&mut writer, version).unwrap();
        let body = writer.into_bytes();
        let mut whole = BytesMut::from(&i32::try_from(body.len()).unwrap().to_be_bytes()[..]);
        whole.extend_from_slice(&body);
        whole.freeze()
    }

    fn metadata(&self) -> MetadataResponse {
        // Broker 2, in another rack, if something is led by it; this one answers for it.
        let last = self.leaders.iter().copied().max().unwrap_or(1).max(1);
        let brokers = (1..=last).zip(["a", "b"]).map(|(node_id, rack)| MetadataResponseBroker {
            node_id,
            host: Str::from("localhost"),
            port: 9091 + node_id,
            rack: Some(Str::from(rack)),
            ..MetadataResponseBroker::default()
        });
        let partitions =
            (0..).zip(&self.leaders).map(|(partition_index, leader_id)| MetadataResponsePartition {
                partition_index,
                leader_id: *leader_id,
                leader_epoch: i32::try_from(self.leaders.len()).unwrap(),
                error_code: if *leader_id < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE },
                ..MetadataResponsePartition::default()
            });
        let topic = MetadataResponseTopic {
            name: Some(Str::from("t")),
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        };
        MetadataResponse { brokers: brokers.collect(), topics: vec![topic], ..MetadataResponse::default() }
    }

    /// Whether there is anything to fetch.
    fn has(&self, request: &FetchRequest) -> bool {
        let mut partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.any(|partition| partition.fetch_offset < self.records.into())
    }

    fn fetched(&self, request: &FetchRequest) -> FetchResponse {
        let mut encoder = BatchEncoder::new(BatchLimits::default());
        for number in 0..self.records {
            let record = RecordRef { value: Some(&[number]), timestamp: 1, ..RecordRef::default() };
            encoder.append(&record).unwrap();
        }
        let records = encoder.seal(Compression::None).to_bytes(&Stamp::NONE);
        let data = |partition: &FetchPartition| PartitionData {
            partition_index: partition.partition,
            high_watermark: self.records.into(),
            last_stable_offset: self.records.into(),
            records: (partition.fetch_offset < self.records.into())
                .then(|| RecordBytes::from(records.clone())),
            ..PartitionData::default()
        };
        let responses = request.topics.iter().map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            partitions: topic.partitions.iter().map(data).collect(),
            ..FetchableTopicResponse::default()
        });
        FetchResponse { responses: responses.collect(), ..FetchResponse::default() }
    }
}

fn versions(error_code: ErrorCode) -> ApiVersionsResponse {
    let version = |(api, version): &(ApiKey, i16)| ApiVersion {
        api_key: api.0,
        min_version: *version,
        max_version: *version,
        ..ApiVersion::default()
    };
    ApiVersionsResponse {
        error_code,
        api_keys: APIS.iter().map(version).collect(),
        ..ApiVersionsResponse::default()
    }
}

/// Every place is offset 0.
fn offsets(request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: (topic.partitions.iter())
            .map(|partition| ListOffsetsPartitionResponse {
                partition_index: partition.partition_index,
                offset: 0,
                ..ListOffsetsPartitionResponse::default()
            })
            .collect(),
        ..ListOffsetsTopicResponse::default()
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn produced(request: &ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        partition_responses: (topic.partition_data.iter())
            .map(|data| PartitionProduceResponse {
                index: data.index,
                error_code,
                ..PartitionProduceResponse::default()
            })
            .collect(),
        ..TopicProduceResponse::default()
    });
    ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() }
}
