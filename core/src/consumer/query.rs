//! What can be asked of a consumer.

use super::{AssignmentEpoch, Consumer, ConsumerEvent, Isolation, OffsetReset, PositionState};
use crate::PartitionIndex;

impl Consumer {
    /// Whether what carries this epoch may still be handed out.
    #[must_use]
    pub fn is_current(&self, index: PartitionIndex, epoch: AssignmentEpoch) -> bool {
        self.partitions.get(&index).is_some_and(|partition| partition.epoch == epoch)
    }

    /// Whether an event that carries this epoch may still be shown: not if the application sought or unassigned the
    /// partition meanwhile. That the end was reached is shown only under the very epoch, as a chunk.
    #[must_use]
    pub fn is_event_current(&self, epoch: AssignmentEpoch, event: &ConsumerEvent) -> bool {
        let Some(partition) = self.partitions.get(&event.partition()) else { return false };
        match event {
            ConsumerEvent::EndOfPartition { .. } => partition.epoch == epoch,
            _ => partition.placed <= epoch,
        }
    }

    /// The assigned partitions, in the order of their indices.
    pub fn assignment(&self) -> impl Iterator<Item = PartitionIndex> + '_ {
        self.partitions.keys().copied()
    }

    /// Whether a partition is assigned.
    #[must_use]
    pub fn is_assigned(&self, index: PartitionIndex) -> bool {
        self.partitions.contains_key(&index)
    }

    /// The offset of the next record to hand out; `None` if the partition is not assigned or it is not known yet.
    #[must_use]
    pub fn position(&self, index: PartitionIndex) -> Option<i64> {
        Some(self.partitions.get(&index)?.position.known()?.offset)
    }

    /// The leader epoch of the record before the position; `None` if it is not known.
    #[must_use]
    pub fn position_epoch(&self, index: PartitionIndex) -> Option<i32> {
        Some(self.partitions.get(&index)?.position.known()?.epoch).filter(|epoch| *epoch >= 0)
    }

    /// What is known of where to fetch from; `None` if the partition is not assigned.
    #[must_use]
    pub fn state(&self, index: PartitionIndex) -> Option<PositionState> {
        Some(self.partitions.get(&index)?.position.state())
    }

    /// The end of what is visible, as the last response had it: the high watermark, or the last stable offset with
    /// [`Isolation::ReadCommitted`]. `None` before the first response.
    #[must_use]
    pub fn end_offset(&self, index: PartitionIndex) -> Option<i64> {
        self.partitions.get(&index)?.ends.visible(self.config.isolation)
    }

    /// How many offsets lie between the position and the [end](Consumer::end_offset).
    #[must_use]
    pub fn lag(&self, index: PartitionIndex) -> Option<u64> {
        let (end, position) = (self.end_offset(index)?, self.position(index)?);
        Some(u64::try_from(end.saturating_sub(position)).unwrap_or(0))
    }

    /// The first offset that the log still has, as the last response had it; `None` if none said.
    #[must_use]
    pub fn log_start_offset(&self, index: PartitionIndex) -> Option<i64> {
        Some(self.partitions.get(&index)?.ends.log_start).filter(|offset| *offset >= 0)
    }

    /// Whether the partition is paused; `false` if it is not assigned.
    #[must_use]
    pub fn is_paused(&self, index: PartitionIndex) -> bool {
        self.partitions.get(&index).is_some_and(|partition| partition.paused)
    }

    /// Which records of transactions are visible.
    #[must_use]
    pub const fn isolation(&self) -> Isolation {
        self.config.isolation
    }

    /// Where partitions begin that have no valid position.
    #[must_use]
    pub const fn offset_reset(&self) -> OffsetReset {
        self.config.offset_reset
    }

    /// The bytes that are requested or held, as the budget counts them.
    #[must_use]
    pub const fn used_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Whether nothing is left of what was assigned.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.partitions.is_empty()
            && self.nodes.is_empty()
            && self.requests.is_empty()
            && self.outputs.is_empty()
            && self.agenda.partitions.is_empty()
            && self.topics.assigned.is_empty()
            && self.topics.refresh.is_empty()
            && self.budget.used() == 0
    }
}
