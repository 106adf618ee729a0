//! OffsetDelete (47), KIP-496.

use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Origin};

impl Serve for OffsetDeleteRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<OffsetDeleteResponse> {
        if let Err(error) = check(&self, cluster, origin) {
            return Reply::Now(self.refuse(error));
        }
        let topics = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: delete(cluster, &self.group_id, &topic.name, partition.partition_index),
                ..OffsetDeleteResponsePartition::default()
            });
            OffsetDeleteResponseTopic {
                name: topic.name.clone(),
                partitions: partitions.collect(),
                ..OffsetDeleteResponseTopic::default()
            }
        });
        Reply::Now(OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> OffsetDeleteResponse {
        OffsetDeleteResponse { error_code: error, ..OffsetDeleteResponse::default() }
    }
}

fn check(request: &OffsetDeleteRequest, cluster: &Cluster, origin: &Origin) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    cluster.groups.check_coordinator(origin, &request.group_id)?;
    let group = cluster.groups.get(&request.group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    // Of other kinds of groups nobody knows what the members want.
    let is_of_others = group.classic().is_some_and(|group| !group.is_of_consumers());
    if is_of_others && !group.is_empty() {
        return Err(ErrorCode::NON_EMPTY_GROUP);
    }
    Ok(())
}

fn delete(cluster: &mut Cluster, group: &str, topic: &Str, partition: i32) -> ErrorCode {
    let exists = cluster.topics.get(topic).is_some_and(|topic| topic.partition(partition).is_some());
    if !exists {
        return ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    }
    cluster.groups.delete_offset(group, topic, partition).err().unwrap_or(ErrorCode::NONE)
}
