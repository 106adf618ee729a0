//! DeleteRecords (21), KIP-107. A real leader answers when its followers have deleted, too; here it does so at once.

use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::session::TopicRef;
use crate::cluster::topics::settings::SETTINGS;
use crate::cluster::{Cluster, Origin};

impl Serve for DeleteRecordsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DeleteRecordsResponse> {
        Reply::Now(answer(&self, |topic, wanted| {
            let deleted = cluster.delete_below(origin, topic, wanted);
            result(wanted, deleted)
        }))
    }

    fn refuse(&self, error: ErrorCode) -> DeleteRecordsResponse {
        answer(self, |_, wanted| result(wanted, Err(error)))
    }
}

fn answer(
    request: &DeleteRecordsRequest,
    mut partition: impl FnMut(&Str, &DeleteRecordsPartition) -> DeleteRecordsPartitionResult,
) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    for topic in &request.topics {
        response.topics.push(DeleteRecordsTopicResult {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|wanted| partition(&topic.name, wanted)).collect(),
            ..DeleteRecordsTopicResult::default()
        });
    }
    response
}

/// What is told of a partition; the low watermark is the first offset that is left.
fn result(wanted: &DeleteRecordsPartition, deleted: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index: wanted.partition_index,
        low_watermark: deleted.unwrap_or(-1),
        error_code: deleted.err().unwrap_or(ErrorCode::NONE),
        ..DeleteRecordsPartitionResult::default()
    }
}

impl Cluster {
    /// Has the asked broker delete the records of a partition below an offset. Returns the first offset that is left.
    fn delete_below(
        &mut self,
        origin: &Origin,
        name: &Str,
        wanted: &DeleteRecordsPartition,
    ) -> Result<i64, ErrorCode> {
        let topic = TopicRef::Name(name.clone());
        if self.topic_seen(origin.broker, &topic).is_some_and(|image| image.is_internal()) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        self.led(origin, &topic, wanted.partition_index, -1)?;
        let known = self.topics.find(&topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let policy = SETTINGS.iter().find(|setting| setting.name == "cleanup.policy");
        if policy.is_some_and(|policy| !known.settings.get(policy).0.contains("delete")) {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        let id = known.id();
        let turn = self.turn(origin.now, id, wanted.partition_index);
        let mut turn = turn.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let leader = turn.partition.slot(origin.broker).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        turn.delete_records(leader, wanted.offset)
    }
}
