//! The picture of the cluster, and how an answer changes it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::metadata::{
        MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    },
};

use super::{Address, Broker, Leader, Partition, Partitions, Topic};
use crate::{BrokerId, PartitionIndex};

/// Before this version brokers might tell the epoch of another leader than the one they name.
const RELIABLE_EPOCHS: i16 = 9;
/// After so many answers in a row with an older leader epoch it is believed that epochs began anew, where no topic id
/// tells.
const MAX_REGRESSIONS: u8 = 5;

/// Whether a topic is the one that had its name before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lineage {
    /// It has the same id.
    Same,
    /// It has another id.
    Other,
    /// The brokers are older than topic ids (KIP-516), or it was not known.
    Unknown,
}

/// What is known of a partition that has a number.
#[derive(Clone, Debug, Default)]
struct Slot {
    partition: Option<Partition>,
    /// Answers in a row with an older leader epoch.
    regressions: u8,
}

/// The picture of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) cluster_id: Option<Str>,
    pub(super) controller: Option<BrokerId>,
    pub(super) brokers: BTreeMap<BrokerId, Broker>,
    /// Brokers that could not be connected to since metadata were last received.
    pub(super) unreachable: BTreeSet<BrokerId>,
    pub(super) topics: BTreeMap<Str, Topic>,
    pub(super) names: BTreeMap<Uuid, Str>,
    slots: Vec<Slot>,
    /// Whose leader, or whose topic's id, may be another since this was taken last.
    pub(super) moved: Moved,
}

/// Partitions of which it may have changed who leads them, or what the id of their topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// These, some perhaps more than once.
    Some(Vec<PartitionIndex>),
    /// Any.
    All,
}

impl Default for Moved {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Moved {
    fn add(&mut self, partitions: impl IntoIterator<Item = PartitionIndex>) {
        if let Self::Some(some) = self {
            some.extend(partitions);
        }
    }
}

impl Known {
    /// Takes the brokers, the controller and the cluster id from an answer. Returns whether anything changed,
    /// or none if the answer lists no broker, as a broker's does that has just started.
    pub(super) fn absorb_brokers(&mut self, response: &MetadataResponse) -> Option<bool> {
        let brokers: BTreeMap<_, _> =
            response.brokers.iter().filter_map(broker).map(|broker| (broker.id, broker)).collect();
        if brokers.is_empty() {
            probe!(NoBrokerListed);
            return None;
        }
        let controller = (response.controller_id >= 0).then_some(BrokerId(response.controller_id));
        if brokers != self.brokers {
            self.moved = Moved::All;
        }
        let mut changed = brokers != self.brokers || controller != self.controller;
        self.brokers = brokers;
        self.controller = controller;
        self.unreachable.clear();
        if response.cluster_id.is_some() && response.cluster_id != self.cluster_id {
            if self.cluster_id.is_some() {
                // Another cluster answers at these addresses: nothing of the old one's topics holds.
                self.retain_topics(|_| false);
            }
            self.cluster_id.clone_from(&response.cluster_id);
            changed = true;
        }
        Some(changed)
    }

