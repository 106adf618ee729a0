//! Transactions (KIP-98): their coordinators, of both versions (KIP-890).
//!
//! A transactional id belongs to one of the 50 partitions of `__transaction_state`, and the broker that leads the partition
//! is its coordinator. Here the partitions have leaders but no log, and no topic of that name is listed: what a real
//! coordinator writes down is what the next one knows, which is everything that was ever answered.
//!
//! Ending a transaction takes two steps. First the end is decided, which is answered at once. Then the coordinator has a
//! marker written by the leader of each partition, after [`TransactionConfig::marker_delay`](super::TransactionConfig::marker_delay),
//! waits until all replicas in sync have it, and tries again until it could. A partition's last stable offset moves on once
//! its marker is committed; offsets of groups count once their coordinator has its marker; and another transaction can begin
//! when all markers are written. Until then `CONCURRENT_TRANSACTIONS` is answered.
//!
//! | module | what |
//! |---|---|
//! | `state` | what a coordinator knows of a transactional id, and how it changes |
//! | `ids` | producer ids |
//! | `init` | handing out producer ids and epochs |
//! | `adding` | partitions that become part of a transaction, and whether one is |
//! | `ending` | the decision how a transaction ends |
//! | `markers` | having it written |
//! | `moving` | coordinators that change, and load |
//! | `timers` | transactions that take too long, and ids that nobody uses |

mod adding;
mod ending;
mod ids;
mod init;
mod markers;
mod moving;
mod state;
mod timers;

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::{Entropy, Instant, WallTime};
use klamm_protocol::{ErrorCode, Str};

use super::config::TransactionConfig;
use super::groups::Coordinators;
use super::{Cluster, Origin};
use crate::observe::ClusterEvent;
use markers::Outbox;

pub(crate) use adding::Adding;
pub(crate) use ending::Ending;
pub(crate) use ids::ProducerIds;
pub(crate) use init::Init;
pub(crate) use state::{Identity, State, Txn};

/// The topic whose partitions stand for the offsets of groups.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// A partition of a topic that is part of a transaction.
pub(crate) type Place = (Str, i32);

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
    pub(crate) wall: WallTime,
}

/// All transactional ids of the cluster.
#[derive(Debug)]
pub(crate) struct Transactions {
    config: TransactionConfig,
    coordinators: Coordinators,
    by_id: BTreeMap<Str, Txn>,
    outbox: Outbox,
    /// When somebody looks whether a transaction takes too long.
    deadlines: BTreeSet<(Instant, Str)>,
    /// Partitions of ids that their coordinator still reads, and until when.
    loading: BTreeMap<i32, Instant>,
    /// What there is to tell observers.
    news: Vec<ClusterEvent>,
}

impl Transactions {
    /// No transactions; `brokers` are all brokers of the cluster, alive.
    pub(crate) fn new(config: TransactionConfig, brokers: i32, delays: Entropy) -> Self {
        Self {
            outbox: Outbox::new(&config, delays),
            config,
            // Another broker than for groups of the same name.
            coordinators: Coordinators::new(brokers, 1),
            by_id: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            loading: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// The broker that coordinates a transactional id, if there is one now.
    pub(crate) fn coordinator(&self, id: &str) -> Option<i32> {
        self.coordinators.of(id)
    }

    /// Whether the broker that was asked coordinates the transactional id.
    pub(crate) fn check_coordinator(&self, now: Instant, broker: i32, id: &str) -> Result<(), ErrorCode> {
        let (partition, leader) = self.coordinators.partition_of(id);
        if leader != Some(broker) {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let is_loading = self.loading.get(&partition).is_some_and(|end| *end > now);
        if is_loading { Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) } else { Ok(()) }
    }

    /// What is known of a transactional id that has not expired.
    pub(crate) fn get(&self, now: Instant, id: &str) -> Option<&Txn> {
        self.by_id.get(id).filter(|txn| !txn.is_expired(now, self.config.id_expiration))
    }

    /// Those that a broker coordinates, in the order of their ids.
    pub(crate) fn led_by(&self, now: Instant, broker: i32) -> impl Iterator<Item = &Txn> {
        let is_led = move |txn: &&Txn| self.coordinator(&txn.id) == Some(broker);
        self.by_id.values().filter(is_led).filter(move |txn| !txn.is_expired(now, self.config.id_expiration))
    }

    fn known(&mut self, now: Instant, id: &str) -> Option<&mut Txn> {
        let expiration = self.config.id_expiration;
        if self.by_id.get(id).is_some_and(|txn| txn.is_expired(now, expiration)) {
            self.by_id.remove(id);
        }
        self.by_id.get_mut(id)
    }

    /// What observers are told of a transactional id.
    fn tell(&mut self, id: &str) {
        let Some(txn) = self.by_id.get(id) else { return };
        self.news.push(ClusterEvent::Transaction {
            id: txn.id.clone(),
            producer_id: txn.producer.id,
            epoch: txn.producer.epoch,
            phase: txn.state.phase(),
        });
    }
}

impl Cluster {
    /// Tells observers what has happened to transactions.
    pub(super) fn tell_transaction_news(&mut self) {
        let ids = std::mem::take(&mut self.producer_ids.news);
        for event in ids.into_iter().chain(std::mem::take(&mut self.transactions.news)) {
            self.events.tell(|| event);
        }
    }

    pub(crate) const fn clock(&self, now: Instant) -> Clock {
        Clock { now, wall: self.wall_time }
    }

    /// Whether the broker that was asked coordinates a transactional id; every request that names one asks this first.
    pub(crate) fn check_transaction_coordinator(&self, origin: &Origin, id: &str) -> Result<(), ErrorCode> {
        self.transactions.check_coordinator(origin.now, origin.broker, id)
    }
}
