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
mod fetched;
mod headers;
mod lookup;
mod node;
mod offsets;
mod output;
mod partition;
mod plan;
mod position;
mod query;
mod questions;
mod reader;
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
    commands::NotAssigned,
    config::{ConsumerConfig, InvalidConfig, Isolation, OffsetReset, StartAt},
    lookup::{ListedOffset, LookupError, LookupOutput, OffsetLookup, OffsetQuery, OffsetResult, OffsetSpec},
    output::{
        Assignment, ConsumerEvent, ConsumerOutput, LeaderHint, PartitionError, PartitionErrorKind,
        PartitionLeader, ResetReason,
    },
    position::PositionState,
    reader::{BatchReader, ChunkReader, OwnedBatch, OwnedHeader, OwnedRecord},
};
use crate::{
    Backoff, BrokerId, ConsumerId, Entropy, Instant, PartitionIndex, cluster::Cluster,
    connection::RequestError, earliest,
};

/// Consumes the partitions that it is assigned.
#[derive(Clone, Debug)]
pub struct Consumer {
    id: ConsumerId,
    config: ConsumerConfig,
    entropy: Entropy,
    partitions: BTreeMap<PartitionIndex, Partition>,
    nodes: BTreeMap<BrokerId, Node>,
    requests: BTreeMap<u64, UnderWay>,
    budget: Budget,
    /// Brokers for which there may be something to ask.
    dirty: BTreeSet<BrokerId>,
    outputs: VecDeque<ConsumerOutput>,
    topics: Topics,
    /// The last assignment epoch and the last request number that were given out.
    last: u64,
    closed: bool,
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
            entropy,
            partitions: BTreeMap::new(),
            nodes: BTreeMap::new(),
            requests: BTreeMap::new(),
            budget,
            dirty: BTreeSet::new(),
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
            let broker = self.dirty.pop_first()?;
            self.plan(now, broker);
        }
    }

    /// When [`Consumer::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.nodes.values().fold(None, |first, node| earliest(first, node.wake_at))
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (broker, node) in &mut self.nodes {
            if node.wake_at.is_some_and(|at| at <= now) {
                node.wake_at = None;
                self.dirty.insert(*broker);
            }
        }
    }

    /// A request is answered, in this version. `number` is that of its token; an unknown one is ignored.
    pub fn handle_response(&mut self, now: Instant, number: u64, version: i16, response: &AnyResponse) {
        let Some(request) = self.requests.remove(&number) else { return };
        self.dirty.insert(request.broker);
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
            _ => {
                self.requests.insert(number, request);
                self.handle_lost(now, number, None);
            }
        }
        self.settle();
    }

    /// A request will not be answered: its connection ended, or it could not be sent. `number` is that of its
    /// token; an unknown one is ignored.
    pub fn handle_lost(&mut self, now: Instant, number: u64, error: Option<&RequestError>) {
        let Some(request) = self.requests.remove(&number) else { return };
        let unsupported =
            matches!(error, Some(RequestError::Unsupported { .. } | RequestError::NotExpressible { .. }));
        self.dirty.insert(request.broker);
        match request.kind {
            Asked::Fetch { granted } => {
                self.give_back(granted);
                self.fetch_failed(now, request.broker);
            }
            Asked::EpochEnds if unsupported => self.skip_validation(number, &request),
            Asked::ListOffsets if self.without_isolation(request.broker, error) => {
                probe!(IsolationNotKnown);
                self.turn_away(number, &request)
            }
            Asked::ListOffsets | Asked::EpochEnds | Asked::Close => {}
        }
        for index in request.partitions {
            let Some(partition) = self.asked(number, index) else { continue };
            partition.asking = None;
            if planted!(RereadAfterLoss) {
                partition.position.rewind();
            }
            if unsupported {
                self.fail(now, index, ErrorCode::UNSUPPORTED_VERSION);
            } else if !matches!(request.kind, Asked::Fetch { .. }) {
                self.retry_later(now, index);
            }
        }
        self.settle();
    }

    /// Whether a broker refused a ListOffsets only because it does not know what isolation is. Then it has no
    /// transactions either, and is not asked for isolation again.
    fn without_isolation(&mut self, broker: BrokerId, error: Option<&RequestError>) -> bool {
        let inexpressible = matches!(error, Some(RequestError::NotExpressible { .. }));
        let node = self.nodes.get_mut(&broker).filter(|node| inexpressible && !node.without_isolation);
        node.map(|node| node.without_isolation = true).is_some()
    }

    /// The partition, if it still waits for this request.
    fn asked(&mut self, number: u64, index: PartitionIndex) -> Option<&mut Partition> {
        self.partitions.get_mut(&index).filter(|partition| partition.asking == Some(number))
    }

    fn event(&mut self, index: PartitionIndex, event: ConsumerEvent) {
        if let Some(partition) = self.partitions.get(&index) {
            self.outputs.push_back(ConsumerOutput::Event { epoch: partition.epoch, event });
        }
    }

    /// The delay before the next attempt after `failures` failures in a row.
    fn backoff(&mut self, failures: u32) -> Duration {
        let initial = Duration::from_millis(self.config.retry_backoff_ms.into());
        let max = Duration::from_millis(self.config.retry_backoff_max_ms.into());
        Backoff { initial, max }.delay(failures, &mut self.entropy)
    }

    /// Forgets brokers of which nothing is left.
    fn settle(&mut self) {
        let requests = &self.requests;
        let budget = &mut self.budget;
        self.nodes.retain(|broker, node| {
            let stays =
                !node.members.is_empty() || requests.values().any(|request| request.broker == *broker);
            if !stays {
                budget.leave(*broker);
            }
            stays
        });
        self.feed();
    }
}

/// Who leads a partition.
fn leader_of(cluster: &Cluster, index: PartitionIndex) -> Option<PartitionLeader> {
    let leader = cluster.leader(index)?;
    let (topic, _) = cluster.partitions().name(index)?;
    let topic_id = cluster.topic(topic)?.id;
    Some(PartitionLeader { broker: leader.broker, epoch: leader.epoch, topic_id })
}
