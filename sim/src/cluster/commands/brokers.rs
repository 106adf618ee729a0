//! What may happen to brokers.

use klamm_core::Instant;
use klamm_protocol::Str;

use crate::cluster::Cluster;
use crate::cluster::replication::Change;
use crate::observe::ClusterEvent;

/// How a broker goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// Whether the end of its logs survives that was appended since the last flush
    /// ([`ClusterConfig::flush_interval`](super::super::ClusterConfig::flush_interval)): a process that dies keeps it,
    /// a machine that loses power does not. Default false.
    pub keep_unflushed: bool,
}

impl Cluster {
    /// A broker dies: its connections break, and another replica in sync leads its partitions. Its logs survive.
    /// Returns false if there is no such broker or it is dead already.
    pub fn kill(&mut self, now: Instant, broker: i32) -> bool {
        self.crash(now, broker, Crash { keep_unflushed: true })
    }

    /// A broker goes down as [`Crash`] says: its connections break, and another replica in sync leads its
    /// partitions. What was not flushed may be lost: committed records, too, if no other replica in sync has them.
    /// Returns false if there is no such broker or it is dead already.
    pub fn crash(&mut self, now: Instant, broker: i32, crash: Crash) -> bool {
        self.now = now;
        let Some(known) = self.brokers.iter_mut().find(|known| known.node.id == broker && known.is_up) else {
            return false;
        };
        known.is_up = false;
        known.sessions.clear();
        self.forget_pause(broker);
        for connection in self.links.of_broker(broker) {
            self.close(connection);
        }
        self.events.tell(|| ClusterEvent::Broker { broker, up: false });
        self.peers.down.insert(broker);
        for (topic_id, index) in self.topics.held_by(broker) {
            let Some(mut turn) = self.turn(now, topic_id, index) else { continue };
            turn.lose_broker(broker, crash.keep_unflushed);
        }
        let had_left = self.peers.leaving.remove(&broker);
        if !self.peers.isolated.remove(&broker) && !had_left {
            self.groups.handle_broker_down(now, broker);
            self.transactions.handle_broker_down(now, broker);
        }
        self.handle_broker_left(now, broker);
        self.work(now);
        true
    }

    /// A broker announces that it is going to stop, as one does that is shut down in an orderly way
    /// (`controlled.shutdown.enable`): others lead its partitions and take over its groups, as far as there are others
    /// in sync. It goes on to serve what is left; [`kill`](Self::kill) stops it. Returns false if there is no such
    /// broker, it is dead, the controller does not reach it, or it has announced that already.
    pub fn announce_shutdown(&mut self, now: Instant, broker: i32) -> bool {
        self.now = now;
        let is_there = self.is_alive(broker) && self.peers.is_active(broker);
        if !is_there || !self.peers.leaving.insert(broker) {
            return false;
        }
        self.groups.handle_broker_down(now, broker);
        self.transactions.handle_broker_down(now, broker);
        self.handle_broker_leaving(now, broker);
        self.work(now);
        true
    }

    /// A dead broker comes back with its logs, catches up, and joins the replicas in sync. Without replication latency
    /// this happens at once; it takes place at the time of the last call that had one. Returns false if there is no
    /// such broker or it is alive.
    pub fn restart(&mut self, broker: i32) -> bool {
        let now = self.now;
        let Some(known) = self.brokers.iter_mut().find(|known| known.node.id == broker && !known.is_up)
        else {
            return false;
        };
        known.is_up = true;
        self.peers.down.remove(&broker);
        self.events.tell(|| ClusterEvent::Broker { broker, up: true });
        self.load_image(now, broker);
        self.handle_broker_joined(now, broker);
        let alive: Vec<i32> = self.live_brokers().map(|broker| broker.node.id).collect();
        self.groups.handle_broker_up(now, broker, |replica| alive.contains(&replica));
        self.transactions.handle_broker_up(now, broker, |replica| alive.contains(&replica));
        self.work(now);
        true
    }

