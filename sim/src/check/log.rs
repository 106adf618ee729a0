//! The true log of one partition, and what was once appended and is not in it.

use std::collections::BTreeMap;

use crate::observe::{ActorId, ValueId};

use super::values::dense;

/// The actor of a record without an id.
const NO_ACTOR: u32 = u32::MAX;

/// What is at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    actor: u32,
    number: u32,
    pub(super) epoch: i32,
    /// It was committed when it was taken out of the true log. Not used for what is in it.
    was_committed: bool,
}

impl Slot {
    pub(super) fn new(value: Option<ValueId>, epoch: i32) -> Self {
        let (actor, number) = value.map_or((NO_ACTOR, 0), |value| (value.actor.0, dense(value.number)));
        Self { actor, number, epoch, was_committed: false }
    }

    /// Whose how-many-th record it is; `None`: it has no id.
    pub(super) fn value(&self) -> Option<(ActorId, u32)> {
        (self.actor != NO_ACTOR).then_some((ActorId(self.actor), self.number))
    }

    pub(super) fn is(&self, value: Option<ValueId>) -> bool {
        self.value() == value.map(|value| (value.actor, dense(value.number)))
    }
}

/// Where a value is found at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    InLog {
        committed: bool,
    },
    /// It was there, and is not any more.
    Gone {
        was_committed: bool,
    },
    /// Something else is there.
    Another(Slot),
    Nothing,
}

/// A moment at which a true log lost its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The first offset that was lost.
    pub(super) at: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    slots: Vec<Slot>,
    /// What was appended and is not in the true log, by offset and epoch.
    gone: BTreeMap<(i64, i32), Slot>,
    /// What is below is not readable any more.
    pub(super) start: i64,
    /// Where it began each time that it began earlier than before.
    pub(super) falls: Vec<i64>,
    pub(super) high_watermark: i64,
    /// The highest that it was since the log last lost its end.
    committed: i64,
    /// Who was elected last; -1: nobody leads. `None`: there was no election.
    pub(super) leader: Option<i32>,
    /// The highest epoch that appended or was elected.
    pub(super) epoch: i32,
    pub(super) cuts: Vec<Cut>,
    /// The last turn of each producer that is in the log.
    last_turns: BTreeMap<ActorId, u32>,
    /// Committed records from here on are lost, as was told.
    pub(super) told_lost: Option<i64>,
    pub(super) is_deleted: bool,
    /// Its replicas have forgotten sequences of a producer: what is sent again may be appended again.
    pub(super) forgets: bool,
}

