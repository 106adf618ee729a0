//! Consuming by assignment: what to fetch from where.
//!
//! [`Consumer`] is the control plane: it keeps the position of each assigned partition ([`PositionState`]), a fetch
//! session with each broker (KIP-227), and one byte budget. It reads the headers of the batches that it fetched,
//! never their records. What it fetched it hands out as [`Chunk`]s, which [`ChunkReader`] reads on the reader's
//! side.
//!
//! A chunk is stamped with the assignment epoch of its partition. To hand it out is to call [`Consumer::take`],
//! which refuses what was sought, paused or unassigned meanwhile.
//!
//! ```text
//!  assign, seek, pause ──> ┌──────────┐ ──> Request (Fetch, ListOffsets, OffsetForLeaderEpoch)
//!  leaders ──────────────> │ Consumer │ ──> Deliver(Chunk) ──> a queue ──> take ──> ChunkReader ──> records
//!  responses ────────────> └──────────┘ ──> Event                             │
//!        ^ handle_consumed (gives the bytes back) ────────────────────────────┘
//! ```

mod budget;
mod chunk;
mod commands;
mod config;
mod errors;
mod explain;
mod fetched;
mod headers;
mod metrics;
mod node;
mod offsets;
mod output;
mod partition;
mod place;
mod plan;
mod position;
mod query;
mod questions;
mod reader;
mod replica;
mod roster;
mod session;
#[cfg(test)]
mod tests;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use klamm_protocol::{ErrorCode, Str, messages::AnyResponse};

use self::{budget::Budget, node::Node, partition::Partition};
pub use self::{
    chunk::{Aborted, AssignmentEpoch, Chunk, Ticket},
    commands::{NotAssigned, SeekError},
    config::{ConsumerConfig, InvalidConfig, Isolation, OffsetReset, StartAt},
    explain::Explanation,
    output::{
        Assignment, ConsumerEvent, ConsumerOutput, LeaderHint, PartitionError, PartitionErrorKind,
        PartitionLeader, ResetReason,
    },
    position::PositionState,
    reader::{BatchReader, ChunkReader, OwnedBatch, OwnedBatchIter, OwnedHeader, OwnedRecord},
};
use crate::{
    Backoff, BrokerId, ConsumerId, Entropy, Instant, PartitionIndex, WallTime, cluster::Cluster,
    connection::RequestError, earliest, metrics::ConsumerCounts, timers::Deadlines,
};

/// Consumes the partitions that it is assigned.
#[derive(Clone, Debug)]
pub struct Consumer {
    id: ConsumerId,
    config: ConsumerConfig,
    outside: Outside,
    partitions: BTreeMap<PartitionIndex, Partition>,
    nodes: BTreeMap<BrokerId, Node>,
    requests: BTreeMap<u64, UnderWay>,
    budget: Budget,
    agenda: Agenda,
    outputs: VecDeque<ConsumerOutput>,
    topics: Topics,
    /// The last assignment epoch and the last request number that were given out.
    last: u64,
    closed: bool,
}

/// What comes from outside without being asked for, and how much has come.
#[derive(Clone, Debug)]
struct Outside {
    entropy: Entropy,
    counts: ConsumerCounts,
    /// The wall time at an instant.
    wall_time: (Instant, WallTime),
}

impl Outside {
    fn wall_time(&self, now: Instant) -> WallTime {
        let (at, WallTime(millis)) = self.wall_time;
        let since = i64::try_from(now.since(at).as_millis()).unwrap_or(i64::MAX);
        WallTime(millis.saturating_add(since))
    }
}

/// What is to be looked at before the consumer can rest.
#[derive(Clone, Debug, Default)]
struct Agenda {
    /// Partitions that changed.
    partitions: BTreeSet<PartitionIndex>,
    /// Brokers for which there may be something to ask.
    brokers: BTreeSet<BrokerId>,
    /// When the leader of a partition that is read from a replica is asked again whether that is the closest.
    replicas: Deadlines<PartitionIndex>,
}

/// The topics of the assigned partitions.
#[derive(Clone, Debug, Default)]
struct Topics {
    /// How many partitions of each are assigned.
    assigned: BTreeMap<Str, usize>,
    /// Those whose metadata are out of date.
    refresh: BTreeSet<Str>,
}

/// A request that was sent.
#[derive(Clone, Debug)]
struct UnderWay {
    broker: BrokerId,
    kind: Asked,
    /// The partitions that it is about. Each may have turned away from it since.
    partitions: Vec<PartitionIndex>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// With so many bytes of the budget.
    Fetch {
        granted: usize,
    },
    ListOffsets,
    EpochEnds,
    /// The close of a session: nobody waits for the answer.
    Close,
}

impl Consumer {
    /// A consumer with nothing assigned. Its requests carry `Token::Consumer(id, number)`.
    #[must_use]
    pub fn new(id: ConsumerId, config: ConsumerConfig, entropy: Entropy) -> Self {
        let budget = Budget::new(config.buffer_bytes);
        Self {
            id,
            config,
            outside: Outside {
                entropy,
                counts: ConsumerCounts::default(),
                wall_time: (Instant::ZERO, WallTime::default()),
            },
            partitions: BTreeMap::new(),
            nodes: BTreeMap::new(),
            requests: BTreeMap::new(),
            budget,
            agenda: Agenda::default(),
            outputs: VecDeque::new(),
            topics: Topics::default(),
            last: 0,
            closed: false,
        }
    }

