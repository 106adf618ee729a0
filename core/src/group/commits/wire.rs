//! OffsetCommit (key 8) and OffsetFetch (key 9).

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
        },
        offset_fetch::{
            OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
            OffsetFetchResponse,
        },
    },
};

use crate::group::{CommitOffset, TopicPartition, membership::Identity};

/// From version 10 on topics go by their ids, which says nothing of those that were made anew.
pub(super) const MAX_VERSION: i16 = 9;

/// In which form a broker understands OffsetFetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Several groups at once, with the member (version 8 and later).
    #[default]
    Groups,
    /// Only what no transaction may yet change (version 7, KIP-447).
    Stable,
    /// Versions before 7.
    Plain,
}

impl Form {
    /// The form to try next if a broker does not understand this one.
    pub(super) const fn older(self) -> Option<Self> {
        match self {
            Self::Groups => Some(Self::Stable),
            Self::Stable => Some(Self::Plain),
            Self::Plain => None,
        }
    }

    pub(super) const fn max_version(self) -> i16 {
        match self {
            Self::Groups => MAX_VERSION,
            Self::Stable => 7,
            Self::Plain => 6,
        }
    }
}

pub(super) fn commit_request(
    group_id: &Str,
    instance_id: Option<&Str>,
    identity: &Identity,
    offsets: &BTreeMap<TopicPartition, CommitOffset>,
) -> OffsetCommitRequest {
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for ((topic, partition), commit) in offsets {
        let partition = OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: commit.offset,
            committed_leader_epoch: commit.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(commit.metadata.clone()),
            ..Default::default()
        };
        match topics.last_mut().filter(|last| last.name == *topic) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(OffsetCommitRequestTopic {
                name: topic.clone(),
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    OffsetCommitRequest {
        group_id: group_id.clone(),
        generation_id_or_member_epoch: identity.generation,
        member_id: identity.member_id.clone(),
        group_instance_id: instance_id.cloned(),
        topics,
        ..Default::default()
    }
}

/// What an answer says of each partition.
pub(super) fn commit_codes(response: &OffsetCommitResponse) -> BTreeMap<(&Str, i32), ErrorCode> {
    let codes = response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|each| ((&topic.name, each.partition_index), each.error_code))
    });
    codes.collect()
}

pub(super) fn fetch_request(
    group_id: &Str,
    identity: Option<&Identity>,
    partitions: &BTreeSet<TopicPartition>,
    form: Form,
) -> OffsetFetchRequest {
    let mut by_topic: Vec<(&Str, Vec<i32>)> = Vec::new();
    for (topic, partition) in partitions {
        match by_topic.last_mut().filter(|(last, _)| *last == topic) {
            Some((_, list)) => list.push(*partition),
            None => by_topic.push((topic, vec![*partition])),
        }
    }
    let require_stable = form != Form::Plain;
    if form != Form::Groups {
        let topics = by_topic.into_iter().map(|(name, list)| OffsetFetchRequestTopic {
            name: name.clone(),
            partition_indexes: list.into(),
            ..Default::default()
        });
        let topics = Some(topics.collect());
        return OffsetFetchRequest {
            group_id: group_id.clone(),
            topics,
            require_stable,
            ..Default::default()
        };
    }
    let topics = by_topic.into_iter().map(|(name, list)| OffsetFetchRequestTopics {
        name: name.clone(),
        partition_indexes: list.into(),
        ..Default::default()
    });
    let group = OffsetFetchRequestGroup {
        group_id: group_id.clone(),
        member_id: identity.map(|identity| identity.member_id.clone()),
        member_epoch: identity.map_or(-1, |identity| identity.generation),
        topics: Some(topics.collect()),
        ..Default::default()
    };
    OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() }
}

/// What an answer says: of the group, and of each partition.
pub(super) type Fetched =
    Result<BTreeMap<TopicPartition, Result<Option<CommitOffset>, ErrorCode>>, ErrorCode>;

pub(super) fn fetched(group_id: &Str, response: &OffsetFetchResponse) -> Fetched {
    let one = |offset: i64, leader_epoch: i32, metadata: Option<&Str>, code: ErrorCode| {
        code.ok()?;
        Ok((offset >= 0).then(|| CommitOffset {
            offset,
            leader_epoch: (leader_epoch >= 0).then_some(leader_epoch),
            metadata: metadata.cloned().unwrap_or_default(),
        }))
    };
    let mut all = BTreeMap::new();
    if let Some(group) = response.groups.iter().find(|group| group.group_id == *group_id) {
        group.error_code.ok()?;
        for topic in &group.topics {
            for each in &topic.partitions {
                let value = one(
                    each.committed_offset,
                    each.committed_leader_epoch,
                    each.metadata.as_ref(),
                    each.error_code,
                );
                all.insert((topic.name.clone(), each.partition_index), value);
            }
        }
        return Ok(all);
    }
    response.error_code.ok()?;
    for topic in &response.topics {
        for each in &topic.partitions {
            let value = one(
                each.committed_offset,
                each.committed_leader_epoch,
                each.metadata.as_ref(),
                each.error_code,
            );
            all.insert((topic.name.clone(), each.partition_index), value);
        }
    }
    Ok(all)
}
