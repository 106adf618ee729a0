//! Ordering faults, and those that happen when they are ordered.

use klamm_core::Instant;
use klamm_protocol::Uuid;

use super::{Fault, FaultKind, Place, Spot};
use crate::cluster::Cluster;
use crate::cluster::session::Sessions;
use crate::cluster::topics::Topic;
use crate::observe::ClusterEvent;

impl Cluster {
    /// Makes a fault true. Faults that concern requests wait for them: the oldest one that fits a request happens to
    /// it. The others happen at once, to one broker or to all.
    pub fn inject(&mut self, now: Instant, fault: &Fault) {
        match fault.kind {
            FaultKind::Pause(time) => {
                self.brokers_of(fault).into_iter().for_each(|broker| self.pause(now, broker, now + time));
            }
            FaultKind::Disconnect => self.disconnect(fault),
            FaultKind::EvictSessions => {
                for broker in self.brokers_of(fault) {
                    self.sessions(broker).into_iter().for_each(Sessions::clear);
                    self.events.tell(|| ClusterEvent::SessionsDropped { broker });
                }
            }
            FaultKind::ExpireProducers => self.expire_producers(&fault.place),
            FaultKind::ProducerEpoch(epoch) => self.producer_ids.first_epoch = epoch.max(0),
            _ => self.faults.add(now, fault),
        }
        self.work(now);
    }

    /// Ends all faults: none waits for requests any more, paused brokers go on, and what was held back is served and
    /// sent. It takes place at the time of the last call that had one.
    pub fn clear_faults(&mut self) {
        let now = self.now;
        self.faults.clear();
        self.producer_ids.first_epoch = 0;
        self.links.end_pauses(now);
        self.handle_pauses(now);
        self.links.hurry(now);
        self.handle_timeout(now);
    }

    /// Forgets the faults of this [name](Fault::named). Returns how many there were.
    pub fn lift(&mut self, name: &str) -> usize {
        self.faults.lift(name)
    }

    fn brokers_of(&self, fault: &Fault) -> Vec<i32> {
        let all = self.brokers.iter().map(|broker| broker.node.id);
        all.filter(|id| fault.broker.is_none_or(|wanted| wanted == *id)).collect()
    }

    fn disconnect(&mut self, fault: &Fault) {
        for broker in self.brokers_of(fault) {
            for connection in self.links.of_broker(broker) {
                let client = self.links.client_id(connection);
                if fault.client.as_ref().is_none_or(|wanted| *wanted == client) {
                    self.close(connection);
                }
            }
        }
    }

    fn expire_producers(&mut self, place: &Place) {
        let spot = self.spot(place);
        let now = self.now;
        for (topic_id, index, partition) in self.topics.partitions_mut() {
            if spot.has("", topic_id, index) {
                for producer_id in partition.forget_producers(now) {
                    let partition = index;
                    self.events.tell(|| ClusterEvent::ProducerForgotten { topic_id, partition, producer_id });
                }
            }
        }
    }

    /// A place as requests may name it.
    pub(in crate::cluster) fn spot(&self, place: &Place) -> Spot {
        Spot::new(place, |name| self.topics.get(name).map_or(Uuid::ZERO, Topic::id))
    }
}
