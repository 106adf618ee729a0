//! What a test may do to a cluster, besides talking to it.

mod brokers;
mod replicas;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::records::{Batches, ReadOptions, Scratch};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::Cluster;
use super::replication::{Change, Node};
use super::topics::creation::NewTopic;
use super::topics::{Partition, Replica, Topic};
use crate::observe::ClusterEvent;

pub use brokers::Crash;
pub use replicas::ReplicaState;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name().unwrap_or("error"))]
#[non_exhaustive]
pub struct CommandError {
    /// As a broker would answer it.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
}

/// A record in the log of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its offset.
    pub offset: i64,
    /// In milliseconds since 1970; -1 without.
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<Bytes>,
    /// The value, if there is one.
    pub value: Option<Bytes>,
    /// Names and values, in their order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// The state of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// The broker that leads it, if there is one.
    pub leader: Option<i32>,
    /// Raised by each election.
    pub leader_epoch: i32,
    /// The brokers that hold it.
    pub replicas: Vec<i32>,
    /// Those that are in sync.
    pub isr: Vec<i32>,
    /// The offset of the oldest record.
    pub log_start_offset: i64,
    /// Consumers see what is below this.
    pub high_watermark: i64,
}

impl Cluster {
    /// Creates a topic and returns its id.
    ///
    /// # Errors
    /// As a broker would refuse it: the name is invalid or taken, a number out of range.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
    ) -> Result<Uuid, CommandError> {
        let new = NewTopic { name: Str::copy_of(name), partitions, replication, ..NewTopic::default() };
        let topic = self.plan_topic(&new)?;
        Ok(self.add_topic(topic))
    }

    /// Sets a topic's configuration, such as `message.timestamp.type`; `None` goes back to the default.
    ///
    /// # Errors
    /// There is no such topic or configuration, or the value is invalid.
    pub fn configure_topic(
        &mut self,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), CommandError> {
        let topic = self.topics.get_mut(name).ok_or_else(|| unknown_topic(name))?;
        topic
            .settings
            .set(key, value)
            .map_err(|message| CommandError { code: ErrorCode::INVALID_CONFIG, message })?;
        let id = topic.id();
        self.elect_where_allowed(self.now, id);
        Ok(())
    }

    /// Adds partitions to a topic, so that it has `count` of them.
    ///
    /// # Errors
    /// There is no such topic, or it has as many already.
    pub fn add_partitions_to(&mut self, name: &str, count: i32) -> Result<(), CommandError> {
        let replicas = self.plan_partitions(name, count, None)?;
        self.add_partitions(name, replicas);
        Ok(())
    }

    /// Deletes a topic. Fetches that wait for it are answered.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn delete_topic(&mut self, now: Instant, name: &str) -> Result<(), CommandError> {
        self.now = now;
        if !self.remove_topic(name) {
            return Err(unknown_topic(name));
        }
        self.work(now);
        Ok(())
    }

    pub(crate) fn remove_topic(&mut self, name: &str) -> bool {
        let Some(topic_id) = self.topics.remove(name) else { return false };
        self.groups.forget_topic(name);
        self.events.tell(|| ClusterEvent::TopicDeleted { topic_id, topic: Str::copy_of(name) });
        self.changes.push(Change::Deleted(topic_id));
        self.publish(self.now);
        true
    }

    /// The broker that clients are told to reach under this address.
    #[must_use]
    pub fn broker_at(&self, host: &str, port: u16) -> Option<i32> {
        let at = |broker: &&Node| &*broker.host == host && broker.port == i32::from(port);
        self.brokers.iter().map(|broker| &broker.node).find(at).map(|node| node.id)
    }

    /// Whether clients are told to reach any broker under this name.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        self.brokers.iter().any(|broker| &*broker.node.host == host)
    }

    /// The addresses of all brokers, in the order of their ids.
    pub fn addresses(&self) -> impl Iterator<Item = (i32, String)> {
        let nodes = self.brokers.iter().map(|broker| &broker.node);
        nodes.map(|node| (node.id, format!("{}:{}", node.host, node.port)))
    }

    /// Has a partition forget a producer, as when its state expired.
    pub fn forget_producer(&mut self, topic: &str, partition: i32, producer_id: i64) -> bool {
        let Some(found) = self.topics.get_mut(topic) else { return false };
        let (topic_id, index) = (found.id(), partition);
        let Some(Partition { store, replicas, .. }) = found.partition_mut(partition) else { return false };
        let now = self.now;
        let forget = |replica: &mut Replica| replica.producers(store, now).forget(producer_id);
        let has_forgotten = replicas.iter_mut().map(forget).filter(|forgot| *forgot).count() > 0;
        if has_forgotten {
            self.events.tell(|| ClusterEvent::ProducerForgotten { topic_id, partition: index, producer_id });
        }
        has_forgotten
    }

    /// The names of all topics, in order.
    pub fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.name().as_str())
    }

    /// The id of a topic.
    #[must_use]
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(Topic::id)
    }

    /// The state of a partition.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionState> {
        let topic = self.topics.get(topic)?;
        let leadership = topic.image.partition(partition)?;
        let replica = topic.partition(partition)?.authority()?;
        Some(PartitionState {
            leader: (leadership.leader >= 0).then_some(leadership.leader),
            leader_epoch: leadership.leader_epoch,
            replicas: leadership.replicas.clone(),
            isr: leadership.isr.clone(),
            log_start_offset: replica.log.start_offset(),
            high_watermark: replica.high_watermark,
        })
    }

    /// Up to where a partition's records are committed and the transactions that they are part of have ended.
    #[must_use]
    pub fn last_stable_offset(&mut self, topic: &str, partition: i32) -> Option<i64> {
        let now = self.now;
        let Partition { store, replicas, history } = self.topics.get_mut(topic)?.partition_mut(partition)?;
        let leader = history.leader;
        let is_leader = |replica: &&mut Replica| leader.is_none_or(|leader| replica.broker == leader);
        let replica = replicas.iter_mut().find(is_leader)?;
        replica.producers(store, now);
        Some(replica.last_stable_offset())
    }

    /// What is committed for a partition in a group.
    #[must_use]
    pub fn committed_offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let committed = self.groups.get(group)?.offsets.get(&(Str::copy_of(topic), partition))?;
        Some(committed.offset)
    }

    /// The batches of a partition as they are stored by the broker that took it over last.
    #[must_use]
    pub fn batches(&self, topic: &str, partition: i32) -> Option<Bytes> {
        let broker = self.topics.get(topic)?.partition(partition)?.authority()?.broker;
        self.replica_batches(topic, partition, broker)
    }

    /// All records of a partition, decoded. Control batches are left out.
    #[must_use]
    pub fn records(&self, topic: &str, partition: i32) -> Option<Vec<LogRecord>> {
        let batches = self.batches(topic, partition)?;
        let mut records = Vec::new();
        let mut scratch = Scratch::new();
        for batch in Batches::new(&batches).flatten().filter(|batch| !batch.is_control()) {
            let Ok(open) = batch.open(&mut scratch, &ReadOptions::default()) else { continue };
            records.extend(open.flatten().map(|record| LogRecord {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(Bytes::copy_from_slice),
                value: record.value.map(Bytes::copy_from_slice),
                headers: record.headers.iter().map(owned_header).collect(),
            }));
        }
        Some(records)
    }
}

fn owned_header(header: klamm_protocol::records::Header<'_>) -> (String, Option<Bytes>) {
    (header.key.to_owned(), header.value.map(Bytes::copy_from_slice))
}

fn unknown_topic(name: &str) -> CommandError {
    CommandError {
        code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        message: format!("there is no topic {name:?}"),
    }
}
