//! Making topics and adding partitions: validation and placement.

use std::collections::BTreeSet;

use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{Leadership, Partition, Topic, name, settings::Settings};
use crate::Release;
use crate::cluster::replication::{Change, TopicImage, wanted_in_sync};
use crate::cluster::{Cluster, CommandError};
use crate::observe::ClusterEvent;

/// Partitions that one request may create.
const MAX_NEW_PARTITIONS: usize = 10_000;

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTopic {
    pub(crate) name: Str,
    /// -1: the default.
    pub(crate) partitions: i32,
    /// -1: the default.
    pub(crate) replication: i16,
    /// The replicas of each partition, if the caller places them: (partition, brokers).
    pub(crate) assignments: Vec<(i32, Vec<i32>)>,
    pub(crate) settings: Vec<(Str, Option<Str>)>,
}

fn refused(code: ErrorCode, message: impl Into<String>) -> CommandError {
    CommandError { code, message: message.into() }
}

impl Cluster {
    /// Checks a new topic and places its replicas, without making it.
    pub(crate) fn plan_topic(&self, new: &NewTopic) -> Result<Topic, CommandError> {
        name::check(&new.name).map_err(|text| refused(ErrorCode::INVALID_TOPIC_EXCEPTION, text))?;
        if self.topics.get(&new.name).is_some() {
            let text = format!("Topic '{}' already exists.", new.name);
            return Err(refused(ErrorCode::TOPIC_ALREADY_EXISTS, text));
        }
        if let Some(other) = self.topics.iter().find(|topic| name::collide(topic.name(), &new.name)) {
            let text = format!("Topic '{}' collides with existing topic: {}", new.name, other.name());
            return Err(refused(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
        }
        let replicas = self.place(new)?;
        let mut settings = Settings::new(self.topic_defaults());
        for (name, value) in &new.settings {
            let Some(value) = value else {
                let text = format!("Null value not supported for topic configs: {name}");
                return Err(refused(ErrorCode::INVALID_CONFIG, text));
            };
            settings.set(name, Some(value)).map_err(|text| refused(ErrorCode::INVALID_CONFIG, text))?;
        }
        let partitions = replicas.iter().map(|replicas| Partition::new(replicas)).collect();
        let lead = |replicas| Leadership::new(replicas, |broker| self.peers.is_active(broker));
        let image = TopicImage {
            name: Str::copy_of(&new.name),
            id: Uuid::ZERO,
            partitions: replicas.into_iter().map(lead).collect(),
        };
        Ok(Topic { image, settings, partitions })
    }

    /// Makes a topic that was planned.
    pub(crate) fn add_topic(&mut self, mut topic: Topic) -> Uuid {
        let id = self.new_topic_id();
        topic.image.id = id;
        let release = self.config.release;
        self.events.tell(|| created(&topic, release));
        let partitions = (0..).take(topic.partitions.len());
        self.changes.extend(partitions.map(|index| Change::Partition(id, index)));
        self.topics.insert(topic);
        self.publish(self.now);
        id
    }

    /// Makes a topic with the defaults of the cluster.
    pub(crate) fn create_default_topic(&mut self, name: &str) -> Result<Uuid, CommandError> {
        let name = Str::copy_of(name);
        let topic =
            self.plan_topic(&NewTopic { name, partitions: -1, replication: -1, ..NewTopic::default() })?;
        Ok(self.add_topic(topic))
    }

    /// The replicas of each partition of a new topic.
    fn place(&self, new: &NewTopic) -> Result<Vec<Vec<i32>>, CommandError> {
        if !new.assignments.is_empty() {
            return self.check_placement(new);
        }
        let replication = match new.replication {
            -1 => self.config.default_replication(),
            1.. => new.replication,
            _ => {
                let text = "Replication factor must be larger than 0, or -1 to use the default value.";
                return Err(refused(ErrorCode::INVALID_REPLICATION_FACTOR, text));
            }
        };
        let partitions = match new.partitions {
            -1 => self.config.partitions.max(1),
            1.. => new.partitions,
            _ => {
                let text = "Number of partitions was set to an invalid non-positive value.";
                return Err(refused(ErrorCode::INVALID_PARTITIONS, text));
            }
        };
        self.place_freely(usize::try_from(partitions).unwrap_or(usize::MAX), replication)
    }

    /// Spreads replicas over the brokers, the living ones first.
    fn place_freely(&self, partitions: usize, replication: i16) -> Result<Vec<Vec<i32>>, CommandError> {
        let wanted = usize::from(replication.unsigned_abs());
        if wanted > self.brokers.len() {
            let text = format!(
                "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} \
                 cannot be reached because only {} broker(s) are registered.",
                self.brokers.len()
            );
            return Err(refused(ErrorCode::INVALID_REPLICATION_FACTOR, text));
        }
        if partitions > MAX_NEW_PARTITIONS {
            let text = format!("Excessively large number of partitions per request: {partitions}");
            return Err(refused(ErrorCode::POLICY_VIOLATION, text));
        }
        let ids = |is_alive: bool| {
            let nodes = self.brokers.iter().map(|broker| &broker.node);
            nodes.filter(move |node| node.is_alive == is_alive).map(|node| node.id).collect::<Vec<i32>>()
        };
        let (living, dead) = (ids(true), ids(false));
        let first: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        let replicas = |partition: usize| {
            let start = (first + partition) % living.len().max(1);
            let rotated = living.iter().cycle().skip(start).take(living.len());
            rotated.chain(&dead).copied().take(wanted).collect()
        };
        Ok((0..partitions).map(replicas).collect())
    }

    fn check_placement(&self, new: &NewTopic) -> Result<Vec<Vec<i32>>, CommandError> {
        let both = |what: &str| {
            let text = format!("A manual partition assignment was specified, but {what} was not set to -1.");
            Err(refused(ErrorCode::INVALID_REQUEST, text))
        };
        if new.replication != -1 {
            return both("replication factor");
        }
        if new.partitions != -1 {
            return both("numPartitions");
        }
        let mut assignments = new.assignments.clone();
        assignments.sort();
        if !assignments.iter().map(|(partition, _)| *partition).eq((0..).take(assignments.len())) {
            let text = "partitions should be a consecutive 0-based integer sequence";
            return Err(refused(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
        }
        let replicas: Vec<_> = assignments.into_iter().map(|(_, replicas)| replicas).collect();
        let size = replicas.first().map_or(0, Vec::len);
        replicas.iter().try_for_each(|replicas| self.check_replicas(replicas, size))?;
        Ok(replicas)
    }

    /// Checks what a caller says where a partition shall be.
    fn check_replicas(&self, replicas: &[i32], size: usize) -> Result<(), CommandError> {
        let invalid = |text: String| {
            Err(refused(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                format!("The manual partition assignment includes {text}"),
            ))
        };
        if replicas.is_empty() {
            return invalid("an empty replica list.".to_owned());
        }
        let mut seen = BTreeSet::new();
        for broker in replicas {
            if self.broker(*broker).is_none() {
                return invalid(format!("broker {broker}, but no such broker is registered."));
            }
            if !seen.insert(*broker) {
                return invalid(format!("the broker {broker} more than once."));
            }
        }
        if replicas.len() != size {
            return invalid(format!(
                "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
                 {size} replica(s).",
                replicas.len()
            ));
        }
        Ok(())
    }

    /// The replicas of the partitions that a topic would get to have `count` of them.
    pub(crate) fn plan_partitions(
        &self,
        topic: &str,
        count: i32,
        assignments: Option<&[Vec<i32>]>,
    ) -> Result<Vec<Vec<i32>>, CommandError> {
        let Some(known) = self.topics.get(topic) else {
            let text = format!("There is no topic '{topic}'.");
            return Err(refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text));
        };
        let size = known.partitions.len();
        let wanted = usize::try_from(count).unwrap_or(0);
        if wanted == size {
            let text = format!("Topic already has {size} partition(s).");
            return Err(refused(ErrorCode::INVALID_PARTITIONS, text));
        }
        if wanted < size {
            let text = format!(
                "The topic {topic} currently has {size} partition(s); {count} would not be an increase."
            );
            return Err(refused(ErrorCode::INVALID_PARTITIONS, text));
        }
        let replication = known.image.partitions.first().map_or(1, |partition| partition.replicas.len());
        let Some(assignments) = assignments else {
            return self.place_freely(wanted - size, i16::try_from(replication).unwrap_or(1));
        };
        if assignments.len() != wanted - size {
            let text = format!(
                "Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                wanted - size,
                assignments.len()
            );
            return Err(refused(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
        }
        assignments.iter().try_for_each(|replicas| self.check_replicas(replicas, replication))?;
        Ok(assignments.to_vec())
    }

    /// Adds partitions that were planned.
    pub(crate) fn add_partitions(&mut self, topic: &str, replicas: Vec<Vec<i32>>) {
        let release = self.config.release;
        if let Some(topic) = self.topics.get_mut(topic) {
            let added = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let id = topic.id();
            self.changes.extend((added..).take(replicas.len()).map(|index| Change::Partition(id, index)));
            topic.partitions.extend(replicas.iter().map(|replicas| Partition::new(replicas)));
            let lead = |replicas| Leadership::new(replicas, |broker| self.peers.is_active(broker));
            topic.image.partitions.extend(replicas.into_iter().map(lead));
            self.events.tell(|| created(topic, release));
        }
        self.publish(self.now);
    }
}

/// That there is a topic of this form now.
fn created(topic: &Topic, release: Release) -> ClusterEvent {
    let least = usize::try_from(topic.settings.limits().min_insync_replicas).unwrap_or(usize::MAX);
    let has_enough = |partition: &Leadership| {
        wanted_in_sync(least, partition.replicas.len(), release) <= partition.replicas.len()
    };
    ClusterEvent::Topic {
        topic_id: topic.id(),
        topic: topic.name().clone(),
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        lacks_replicas: !topic.image.partitions.iter().all(has_enough),
    }
}
