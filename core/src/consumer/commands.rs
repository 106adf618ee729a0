//! What the application and the client tell a consumer.

use alloc::{collections::BTreeSet, vec::Vec};
use core::fmt;

use klamm_protocol::{ErrorCode, Str};

use super::{
    Assignment, AssignmentEpoch, Consumer, ConsumerEvent, ConsumerOutput, PartitionError, PartitionErrorKind,
    PartitionLeader, StartAt, Ticket, leader_of, partition::Partition, position::At,
};
use crate::{Instant, PartitionIndex, cluster::Cluster};

/// A partition that is not assigned to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAssigned(pub PartitionIndex);

impl fmt::Display for NotAssigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the partition is not assigned to this consumer: assign it first")
    }
}

impl core::error::Error for NotAssigned {}

/// Why a position cannot be moved from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekError {
    /// The partition is not assigned to the consumer.
    NotAssigned(NotAssigned),
    /// The partition has no position yet.
    NoPosition(PartitionIndex),
}

impl fmt::Display for SeekError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAssigned(error) => error.fmt(f),
            Self::NoPosition(_) => f.write_str("the partition has no position yet"),
        }
    }
}

impl core::error::Error for SeekError {}

/// What becomes of events that were not polled yet when a new assignment epoch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Events {
    /// The application says where to read: what was before does not matter any more.
    Superseded,
    /// They hold, but for the end of the partition, which is reached anew.
    Hold,
}

impl Consumer {
    /// Adds partitions, each read from its start on. One that is assigned already begins anew there, as after a
    /// seek, and keeps being paused.
    ///
    /// Each topic is wanted by [`ConsumerOutput::WantTopic`]; its leaders are then expected through
    /// [`Consumer::handle_leader`].
    pub fn assign(&mut self, now: Instant, partitions: impl IntoIterator<Item = Assignment>) {
        if self.closed {
            return;
        }
        for assignment in partitions {
            let index = assignment.index;
            if self.partitions.contains_key(&index) {
                // The partition was just seen.
                let _assigned = self.seek(now, index, assignment.start);
                continue;
            }
            let count = self.topics.assigned.entry(assignment.topic.clone()).or_insert(0);
            *count += 1;
            if *count == 1 {
                self.outputs.push_back(ConsumerOutput::WantTopic(assignment.topic.clone()));
            }
            let epoch = self.next_epoch();
            self.partitions.insert(index, Partition::new(assignment, epoch, &self.config));
        }
    }

    /// Takes partitions away. Nothing of them can be [taken](Consumer::take) from now on. Those that are not
    /// assigned are ignored.
    pub fn unassign(&mut self, _now: Instant, partitions: &[PartitionIndex]) {
        self.purge(partitions, Events::Superseded);
        for index in partitions {
            let Some(partition) = self.partitions.remove(index) else { continue };
            self.agenda.replicas.clear(index);
            self.leave(*index, &partition.slot);
            partition.slot.brokers().for_each(|broker| self.settle(broker));
            self.release_topic(partition.topic);
        }
    }

    fn release_topic(&mut self, topic: Str) {
        let Some(count) = self.topics.assigned.get_mut(&topic) else { return };
        *count -= 1;
        if *count == 0 {
            self.topics.assigned.remove(&topic);
            self.topics.refresh.remove(&topic);
            self.outputs.push_back(ConsumerOutput::ReleaseTopic(topic));
        }
    }

    /// Continues elsewhere. Nothing that was fetched before can be taken from now on. Only this partition is
    /// disturbed; a fetch that waits at its broker delays it by `fetch_max_wait_ms` at most.
    ///
    /// # Errors
    ///
    /// If the partition is not assigned.
    pub fn seek(&mut self, _now: Instant, index: PartitionIndex, to: StartAt) -> Result<(), NotAssigned> {
        self.purge(&[index], Events::Superseded);
        let partition = self.begin(index)?;
        partition.placed = partition.epoch;
        partition.position.seek(to);
        Ok(())
    }

    /// Moves a position by so many offsets from where it is, but not out of the log. As a [seek](Self::seek) in all else;
    /// where it came to is told by [`ConsumerEvent::Reset`].
    ///
    /// # Errors
    ///
    /// If the partition is not assigned, or has no position yet.
    pub fn seek_by(&mut self, _now: Instant, index: PartitionIndex, offsets: i64) -> Result<(), SeekError> {
        let missing = SeekError::NotAssigned(NotAssigned(index));
        let position = self.partitions.get(&index).ok_or(missing)?.position.known();
        let at = position.ok_or(SeekError::NoPosition(index))?.offset;
        self.purge(&[index], Events::Superseded);
        let partition = self.begin(index).map_err(SeekError::NotAssigned)?;
        partition.placed = partition.epoch;
        partition.position.seek_near(at, offsets);
        Ok(())
    }

