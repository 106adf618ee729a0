//! Which offset is where: the ends of partitions, and offsets by timestamp (ListOffsets, key 2).
//!
//! [`OffsetLookup`] is one operation: it asks the leaders of all partitions of its list, one request a leader at a
//! time, again where that helps, until all have answered or its deadline has passed.

#[cfg(test)]
mod tests;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{fmt, time::Duration};

use klamm_protocol::{ErrorCode, Str, messages::AnyResponse};

use super::{
    Isolation, PartitionLeader,
    errors::remedy,
    offsets::{self, Listed, Question},
};
use crate::{
    Backoff, BrokerId, Entropy, Instant, OperationId, PartitionIndex, Purpose, Request, Target, Token,
    cluster::Cluster, connection::RequestError, earliest,
};

/// A place in a partition that only its leader can turn into an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record that the log still has.
    Earliest,
    /// The end: the high watermark, or with [`Isolation::ReadCommitted`] the last stable offset.
    Latest,
    /// The first record whose timestamp (milliseconds since 1970) is not before this one.
    Timestamp(i64),
    /// The record with the highest timestamp (KIP-734, Kafka 3.0).
    MaxTimestamp,
    /// The first record on the broker's own disk (KIP-405, Kafka 3.4).
    EarliestLocal,
    /// The last record in tiered storage (KIP-1005, Kafka 3.9).
    LatestTiered,
}

impl OffsetSpec {
    const fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::Timestamp(timestamp) => timestamp,
        }
    }

    /// The first version of ListOffsets that knows it.
    const fn min_version(self) -> i16 {
        match self {
            Self::Latest | Self::Earliest | Self::Timestamp(_) => 0,
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
        }
    }
}

/// What to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetQuery {
    /// The client's index of (topic, partition).
    pub index: PartitionIndex,
    /// The topic's name.
    pub topic: Str,
    /// The partition's number within the topic.
    pub partition: i32,
    /// The place.
    pub spec: OffsetSpec,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; `None` if the partition has no such place, for instance no record after a timestamp.
    pub offset: Option<i64>,
    /// The timestamp of the record there, if the broker says.
    pub timestamp: Option<i64>,
    /// The leader epoch of the record there, if the broker says.
    pub leader_epoch: Option<i32>,
}

/// Why a place was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    /// The broker says so, and trying again would not help.
    Code(ErrorCode),
    /// The broker is too old to know this kind of place.
    Unsupported,
    /// Time is up. The code is the last that a broker answered, if one did.
    TimedOut(Option<ErrorCode>),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Unsupported => f.write_str("the broker is too old to know this kind of offset"),
            Self::TimedOut(Some(code)) => write!(f, "timed out; the last answer was {code}"),
            Self::TimedOut(None) => f.write_str("timed out before the partition's leader answered"),
        }
    }
}

impl core::error::Error for LookupError {}

/// What became of one query, in the order of the queries.
pub type OffsetResult = Result<ListedOffset, LookupError>;

/// An output of [`OffsetLookup`].
#[derive(Clone, Debug, PartialEq)]
pub enum LookupOutput {
    /// Send this. It is answered by one call of [`OffsetLookup::handle_response`] or
    /// [`OffsetLookup::handle_lost`], by the number in its token.
    Request(Box<Request>),
    /// This topic's leaders are wanted until [`LookupOutput::Done`].
    WantTopic(Str),
    /// The metadata of this topic are out of date.
    RefreshTopic(Str),
    /// All is known that will be: one result for each query, in their order. The last output.
    Done(Vec<OffsetResult>),
}

#[derive(Clone, Debug)]
struct Pending {
    query: OffsetQuery,
    leader: Option<PartitionLeader>,
    asking: Option<u64>,
    failures: u32,
    retry_at: Option<Instant>,
    last: Option<ErrorCode>,
    result: Option<OffsetResult>,
}

impl Pending {
    fn set_leader(&mut self, leader: Option<PartitionLeader>) {
        if self.leader != leader {
            self.leader = leader;
            self.asking = None;
            self.retry_at = None;
        }
    }
}

/// Looks up offsets in many partitions.
#[derive(Clone, Debug)]
pub struct OffsetLookup {
    id: OperationId,
    isolation: Isolation,
    request_timeout: Duration,
    deadline: Instant,
    entropy: Entropy,
    queries: Vec<Pending>,
    /// The queries that each request asks about.
    requests: BTreeMap<u64, Vec<usize>>,
    outputs: VecDeque<LookupOutput>,
    last_number: u64,
    /// Leaders whose ListOffsets is older than version 2, which knows no isolation (KIP-98).
    without_isolation: BTreeSet<Option<BrokerId>>,
    done: bool,
}

