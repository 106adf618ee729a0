//! Produce (0).

use bytes::Bytes;
use klamm_protocol::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use klamm_protocol::{ErrorCode, RecordBytes, Str};

use super::{Reply, Serve};
use crate::cluster::batches::{self, Accepted, Refusal};
use crate::cluster::producers::{Verdict, Written};
use crate::cluster::session::TopicRef;
use crate::cluster::topics::Partition;
use crate::cluster::{Cluster, Origin};
use crate::observe::ClusterEvent;

/// From this version on a request carries format 2.
const FIRST_WITH_FORMAT_2: i16 = 3;
/// From this version on topics are named by id.
const FIRST_WITH_TOPIC_ID: i16 = 13;
/// From this version on a response says who leads instead (KIP-951).
const FIRST_WITH_LEADER: i16 = 10;

impl Serve for ProduceRequest {
    fn serve(mut self, cluster: &mut Cluster, origin: &Origin) -> Reply<ProduceResponse> {
        if !matches!(self.acks, -1..=1) {
            return Reply::Now(self.refuse(ErrorCode::INVALID_REQUIRED_ACKS));
        }
        let mut failed = false;
        let mut response = ProduceResponse::default();
        for topic in &mut self.topic_data {
            let name = topic_ref(topic, origin.version);
            let mut partition_responses = Vec::new();
            for partition in &mut topic.partition_data {
                let records = partition.records.take().map(RecordBytes::into_bytes).unwrap_or_default();
                let result = cluster.produce(origin, (&name, partition.index), &records, self.acks);
                failed |= result.is_err();
                partition_responses.push(match result {
                    Ok((written, start)) => succeeded(partition.index, written, start),
                    Err(refusal) => cluster.refused(origin, (&name, partition.index), refusal, &mut response),
                });
            }
            response.responses.push(TopicProduceResponse {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partition_responses,
                ..TopicProduceResponse::default()
            });
        }
        match self.acks {
            0 if failed => Reply::Close,
            0 => Reply::Nothing,
            _ => Reply::Now(response),
        }
    }

    fn refuse(&self, error: ErrorCode) -> ProduceResponse {
        let refused = |partition: &PartitionProduceData| without_offset(partition.index, error, None);
        let topic = |topic: &TopicProduceData| TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(refused).collect(),
            ..TopicProduceResponse::default()
        };
        ProduceResponse {
            responses: self.topic_data.iter().map(topic).collect(),
            ..ProduceResponse::default()
        }
    }
}

fn topic_ref(topic: &TopicProduceData, version: i16) -> TopicRef {
    if version < FIRST_WITH_TOPIC_ID {
        TopicRef::Name(topic.name.clone())
    } else {
        TopicRef::Id(topic.topic_id)
    }
}

fn succeeded(index: i32, written: Written, log_start_offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: written.base_offset,
        log_append_time_ms: written.log_append_time_ms,
        log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

fn without_offset(index: i32, error_code: ErrorCode, error_message: Option<Str>) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        error_message,
        ..PartitionProduceResponse::default()
    }
}

