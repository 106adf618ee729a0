//! Brokers that stand still for a while, as in a garbage collection: and then they are zombies for a moment.

use klamm_core::Instant;

use crate::cluster::Cluster;
use crate::cluster::links::Pause;

impl Cluster {
    /// A broker does nothing until `until`: it serves no client, exchanges nothing with other brokers and hears of
    /// nothing. If that is too long for the controller, others lead meanwhile.
    pub(super) fn pause(&mut self, now: Instant, broker: i32, until: Instant) {
        if !self.is_alive(broker) {
            return;
        }
        let pause = Pause {
            until,
            fence_at: Some(now + self.config.limits.broker_session_timeout),
            was_informed: !self.images.is_cut(broker),
        };
        if self.links.pause(broker, pause) {
            self.hold_metadata(broker);
            self.peers.paused.insert(broker);
            for (topic_id, index) in self.topics.held_by(broker) {
                if let Some(mut turn) = self.turn(now, topic_id, index) {
                    turn.lose_all_messages(broker);
                }
            }
        }
    }

    /// A broker died: it is not paused any more.
    pub(in crate::cluster) fn forget_pause(&mut self, broker: i32) {
        self.links.forget_pause(broker);
        self.peers.paused.remove(&broker);
    }

    /// Gives up brokers that have been paused for too long, and has those go on whose pause is over.
    pub(in crate::cluster) fn handle_pauses(&mut self, now: Instant) {
        while let Some(broker) = self.links.next_fenced(now) {
            self.isolate_from_controller(now, broker);
        }
        while let Some((broker, pause)) = self.links.next_resumed(now) {
            // Clients are served with what the broker knew, before it hears of anything else.
            self.work(now);
            self.peers.paused.remove(&broker);
            if pause.fence_at.is_none() {
                self.reconnect_to_controller(now, broker);
            } else if pause.was_informed {
                self.resume_metadata(now, broker);
            }
            self.wake_followers(now);
        }
    }
}