    /// Takes one topic from an answer of `version`. Returns whether anything changed, and whether each partition
    /// has a leader that can be found.
    pub(super) fn absorb_topic(
        &mut self,
        name: &Str,
        answer: &MetadataResponseTopic,
        version: i16,
        numbers: &mut Partitions,
    ) -> (bool, bool) {
        let before = self.topics.remove(name);
        let before_id = before.as_ref().map_or(Uuid::ZERO, |topic| topic.id);
        let have_ids = !before_id.is_zero() && !answer.topic_id.is_zero();
        let recreated = have_ids && before_id != answer.topic_id;
        let lineage = match (have_ids, recreated) {
            (true, false) => Lineage::Same,
            (true, true) => Lineage::Other,
            (false, _) => Lineage::Unknown,
        };
        let id = if answer.topic_id.is_zero() { before_id } else { answer.topic_id };
        probe!(TopicRecreated, recreated);
        let mut changed = before.is_none() || recreated;
        let old = before.as_ref().map_or(&[][..], |topic| &topic.partitions);

        // Kafka numbers partitions from 0 without gaps; numbers beyond that would make the client grow.
        let count = answer.partitions.len();
        let in_range =
            |p: &&MetadataResponsePartition| usize::try_from(p.partition_index).is_ok_and(|i| i < count);
        let mut partitions = Vec::new();
        for partition in answer.partitions.iter().filter(in_range) {
            let index = known_number(old, numbers, partition.partition_index)
                .unwrap_or_else(|| numbers.intern(name, partition.partition_index));
            let slot = self.slot(index);
            let news = slot.absorb(partition, version, lineage);
            changed |= news;
            partitions.push(index);
            if news {
                self.moved.add([index]);
            }
        }
        if !partitions.is_sorted_by_key(|index| numbers.name(*index).map(|(_, partition)| partition)) {
            partitions.sort_by_key(|index| numbers.name(*index).map(|(_, partition)| partition));
        }
        partitions.dedup();

        if partitions != old {
            probe!(PartitionsAdded, !old.is_empty() && partitions.len() > old.len());
            probe!(PartitionsGone, partitions.len() < old.len());
            let number = |index: &PartitionIndex| numbers.name(*index).map(|(_, partition)| partition);
            for index in old {
                if partitions.binary_search_by_key(&number(index), number).is_err() {
                    *self.slot(*index) = Slot::default();
                    self.moved.add([*index]);
                }
            }
            changed = true;
        }
        if before_id != id {
            self.moved.add(partitions.iter().copied());
            self.forget_id(before_id, name);
            self.names.insert(id, name.clone());
            changed = true;
        }
        self.topics
            .insert(name.clone(), Topic { name: name.clone(), id, internal: answer.is_internal, partitions });
        (changed, self.is_complete(name))
    }

    /// Whether a topic is known and each of its partitions has a leader that can be found: a broker may name one
    /// without saying where that is.
    pub(super) fn is_complete(&self, name: &str) -> bool {
        let has_leader = |index: &PartitionIndex| {
            let usable = self.partition(*index).filter(|partition| is_usable(partition.error));
            let leader = usable.and_then(|partition| partition.leader);
            leader.is_some_and(|leader| self.brokers.contains_key(&leader))
        };
        let partitions = self.topics.get(name).map_or(&[][..], |topic| &topic.partitions);
        !partitions.is_empty() && partitions.iter().all(has_leader)
    }

    /// Takes the leader that a response named. Returns whether that is news: the epoch must be newer, and it
    /// must be known where the broker is.
    pub(super) fn hint(&mut self, index: PartitionIndex, leader: Leader, endpoint: Option<Broker>) -> bool {
        let Some(partition) = self.partition(index) else { return false };
        if leader.epoch <= partition.leader_epoch {
            probe!(HintOlder);
            return false;
        }
        match endpoint {
            Some(broker) if broker.id == leader.broker => {
                self.brokers.insert(broker.id, broker);
                self.moved = Moved::All;
            }
            _ if self.brokers.contains_key(&leader.broker) => {}
            _ => return false,
        }
        probe!(HintTaken);
        self.moved.add([index]);
        if let Some(partition) = &mut self.slot(index).partition {
            partition.leader = Some(leader.broker);
            partition.leader_epoch = leader.epoch;
            partition.error = ErrorCode::NONE;
        }
        true
    }

    /// Forgets where brokers are; leaders are then unknown, while their epochs are kept.
    pub(super) fn forget_brokers(&mut self) {
        self.brokers.clear();
        self.moved = Moved::All;
        self.unreachable.clear();
        self.controller = None;
    }

