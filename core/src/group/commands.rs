//! What the application tells a member.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use klamm_protocol::Str;

use super::{
    AUTO_COMMIT_TIMEOUT, Close, CommitError, CommitErrorKind, CommitOffset, Group, GroupOutput, HandedOut,
    Parting, RevocationId, TopicPartition,
    commits::{Commit, LookupId},
    interest::Wish,
    progress::Progress,
};
use crate::{Effect, Instant, OperationId};

impl Group {
    /// Subscribes to these topics, instead of what was subscribed to before. None is the same as
    /// [`unsubscribe`](Self::unsubscribe).
    pub fn subscribe(&mut self, now: Instant, topics: impl IntoIterator<Item = Str>) {
        let topics: BTreeSet<Str> = topics.into_iter().collect();
        if topics.is_empty() {
            return self.unsubscribe(now);
        }
        self.wish(now, Wish::Names(topics));
    }

    /// Subscribes to all topics that match an expression, instead of what was subscribed to before. Which these are
    /// is said by [`matched`](Self::matched), now and whenever the topics of the cluster change.
    pub fn subscribe_pattern(&mut self, now: Instant, expression: Str) {
        self.wish(now, Wish::Pattern { expression, matched: None });
    }

    /// The topics that match the expression of [`subscribe_pattern`](Self::subscribe_pattern).
    pub fn matched(&mut self, now: Instant, topics: impl IntoIterator<Item = Str>) {
        if self.interest.matched(topics.into_iter().collect(), &mut self.outputs) {
            self.membership.subscribe();
            self.absorb(now, None);
        }
    }

    fn wish(&mut self, now: Instant, wish: Wish) {
        let same = *self.interest.wish() == wish && !self.membership.is_failed();
        if self.clocks.close.is_some() || same {
            return;
        }
        if !self.is_member() {
            // What the application assigned to itself is not the group's.
            self.possession.progress = Progress::default();
        }
        self.interest.set(wish, &mut self.outputs);
        self.clocks.idle_since.get_or_insert(now);
        if self.interest.is_resolved() {
            self.membership.subscribe();
        }
        self.absorb(now, None);
    }

    /// Subscribes to nothing any more: leaves the group, and ends reading. The application is not told of it. Nothing
    /// is committed by that; commits that wait fail.
    pub fn unsubscribe(&mut self, now: Instant) {
        if self.clocks.close.is_some() {
            return;
        }
        self.interest.clear(&mut self.outputs);
        self.commits.give_up(CommitErrorKind::NotAssigned);
        self.drop_all(Parting::Unsubscribed);
        self.membership.unsubscribe(now);
        self.clocks.idle_since = None;
        self.clocks.expired = false;
        self.absorb(now, None);
    }

    /// The application begins to wait for records. It is done with what it gave back.
    pub fn poll_begin(&mut self, now: Instant) {
        self.clocks.waiting = self.clocks.waiting.saturating_add(1);
        self.possession.progress.ask();
        if core::mem::take(&mut self.clocks.expired) {
            self.membership.polled();
            self.absorb(now, None);
        }
    }

    /// A call of the application that waited for records ends. One for each [`poll_begin`](Self::poll_begin).
    pub fn poll_end(&mut self, now: Instant) {
        self.clocks.waiting = self.clocks.waiting.saturating_sub(1);
        self.clocks.idle_since = Some(now);
    }

    /// A consumer that is no member asks for more, of all partitions but those that it reads for themselves: it is done with
    /// what it gave back.
    pub fn ask_for_more(&mut self) {
        self.possession.progress.ask();
    }

    /// A consumer that is no member does not read these partitions any more. What it gave back of them is done with.
    pub fn unassigned(&mut self, now: Instant, partitions: &[TopicPartition]) {
        if self.is_member() || self.clocks.close.is_some() {
            return;
        }
        self.possession.progress.ask_all();
        self.flush(now);
        partitions.iter().for_each(|partition| self.possession.progress.end(partition));
        self.absorb(now, None);
    }

