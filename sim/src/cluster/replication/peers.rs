//! The network between brokers: who reaches whom, how long it takes, and what is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Uuid;

use crate::cluster::ConnectionId;

/// What a leader answers to a follower's fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Batches up to here.
    pub(crate) end: i64,
    pub(crate) high_watermark: i64,
    pub(crate) log_start: i64,
    /// The follower has to cut off its log here first.
    pub(crate) truncate_to: Option<i64>,
}

/// What happens at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The fetch of a follower (by its place among the replicas) arrives at the leader.
    Fetch { topic_id: Uuid, index: i32, follower: usize, attempt: u64 },
    /// Its answer arrives at the follower.
    Answer { topic_id: Uuid, index: i32, follower: usize, attempt: u64, answer: Answer },
    /// A leader looks for followers that lag.
    Lag { topic_id: Uuid, index: i32, leader: usize, epoch: i32 },
    /// A broker hears of changes.
    Image { broker: i32 },
    /// A request to produce has waited long enough.
    Produce { connection: ConnectionId },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    latency: Duration,
    pub(crate) max_lag: Duration,
    flush_interval: Duration,
    /// `None`: the pair is cut.
    pairs: BTreeMap<(i32, i32), Option<Duration>>,
    /// Brokers that are down.
    pub(crate) down: BTreeSet<i32>,
    /// Brokers that stand still.
    pub(crate) paused: BTreeSet<i32>,
    /// Brokers that the controller does not reach.
    pub(crate) isolated: BTreeSet<i32>,
    /// Brokers that have announced that they stop.
    pub(crate) leaving: BTreeSet<i32>,
    timers: BTreeMap<(Instant, u64), Step>,
    next_timer: u64,
}

const fn pair(a: i32, b: i32) -> (i32, i32) {
    if a < b { (a, b) } else { (b, a) }
}

impl Peers {
    pub(crate) fn new(latency: Duration, max_lag: Duration, flush_interval: Duration) -> Self {
        Self { latency, max_lag, flush_interval, ..Self::default() }
    }

    /// How many times logs have been flushed so far. `None`: they always are.
    pub(crate) fn flushes_until(&self, now: Instant) -> Option<u64> {
        now.as_nanos().checked_div(u64::try_from(self.flush_interval.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long a message between two brokers takes. `None`: it does not arrive.
    pub(crate) fn latency(&self, a: i32, b: i32) -> Option<Duration> {
        if self.pairs.is_empty() && self.down.is_empty() && self.paused.is_empty() {
            return Some(self.latency);
        }
        if [a, b].iter().any(|broker| self.down.contains(broker) || self.paused.contains(broker)) {
            return None;
        }
        self.pairs.get(&pair(a, b)).copied().unwrap_or(Some(self.latency))
    }

    /// Sets how long messages between two brokers take; `None` cuts the pair.
    pub(crate) fn set_latency(&mut self, a: i32, b: i32, latency: Option<Duration>) {
        self.pairs.insert(pair(a, b), latency);
    }

    /// Messages between two brokers, or between any, take as long as at first.
    pub(crate) fn reset_latency(&mut self, brokers: Option<(i32, i32)>) {
        match brokers {
            Some((a, b)) => drop(self.pairs.remove(&pair(a, b))),
            None => self.pairs.clear(),
        }
    }

    /// Whether a broker may lead and be in sync, as far as the controller knows.
    pub(crate) fn is_active(&self, broker: i32) -> bool {
        let is_out = |brokers: &BTreeSet<i32>| brokers.contains(&broker);
        !is_out(&self.down) && !is_out(&self.isolated) && !is_out(&self.leaving)
    }

    pub(crate) fn set_timer(&mut self, at: Instant, step: Step) -> (Instant, u64) {
        self.next_timer += 1;
        let timer = (at, self.next_timer);
        self.timers.insert(timer, step);
        timer
    }

    pub(crate) fn cancel(&mut self, timer: (Instant, u64)) {
        self.timers.remove(&timer);
    }

    /// What happens next, if its time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Step> {
        let first = self.timers.first_entry().filter(|timer| timer.key().0 <= now)?;
        Some(first.remove())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }
}
