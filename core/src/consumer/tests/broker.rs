//! A model of brokers: logs of batches, leaders, fetch sessions. It answers on the wire's terms: requests and
//! responses are encoded and decoded in the version that it speaks.

use std::{collections::BTreeMap, vec, vec::Vec};

use bytes::{Bytes, BytesMut};
use klamm_protocol::{
    ErrorCode, Message, RecordBytes, Str, Uuid,
    messages::{
        AnyRequest, AnyResponse,
        fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
        list_offsets::{
            ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
        },
        offset_for_leader_epoch::{
            EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
            OffsetForLeaderTopicResult,
        },
    },
    records::{Assignment, BatchEncoder, BatchLimits, RecordRef, Timestamps, assign},
    wire::{Reader, Writer},
};

use crate::BrokerId;

/// Encodes and decodes, as the network does.
pub(super) fn through_wire<M: Message>(message: &M, version: i16) -> M {
    let mut writer = Writer::new();
    message.encode(&mut writer, version).unwrap();
    M::decode(&mut Reader::new(writer.into_bytes()), version).unwrap()
}

/// A batch as it lies in a log; the value of each record is its offset.
pub(super) fn batch(base_offset: i64, count: i64, leader_epoch: i32) -> Bytes {
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    for offset in base_offset..base_offset + count {
        let value = offset.to_be_bytes();
        encoder
            .append(&RecordRef { key: None, value: Some(&value), headers: &[], timestamp: offset })
            .unwrap();
    }
    let sealed = encoder.seal(klamm_protocol::compression::Compression::None);
    let mut bytes = BytesMut::from(&sealed.to_bytes(&klamm_protocol::records::Stamp::default())[..]);
    assign(&mut bytes, &Assignment { base_offset, leader_epoch, timestamps: Timestamps::Keep }).unwrap();
    bytes.freeze()
}

/// One partition of the model.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) leader: BrokerId,
    pub(super) epoch: i32,
    pub(super) start: i64,
    pub(super) end: i64,
    /// Base offset, end offset and bytes.
    batches: Vec<(i64, i64, Bytes)>,
    /// The replica that is closest to whoever has a rack, and how many offsets it lags behind.
    pub(super) closest: Option<BrokerId>,
    pub(super) lag: i64,
    /// What the next fetch of it is answered.
    pub(super) error: Option<ErrorCode>,
}

impl Log {
    pub(super) fn new(leader: BrokerId) -> Self {
        Self { leader, epoch: 1, start: 0, end: 0, batches: Vec::new(), closest: None, lag: 0, error: None }
    }

    pub(super) fn append(&mut self, count: i64) {
        self.batches.push((self.end, self.end + count, batch(self.end, count, self.epoch)));
        self.end += count;
    }

    /// Retention: everything below `offset` is deleted, in whole batches.
    pub(super) fn delete_below(&mut self, offset: i64) {
        self.batches.retain(|(_, end, _)| *end > offset);
        self.start = self.batches.first().map_or(self.end, |(base, _, _)| *base);
    }

    /// Where its copy at a broker ends.
    fn end_at(&self, broker: BrokerId) -> i64 {
        if broker == self.leader { self.end } else { (self.end - self.lag).max(self.start) }
    }

    fn read(&self, offset: i64, below: i64, max_bytes: usize, first: bool) -> Bytes {
        let mut bytes = BytesMut::new();
        for (_, end, batch) in self.batches.iter().filter(|(_, end, _)| *end <= below) {
            let fits = bytes.len() + batch.len() <= max_bytes || (first && bytes.is_empty());
            if *end > offset && fits {
                bytes.extend_from_slice(batch);
            } else if *end > offset {
                break;
            }
        }
        bytes.freeze()
    }
}

type Key = (Str, i32);

/// What a broker remembers of a session.
#[derive(Clone, Debug, Default)]
struct Session {
    epoch: i32,
    by_id: bool,
    partitions: BTreeMap<Key, Cached>,
}

#[derive(Clone, Debug)]
struct Cached {
    offset: i64,
    leader_epoch: i32,
    max_bytes: usize,
    /// The high watermark that was answered last; -1 if it is to be told in any case.
    told: i64,
}

/// Who answers a fetch, and how.
struct At {
    broker: BrokerId,
    /// Whether the consumer told its rack.
    rack: bool,
    full: bool,
    by_id: bool,
}

