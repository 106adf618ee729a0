//! Requests that many cases send.

use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;

use crate::records::bytes;
use crate::talk::{Connection, FIRST, Talk, Topic};

/// The first version of Produce and Fetch that names topics by id.
pub(crate) const BY_ID: i16 = 13;

/// A request with one partition's records.
pub(crate) fn produce_to(
    topic: &Topic,
    version: i16,
    acks: i16,
    index: i32,
    records: Vec<u8>,
) -> ProduceRequest {
    let partition = PartitionProduceData { index, records: bytes(records), ..Default::default() };
    let mut data = TopicProduceData { partition_data: vec![partition], ..TopicProduceData::default() };
    if version < BY_ID {
        data.name = topic.name.clone();
    } else {
        data.topic_id = topic.id;
    }
    ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![data], ..ProduceRequest::default() }
}

/// A fetch of partition 0 that does not wait and opens no session.
pub(crate) fn fetch_from(topic: &Topic, version: i16, offset: i64) -> FetchRequest {
    fetch_of(topic, version, vec![fetch_partition(0, offset)])
}

pub(crate) fn fetch_partition(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() }
}

pub(crate) fn fetch_of(topic: &Topic, version: i16, partitions: Vec<FetchPartition>) -> FetchRequest {
    FetchRequest {
        max_bytes: 1 << 20,
        topics: vec![fetch_topic(topic, version, partitions)],
        ..FetchRequest::default()
    }
}

pub(crate) fn fetch_topic(topic: &Topic, version: i16, partitions: Vec<FetchPartition>) -> FetchTopic {
    let mut data = FetchTopic { partitions, ..FetchTopic::default() };
    if version < BY_ID {
        data.topic = topic.name.clone();
    } else {
        data.topic_id = topic.id;
    }
    data
}

/// A look-up of one partition's offset.
pub(crate) fn list_offset(topic: &Str, partition: ListOffsetsPartition) -> ListOffsetsRequest {
    let topic = ListOffsetsTopic { name: topic.clone(), partitions: vec![partition], ..Default::default() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() }
}

/// Asks for a producer id without a transactional one.
pub(crate) fn identity_request() -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    }
}

impl Talk {
    /// Produces to partition 0 with `acks=all` in version 12, and notes the answer.
    pub(crate) fn produce(&mut self, step: &str, topic: &Topic, records: Vec<u8>) -> Outcome<()> {
        self.try_ask(step, 12, &produce_to(topic, 12, -1, 0, records)).map(drop)
    }

    /// Puts records into a partition that broker 1 leads; nothing is noted.
    pub(crate) fn fill(&mut self, topic: &Topic, index: i32, records: Vec<u8>) -> Outcome<()> {
        let mut response = self.quiet(FIRST, 12, &produce_to(topic, 12, -1, index, records))?;
        let result = response.responses.remove(0).partition_responses.remove(0);
        if result.error_code == ErrorCode::NONE { Ok(()) } else { Err(format!("filling: {result:?}").into()) }
    }

    /// Notes what partition 0 holds from an offset on.
    pub(crate) fn read(&mut self, step: &str, topic: &Topic, offset: i64) -> Outcome<()> {
        self.fetch(FIRST, step, 12, &fetch_from(topic, 12, offset)).map(drop)
    }

    /// Fetches and notes the answer with its records; returns the session.
    pub(crate) fn fetch(
        &mut self,
        connection: Connection,
        step: &str,
        version: i16,
        request: &FetchRequest,
    ) -> Outcome<i32> {
        let response =
            self.quiet(connection, version, request).map_err(|error| format!("{step}: {error}"))?;
        self.note_fetch(step, &response);
        Ok(response.session_id)
    }

    /// A producer id of the cluster's, with epoch 0.
    pub(crate) fn producer_id(&mut self) -> Outcome<i64> {
        let request = identity_request();
        let mut producer_id = -1;
        // A fresh Kafka broker gets itself a block of ids first.
        self.until("producer id", |talk| {
            let response = talk.quiet(FIRST, 4, &request)?;
            producer_id = response.producer_id;
            Ok(response.error_code.is_ok())
        })?;
        Ok(producer_id)
    }
}
