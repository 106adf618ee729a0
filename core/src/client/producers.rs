//! The producers of a client, and who waits for a topic.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use klamm_protocol::{ApiKey, Str, messages::AnyResponse};

use super::{Action, Client, Done, Table, route, transactions::Offers};
use crate::{
    BrokerId, Entropy, Instant, Misbehaved, OperationId, PartitionIndex, ProducerHandle, Purpose,
    cluster::{Node, TopicError, TopicState},
    connection::ApiVersions,
    metrics::ProducerMetrics,
    producer::{
        BatchId, ConfigError, FlushId, Lost, Producer, ProducerConfig, ProducerOutput, SealedPartition,
        Signal,
    },
    timers::earliest,
    transaction::Transaction,
};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) producer: Producer,
    /// With a transactional id, what is said to its coordinator.
    pub(super) transaction: Option<Transaction>,
    /// The topics whose metadata are kept for this producer.
    topics: BTreeSet<Str>,
    flushes: BTreeMap<FlushId, OperationId>,
    /// When what is left is given up, once the producer is being closed.
    abort_at: Option<Instant>,
    /// The producer has nothing left; the transaction may have.
    pub(super) is_closed: bool,
}

/// Somebody waits for a topic.
#[derive(Debug)]
struct TopicWait {
    operation: OperationId,
    topic: Str,
    deadline: Instant,
}

#[derive(Debug)]
pub(super) struct Producers {
    entropy: Entropy,
    next_id: u32,
    pub(super) table: Table<ProducerHandle, Entry>,
    pub(super) offers: Offers,
    waits: Vec<TopicWait>,
    /// Producers that asked for a connection to a broker that nobody knows.
    unknown: BTreeSet<(ProducerHandle, BrokerId)>,
}

impl Entry {
    fn poll_timeout(&self) -> Option<Instant> {
        let transaction = self.transaction.as_ref().and_then(Transaction::poll_timeout);
        earliest(self.producer.poll_timeout(), transaction)
    }

    fn close(&mut self, now: Instant, deadline: Instant) {
        self.producer.close(now);
        if let Some(transaction) = &mut self.transaction {
            transaction.close(deadline);
        }
    }
}

/// A topic that was waited for cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicUnavailable {
    /// What the cluster says; `None` if it said nothing in time.
    pub error: Option<TopicError>,
    /// What else is known, for instance why no broker can be reached.
    pub context: Option<String>,
}