impl Cluster {
    /// Appends what a request carries for a partition. Returns where, and the partition's first offset.
    fn produce(
        &mut self,
        origin: &Origin,
        (topic, index): (&TopicRef, i32),
        records: &Bytes,
        acks: i16,
    ) -> Result<(Written, i64), Refusal> {
        if let Some(topic) = self.topics.find(topic)
            && topic.is_internal()
        {
            return Err(Refusal::from(ErrorCode::INVALID_TOPIC_EXCEPTION));
        }
        self.led_partition(origin, topic, index, -1)?;
        let (wall_time, release) = (self.wall_time, self.release_of(origin.connection));
        let expiration = self.config.limits.producer_id_expiration;
        let unknown = || Refusal::from(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let known = self.topics.find_mut(topic).ok_or_else(unknown)?;
        let limits = *known.settings.limits();
        let (known_id, name) = (known.id, known.name.clone());
        let partition = known.partition_mut(index).ok_or_else(unknown)?;
        if acks == -1 && (partition.isr.len() as u64) < limits.min_insync_replicas.unsigned_abs() {
            return Err(Refusal::from(ErrorCode::NOT_ENOUGH_REPLICAS));
        }
        let scratch = &mut self.scratch;
        let accepted = if origin.version < FIRST_WITH_FORMAT_2 {
            batches::up_convert(records, self.config.release.log_magic(), &limits, wall_time, scratch)?
        } else {
            batches::check_batch(records, origin.version, &limits, wall_time, scratch)?
        };
        partition.producers.set_time(origin.now, expiration);
        if let Some(written) = partition.check_sequences(&accepted, release.at_least([2, 5, 0]))? {
            return Ok((written, partition.log.start_offset()));
        }
        let before = partition.log.len();
        let written = partition.append(&accepted, limits.log_append_time.then_some(wall_time.0));
        let grown = partition.log.len() - before;
        if self.events.are_recorded() {
            let (topic_id, leader_epoch, high_watermark) =
                (known_id, partition.leader_epoch, partition.high_watermark);
            let stored = partition.log.batches_from(written.base_offset);
            self.events.tell(|| ClusterEvent::Appended {
                topic_id,
                topic: name,
                partition: index,
                broker: origin.broker,
                leader_epoch,
                batches: stored,
            });
            self.events.tell(|| ClusterEvent::Committed { topic_id, partition: index, high_watermark });
        }
        if limits.retention_bytes >= 0 {
            let start = partition.log.start_offset();
            partition.log.retain(limits.retention_bytes.unsigned_abs());
            let offset = partition.log.start_offset();
            if offset > start {
                self.events.tell(|| ClusterEvent::LogStart { topic_id: known_id, partition: index, offset });
            }
        }
        for connection in &partition.waiting {
            self.links.feed(*connection, Some(grown));
        }
        Ok((written, partition.log.start_offset()))
    }

    /// The response for a partition whose records were refused; it says who leads the partition if that is why.
    fn refused(
        &self,
        origin: &Origin,
        (topic, index): (&TopicRef, i32),
        refusal: Refusal,
        response: &mut ProduceResponse,
    ) -> PartitionProduceResponse {
        let message = (!refusal.message.is_empty()).then(|| Str::from(refusal.message));
        let mut result = without_offset(index, refusal.code, message);
        let leader = self.topics.find(topic).and_then(|topic| topic.partition(index));
        if refusal.code == ErrorCode::NOT_LEADER_OR_FOLLOWER
            && origin.version >= FIRST_WITH_LEADER
            && let Some(partition) = leader
        {
            let (leader_id, leader_epoch) = (partition.leader, partition.leader_epoch);
            result.current_leader =
                LeaderIdAndEpoch { leader_id, leader_epoch, ..LeaderIdAndEpoch::default() };
            if let Some(broker) = self.broker(leader_id)
                && response.node_endpoints.iter().all(|endpoint| endpoint.node_id != leader_id)
            {
                response.node_endpoints.push(NodeEndpoint {
                    node_id: leader_id,
                    host: broker.host.clone(),
                    port: broker.port,
                    ..NodeEndpoint::default()
                });
            }
        }
        result
    }
}

impl Partition {
    /// Whether the batches continue their producers' sequences; where they are, if they are there already.
    fn check_sequences(&self, accepted: &Accepted, lenient: bool) -> Result<Option<Written>, Refusal> {
        for batch in &accepted.batches {
            if batch.is_transactional {
                // No partition is part of a transaction: there is no coordinator that could have added it.
                return Err(Refusal::from(ErrorCode::INVALID_TXN_STATE));
            }
            let Some(sequenced) = &batch.sequenced else { continue };
            match self.producers.check(sequenced, lenient) {
                Verdict::Append => {}
                Verdict::Duplicate(written) => return Ok(Some(written)),
                Verdict::OutOfOrderSequence => return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.into()),
                Verdict::UnknownProducerId => return Err(ErrorCode::UNKNOWN_PRODUCER_ID.into()),
                Verdict::InvalidProducerEpoch => return Err(ErrorCode::INVALID_PRODUCER_EPOCH.into()),
            }
        }
        Ok(None)
    }

    /// Appends batches and returns where the first one is.
    fn append(&mut self, accepted: &Accepted, append_time: Option<i64>) -> Written {
        let log_append_time_ms = append_time.unwrap_or(-1);
        let first = Written { base_offset: self.log.end_offset(), log_append_time_ms };
        for batch in &accepted.batches {
            let base_offset = batches::append(&mut self.log, batch, self.leader_epoch, append_time);
            if let Some(sequenced) = &batch.sequenced {
                self.producers.remember(sequenced, Written { base_offset, log_append_time_ms });
            }
        }
        // All replicas in sync have what the leader has.
        self.high_watermark = self.log.end_offset();
        first
    }
}
