//! Finding positions (ListOffsets) and validating them (OffsetForLeaderEpoch, KIP-320).

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use klamm_protocol::{
    ErrorCode, Str,
    messages::{list_offsets::ListOffsetsResponse, offset_for_leader_epoch::OffsetForLeaderEpochResponse},
};

use super::{
    Asked, Consumer, ConsumerEvent, Isolation, PartitionError, PartitionErrorKind, ResetReason, UnderWay,
    commands::Events,
    errors::remedy,
    offsets::{self, EpochEnd, Listed, Question},
    partition::Partition,
    position::{At, Listing, Place, Verdict},
};
use crate::{BrokerId, Instant, PartitionIndex};

/// OffsetForLeaderEpoch before this version is of no use: consumers may not ask (KIP-320).
const FIRST_EPOCH_END_FOR_CONSUMERS: i16 = 3;

impl Consumer {
    /// Asks a broker where places are, and whether positions are valid.
    pub(super) fn ask_offsets(
        &mut self,
        now: Instant,
        broker: BrokerId,
        find: Vec<PartitionIndex>,
        validate: Vec<PartitionIndex>,
    ) {
        let timeout_ms = self.config.request_timeout_ms;
        if !find.is_empty() {
            let wall = self.outside.wall_time(now);
            let about = |partition: &Partition| Some(partition.position.to_find()?.place.timestamp(wall));
            let (number, questions) = self.questions(&find, about);
            let wait = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
            let plain = self.nodes.get(&broker).is_some_and(|node| node.without_isolation);
            let isolation = if plain { Isolation::ReadUncommitted } else { self.config.isolation };
            let request = offsets::list_offsets(&questions, isolation, wait);
            let under_way = UnderWay { broker, kind: Asked::ListOffsets, partitions: find };
            self.send(number, under_way, request.into(), i16::MAX, Duration::from_millis(timeout_ms.into()));
        }
        if !validate.is_empty() {
            let about = |partition: &Partition| Some(i64::from(partition.position.to_validate()?.epoch));
            let (number, questions) = self.questions(&validate, about);
            let request = offsets::epoch_ends(&questions);
            let under_way = UnderWay { broker, kind: Asked::EpochEnds, partitions: validate };
            self.send(number, under_way, request.into(), i16::MAX, Duration::from_millis(timeout_ms.into()));
        }
    }

    fn questions(
        &mut self,
        indices: &[PartitionIndex],
        about: impl Fn(&Partition) -> Option<i64>,
    ) -> (u64, Vec<Question>) {
        let number = self.next_number();
        let mut questions = Vec::with_capacity(indices.len());
        for index in indices {
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            let (Some(leader), Some(about)) = (partition.leader, about(partition)) else { continue };
            partition.asking = Some(number);
            self.agenda.partitions.insert(*index);
            let (topic, partition, leader_epoch) =
                (partition.topic.clone(), partition.number, leader.epoch.max(-1));
            questions.push(Question { topic, partition, leader_epoch, about });
        }
        (number, questions)
    }

    /// A leader said at which offsets the places are.
    pub(super) fn handle_listed(
        &mut self,
        now: Instant,
        number: u64,
        request: &UnderWay,
        version: i16,
        response: &ListOffsetsResponse,
    ) {
        self.node_succeeded(request.broker);
        let places = self.places(request);
        for (topic, partition, answer) in offsets::listed(version, response) {
            let Some(index) = self.answered(number, &places, topic, partition) else { continue };
            match answer {
                Ok(listed) => self.found(now, index, version, listed),
                Err(code) => self.fail(now, index, code),
            }
        }
        self.retry_unanswered(now, number, request);
    }

    fn found(&mut self, now: Instant, index: PartitionIndex, version: i16, listed: Listed) {
        self.touch(index);
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let Some(wish) = partition.position.to_find() else { return };
        if listed.offset < 0 {
            match wish.place {
                // Version 0 found no segment that begins before the time: all of the log may be after it.
                Place::Timestamp(_) | Place::Duration(_) if version == 0 => {
                    partition.position.wish_instead(Place::Earliest);
                }
                Place::Timestamp(_) | Place::Duration(_) => {
                    probe!(TimestampBeyondEnd);
                    partition.position.wish_instead(Place::Latest);
                }
                _ => self.retry_later(now, index),
            }
            return;
        }
        partition.succeeded();
        let offset = match wish.place.listed(listed.offset) {
            Listing::At(offset) => offset,
            Listing::Next(place) => return partition.position.wish_instead(place),
        };
        let from = partition.position.consumed().map(|at| at.offset);
        // With the epoch it can be asked after a change of the leader whether the log was truncated below.
        let epoch = if offset == listed.offset { listed.leader_epoch } else { -1 };
        if let Some(why) = partition.position.found(At { offset, epoch })
            && !(planted!(SilentReset) && why == ResetReason::OutOfRange)
        {
            self.event(index, ConsumerEvent::Reset { partition: index, from, to: offset, why });
        }
    }

