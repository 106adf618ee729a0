//! A partition as it lies on the brokers: its replicas, each with a log and a belief about who leads.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::records::{Batch, Batches, ControlRecord, NO_PRODUCER_ID, ReadOptions, TimestampType};

use super::leadership::Leadership;
use crate::cluster::ConnectionId;
use crate::cluster::log::{Epochs, Log, Store};
use crate::cluster::producers::{Marker, Producers, Sequenced, Written};
use crate::cluster::producing::Waiter;

/// A partition.
#[derive(Debug)]
pub(crate) struct Partition {
    /// The bytes of all replicas' batches.
    pub(crate) store: Store,
    /// In the order of assignment.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) history: History,
}

/// What has been committed under the leaders so far, as somebody knows it who sees everything.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The broker that took over last.
    pub(crate) leader: Option<i32>,
    /// Its epoch.
    pub(crate) epoch: i32,
    /// The epochs of that broker's log.
    pub(crate) epochs: Epochs,
    /// Offsets below this are committed.
    pub(crate) committed: i64,
    /// Offsets below this are deleted in its log.
    pub(crate) start: i64,
}

/// What a follower's fetch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetching {
    /// There is none: no leader, or the leader cannot be reached or does not know that it leads.
    Stalled,
    /// It is on its way to the leader.
    Sent,
    /// It waits at the leader for something new.
    Parked,
    /// The answer is on its way.
    Answered,
}

/// What a leader knows of a follower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// The end of the follower's log, as of its last fetch; -1: it has not fetched.
    pub(crate) end: i64,
    /// When it was last at the leader's end; `None`: never under this leader.
    pub(crate) caught_up_at: Option<Instant>,
    pub(crate) fetched_at: Option<Instant>,
    /// The leader's end at that time.
    pub(crate) end_when_fetched: i64,
}

impl Progress {
    pub(crate) fn is_caught_up(&self, leader_end: i64, now: Instant, max_lag: Duration) -> bool {
        self.end == leader_end || self.caught_up_at.is_some_and(|at| now.since(at) <= max_lag)
    }
}

/// What a replica remembers because it leads.
#[derive(Debug, Default)]
pub(crate) struct Leading {
    /// The end of its log when its epoch began.
    pub(crate) epoch_start: i64,
    /// One for each replica, in their order; its own is not looked at.
    pub(crate) followers: Vec<Progress>,
    /// Whether a timer is set to look for followers that lag.
    pub(crate) watches_lag: bool,
    /// Who waits for the high watermark to reach an offset, and which of its partitions it is.
    pub(crate) produces: BTreeSet<(i64, Waiter, usize)>,
}

/// How much of a log is on the disk: it is flushed at whole multiples of an interval.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flushed {
    /// What was appended before has been flushed.
    pub(crate) offset: i64,
    /// The how-many-th interval the last append was in.
    pub(crate) interval: u64,
}

/// One broker's part in a partition.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) broker: i32,
    /// What the broker has heard of the partition's leadership.
    pub(crate) belief: Leadership,
    pub(crate) log: Log,
    /// Consumers see what is below this.
    pub(crate) high_watermark: i64,
    producers: Producers,
    /// The producers are those of the log up to here.
    producers_end: i64,
    pub(crate) leading: Leading,
    pub(crate) fetching: Fetching,
    /// Tells the messages of this fetch from those of earlier ones.
    pub(crate) attempt: u64,
    pub(crate) flushed: Flushed,
    /// The connections whose fetch waits for this replica, too.
    pub(crate) readers: BTreeSet<ConnectionId>,
    /// The last stable offset that those of committed records were told of.
    pub(crate) told_stable: i64,
}

impl Replica {
    fn new(broker: i32) -> Self {
        Self {
            broker,
            belief: Leadership::unheard(),
            log: Log::default(),
            high_watermark: 0,
            producers: Producers::default(),
            producers_end: 0,
            leading: Leading::default(),
            fetching: Fetching::Stalled,
            attempt: 0,
            flushed: Flushed::default(),
            readers: BTreeSet::new(),
            told_stable: 0,
        }
    }

    /// Whether the broker believes to lead.
    pub(crate) const fn leads(&self) -> bool {
        self.belief.leader == self.broker
    }

    /// The producers that wrote to the log, as it is now.
    pub(crate) fn producers(&mut self, store: &Store, now: Instant) -> &mut Producers {
        self.producers.set_now(now);
        if self.producers_end < self.log.end_offset() {
            for (entry, bytes) in self.log.batches_from(store, self.producers_end) {
                if let Some(Ok(batch)) = Batches::new(&bytes).next() {
                    look_at(&mut self.producers, &batch, entry.base_offset..=entry.last_offset);
                }
            }
            self.producers_end = self.log.end_offset();
        }
        &mut self.producers
    }

    /// What is known of the producers that wrote to the log, as far as it has been looked at.
    pub(crate) const fn known_producers(&self) -> &Producers {
        &self.producers
    }

