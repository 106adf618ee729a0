//! Listing and describing: what Metadata tells.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Ints, Str,
    messages::metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponsePartition,
        MetadataResponseTopic,
    },
};

use super::{
    AdminError, AdminErrorKind, BrokerDescription, ClusterDescription, PartitionDescription, PerItem,
    TopicDescription, TopicListing,
    operation::{Ask, Verdict},
};
use crate::{BrokerId, Effect, Target};

/// Topics to be described.
#[derive(Debug)]
pub(super) struct Describe {
    todo: Vec<Str>,
    /// The brokers would create topics that are asked for by name (Metadata before version 4).
    by_list: bool,
    pub(super) answers: PerItem<Str, TopicDescription>,
}

impl Describe {
    pub(super) const fn new(names: Vec<Str>) -> Self {
        Self { todo: names, by_list: false, answers: PerItem::new() }
    }

    /// The request for all topics, or for none and the brokers alone.
    pub(super) fn ask_all(brokers_only: bool) -> Vec<Ask> {
        let topics = if brokers_only { Some(Vec::new()) } else { None };
        // Nothing is named, so nothing is created; the default is what every version can say.
        let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
        vec![Ask { to: Target::Any, request: request.into(), max_version: i16::MAX }]
    }

    pub(super) fn ask(&self) -> Vec<Ask> {
        if self.todo.is_empty() {
            return Vec::new();
        }
        if self.by_list {
            return Self::ask_all(false);
        }
        let request = metadata_of(&self.todo.iter().collect::<Vec<_>>());
        vec![Ask { to: Target::Any, request: request.into(), max_version: i16::MAX }]
    }

    /// Asks for all topics from now on, which creates none. Returns whether that is new.
    pub(super) fn ask_by_list(&mut self) -> bool {
        !core::mem::replace(&mut self.by_list, true)
    }

    pub(super) fn answer(&mut self, response: MetadataResponse) -> Verdict {
        let mut verdict = Verdict::default();
        let mut topics = response.topics;
        self.todo.retain(|name| {
            let Some(at) = topics.iter().position(|topic| topic.name.as_ref() == Some(name)) else {
                // A list does not tell what it leaves out; an answer to a question by name should.
                let error = match self.by_list {
                    true => AdminError::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None),
                    false => AdminError::new(AdminErrorKind::NoAnswer, Effect::None),
                };
                self.answers.insert(name.clone(), Err(error));
                return false;
            };
            let topic = topics.swap_remove(at);
            if topic.error_code == ErrorCode::LEADER_NOT_AVAILABLE && topic.partitions.is_empty() {
                verdict.retry = Some((topic.error_code, None));
                return true;
            }
            self.answers.insert(name.clone(), describe(topic));
            false
        });
        verdict
    }

    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        let nothing_known = self.answers.is_empty();
        for name in self.todo.drain(..) {
            self.answers.insert(name, Err(error.clone()));
        }
        nothing_known
    }
}

/// A request for the metadata of these topics, which creates none of them.
pub(super) fn metadata_of(names: &[&Str]) -> MetadataRequest {
    let topics = names
        .iter()
        .map(|name| MetadataRequestTopic { name: Some(Str::clone(name)), ..Default::default() })
        .collect();
    MetadataRequest { topics: Some(topics), allow_auto_topic_creation: false, ..Default::default() }
}

fn describe(topic: MetadataResponseTopic) -> Result<TopicDescription, AdminError> {
    if !topic.error_code.is_ok() {
        return Err(AdminError::refused(topic.error_code, None));
    }
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    Ok(TopicDescription { id: topic.topic_id, is_internal: topic.is_internal, partitions })
}

fn partition(partition: &MetadataResponsePartition) -> PartitionDescription {
    let brokers = |ids: &Ints| ids.iter().map(|id| BrokerId(*id)).collect();
    PartitionDescription {
        partition: partition.partition_index,
        leader: (partition.leader_id >= 0).then_some(BrokerId(partition.leader_id)),
        leader_epoch: (partition.leader_epoch >= 0).then_some(partition.leader_epoch),
        replicas: brokers(&partition.replica_nodes),
        in_sync: brokers(&partition.isr_nodes),
        offline: brokers(&partition.offline_replicas),
    }
}

/// The list of topics.
pub(super) fn listings(response: MetadataResponse) -> BTreeMap<Str, TopicListing> {
    let listing = |topic: MetadataResponseTopic| {
        let name = topic.name?;
        let listing = TopicListing {
            id: topic.topic_id,
            is_internal: topic.is_internal,
            partitions: topic.partitions.len(),
        };
        Some((name, listing))
    };
    response.topics.into_iter().filter_map(listing).collect()
}

/// The cluster.
pub(super) fn cluster_description(response: MetadataResponse) -> ClusterDescription {
    let mut brokers: Vec<_> = (response.brokers.into_iter())
        .map(|broker| BrokerDescription {
            id: BrokerId(broker.node_id),
            host: broker.host,
            port: broker.port,
            rack: broker.rack,
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    let controller = (response.controller_id >= 0).then_some(BrokerId(response.controller_id));
    ClusterDescription { cluster_id: response.cluster_id, controller, brokers }
}