    /// Stops fetching partitions until they are [resumed](Consumer::resume). What was fetched of them and not taken
    /// is dropped, and fetched again then. Pausing belongs to the assignment and ends with it. Partitions that are
    /// not assigned are ignored.
    pub fn pause(&mut self, _now: Instant, partitions: &[PartitionIndex]) {
        let running = |index: &PartitionIndex| self.partitions.get(index).is_some_and(|each| !each.paused);
        let running: Vec<PartitionIndex> = partitions.iter().copied().filter(running).collect();
        self.purge(&running, Events::Hold);
        for index in running {
            if let Ok(partition) = self.begin(index) {
                partition.paused = true;
                probe!(PausedWithReadAhead, partition.position.has_read_ahead());
                partition.position.rewind();
            }
        }
    }

    /// Fetches paused partitions again, from where they were. Partitions that are not assigned are ignored.
    pub fn resume(&mut self, _now: Instant, partitions: &[PartitionIndex]) {
        for index in partitions {
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.paused = false;
                self.touch(*index);
            }
        }
    }

    /// Drops what was fetched of partitions and not taken, so that there is memory for others: see
    /// [`ConsumerOutput::MakeRoom`]. They are fetched again, from where they were, once they are [wanted](Self::want).
    /// Partitions that are not assigned are ignored.
    pub fn set_aside(&mut self, _now: Instant, partitions: &[PartitionIndex]) {
        probe!(SetAside, !partitions.is_empty());
        self.purge(partitions, Events::Hold);
        for index in partitions {
            if let Ok(partition) = self.begin(*index) {
                partition.intake.aside = true;
                partition.position.rewind();
            }
        }
    }

    /// The reader of a partition that was [set aside](Self::set_aside) waits for it now. Ignored if it was not.
    pub fn want(&mut self, _now: Instant, index: PartitionIndex) {
        if let Some(partition) = self.partitions.get_mut(&index).filter(|partition| partition.intake.aside) {
            partition.intake.aside = false;
            self.touch(index);
        }
    }

    /// A reader finds nothing, and others have memory that they were given the time to use: whoever waits for some tries
    /// again, and [asks for room](ConsumerOutput::MakeRoom) if there is none.
    pub fn want_memory(&mut self, _now: Instant) {
        self.feed();
    }

    /// Hands out what was fetched up to `next_offset`: returns whether that is still wanted, and if so moves the
    /// position there. `epoch` is that of the chunk's ticket, `leader_epoch` that of the batch before
    /// `next_offset`.
    ///
    /// For a whole chunk these are [`Chunk::next_offset`](super::Chunk::next_offset) and
    /// [`Chunk::leader_epoch`](super::Chunk::leader_epoch); whoever hands out records one by one takes them one by
    /// one.
    pub fn take(
        &mut self,
        index: PartitionIndex,
        epoch: AssignmentEpoch,
        next_offset: i64,
        leader_epoch: i32,
    ) -> bool {
        match self.partitions.get_mut(&index) {
            Some(partition) if partition.epoch == epoch || planted!(DeliverAfterSeek) => {
                partition.position.consume(At { offset: next_offset, epoch: leader_epoch });
                true
            }
            _ => false,
        }
    }

    /// The reader is done with a chunk, or it was dropped: its bytes are free once the response that it is part of
    /// is not held by another chunk.
    pub fn handle_consumed(&mut self, _now: Instant, ticket: Ticket) {
        self.release(&ticket);
        let Some(partition) = self.partitions.get_mut(&ticket.partition) else { return };
        if partition.epoch != ticket.epoch {
            return;
        }
        partition.intake.held = partition.intake.held.saturating_sub(ticket.bytes);
        self.touch(ticket.partition);
    }

    /// A chunk that nobody has read is to be copied, so that it does not hold all of the response that it came with:
    /// returns the ticket of the copy, or `None` if that would free little. To be asked of each chunk that waits, after
    /// [`ConsumerOutput::Relieve`].
    pub fn relieve(&mut self, ticket: Ticket) -> Option<Ticket> {
        let own = self.last + 1;
        if !self.budget.copy_out(ticket.response, own, ticket.bytes) {
            return None;
        }
        self.last = own;
        self.feed();
        Some(Ticket { response: own, ..ticket })
    }

    /// The reader decompressed what it was handed, into so many bytes of memory: they count as the chunks do, so that
    /// nothing more is fetched while too much is held.
    pub fn handle_decompressed(&mut self, _now: Instant, bytes: usize) {
        self.budget.expand(bytes);
    }

    /// So many bytes that were told by [`handle_decompressed`](Self::handle_decompressed) are free again.
    pub fn handle_freed(&mut self, _now: Instant, bytes: usize) {
        self.budget.shrink(bytes);
        self.feed();
    }

    /// The reader found a batch that is corrupt, at `offset`. If what it read is still wanted, the partition is
    /// stopped there until it is sought, and nothing after it can be taken.
    pub fn handle_corrupt(
        &mut self,
        now: Instant,
        index: PartitionIndex,
        epoch: AssignmentEpoch,
        offset: i64,
    ) {
        if !self.is_current(index, epoch) || self.seek(now, index, StartAt::Offset(offset)).is_err() {
            return;
        }
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.position.stop();
            let kind = PartitionErrorKind::Corrupt;
            let error = PartitionError { partition: index, kind, offset: Some(offset), retrying: false };
            self.event(index, ConsumerEvent::PartitionError(error));
        }
    }

    /// The metadata may have changed: looks up the leader of every assigned partition.
    pub fn handle_cluster_change(&mut self, now: Instant, cluster: &Cluster) {
        let all: Vec<PartitionIndex> = self.partitions.keys().copied().collect();
        for index in all {
            self.handle_leader(now, index, leader_of(cluster, index));
        }
    }

    /// The cluster does not have a topic, or does not let the client see it. That is reported for each assigned
    /// partition of it, which is read nevertheless if the topic appears.
    pub fn handle_topic_failed(&mut self, _now: Instant, topic: &str, code: ErrorCode) {
        let of_topic = self.partitions.iter().filter(|(_, partition)| partition.topic == *topic);
        let all: Vec<PartitionIndex> = of_topic.map(|(index, _)| *index).collect();
        for index in all {
            self.report(index, PartitionErrorKind::Code(code));
        }
    }

    /// The metadata say who leads a partition; `None` if nobody does. To be told of each assigned partition
    /// whenever that changes. Ignored if the partition is not assigned.
    pub fn handle_leader(&mut self, _now: Instant, index: PartitionIndex, leader: Option<PartitionLeader>) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let before = partition.leader;
        if !partition.set_leader(leader) {
            return self.touch(index);
        }
        probe!(LeaderMovedWhileAsking, {
            let node = before.and_then(|before| self.nodes.get(&before.broker));
            partition.asking.is_some() || node.is_some_and(|node| node.fetching.is_some())
        });
        partition.turn_away(self.last);
        partition.failures.retry_at = None;
        if let (Some(before), Some(leader)) = (before, leader) {
            if before.topic_id != leader.topic_id && !before.topic_id.is_zero() {
                probe!(RecreatedUnderReader);
                partition.position.forget_epochs();
            }
        }
        if leader.is_some_and(|leader| leader.epoch >= 0) {
            partition.position.leader_changed();
        }
        self.unfollow(index);
        self.touch(index);
    }

    /// Ends the consumer: nothing is assigned any more, and the brokers are told to forget the fetch sessions, as
    /// far as they can be reached.
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        let all: Vec<PartitionIndex> = self.partitions.keys().copied().collect();
        self.unassign_for_close(&all);
        self.closed = true;
        self.unassign(now, &all);
        for node in self.nodes.values_mut() {
            node.wake_at = None;
        }
        self.agenda.brokers.clear();
        self.agenda.partitions.clear();
        self.topics.refresh.clear();
    }

    fn unassign_for_close(&mut self, all: &[PartitionIndex]) {
        self.purge(all, Events::Superseded);
        let sessions: Vec<_> =
            self.nodes.iter().filter(|(_, node)| node.session.id() != 0).map(|(broker, _)| *broker).collect();
        for broker in sessions {
            self.send_close(broker);
        }
    }

    /// Begins a new assignment epoch of a partition. What was not polled yet of the old one is to be
    /// [purged](Self::purge) before.
    pub(super) fn begin(&mut self, index: PartitionIndex) -> Result<&mut Partition, NotAssigned> {
        let epoch = self.next_epoch();
        self.touch(index);
        let partition = self.partitions.get_mut(&index).ok_or(NotAssigned(index))?;
        partition.begin(epoch);
        Ok(partition)
    }

    /// Drops what was not polled yet of partitions.
    pub(super) fn purge(&mut self, partitions: &[PartitionIndex], events: Events) {
        let gone: BTreeSet<PartitionIndex> = partitions.iter().copied().collect();
        let mut tickets = Vec::new();
        self.outputs.retain(|output| match output {
            ConsumerOutput::Deliver(chunk) if gone.contains(&chunk.ticket.partition) => {
                tickets.push(chunk.ticket);
                false
            }
            ConsumerOutput::Event { event, .. } if gone.contains(&event.partition()) => {
                events == Events::Hold && !matches!(event, ConsumerEvent::EndOfPartition { .. })
            }
            _ => true,
        });
        for ticket in tickets {
            self.release(&ticket);
        }
    }

    /// A chunk's part of its response is not held any more.
    fn release(&mut self, ticket: &Ticket) {
        if self.budget.release(ticket.response, ticket.bytes) {
            self.feed();
        }
    }

    /// Bytes that were requested are not needed.
    pub(super) fn give_back(&mut self, granted: usize) {
        self.budget.give_back(granted);
        self.feed();
    }

    /// Bytes may be free: whoever waits longest for some may try again.
    pub(super) fn feed(&mut self) {
        self.agenda.brokers.extend(self.budget.next_waiting());
    }

    pub(super) const fn next_epoch(&mut self) -> AssignmentEpoch {
        self.last += 1;
        AssignmentEpoch(self.last)
    }

    /// A number for the next request.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}
