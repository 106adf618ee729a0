//! What was handed out, and how far the application is done with it.
//!
//! A batch is done with when it was given back *and* the application has asked for more since: what it still works on
//! is never committed by itself. Batches may be given back in any order; an offset is committed only if nothing before
//! it is still out.
//!
//! Records may also be handed out one by one, to be acknowledged: each is done with when the application says so, in any
//! order and whether or not it asks for more. What is kept of them grows with those that are not acknowledged, not with
//! those that were acknowledged after one that is not. A record that was given up on holds its partition's commits before
//! it, until the application seeks.

use alloc::collections::BTreeMap;

use klamm_protocol::Str;

use super::{CommitOffset, TopicPartition};

/// Names a batch that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandedOut(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    offset: i64,
    leader_epoch: Option<i32>,
}

impl At {
    fn commit(self) -> CommitOffset {
        let offset = self.offset + i64::from(crate::planted!(CommitAhead));
        CommitOffset { offset, leader_epoch: self.leader_epoch, metadata: Str::default() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The application has it.
    Out,
    /// It was given back: it is done with when the application asks for more.
    Returned,
    /// A record that the application has not acknowledged.
    Unacknowledged,
    /// A record, and maybe others that were handed out right before it.
    Acknowledged,
    /// A record that the application will not acknowledge. Nothing is known of what was handed out after it.
    Abandoned,
}

#[derive(Clone, Debug)]
struct Batch {
    next: At,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct Partition {
    /// In the order in which they were handed out.
    out: BTreeMap<HandedOut, Batch>,
    /// What has this number or a smaller one was handed out before the application began here.
    since: u64,
    /// Everything before is done with.
    done: Option<At>,
    /// What the group has.
    committed: Option<i64>,
    /// What was last asked to be committed since the application began here: what is done with is not committed by
    /// itself before the application is done with more than that, which it may still hold.
    asked_for: Option<i64>,
    /// It is read for itself: batches with a greater number were handed out since the application asked for more of it.
    own_asked: Option<u64>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    partitions: BTreeMap<TopicPartition, Partition>,
    last: u64,
    /// Batches with a greater number were handed out since the application asked last.
    asked: u64,
}

impl Progress {
    /// A partition begins: this is what the group has of it.
    pub(super) fn begin(&mut self, partition: TopicPartition, committed: Option<i64>) {
        let since = self.last;
        self.partitions.insert(partition, Partition { committed, since, ..Partition::default() });
    }

    /// A partition that the application assigned to itself.
    pub(super) fn begin_if_new(&mut self, partition: &TopicPartition) {
        if !self.partitions.contains_key(partition) {
            self.begin(partition.clone(), None);
        }
    }

    pub(super) fn end(&mut self, partition: &TopicPartition) {
        self.partitions.remove(partition);
    }

    /// A partition is read from here on, if nothing of it was handed out yet.
    pub(super) fn began(&mut self, partition: &TopicPartition, offset: i64) {
        let each = self.partitions.get_mut(partition);
        if let Some(each) = each.filter(|each| each.done.is_none() && each.out.is_empty()) {
            each.done = Some(At { offset, leader_epoch: None });
        }
    }

    /// The application goes on elsewhere: what it was handed before does not count any more. `offset` is where, if
    /// that is known; it is committed as if everything before had been read.
    pub(super) fn seek(&mut self, partition: &TopicPartition, offset: Option<i64>) {
        if let Some(each) = self.partitions.get_mut(partition) {
            each.out.clear();
            each.since = self.last;
            each.asked_for = None;
            each.done = offset.map(|offset| At { offset, leader_epoch: None });
        }
    }

    /// A batch is handed out; `next_offset` comes after it.
    pub(super) fn hand_out(
        &mut self,
        partition: &TopicPartition,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> HandedOut {
        self.put_out(partition, At { offset: next_offset, leader_epoch }, State::Out)
    }

    /// A record is handed out that is to be acknowledged; `next_offset` comes after it.
    pub(super) fn hand_out_record(
        &mut self,
        partition: &TopicPartition,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> HandedOut {
        self.put_out(partition, At { offset: next_offset, leader_epoch }, State::Unacknowledged)
    }

    fn put_out(&mut self, partition: &TopicPartition, next: At, state: State) -> HandedOut {
        self.last += 1;
        let id = HandedOut(self.last);
        if let Some(each) = self.partitions.get_mut(partition).filter(|each| !each.is_held()) {
            each.out.insert(id, Batch { next, state });
        }
        id
    }

    /// A batch is given back.
    pub(super) fn give_back(&mut self, partition: &TopicPartition, id: HandedOut) {
        let Some(each) = self.partitions.get_mut(partition) else { return };
        if let Some(batch) = each.out.get_mut(&id) {
            batch.state = State::Returned;
        }
        each.advance(self.asked);
    }

    /// The application is done with a record. Returns whether that counts: not if it began elsewhere since.
    pub(super) fn acknowledge(&mut self, partition: &TopicPartition, id: HandedOut) -> bool {
        let asked = self.asked;
        let each = self.partitions.get_mut(partition).filter(|each| each.since < id.0);
        each.is_some_and(|each| {
            each.acknowledge(id);
            each.advance(asked);
            true
        })
    }

    /// The application will not acknowledge a record. Returns whether that matters: whether nothing after it will be
    /// committed, and did not have to be told so before.
    pub(super) fn abandon(&mut self, partition: &TopicPartition, id: HandedOut) -> bool {
        let Some(each) = self.partitions.get_mut(partition) else { return false };
        let Some(batch) = each.out.get_mut(&id) else { return false };
        batch.state = State::Abandoned;
        drop(each.out.split_off(&HandedOut(id.0 + 1)));
        true
    }

    /// The offset before which the application is done with everything; `None` if it is done with nothing, and began where
    /// the group had committed.
    pub(super) fn done_with(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.partitions.get(partition)?.done?.offset)
    }

    /// The application asks for more, of all partitions but those that are read for themselves.
    pub(super) fn ask(&mut self) {
        self.asked = self.last;
    }

    /// A partition is read for itself from now on, or no longer.
    pub(super) fn read_apart(&mut self, partition: &TopicPartition, apart: bool) {
        if let Some(each) = self.partitions.get_mut(partition) {
            each.own_asked = apart.then_some(self.asked);
        }
    }

    /// The application asks for more of a partition that is read for itself.
    pub(super) fn ask_apart(&mut self, partition: &TopicPartition) {
        let last = self.last;
        if let Some(asked) = self.partitions.get_mut(partition).and_then(|each| each.own_asked.as_mut()) {
            *asked = last;
        }
    }

    /// The application is done with everything that it gave back.
    pub(super) fn ask_all(&mut self) {
        self.ask();
        let last = self.last;
        self.partitions
            .values_mut()
            .filter_map(|each| each.own_asked.as_mut())
            .for_each(|asked| *asked = last);
    }

    /// What may be committed by itself and is not yet.
    pub(super) fn due(&mut self) -> BTreeMap<TopicPartition, CommitOffset> {
        let mut due = BTreeMap::new();
        for (partition, each) in &mut self.partitions {
            each.advance(self.asked);
            if let Some(done) = each.uncommitted() {
                each.asked_for = Some(done.offset);
                let backwards = crate::planted!(CommitBackwards, every 2);
                let commit = if backwards { CommitOffset::new(0) } else { done.commit() };
                due.insert(partition.clone(), commit);
            }
        }
        due
    }

    /// Everything that was handed out, whether or not it was given back.
    pub(super) fn handed_out(&self) -> BTreeMap<TopicPartition, CommitOffset> {
        let all = self.partitions.iter();
        all.filter_map(|(partition, each)| Some((partition.clone(), each.handed_out()?))).collect()
    }

    /// The same of one partition.
    pub(super) fn handed_out_of(&self, partition: &TopicPartition) -> BTreeMap<TopicPartition, CommitOffset> {
        let last = self.partitions.get(partition).and_then(Partition::handed_out);
        last.map(|last| (partition.clone(), last)).into_iter().collect()
    }

    /// The application commits this.
    pub(super) fn commits(&mut self, offsets: &BTreeMap<TopicPartition, CommitOffset>) {
        for (partition, commit) in offsets {
            if let Some(each) = self.partitions.get_mut(partition) {
                each.asked_for = Some(commit.offset);
            }
        }
    }

    /// What was asked to be committed failed: what is done with may be committed even if it is less.
    pub(super) fn commit_failed(&mut self) {
        self.partitions.values_mut().for_each(|each| each.asked_for = each.committed);
    }

    /// The group has this now.
    pub(super) fn stored(&mut self, offsets: &BTreeMap<TopicPartition, CommitOffset>) {
        for (partition, commit) in offsets {
            if let Some(each) = self.partitions.get_mut(partition) {
                each.committed = Some(commit.offset);
            }
        }
    }

    /// How many batches and records are remembered.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.partitions.values().map(|each| each.out.len()).sum()
    }

    /// Whether there may be something to commit by itself, now or when batches are given back.
    pub(super) fn is_active(&self) -> bool {
        let waits = |each: &Partition| each.out.len() > usize::from(each.is_held());
        self.partitions.values().any(|each| waits(each) || each.uncommitted().is_some())
    }
}

impl Partition {
    fn handed_out(&self) -> Option<CommitOffset> {
        let counts = |batch: &&Batch| !matches!(batch.state, State::Unacknowledged | State::Abandoned);
        let last = self.out.values().take_while(counts).last();
        last.map(|batch| batch.next).or(self.done).map(At::commit)
    }

    /// Whether a record was abandoned.
    fn is_held(&self) -> bool {
        self.out.last_key_value().is_some_and(|(_, last)| last.state == State::Abandoned)
    }

    /// A record is done with. Of records that are, one after the other, only the last is kept.
    fn acknowledge(&mut self, id: HandedOut) {
        let Some(record) = self.out.get_mut(&id) else { return };
        record.state = State::Acknowledged;
        let acknowledged = |next: Option<(&HandedOut, &Batch)>| {
            next.filter(|(_, batch)| batch.state == State::Acknowledged).map(|(id, _)| *id)
        };
        let before = acknowledged(self.out.range(..id).next_back());
        let after = acknowledged(self.out.range(HandedOut(id.0 + 1)..).next());
        if after.is_some() {
            self.out.remove(&id);
        }
        if let Some(before) = before {
            self.out.remove(&before);
        }
    }

    /// What is done with, if that is to be committed.
    fn uncommitted(&self) -> Option<At> {
        let is_more = |done: &At| self.asked_for.is_none_or(|asked_for| done.offset > asked_for);
        self.done.filter(|done| self.committed != Some(done.offset) && is_more(done))
    }

    fn advance(&mut self, asked: u64) {
        let asked = self.own_asked.unwrap_or(asked);
        while let Some(first) = self.out.first_entry() {
            let done = match first.get().state {
                State::Out | State::Unacknowledged | State::Abandoned => false,
                State::Returned => first.key().0 <= asked,
                State::Acknowledged => true,
            };
            if !done && !crate::planted!(CommitHeld) {
                return;
            }
            self.done = Some(first.remove().next);
        }
    }
}
