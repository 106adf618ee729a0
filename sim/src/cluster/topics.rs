//! The topics of the cluster and the state of their partitions, which all brokers share.

pub(crate) mod creation;
pub(crate) mod name;
pub(crate) mod settings;

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::{Str, Uuid};

use super::{ConnectionId, log::Log, producers::Producers, session::TopicRef};
use crate::observe::ClusterEvent;
use settings::Settings;

/// The leader of a partition that has none.
pub(crate) const NO_LEADER: i32 = -1;

/// A partition: its leadership and its log.
#[derive(Debug)]
pub(crate) struct Partition {
    /// A broker, or [`NO_LEADER`].
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    /// In the order of preference.
    pub(crate) replicas: Vec<i32>,
    /// The replicas in sync; never empty.
    pub(crate) isr: Vec<i32>,
    pub(crate) log: Log,
    /// Consumers see what is below this.
    pub(crate) high_watermark: i64,
    pub(crate) producers: Producers,
    /// The connections whose fetch waits for this partition, too.
    pub(crate) waiting: BTreeSet<ConnectionId>,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>, is_alive: impl Fn(i32) -> bool) -> Self {
        let mut isr: Vec<i32> = replicas.iter().copied().filter(|replica| is_alive(*replica)).collect();
        let leader = isr.first().copied().unwrap_or(NO_LEADER);
        if isr.is_empty() {
            isr.extend(replicas.first());
        }
        Self {
            leader,
            leader_epoch: 0,
            replicas,
            isr,
            log: Log::default(),
            high_watermark: 0,
            producers: Producers::default(),
            waiting: BTreeSet::new(),
        }
    }

    /// A broker went away. Returns whether the leader changed.
    pub(crate) fn handle_broker_down(&mut self, broker: i32) -> bool {
        if !self.isr.contains(&broker) {
            return false;
        }
        if self.isr.len() > 1 {
            self.isr.retain(|replica| *replica != broker);
        }
        self.leader == broker && self.elect(|replica| replica != broker)
    }

    /// A broker came back, with all that was written meanwhile. Returns whether the leader changed.
    pub(crate) fn handle_broker_up(&mut self, broker: i32, is_alive: impl Fn(i32) -> bool) -> bool {
        let may_join = self.leader != NO_LEADER || self.isr.contains(&broker);
        if !self.replicas.contains(&broker) || !may_join {
            return false;
        }
        if !self.isr.contains(&broker) {
            self.isr.push(broker);
        }
        self.leader == NO_LEADER && self.elect(is_alive)
    }

    fn elect(&mut self, eligible: impl Fn(i32) -> bool) -> bool {
        let in_sync = |replica: &&i32| self.isr.contains(replica) && eligible(**replica);
        self.leader = self.replicas.iter().find(in_sync).copied().unwrap_or(NO_LEADER);
        self.leader_epoch += 1;
        true
    }

    /// That the leader has changed.
    pub(crate) fn elected(&self, topic_id: Uuid, partition: i32) -> ClusterEvent {
        let has_leader = self.leader != NO_LEADER;
        ClusterEvent::Elected {
            topic_id,
            partition,
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            end_offset: if has_leader { self.log.end_offset() } else { -1 },
            epochs: if has_leader { self.log.epochs().to_vec() } else { Vec::new() },
            unclean: false,
        }
    }

    /// Whether `offset` can be read.
    pub(crate) const fn has(&self, offset: i64) -> bool {
        self.log.start_offset() <= offset && offset <= self.high_watermark
    }
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    pub(crate) settings: Settings,
    pub(crate) partitions: Vec<Partition>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index))
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index))
    }

    /// Whether the topic is the cluster's own.
    pub(crate) fn is_internal(&self) -> bool {
        matches!(self.name.as_str(), "__consumer_offsets" | "__transaction_state")
    }
}

/// All topics, by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Str, Topic>,
    names: BTreeMap<Uuid, Str>,
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&Str> {
        self.names.get(&id)
    }

    pub(crate) fn find(&self, topic: &TopicRef) -> Option<&Topic> {
        match topic {
            TopicRef::Name(name) => self.get(name),
            TopicRef::Id(id) => self.get(self.names.get(id)?),
        }
    }

    pub(crate) fn find_mut(&mut self, topic: &TopicRef) -> Option<&mut Topic> {
        match topic {
            TopicRef::Name(name) => self.by_name.get_mut(name.as_str()),
            TopicRef::Id(id) => self.by_name.get_mut(self.names.get(id)?.as_str()),
        }
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.names.insert(topic.id, topic.name.clone());
        self.by_name.insert(topic.name.clone(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    /// In the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    /// All partitions: the topic's id, the partition's number, and the partition.
    pub(crate) fn partitions_mut(&mut self) -> impl Iterator<Item = (Uuid, i32, &mut Partition)> {
        self.by_name.values_mut().flat_map(|topic| {
            let id = topic.id;
            topic.partitions.iter_mut().zip(0..).map(move |(partition, index)| (id, index, partition))
        })
    }
}

#[cfg(test)]
mod tests;
