//! What the controller decides: who leads each partition when brokers come and go, or when it is told to elect.

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Uuid};

use super::replication::Change;
use super::topics::{Leadership, NO_LEADER};
use super::{Cluster, CommandError};

impl Cluster {
    /// Changes the leadership of a partition; `alter` returns whether it did, and gets whether an unclean election is
    /// allowed, and which brokers may lead.
    fn alter(
        &mut self,
        now: Instant,
        (topic_id, index): (Uuid, i32),
        alter: impl FnOnce(&mut Leadership, bool, &dyn Fn(i32) -> bool) -> bool,
    ) -> bool {
        let may_be_unclean =
            self.topics.by_id(topic_id).is_some_and(|topic| topic.settings.limits().unclean_election);
        let Some(mut turn) = self.turn(now, topic_id, index) else { return false };
        let led = turn.leadership.leader != NO_LEADER;
        let peers = &*turn.peers;
        if !alter(turn.leadership, may_be_unclean, &|broker| peers.is_active(broker)) {
            return false;
        }
        turn.changes.push(Change::Partition(topic_id, index));
        if led && turn.leadership.leader == NO_LEADER {
            turn.tell_leaderless();
        }
        true
    }

    /// A broker does not serve any more, as far as the controller knows.
    pub(super) fn handle_broker_left(&mut self, now: Instant, broker: i32) {
        self.set_alive(broker, false);
        for partition in self.topics.all_partitions() {
            self.alter(now, partition, |leadership, may_be_unclean, is_active| {
                leadership.leave(broker, may_be_unclean, is_active)
            });
        }
        self.publish(now);
    }

    /// A broker is going to stop: others lead its partitions and it is in sync nowhere, as far as there are others. It
    /// still serves, and clients are told of it.
    pub(super) fn handle_broker_leaving(&mut self, now: Instant, broker: i32) {
        for partition in self.topics.all_partitions() {
            self.alter(now, partition, |leadership, _, is_active| {
                let has_another = leadership.isr.iter().any(|other| is_active(*other));
                has_another && leadership.leave(broker, false, is_active)
            });
        }
        self.publish(now);
    }

    /// A broker serves again.
    pub(super) fn handle_broker_joined(&mut self, now: Instant, broker: i32) {
        self.set_alive(broker, true);
        for partition in self.topics.all_partitions() {
            self.alter(now, partition, |leadership, may_be_unclean, is_active| {
                leadership.replicas.contains(&broker) && leadership.join(may_be_unclean, is_active)
            });
        }
        self.publish(now);
    }

    fn set_alive(&mut self, broker: i32, is_alive: bool) {
        if let Some(known) = self.brokers.iter_mut().find(|known| known.node.id == broker) {
            known.node.is_alive = is_alive;
            self.changes.push(Change::Brokers);
        }
    }

    /// Partitions of a topic that have no leader get one, if they may have one that is not in sync.
    pub(super) fn elect_where_allowed(&mut self, now: Instant, topic_id: Uuid) {
        let partitions = self.topics.all_partitions().into_iter().filter(|(id, _)| *id == topic_id);
        for partition in partitions.collect::<Vec<_>>() {
            self.alter(now, partition, |leadership, may_be_unclean, is_active| {
                leadership.join(may_be_unclean, is_active)
            });
        }
        self.publish(now);
    }

    /// Has a partition elect as `choose` says, which gets the leadership and which brokers may lead.
    pub(super) fn elect_by(
        &mut self,
        now: Instant,
        (topic, index): (&str, i32),
        choose: impl FnOnce(&Leadership, &dyn Fn(i32) -> bool) -> Result<i32, ErrorCode>,
    ) -> Result<(), CommandError> {
        let refused = |code: ErrorCode| CommandError {
            code,
            message: format!("partition {index} of {topic:?} cannot elect like that"),
        };
        let known = self.topics.get(topic).filter(|topic| topic.partition(index).is_some());
        let id = known.ok_or_else(|| refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?.id();
        let mut outcome = Ok(());
        self.alter(now, (id, index), |leadership, _, is_active| match choose(leadership, is_active) {
            Ok(leader) => {
                leadership.lead(leader);
                true
            }
            Err(error) => {
                outcome = Err(refused(error));
                false
            }
        });
        self.publish(now);
        self.work(now);
        outcome
    }
}
