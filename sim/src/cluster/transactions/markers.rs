//! Having the ends of transactions written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_core::{Entropy, Instant};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{OFFSETS_TOPIC, Place, State, Transactions};
use crate::cluster::batches;
use crate::cluster::producers::{Marker, MarkerRefused};
use crate::cluster::producing::Waiter;
use crate::cluster::replication::Turn;
use crate::cluster::topics::Partition;
use crate::cluster::{Cluster, TransactionConfig};

/// After which time a marker that could not be written is sent again.
const RETRY: Duration = Duration::from_millis(100);

/// The end of a transaction, for one partition.
#[derive(Clone, Debug)]
struct Letter {
    /// The transactional id.
    id: Str,
    place: Place,
    marker: Marker,
    /// The partition of `__transaction_state` whose leader writes.
    of: i32,
}

/// Markers that are not known to be written.
#[derive(Debug)]
pub(super) struct Outbox {
    letters: BTreeMap<u64, Letter>,
    due: BTreeSet<(Instant, u64)>,
    next: u64,
    delay: (Duration, Duration),
    delays: Entropy,
}

impl Outbox {
    pub(super) fn new(config: &TransactionConfig, delays: Entropy) -> Self {
        let (least, most) = (*config.marker_delay.start(), *config.marker_delay.end());
        let delay = (least, most.max(least));
        Self { letters: BTreeMap::new(), due: BTreeSet::new(), next: 0, delay, delays }
    }

    fn draw_delay(&mut self) -> Duration {
        let (least, most) = self.delay;
        let span = u64::try_from((most - least).as_nanos()).unwrap_or(u64::MAX);
        least + if span == 0 { Duration::ZERO } else { Duration::from_nanos(self.delays.below(span)) }
    }

    fn push(&mut self, now: Instant, letter: Letter) {
        let at = now + self.draw_delay();
        self.next += 1;
        self.letters.insert(self.next, letter);
        self.due.insert((at, self.next));
    }

    /// Forgets what the coordinator of a partition has to send.
    pub(super) fn forget(&mut self, of: i32) {
        self.letters.retain(|_, letter| letter.of != of);
        self.due.retain(|(_, number)| self.letters.contains_key(number));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    fn next_due(&mut self, now: Instant) -> Option<u64> {
        let first = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }
}

/// What became of a marker.
enum Sent {
    /// It is written, or need not be.
    Done,
    /// It waits for the replicas in sync.
    Waits,
    /// It is to be sent again.
    Again,
}

impl Transactions {
    /// Has the coordinator of a transaction that is being ended write to its partitions.
    pub(super) fn send_markers(&mut self, now: Instant, id: &str) {
        let (of, _) = self.coordinators.partition_of(id);
        let Some((_, coordinator_epoch)) = self.coordinators.leader(of) else { return };
        let Some(txn) = self.by_id.get(id) else { return };
        let marker = Marker {
            producer_id: txn.producer.id,
            producer_epoch: txn.producer.epoch,
            commit: txn.state == State::PrepareCommit,
            coordinator_epoch,
            is_bumped: txn.is_bumping,
        };
        let (id, places) = (txn.id.clone(), txn.partitions.clone());
        if places.is_empty() {
            return self.complete(now, &id);
        }
        for place in places {
            self.outbox.push(now, Letter { id: id.clone(), place, marker, of });
        }
    }

    /// A partition has the marker of its transaction.
    fn marked(&mut self, now: Instant, number: u64) {
        let Some(letter) = self.outbox.letters.remove(&number) else { return };
        let Some(txn) = self.by_id.get_mut(&letter.id) else { return };
        txn.partitions.remove(&letter.place);
        if txn.partitions.is_empty() && txn.state.is_ending() {
            self.complete(now, &letter.id);
        }
    }