    /// A leader said where the epochs end in which partitions were read.
    pub(super) fn handle_ended(
        &mut self,
        now: Instant,
        number: u64,
        request: &UnderWay,
        version: i16,
        response: &OffsetForLeaderEpochResponse,
    ) {
        self.node_succeeded(request.broker);
        if version < FIRST_EPOCH_END_FOR_CONSUMERS {
            return self.skip_validation(number, request);
        }
        let places = self.places(request);
        for (topic, partition, answer) in offsets::ended(response) {
            let Some(index) = self.answered(number, &places, topic, partition) else { continue };
            match answer {
                Ok(end) => self.ended(index, end),
                Err(code) => self.fail(now, index, code),
            }
        }
        self.retry_unanswered(now, number, request);
    }

    fn ended(&mut self, index: PartitionIndex, end: EpochEnd) {
        let policy = self.config.offset_reset;
        self.touch(index);
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        partition.succeeded();
        let Some(position) = partition.position.consumed().map(|at| at.offset) else { return };
        let verdict = partition.position.judge(end.epoch, end.offset);
        if verdict == Verdict::Valid {
            return partition.position.validated();
        }
        // What is waiting to be handed out may be what was truncated.
        self.purge(&[index], Events::Hold);
        let Ok(partition) = self.begin(index) else { return };
        match verdict {
            Verdict::Valid => {}
            Verdict::Refetch => {
                probe!(TruncationRefetched);
                partition.position.rewind();
                partition.position.validated();
            }
            Verdict::Diverged(offset) => {
                probe!(TruncationDiverged);
                let continues = policy != super::OffsetReset::None;
                if continues {
                    partition.position.diverge(offset, end.epoch);
                } else {
                    partition.position.stop();
                }
                if planted!(SilentTruncation) {
                    return;
                }
                let diverged_at = Some(offset);
                self.event(
                    index,
                    ConsumerEvent::Truncated { partition: index, position, diverged_at, continues },
                );
            }
            Verdict::Undefined => {
                probe!(TruncationUndefined);
                let continues = partition.position.undefined(policy);
                let diverged_at = None;
                self.event(
                    index,
                    ConsumerEvent::Truncated { partition: index, position, diverged_at, continues },
                );
            }
        }
    }

    /// The broker is too old to say whether a log was truncated.
    pub(super) fn skip_validation(&mut self, number: u64, request: &UnderWay) {
        probe!(ValidationSkipped);
        for index in &request.partitions {
            if let Some(partition) = self.asked(number, *index) {
                partition.asking = None;
                partition.position.validated();
                self.touch(*index);
            }
        }
    }

    /// The partitions of a request by their names.
    fn places(&self, request: &UnderWay) -> BTreeMap<(Str, i32), PartitionIndex> {
        let named = |index: &PartitionIndex| {
            let partition = self.partitions.get(index)?;
            Some(((partition.topic.clone(), partition.number), *index))
        };
        request.partitions.iter().filter_map(named).collect()
    }

    /// The partition that an answer speaks of, if it still waits for it. From then on it does not.
    fn answered(
        &mut self,
        number: u64,
        places: &BTreeMap<(Str, i32), PartitionIndex>,
        topic: &Str,
        partition: i32,
    ) -> Option<PartitionIndex> {
        let index = *places.get(&(topic.clone(), partition))?;
        self.asked(number, index)?.asking = None;
        Some(index)
    }

    /// The broker left partitions out of its answer.
    fn retry_unanswered(&mut self, now: Instant, number: u64, request: &UnderWay) {
        for index in &request.partitions {
            if let Some(partition) = self.asked(number, *index) {
                partition.asking = None;
                self.retry_later(now, *index);
            }
        }
    }

    /// An error of one partition: it is tried again after a while, and reported if it may last.
    pub(super) fn fail(&mut self, now: Instant, index: PartitionIndex, code: ErrorCode) {
        probe!(OffsetNotAvailable, code == ErrorCode::OFFSET_NOT_AVAILABLE);
        probe!(LeaderEpochFenced, code == ErrorCode::FENCED_LEADER_EPOCH);
        probe!(LeaderEpochUnknown, code == ErrorCode::UNKNOWN_LEADER_EPOCH);
        let remedy = remedy(code);
        self.retry_later(now, index);
        if remedy.unfollow {
            self.unfollow(index);
        }
        if remedy.refresh {
            let topic = self.partitions.get(&index).map(|partition| partition.topic.clone());
            self.topics.refresh.extend(topic);
        }
        if remedy.report {
            self.report(index, PartitionErrorKind::Code(code));
        }
    }

    /// Tells the application why a partition fails, unless it was told just that.
    pub(super) fn report(&mut self, index: PartitionIndex, kind: PartitionErrorKind) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        if partition.failures.reported == Some(kind) {
            return;
        }
        partition.failures.reported = Some(kind);
        let offset =
            partition.position.to_fetch().or_else(|| partition.position.consumed()).map(|at| at.offset);
        let retrying = partition.position.state() != super::PositionState::Stopped;
        let error = PartitionError { partition: index, kind, offset, retrying };
        self.event(index, ConsumerEvent::PartitionError(error));
    }

    /// A partition is to be tried again after a while.
    pub(super) fn retry_later(&mut self, now: Instant, index: PartitionIndex) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        partition.failures.count = partition.failures.count.saturating_add(1);
        let count = partition.failures.count;
        self.touch(index);
        let mut delay = self.backoff(count);
        if planted!(StuckAfterTrouble) && count >= 3 {
            delay = Duration::from_secs(1_000_000);
        }
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.failures.retry_at = Some(now + delay);
        }
    }
}
