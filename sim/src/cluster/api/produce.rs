//! Produce (0).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use klamm_protocol::records::Batches;
use klamm_protocol::{ErrorCode, RecordBytes, Str};

use super::{Reply, Serve};
use crate::Release;
use crate::cluster::batches::{self, Accepted, Refusal};
use crate::cluster::log::FirstBatch;
use crate::cluster::producers::{Verdict, Written};
use crate::cluster::producing::Slot;
use crate::cluster::replication::{TopicImage, Turn};
use crate::cluster::session::TopicRef;
use crate::cluster::topics::Partition;
use crate::cluster::topics::settings::Limits;
use crate::cluster::transactions::{Adding, Identity, Place};
use crate::cluster::{Cluster, Origin};
use crate::observe::ClusterEvent;

/// From this version on a request carries format 2.
const FIRST_WITH_FORMAT_2: i16 = 3;
/// From this version on topics are named by id.
const FIRST_WITH_TOPIC_ID: i16 = 13;
/// From this version on a response says who leads instead (KIP-951).
const FIRST_WITH_LEADER: i16 = 10;

/// From this version on a partition is added to the producer's transaction (KIP-890).
const FIRST_THAT_ADDS: i16 = 12;
/// From this version on a client knows that a transaction can be aborted (KIP-1050).
const FIRST_WITH_ABORTABLE: i16 = 11;
/// Since this release a leader has the coordinator verify transactions.
const FIRST_THAT_VERIFIES: [u16; 3] = [3, 6, 0];

/// Refusals of what was not appended that tell where the log begins all the same.
const TELLS_START: [ErrorCode; 4] = [
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode::UNKNOWN_PRODUCER_ID,
    ErrorCode::INVALID_PRODUCER_EPOCH,
];

