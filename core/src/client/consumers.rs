//! The consumers of a client.

use alloc::{collections::BTreeSet, vec::Vec};

use klamm_protocol::{ErrorCode, Str, messages::AnyResponse};

use super::{Action, Client, Table};
use crate::{
    ConsumerId, Entropy, Instant, PartitionIndex, WallTime,
    cluster::{Address, Broker, Leader, Moved},
    connection::RequestError,
    consumer::{
        Assignment, Consumer, ConsumerConfig, ConsumerOutput, LeaderHint, OffsetReset, PartitionLeader,
        StartAt,
    },
    metrics::ConsumerMetrics,
    timers::earliest,
};

#[derive(Debug)]
struct Entry {
    consumer: Consumer,
    /// The topics whose metadata are kept for this consumer.
    topics: BTreeSet<Str>,
    /// Whether the metadata of all topics are kept for this consumer.
    all_topics: bool,
    closed: bool,
}

#[derive(Debug)]
pub(super) struct Consumers {
    entropy: Entropy,
    next_id: u32,
    wall_time: Option<(Instant, WallTime)>,
    table: Table<ConsumerId, Entry>,
}

impl Consumers {
    pub(super) const fn new(entropy: Entropy) -> Self {
        Self { entropy, next_id: 0, wall_time: None, table: Table::new() }
    }

    pub(super) fn get(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.table.get_mut(&id).map(|entry| &mut entry.consumer)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for entry in self.table.values_mut() {
            entry.consumer.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.table.values().map(|entry| entry.consumer.poll_timeout()).fold(None, earliest)
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        id: ConsumerId,
        number: u64,
        version: i16,
        response: &AnyResponse,
    ) {
        if let Some(consumer) = self.get(id) {
            consumer.handle_response(now, number, version, response);
        }
    }

    pub(super) fn handle_lost(
        &mut self,
        now: Instant,
        id: ConsumerId,
        number: u64,
        error: Option<&RequestError>,
    ) {
        if let Some(consumer) = self.get(id) {
            consumer.handle_lost(now, number, error);
        }
    }

    pub(super) fn handle_topic_failed(&mut self, now: Instant, topic: &str, code: ErrorCode) {
        for entry in self.table.values_mut() {
            entry.consumer.handle_topic_failed(now, topic, code);
        }
    }

    pub(super) fn metrics(&self) -> Vec<ConsumerMetrics> {
        let open = self.table.values().filter(|entry| !entry.closed);
        open.map(|entry| entry.consumer.metrics()).collect()
    }

    pub(super) fn reset_of(&self, id: ConsumerId) -> Option<OffsetReset> {
        self.table.get(&id).filter(|entry| !entry.closed).map(|entry| entry.consumer.offset_reset())
    }

    pub(super) fn close_all(&mut self, now: Instant) {
        for entry in self.table.values_mut() {
            entry.consumer.close(now);
            entry.closed = true;
        }
    }
}

impl Client {
    /// Makes a consumer to which nothing is assigned.
    pub fn create_consumer(&mut self, config: ConsumerConfig) -> ConsumerId {
        let id = ConsumerId(self.consumers.next_id);
        self.consumers.next_id = self.consumers.next_id.wrapping_add(1);
        let entropy = self.consumers.entropy.fork(u64::from(id.0));
        let config = ConsumerConfig { replica_max_age: self.config.cluster.max_age, ..config };
        let mut consumer = Consumer::new(id, config, entropy);
        if let Some((at, wall_time)) = self.consumers.wall_time {
            consumer.handle_wall_time(at, wall_time);
        }
        let closed = self.lifecycle.is_closing();
        let entry = Entry { consumer, topics: BTreeSet::new(), all_topics: false, closed };
        self.consumers.table.insert(id, entry);
        id
    }

    /// Assigns partitions, in addition to those that are assigned. Returns their numbers, in their order.
    pub fn assign(
        &mut self,
        now: Instant,
        id: ConsumerId,
        partitions: impl IntoIterator<Item = (Str, i32, StartAt)>,
    ) -> Vec<PartitionIndex> {
        let mut indices = Vec::new();
        let mut assignments = Vec::new();
        for (topic, partition, start) in partitions {
            let index = self.cluster.intern(&topic, partition);
            indices.push(index);
            assignments.push(Assignment { index, topic, partition, start });
        }
        if let Some(entry) = self.consumers.table.get_mut(&id).filter(|entry| !entry.closed) {
            entry.consumer.assign(now, assignments);
            self.tell_leaders_of(now, id, &indices);
            if indices.iter().any(|index| self.cluster.lacks(*index)) {
                self.cluster.await_partition(true);
            }
        }
        indices
    }

    /// What time it is on the wall now; see [`Consumer::handle_wall_time`].
    pub fn handle_wall_time(&mut self, now: Instant, wall_time: WallTime) {
        self.consumers.wall_time = Some((now, wall_time));
        for entry in self.consumers.table.values_mut() {
            entry.consumer.handle_wall_time(now, wall_time);
        }
    }

    /// A consumer, to ask it.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.table.get(&id).map(|entry| &entry.consumer)
    }