    /// Cuts a broker off from the controller: others lead its partitions from now on, but it does not hear of that. It
    /// goes on to lead with its old epoch and to tell its old metadata, a zombie. It accepts what is produced with
    /// `acks=1`, which will be lost, and lets `acks=all` wait. Returns false if there is no such broker, it is dead,
    /// or cut off already.
    pub fn isolate_from_controller(&mut self, now: Instant, broker: i32) -> bool {
        self.now = now;
        if !self.is_alive(broker) || !self.peers.isolated.insert(broker) {
            return false;
        }
        self.cut_image(broker);
        self.events.tell(|| ClusterEvent::Broker { broker, up: false });
        self.groups.handle_broker_down(now, broker);
        self.transactions.handle_broker_down(now, broker);
        self.handle_broker_left(now, broker);
        self.work(now);
        true
    }

    /// A broker that was cut off from the controller hears of everything that it has missed: it cuts off what the new
    /// leaders do not have, and follows them. Returns false if it was not cut off.
    pub fn reconnect_to_controller(&mut self, now: Instant, broker: i32) -> bool {
        self.now = now;
        if !self.peers.isolated.remove(&broker) {
            return false;
        }
        self.events.tell(|| ClusterEvent::Broker { broker, up: true });
        self.mend_image(now, broker);
        self.handle_broker_joined(now, broker);
        self.wake_followers(now);
        let alive: Vec<i32> = self.live_brokers().map(|broker| broker.node.id).collect();
        self.groups.handle_broker_up(now, broker, |replica| alive.contains(&replica));
        self.transactions.handle_broker_up(now, broker, |replica| alive.contains(&replica));
        self.work(now);
        true
    }

    /// From now on a broker hears nothing of changes, though the controller knows that it is there: its metadata gets
    /// stale. Ended by [`Cluster::resume_metadata`], and by
    /// a restart.
    pub fn hold_metadata(&mut self, broker: i32) {
        self.cut_image(broker);
    }

    /// A broker hears again of changes, and of all that it has missed.
    pub fn resume_metadata(&mut self, now: Instant, broker: i32) {
        self.now = now;
        if self.images.is_cut(broker) && !self.peers.isolated.contains(&broker) {
            self.mend_image(now, broker);
            self.publish(now);
            self.work(now);
        }
    }

    /// Whether a broker leaves a topic out of the metadata that it tells, as one does that has not heard of it.
    pub fn hide_topic(&mut self, broker: i32, topic: &str, hide: bool) {
        let hidden = &mut self.images.hidden.entry(broker).or_default().topics;
        if hide {
            hidden.insert(Str::copy_of(topic));
        } else {
            hidden.remove(topic);
        }
    }

    /// Whether a broker leaves another broker out of the metadata that it tells.
    pub fn hide_broker(&mut self, broker: i32, other: i32, hide: bool) {
        let hidden = &mut self.images.hidden.entry(broker).or_default().brokers;
        if hide {
            hidden.insert(other);
        } else {
            hidden.remove(&other);
        }
    }

    /// Sets the address under which clients are told to reach a broker.
    pub fn set_address(&mut self, broker: i32, host: &str, port: u16) {
        if let Some(known) = self.brokers.iter_mut().find(|known| known.node.id == broker) {
            known.node.host = Str::copy_of(host);
            known.node.port = i32::from(port);
            self.changes.push(Change::Brokers);
            self.publish(self.now);
        }
    }

    /// Sets where a broker stands (`broker.rack`), for consumers that read from the nearest replica.
    pub fn set_rack(&mut self, broker: i32, rack: Option<&str>) {
        if let Some(known) = self.brokers.iter_mut().find(|known| known.node.id == broker) {
            known.node.rack = rack.map(Str::copy_of);
            self.changes.push(Change::Brokers);
            self.publish(self.now);
        }
    }

    /// Whether a broker runs; one that is cut off from the controller does.
    #[must_use]
    pub fn is_up(&self, broker: i32) -> bool {
        self.is_alive(broker)
    }

    /// Whether a broker has announced that it is going to stop, and still runs.
    #[must_use]
    pub fn is_leaving(&self, broker: i32) -> bool {
        self.peers.leaving.contains(&broker)
    }

    /// The ids of all brokers, dead or alive.
    pub fn brokers(&self) -> impl Iterator<Item = i32> {
        self.brokers.iter().map(|broker| broker.node.id)
    }
}
