//! What a test may do to a cluster, besides talking to it.

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::records::{Batches, ReadOptions, Scratch};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::log::FirstBatch;
use super::topics::creation::NewTopic;
use super::{Broker, Cluster};
use crate::observe::ClusterEvent;

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
            .map_err(|message| CommandError { code: ErrorCode::INVALID_CONFIG, message })
    }

    /// Deletes a topic. Fetches that wait for it are answered.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn delete_topic(&mut self, now: Instant, name: &str) -> Result<(), CommandError> {
        if !self.remove_topic(name) {
            return Err(unknown_topic(name));
        }
        self.work(now);
        Ok(())
    }

    pub(crate) fn remove_topic(&mut self, name: &str) -> bool {
        let Some(topic) = self.topics.remove(name) else { return false };
        self.groups.forget_topic(name);
        self.events.tell(|| ClusterEvent::TopicDeleted { topic_id: topic.id, topic: topic.name.clone() });
        for connection in topic.partitions.iter().flat_map(|partition| &partition.waiting) {
            self.links.feed(*connection, None);
        }
        true
    }

    /// A broker dies: its connections break, and another replica in sync leads its partitions. Returns false if
    /// there is no such broker or it is dead already.
    pub fn kill(&mut self, now: Instant, broker: i32) -> bool {
        let Some(known) = self.brokers.iter_mut().find(|known| known.id == broker && known.is_alive) else {
            return false;
        };
        known.is_alive = false;
        known.sessions.clear();
        self.links.forget_pause(broker);
        for connection in self.links.of_broker(broker) {
            self.close(connection);
        }
        self.groups.handle_broker_down(broker);
        self.events.tell(|| ClusterEvent::Broker { broker, up: false });
        for (topic_id, index, partition) in self.topics.partitions_mut() {
            if partition.handle_broker_down(broker) {
                partition.waiting.iter().for_each(|connection| self.links.feed(*connection, None));
                self.events.tell(|| partition.elected(topic_id, index));
            }
        }
        self.work(now);
        true
    }

    /// A dead broker comes back with its logs, and in sync. Returns false if there is no such broker or it is
    /// alive.
    pub fn restart(&mut self, broker: i32) -> bool {
        let Some(known) = self.brokers.iter_mut().find(|known| known.id == broker && !known.is_alive) else {
            return false;
        };
        known.is_alive = true;
        let alive: Vec<i32> = self.live_brokers().map(|broker| broker.id).collect();
        self.events.tell(|| ClusterEvent::Broker { broker, up: true });
        for (topic_id, index, partition) in self.topics.partitions_mut() {
            if partition.handle_broker_up(broker, |replica| alive.contains(&replica)) {
                self.events.tell(|| partition.elected(topic_id, index));
            }
        }
        self.groups.handle_broker_up(broker, |replica| alive.contains(&replica));
        true
    }

    /// Sets the address under which clients are told to reach a broker.
    pub fn set_address(&mut self, broker: i32, host: &str, port: u16) {
        if let Some(known) = self.brokers.iter_mut().find(|known| known.id == broker) {
            known.host = Str::copy_of(host);
            known.port = i32::from(port);
        }
    }

    /// Whether a broker exists and accepts connections.
    #[must_use]
    pub fn is_up(&self, broker: i32) -> bool {
        self.is_alive(broker)
    }

    /// The broker that clients are told to reach under this address.
    #[must_use]
    pub fn broker_at(&self, host: &str, port: u16) -> Option<i32> {
        let at = |broker: &&Broker| &*broker.host == host && broker.port == i32::from(port);
        self.brokers.iter().find(at).map(|broker| broker.id)
    }

    /// Whether clients are told to reach any broker under this name.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        self.brokers.iter().any(|broker| &*broker.host == host)
    }

    /// The addresses of all brokers, in the order of their ids.
    pub fn addresses(&self) -> impl Iterator<Item = (i32, String)> {
        self.brokers.iter().map(|broker| (broker.id, format!("{}:{}", broker.host, broker.port)))
    }

    /// Has a partition forget a producer, as when its state expired.
    pub fn forget_producer(&mut self, topic: &str, partition: i32, producer_id: i64) -> bool {
        let partition = self.topics.get_mut(topic).and_then(|topic| topic.partition_mut(partition));
        partition.is_some_and(|partition| partition.producers.forget(producer_id))
    }

    /// The names of all topics, in order.
    pub fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.name.as_str())
    }

    /// The id of a topic.
    #[must_use]
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|topic| topic.id)
    }

    /// The state of a partition.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionState> {
        let partition = self.topics.get(topic)?.partition(partition)?;
        Some(PartitionState {
            leader: (partition.leader >= 0).then_some(partition.leader),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            log_start_offset: partition.log.start_offset(),
            high_watermark: partition.high_watermark,
        })
    }

    /// The batches of a partition as they are stored.
    #[must_use]
    pub fn batches(&self, topic: &str, partition: i32) -> Option<Bytes> {
        let partition = self.topics.get(topic)?.partition(partition)?;
        let mut all = Vec::new();
        let (mut offset, end) = (partition.log.start_offset(), partition.log.end_offset());
        while offset < end {
            let slice = partition.log.read(offset, end, usize::MAX, FirstBatch::Whole);
            let Some(next) = next_offset(&slice.head).max(next_offset(&slice.tail)) else { break };
            all.extend_from_slice(&slice.head);
            all.extend_from_slice(&slice.tail);
            offset = next;
        }
        Some(all.into())
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

fn next_offset(batches: &[u8]) -> Option<i64> {
    Batches::new(batches).flatten().last().map(|batch| batch.next_offset())
}

fn unknown_topic(name: &str) -> CommandError {
    CommandError {
        code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        message: format!("there is no topic {name:?}"),
    }
}
