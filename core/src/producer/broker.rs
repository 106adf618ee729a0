//! One broker, as a producer sees it.

use alloc::collections::BTreeSet;

use crate::{Instant, PartitionIndex};

/// Whether a broker's connection for producing is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    /// No.
    #[default]
    Down,
    /// It was asked for.
    Asked,
    /// It is, and the highest version of Produce that both sides know is this.
    Up(i16),
}

/// How far the next request to a broker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Round {
    /// Not begun.
    #[default]
    Idle,
    /// The driver is sealing batches for it.
    Sealing,
    /// The batches are sealed: put it together before sealing more.
    Sealed,
}

/// The partitions that one broker leads and that have something for it.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) link: Link,
    pub(super) round: Round,
    /// Requests not answered.
    pub(super) in_flight: usize,
    /// Partitions with something to seal or to send.
    pub(super) ready: BTreeSet<PartitionIndex>,
    /// Partitions whose open batch may wait for more records,
    pub(super) lingering: BTreeSet<PartitionIndex>,
    /// and until when: one deadline for all of them.
    pub(super) linger_until: Option<Instant>,
    /// The partition at which the next request begins, so that each has its turn.
    pub(super) turn: u32,
    /// Since when there is something for it that it does not take.
    pub(super) waiting_since: Option<Instant>,
    /// It has taken nothing for longer than records without a key should wait for it.
    pub(super) is_stuck: bool,
}

impl Broker {
    pub(super) fn linger(&mut self, partition: PartitionIndex, until: Instant) {
        self.lingering.insert(partition);
        self.linger_until = Some(self.linger_until.map_or(until, |earlier| earlier.min(until)));
    }

    pub(super) fn end_linger(&mut self, partition: PartitionIndex) {
        self.lingering.remove(&partition);
        if self.lingering.is_empty() {
            self.linger_until = None;
        }
    }

    /// The partitions that wait for more records, which they should no longer.
    pub(super) fn take_lingering(&mut self) -> BTreeSet<PartitionIndex> {
        self.linger_until = None;
        core::mem::take(&mut self.lingering)
    }

    /// The partitions that have something, beginning with the one whose turn it is.
    pub(super) fn ready_in_turn(&self) -> impl Iterator<Item = PartitionIndex> + '_ {
        let turn = PartitionIndex(self.turn);
        self.ready.range(turn..).chain(self.ready.range(..turn)).copied()
    }
}
