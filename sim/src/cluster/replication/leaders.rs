//! Leaders: taking over, the high watermark, and the replicas in sync.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::ErrorCode;

use super::{Change, Step, Turn};
use crate::cluster::topics::{Fetching, Leadership, NO_LEADER, Partition, Progress};
use crate::observe::ClusterEvent;

impl Turn<'_> {
    /// A broker hears of the partition's leadership.
    pub(crate) fn believe(&mut self, slot: usize, leadership: &Leadership) {
        let replica = &mut self.partition.replicas[slot];
        if leadership.version <= replica.belief.version {
            return;
        }
        let is_new_epoch = leadership.leader_epoch > replica.belief.leader_epoch;
        let led = replica.leads();
        replica.belief.clone_from(leadership);
        if replica.leads() {
            if is_new_epoch {
                self.stop_fetching(slot);
                self.take_over(slot);
                self.tell_all_readers(slot);
            }
            self.raise_high_watermark(slot);
        } else {
            if led {
                self.fail_produces(slot, ErrorCode::NOT_LEADER_OR_FOLLOWER);
            }
            if is_new_epoch {
                self.stop_fetching(slot);
                self.tell_all_readers(slot);
            }
        }
        self.wake();
    }

    /// A broker hears that the partition is deleted.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.stop_fetching(slot);
        self.partition.replicas[slot].belief = Leadership::unheard();
        self.fail_produces(slot, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        self.tell_all_readers(slot);
    }

    /// A replica becomes the leader of a new epoch.
    fn take_over(&mut self, slot: usize) {
        self.tell_takeover(slot);
        let now = self.now;
        let Partition { replicas, store, history } = &mut *self.partition;
        let others: Vec<i32> = replicas.iter().map(|replica| replica.broker).collect();
        let replica = &mut replicas[slot];
        let epoch = replica.belief.leader_epoch;
        let end = replica.log.end_offset();
        replica.producers(store, now);
        replica.log.epochs.begin(epoch, end);
        replica.leading.epoch_start = end;
        let in_sync = |broker: &i32| replica.belief.isr.contains(broker);
        let progress = |broker: &i32| Progress {
            end: -1,
            caught_up_at: in_sync(broker).then_some(now),
            fetched_at: None,
            end_when_fetched: 0,
        };
        replica.leading.followers = others.iter().map(progress).collect();
        if epoch >= history.epoch {
            history.epochs = replica.log.epochs.clone();
            (history.leader, history.epoch) = (Some(replica.broker), epoch);
        }
        self.tell_start(slot);
        // A leader that comes back after an unclean election of another may have known of more.
        self.tell_committed(slot);
    }

    /// Tells of a new leader, and of what is lost because it is not in its log.
    fn tell_takeover(&mut self, slot: usize) {
        let (topic_id, partition) = (self.topic_id, self.index);
        let replica = &self.partition.replicas[slot];
        let (leader, leader_epoch, end_offset) =
            (replica.broker, replica.belief.leader_epoch, replica.log.end_offset());
        let history = &mut self.partition.history;
        if leader_epoch < history.epoch {
            // Another one has taken over already, of whose election this broker has not heard.
            return;
        }
        let common =
            history.epochs.divergence(history.committed, &replica.log.epochs, replica.log.end_offset());
        let loses = history.leader.is_some() && common < history.committed;
        if loses {
            history.committed = common;
            self.events.tell(|| ClusterEvent::Lost {
                topic_id,
                partition,
                from_offset: common,
                leader_epoch,
            });
        }
        let is_first = history.leader.is_none();
        if is_first {
            return;
        }
        let unclean = replica.belief.is_unclean || loses;
        self.events.tell(|| ClusterEvent::Elected {
            topic_id,
            partition,
            leader,
            leader_epoch,
            end_offset,
            epochs: replica.log.epochs.as_slice().to_vec(),
            unclean,
        });
    }

    fn tell_all_readers(&mut self, slot: usize) {
        for connection in &self.partition.replicas[slot].readers {
            self.links.feed(*connection, None);
        }
    }

    /// A leader is about to append: who was at its end falls behind now.
    pub(crate) fn note_append(&mut self, leader: usize) {
        let end = self.partition.replicas[leader].log.end_offset();
        for follower in 0..self.partition.replicas.len() {
            let is_parked = self.partition.replicas[follower].fetching == Fetching::Parked;
            let replica = &mut self.partition.replicas[leader];
            if let Some(progress) = replica.leading.followers.get_mut(follower)
                && is_parked
                && progress.end == end
            {
                progress.caught_up_at = Some(self.now);
            }
        }
    }

    /// What follows from the leader's having appended.
    pub(crate) fn handle_appended(&mut self, leader: usize) {
        self.raise_high_watermark(leader);
        self.settle();
        self.watch_lag(leader);
    }

    /// A follower's fetch says how far it is.
    pub(super) fn note_progress(&mut self, leader: usize, follower: usize, end: i64) {
        let now = self.now;
        let replica = &mut self.partition.replicas[leader];
        let leader_end = replica.log.end_offset();
        let Some(progress) = replica.leading.followers.get_mut(follower) else { return };
        if end >= leader_end {
            progress.caught_up_at = Some(now);
        } else if end >= progress.end_when_fetched {
            progress.caught_up_at = progress.caught_up_at.max(progress.fetched_at);
        }
        progress.end = end;
        (progress.fetched_at, progress.end_when_fetched) = (Some(now), leader_end);
        self.expand_isr(leader, follower, end);
        self.raise_high_watermark(leader);
    }

    /// Takes a follower that has caught up into the replicas in sync.
    fn expand_isr(&mut self, leader: usize, follower: usize, end: i64) {
        let broker = self.partition.replicas[follower].broker;
        let replica = &self.partition.replicas[leader];
        let is_far_enough = end >= replica.high_watermark && end >= replica.leading.epoch_start;
        if replica.belief.isr.contains(&broker) || !is_far_enough || !self.peers.is_active(broker) {
            return;
        }
        self.alter_isr(leader, |leadership| leadership.expand(broker));
    }

    /// A leader proposes to the controller who is in sync. The controller does not hear of it if it does not reach the
    /// leader, or refuses if another one leads.
    fn alter_isr(&mut self, leader: usize, alter: impl FnOnce(&mut Leadership)) {
        let belief = &self.partition.replicas[leader].belief;
        let leads =
            self.leadership.leader == belief.leader && self.leadership.leader_epoch == belief.leader_epoch;
        if !leads || !self.peers.is_active(belief.leader) {
            return;
        }
        alter(self.leadership);
        self.partition.replicas[leader].belief.clone_from(self.leadership);
        self.changes.push(Change::Partition(self.topic_id, self.index));
    }

    /// Raises the high watermark to the least end of the logs in sync.
    pub(crate) fn raise_high_watermark(&mut self, leader: usize) {
        let replica = &self.partition.replicas[leader];
        if replica.belief.isr.len() < self.min_isr {
            return;
        }
        let end = replica.log.end_offset();
        let mut high_watermark = end;
        for (other, progress) in self.partition.replicas.iter().zip(&replica.leading.followers) {
            if other.broker == replica.broker || progress.end >= high_watermark {
                continue;
            }
            let is_in_sync = replica.belief.isr.contains(&other.broker);
            let may_join = || {
                self.peers.is_active(other.broker) && progress.is_caught_up(end, self.now, self.peers.max_lag)
            };
            if is_in_sync || may_join() {
                high_watermark = progress.end;
            }
        }
        let before = replica.high_watermark;
        if high_watermark <= before {
            return;
        }
        self.partition.replicas[leader].high_watermark = high_watermark;
        self.tell_committed(leader);
        self.tell_readers(leader, before);
        self.complete_produces(leader);
    }

    /// Tells how far records are committed now.
    fn tell_committed(&mut self, leader: usize) {
        let (topic_id, partition) = (self.topic_id, self.index);
        let replica = &self.partition.replicas[leader];
        let history = &mut self.partition.history;
        let (high_watermark, leader_epoch) = (replica.high_watermark, history.epoch);
        if replica.belief.leader_epoch == leader_epoch {
            if high_watermark > history.committed {
                history.committed = high_watermark;
                self.events.tell(|| ClusterEvent::Committed { topic_id, partition, high_watermark });
            }
            return;
        }
        // A leader that does not know of its successor, nor do those that it believes to be in sync: what the
        // successor does not have is as good as lost.
        let from_offset = history.epochs.divergence(i64::MAX, &replica.log.epochs, replica.log.end_offset());
        if from_offset < high_watermark {
            self.events.tell(|| ClusterEvent::Lost { topic_id, partition, from_offset, leader_epoch });
        }
    }

    /// Has leaders look for followers that lag.
    pub(crate) fn watch(&mut self) {
        (0..self.partition.replicas.len()).for_each(|slot| self.watch_lag(slot));
    }

    /// Sets a timer if a follower in sync is behind.
    fn watch_lag(&mut self, slot: usize) {
        let replica = &self.partition.replicas[slot];
        if replica.leading.watches_lag || !replica.leads() {
            return;
        }
        let Some(since) = self.lagging_since(slot) else { return };
        let lapse = since.map(|since| since + self.peers.max_lag + Duration::from_millis(1));
        // One that has lagged for too long already stays because the controller cannot be told.
        let again = self.now + self.peers.max_lag / 2 + Duration::from_millis(1);
        let at = lapse.filter(|lapse| *lapse > self.now).unwrap_or(again);
        let (topic_id, index, epoch) = (self.topic_id, self.index, replica.belief.leader_epoch);
        self.partition.replicas[slot].leading.watches_lag = true;
        self.peers.set_timer(at, Step::Lag { topic_id, index, leader: slot, epoch });
    }

    /// Since when the follower in sync that has been behind for the longest time is: `Some(None)` if it was never level.
    fn lagging_since(&self, leader: usize) -> Option<Option<Instant>> {
        let replica = &self.partition.replicas[leader];
        let end = replica.log.end_offset();
        let followers = self.partition.replicas.iter().zip(&replica.leading.followers);
        followers
            .filter(|(other, progress)| {
                other.broker != replica.broker
                    && progress.end != end
                    && replica.belief.isr.contains(&other.broker)
            })
            .map(|(_, progress)| progress.caught_up_at)
            .min()
    }

    /// A leader looks for followers that have lagged for too long, and drops them from the replicas in sync.
    pub(super) fn look_for_lag(&mut self, leader: usize, epoch: i32) {
        let Some(replica) = self.partition.replicas.get_mut(leader) else { return };
        replica.leading.watches_lag = false;
        if !replica.leads() || self.peers.down.contains(&replica.broker) {
            return;
        }
        if replica.belief.leader_epoch == epoch {
            let replica = &self.partition.replicas[leader];
            let end = replica.log.end_offset();
            let followers = self.partition.replicas.iter().zip(&replica.leading.followers);
            let lags = followers.filter(|(other, progress)| {
                other.broker != replica.broker && !progress.is_caught_up(end, self.now, self.peers.max_lag)
            });
            let lagging: Vec<i32> = lags.map(|(other, _)| other.broker).collect();
            for broker in lagging {
                if self.partition.replicas[leader].belief.isr.contains(&broker) {
                    self.alter_isr(leader, |leadership| leadership.shrink(broker));
                }
            }
            self.raise_high_watermark(leader);
            self.settle();
        }
        self.watch_lag(leader);
    }

    /// That the partition has no leader any more.
    pub(crate) fn tell_leaderless(&mut self) {
        let (topic_id, partition, leader_epoch) = (self.topic_id, self.index, self.leadership.leader_epoch);
        self.events.tell(|| ClusterEvent::Elected {
            topic_id,
            partition,
            leader: NO_LEADER,
            leader_epoch,
            end_offset: -1,
            epochs: Vec::new(),
            unclean: false,
        });
    }
}
