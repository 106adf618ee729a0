//! OffsetFetch (9). If stable offsets are required, those that a transaction is about to commit are not told (KIP-447).

use std::collections::BTreeMap;

use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{Reply, Serve};
use crate::cluster::groups::{Committed, Group};
use crate::cluster::topics::Topic;
use crate::cluster::{Cluster, Origin};

/// Since this version a request has several groups.
const BATCHED: i16 = 8;
/// Since this version topics are named by their ids.
const BY_ID: i16 = 10;
/// Since this version there is an error of the whole group.
const GROUP_ERROR: i16 = 2;

impl Serve for OffsetFetchRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<OffsetFetchResponse> {
        if origin.version < BATCHED {
            let found = fetch(cluster, origin, &single_group(&self), self.require_stable);
            return Reply::Now(single_response(origin.version, &self, found));
        }
        let groups =
            self.groups.iter().map(|group| fetch(cluster, origin, group, self.require_stable)).collect();
        Reply::Now(OffsetFetchResponse { groups, ..OffsetFetchResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> OffsetFetchResponse {
        let groups = self.groups.iter().map(|group| failed(group, error)).collect();
        let topics = single_group(self).topics.unwrap_or_default();
        let topics = topics.iter().map(|topic| flat(failed_topic(topic, error))).collect();
        OffsetFetchResponse { topics, error_code: error, groups, ..OffsetFetchResponse::default() }
    }
}

/// The group of a request that can have one only.
fn single_group(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.as_ref().map(|topics| {
        let topic = |topic: &klamm_protocol::messages::offset_fetch::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics {
                name: topic.name.clone(),
                partition_indexes: topic.partition_indexes.clone(),
                ..OffsetFetchRequestTopics::default()
            }
        };
        topics.iter().map(topic).collect()
    });
    OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics,
        ..OffsetFetchRequestGroup::default()
    }
}

fn single_response(
    version: i16,
    request: &OffsetFetchRequest,
    found: OffsetFetchResponseGroup,
) -> OffsetFetchResponse {
    if !found.error_code.is_ok() && version < GROUP_ERROR {
        return request.refuse(found.error_code);
    }
    OffsetFetchResponse {
        topics: found.topics.into_iter().map(flat).collect(),
        error_code: found.error_code,
        ..OffsetFetchResponse::default()
    }
}

/// In the form of a response with one group.
fn flat(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..OffsetFetchResponsePartition::default()
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..OffsetFetchResponseTopic::default()
    }
}

fn failed(group: &OffsetFetchRequestGroup, error: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup {
        group_id: group.group_id.clone(),
        error_code: error,
        ..OffsetFetchResponseGroup::default()
    }
}

fn failed_topic(topic: &OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics {
    let failed = |index: &i32| OffsetFetchResponsePartitions { error_code: error, ..found(*index, None) };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(failed).collect(),
        ..OffsetFetchResponseTopics::default()
    }
}

fn found(partition: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(committed.map(|committed| committed.metadata.clone()).unwrap_or_default()),
        ..OffsetFetchResponsePartitions::default()
    }
}

/// What is committed for a partition, if it may be told.
fn told(
    group: Option<&Group>,
    (topic, partition): (&Str, i32),
    require_stable: bool,
) -> OffsetFetchResponsePartitions {
    if require_stable && group.is_some_and(|group| group.is_pending(topic, partition)) {
        let error_code = ErrorCode::UNSTABLE_OFFSET_COMMIT;
        return OffsetFetchResponsePartitions { error_code, ..found(partition, None) };
    }
    found(partition, group.and_then(|group| group.offsets.get(&(topic.clone(), partition))))
}

fn fetch(
    cluster: &Cluster,
    origin: &Origin,
    wanted: &OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    // Version 0 knows no groups, only names to commit under.
    if origin.version > 0
        && let Err(error) = cluster.groups.check_coordinator(origin, &wanted.group_id)
    {
        return failed(wanted, error);
    }
    let consumers = cluster.groups.get(&wanted.group_id).and_then(Group::consumer);
    let checked = consumers.map(|group| group.check_fetch(wanted.member_id.as_ref(), wanted.member_epoch));
    if let Some(Err(error)) = checked {
        return failed(wanted, error);
    }
    let topics = match &wanted.topics {
        None => all_topics(cluster, origin.version, &wanted.group_id, require_stable),
        Some(topics) => {
            let one = |topic| one_topic(cluster, origin.version, (&wanted.group_id, topic), require_stable);
            topics.iter().map(one).collect()
        }
    };
    OffsetFetchResponseGroup {
        group_id: wanted.group_id.clone(),
        topics,
        ..OffsetFetchResponseGroup::default()
    }
}

fn one_topic(
    cluster: &Cluster,
    version: i16,
    (group, topic): (&str, &OffsetFetchRequestTopics),
    require_stable: bool,
) -> OffsetFetchResponseTopics {
    let name = if version >= BY_ID {
        match cluster.topics.name_of(topic.topic_id) {
            Some(name) => name.clone(),
            None => return failed_topic(topic, ErrorCode::UNKNOWN_TOPIC_ID),
        }
    } else {
        topic.name.clone()
    };
    if version == 0 && cluster.topics.get(&name).is_none() {
        return failed_topic(topic, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let group = cluster.groups.get(group);
    let partition = |index: &i32| told(group, (&name, *index), require_stable);
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..OffsetFetchResponseTopics::default()
    }
}

/// All topics for which something is committed.
fn all_topics(
    cluster: &Cluster,
    version: i16,
    group: &str,
    require_stable: bool,
) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: BTreeMap<&Str, Vec<OffsetFetchResponsePartitions>> = BTreeMap::new();
    let group = cluster.groups.get(group);
    for (topic, partition) in group.into_iter().flat_map(|group| group.offsets.keys()) {
        topics.entry(topic).or_default().push(told(group, (topic, *partition), require_stable));
    }
    let named = topics.into_iter().map(|(name, partitions)| OffsetFetchResponseTopics {
        name: if version < BY_ID { name.clone() } else { Str::default() },
        topic_id: cluster.topics.get(name).filter(|_| version >= BY_ID).map_or(Uuid::ZERO, Topic::id),
        partitions,
        ..OffsetFetchResponseTopics::default()
    });
    named.collect()
}