impl OffsetLookup {
    /// Begins a lookup that ends by `deadline`. Its requests carry `Token::Operation(id, number)`.
    #[must_use]
    pub fn new(
        id: OperationId,
        queries: Vec<OffsetQuery>,
        isolation: Isolation,
        request_timeout: Duration,
        deadline: Instant,
        entropy: Entropy,
    ) -> Self {
        let topics: BTreeSet<Str> = queries.iter().map(|query| query.topic.clone()).collect();
        let queries = queries
            .into_iter()
            .map(|query| Pending {
                query,
                leader: None,
                asking: None,
                failures: 0,
                retry_at: None,
                last: None,
                result: None,
            })
            .collect();
        let outputs = topics.into_iter().map(LookupOutput::WantTopic).collect();
        let requests = BTreeMap::new();
        Self {
            id,
            isolation,
            request_timeout,
            deadline,
            entropy,
            queries,
            requests,
            outputs,
            last_number: 0,
            without_isolation: BTreeSet::new(),
            done: false,
        }
    }

    /// The metadata may have changed.
    pub fn handle_cluster_change(&mut self, cluster: &Cluster) {
        for pending in &mut self.queries {
            pending.set_leader(super::leader_of(cluster, pending.query.index));
        }
    }

    /// The metadata say who leads a partition; `None` if nobody does.
    pub fn handle_leader(&mut self, index: PartitionIndex, leader: Option<PartitionLeader>) {
        for pending in self.queries.iter_mut().filter(|pending| pending.query.index == index) {
            pending.set_leader(leader);
        }
    }

    /// The cluster does not have a topic, or does not let the client see it.
    pub fn handle_topic_failed(&mut self, topic: &str, code: ErrorCode) {
        for pending in self.queries.iter_mut().filter(|pending| pending.query.topic == *topic) {
            pending.result.get_or_insert(Err(LookupError::Code(code)));
        }
    }

    /// A request is answered, in this version. An unknown number is ignored.
    pub fn handle_response(&mut self, now: Instant, number: u64, version: i16, response: &AnyResponse) {
        let Some(places) = self.requests.remove(&number) else { return };
        if let AnyResponse::ListOffsets(response) = response {
            let named = |at: &usize| {
                ((self.queries[*at].query.topic.clone(), self.queries[*at].query.partition), *at)
            };
            let by_name: BTreeMap<(Str, i32), usize> = places.iter().map(named).collect();
            for (topic, partition, answer) in offsets::listed(version, response) {
                if let Some(at) = by_name.get(&(topic.clone(), partition)) {
                    self.answer(now, *at, number, version, answer);
                }
            }
        }
        self.turn_away(now, number, &places);
    }

