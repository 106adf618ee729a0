//! Metadata (3).

use std::collections::BTreeSet;

use klamm_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{CLUSTER_OPERATIONS, NO_OPERATIONS, Reply, Serve, TOPIC_OPERATIONS};
use crate::cluster::replication::{Node, TopicImage};
use crate::cluster::session::TopicRef;
use crate::cluster::topics::{Leadership, NO_LEADER, name};
use crate::cluster::{Cluster, Operation, Origin, Resource};

impl Serve for MetadataRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<MetadataResponse> {
        let all = match &self.topics {
            None => true,
            Some(topics) => origin.version == 0 && topics.is_empty(),
        };
        let is_nameless = |topic: &MetadataRequestTopic| topic.name.is_none() && topic.topic_id.is_zero();
        if self.topics.iter().flatten().any(is_nameless) {
            return Reply::Now(self.refuse(ErrorCode::UNKNOWN_SERVER_ERROR));
        }
        let asked = origin.broker;
        let mut topics: Vec<MetadataResponseTopic> = if all {
            let shown = cluster.topics_shown(asked).filter(|topic| cluster.may_describe(origin, &topic.name));
            shown.map(|topic| cluster.metadata_of(asked, topic)).collect()
        } else {
            let mut named = BTreeSet::new();
            let wanted = self.topics.iter().flatten();
            // With one id names count no longer.
            let by_id = self.topics.iter().flatten().any(|topic| !topic.topic_id.is_zero());
            let wanted = wanted.filter(|topic| !by_id || !topic.topic_id.is_zero());
            let wanted = wanted.filter(|topic| named.insert((topic.topic_id, topic.name.clone())));
            let may_create = self.allow_auto_topic_creation;
            wanted.map(|topic| cluster.find_or_create(origin, topic, may_create)).collect()
        };
        if self.include_topic_authorized_operations {
            topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
        }
        let with_cluster = self.include_cluster_authorized_operations;
        Reply::Now(MetadataResponse {
            brokers: cluster.nodes_shown(asked).map(broker).collect(),
            cluster_id: Some(cluster.id.clone()),
            controller_id: cluster.controller_seen(asked),
            topics,
            cluster_authorized_operations: if with_cluster { CLUSTER_OPERATIONS } else { NO_OPERATIONS },
            ..MetadataResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> MetadataResponse {
        let refused = |topic: &MetadataRequestTopic| MetadataResponseTopic {
            error_code: error,
            name: Some(topic.name.clone().unwrap_or_default()),
            topic_id: topic.topic_id,
            ..unknown()
        };
        MetadataResponse {
            topics: self.topics.iter().flatten().map(refused).collect(),
            error_code: error,
            ..MetadataResponse::default()
        }
    }
}

fn broker(node: &Node) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: node.id,
        host: node.host.clone(),
        port: node.port,
        rack: node.rack.clone(),
        ..MetadataResponseBroker::default()
    }
}

fn unknown() -> MetadataResponseTopic {
    MetadataResponseTopic { topic_authorized_operations: NO_OPERATIONS, ..MetadataResponseTopic::default() }
}

impl Cluster {
    /// Whether the client of a request may know of a topic.
    pub(super) fn may_describe(&self, origin: &Origin, topic: &str) -> bool {
        self.may(origin, Resource::Topic, topic, Operation::Describe)
    }

    /// A topic that a broker knows and tells of.
    pub(super) fn topic_shown(&self, broker: i32, topic: &TopicRef) -> Option<&TopicImage> {
        let hidden = self.images.hidden.get(&broker);
        self.topic_seen(broker, topic)
            .filter(|topic| hidden.is_none_or(|hidden| !hidden.topics.contains(&topic.name)))
    }

    /// All topics that a broker knows and tells of.
    pub(super) fn topics_shown(&self, broker: i32) -> impl Iterator<Item = &TopicImage> {
        let hidden = self.images.hidden.get(&broker);
        self.topics_seen(broker)
            .into_iter()
            .filter(move |topic| hidden.is_none_or(|hidden| !hidden.topics.contains(&topic.name)))
    }

    /// The brokers that serve as far as a broker knows, and that it tells of.
    fn nodes_shown(&self, broker: i32) -> impl Iterator<Item = &Node> {
        let hidden = self.images.hidden.get(&broker);
        self.nodes_seen(broker).into_iter().filter(move |node| {
            node.is_alive && hidden.is_none_or(|hidden| !hidden.brokers.contains(&node.id))
        })
    }

    fn find_or_create(
        &mut self,
        origin: &Origin,
        wanted: &MetadataRequestTopic,
        may_create: bool,
    ) -> MetadataResponseTopic {
        let broker = origin.broker;
        // An id says more than a name.
        let name = wanted.name.as_ref().filter(|_| wanted.topic_id.is_zero());
        let topic = match name {
            None => TopicRef::Id(wanted.topic_id),
            Some(name) => TopicRef::Name(name.clone()),
        };
        let meant = name.or_else(|| self.topics.name_of(wanted.topic_id));
        if meant.is_some_and(|meant| !self.may_describe(origin, meant)) {
            let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            let (name, topic_id) = (name.cloned(), wanted.topic_id);
            return MetadataResponseTopic { error_code, name, topic_id, ..unknown() };
        }
        if let Some(topic) = self.topic_shown(broker, &topic) {
            return self.metadata_of(broker, topic);
        }
        let error_code = match name {
            None => ErrorCode::UNKNOWN_TOPIC_ID,
            Some(name) => self.create_for_metadata(name, may_create),
        };
        MetadataResponseTopic { error_code, name: name.cloned(), topic_id: wanted.topic_id, ..unknown() }
    }

    /// What is answered for a missing topic, which may be created by the way.
    fn create_for_metadata(&mut self, topic: &Str, may_create: bool) -> ErrorCode {
        if name::check(topic).is_err() {
            return ErrorCode::INVALID_TOPIC_EXCEPTION;
        }
        if !may_create || !self.config.auto_create_topics || self.topics.get(topic).is_some() {
            return ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        }
        match self.create_default_topic(topic) {
            Ok(_) if self.config.release.is_kraft() => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Ok(_) => ErrorCode::LEADER_NOT_AVAILABLE,
            Err(error) => error.code,
        }
    }

    fn metadata_of(&self, broker: i32, topic: &TopicImage) -> MetadataResponseTopic {
        let partitions = topic.partitions.iter().zip(0..);
        MetadataResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: partitions
                .map(|(partition, index)| self.partition_metadata(broker, partition, index))
                .collect(),
            ..unknown()
        }
    }

    fn partition_metadata(
        &self,
        broker: i32,
        partition: &Leadership,
        index: i32,
    ) -> MetadataResponsePartition {
        let error_code =
            if partition.leader == NO_LEADER { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        MetadataResponsePartition {
            error_code,
            partition_index: index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.iter().copied().collect(),
            isr_nodes: partition.isr.iter().copied().collect(),
            offline_replicas: self.offline(broker, partition).collect(),
            ..MetadataResponsePartition::default()
        }
    }

    /// The replicas on brokers that do not serve, as far as a broker knows.
    pub(super) fn offline<'a>(
        &'a self,
        broker: i32,
        partition: &'a Leadership,
    ) -> impl Iterator<Item = i32> + 'a {
        let serves = move |id: i32| self.node_seen(broker, id).is_some_and(|node| node.is_alive);
        partition.replicas.iter().copied().filter(move |replica| !serves(*replica))
    }
}