    /// Readers of committed records see what is below this: everything that is committed, up to where the first
    /// transaction begins that has not ended.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.last_stable_offset(self.high_watermark).max(self.log.start_offset())
    }

    /// Remembers a batch that was appended to a log whose producers were current.
    pub(crate) fn remember(&mut self, sequenced: &Sequenced, written: Written) {
        self.producers.remember(sequenced, written);
    }

    /// The producers know of everything that was appended.
    pub(crate) const fn producers_are_current(&mut self) {
        self.producers_end = self.log.end_offset();
    }

    /// Flushes the log if a flush was due since the last append; `flushes` have been due so far.
    pub(crate) fn flush(&mut self, flushes: Option<u64>) {
        if flushes.is_none_or(|flushes| flushes > self.flushed.interval) {
            self.flushed.offset = self.log.end_offset();
            self.flushed.interval = flushes.unwrap_or(0);
        }
    }

    /// Forgets what a broker has in memory only.
    pub(crate) fn forget_everything(&mut self) {
        self.belief = Leadership::unheard();
        self.leading = Leading::default();
        self.fetching = Fetching::Stalled;
        self.attempt += 1;
    }

    /// Drops what lies before `start`. The producers of what is dropped stay known.
    pub(crate) fn drop_below(&mut self, store: &Store, start: i64, now: Instant) {
        if start > self.log.start_offset() {
            self.producers(store, now);
            self.log.advance_start(start);
        }
    }

    /// Cuts the log off. What is left of the producers is read from the log again, as a broker does.
    pub(crate) fn truncate(&mut self, offset: i64) {
        self.log.truncate(offset);
        let end = self.log.end_offset();
        self.high_watermark = self.high_watermark.min(end);
        self.flushed.offset = self.flushed.offset.min(end);
        if self.producers_end > end {
            self.producers = Producers::default();
            self.producers_end = self.log.start_offset();
        }
    }

    /// Drops what the leader no longer has, which is all that there is.
    pub(crate) fn restart_at(&mut self, offset: i64) {
        self.log.restart_at(offset);
        self.high_watermark = offset;
        self.flushed.offset = offset;
        self.producers_end = offset;
    }
}

/// Remembers what a batch at these offsets says of its producer.
fn look_at(producers: &mut Producers, batch: &Batch<'_>, offsets: RangeInclusive<i64>) {
    if batch.producer_id() == NO_PRODUCER_ID {
        return;
    }
    if batch.is_control() {
        if let Some(marker) = marker_of(batch) {
            producers.end(&marker, *offsets.start(), batch.max_timestamp());
        }
        return;
    }
    let is_append_time = batch.timestamp_type() == TimestampType::LogAppendTime;
    let sequenced = Sequenced {
        producer_id: batch.producer_id(),
        producer_epoch: batch.producer_epoch(),
        base_sequence: batch.base_sequence(),
        offsets: offsets.end() - offsets.start() + 1,
        is_transactional: batch.is_transactional(),
        max_timestamp: batch.max_timestamp(),
    };
    let written = Written {
        base_offset: *offsets.start(),
        log_append_time_ms: if is_append_time { batch.max_timestamp() } else { -1 },
    };
    producers.remember(&sequenced, written);
}

/// What a control batch says of a transaction.
fn marker_of(batch: &Batch<'_>) -> Option<Marker> {
    let (commit, end) = match batch.control_record(&ReadOptions::default()).ok()?? {
        ControlRecord::Commit(end) => (true, end),
        ControlRecord::Abort(end) => (false, end),
        ControlRecord::Other { .. } => return None,
    };
    Some(Marker {
        producer_id: batch.producer_id(),
        producer_epoch: batch.producer_epoch(),
        commit,
        coordinator_epoch: end.coordinator_epoch,
        is_bumped: false,
    })
}

impl Partition {
    /// A partition on these brokers, none of which has heard of it.
    pub(crate) fn new(replicas: &[i32]) -> Self {
        Self {
            store: Store::default(),
            replicas: replicas.iter().copied().map(Replica::new).collect(),
            history: History::default(),
        }
    }

    pub(crate) fn slot(&self, broker: i32) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.broker == broker)
    }

    pub(crate) fn replica(&self, broker: i32) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.broker == broker)
    }

    pub(crate) fn replica_mut(&mut self, broker: i32) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.broker == broker)
    }

    /// The replica that took over last, or before anybody did the first one: what is true of the partition.
    pub(crate) fn authority(&self) -> Option<&Replica> {
        self.history.leader.and_then(|broker| self.replica(broker)).or_else(|| self.replicas.first())
    }

    /// Has all replicas forget all producers, and names those.
    pub(crate) fn forget_producers(&mut self, now: Instant) -> BTreeSet<i64> {
        let Self { store, replicas, .. } = self;
        replicas.iter_mut().flat_map(|replica| replica.producers(store, now).clear()).collect()
    }

    /// Drops the bytes that no replica has.
    pub(crate) fn free(&mut self) {
        let Self { store, replicas, .. } = self;
        if let Some(oldest) = replicas.iter().filter_map(|replica| replica.log.first_position()).min() {
            store.forget_below(oldest);
        }
    }
}
