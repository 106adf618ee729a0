//! Metadata (3).

use klamm_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{CLUSTER_OPERATIONS, NO_OPERATIONS, Reply, Serve, TOPIC_OPERATIONS};
use crate::cluster::topics::{NO_LEADER, Partition, Topic, name};
use crate::cluster::{Cluster, Origin};

impl Serve for MetadataRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<MetadataResponse> {
        let all = match &self.topics {
            None => true,
            Some(topics) => origin.version == 0 && topics.is_empty(),
        };
        let mut topics: Vec<MetadataResponseTopic> = if all {
            cluster.topics.iter().map(|topic| cluster.metadata_of(topic)).collect()
        } else {
            let wanted = self.topics.iter().flatten();
            wanted.map(|topic| cluster.find_or_create(topic, self.allow_auto_topic_creation)).collect()
        };
        if self.include_topic_authorized_operations {
            let known = topics.iter_mut().filter(|topic| topic.error_code.is_ok());
            known.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
        }
        let with_cluster = self.include_cluster_authorized_operations;
        Reply::Now(MetadataResponse {
            brokers: cluster.live_brokers().map(broker).collect(),
            cluster_id: Some(cluster.id.clone()),
            controller_id: cluster.controller(),
            topics,
            cluster_authorized_operations: if with_cluster { CLUSTER_OPERATIONS } else { NO_OPERATIONS },
            ..MetadataResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> MetadataResponse {
        let refused = |topic: &MetadataRequestTopic| MetadataResponseTopic {
            error_code: error,
            name: topic.name.clone(),
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

fn broker(broker: &crate::cluster::Broker) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: broker.id,
        host: broker.host.clone(),
        port: broker.port,
        ..MetadataResponseBroker::default()
    }
}

fn unknown() -> MetadataResponseTopic {
    MetadataResponseTopic { topic_authorized_operations: NO_OPERATIONS, ..MetadataResponseTopic::default() }
}

impl Cluster {
    fn find_or_create(&mut self, wanted: &MetadataRequestTopic, may_create: bool) -> MetadataResponseTopic {
        let (topic, error_code) = match &wanted.name {
            None => {
                let found = self.topics.name_of(wanted.topic_id).and_then(|name| self.topics.get(name));
                (found, ErrorCode::UNKNOWN_TOPIC_ID)
            }
            Some(name) if self.topics.get(name).is_some() => (self.topics.get(name), ErrorCode::NONE),
            Some(name) => (None, self.create_for_metadata(name, may_create)),
        };
        match topic {
            Some(topic) => self.metadata_of(topic),
            None => MetadataResponseTopic {
                error_code,
                name: wanted.name.clone(),
                topic_id: wanted.topic_id,
                ..unknown()
            },
        }
    }

    /// What is answered for a missing topic, which may be created by the way.
    fn create_for_metadata(&mut self, topic: &Str, may_create: bool) -> ErrorCode {
        if name::check(topic).is_err() {
            return ErrorCode::INVALID_TOPIC_EXCEPTION;
        }
        if !may_create || !self.config.auto_create_topics {
            return ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        }
        match self.create_default_topic(topic) {
            Ok(_) if self.config.release.is_kraft() => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Ok(_) => ErrorCode::LEADER_NOT_AVAILABLE,
            Err(error) => error.code,
        }
    }

    fn metadata_of(&self, topic: &Topic) -> MetadataResponseTopic {
        let partitions = topic.partitions.iter().zip(0..);
        MetadataResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: partitions
                .map(|(partition, index)| self.partition_metadata(partition, index))
                .collect(),
            ..unknown()
        }
    }

    fn partition_metadata(&self, partition: &Partition, index: i32) -> MetadataResponsePartition {
        let error_code =
            if partition.leader == NO_LEADER { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        MetadataResponsePartition {
            error_code,
            partition_index: index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.iter().copied().collect(),
            isr_nodes: partition.isr.iter().copied().collect(),
            offline_replicas: self.offline(partition).collect(),
            ..MetadataResponsePartition::default()
        }
    }

    /// The replicas on dead brokers.
    pub(super) fn offline<'a>(&'a self, partition: &'a Partition) -> impl Iterator<Item = i32> + 'a {
        partition.replicas.iter().copied().filter(|replica| !self.is_alive(*replica))
    }
}
