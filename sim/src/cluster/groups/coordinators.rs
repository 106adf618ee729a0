//! Which broker coordinates which group, or which transactional id.

use crate::cluster::topics::{Leadership, NO_LEADER};

/// `offsets.topic.num.partitions`, `transaction.state.log.num.partitions`.
const PARTITIONS: i32 = 50;
/// `offsets.topic.replication.factor`, `transaction.state.log.replication.factor`.
const REPLICATION: i32 = 3;

/// The leaders of the partitions of `__consumer_offsets`, or of `__transaction_state`.
#[derive(Debug)]
pub(crate) struct Coordinators {
    partitions: Vec<Leadership>,
}

impl Coordinators {
    /// All brokers are alive. `first` of them, from 0, leads the first partition.
    pub(crate) fn new(brokers: i32, first: i32) -> Self {
        let brokers = brokers.max(1);
        let replicas = |index| {
            (0..REPLICATION.min(brokers)).map(|replica| (first + index + replica) % brokers + 1).collect()
        };
        let partitions = (0..PARTITIONS).map(|index| Leadership::new(replicas(index), |_| true));
        Self { partitions: partitions.collect() }
    }

    pub(crate) fn of(&self, group: &str) -> Option<i32> {
        let index = usize::try_from(partition_of(group)).ok()?;
        let leader = self.partitions.get(index)?.leader;
        (leader != NO_LEADER).then_some(leader)
    }

    /// The leader of a partition, if there is one, and its epoch.
    pub(crate) fn leader(&self, index: i32) -> Option<(i32, i32)> {
        let partition = self.partitions.get(usize::try_from(index).ok()?)?;
        (partition.leader != NO_LEADER).then_some((partition.leader, partition.leader_epoch))
    }

    /// The partition that a group belongs to, and its leader.
    pub(crate) fn partition_of(&self, group: &str) -> (i32, Option<i32>) {
        (partition_of(group), self.of(group))
    }

    /// The partitions that a broker leads.
    pub(crate) fn led_by(&self, broker: i32) -> Vec<i32> {
        let led = self.partitions.iter().zip(0..).filter(|(partition, _)| partition.leader == broker);
        led.map(|(_, index)| index).collect()
    }

    /// Has a broker lead a partition. Returns false if it holds no replica of it.
    pub(crate) fn lead(&mut self, index: i32, broker: i32) -> bool {
        let partition = usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index));
        let Some(partition) = partition.filter(|partition| partition.isr.contains(&broker)) else {
            return false;
        };
        partition.lead(broker);
        true
    }

    pub(crate) fn handle_broker_down(&mut self, broker: i32) {
        for partition in &mut self.partitions {
            // The topic is never without leaders but when all its brokers are down: it is always in sync.
            let isr = partition.isr.clone();
            partition.leave(broker, false, |replica| isr.contains(&replica));
        }
    }

    pub(crate) fn handle_broker_up(&mut self, broker: i32, is_alive: impl Fn(i32) -> bool) {
        for partition in &mut self.partitions {
            if !partition.replicas.contains(&broker) {
                continue;
            }
            partition.join(false, &is_alive);
            if partition.leader != NO_LEADER {
                partition.expand(broker);
            }
        }
    }
}

/// The partition of `__consumer_offsets` that a group belongs to: by the hash that Java has for strings.
fn partition_of(group: &str) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % PARTITIONS
}