/// All brokers.
#[derive(Clone, Debug)]
pub(super) struct Brokers {
    /// The version of Fetch that they speak.
    pub(super) fetch_version: i16,
    pub(super) logs: BTreeMap<Key, Log>,
    sessions: BTreeMap<(BrokerId, i32), Session>,
    last_session: i32,
}

impl Brokers {
    pub(super) fn new(fetch_version: i16) -> Self {
        Self { fetch_version, logs: BTreeMap::new(), sessions: BTreeMap::new(), last_session: 0 }
    }

    pub(super) fn topic_id(&self, topic: &str) -> Uuid {
        let mut id = [7; 16];
        for (to, from) in id.iter_mut().zip(topic.bytes()) {
            *to = from;
        }
        if self.fetch_version >= 13 { Uuid(id) } else { Uuid::ZERO }
    }

    pub(super) fn forget_sessions(&mut self, broker: BrokerId) {
        self.sessions.retain(|(each, _), _| *each != broker);
    }

    /// Answers a request that may be sent in `max_version` at most.
    pub(super) fn answer(
        &mut self,
        broker: BrokerId,
        request: &AnyRequest,
        max_version: i16,
    ) -> (i16, AnyResponse) {
        match request {
            AnyRequest::Fetch(request) => {
                let version = self.fetch_version.min(max_version);
                let response = self.fetch(broker, version, &through_wire(request, version));
                (version, through_wire(&response, version).into())
            }
            AnyRequest::ListOffsets(request) => {
                let version = if self.fetch_version < 4 { 0 } else { 6 };
                let response = self.list(broker, version, &through_wire(request, version));
                (version, through_wire(&response, version).into())
            }
            AnyRequest::OffsetForLeaderEpoch(request) => {
                let response = self.epoch_ends(broker, &through_wire(request, 4));
                (4, through_wire(&response, 4).into())
            }
            _ => panic!("no request of a consumer: {request:?}"),
        }
    }

    fn name_of(&self, topic: &Str, id: Uuid) -> Str {
        let mut names = self.logs.keys().map(|(name, _)| name);
        if id.is_zero() {
            topic.clone()
        } else {
            names.find(|name| self.topic_id(name) == id).unwrap().clone()
        }
    }