    /// A request will not be answered: its connection ended, or it could not be sent. An unknown number is ignored.
    pub fn handle_lost(&mut self, now: Instant, number: u64, error: Option<&RequestError>) {
        let Some(places) = self.requests.remove(&number) else { return };
        let leader = places.first().and_then(|at| self.queries[*at].leader).map(|leader| leader.broker);
        if matches!(error, Some(RequestError::NotExpressible { .. })) && self.without_isolation.insert(leader)
        {
            for at in &places {
                let pending = &mut self.queries[*at];
                pending.asking = pending.asking.filter(|asking| *asking != number);
            }
        } else if matches!(
            error,
            Some(RequestError::Unsupported { .. } | RequestError::NotExpressible { .. })
        ) {
            for at in &places {
                let pending = &mut self.queries[*at];
                if pending.asking == Some(number) {
                    pending.result.get_or_insert(Err(LookupError::Unsupported));
                }
            }
        }
        self.turn_away(now, number, &places);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            for pending in &mut self.queries {
                pending.result.get_or_insert(Err(LookupError::TimedOut(pending.last)));
            }
        }
    }

    /// The next output; `None` when there is none until something is put in.
    pub fn poll(&mut self, now: Instant) -> Option<LookupOutput> {
        if self.done {
            return None;
        }
        self.handle_timeout(now);
        if self.outputs.is_empty() {
            self.ask(now);
        }
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.queries.iter().any(|pending| pending.result.is_none()) {
            return None;
        }
        self.done = true;
        self.requests.clear();
        Some(LookupOutput::Done(
            core::mem::take(&mut self.queries).into_iter().filter_map(|each| each.result).collect(),
        ))
    }

    /// When [`OffsetLookup::handle_timeout`] or [`OffsetLookup::poll`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.done {
            return None;
        }
        let open = self.queries.iter().filter(|pending| pending.result.is_none() && pending.leader.is_some());
        let retry_at =
            open.filter(|pending| pending.asking.is_none()).filter_map(|pending| pending.retry_at).min();
        earliest(Some(self.deadline), retry_at)
    }

    /// Asks every leader about what may be asked now. Of one partition, one thing at a time: an answer does not
    /// say which question it answers.
    fn ask(&mut self, now: Instant) {
        let mut by_leader: BTreeMap<BrokerId, (BTreeSet<PartitionIndex>, Vec<usize>)> = BTreeMap::new();
        let busy: BTreeSet<PartitionIndex> = self
            .queries
            .iter()
            .filter(|pending| pending.asking.is_some())
            .map(|each| each.query.index)
            .collect();
        for (at, pending) in self.queries.iter_mut().enumerate() {
            let Some(leader) = pending.leader.filter(|_| pending.result.is_none()) else { continue };
            if pending.retry_at.is_some_and(|at| at > now) {
                continue;
            }
            pending.retry_at = None;
            if busy.contains(&pending.query.index) {
                continue;
            }
            let (partitions, places) = by_leader.entry(leader.broker).or_default();
            if partitions.insert(pending.query.index) {
                places.push(at);
            }
        }
        for (broker, (_, places)) in by_leader {
            self.last_number += 1;
            let number = self.last_number;
            let questions: Vec<Question> = places.iter().map(|at| self.question(number, *at)).collect();
            let wait = i32::try_from(self.request_timeout.as_millis()).unwrap_or(i32::MAX);
            let plain = self.without_isolation.contains(&Some(broker));
            let isolation = if plain { Isolation::ReadUncommitted } else { self.isolation };
            let request = offsets::list_offsets(&questions, isolation, wait);
            let (to, token) = (Target::Broker(broker), Token::Operation(self.id, number));
            let request = Request::new(to, Purpose::General, token, request, self.request_timeout);
            self.outputs.push_back(LookupOutput::Request(Box::new(request)));
            self.requests.insert(number, places);
        }
    }

    fn question(&mut self, number: u64, at: usize) -> Question {
        let pending = &mut self.queries[at];
        pending.asking = Some(number);
        Question {
            topic: pending.query.topic.clone(),
            partition: pending.query.partition,
            leader_epoch: pending.leader.map_or(-1, |leader| leader.epoch.max(-1)),
            about: pending.query.spec.timestamp(),
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        at: usize,
        number: u64,
        version: i16,
        answer: Result<Listed, ErrorCode>,
    ) {
        let pending = &mut self.queries[at];
        if pending.asking != Some(number) || pending.result.is_some() {
            return;
        }
        match answer {
            Ok(_) if version < pending.query.spec.min_version() => {
                pending.result = Some(Err(LookupError::Unsupported));
            }
            Ok(listed) => {
                pending.result = Some(Ok(ListedOffset {
                    offset: (listed.offset >= 0).then_some(listed.offset),
                    timestamp: (listed.timestamp >= 0).then_some(listed.timestamp),
                    leader_epoch: (listed.leader_epoch >= 0).then_some(listed.leader_epoch),
                }));
            }
            Err(code) if code.is_retriable() || remedy(code).refresh => {
                pending.asking = None;
                pending.last = Some(code);
                if remedy(code).refresh {
                    self.outputs.push_back(LookupOutput::RefreshTopic(pending.query.topic.clone()));
                }
                self.retry_later(now, at);
            }
            Err(code) => pending.result = Some(Err(LookupError::Code(code))),
        }
    }

    /// The queries of a request do not wait for it any more.
    fn turn_away(&mut self, now: Instant, number: u64, places: &[usize]) {
        for at in places {
            if self.queries.get(*at).is_some_and(|pending| pending.asking == Some(number)) {
                self.queries[*at].asking = None;
                self.retry_later(now, *at);
            }
        }
    }

    fn retry_later(&mut self, now: Instant, at: usize) {
        let pending = &mut self.queries[at];
        pending.failures = pending.failures.saturating_add(1);
        pending.retry_at = Some(now + Backoff::RETRY.delay(pending.failures, &mut self.entropy));
    }
}
