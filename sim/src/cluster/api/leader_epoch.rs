//! OffsetForLeaderEpoch (23), KIP-101 and KIP-320.

use klamm_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::session::TopicRef;
use crate::cluster::{Cluster, Origin};

impl Serve for OffsetForLeaderEpochRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<OffsetForLeaderEpochResponse> {
        Reply::Now(answer(&self, |topic, wanted| {
            end_of_epoch(cluster, origin, topic, wanted).unwrap_or_else(|error| failed(wanted, error))
        }))
    }

    fn refuse(&self, error: ErrorCode) -> OffsetForLeaderEpochResponse {
        answer(self, |_, wanted| failed(wanted, error))
    }
}

fn answer(
    request: &OffsetForLeaderEpochRequest,
    partition: impl Fn(&Str, &OffsetForLeaderPartition) -> EpochEndOffset,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| OffsetForLeaderTopicResult {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(|wanted| partition(&topic.topic, wanted)).collect(),
        ..OffsetForLeaderTopicResult::default()
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
}

fn failed(wanted: &OffsetForLeaderPartition, error: ErrorCode) -> EpochEndOffset {
    EpochEndOffset {
        error_code: error,
        partition: wanted.partition,
        leader_epoch: -1,
        end_offset: -1,
        ..EpochEndOffset::default()
    }
}

fn end_of_epoch(
    cluster: &Cluster,
    origin: &Origin,
    topic: &Str,
    wanted: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    let topic = TopicRef::Name(topic.clone());
    let (_, replica) = cluster.led(origin, &topic, wanted.partition, wanted.current_leader_epoch)?;
    let is_told = wanted.leader_epoch != -1;
    let end = is_told.then(|| replica.log.end_of_epoch(wanted.leader_epoch)).flatten();
    let (leader_epoch, end_offset) = end.unwrap_or((-1, -1));
    Ok(EpochEndOffset { partition: wanted.partition, leader_epoch, end_offset, ..EpochEndOffset::default() })
}
