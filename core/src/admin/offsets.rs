//! Listing offsets: first who leads, then each leader.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
            ListOffsetsTopic,
        },
        metadata::MetadataResponse,
    },
};

use super::{
    AdminError, AdminErrorKind, ListedOffset, OffsetSpec, PerItem,
    describe::{Describe, metadata_of},
    operation::{Ask, Verdict},
};
use crate::{BrokerId, Effect, Target};

type Key = (Str, i32);

/// Offsets to be listed.
#[derive(Debug)]
pub(super) struct Offsets {
    todo: BTreeMap<Key, OffsetSpec>,
    leaders: BTreeMap<Key, (BrokerId, i32)>,
    read_committed: bool,
    /// The brokers would create topics that are asked for by name (Metadata before version 4).
    by_list: bool,
    /// What each request of this round asks for; a request for leaders asks for nothing here.
    round: Vec<BTreeSet<Key>>,
    asked: BTreeMap<u64, BTreeSet<Key>>,
    pub(super) answers: PerItem<Key, ListedOffset>,
}

impl Offsets {
    pub(super) fn new(of: Vec<(Str, i32, OffsetSpec)>, read_committed: bool) -> Self {
        Self {
            todo: of.into_iter().map(|(topic, partition, spec)| ((topic, partition), spec)).collect(),
            leaders: BTreeMap::new(),
            read_committed,
            by_list: false,
            round: Vec::new(),
            asked: BTreeMap::new(),
            answers: PerItem::new(),
        }
    }

    pub(super) fn ask(&mut self, timeout_ms: i32) -> Vec<Ask> {
        self.round.clear();
        let mut unknown: Vec<&Str> =
            self.todo.keys().filter(|key| !self.leaders.contains_key(key)).map(|(topic, _)| topic).collect();
        if !unknown.is_empty() {
            unknown.dedup();
            self.round.push(BTreeSet::new());
            if self.by_list {
                return Describe::ask_all(false);
            }
            let request = metadata_of(&unknown);
            return vec![Ask { to: Target::Any, request: request.into(), max_version: i16::MAX }];
        }
        let mut by_leader: BTreeMap<BrokerId, BTreeSet<Key>> = BTreeMap::new();
        for key in self.todo.keys() {
            if let Some((leader, _)) = self.leaders.get(key) {
                by_leader.entry(*leader).or_default().insert(key.clone());
            }
        }
        let asks = by_leader
            .iter()
            .map(|(leader, keys)| Ask {
                to: Target::Broker(*leader),
                request: self.request(keys, timeout_ms).into(),
                max_version: i16::MAX,
            })
            .collect();
        // `asked` takes from the end.
        self.round = by_leader.into_values().rev().collect();
        asks
    }

    /// Asks for all topics from now on, which creates none. Returns whether that is new.
    pub(super) fn ask_by_list(&mut self) -> bool {
        !core::mem::replace(&mut self.by_list, true)
    }

    /// The next request of the round has this number.
    pub(super) fn asked(&mut self, serial: u64) {
        if let Some(keys) = self.round.pop() {
            self.asked.insert(serial, keys);
        }
    }

    fn request(&self, keys: &BTreeSet<Key>, timeout_ms: i32) -> ListOffsetsRequest {
        let mut topics: Vec<ListOffsetsTopic> = Vec::new();
        for key in keys {
            let spec = self.todo.get(key).copied().unwrap_or(OffsetSpec::Latest);
            let partition = ListOffsetsPartition {
                partition_index: key.1,
                current_leader_epoch: self.leaders.get(key).map_or(-1, |(_, epoch)| *epoch),
                timestamp: spec.wire(),
                ..Default::default()
            };
            match topics.last_mut().filter(|topic| topic.name == key.0) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(ListOffsetsTopic {
                    name: key.0.clone(),
                    partitions: vec![partition],
                    ..Default::default()
                }),
            }
        }
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: i8::from(self.read_committed),
            topics,
            timeout_ms,
            ..Default::default()
        }
    }

    pub(super) fn answer_leaders(&mut self, response: &MetadataResponse) -> Verdict {
        let mut verdict = Verdict::default();
        let keys: Vec<Key> =
            self.todo.keys().filter(|key| !self.leaders.contains_key(key)).cloned().collect();
        for key in keys {
            match leader_of(response, &key) {
                Ok(leader) => {
                    self.leaders.insert(key, leader);
                }
                Err(ErrorCode::LEADER_NOT_AVAILABLE) => {
                    verdict.retry = Some((ErrorCode::LEADER_NOT_AVAILABLE, None));
                }
                Err(code) => {
                    self.todo.remove(&key);
                    self.answers.insert(key, Err(AdminError::refused(code, None)));
                }
            }
        }
        verdict
    }

    pub(super) fn answer(&mut self, serial: u64, response: &ListOffsetsResponse) -> Verdict {
        let mut verdict = Verdict::default();
        for key in self.asked.remove(&serial).unwrap_or_default() {
            let result = (response.topics.iter().filter(|topic| topic.name == key.0))
                .flat_map(|topic| &topic.partitions)
                .find(|partition| partition.partition_index == key.1);
            let answer = match result {
                None => Err(AdminError::new(AdminErrorKind::NoAnswer, Effect::None)),
                Some(result) if result.error_code.is_retriable() => {
                    verdict.retry = Some((result.error_code, None));
                    verdict.refresh = true;
                    self.leaders.remove(&key);
                    continue;
                }
                Some(result) => listed(result),
            };
            self.todo.remove(&key);
            self.answers.insert(key, answer);
        }
        verdict
    }

    /// A request got no answer: its leader may be another one by now.
    pub(super) fn lost(&mut self, serial: u64) {
        for key in self.asked.remove(&serial).unwrap_or_default() {
            self.leaders.remove(&key);
        }
    }

    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        let nothing_known = self.answers.is_empty();
        for key in core::mem::take(&mut self.todo).into_keys() {
            self.answers.insert(key, Err(error.clone()));
        }
        nothing_known
    }
}

fn leader_of(response: &MetadataResponse, (topic, partition): &Key) -> Result<(BrokerId, i32), ErrorCode> {
    let found = response.topics.iter().find(|candidate| candidate.name.as_ref() == Some(topic));
    let found = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if !found.error_code.is_ok() {
        return Err(found.error_code);
    }
    let found = found.partitions.iter().find(|candidate| candidate.partition_index == *partition);
    let found = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if found.leader_id < 0 {
        return Err(ErrorCode::LEADER_NOT_AVAILABLE);
    }
    Ok((BrokerId(found.leader_id), found.leader_epoch))
}

fn listed(result: &ListOffsetsPartitionResponse) -> Result<ListedOffset, AdminError> {
    if !result.error_code.is_ok() {
        return Err(AdminError::refused(result.error_code, None));
    }
    // Version 0 has a list of offsets, the first being what was asked for.
    let offset = result.old_style_offsets.first().copied().unwrap_or(result.offset);
    Ok(ListedOffset {
        offset: (offset >= 0).then_some(offset),
        timestamp: (result.timestamp >= 0).then_some(result.timestamp),
        leader_epoch: (result.leader_epoch >= 0).then_some(result.leader_epoch),
    })
}
