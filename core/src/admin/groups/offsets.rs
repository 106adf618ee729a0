//! Offsets that groups committed.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
        },
        offset_delete::{
            OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
        },
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic, OffsetFetchResponse},
    },
};

use super::{
    super::{AdminError, AdminErrorKind, PerItem, operation::Verdict},
    CommittedOffset, GroupCommand, GroupReply, Groups,
};
use crate::Effect;

/// The last version of OffsetFetch that asks for one group; every broker has it.
pub(super) const FETCH_BY_NAME: i16 = 7;
/// The last version of OffsetCommit that names topics.
pub(super) const COMMIT_BY_NAME: i16 = 9;

type Key = (Str, i32);

/// Partitions by topic.
fn by_topic<'a, T: 'a>(all: impl IntoIterator<Item = (&'a Key, T)>) -> BTreeMap<&'a Str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&Str, Vec<(i32, T)>> = BTreeMap::new();
    for ((topic, partition), value) in all {
        topics.entry(topic).or_default().push((*partition, value));
    }
    topics
}

pub(super) fn fetch_request(
    group: &Str,
    partitions: Option<&[Key]>,
    require_stable: bool,
) -> OffsetFetchRequest {
    let topics = partitions.map(|partitions| {
        let topics = by_topic(partitions.iter().map(|key| (key, ()))).into_iter();
        let topics = topics.map(|(name, partitions)| OffsetFetchRequestTopic {
            name: name.clone(),
            partition_indexes: partitions.into_iter().map(|(partition, ())| partition).collect(),
            ..Default::default()
        });
        topics.collect()
    });
    OffsetFetchRequest { group_id: group.clone(), topics, require_stable, ..Default::default() }
}

pub(super) fn commit_request(group: &Str, offsets: &BTreeMap<Key, CommittedOffset>) -> OffsetCommitRequest {
    let topics = by_topic(offsets).into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, committed)| OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(committed.metadata.clone()),
            ..Default::default()
        });
        OffsetCommitRequestTopic {
            name: name.clone(),
            partitions: partitions.collect(),
            ..Default::default()
        }
    });
    OffsetCommitRequest { group_id: group.clone(), topics: topics.collect(), ..Default::default() }
}

pub(super) fn delete_request(group: &Str, partitions: &[Key]) -> OffsetDeleteRequest {
    let topics = by_topic(partitions.iter().map(|key| (key, ()))).into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, ())| OffsetDeleteRequestPartition {
            partition_index: partition,
            ..Default::default()
        });
        OffsetDeleteRequestTopic {
            name: name.clone(),
            partitions: partitions.collect(),
            ..Default::default()
        }
    });
    OffsetDeleteRequest { group_id: group.clone(), topics: topics.collect(), ..Default::default() }
}

impl Groups {
    pub(super) fn answer_fetched(&mut self, response: OffsetFetchResponse, verdict: &mut Verdict) {
        let GroupCommand::ListOffsets { group, partitions, .. } = &self.command else { return };
        let (group, wanted) = (group.clone(), partitions.clone());
        let all = || response.topics.iter().flat_map(|topic| &topic.partitions);
        // Before version 2 an error of the group stands with each partition.
        let of_group = all().map(|each| each.error_code).find(|code| is_of_group(*code));
        let code = of_group.unwrap_or(response.error_code);
        if self.passes(Some(&group), code, None, verdict) {
            return;
        }
        if !code.is_ok() {
            self.fail(&group, AdminError::refused(code, None));
            return;
        }
        let mut found = PerItem::new();
        for topic in response.topics {
            for each in topic.partitions {
                let answer = if each.error_code.is_ok() {
                    Ok((each.committed_offset >= 0).then(|| CommittedOffset {
                        offset: each.committed_offset,
                        leader_epoch: (each.committed_leader_epoch >= 0)
                            .then_some(each.committed_leader_epoch),
                        metadata: each.metadata.unwrap_or_default(),
                    }))
                } else {
                    Err(AdminError::refused(each.error_code, None))
                };
                found.insert((topic.name.clone(), each.partition_index), answer);
            }
        }
        self.todo.remove(&group);
        if let GroupReply::ListOffsets(answers) = &mut self.reply {
            *answers = match wanted {
                // Those without an offset are left out where nothing was asked for by name.
                None => found.into_iter().filter(|(_, answer)| *answer != Ok(None)).collect(),
                Some(wanted) => wanted.into_iter().map(|key| take(&mut found, key)).collect(),
            };
        }
    }

    pub(super) fn answer_committed(&mut self, response: OffsetCommitResponse, verdict: &mut Verdict) {
        let results = response.topics.into_iter().flat_map(|topic| {
            let name = topic.name;
            topic
                .partitions
                .into_iter()
                .map(move |each| ((name.clone(), each.partition_index), each.error_code))
        });
        let mut results: BTreeMap<Key, ErrorCode> = results.collect();
        let GroupCommand::AlterOffsets { group, offsets } = &mut self.command else { return };
        let group = group.clone();
        let mut left = core::mem::take(offsets);
        let mut passing = None;
        let GroupReply::AlterOffsets(answers) = &mut self.reply else { return };
        left.retain(|key, _| {
            let Some(code) = results.remove(key) else {
                answers.insert(key.clone(), Err(AdminError::new(AdminErrorKind::NoAnswer, Effect::Unknown)));
                return false;
            };
            if is_passing(code) {
                passing = Some(code);
                return true;
            }
            answers.insert(key.clone(), code.ok().map_err(|code| AdminError::refused(code, None)));
            false
        });
        *offsets = left;
        match passing {
            Some(code) => {
                self.passes(Some(&group), code, None, verdict);
            }
            None => drop(self.todo.take(&group)),
        }
    }

    pub(super) fn answer_forgotten(&mut self, response: OffsetDeleteResponse, verdict: &mut Verdict) {
        let GroupCommand::DeleteOffsets { group, partitions } = &self.command else { return };
        let (group, wanted) = (group.clone(), partitions.clone());
        if self.passes(Some(&group), response.error_code, None, verdict) {
            return;
        }
        if !response.error_code.is_ok() {
            self.fail(&group, AdminError::refused(response.error_code, None));
            return;
        }
        let mut found = PerItem::new();
        for topic in response.topics {
            for each in topic.partitions {
                let answer = each.error_code.ok().map_err(|code| AdminError::refused(code, None));
                found.insert((topic.name.clone(), each.partition_index), answer);
            }
        }
        self.todo.remove(&group);
        if let GroupReply::DeleteOffsets(answers) = &mut self.reply {
            *answers = wanted.into_iter().map(|key| take(&mut found, key)).collect();
        }
    }
}

/// The answer about a partition.
fn take<T>(found: &mut PerItem<Key, T>, key: Key) -> (Key, Result<T, AdminError>) {
    let unmentioned = || Err(AdminError::new(AdminErrorKind::NoAnswer, Effect::Unknown));
    let answer = found.remove(&key).unwrap_or_else(unmentioned);
    (key, answer)
}

/// Whether an error that stands with a partition passes by itself.
const fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::UNSTABLE_OFFSET_COMMIT
    )
}

/// Whether an error that stands with a partition is about the whole group.
const fn is_of_group(code: ErrorCode) -> bool {
    is_passing(code) || matches!(code, ErrorCode::GROUP_AUTHORIZATION_FAILED)
}
