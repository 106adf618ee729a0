//! Reading from the closest replica (KIP-392): a leader that is told our rack names a replica in it, and records are
//! fetched there until that fails or the choice is too old.

use alloc::vec::Vec;
use core::time::Duration;

use super::Consumer;
use crate::{BrokerId, Instant, PartitionIndex};

/// For how long a replica that could not be reached is not read from, though the leader names it.
const AVOIDED_FOR: Duration = Duration::from_secs(10);

/// Which replica a partition is read from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Closest {
    /// The replica that the leader named.
    pub(super) replica: Option<BrokerId>,
    /// Whether it was named so long ago that the leader is asked again, once the replica has answered.
    is_old: bool,
    /// A replica that could not be reached, and until when it is not tried again.
    avoided: Option<(BrokerId, Instant)>,
}

impl Consumer {
    /// The leader named a replica to read a partition from.
    pub(super) fn follow(&mut self, now: Instant, index: PartitionIndex, replica: BrokerId) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let Some(leader) = partition.leader.map(|leader| leader.broker) else { return };
        if partition.source() != Some(leader) {
            return;
        }
        if let Some((_, until)) = partition.closest.avoided.filter(|(each, at)| *each == replica && *at > now)
        {
            // It would name that replica again and serve nothing. Without our rack it serves the records itself.
            if let Some(node) = self.nodes.get_mut(&leader) {
                node.rackless_until = node.rackless_until.max(Some(until));
            }
            return;
        }
        probe!(ClosestReplicaNamed);
        partition.closest.replica = Some(replica);
        partition.closest.is_old = false;
        partition.turn_away(self.last);
        self.agenda.replicas.set(index, now + self.config.replica_max_age);
        self.touch(index);
    }

    /// A partition is read from its leader again. Returns whether it was not before.
    pub(super) fn unfollow(&mut self, index: PartitionIndex) -> bool {
        self.agenda.replicas.clear(&index);
        let Some(partition) = self.partitions.get_mut(&index) else { return false };
        if partition.closest.replica.take().is_none() {
            return false;
        }
        partition.turn_away(self.last);
        self.touch(index);
        true
    }

    /// The leaders are asked again for the closest replicas of those that were chosen long ago. What a replica is being
    /// asked for is taken from it first: otherwise a fetch that waits for longer than choices last would never bring
    /// anything.
    pub(super) fn expire_replicas(&mut self, now: Instant) {
        while let Some(index) = self.agenda.replicas.expire(now) {
            probe!(ClosestReplicaExpired);
            let Some(partition) = self.partitions.get_mut(&index) else { continue };
            let node = partition.closest.replica.and_then(|replica| self.nodes.get(&replica));
            if node.is_some_and(|node| node.fetching.is_some()) {
                partition.closest.is_old = true;
            } else {
                self.unfollow(index);
            }
        }
    }

    /// A broker has answered a fetch: what it was to be read from as a replica until then is read from the leaders. What
    /// came to it while that fetch was under way was not asked for yet.
    pub(super) fn leave_old_replica(&mut self, broker: BrokerId, number: u64) {
        let Some(node) = self.nodes.get(&broker) else { return };
        let is_old = |index: &PartitionIndex| {
            let partition = self.partitions.get(index);
            partition.is_some_and(|partition| partition.closest.is_old && partition.awaits(number))
        };
        let old: Vec<PartitionIndex> = node.roster.guests.iter().copied().filter(is_old).collect();
        for index in old {
            self.unfollow(index);
        }
    }

    /// A broker did not answer a fetch: what was read from it as a replica is read from the leaders.
    pub(super) fn replica_lost(&mut self, now: Instant, broker: BrokerId) {
        let Some(node) = self.nodes.get(&broker) else { return };
        for index in node.roster.guests.clone() {
            let Some(partition) = self.partitions.get_mut(&index) else { continue };
            if partition.closest.replica == Some(broker) {
                probe!(ClosestReplicaLost);
                partition.closest.avoided = Some((broker, now + AVOIDED_FOR));
                self.topics.refresh.insert(partition.topic.clone());
                self.unfollow(index);
            }
        }
    }

    /// A replica does not have an offset, or says so. Returns whether a partition was read from one: then its leader
    /// is asked, at once, but not over and over.
    pub(super) fn replica_out_of_range(&mut self, now: Instant, index: PartitionIndex) -> bool {
        if !self.unfollow(index) {
            return false;
        }
        probe!(ClosestReplicaOutOfRange);
        match self.partitions.get_mut(&index) {
            Some(partition) if partition.failures.count == 0 => partition.failures.count = 1,
            _ => self.retry_later(now, index),
        }
        true
    }
}
