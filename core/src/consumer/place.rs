//! Which broker each partition is with, and how it stands there.

use super::{Consumer, partition::Slot};
use crate::{BrokerId, Instant, PartitionIndex};

impl Consumer {
    /// A partition changed: before anything is asked, it is looked at again.
    pub(super) fn touch(&mut self, index: PartitionIndex) {
        self.agenda.partitions.insert(index);
    }

    /// Looks again at every partition that changed.
    pub(super) fn place_touched(&mut self, now: Instant) {
        while let Some(index) = self.agenda.partitions.pop_first() {
            self.place(now, index);
        }
    }

    /// Puts a partition where it belongs now.
    pub(super) fn place(&mut self, now: Instant, index: PartitionIndex) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let tight = partition
            .source()
            .and_then(|broker| self.nodes.get(&broker))
            .is_some_and(|node| node.roster.tight);
        let old = partition.slot;
        let new = partition.judge(now, tight);
        partition.slot = new;
        if old.home == new.home && old.leader == new.leader {
            let Some(node) = new.home.and_then(|home| self.nodes.get_mut(&home)) else { return };
            if old == new {
                if new.is_ready() {
                    node.roster.changed.insert(index);
                }
            } else {
                node.roster.leave(index, &old);
                node.roster.enter(index, &new);
            }
        } else {
            self.leave(index, &old);
            self.enter(index, &new);
            old.brokers().for_each(|broker| self.settle(broker));
        }
        self.agenda.brokers.extend(new.home);
    }

    fn enter(&mut self, index: PartitionIndex, slot: &Slot) {
        for broker in slot.brokers() {
            self.nodes.entry(broker).or_default().roster.tenants += 1;
        }
        if let Some(node) = slot.home.and_then(|home| self.nodes.get_mut(&home)) {
            node.roster.enter(index, slot);
        }
    }

    /// A partition is nowhere any more. Its brokers are to be [settled](Self::settle) afterwards.
    pub(super) fn leave(&mut self, index: PartitionIndex, slot: &Slot) {
        if let Some(node) = slot.home.and_then(|home| self.nodes.get_mut(&home)) {
            node.roster.leave(index, slot);
        }
        for broker in slot.brokers() {
            if let Some(node) = self.nodes.get_mut(&broker) {
                node.roster.tenants -= 1;
            }
        }
    }

    /// Forgets a broker of which nothing is left.
    pub(super) fn settle(&mut self, broker: BrokerId) {
        let left = |node: &super::node::Node| node.roster.tenants > 0 || node.under_way > 0;
        if self.nodes.get(&broker).is_some_and(|node| !left(node)) {
            self.nodes.remove(&broker);
            self.budget.leave(broker);
        }
        self.feed();
    }
}