    /// A consumer, to command it. Assigning is done by [`Client::assign`].
    pub fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.get(id)
    }

    /// Keeps the metadata of all topics that the client may see, until the consumer is closed.
    /// [`Action::ClusterChanged`] tells when there are others.
    pub fn want_all_topics(&mut self, id: ConsumerId) {
        let open = |entry: &&mut Entry| !entry.closed && !entry.all_topics;
        if let Some(entry) = self.consumers.table.get_mut(&id).filter(open) {
            entry.all_topics = true;
            self.cluster.want_all_topics();
        }
    }

    /// Closes a consumer. What it had fetched and was not handed out is not to be handed out any more.
    pub fn close_consumer(&mut self, now: Instant, id: ConsumerId) {
        let Some(entry) = self.consumers.table.get_mut(&id).filter(|entry| !entry.closed) else { return };
        entry.closed = true;
        entry.consumer.close(now);
        if core::mem::take(&mut entry.all_topics) {
            self.cluster.release_all_topics();
        }
        for topic in core::mem::take(&mut entry.topics) {
            self.cluster.release_topic(&topic);
        }
    }

    pub(super) fn poll_consumers(&mut self, now: Instant) -> bool {
        let ids = self.consumers.table.iter_mut();
        let output = ids
            .map(|(id, entry)| (*id, entry.consumer.poll(now)))
            .find_map(|(id, output)| Some((id, output?)));
        let Some((consumer, output)) = output else { return self.drop_closed_consumers(now) };
        match output {
            ConsumerOutput::Request(request) => self.route(now, *request),
            ConsumerOutput::Deliver(chunk) => self.actions.push_back(Action::Deliver { consumer, chunk }),
            ConsumerOutput::Event { epoch, event } => {
                self.tell_group_where(now, consumer, (epoch, &event));
                self.actions.push_back(Action::ConsumerEvent { consumer, epoch, event });
            }
            ConsumerOutput::WantTopic(topic) => self.want_for_consumer(now, consumer, topic),
            ConsumerOutput::ReleaseTopic(topic) => self.release_for_consumer(consumer, &topic),
            ConsumerOutput::RefreshTopic(_) => self.cluster.request_refresh(),
            ConsumerOutput::LeaderHint(hint) => self.consumer_hint(&hint),
            ConsumerOutput::Relieve => self.actions.push_back(Action::Relieve { consumer }),
            ConsumerOutput::MakeRoom { bytes } => {
                self.actions.push_back(Action::MakeRoom { consumer, bytes });
            }
        }
        true
    }

    fn tell_leaders_of(&mut self, now: Instant, id: ConsumerId, indices: &[PartitionIndex]) {
        let Some(consumer) = self.consumers.get(id) else { return };
        for index in indices.iter().copied() {
            if !consumer.is_assigned(index) {
                continue;
            }
            let leader = self.cluster.leader(index).map(|leader| {
                let topic =
                    self.cluster.partitions().name(index).and_then(|(topic, _)| self.cluster.topic(topic));
                PartitionLeader {
                    broker: leader.broker,
                    epoch: leader.epoch,
                    topic_id: topic.map(|topic| topic.id).unwrap_or_default(),
                }
            });
            consumer.handle_leader(now, index, leader);
        }
    }

    /// Has the cluster asked for again while something is assigned that it does not have, and may have soon.
    pub(super) fn await_partitions(&mut self) {
        let mut open = self.consumers.table.values().filter(|entry| !entry.closed);
        let missing = open.any(|entry| entry.consumer.assignment().any(|index| self.cluster.lacks(index)));
        self.cluster.await_partition(missing);
    }

    /// Tells the consumers who leads those of their partitions for which that may have changed.
    pub(super) fn tell_moved_leaders(&mut self, now: Instant) {
        let moved = self.cluster.take_moved();
        let ids: Vec<ConsumerId> = self.consumers.table.keys().copied().collect();
        for id in ids {
            match &moved {
                Moved::Some(partitions) => self.tell_leaders_of(now, id, partitions),
                Moved::All => {
                    let all = self.consumer(id).map(|consumer| consumer.assignment().collect::<Vec<_>>());
                    self.tell_leaders_of(now, id, &all.unwrap_or_default());
                }
            }
        }
    }

    /// Forgets consumers that were closed and have nothing more to say.
    fn drop_closed_consumers(&mut self, now: Instant) -> bool {
        if self.consumers.table.values().any(|entry| entry.closed) {
            self.consumers.table.retain(|_, entry| !entry.closed);
            self.drop_unused_connections(now);
        }
        false
    }

    /// Whether a consumer may still want something.
    pub(super) fn has_consumer(&self, id: ConsumerId) -> bool {
        self.consumers.table.contains_key(&id)
    }

    fn want_for_consumer(&mut self, now: Instant, id: ConsumerId, topic: Str) {
        let Some(entry) = self.consumers.table.get_mut(&id).filter(|entry| !entry.closed) else { return };
        if entry.topics.contains(&topic) {
            return;
        }
        self.cluster.want_topic(&topic);
        entry.topics.insert(topic.clone());
        // What is not known yet is told when it comes. Telling all here would make many topics a square of work.
        let known = self.cluster.topic(&topic).map(|topic| topic.partitions.to_vec());
        self.tell_leaders_of(now, id, &known.unwrap_or_default());
    }

    fn release_for_consumer(&mut self, id: ConsumerId, topic: &Str) {
        let Some(entry) = self.consumers.table.get_mut(&id) else { return };
        if entry.topics.remove(topic) {
            self.cluster.release_topic(topic);
        }
    }

    fn consumer_hint(&mut self, hint: &LeaderHint) {
        let leader = Leader { broker: hint.broker, epoch: hint.epoch };
        let endpoint = hint.endpoint.as_ref().map(|(host, port)| Broker {
            id: hint.broker,
            address: Address { host: host.clone(), port: *port },
            rack: None,
        });
        self.cluster.handle_leader_hint(hint.partition, leader, endpoint);
    }
}