    fn fetch(&mut self, broker: BrokerId, version: i16, request: &FetchRequest) -> FetchResponse {
        let failed = |error_code| FetchResponse { error_code, ..FetchResponse::default() };
        let full = request.session_epoch <= 0;
        let by_id = version >= 13;
        let mut session = Session { epoch: 0, by_id, partitions: BTreeMap::new() };
        let key = (broker, request.session_id);
        if full {
            self.sessions.remove(&key);
        } else {
            let Some(known) = self.sessions.get(&key) else {
                return failed(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
            };
            if known.epoch + 1 != request.session_epoch {
                return failed(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
            }
            if known.by_id != by_id {
                return failed(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
            }
            session = known.clone();
        }
        for topic in &request.forgotten_topics_data {
            for partition in topic.partitions.iter() {
                let removed =
                    session.partitions.remove(&(self.name_of(&topic.topic, topic.topic_id), *partition));
                assert!(removed.is_some(), "forgotten but not in the session: {topic:?}");
            }
        }
        for topic in &request.topics {
            for partition in &topic.partitions {
                let cached = Cached {
                    offset: partition.fetch_offset,
                    leader_epoch: partition.current_leader_epoch,
                    max_bytes: usize::try_from(partition.partition_max_bytes).unwrap(),
                    told: -1,
                };
                let key = (self.name_of(&topic.topic, topic.topic_id), partition.partition);
                session.partitions.insert(key, cached);
            }
        }
        let (opens, keeps) = (version >= 7 && request.session_epoch == 0, request.session_epoch > 0);
        let at = At { broker, rack: !request.rack_id.is_empty(), full, by_id };
        let responses = self.read(&at, &mut session, usize::try_from(request.max_bytes).unwrap());
        let mut response = FetchResponse { responses, ..FetchResponse::default() };
        if opens {
            self.last_session += 1;
            response.session_id = self.last_session;
            self.sessions.insert((broker, self.last_session), session);
        } else if keeps {
            session.epoch += 1;
            response.session_id = request.session_id;
            self.sessions.insert(key, session);
        }
        response
    }

    fn read(&mut self, at: &At, session: &mut Session, max_bytes: usize) -> Vec<FetchableTopicResponse> {
        let At { broker, rack, full, by_id } = *at;
        let mut left = max_bytes;
        let mut first = true;
        let mut topics: BTreeMap<Str, Vec<PartitionData>> = BTreeMap::new();
        for ((topic, partition), cached) in &mut session.partitions {
            let log = self.logs.get_mut(&(topic.clone(), *partition)).unwrap();
            let mut data = PartitionData { partition_index: *partition, ..PartitionData::default() };
            data.error_code = error_of(broker, log, cached);
            let closest = log.closest.filter(|each| rack && broker == log.leader && *each != broker);
            if let (true, Some(replica)) = (data.error_code.is_ok(), closest) {
                data.preferred_read_replica = replica.0;
                (data.high_watermark, data.last_stable_offset, data.log_start_offset) =
                    (log.end, log.end, log.start);
            } else if data.error_code.is_ok() {
                let end = log.end_at(broker);
                let records = log.read(cached.offset, end, cached.max_bytes.min(left), first);
                left = left.saturating_sub(records.len());
                first &= records.is_empty();
                data.records = Some(RecordBytes::from(records));
                (data.high_watermark, data.last_stable_offset, data.log_start_offset) = (end, end, log.start);
            } else {
                (data.high_watermark, data.last_stable_offset, data.log_start_offset) = (-1, -1, -1);
            }
            let news = data.records.as_ref().is_some_and(|records| !records.is_empty());
            let news = news || data.preferred_read_replica >= 0;
            if full || news || data.high_watermark != cached.told || !data.error_code.is_ok() {
                cached.told = data.high_watermark;
                topics.entry(topic.clone()).or_default().push(data);
            }
        }
        let id = |topic: &Str| if by_id { self.topic_id(topic) } else { Uuid::ZERO };
        topics
            .into_iter()
            .map(|(topic, partitions)| FetchableTopicResponse {
                topic_id: id(&topic),
                topic,
                partitions,
                ..FetchableTopicResponse::default()
            })
            .collect()
    }

    fn list(&self, broker: BrokerId, version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| {
                    let log = &self.logs[&(topic.name.clone(), partition.partition_index)];
                    let offset = match partition.timestamp {
                        -1 => log.end,
                        -2 => log.start,
                        // The timestamp of a record is its offset.
                        timestamp if timestamp >= log.end => -1,
                        timestamp => timestamp.max(log.start),
                    };
                    let mut answer = ListOffsetsPartitionResponse {
                        partition_index: partition.partition_index,
                        ..ListOffsetsPartitionResponse::default()
                    };
                    if log.leader != broker {
                        answer.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
                    } else if version == 0 {
                        answer.old_style_offsets = vec![offset];
                    } else {
                        answer.offset = offset;
                    }
                    answer
                })
                .collect(),
            ..ListOffsetsTopicResponse::default()
        });
        ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
    }

    /// Nothing is ever truncated here.
    fn epoch_ends(
        &self,
        broker: BrokerId,
        request: &OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        let topics = request.topics.iter().map(|topic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| {
                    let log = &self.logs[&(topic.topic.clone(), partition.partition)];
                    let error_code = if log.leader == broker {
                        ErrorCode::NONE
                    } else {
                        ErrorCode::NOT_LEADER_OR_FOLLOWER
                    };
                    EpochEndOffset {
                        error_code,
                        partition: partition.partition,
                        leader_epoch: partition.leader_epoch,
                        end_offset: log.end,
                        ..EpochEndOffset::default()
                    }
                })
                .collect(),
            ..OffsetForLeaderTopicResult::default()
        });
        OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
    }
}

fn error_of(broker: BrokerId, log: &mut Log, cached: &Cached) -> ErrorCode {
    if log.leader != broker && log.closest != Some(broker) {
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    } else if (0..log.epoch).contains(&cached.leader_epoch) {
        ErrorCode::FENCED_LEADER_EPOCH
    } else if let Some(code) = log.error.take() {
        code
    } else if cached.offset < log.start || cached.offset > log.end_at(broker) {
        ErrorCode::OFFSET_OUT_OF_RANGE
    } else {
        ErrorCode::NONE
    }
}
