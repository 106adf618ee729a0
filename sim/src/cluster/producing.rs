//! Requests to produce that wait for the replicas in sync (`acks=all`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::messages::produce::ProduceResponse;
use klamm_protocol::{ErrorCode, Uuid};

use super::replication::{Step, Turn};
use super::{Cluster, ConnectionId, Origin};

/// Who waits for replicas in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waiter {
    /// A request to produce.
    Request(ConnectionId),
    /// A transaction's end, by its number.
    Marker(u64),
}

/// A partition of a request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
    pub(crate) broker: i32,
    /// It waits until the high watermark reaches this.
    pub(crate) offset: i64,
    /// Where it is in the response: the topic, and the partition of the topic.
    pub(crate) place: (usize, usize),
}

#[derive(Debug)]
struct Waiting {
    response: ProduceResponse,
    slots: Vec<Option<Slot>>,
    open: usize,
    timer: (Instant, u64),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Purgatory {
    requests: BTreeMap<ConnectionId, Waiting>,
    /// Requests that wait for nothing any more.
    done: VecDeque<ConnectionId>,
    /// Ends of transactions that wait for nothing any more, and what came of them.
    pub(super) markers: VecDeque<(u64, ErrorCode)>,
}

impl Purgatory {
    /// What a partition waited for has happened, or cannot happen any more.
    fn settle(&mut self, waiter: Waiter, slot: usize, error: ErrorCode) {
        let connection = match waiter {
            Waiter::Request(connection) => connection,
            Waiter::Marker(number) => return self.markers.push_back((number, error)),
        };
        let Some(waiting) = self.requests.get_mut(&connection) else { return };
        let Some(slot) = waiting.slots.get_mut(slot).and_then(Option::take) else { return };
        waiting.open -= 1;
        set_error(&mut waiting.response, slot.place, error);
        if waiting.open == 0 {
            self.done.push_back(connection);
        }
    }
}

fn set_error(response: &mut ProduceResponse, (topic, partition): (usize, usize), error: ErrorCode) {
    let topic = response.responses.get_mut(topic);
    if let Some(partition) = topic.and_then(|topic| topic.partition_responses.get_mut(partition)) {
        partition.error_code = error;
    }
}

impl Turn<'_> {
    /// Requests are told that what they wait for has been reached.
    pub(super) fn complete_produces(&mut self, leader: usize) {
        let replica = &mut self.partition.replicas[leader];
        let has_enough = replica.belief.isr.len() >= self.wanted_isr;
        let error = if has_enough { ErrorCode::NONE } else { ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND };
        while let Some((offset, waiter, slot)) = replica.leading.produces.first().copied() {
            if offset > replica.high_watermark {
                return;
            }
            replica.leading.produces.pop_first();
            self.purgatory.settle(waiter, slot, error);
        }
    }

    /// Requests are told that what they wait for cannot be reached.
    pub(super) fn fail_produces(&mut self, slot: usize, error: ErrorCode) {
        for (_, waiter, slot) in std::mem::take(&mut self.partition.replicas[slot].leading.produces) {
            self.purgatory.settle(waiter, slot, error);
        }
    }
}

impl Cluster {
    /// Has a request to produce wait for partitions, at most so long.
    pub(super) fn park_produce(
        &mut self,
        origin: &Origin,
        response: ProduceResponse,
        slots: Vec<Slot>,
        timeout: Duration,
    ) {
        let connection = origin.connection;
        for (number, slot) in slots.iter().enumerate() {
            let partition =
                self.topics.by_id_mut(slot.topic_id).and_then(|topic| topic.partition_mut(slot.index));
            if let Some(replica) = partition.and_then(|partition| partition.replica_mut(slot.broker)) {
                replica.leading.produces.insert((slot.offset, Waiter::Request(connection), number));
            }
        }
        let timer = self.peers.set_timer(origin.now + timeout, Step::Produce { connection });
        let open = slots.len();
        let slots = slots.into_iter().map(Some).collect();
        self.purgatory.requests.insert(connection, Waiting { response, slots, open, timer });
    }

    /// Answers a request to produce that waits for nothing any more. Returns false if there is none.
    pub(super) fn answer_produce(&mut self, now: Instant) -> bool {
        let Some(connection) = self.purgatory.done.pop_front() else { return false };
        if let Some(waiting) = self.purgatory.requests.remove(&connection) {
            self.peers.cancel(waiting.timer);
            self.respond(now, connection, &waiting.response);
        }
        true
    }

    /// A request to produce has waited for long enough.
    pub(super) fn give_up_produce(&mut self, now: Instant, connection: ConnectionId) {
        let Some(mut waiting) = self.stop_producing(connection) else { return };
        for slot in waiting.slots.iter().flatten() {
            set_error(&mut waiting.response, slot.place, ErrorCode::REQUEST_TIMED_OUT);
        }
        self.respond(now, connection, &waiting.response);
    }

    /// Takes a request to produce back from its partitions.
    pub(super) fn forget_produce(&mut self, connection: ConnectionId) {
        drop(self.stop_producing(connection));
    }

    fn stop_producing(&mut self, connection: ConnectionId) -> Option<Waiting> {
        let waiting = self.purgatory.requests.remove(&connection)?;
        self.peers.cancel(waiting.timer);
        for (number, slot) in waiting.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let partition =
                self.topics.by_id_mut(slot.topic_id).and_then(|topic| topic.partition_mut(slot.index));
            if let Some(replica) = partition.and_then(|partition| partition.replica_mut(slot.broker)) {
                replica.leading.produces.remove(&(slot.offset, Waiter::Request(connection), number));
            }
        }
        Some(waiting)
    }
}