    /// Forgets a topic. Returns whether it was known.
    pub(super) fn forget_topic(&mut self, name: &str) -> bool {
        let Some(topic) = self.topics.remove(name) else { return false };
        self.forget_id(topic.id, name);
        for index in topic.partitions {
            *self.slot(index) = Slot::default();
            self.moved.add([index]);
        }
        true
    }

    /// Forgets the topics for which `keep` is false. Returns whether there were any.
    pub(super) fn retain_topics(&mut self, keep: impl Fn(&str) -> bool) -> bool {
        let gone: Vec<Str> = self.topics.keys().filter(|name| !keep(name)).cloned().collect();
        for name in &gone {
            self.forget_topic(name);
        }
        !gone.is_empty()
    }

    /// What is known of a partition.
    pub(super) fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.slots.get(usize::try_from(index.0).ok()?)?.partition.as_ref()
    }

    /// Forgets that `id` is that of `name`. Another topic may have come with the same id since.
    fn forget_id(&mut self, id: Uuid, name: &str) {
        if self.names.get(&id).is_some_and(|holder| **holder == *name) {
            self.names.remove(&id);
        }
    }

    fn slot(&mut self, index: PartitionIndex) -> &mut Slot {
        let at = usize::try_from(index.0).unwrap_or(usize::MAX);
        if at >= self.slots.len() {
            self.slots.resize(at.saturating_add(1), Slot::default());
        }
        &mut self.slots[at]
    }
}

impl Slot {
    /// Takes what an answer says. Returns whether anything changed.
    fn absorb(&mut self, answer: &MetadataResponsePartition, version: i16, lineage: Lineage) -> bool {
        let told = if version < RELIABLE_EPOCHS { -1 } else { answer.leader_epoch };
        let seen = self
            .partition
            .as_ref()
            .filter(|_| lineage != Lineage::Other)
            .map_or(-1, |partition| partition.leader_epoch);
        let most = match lineage {
            Lineage::Same => u8::MAX,
            Lineage::Other | Lineage::Unknown => MAX_REGRESSIONS,
        };
        if (0..seen).contains(&told) && self.regressions < most {
            // This broker has not heard of the newest leader yet.
            probe!(EpochRegressRefused);
            self.regressions = if lineage == Lineage::Same { 0 } else { self.regressions + 1 };
            return false;
        }
        let restarted = (0..seen).contains(&told);
        probe!(EpochRegressBelieved, restarted);
        self.regressions = 0;
        let partition = Partition {
            leader: (answer.leader_id >= 0).then_some(BrokerId(answer.leader_id)),
            // Brokers that were downgraded tell no epochs: under one of before, every request would be fenced.
            leader_epoch: if restarted || version < RELIABLE_EPOCHS { told } else { told.max(seen) },
            error: answer.error_code,
            replicas: answer.replica_nodes.clone(),
            in_sync: answer.isr_nodes.clone(),
            offline: answer.offline_replicas.clone(),
        };
        let changed = self.partition.as_ref() != Some(&partition);
        self.partition = Some(partition);
        changed
    }
}

/// The number that partition `number` had in the last answer, without searching by name.
fn known_number(old: &[PartitionIndex], numbers: &Partitions, number: i32) -> Option<PartitionIndex> {
    let index = *old.get(usize::try_from(number).ok()?)?;
    (numbers.name(index)?.1 == number).then_some(index)
}

/// Whether a partition with this error can be used: a follower that is down is no hindrance.
fn is_usable(error: ErrorCode) -> bool {
    error.is_ok() || error == ErrorCode::REPLICA_NOT_AVAILABLE
}

fn broker(answer: &MetadataResponseBroker) -> Option<Broker> {
    let port = u16::try_from(answer.port).ok().filter(|port| *port > 0)?;
    if answer.node_id < 0 || answer.host.is_empty() {
        return None;
    }
    let address = Address { host: answer.host.clone(), port };
    Some(Broker { id: BrokerId(answer.node_id), address, rack: answer.rack.clone() })
}
