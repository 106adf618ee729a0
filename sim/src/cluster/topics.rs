//! The topics of the cluster: what the controller has decided of them, and the logs of their partitions.

pub(crate) mod creation;
mod leadership;
pub(crate) mod name;
mod partition;
pub(crate) mod settings;

use std::collections::BTreeMap;

use klamm_protocol::{Str, Uuid};

use super::replication::TopicImage;
use super::session::TopicRef;
use settings::Settings;

pub(crate) use leadership::{Leadership, NO_LEADER};
pub(crate) use partition::{Fetching, Partition, Progress, Replica};

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    /// What brokers are told: name, id, and the leadership of each partition.
    pub(crate) image: TopicImage,
    pub(crate) settings: Settings,
    pub(crate) partitions: Vec<Partition>,
}

impl Topic {
    pub(crate) const fn name(&self) -> &Str {
        &self.image.name
    }

    pub(crate) const fn id(&self) -> Uuid {
        self.image.id
    }

    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index))
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index))
    }
}

/// All topics. One that was deleted stays until no broker believes in it any more.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_id: BTreeMap<Uuid, Topic>,
    names: BTreeMap<Str, Uuid>,
    created: u64,
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_id.get(self.names.get(name)?)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_id.get_mut(self.names.get(name)?)
    }

    /// A topic, even if it was deleted.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_id.get(&id)
    }

    /// A topic, even if it was deleted.
    pub(crate) fn by_id_mut(&mut self, id: Uuid) -> Option<&mut Topic> {
        self.by_id.get_mut(&id)
    }

    /// The name of a topic that exists.
    pub(crate) fn name_of(&self, id: Uuid) -> Option<&Str> {
        self.find(&TopicRef::Id(id)).map(Topic::name)
    }

    pub(crate) fn find(&self, topic: &TopicRef) -> Option<&Topic> {
        match topic {
            TopicRef::Name(name) => self.get(name),
            TopicRef::Id(id) => self.by_id.get(id).filter(|topic| self.names.get(topic.name()) == Some(id)),
        }
    }

    /// How many topics there have ever been.
    pub(crate) const fn created(&self) -> u64 {
        self.created
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.created += 1;
        self.names.insert(topic.name().clone(), topic.id());
        self.by_id.insert(topic.id(), topic);
    }

    /// Deletes a topic: from now on there is none of that name. Returns its id.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Uuid> {
        self.names.remove(name)
    }

    /// Drops topics that were deleted and that no broker believes in, except those that do not count.
    pub(crate) fn drop_deleted(&mut self, is_down: impl Fn(i32) -> bool) {
        let names = &self.names;
        self.by_id.retain(|id, topic| {
            let mut replicas = topic.partitions.iter().flat_map(|partition| &partition.replicas);
            names.get(topic.name()) == Some(id)
                || replicas.any(|replica| replica.belief.is_heard() && !is_down(replica.broker))
        });
    }

    /// In the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.names.values().filter_map(|id| self.by_id.get(id))
    }

    /// The partitions of all topics that exist.
    pub(crate) fn all_partitions(&self) -> Vec<(Uuid, i32)> {
        self.iter().flat_map(numbered).map(|(id, index, _)| (id, index)).collect()
    }

    /// All partitions: the topic's id, the partition's number, and the partition.
    pub(crate) fn partitions_mut(&mut self) -> impl Iterator<Item = (Uuid, i32, &mut Partition)> {
        self.by_id.iter_mut().flat_map(|(id, topic)| {
            topic.partitions.iter_mut().zip(0..).map(move |(partition, index)| (*id, index, partition))
        })
    }

    /// The partitions that a broker holds a replica of, of deleted topics, too.
    pub(crate) fn held_by(&self, broker: i32) -> Vec<(Uuid, i32)> {
        let all = self.by_id.values().flat_map(numbered);
        let held = all.filter(|(.., partition)| partition.slot(broker).is_some());
        held.map(|(id, index, _)| (id, index)).collect()
    }
}

fn numbered(topic: &Topic) -> impl Iterator<Item = (Uuid, i32, &Partition)> {
    topic.partitions.iter().zip(0..).map(|(partition, index)| (topic.id(), index, partition))
}

#[cfg(test)]
mod tests;
