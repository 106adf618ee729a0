//! ListOffsets (key 2) and OffsetForLeaderEpoch (key 23), in all their versions: questions about partitions as
//! requests, and responses as answers.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
            ListOffsetsTopic,
        },
        offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
            OffsetForLeaderTopic,
        },
    },
};

use super::Isolation;

/// The replica id of a consumer.
pub(super) const CONSUMER: i32 = -1;

/// One partition in a question to its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) topic: Str,
    pub(super) partition: i32,
    /// As the metadata say; negative if they do not.
    pub(super) leader_epoch: i32,
    /// For ListOffsets a timestamp (-1: the end, -2: the beginning); for OffsetForLeaderEpoch the epoch.
    pub(super) about: i64,
}

/// An offset as ListOffsets answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// -1: there is none.
    pub(super) offset: i64,
    /// -1: not known.
    pub(super) timestamp: i64,
    /// -1: not known.
    pub(super) leader_epoch: i32,
}

/// The end of an epoch as OffsetForLeaderEpoch answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochEnd {
    /// The highest epoch not above the one asked for; -1 if there is none.
    pub(super) epoch: i32,
    /// The offset after its last record; -1 if there is none.
    pub(super) offset: i64,
}

/// One partition's part of an answer.
pub(super) type Answer<'a, T> = (&'a Str, i32, Result<T, ErrorCode>);

fn by_topic<T, P>(
    questions: &[Question],
    topic_of: impl Fn(&Str, Vec<P>) -> T,
    partition_of: impl Fn(&Question) -> P,
) -> Vec<T> {
    let mut topics: BTreeMap<&Str, Vec<P>> = BTreeMap::new();
    for question in questions {
        topics.entry(&question.topic).or_default().push(partition_of(question));
    }
    topics.into_iter().map(|(topic, partitions)| topic_of(topic, partitions)).collect()
}

/// Asks one leader for offsets by timestamp.
pub(super) fn list_offsets(
    questions: &[Question],
    isolation: Isolation,
    timeout_ms: i32,
) -> ListOffsetsRequest {
    let topics = by_topic(
        questions,
        |name, partitions| ListOffsetsTopic { name: name.clone(), partitions, ..ListOffsetsTopic::default() },
        |question| ListOffsetsPartition {
            partition_index: question.partition,
            current_leader_epoch: question.leader_epoch,
            timestamp: question.about,
            max_num_offsets: 1,
            ..ListOffsetsPartition::default()
        },
    );
    ListOffsetsRequest {
        replica_id: CONSUMER,
        isolation_level: isolation.code(),
        topics,
        timeout_ms,
        ..ListOffsetsRequest::default()
    }
}

/// Reads what a leader answered.
pub(super) fn listed(
    version: i16,
    response: &ListOffsetsResponse,
) -> impl Iterator<Item = Answer<'_, Listed>> {
    response.topics.iter().flat_map(move |topic| {
        topic.partitions.iter().map(move |partition| {
            (&topic.name, partition.partition_index, listed_partition(version, partition))
        })
    })
}

/// Version 0 lists the segments that begin before the timestamp, the newest first; later ones give the offset of
/// the first record at or after it.
fn listed_partition(version: i16, partition: &ListOffsetsPartitionResponse) -> Result<Listed, ErrorCode> {
    match partition.error_code {
        ErrorCode::NONE if version == 0 => {
            let offset = partition.old_style_offsets.iter().copied().next().unwrap_or(-1);
            Ok(Listed { offset, timestamp: -1, leader_epoch: -1 })
        }
        ErrorCode::NONE => Ok(Listed {
            offset: partition.offset,
            timestamp: partition.timestamp,
            leader_epoch: partition.leader_epoch,
        }),
        // Message format 0 has no timestamps to search.
        ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT => {
            Ok(Listed { offset: -1, timestamp: -1, leader_epoch: -1 })
        }
        code => Err(code),
    }
}

/// Asks one leader where epochs end.
pub(super) fn epoch_ends(questions: &[Question]) -> OffsetForLeaderEpochRequest {
    let topics = by_topic(
        questions,
        |topic, partitions| OffsetForLeaderTopic {
            topic: topic.clone(),
            partitions,
            ..OffsetForLeaderTopic::default()
        },
        |question| OffsetForLeaderPartition {
            partition: question.partition,
            current_leader_epoch: question.leader_epoch,
            leader_epoch: i32::try_from(question.about).unwrap_or(-1),
            ..OffsetForLeaderPartition::default()
        },
    );
    OffsetForLeaderEpochRequest { replica_id: CONSUMER, topics, ..OffsetForLeaderEpochRequest::default() }
}

/// Reads what a leader answered.
pub(super) fn ended(response: &OffsetForLeaderEpochResponse) -> impl Iterator<Item = Answer<'_, EpochEnd>> {
    response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| {
            let answer = match partition.error_code {
                ErrorCode::NONE => {
                    Ok(EpochEnd { epoch: partition.leader_epoch, offset: partition.end_offset })
                }
                code => Err(code),
            };
            (&topic.topic, partition.partition, answer)
        })
    })
}
