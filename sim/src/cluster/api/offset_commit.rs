//! OffsetCommit (8).

use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::groups::{Claim, Commit};
use crate::cluster::{Cluster, Origin};
use crate::observe::ClusterEvent;

/// Since this version topics are named by their ids.
const BY_ID: i16 = 10;

impl Serve for OffsetCommitRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<OffsetCommitResponse> {
        if let Err(error) = begin(&self, cluster, origin) {
            return Reply::Now(self.refuse(error));
        }
        Reply::Now(answer(&self, |topic, partition| {
            commit(&self, cluster, origin, topic, partition).err().unwrap_or(ErrorCode::NONE)
        }))
    }

    fn refuse(&self, error: ErrorCode) -> OffsetCommitResponse {
        answer(self, |_, _| error)
    }
}

fn answer(
    request: &OffsetCommitRequest,
    mut result: impl FnMut(&OffsetCommitRequestTopic, &OffsetCommitRequestPartition) -> ErrorCode,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: result(topic, partition),
            ..OffsetCommitResponsePartition::default()
        });
        OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..OffsetCommitResponseTopic::default()
        }
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

fn begin(request: &OffsetCommitRequest, cluster: &mut Cluster, origin: &Origin) -> Result<(), ErrorCode> {
    // Without a partition that exists the group is not asked. Version 0 knows no groups, only names to commit under.
    let is_known = |topic: &OffsetCommitRequestTopic| {
        let mut indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        indexes.any(|index| topic_name(cluster, origin.version, topic, index).is_ok())
    };
    if origin.version == 0 || !request.topics.iter().any(is_known) {
        return Ok(());
    }
    cluster.groups.check_coordinator(origin, &request.group_id)?;
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
        generation: request.generation_id_or_member_epoch,
    };
    cluster.groups.begin_commit(origin.now, &request.group_id, &claim, origin.version)
}

fn topic_name(
    cluster: &Cluster,
    version: i16,
    topic: &OffsetCommitRequestTopic,
    partition: i32,
) -> Result<Str, ErrorCode> {
    if version >= BY_ID {
        let name = cluster.topics.name_of(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        return existing(cluster, name, partition);
    }
    existing(cluster, &topic.name, partition)
}

/// The name of a topic that has this partition.
fn existing(cluster: &Cluster, topic: &Str, partition: i32) -> Result<Str, ErrorCode> {
    let known = cluster.topics.get(topic).filter(|topic| topic.partition(partition).is_some());
    known.map(|topic| topic.name().clone()).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

fn commit(
    request: &OffsetCommitRequest,
    cluster: &mut Cluster,
    origin: &Origin,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    let name = topic_name(cluster, origin.version, topic, partition.partition_index)?;
    let commit = Commit {
        topic: &name,
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default(),
        at: origin.now,
    };
    cluster.groups.commit(&request.group_id, &commit)?;
    cluster.events.tell(|| ClusterEvent::OffsetCommitted {
        group: Str::copy_of(&request.group_id),
        member: Str::copy_of(&request.member_id),
        generation: request.generation_id_or_member_epoch,
        topic: name.clone(),
        partition: partition.partition_index,
        offset: partition.committed_offset,
    });
    Ok(())
}
