//! The partitions of one broker by what is to be done about them, kept up to date as each changes: what a fetch costs
//! depends on what changed since the last, not on how many partitions there are.

use alloc::collections::BTreeSet;

use super::partition::{Slot, Standing};
use crate::{Instant, PartitionIndex};

/// The partitions of one broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roster {
    /// How many partitions this broker leads or serves. While there are any, its session is kept.
    pub(super) tenants: usize,
    /// Those that another broker leads.
    pub(super) guests: BTreeSet<PartitionIndex>,
    /// Those that belong into a fetch.
    pub(super) ready: BTreeSet<PartitionIndex>,
    /// What those may bring at once, in bytes.
    pub(super) ready_bytes: usize,
    /// How many of those belong to a topic whose id is not known.
    pub(super) ready_without_id: usize,
    /// Those whose offset is to be looked up.
    pub(super) find: BTreeSet<PartitionIndex>,
    /// Those whose position is to be validated.
    pub(super) validate: BTreeSet<PartitionIndex>,
    /// Those that will be ready as soon as something is answered or returned, and since when they wait for that.
    blocked: BTreeSet<(Instant, PartitionIndex)>,
    /// Those that failed, and when they may be tried again.
    waiting: BTreeSet<(Instant, PartitionIndex)>,
    /// Those of which something is fetched and not returned.
    pub(super) reading: BTreeSet<PartitionIndex>,
    /// Those of which the broker's idea may be out of date.
    pub(super) changed: BTreeSet<PartitionIndex>,
    /// Whether memory was short when readiness was judged last.
    pub(super) tight: bool,
}

impl Roster {
    /// Since when the partition waits that began to wait last.
    pub(super) fn last_blocked(&self) -> Option<Instant> {
        self.blocked.last().map(|(since, _)| *since)
    }

    /// When the first partition that failed may be tried again.
    pub(super) fn first_retry(&self) -> Option<Instant> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// A partition that failed and may be tried again now.
    pub(super) fn due(&self, now: Instant) -> Option<PartitionIndex> {
        self.waiting.first().filter(|(at, _)| *at <= now).map(|(_, index)| *index)
    }

    pub(super) fn enter(&mut self, index: PartitionIndex, slot: &Slot) {
        if slot.reading {
            self.reading.insert(index);
        }
        if slot.host().is_some() {
            self.guests.insert(index);
        }
        if let Some(since) = slot.blocked_since {
            self.blocked.insert((since, index));
        }
        match slot.standing {
            Standing::Ready => {
                self.ready.insert(index);
                self.ready_bytes = self.ready_bytes.saturating_add(slot.bytes);
                self.ready_without_id += usize::from(slot.without_id);
                self.changed.insert(index);
            }
            Standing::Find => drop(self.find.insert(index)),
            Standing::Validate => drop(self.validate.insert(index)),
            Standing::Waiting(at) => drop(self.waiting.insert((at, index))),
            Standing::Idle | Standing::Asking | Standing::Unread => {}
        }
    }

    pub(super) fn leave(&mut self, index: PartitionIndex, slot: &Slot) {
        if slot.reading {
            self.reading.remove(&index);
        }
        if slot.host().is_some() {
            self.guests.remove(&index);
        }
        if let Some(since) = slot.blocked_since {
            self.blocked.remove(&(since, index));
        }
        match slot.standing {
            Standing::Ready => {
                self.ready.remove(&index);
                self.ready_bytes = self.ready_bytes.saturating_sub(slot.bytes);
                self.ready_without_id -= usize::from(slot.without_id);
                self.changed.insert(index);
            }
            Standing::Find => drop(self.find.remove(&index)),
            Standing::Validate => drop(self.validate.remove(&index)),
            Standing::Waiting(at) => drop(self.waiting.remove(&(at, index))),
            Standing::Idle | Standing::Asking | Standing::Unread => {}
        }
    }
}