    /// A batch of a partition is handed out; `next_offset` comes after it, `leader_epoch` is that of its last record.
    pub fn hand_out(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> HandedOut {
        if !self.is_member() {
            self.possession.progress.begin_if_new(partition);
        }
        let id = self.possession.progress.hand_out(partition, next_offset, leader_epoch);
        self.arm_auto_commit(now);
        id
    }

    /// A batch that was handed out is given back.
    pub fn give_back(&mut self, partition: &TopicPartition, id: HandedOut) {
        self.possession.progress.give_back(partition, id);
    }

    /// A record is handed out by itself, to be [acknowledged](Self::acknowledge); `next_offset` comes after it.
    pub fn hand_out_record(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> HandedOut {
        let id = self.possession.progress.hand_out_record(partition, next_offset, leader_epoch);
        self.arm_auto_commit(now);
        id
    }

    /// The application is done with a record, maybe with others before it not. Returns whether that counts: not if the
    /// partition was given up or lost since it was handed out, or the application went on elsewhere in it.
    pub fn acknowledge(&mut self, partition: &TopicPartition, id: HandedOut) -> bool {
        self.may_acknowledge(partition) && self.possession.progress.acknowledge(partition, id)
    }

    /// The application will not acknowledge a record: nothing from it on is committed by itself until the application
    /// goes on elsewhere. Returns whether that is news.
    pub fn abandon(&mut self, partition: &TopicPartition, id: HandedOut) -> bool {
        self.may_acknowledge(partition) && self.possession.progress.abandon(partition, id)
    }

    fn may_acknowledge(&self, partition: &TopicPartition) -> bool {
        self.clocks.close.is_none() && self.possession.ownership.owned.contains(partition)
    }

    /// The offset in a partition before which the application is done with everything; `None` if it is done with nothing,
    /// and began where the group had committed.
    #[must_use]
    pub fn done_with(&self, partition: &TopicPartition) -> Option<i64> {
        self.possession.progress.done_with(partition)
    }

    /// A partition is read for itself from now on, or no longer. What was handed out of it is then done with when it was
    /// given back and the application [asked](Self::ask_apart) for more of this partition.
    pub fn read_apart(&mut self, partition: &TopicPartition, apart: bool) {
        if apart && !self.is_member() {
            self.possession.progress.begin_if_new(partition);
        }
        self.possession.progress.read_apart(partition, apart);
    }

    /// The application asks for more of a partition that is read for itself.
    pub fn ask_apart(&mut self, partition: &TopicPartition) {
        self.possession.progress.ask_apart(partition);
    }

    /// The application goes on elsewhere in a partition: at `offset`, if that is known.
    pub fn sought(&mut self, now: Instant, partition: &TopicPartition, offset: Option<i64>) {
        self.possession.progress.seek(partition, offset);
        self.arm_auto_commit(now);
    }

    /// A partition is read from `offset` on, as its leader says: nothing that the group had committed told so. As long as
    /// nothing of it was handed out, this is what is to be committed: who comes next, and where records begin to be read at
    /// the end, does not pass over what was written meanwhile.
    pub fn began(&mut self, now: Instant, partition: &TopicPartition, offset: i64) {
        if self.is_member() {
            self.possession.progress.began(partition, offset);
            self.arm_auto_commit(now);
        }
    }

    /// The application is done with partitions that it was to give up. An id that is not current is ignored.
    pub fn revoked(&mut self, now: Instant, id: RevocationId) {
        let current = self.possession.ownership.revocation.take_if(|each| each.id == id);
        if let Some(revocation) = current {
            // It says so: what it was handed of them is done with, as far as it was given back.
            self.possession.progress.ask_all();
            self.possession.ownership.give_up(revocation.partitions);
            self.settle(now);
            self.absorb(now, None);
        }
    }

    /// Asks the group to rebalance. Without effect while it does.
    pub fn enforce_rebalance(&mut self, now: Instant, reason: Str) {
        self.rejoin(now, reason);
        self.absorb(now, None);
    }

    /// Commits offsets: [`GroupOutput::Committed`] by `deadline`, or later if the answer to what was sent is late.
    pub fn commit(
        &mut self,
        now: Instant,
        operation: OperationId,
        offsets: BTreeMap<TopicPartition, CommitOffset>,
        deadline: Instant,
    ) {
        let refused = if self.clocks.close.is_some() {
            Some(CommitErrorKind::Closed)
        } else if !offsets.keys().all(|partition| self.may_commit(partition)) {
            Some(CommitErrorKind::NotAssigned)
        } else {
            None
        };
        if let Some(kind) = refused {
            self.refuse_commit(operation, kind);
        } else if offsets.is_empty() && self.commits.is_idle() {
            self.outputs.push_back(GroupOutput::Committed(operation, Ok(())));
        } else {
            self.possession.progress.commits(&offsets);
            self.commits.push(Commit { operation: Some(operation), offsets, deadline });
            self.absorb(now, None);
        }
    }

    /// Answers a commit that is not to be sent.
    pub fn refuse_commit(&mut self, operation: OperationId, kind: CommitErrorKind) {
        let error = CommitError::new(kind, Effect::None);
        self.outputs.push_back(GroupOutput::Committed(operation, Err(error)));
    }

    /// Commits everything that was handed out of one partition so far, whether or not it was given back.
    pub fn commit_partition(
        &mut self,
        now: Instant,
        operation: OperationId,
        partition: &TopicPartition,
        deadline: Instant,
    ) {
        let offsets = self.possession.progress.handed_out_of(partition);
        self.commit(now, operation, offsets, deadline);
    }

    /// Commits everything that was handed out so far, whether or not it was given back; up to the first record that is not
    /// [acknowledged](Self::acknowledge).
    pub fn commit_all(&mut self, now: Instant, operation: OperationId, deadline: Instant) {
        let offsets = self.possession.progress.handed_out();
        self.commit(now, operation, offsets, deadline);
    }

    /// Looks up what the group has committed: [`GroupOutput::Fetched`] by `deadline`.
    pub fn committed(
        &mut self,
        now: Instant,
        operation: OperationId,
        partitions: impl IntoIterator<Item = TopicPartition>,
        deadline: Instant,
    ) {
        self.lookups.push(LookupId::Operation(operation), partitions, deadline);
        self.absorb(now, None);
    }

    /// Ends the membership by `deadline`: commits what is done with, then leaves. A static member does not leave,
    /// unless it is to `leave`: it may be back before its session ends.
    pub fn close(&mut self, now: Instant, leave: bool, deadline: Instant) {
        if let Some(close) = &mut self.clocks.close {
            close.deadline = close.deadline.min(deadline);
            return self.move_on_closing(now);
        }
        self.possession.progress.ask_all();
        self.flush(now);
        let owned: Vec<TopicPartition> = self.possession.ownership.owned.iter().cloned().collect();
        self.possession.ownership.adoptions.clear();
        self.possession.ownership.revocation = None;
        self.unassign(owned, Parting::Closed);
        self.clocks.commit_at = None;
        self.clocks.close = Some(Close { deadline, leave, parting: false, over: false });
        self.absorb(now, None);
        self.move_on_closing(now);
    }

    /// Puts what is done with among the commits, if that is the member's business.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.config.auto_commit.is_some() {
            self.push_automatic(now);
        }
    }