impl PartitionLog {
    pub(super) fn end(&self) -> i64 {
        i64::try_from(self.slots.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn slot(&self, offset: i64) -> Option<&Slot> {
        self.slots.get(usize::try_from(offset).ok()?)
    }

    pub(super) fn append(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    /// Notes what a broker appended that does not lead any more.
    pub(super) fn append_aside(&mut self, offset: i64, slot: Slot) {
        self.gone.insert((offset, slot.epoch), slot);
    }

    /// The log begins here now.
    pub(super) fn begin_at(&mut self, offset: i64) {
        if offset < self.start {
            self.falls.push(offset);
        }
        self.start = offset;
    }

    pub(super) fn commit(&mut self, high_watermark: i64) {
        self.high_watermark = high_watermark;
        self.committed = self.committed.max(high_watermark.min(self.end()));
    }

    pub(super) const fn is_committed(&self, offset: i64) -> bool {
        offset < self.committed
    }

    /// Offsets below this are or were committed.
    pub(super) const fn committed_end(&self) -> i64 {
        self.committed
    }

    pub(super) fn find(&self, offset: i64, value: Option<ValueId>) -> Found {
        let here = self.slot(offset);
        if here.is_some_and(|slot| slot.is(value)) {
            return Found::InLog { committed: self.is_committed(offset) };
        }
        let gone = self.gone.range((offset, i32::MIN)..=(offset, i32::MAX)).map(|(_, slot)| slot);
        let mut same = gone.filter(|slot| slot.is(value)).map(|slot| slot.was_committed);
        match same.next() {
            Some(first) => Found::Gone { was_committed: first || same.any(|committed| committed) },
            None => here.map_or(Found::Nothing, |slot| Found::Another(*slot)),
        }
    }

    /// Takes everything from an offset on out of the true log, and tells of it.
    pub(super) fn cut(&mut self, at: i64, mut each: impl FnMut(&Slot)) {
        let from = usize::try_from(at).unwrap_or(0);
        if from >= self.slots.len() {
            return;
        }
        for (offset, mut slot) in (at.max(0)..).zip(self.slots.drain(from..)) {
            slot.was_committed = offset < self.committed;
            each(&slot);
            self.gone.insert((offset, slot.epoch), slot);
        }
        self.committed = self.committed.min(at);
        self.high_watermark = self.high_watermark.min(at);
        self.cuts.push(Cut { at });
    }

    /// What was appended under an earlier epoch than this, from an offset on, and is not in the true log, may have been
    /// acknowledged and read all the same.
    pub(super) fn excuse(&mut self, from: i64, epoch: i32) {
        for (_, slot) in self.gone.range_mut((from, i32::MIN)..).filter(|((_, of), _)| *of < epoch) {
            slot.was_committed = true;
        }
    }

    /// The first offset at which the log is not the one that has these epochs and this end.
    pub(super) fn differs_from(&self, epochs: &[(i32, i64)], end: i64) -> i64 {
        let known = end.min(self.end());
        for (index, (epoch, start)) in epochs.iter().enumerate() {
            let stop = epochs.get(index + 1).map_or(known, |(_, next)| (*next).min(known));
            let differs = |offset: &i64| self.slot(*offset).is_some_and(|slot| slot.epoch != *epoch);
            if let Some(offset) = (*start..stop).find(differs) {
                return offset;
            }
        }
        known
    }

    /// Whether what is at an offset was appended under an earlier epoch than something that was there before.
    pub(super) fn is_older_at(&self, offset: i64) -> bool {
        let newer =
            |slot: &Slot| self.gone.range((offset, slot.epoch + 1)..=(offset, i32::MAX)).next().is_some();
        self.slot(offset).is_some_and(newer)
    }

    /// Puts back what the log of a new leader has beyond the end, and tells of it. Returns the offset at which
    /// something is missing that was never appended.
    pub(super) fn restore(
        &mut self,
        epochs: &[(i32, i64)],
        end: i64,
        mut each: impl FnMut(&Slot),
    ) -> Option<i64> {
        while self.end() < end {
            let offset = self.end();
            let epoch = epochs.iter().rev().find(|(_, start)| *start <= offset).map(|(epoch, _)| *epoch);
            let Some(slot) = epoch.and_then(|epoch| self.gone.remove(&(offset, epoch))) else {
                return Some(offset);
            };
            each(&slot);
            self.slots.push(slot);
        }
        None
    }

    /// Whether a turn comes after all turns of the same producer that are in the log; it then counts.
    pub(super) fn take_turn(&mut self, actor: ActorId, turn: u32) -> Result<(), u32> {
        let last = self.last_turns.entry(actor).or_insert(turn);
        if turn < *last {
            return Err(*last);
        }
        *last = turn;
        Ok(())
    }

    /// Forgets the turns, and hears the right ones again from what is in the log.
    pub(super) fn recount_turns(&mut self, mut turn_of: impl FnMut(ActorId, u32) -> Option<u32>) {
        self.last_turns.clear();
        for slot in &self.slots {
            let Some((actor, number)) = slot.value() else { continue };
            let Some(turn) = turn_of(actor, number) else { continue };
            let last = self.last_turns.entry(actor).or_insert(turn);
            *last = turn.max(*last);
        }
    }

    /// Its topic is deleted, and all copies with it. Brokers that have not heard of it go on for a while.
    pub(super) fn delete(&mut self, each: impl FnMut(&Slot)) {
        self.is_deleted = true;
        self.slots.iter().for_each(each);
    }
}