    fn complete(&mut self, now: Instant, id: &str) {
        if let Some(txn) = self.by_id.get_mut(id) {
            txn.complete(now);
        }
        self.tell(id);
    }
}

impl Cluster {
    /// Sends the markers whose time has come, and looks at those that waited. Returns false if there were none.
    pub(in crate::cluster) fn write_markers(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some((number, error)) = self.purgatory.markers.pop_front() {
            any = true;
            if error.is_ok() {
                self.transactions.marked(now, number);
            } else if self.transactions.outbox.letters.contains_key(&number) {
                self.transactions.outbox.due.insert((now + RETRY, number));
            }
        }
        while let Some(number) = self.transactions.outbox.next_due(now) {
            let Some(letter) = self.transactions.outbox.letters.get(&number).cloned() else { continue };
            any = true;
            match self.send_marker(now, number, &letter) {
                Sent::Done => self.transactions.marked(now, number),
                Sent::Waits => {}
                Sent::Again => drop(self.transactions.outbox.due.insert((now + RETRY, number))),
            }
        }
        any
    }

    fn send_marker(&mut self, now: Instant, number: u64, letter: &Letter) -> Sent {
        let Some((coordinator, _)) = self.transactions.coordinators.leader(letter.of) else {
            return Sent::Again;
        };
        let (topic, index) = &letter.place;
        if topic == OFFSETS_TOPIC {
            let leader = self.groups.ready_leader(now, *index);
            if !leader.is_some_and(|leader| self.reaches(coordinator, leader)) {
                return Sent::Again;
            }
            self.groups.end_transaction(*index, letter.marker.producer_id, letter.marker.commit);
            return Sent::Done;
        }
        let Some(topic) = self.topics.get(topic) else { return Sent::Done };
        let Some(leader) = topic.image.partition(*index).map(|partition| partition.leader) else {
            return Sent::Done;
        };
        if !self.reaches(coordinator, leader) {
            return Sent::Again;
        }
        let waiter = Some(Waiter::Marker(number));
        match self.append_marker(now, (topic.id(), *index, leader), &letter.marker, waiter) {
            Ok(()) => Sent::Waits,
            // Who fenced it has ended the transaction.
            Err(ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::TRANSACTION_COORDINATOR_FENCED) => Sent::Done,
            Err(_) => Sent::Again,
        }
    }

    /// Whether a message of one broker arrives at another.
    pub(crate) fn reaches(&self, from: i32, to: i32) -> bool {
        from == to && self.is_alive(to) || self.is_alive(to) && self.peers.latency(from, to).is_some()
    }

    /// Has a leader write the end of a transaction. `waiter` is told when it is committed.
    pub(crate) fn append_marker(
        &mut self,
        now: Instant,
        (topic_id, index, broker): (Uuid, i32, i32),
        marker: &Marker,
        waiter: Option<Waiter>,
    ) -> Result<(), ErrorCode> {
        let wall_time = self.wall_time;
        let mut turn = self.turn(now, topic_id, index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let slot = turn.partition.slot(broker).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        let replica = &turn.partition.replicas[slot];
        if !replica.leads() {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        if replica.belief.isr.len() < turn.wanted_isr {
            return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        turn.append_marker(slot, marker, wall_time.0, waiter)
    }
}

impl Turn<'_> {
    fn append_marker(
        &mut self,
        slot: usize,
        marker: &Marker,
        timestamp: i64,
        waiter: Option<Waiter>,
    ) -> Result<(), ErrorCode> {
        let now = self.now;
        let flushes = self.peers.flushes_until(now);
        let Partition { store, replicas, .. } = &mut *self.partition;
        replicas[slot].producers(store, now).check_marker(marker).map_err(|refused| match refused {
            MarkerRefused::InvalidProducerEpoch => ErrorCode::INVALID_PRODUCER_EPOCH,
            MarkerRefused::CoordinatorFenced => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        })?;
        self.note_append(slot);
        let Partition { store, replicas, .. } = &mut *self.partition;
        let replica = &mut replicas[slot];
        replica.flush(flushes);
        let epoch = replica.belief.leader_epoch;
        let offset = batches::append_marker(&mut replica.log, store, marker, epoch, timestamp)
            .ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        replica.producers(store, now);
        let end = replica.log.end_offset();
        replica.leading.produces.extend(waiter.map(|waiter| (end, waiter, 0)));
        self.tell_appended(slot, offset);
        self.handle_appended(slot);
        self.complete_produces(slot);
        Ok(())
    }
}
