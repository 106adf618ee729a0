//! Produce requests.

use alloc::{collections::BTreeMap, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{
    ErrorCode, RecordBytes,
    compression::{Compression, Compressor},
    messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    records::{LegacyFormat, SealedBatch, Stamp},
};

use super::{
    Acks, ProduceErrorKind, ProducerOutput,
    batch::{BatchKey, Identity},
    machine::Producer,
    partition::Step,
};
use crate::{BrokerId, Instant, PartitionIndex, Purpose, Request, Target, Token};

/// The last version that names topics by name.
const LAST_VERSION_WITH_NAMES: i16 = 12;
/// Later versions add the partitions to the transaction (KIP-890).
const LAST_EXPLICIT_VERSION: i16 = 11;
/// The first versions that take messages of format 1 and batches of format 2.
const FORMAT_1_VERSION: i16 = 2;
const FORMAT_2_VERSION: i16 = 3;

/// One batch of a request, by topic and partition number: the order in which they are in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SentBatch {
    pub(super) name: (usize, i32),
    pub(super) partition: PartitionIndex,
    pub(super) key: BatchKey,
}

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct SentRequest {
    pub(super) broker: BrokerId,
    /// Ascending.
    pub(super) batches: Vec<SentBatch>,
}

/// The requests that are not answered, by their number.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) requests: BTreeMap<u64, SentRequest>,
    next: u64,
}

impl Sent {
    /// The number of the next request.
    pub(super) const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// A batch that was chosen for a request.
struct Chosen {
    sent: SentBatch,
    records: RecordBytes,
}

impl Producer {
    /// Puts the sealed batches that wait for a broker into a request; returns whether there was any.
    pub(super) fn send(&mut self, now: Instant, id: BrokerId, version: i16) -> bool {
        let number = self.sent.number();
        let mut chosen = Vec::new();
        for (index, at) in self.choose(now, id) {
            self.count_first_sending(now, index, at);
            match self.take_along(index, at, version, number) {
                Ok(batch) => chosen.extend(batch),
                Err(code) => self.fail(index, at, ProduceErrorKind::Unsupported, code),
            }
            self.schedule(now, index);
        }
        if chosen.is_empty() {
            return false;
        }
        chosen.sort_unstable_by_key(|chosen| chosen.sent);
        let batches = chosen.iter().map(|chosen| chosen.sent).collect();
        let request = self.request(chosen, version, (id, number));
        self.progress.counts.requests += 1;
        self.sent.requests.insert(number, SentRequest { broker: id, batches });
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.in_flight += 1;
            broker.waiting_since = None;
        }
        self.news.outputs.push_back(ProducerOutput::Request(request));
        true
    }