impl fmt::Display for TopicUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f)?,
            None => f.write_str("no broker said in time what the topic is like")?,
        }
        match &self.context {
            Some(context) => write!(f, ": {context}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for TopicUnavailable {}

impl Producers {
    pub(super) const fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            next_id: 0,
            table: Table::new(),
            offers: Offers::new(),
            waits: Vec::new(),
            unknown: BTreeSet::new(),
        }
    }

    fn get(&mut self, handle: ProducerHandle) -> Option<&mut Producer> {
        self.table.get_mut(&handle).map(|entry| &mut entry.producer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn metrics(&self) -> Vec<ProducerMetrics> {
        self.table.values().map(|entry| entry.producer.metrics()).collect()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for entry in self.table.values_mut() {
            entry.producer.handle_timeout(now);
            if let Some(transaction) = &mut entry.transaction {
                transaction.handle_timeout(now);
            }
            if entry.abort_at.is_some_and(|at| at <= now) {
                probe!(AbortedByProducerClose, entry.producer.outstanding() > 0);
                entry.abort_at = None;
                entry.producer.abort(now);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let producers = self.table.values().map(|entry| earliest(entry.poll_timeout(), entry.abort_at));
        let waits = self.waits.iter().map(|wait| Some(wait.deadline));
        producers.chain(waits).fold(None, earliest)
    }

    pub(super) fn handle_ready(&mut self, now: Instant, broker: BrokerId, versions: &ApiVersions) {
        // A broker that takes no version of Produce refuses the requests one by one.
        let version = versions.version(ApiKey::PRODUCE).unwrap_or(0);
        for entry in self.table.values_mut() {
            entry.producer.handle_ready(now, broker, version);
        }
    }

    pub(super) fn handle_unready(&mut self, now: Instant, broker: BrokerId) {
        for entry in self.table.values_mut() {
            entry.producer.handle_unready(now, broker);
        }
    }

    pub(super) fn handle_written(&mut self, now: Instant, handle: ProducerHandle, number: u64) {
        if let Some(producer) = self.get(handle) {
            producer.handle_written(now, number);
        }
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        self.get(handle).map_or(Ok(()), |producer| producer.handle_response(now, number, response))
    }

    pub(super) fn handle_lost(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        number: u64,
        why: &route::Lost,
    ) {
        let lost = if why.is_unsupported() {
            Lost::Unsupported
        } else if why.is_written() {
            Lost::MaybeSent
        } else {
            Lost::NotSent
        };
        if let Some(producer) = self.get(handle) {
            producer.handle_lost(now, number, lost);
        }
    }

    pub(super) fn close_all(&mut self, now: Instant, deadline: Instant) {
        for entry in self.table.values_mut() {
            entry.close(now, deadline);
        }
    }

    pub(super) fn abort_all(&mut self, now: Instant) {
        for entry in self.table.values_mut() {
            entry.producer.abort(now);
        }
    }
}

impl Client {
    /// Makes a producer.
    ///
    /// # Errors
    ///
    /// The configuration contradicts itself.
    pub fn create_producer(
        &mut self,
        now: Instant,
        config: ProducerConfig,
    ) -> Result<ProducerHandle, ConfigError> {
        let (handle, entropy) = self.next_producer();
        let producer = Producer::new(handle, config, entropy)?;
        Ok(self.add_producer(now, producer, None))
    }

    pub(super) fn add_producer(
        &mut self,
        now: Instant,
        producer: Producer,
        transaction: Option<Transaction>,
    ) -> ProducerHandle {
        let handle = ProducerHandle(self.producers.next_id);
        let mut entry = Entry {
            producer,
            transaction,
            topics: BTreeSet::new(),
            flushes: BTreeMap::new(),
            abort_at: None,
            is_closed: false,
        };
        if self.lifecycle.is_closing() {
            entry.close(now, now);
        }
        self.producers.next_id = self.producers.next_id.wrapping_add(1);
        self.producers.table.insert(handle, entry);
        handle
    }

    /// The handle and the randomness of the next producer.
    pub(super) fn next_producer(&self) -> (ProducerHandle, Entropy) {
        let handle = ProducerHandle(self.producers.next_id);
        (handle, self.producers.entropy.fork(u64::from(handle.0)))
    }

    /// A producer, to ask it.
    #[must_use]
    pub fn producer(&self, handle: ProducerHandle) -> Option<&Producer> {
        self.producers.table.get(&handle).map(|entry| &entry.producer)
    }

    /// An append to the buffer of a partition gave this signal.
    pub fn handle_signal(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        partition: PartitionIndex,
        batch: BatchId,
        signal: Signal,
    ) {
        if let Some(producer) = self.producers.get(handle) {
            producer.handle_signal(now, partition, batch, signal);
        }
    }

    /// The answer to [`Action::Seal`].
    pub fn handle_sealed(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        broker: BrokerId,
        partitions: impl IntoIterator<Item = SealedPartition>,
    ) {
        if let Some(producer) = self.producers.get(handle) {
            producer.handle_sealed(now, broker, partitions);
        }
    }

    /// Has the metadata of a topic kept for a producer, and waits until they are there: [`Done::Topic`] by
    /// `deadline`. Of a topic that failed before this is a new attempt.
    pub fn await_topic(
        &mut self,
        now: Instant,
        operation: OperationId,
        handle: ProducerHandle,
        topic: &Str,
        deadline: Instant,
    ) {
        if let Some(entry) = self.producers.table.get_mut(&handle) {
            if entry.topics.insert(topic.clone()) {
                self.cluster.want_topic(topic);
            } else if matches!(self.cluster.topic_state(topic), TopicState::Failed(_)) {
                self.cluster.release_topic(topic);
                self.cluster.want_topic(topic);
            }
        }
        self.producers.waits.push(TopicWait { operation, topic: topic.clone(), deadline });
        self.check_topic_waits(now);
    }

    /// Sends what a producer has, without waiting for more: [`Done::Flushed`] when all of it has its outcome.
    pub fn flush(&mut self, now: Instant, operation: OperationId, handle: ProducerHandle) {
        match self.producers.table.get_mut(&handle) {
            Some(entry) => {
                let flush = entry.producer.flush(now);
                entry.flushes.insert(flush, operation);
            }
            None => self.actions.push_back(Action::Done { operation, result: Done::Flushed }),
        }
    }

    /// Sends what a producer has, without waiting for more: memory is short.
    pub fn hurry(&mut self, now: Instant, handle: ProducerHandle) {
        if let Some(producer) = self.producers.get(handle) {
            producer.hurry(now);
        }
    }

    /// Gives up what a producer has: what was sent may be written, the rest is not.
    pub fn abort_producer(&mut self, now: Instant, handle: ProducerHandle) {
        if let Some(producer) = self.producers.get(handle) {
            producer.abort(now);
        }
    }

    /// Closes a producer: it delivers what it has, by `deadline` at the latest, and is then gone
    /// ([`Action::ProducerClosed`]).
    pub fn close_producer(&mut self, now: Instant, handle: ProducerHandle, deadline: Instant) {
        let Some(entry) = self.producers.table.get_mut(&handle) else { return };
        entry.close(now, deadline);
        entry.abort_at = Some(entry.abort_at.map_or(deadline, |earlier| earlier.min(deadline)));
        if deadline <= now {
            entry.abort_at = None;
            entry.producer.abort(now);
        }
    }

    /// What the cluster is like has changed: all who live by it are told.
    pub(super) fn cluster_changed(&mut self, now: Instant) {
        self.drop_stale_connections(now);
        self.tell_moved_leaders(now);
        self.tell_groups(now);
        for (handle, broker) in core::mem::take(&mut self.producers.unknown) {
            if let Some(producer) = self.producers.get(handle) {
                producer.handle_unready(now, broker);
            }
        }
        self.actions.push_back(Action::ClusterChanged);
        self.check_topic_waits(now);
        self.check_connects(now);
    }

    /// Answers those who wait for a topic, if there is an answer.
    pub(super) fn check_topic_waits(&mut self, now: Instant) {
        if self.producers.waits.is_empty() {
            return;
        }
        let closing = self.lifecycle.is_closing();
        let (cluster, diagnosis, actions) = (&self.cluster, &self.diagnosis, &mut self.actions);
        self.producers.waits.retain(|wait| {
            let error = match cluster.topic_state(&wait.topic) {
                TopicState::Known(_) => None,
                TopicState::Failed(error) => Some(Some(error)),
                TopicState::Pending(code) if (wait.deadline <= now || closing) && !code.is_ok() => {
                    Some(Some(TopicError { code, deleted: false }))
                }
                TopicState::Pending(_) | TopicState::NotWanted if wait.deadline <= now || closing => {
                    probe!(TopicWaitTimedOut, !closing);
                    Some(None)
                }
                TopicState::Pending(_) | TopicState::NotWanted => return true,
            };
            let result = match error {
                None => Ok(()),
                Some(error) => {
                    let context = if error.is_none() { diagnosis.describe() } else { None };
                    Err(TopicUnavailable { error, context })
                }
            };
            actions.push_back(Action::Done { operation: wait.operation, result: Done::Topic(result) });
            false
        });
    }

    pub(super) fn poll_producers(&mut self, now: Instant) -> bool {
        if self.poll_transactions(now) {
            return true;
        }
        let cluster = &self.cluster;
        let entries = self.producers.table.iter_mut();
        let output = entries
            .map(|(handle, entry)| (*handle, entry.producer.poll(now, cluster)))
            .find_map(|(handle, output)| Some((handle, output?)));
        let Some((producer, output)) = output else { return false };
        match output {
            ProducerOutput::Connect(broker) => self.connect_producer(now, producer, broker),
            ProducerOutput::Seal(seal) => {
                let link = self.links.find(Node::Broker(seal.broker), Purpose::Produce);
                let connection = link.filter(|(_, link)| link.is_open()).map(|(id, _)| id);
                if connection.is_none() {
                    // It was closed by this client, and its end is not known yet. A producer that took it for open
                    // would ask again at once, and for ever.
                    self.producers.handle_unready(now, seal.broker);
                }
                self.actions.push_back(Action::Seal { connection, producer, seal });
            }
            ProducerOutput::Request(request) => self.route(now, request),
            ProducerOutput::Outcome { outcome, reason } => {
                let context = match reason {
                    Some(reason) => Some(String::from(&*reason)),
                    None if outcome.result.is_err() => self.diagnosis.describe(),
                    None => None,
                };
                self.actions.push_back(Action::Outcome { producer, outcome, context });
            }
            ProducerOutput::Discard { partition, through } => {
                self.actions.push_back(Action::Discard { producer, partition, through });
            }
            ProducerOutput::WantLeader(_) => self.cluster.request_refresh(),
            ProducerOutput::AvailabilityChanged => self.actions.push_back(Action::ClusterChanged),
            ProducerOutput::Leader(hint) => {
                self.cluster.handle_leader_hint(hint.partition, hint.leader, hint.endpoint);
            }
            ProducerOutput::Flushed(flush) => self.flushed(producer, flush),
            ProducerOutput::Enrol { .. } | ProducerOutput::BatchFailed(_) | ProducerOutput::Drained => {
                self.tell_transaction(producer, &output);
            }
            ProducerOutput::Closed => self.producer_closed(producer),
            // A kind of output that is unknown here is none of this client's.
            #[expect(unreachable_patterns, reason = "the enum may grow")]
            _ => {}
        }
        true
    }

    fn flushed(&mut self, producer: ProducerHandle, flush: FlushId) {
        let Some(entry) = self.producers.table.get_mut(&producer) else { return };
        if let Some(operation) = entry.flushes.remove(&flush) {
            self.actions.push_back(Action::Done { operation, result: Done::Flushed });
        }
    }

    pub(super) fn producer_closed(&mut self, producer: ProducerHandle) {
        let Some(entry) = self.producers.table.get_mut(&producer) else { return };
        entry.is_closed = true;
        if entry.transaction.is_some() {
            // Its end is still to come.
            return;
        }
        let Some(entry) = self.producers.table.remove(&producer) else { return };
        for topic in &entry.topics {
            self.cluster.release_topic(topic);
        }
        for operation in entry.flushes.into_values() {
            self.actions.push_back(Action::Done { operation, result: Done::Flushed });
        }
        self.actions.push_back(Action::ProducerClosed { producer });
    }

    fn connect_producer(&mut self, now: Instant, handle: ProducerHandle, broker: BrokerId) {
        let Some(connection) = self.connect(now, Node::Broker(broker), Purpose::Produce) else {
            self.producers.unknown.insert((handle, broker));
            self.cluster.request_refresh();
            return;
        };
        let versions = self.links.get(connection).and_then(|link| link.versions().cloned());
        let Some(versions) = versions else { return };
        if let Some(producer) = self.producers.get(handle) {
            producer.handle_ready(now, broker, versions.version(ApiKey::PRODUCE).unwrap_or(0));
        }
    }
}