    /// As [`flush`](Self::flush), unless an earlier automatic commit is still waiting: the next one covers it.
    pub(super) fn commit_by_itself(&mut self, now: Instant) {
        if !self.commits.has_automatic() {
            self.push_automatic(now);
        }
    }

    fn push_automatic(&mut self, now: Instant) {
        if self.is_member() && self.membership.identity().is_none() {
            return;
        }
        let offsets = self.possession.progress.due();
        if !offsets.is_empty() {
            let deadline = now + AUTO_COMMIT_TIMEOUT.min(self.config.max_poll_interval);
            self.commits.push(Commit { operation: None, offsets, deadline });
        }
    }

    pub(super) fn may_commit(&self, partition: &TopicPartition) -> bool {
        !self.is_member() || self.possession.ownership.may_commit(partition)
    }

    pub(super) fn move_on_closing(&mut self, now: Instant) {
        let Some(close) = self.clocks.close else { return };
        if close.over {
            return;
        }
        let overdue = close.deadline <= now;
        if overdue {
            self.commits.give_up(CommitErrorKind::TimedOut);
        }
        if !close.parting && self.commits.is_idle() {
            self.membership.close(now, close.leave, close.deadline);
            self.clocks.close = Some(Close { parting: true, ..close });
        }
        if overdue {
            self.membership.handle_timeout(now);
        }
        self.absorb(now, None);
    }

    /// The membership is over for good.
    pub(super) fn closed(&mut self) {
        self.lookups.give_up(CommitErrorKind::Closed);
        drop(self.possession.ownership.clear());
        self.interest.clear(&mut self.outputs);
        self.dialogue.requests.clear();
        if let Some(close) = &mut self.clocks.close {
            close.over = true;
        }
    }
}
