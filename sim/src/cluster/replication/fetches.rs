//! The exchange between followers and leaders.

use super::{Answer, Step, Turn};
use crate::cluster::fetching::Grown;
use crate::cluster::topics::{Fetching, NO_LEADER, Partition};

impl Turn<'_> {
    /// Has followers fetch that could not so far, and leaders tell what is new.
    pub(crate) fn wake(&mut self) {
        for follower in 0..self.partition.replicas.len() {
            self.begin_fetching(follower);
            self.fetch_again(follower);
        }
        self.settle();
    }

    /// A fetch that waits tells the leader once more how far the follower is, as it does every half second: the follower
    /// may be in sync now that the controller reaches both.
    fn fetch_again(&mut self, follower: usize) {
        let replica = &self.partition.replicas[follower];
        let (epoch, end) = (replica.belief.leader_epoch, replica.log.end_offset());
        if replica.fetching != Fetching::Parked {
            return;
        }
        let Some(leader) = self.leader_of(follower) else { return };
        let belief = &self.partition.replicas[leader].belief;
        if belief.leader_epoch == epoch && !belief.isr.contains(&self.partition.replicas[follower].broker) {
            self.note_progress(leader, follower, end);
        }
    }

    /// Has one follower fetch, if it does not.
    pub(crate) fn begin_fetching(&mut self, follower: usize) {
        let replica = &self.partition.replicas[follower];
        if replica.fetching == Fetching::Stalled && !replica.leads() && replica.belief.leader != NO_LEADER {
            self.fetch(follower);
        }
    }

    /// A follower stops fetching: messages that are on their way are lost.
    pub(crate) fn stop_fetching(&mut self, follower: usize) {
        let leader = self.leader_of(follower);
        let replica = &mut self.partition.replicas[follower];
        let (was_parked, end) = (replica.fetching == Fetching::Parked, replica.log.end_offset());
        replica.fetching = Fetching::Stalled;
        replica.attempt += 1;
        // Up to now it fetched every half second, as it were.
        if let Some(leader) = leader.filter(|_| was_parked) {
            let leader = &mut self.partition.replicas[leader];
            let leader_end = leader.log.end_offset();
            if let Some(progress) = leader.leading.followers.get_mut(follower)
                && end == leader_end
            {
                progress.caught_up_at = Some(self.now);
            }
        }
    }

    /// The place of the replica that a follower believes to be its leader.
    fn leader_of(&self, follower: usize) -> Option<usize> {
        self.partition.slot(self.partition.replicas[follower].belief.leader)
    }

    fn fetch(&mut self, follower: usize) {
        let replica = &self.partition.replicas[follower];
        let latency = self.peers.latency(replica.broker, replica.belief.leader);
        let replica = &mut self.partition.replicas[follower];
        let Some(latency) = latency else {
            return self.stop_fetching(follower);
        };
        replica.fetching = Fetching::Sent;
        let attempt = replica.attempt;
        if latency.is_zero() {
            return self.accept_fetch(follower);
        }
        let (topic_id, index) = (self.topic_id, self.index);
        self.peers.set_timer(self.now + latency, Step::Fetch { topic_id, index, follower, attempt });
    }

    /// The fetch of a follower arrives at its leader.
    pub(super) fn handle_fetch(&mut self, follower: usize, attempt: u64) {
        let replica = &self.partition.replicas[follower];
        if replica.attempt == attempt && replica.fetching == Fetching::Sent {
            self.accept_fetch(follower);
            self.settle();
        }
    }

    fn accept_fetch(&mut self, follower: usize) {
        let replica = &self.partition.replicas[follower];
        let leader = self.leader_of(follower).map(|slot| (slot, &self.partition.replicas[slot]));
        let reaches = self.peers.latency(replica.broker, replica.belief.leader).is_some();
        let Some((leader, leading)) = leader.filter(|(_, leader)| {
            reaches && leader.leads() && leader.belief.leader_epoch == replica.belief.leader_epoch
        }) else {
            // One of the two has yet to hear of the other's epoch, or the leader is gone.
            return self.stop_fetching(follower);
        };
        let (log, leaders) = (&replica.log, &leading.log);
        let epoch_end = leaders.end_of_epoch(log.epochs.last());
        let diverges = log.epochs.last() >= 0
            && epoch_end.is_none_or(|(epoch, end)| epoch < log.epochs.last() || end < log.end_offset());
        let is_too_old = log.end_offset() < leaders.start_offset();
        if diverges || is_too_old || log.end_offset() > leaders.end_offset() {
            // What follows after several exchanges, if the follower has several epochs that the leader has not.
            let common = log.epochs.divergence(log.end_offset(), &leaders.epochs, leaders.end_offset());
            self.partition.replicas[follower].fetching = Fetching::Parked;
            return self.answer(follower, leader, Some(common));
        }
        let end = log.end_offset();
        self.partition.replicas[follower].fetching = Fetching::Parked;
        self.note_progress(leader, follower, end);
    }

    /// Has leaders answer the fetches that wait for something which is there now.
    pub(crate) fn settle(&mut self) {
        loop {
            let waiting = (0..self.partition.replicas.len()).find(|follower| self.has_news(*follower));
            let Some(follower) = waiting else { return };
            match self.leader_of(follower) {
                Some(leader) => self.answer(follower, leader, None),
                None => self.stop_fetching(follower),
            }
        }
    }

    /// Whether a follower's fetch waits at a leader that has something new for it.
    fn has_news(&self, follower: usize) -> bool {
        let replica = &self.partition.replicas[follower];
        if replica.fetching != Fetching::Parked {
            return false;
        }
        let Some(leader) = self.leader_of(follower).map(|slot| &self.partition.replicas[slot]) else {
            return true;
        };
        let high_watermark = leader.high_watermark.min(replica.log.end_offset());
        leader.log.end_offset() > replica.log.end_offset()
            || high_watermark > replica.high_watermark
            || leader.log.start_offset().min(high_watermark) > replica.log.start_offset()
    }

    fn answer(&mut self, follower: usize, leader: usize, truncate_to: Option<i64>) {
        let leading = &self.partition.replicas[leader];
        let answer = Answer {
            end: leading.log.end_offset(),
            high_watermark: leading.high_watermark,
            log_start: leading.log.start_offset(),
            truncate_to,
        };
        let replica = &self.partition.replicas[follower];
        let Some(latency) = self.peers.latency(replica.broker, leading.broker) else {
            return self.stop_fetching(follower);
        };
        let attempt = replica.attempt;
        self.partition.replicas[follower].fetching = Fetching::Answered;
        if latency.is_zero() {
            return self.accept_answer(follower, leader, answer);
        }
        let (topic_id, index) = (self.topic_id, self.index);
        self.peers.set_timer(self.now + latency, Step::Answer { topic_id, index, follower, attempt, answer });
    }

    /// The answer to a fetch arrives at the follower.
    pub(super) fn handle_answer(&mut self, follower: usize, attempt: u64, answer: Answer) {
        let replica = &self.partition.replicas[follower];
        if replica.attempt != attempt || replica.fetching != Fetching::Answered {
            return;
        }
        let reaches = self.peers.latency(replica.broker, replica.belief.leader).is_some();
        let epoch = replica.belief.leader_epoch;
        match self.leader_of(follower).filter(|_| reaches) {
            // If the leader has changed meanwhile, the follower hears of it.
            Some(leader) if self.partition.replicas[leader].belief.leader_epoch == epoch => {
                self.accept_answer(follower, leader, answer);
            }
            _ => self.stop_fetching(follower),
        }
        self.settle();
    }

    fn accept_answer(&mut self, follower: usize, leader: usize, answer: Answer) {
        let Some((replica, leading)) = two(&mut self.partition.replicas, follower, leader) else { return };
        if let Some(offset) = answer.truncate_to {
            replica.truncate(offset);
        }
        if replica.log.end_offset() < answer.log_start {
            replica.restart_at(answer.log_start);
        }
        if answer.truncate_to.is_none() {
            replica.flush(self.peers.flushes_until(self.now));
            replica.log.copy(&leading.log, answer.end);
        }
        let end = replica.log.end_offset();
        let before = replica.high_watermark;
        replica.high_watermark = answer.high_watermark.min(end).max(replica.log.start_offset());
        let start = answer.log_start.min(replica.high_watermark);
        replica.drop_below(&self.partition.store, start, self.now);
        self.tell_readers(follower, before);
        self.fetch(follower);
    }

    /// The high watermark of a replica has risen: those who wait for what is below it are told.
    pub(super) fn tell_readers(&mut self, slot: usize, before: i64) {
        let Partition { store, replicas, .. } = &mut *self.partition;
        let replica = &mut replicas[slot];
        if replica.high_watermark <= before || replica.readers.is_empty() {
            return;
        }
        replica.producers(store, self.now);
        let stable = replica.last_stable_offset();
        let grown = Grown {
            committed: replica.log.readable_bytes(before, replica.high_watermark),
            stable: replica.log.readable_bytes(replica.told_stable.min(stable), stable),
        };
        replica.told_stable = stable;
        replica.readers.iter().for_each(|connection| self.links.feed(*connection, Some(grown)));
    }
}

/// Two different elements.
fn two<T>(all: &mut [T], a: usize, b: usize) -> Option<(&mut T, &mut T)> {
    let (low, high) = all.split_at_mut_checked(a.max(b))?;
    let (low, high) = (low.get_mut(a.min(b))?, high.first_mut()?);
    if a < b { Some((low, high)) } else { Some((high, low)) }
}
