//! TxnOffsetCommit (28).

use klamm_core::Instant;
use klamm_protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::groups::{Claim, Commit};
use crate::cluster::transactions::{Adding, Identity, OFFSETS_TOPIC};
use crate::cluster::{Cluster, Origin};

/// Since this version the broker adds the group to the transaction (KIP-890).
const FIRST_THAT_ADDS: i16 = 5;
/// Since this version a client knows that a transaction can be aborted (KIP-1050).
const FIRST_WITH_ABORTABLE: i16 = 4;
/// Since this version topics are named by their ids.
const BY_ID: i16 = 6;
/// Since this version a client knows that a coordinator may be loading.
const FIRST_WITH_LOADING: i16 = 2;

impl Serve for TxnOffsetCommitRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<TxnOffsetCommitResponse> {
        let is_known = |topic: &TxnOffsetCommitRequestTopic| {
            let mut indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            indexes.any(|index| topic_name(cluster, origin.version, topic, index).is_ok())
        };
        // Without a partition that exists the group is not asked.
        let begun = match self.topics.iter().any(is_known) {
            true => begin(&self, cluster, origin).map_err(|error| translated(origin.version, error)),
            false => Ok(()),
        };
        Reply::Now(answer(&self, |topic, partition| {
            let name = match topic_name(cluster, origin.version, topic, partition.partition_index) {
                Ok(name) => name,
                Err(error) => return error,
            };
            let committed = begun.and_then(|()| commit(&self, cluster, (origin.now, &name), partition));
            committed.err().unwrap_or(ErrorCode::NONE)
        }))
    }

    fn refuse(&self, error: ErrorCode) -> TxnOffsetCommitResponse {
        answer(self, |_, _| error)
    }
}

const fn translated(version: i16, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS if version < FIRST_WITH_LOADING => {
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        }
        error => error,
    }
}

fn answer(
    request: &TxnOffsetCommitRequest,
    mut result: impl FnMut(&TxnOffsetCommitRequestTopic, &TxnOffsetCommitRequestPartition) -> ErrorCode,
) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| TxnOffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: result(topic, partition),
            ..TxnOffsetCommitResponsePartition::default()
        });
        TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..TxnOffsetCommitResponseTopic::default()
        }
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..TxnOffsetCommitResponse::default() }
}

/// The name of the topic, if it has this partition.
fn topic_name(
    cluster: &Cluster,
    version: i16,
    topic: &TxnOffsetCommitRequestTopic,
    partition: i32,
) -> Result<Str, ErrorCode> {
    let name = if version >= BY_ID {
        cluster.topics.name_of(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        &topic.name
    };
    let known = cluster.topics.get(name).filter(|topic| topic.partition(partition).is_some());
    known.map(|topic| topic.name().clone()).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// Whether the group and the coordinator of the transaction allow it.
fn begin(request: &TxnOffsetCommitRequest, cluster: &mut Cluster, origin: &Origin) -> Result<(), ErrorCode> {
    let group = &request.group_id;
    if group.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    cluster.groups.check_coordinator(origin, group)?;
    ask_coordinator(request, cluster, origin)?;
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
        generation: request.generation_id_or_member_epoch,
    };
    cluster.groups.begin_transactional_commit(origin.now, group, &claim, origin.version)
}

/// The coordinator of the group asks that of the transaction, and adds the group in newer versions.
fn ask_coordinator(
    request: &TxnOffsetCommitRequest,
    cluster: &mut Cluster,
    origin: &Origin,
) -> Result<(), ErrorCode> {
    let id = &request.transactional_id;
    let (now, broker) = (origin.now, cluster.transactions.coordinator(id));
    let broker = broker.filter(|broker| cluster.reaches(origin.broker, *broker));
    let broker = broker.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    cluster.transactions.check_coordinator(now, broker, id)?;
    let producer = Identity { id: request.producer_id, epoch: request.producer_epoch };
    let adding = Adding { id, producer, is_bumping: origin.version >= FIRST_THAT_ADDS };
    let place = (Str::from_static(OFFSETS_TOPIC), cluster.groups.partition_of(&request.group_id));
    let result = if adding.is_bumping {
        let clock = cluster.clock(now);
        cluster.transactions.add(clock, &adding, vec![place])
    } else {
        let knows = origin.version >= FIRST_WITH_ABORTABLE;
        let not_part = if knows { ErrorCode::TRANSACTION_ABORTABLE } else { ErrorCode::INVALID_TXN_STATE };
        cluster.transactions.verify(now, &adding, &place, not_part)
    };
    // As when the log of the group's commits refuses it.
    result.map_err(|error| match error {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        error => error,
    })
}

fn commit(
    request: &TxnOffsetCommitRequest,
    cluster: &mut Cluster,
    (now, name): (Instant, &Str),
    partition: &TxnOffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    let commit = Commit {
        topic: name,
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default(),
        at: now,
    };
    cluster.groups.commit_later(&request.group_id, request.producer_id, &commit)
}