impl Serve for ProduceRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ProduceResponse> {
        if !matches!(self.acks, -1..=1) {
            return Reply::Now(self.refuse(ErrorCode::INVALID_REQUIRED_ACKS));
        }
        if self.transactional_id.is_none() && self.topic_data.iter().any(has_transactional_records) {
            return Reply::Now(self.refuse(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
        }
        let mut failed = false;
        let mut response = ProduceResponse::default();
        let mut waiting = Vec::new();
        let transactional_id = self.transactional_id;
        for (place, topic) in merged(self.topic_data, origin.version).iter_mut().enumerate() {
            let name = topic_ref(topic, origin.version);
            let mut partition_responses = Vec::new();
            for partition in &mut topic.partition_data {
                let records = partition.records.take().map(RecordBytes::into_bytes).unwrap_or_default();
                let written_to = (&name, partition.index);
                let result = cluster
                    .ask_coordinator(origin, written_to, &records, transactional_id.as_ref())
                    .and_then(|()| cluster.produce(origin, written_to, &records, self.acks));
                failed |= result.is_err();
                let place = (place, partition_responses.len());
                partition_responses.push(match result {
                    Ok(appended) => {
                        waiting.extend(appended.waits.map(|slot| Slot { place, ..slot }));
                        succeeded(partition.index, &appended)
                    }
                    Err(refusal) => {
                        cluster.blame_records(origin.connection, &refusal);
                        cluster.refused(origin, (&name, partition.index), &refusal, &mut response)
                    }
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
            -1 if !waiting.is_empty() => {
                let timeout = Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0));
                cluster.park_produce(origin, response, waiting, timeout);
                Reply::Later
            }
            _ => Reply::Now(response),
        }
    }

    fn refuse(&self, error: ErrorCode) -> ProduceResponse {
        let refused = |partition: &PartitionProduceData| without_offset(partition.index, error);
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

fn has_transactional_records(topic: &TopicProduceData) -> bool {
    let is_transactional = |partition: &PartitionProduceData| {
        let records = partition.records.as_ref().map(|records| records.clone().into_bytes());
        let first = records.as_ref().and_then(|records| Batches::new(records).next());
        first.is_some_and(|batch| batch.is_ok_and(|batch| batch.is_transactional()))
    };
    topic.partition_data.iter().any(is_transactional)
}

/// Every topic and partition once: of a partition that is named more than once, the last records.
fn merged(topics: Vec<TopicProduceData>, version: i16) -> Vec<TopicProduceData> {
    let mut places: BTreeMap<(TopicRef, Option<i32>), usize> = BTreeMap::new();
    let mut all: Vec<TopicProduceData> = Vec::new();
    for mut topic in topics {
        let name = topic_ref(&topic, version);
        let partitions = std::mem::take(&mut topic.partition_data);
        if partitions.is_empty() {
            continue;
        }
        let place = *places.entry((name.clone(), None)).or_insert(all.len());
        if place == all.len() {
            all.push(topic);
        }
        let Some(known) = all.get_mut(place).map(|topic| &mut topic.partition_data) else { continue };
        for partition in partitions {
            let place = *places.entry((name.clone(), Some(partition.index))).or_insert(known.len());
            match known.get_mut(place) {
                Some(earlier) => *earlier = partition,
                None => known.push(partition),
            }
        }
    }
    all
}

fn topic_ref(topic: &TopicProduceData, version: i16) -> TopicRef {
    if version < FIRST_WITH_TOPIC_ID {
        TopicRef::Name(topic.name.clone())
    } else {
        TopicRef::Id(topic.topic_id)
    }
}

fn succeeded(index: i32, appended: &Appended) -> PartitionProduceResponse {
    let error_code = if appended.is_under_replicated {
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
    } else {
        ErrorCode::NONE
    };
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: appended.written.base_offset,
        log_append_time_ms: appended.written.log_append_time_ms,
        log_start_offset: appended.log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

fn without_offset(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..PartitionProduceResponse::default()
    }
}

/// What became of the records of a partition.
struct Appended {
    written: Written,
    log_start_offset: i64,
    /// What is to be waited for.
    waits: Option<Slot>,
    /// There are too few replicas in sync, now that all of them have the records.
    is_under_replicated: bool,
}

impl Cluster {
    /// A leader asks the coordinator whether the partition is part of the producer's transaction, if it does not know
    /// that already (since 3.6); in newer versions of the request it is added (KIP-890).
    fn ask_coordinator(
        &mut self,
        origin: &Origin,
        (topic, index): (&TopicRef, i32),
        records: &Bytes,
        transactional_id: Option<&Str>,
    ) -> Result<(), Refusal> {
        let batch = Batches::new(records).next().and_then(Result::ok);
        let Some(batch) = batch.filter(|batch| batch.magic() == 2 && batch.is_transactional()) else {
            return Ok(());
        };
        let Some(id) = transactional_id else { return Ok(()) };
        if !self.release_of(origin.connection).at_least(FIRST_THAT_VERIFIES) {
            return Ok(());
        }
        let Ok((_, replica)) = self.led(origin, topic, index, -1) else { return Ok(()) };
        let producer = Identity { id: batch.producer_id(), epoch: batch.producer_epoch() };
        if replica.known_producers().is_in_transaction(producer.id, producer.epoch) {
            return Ok(());
        }
        let Some((known, _)) = self.topic_at(origin.broker, topic) else { return Ok(()) };
        let place = (known.name().clone(), index);
        let adding = Adding { id, producer, is_bumping: origin.version >= FIRST_THAT_ADDS };
        let refused = |error| {
            Refusal::new(error, "The partition is not known to be part of the transaction.").of_request()
        };
        self.add_or_verify(origin, &adding, place).map_err(refused)
    }

    fn add_or_verify(&mut self, origin: &Origin, adding: &Adding<'_>, place: Place) -> Result<(), ErrorCode> {
        let now = origin.now;
        let coordinator = self.transactions.coordinator(adding.id);
        let coordinator = coordinator.filter(|broker| self.reaches(origin.broker, *broker));
        let asked = match coordinator {
            None => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            Some(broker) => self.transactions.check_coordinator(now, broker, adding.id),
        };
        let result = asked.and_then(|()| {
            if adding.is_bumping {
                let clock = self.clock(now);
                return self.transactions.add(clock, adding, vec![place]);
            }
            let knows = origin.version >= FIRST_WITH_ABORTABLE;
            let not_part =
                if knows { ErrorCode::TRANSACTION_ABORTABLE } else { ErrorCode::INVALID_TXN_STATE };
            self.transactions.verify(now, adding, &place, not_part)
        });
        result.map_err(|error| match error {
            ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
            // What makes any client send the records again.
            ErrorCode::CONCURRENT_TRANSACTIONS if adding.is_bumping => ErrorCode::CONCURRENT_TRANSACTIONS,
            ErrorCode::CONCURRENT_TRANSACTIONS
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR => ErrorCode::NOT_ENOUGH_REPLICAS,
            error => error,
        })
    }

    /// Appends what a request carries for a partition.
    fn produce(
        &mut self,
        origin: &Origin,
        (topic, index): (&TopicRef, i32),
        records: &Bytes,
        acks: i16,
    ) -> Result<Appended, Refusal> {
        if self.topic_seen(origin.broker, topic).is_some_and(TopicImage::is_internal) {
            return Err(Refusal::from(ErrorCode::INVALID_TOPIC_EXCEPTION));
        }
        self.led(origin, topic, index, -1)?;
        let unknown = || Refusal::from(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let (known, _) = self.topic_at(origin.broker, topic).ok_or_else(unknown)?;
        let (topic_id, limits) = (known.id(), *known.settings.limits());
        let (wall_time, release) = (self.wall_time, self.release_of(origin.connection));
        let expiration = self.config.limits.producer_id_expiration;
        let turn = self.turn(origin.now, topic_id, index).ok_or_else(unknown)?;
        let slot = turn.partition.slot(origin.broker).ok_or_else(unknown)?;
        if acks == -1 && turn.partition.replicas[slot].belief.isr.len() < turn.wanted_isr {
            return Err(Refusal::from(ErrorCode::NOT_ENOUGH_REPLICAS));
        }
        let scratch = &mut self.scratch;
        let accepted = if origin.version < FIRST_WITH_FORMAT_2 {
            batches::up_convert(records, self.config.release.log_magic(), &limits, wall_time, scratch)?
        } else {
            batches::check_batch(records, origin.version, &limits, wall_time, scratch)?
        };
        let mut turn = self.turn(origin.now, topic_id, index).ok_or_else(unknown)?;
        turn.expire_producers(slot, expiration);
        let known = turn.check_sequences(slot, &accepted, release)?;
        let written = known.unwrap_or_else(|| {
            let append_time = limits.log_append_time.then_some(wall_time.0);
            let written = turn.append(slot, &accepted, &limits, append_time);
            turn.retain(slot, &limits, None);
            written
        });
        let replica = &turn.partition.replicas[slot];
        let offset =
            written.base_offset + accepted.batches.iter().map(|batch| batch.stored.offsets).sum::<i64>();
        let is_committed = replica.high_watermark >= offset;
        let waits = Slot { topic_id, index, broker: origin.broker, offset, place: (0, 0) };
        Ok(Appended {
            written,
            log_start_offset: replica.log.start_offset(),
            waits: (acks == -1 && !is_committed).then_some(waits),
            is_under_replicated: acks == -1 && is_committed && replica.belief.isr.len() < turn.wanted_isr,
        })
    }

    /// The response for a partition whose records were refused; it says who leads the partition if that is why.
    fn refused(
        &self,
        origin: &Origin,
        (topic, index): (&TopicRef, i32),
        refusal: &Refusal,
        response: &mut ProduceResponse,
    ) -> PartitionProduceResponse {
        let told = refusal.is_told_in_words().then(|| Str::copy_of(&refusal.message));
        let record_error = |batch_index: &i32| BatchIndexAndErrorMessage {
            batch_index: *batch_index,
            batch_index_error_message: told.clone(),
            ..BatchIndexAndErrorMessage::default()
        };
        let mut result = PartitionProduceResponse {
            record_errors: refusal.records.iter().map(record_error).collect(),
            error_message: told.clone(),
            ..without_offset(index, refusal.code)
        };
        if refusal.tells_start()
            && let Ok((_, replica)) = self.hosted(origin, topic, index, -1)
        {
            result.log_start_offset = replica.log.start_offset();
        }
        if let Ok((_, replica)) = self.led(origin, topic, index, -1)
            && refusal.is_of_log()
            && TELLS_START.contains(&result.error_code)
        {
            result.log_start_offset = replica.log.start_offset();
        }
        let leader = self.topic_seen(origin.broker, topic).and_then(|topic| topic.partition(index));
        if refusal.code == ErrorCode::NOT_LEADER_OR_FOLLOWER
            && origin.version >= FIRST_WITH_LEADER
            && let Some(partition) = leader
        {
            let (leader_id, leader_epoch) = (partition.leader, partition.leader_epoch);
            result.current_leader =
                LeaderIdAndEpoch { leader_id, leader_epoch, ..LeaderIdAndEpoch::default() };
            if let Some(broker) = self.node_seen(origin.broker, leader_id)
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

impl Turn<'_> {
    fn expire_producers(&mut self, slot: usize, expiration: Duration) {
        let Partition { store, replicas, .. } = &mut *self.partition;
        replicas[slot].producers(store, self.now).set_time(self.now, expiration);
    }

    /// Whether the batches continue their producers' sequences; where they are, if they are there already.
    fn check_sequences(
        &mut self,
        slot: usize,
        accepted: &Accepted,
        release: Release,
    ) -> Result<Option<Written>, Refusal> {
        let lenient = release.at_least([2, 5, 0]);
        let Partition { store, replicas, .. } = &mut *self.partition;
        for batch in &accepted.batches {
            let Some(sequenced) = &batch.sequenced else { continue };
            match replicas[slot].producers(store, self.now).check(sequenced, lenient) {
                Verdict::Append => {}
                Verdict::Duplicate(written) => return Ok(Some(written)),
                // There is a code of its own since 1.0 only.
                Verdict::UnknownProducerId if release.at_least([1, 0, 0]) => {
                    return Err(ErrorCode::UNKNOWN_PRODUCER_ID.into());
                }
                Verdict::OutOfOrderSequence | Verdict::UnknownProducerId => {
                    return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.into());
                }
                Verdict::InvalidProducerEpoch => return Err(ErrorCode::INVALID_PRODUCER_EPOCH.into()),
                Verdict::InvalidTransactionState => return Err(ErrorCode::INVALID_TXN_STATE.into()),
            }
        }
        Ok(None)
    }

    /// Has a leader append batches, and returns where the first one is.
    fn append(
        &mut self,
        slot: usize,
        accepted: &Accepted,
        limits: &Limits,
        append_time: Option<i64>,
    ) -> Written {
        self.note_append(slot);
        let flushes = self.peers.flushes_until(self.now);
        let Partition { store, replicas, .. } = &mut *self.partition;
        let replica = &mut replicas[slot];
        replica.flush(flushes);
        replica.producers(store, self.now);
        let log_append_time_ms = append_time.unwrap_or(-1);
        let first = Written { base_offset: replica.log.end_offset(), log_append_time_ms };
        for batch in &accepted.batches {
            replica.log.roll(batch.bytes.len(), limits.segment_bytes.unsigned_abs());
            let epoch = replica.belief.leader_epoch;
            let base_offset = batches::append(&mut replica.log, store, batch, epoch, append_time);
            if let Some(sequenced) = &batch.sequenced {
                // A repetition is told the batch's highest timestamp, whoever set it.
                let log_append_time_ms = append_time.unwrap_or(batch.stored.max_timestamp);
                replica.remember(sequenced, Written { base_offset, log_append_time_ms });
            }
        }
        replica.producers_are_current();
        self.tell_appended(slot, first.base_offset);
        self.handle_appended(slot);
        first
    }

    pub(in crate::cluster) fn tell_appended(&mut self, slot: usize, offset: i64) {
        let replica = &self.partition.replicas[slot];
        let (topic_id, partition) = (self.topic_id, self.index);
        let topic = self.topic;
        let (broker, leader_epoch) = (replica.broker, replica.belief.leader_epoch);
        let end = replica.log.end_offset();
        let stored = || replica.log.read(&self.partition.store, offset, end, usize::MAX, FirstBatch::Whole);
        self.events.tell(|| ClusterEvent::Appended {
            topic_id,
            topic: topic.clone(),
            partition,
            broker,
            leader_epoch,
            batches: stored().into_bytes(),
        });
    }
}
