//! DescribeTopicPartitions (75), KIP-966.

use klamm_protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve, TOPIC_OPERATIONS};
use crate::cluster::replication::TopicImage;
use crate::cluster::session::TopicRef;
use crate::cluster::topics::{Leadership, NO_LEADER, name};
use crate::cluster::{Cluster, Origin};

/// Partitions in one response at most.
const MAX_PARTITIONS: i32 = 2000;

impl Serve for DescribeTopicPartitionsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeTopicPartitionsResponse> {
        let mut names: Vec<Str> = if self.topics.is_empty() {
            let shown = cluster.topics_shown(origin.broker);
            shown.map(|topic| topic.name.clone()).filter(|name| cluster.may_describe(origin, name)).collect()
        } else {
            self.topics.iter().map(|topic| topic.name.clone()).collect()
        };
        names.sort();
        names.dedup();
        if let Some(cursor) = &self.cursor {
            let is_elsewhere = !self.topics.is_empty() && !names.contains(&cursor.topic_name);
            if is_elsewhere || cursor.partition_index < 0 {
                return Reply::Now(self.refuse(ErrorCode::INVALID_REQUEST));
            }
        }
        let (first, mut index) = match &self.cursor {
            Some(cursor) => (cursor.topic_name.clone(), cursor.partition_index),
            None => (Str::default(), 0),
        };
        let mut room = self.response_partition_limit.clamp(1, MAX_PARTITIONS);
        let mut response = DescribeTopicPartitionsResponse::default();
        for name in names.iter().filter(|name| **name >= first) {
            if *name != first {
                index = 0;
            }
            if !cluster.may_describe(origin, name) {
                response.topics.push(forbidden(name));
                continue;
            }
            let Some(topic) = cluster.topic_shown(origin.broker, &TopicRef::Name(name.clone())) else {
                response.topics.push(unknown(name));
                continue;
            };
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let end = count.min(index.saturating_add(room));
            response.topics.push(cluster.description_of(origin.broker, topic, index..end));
            room -= (end - index).max(0);
            if end < count || room == 0 {
                response.next_cursor = next_cursor(&names, name, end, count);
                break;
            }
        }
        Reply::Now(response)
    }

    fn refuse(&self, error: ErrorCode) -> DescribeTopicPartitionsResponse {
        let refused = self.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
            error_code: error,
            name: Some(topic.name.clone()),
            ..DescribeTopicPartitionsResponseTopic::default()
        });
        DescribeTopicPartitionsResponse {
            topics: refused.collect(),
            ..DescribeTopicPartitionsResponse::default()
        }
    }
}

/// Where to go on after `end` of the `count` partitions of a topic.
fn next_cursor(names: &[Str], topic: &Str, end: i32, count: i32) -> Option<Cursor> {
    let (topic_name, partition_index) = if end < count {
        (topic.clone(), end)
    } else {
        (names.iter().find(|name| *name > topic)?.clone(), 0)
    };
    Some(Cursor { topic_name, partition_index, ..Cursor::default() })
}

fn unknown(topic: &Str) -> DescribeTopicPartitionsResponseTopic {
    let is_valid = name::check(topic).is_ok();
    DescribeTopicPartitionsResponseTopic {
        error_code: if is_valid {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        } else {
            ErrorCode::INVALID_TOPIC_EXCEPTION
        },
        name: Some(topic.clone()),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn forbidden(topic: &Str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let name = Some(topic.clone());
    DescribeTopicPartitionsResponseTopic { error_code, name, ..Default::default() }
}

impl Cluster {
    fn description_of(
        &self,
        broker: i32,
        topic: &TopicImage,
        range: std::ops::Range<i32>,
    ) -> DescribeTopicPartitionsResponseTopic {
        let described =
            |index| topic.partition(index).map(|partition| self.describe(broker, partition, index));
        DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: range.filter_map(described).collect(),
            topic_authorized_operations: TOPIC_OPERATIONS,
            ..DescribeTopicPartitionsResponseTopic::default()
        }
    }

    fn describe(
        &self,
        broker: i32,
        partition: &Leadership,
        index: i32,
    ) -> DescribeTopicPartitionsResponsePartition {
        let error_code =
            if partition.leader == NO_LEADER { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        DescribeTopicPartitionsResponsePartition {
            error_code,
            partition_index: index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.iter().copied().collect(),
            isr_nodes: partition.isr.iter().copied().collect(),
            eligible_leader_replicas: Some([].into()),
            last_known_elr: Some([].into()),
            offline_replicas: self.offline(broker, partition).collect(),
            ..DescribeTopicPartitionsResponsePartition::default()
        }
    }
}