    /// The next output; `None` when there is none until something is put in.
    pub fn poll(&mut self, now: Instant) -> Option<ConsumerOutput> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if let Some(topic) = self.topics.refresh.pop_first() {
                return Some(ConsumerOutput::RefreshTopic(topic));
            }
            self.place_touched(now);
            let broker = self.agenda.brokers.pop_first()?;
            self.plan(now, broker);
        }
    }

    /// When [`Consumer::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let wake_at = self.nodes.values().fold(None, |first, node| earliest(first, node.wake_at));
        earliest(wake_at, self.agenda.replicas.next())
    }

    /// What time it is on the wall now, for places that are given by age. From then on that is reckoned; it is to be
    /// told again now and then, as wall clocks are set.
    pub const fn handle_wall_time(&mut self, now: Instant, wall_time: WallTime) {
        self.outside.wall_time = (now, wall_time);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_replicas(now);
        for (broker, node) in &mut self.nodes {
            if node.wake_at.is_some_and(|at| at <= now) {
                node.wake_at = None;
                self.agenda.brokers.insert(*broker);
            }
        }
    }

    /// A request is answered, in this version. `number` is that of its token; an unknown one is ignored.
    pub fn handle_response(&mut self, now: Instant, number: u64, version: i16, response: &AnyResponse) {
        let Some(request) = self.answered_request(number) else { return };
        match (request.kind, response) {
            (Asked::Fetch { granted }, AnyResponse::Fetch(response)) => {
                self.give_back(granted);
                self.handle_fetched(now, number, &request, version, response);
            }
            (Asked::ListOffsets, AnyResponse::ListOffsets(response)) => {
                self.handle_listed(now, number, &request, version, response);
            }
            (Asked::EpochEnds, AnyResponse::OffsetForLeaderEpoch(response)) => {
                self.handle_ended(now, number, &request, version, response);
            }
            (Asked::Close, _) => {}
            _ => self.lost(now, number, &request, None),
        }
        self.settle(request.broker);
    }

    /// A request is under way no longer.
    fn answered_request(&mut self, number: u64) -> Option<UnderWay> {
        let request = self.requests.remove(&number)?;
        self.agenda.brokers.insert(request.broker);
        if let Some(node) = self.nodes.get_mut(&request.broker) {
            node.under_way -= 1;
        }
        Some(request)
    }

    /// A request will not be answered: its connection ended, or it could not be sent. `number` is that of its
    /// token; an unknown one is ignored.
    pub fn handle_lost(&mut self, now: Instant, number: u64, error: Option<&RequestError>) {
        let Some(request) = self.answered_request(number) else { return };
        self.lost(now, number, &request, error);
        self.settle(request.broker);
    }

    fn lost(&mut self, now: Instant, number: u64, request: &UnderWay, error: Option<&RequestError>) {
        let unsupported =
            matches!(error, Some(RequestError::Unsupported { .. } | RequestError::NotExpressible { .. }));
        if let Asked::Fetch { granted } = request.kind {
            self.give_back(granted);
            self.fetch_failed(now, request.broker);
            for index in &request.partitions {
                let awaits = self.partitions.get(index).is_some_and(|partition| partition.awaits(number));
                if awaits && unsupported {
                    self.fail(now, *index, ErrorCode::UNSUPPORTED_VERSION);
                }
            }
            self.replica_lost(now, request.broker);
            return;
        }
        match request.kind {
            Asked::EpochEnds if unsupported => self.skip_validation(number, request),
            Asked::ListOffsets if self.without_isolation(request.broker, error) => {
                probe!(IsolationNotKnown);
                self.ask_again(number, request);
            }
            _ => {}
        }
        for index in &request.partitions {
            let Some(partition) = self.asked(number, *index) else { continue };
            partition.asking = None;
            if unsupported {
                self.fail(now, *index, ErrorCode::UNSUPPORTED_VERSION);
            } else {
                self.retry_later(now, *index);
            }
        }
    }

    /// The partitions of a request may be asked about at once.
    fn ask_again(&mut self, number: u64, request: &UnderWay) {
        for index in &request.partitions {
            if let Some(partition) = self.asked(number, *index) {
                partition.asking = None;
                self.touch(*index);
            }
        }
    }

    /// Whether a broker refused a ListOffsets only because it does not know what isolation is. Then it has no
    /// transactions either, and is not asked for isolation again.
    fn without_isolation(&mut self, broker: BrokerId, error: Option<&RequestError>) -> bool {
        let inexpressible = matches!(error, Some(RequestError::NotExpressible { .. }));
        let node = self.nodes.get_mut(&broker).filter(|node| inexpressible && !node.without_isolation);
        node.map(|node| node.without_isolation = true).is_some()
    }

    /// The partition, if it still waits for this question's answer.
    fn asked(&mut self, number: u64, index: PartitionIndex) -> Option<&mut Partition> {
        self.partitions.get_mut(&index).filter(|partition| partition.asking == Some(number))
    }

    fn event(&mut self, index: PartitionIndex, event: ConsumerEvent) {
        if let Some(partition) = self.partitions.get(&index) {
            self.outside.counts.told(&event);
            self.outputs.push_back(ConsumerOutput::Event { epoch: partition.epoch, event });
        }
    }

    /// The delay before the next attempt after `failures` failures in a row.
    fn backoff(&mut self, failures: u32) -> Duration {
        let initial = Duration::from_millis(self.config.retry_backoff_ms.into());
        let max = Duration::from_millis(self.config.retry_backoff_max_ms.into());
        Backoff { initial, max }.delay(failures, &mut self.outside.entropy)
    }
}

/// Who leads a partition.
fn leader_of(cluster: &Cluster, index: PartitionIndex) -> Option<PartitionLeader> {
    let leader = cluster.leader(index)?;
    let (topic, _) = cluster.partitions().name(index)?;
    let topic_id = cluster.topic(topic)?.id;
    Some(PartitionLeader { broker: leader.broker, epoch: leader.epoch, topic_id })
}