    /// The batches of the next request, by partition and place in its queue: at most one a partition, and no more
    /// than a request may hold. The first that found no room is the first of the next request.
    fn choose(&mut self, now: Instant, id: BrokerId) -> Vec<(PartitionIndex, usize)> {
        let rules = self.rules();
        let max_bytes = self.config.max_request_size;
        let Some(broker) = self.brokers.get(&id) else { return Vec::new() };
        let mut chosen = Vec::new();
        let mut bytes = 0;
        let mut turn = broker.turn;
        for index in broker.ready_in_turn() {
            let Some(state) = self.partition(index) else { continue };
            let Step::Send(at) = state.step(now, &rules) else { continue };
            bytes += state.queue.get(at).map_or(0, |batch| batch.sealed.len());
            if bytes > max_bytes && !chosen.is_empty() {
                probe!(RequestFull);
                turn = index.0;
                break;
            }
            chosen.push((index, at));
            turn = index.0.saturating_add(1);
        }
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.turn = turn;
        }
        chosen
    }

    /// Counts a batch that was never sent before.
    fn count_first_sending(&mut self, now: Instant, index: PartitionIndex, at: usize) {
        let batch = self.partition(index).and_then(|state| state.queue.get(at));
        if let Some(batch) = batch.filter(|batch| batch.refusals == 0) {
            let waited = now.since(batch.opened.at);
            self.progress.counts.queue_time.record(waited);
        }
    }

    /// Marks a batch as sent, under the identity that it has or is given now. `Err` if the broker is too old for it.
    fn take_along(
        &mut self,
        index: PartitionIndex,
        at: usize,
        version: i16,
        number: u64,
    ) -> Result<Option<Chosen>, ErrorCode> {
        let rules = self.rules();
        // Messages of the older formats have no room for an identity: written again, they would be there twice.
        if rules.idempotent && version < FORMAT_2_VERSION && !self.config.idempotence_optional {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        let Some(state) = self.partition_mut(index) else { return Ok(None) };
        let (Some(name), Some(batch)) = (state.name, state.queue.get_mut(at)) else { return Ok(None) };
        let mut renewed = false;
        if rules.idempotent && batch.identity.is_none() {
            if state.sequences.is_renewing() {
                state.proven_on = None;
                renewed = true;
            }
            batch.identity = state.sequences.assign(batch.sealed.count(), rules.producer_id);
            if batch.identity.is_none() {
                return Ok(None);
            }
        }
        let as_sent = (rules.transactional, batch.refusals > 0);
        let records = record_bytes(&batch.sealed, batch.identity, version, as_sent)?;
        batch.in_flight = Some(number);
        let key = batch.key;
        state.in_flight += 1;
        self.progress.counts.epoch_bumps += u64::from(renewed);
        Ok(Some(Chosen { sent: SentBatch { name, partition: index, key }, records }))
    }

    fn request(&self, chosen: Vec<Chosen>, version: i16, (broker, number): (BrokerId, u64)) -> Request {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let mut last = None;
        let mut max_version = match self.source.enlisted() {
            Some(enlisted) if !enlisted.is_implicit() => version.min(LAST_EXPLICIT_VERSION),
            _ => version,
        };
        for Chosen { sent, records } in chosen {
            let (topic, number) = sent.name;
            if last != Some(topic) {
                last = Some(topic);
                let Some(topic) = self.topics.get(topic) else { continue };
                if topic.id.is_zero() {
                    max_version = max_version.min(LAST_VERSION_WITH_NAMES);
                }
                topics.push(TopicProduceData {
                    name: topic.name.clone(),
                    topic_id: topic.id,
                    ..TopicProduceData::default()
                });
            }
            let data = PartitionProduceData {
                index: number,
                records: Some(records),
                ..PartitionProduceData::default()
            };
            if let Some(topic) = topics.last_mut() {
                topic.partition_data.push(data);
            }
        }
        let timeout = self.config.request_timeout;
        let message = ProduceRequest {
            transactional_id: self.config.transactional_id.clone(),
            acks: self.config.acks.wire(),
            timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: topics,
            ..ProduceRequest::default()
        };
        let token = Token::Producer(self.handle, number);
        let request = Request::new(Target::Broker(broker), Purpose::Produce, token, message, timeout);
        Request { max_version, no_response: self.config.acks == Acks::None, ..request }
    }
}

/// A batch as it is sent in a request of this version.
fn record_bytes(
    sealed: &SealedBatch,
    identity: Option<Identity>,
    version: i16,
    (transactional, is_resend): (bool, bool),
) -> Result<RecordBytes, ErrorCode> {
    if version >= FORMAT_2_VERSION {
        let stamp = identity.map_or(Stamp::NONE, |identity| {
            Stamp::idempotent(identity.producer_id, identity.epoch, identity.sequence)
        });
        let stamp = if transactional { stamp.transactional() } else { stamp };
        let mut header = sealed.header(&stamp);
        if is_resend && planted!(ResendReencoded) {
            // The leader epoch, which no checksum covers.
            header[12..16].fill(0);
        }
        if planted!(WrongChecksum, every 10) {
            header[17] ^= 1;
        }
        return Ok(RecordBytes::new(Bytes::copy_from_slice(&header), sealed.payload().clone()));
    }
    probe!(SentAsMessages);
    let format = if version >= FORMAT_1_VERSION { LegacyFormat::V1 } else { LegacyFormat::V0 };
    let codec = match sealed.compression() {
        Compression::Zstd => Compression::None,
        codec => codec,
    };
    let legacy = sealed.to_legacy(format, &mut Compressor::new(codec));
    legacy.map(RecordBytes::from).map_err(|_| ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT)
}
