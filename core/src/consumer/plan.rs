//! What to ask a broker next.
//!
//! One fetch at a time is under way to a broker. It asks for every partition of which not too much is unread, so an
//! unread partition holds back no other; and because a long poll would hold that partition back once it is read,
//! the poll is only as long as the partition has been unread already.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use klamm_protocol::messages::{AnyRequest, fetch::FetchRequest};

use super::{
    Asked, Consumer, ConsumerOutput, UnderWay,
    partition::{Partition, Readiness},
    session::{From, Wanted},
};
use crate::{BrokerId, Instant, PartitionIndex, Purpose, Request, Target, Token, earliest};

/// The shortest long poll.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The partitions of one broker by what is to be asked about them.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) find: Vec<PartitionIndex>,
    pub(super) validate: Vec<PartitionIndex>,
    fetch: Vec<PartitionIndex>,
    /// How long a fetch may wait for data.
    max_wait: Duration,
    /// When a partition that failed may be tried again.
    wake_at: Option<Instant>,
}

impl Round {
    /// Sorts a partition in.
    fn sort_in(&mut self, now: Instant, index: PartitionIndex, partition: &mut Partition, tight: bool) {
        match partition.readiness(now, tight) {
            Readiness::Ready => self.fetch.push(index),
            Readiness::Idle => {}
            Readiness::Blocked => {
                let since = *partition.intake.blocked_since.get_or_insert(now);
                self.shorten(now.since(since));
            }
            Readiness::Waiting(at) => {
                self.wake_at = earliest(self.wake_at, Some(at));
                self.shorten(at.since(now));
            }
        }
        // A paused partition finds its position nevertheless.
        if partition.asking.is_none() && partition.failures.retry_at.is_none_or(|at| at <= now) {
            if partition.position.to_find().is_some() {
                self.find.push(index);
            } else if partition.position.to_validate().is_some() {
                self.validate.push(index);
            }
        }
    }

    fn shorten(&mut self, wait: Duration) {
        self.max_wait = self.max_wait.min(wait.max(SHORTEST_WAIT));
    }
}

impl Consumer {
    /// Asks a broker what there is to ask.
    pub(super) fn plan(&mut self, now: Instant, broker: BrokerId) {
        let tight = self.budget.is_tight();
        probe!(MemoryTight, tight);
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.wake_at = node.retry_at.filter(|at| *at > now && !self.closed);
        if node.wake_at.is_some() || self.closed {
            return self.leave_queue(broker);
        }
        let mut round = Round {
            find: Vec::new(),
            validate: Vec::new(),
            fetch: Vec::new(),
            max_wait: milliseconds(self.config.fetch_max_wait_ms),
            wake_at: None,
        };
        for index in &node.members {
            if let Some(partition) = self.partitions.get_mut(index) {
                round.sort_in(now, *index, partition, tight);
            }
        }
        node.wake_at = round.wake_at;
        self.ask_offsets(broker, &round);
        self.ask_fetch(broker, round);
    }

    fn ask_fetch(&mut self, broker: BrokerId, mut round: Round) {
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        if round.fetch.is_empty() || node.fetching.is_some() {
            return self.leave_queue(broker);
        }
        let wanted_bytes = round
            .fetch
            .iter()
            .filter_map(|index| self.partitions.get(index))
            .map(|partition| bytes(partition.intake.max_bytes))
            .fold(0, usize::saturating_add)
            .min(bytes(self.config.fetch_max_bytes));
        let least = bytes(self.config.max_partition_fetch_bytes);
        let Some(granted) = self.budget.request(broker, wanted_bytes, least) else { return };
        node.turn = node.turn.wrapping_add(1);
        let turn = node.turn % round.fetch.len();
        round.fetch.rotate_left(turn);
        if node.unlimited {
            round.fetch.truncate((granted / bytes(self.config.max_partition_fetch_bytes).max(1)).max(1));
        }
        self.send_fetch(broker, &round, granted);
        self.feed();
    }

    /// The broker needs no bytes now; who waits behind it may have them.
    fn leave_queue(&mut self, broker: BrokerId) {
        if self.budget.next_waiting() == Some(broker) {
            self.budget.leave(broker);
            self.feed();
        } else {
            self.budget.leave(broker);
        }
    }

    fn send_fetch(&mut self, broker: BrokerId, round: &Round, granted: usize) {
        let number = self.next_number();
        let mut wanted = Vec::with_capacity(round.fetch.len());
        for index in &round.fetch {
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            wanted.extend(wanted_of(*index, partition));
            partition.asking = Some(number);
            partition.intake.blocked_since = None;
        }
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.fetching = Some(number);
        let mut request = FetchRequest {
            max_wait_ms: i32::try_from(round.max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.fetch_min_bytes,
            max_bytes: i32::try_from(granted).unwrap_or(i32::MAX),
            isolation_level: self.config.isolation.code(),
            ..FetchRequest::default()
        };
        let max_version = node.session.build(&wanted, &mut request);
        let timeout = round.max_wait + Duration::from_millis(self.config.request_timeout_ms.into());
        let under_way = UnderWay { broker, kind: Asked::Fetch { granted }, partitions: round.fetch.clone() };
        self.send(number, under_way, request.into(), max_version, timeout);
    }

    /// Tells a broker to forget its session.
    pub(super) fn send_close(&mut self, broker: BrokerId) {
        probe!(SessionClosed);
        let number = self.next_number();
        let Some(node) = self.nodes.get(&broker) else { return };
        let mut request = FetchRequest { max_bytes: self.config.fetch_max_bytes, ..FetchRequest::default() };
        let max_version = node.session.build_close(&mut request);
        let under_way = UnderWay { broker, kind: Asked::Close, partitions: Vec::new() };
        let timeout = Duration::from_millis(self.config.request_timeout_ms.into());
        self.send(number, under_way, request.into(), max_version, timeout);
    }

    pub(super) fn send(
        &mut self,
        number: u64,
        under_way: UnderWay,
        request: AnyRequest,
        max_version: i16,
        timeout: Duration,
    ) {
        let purpose = match under_way.kind {
            Asked::Fetch { .. } | Asked::Close => Purpose::Fetch,
            Asked::ListOffsets | Asked::EpochEnds => Purpose::General,
        };
        let request = Request {
            to: Target::Broker(under_way.broker),
            purpose,
            token: Token::Consumer(self.id, number),
            request: request.into(),
            max_version,
            timeout,
            no_response: false,
        };
        self.outputs.push_back(ConsumerOutput::Request(Box::new(request)));
        self.requests.insert(number, under_way);
    }
}

fn wanted_of(index: PartitionIndex, partition: &Partition) -> Option<Wanted> {
    let leader = partition.leader?;
    Some(Wanted {
        index,
        topic: partition.topic.clone(),
        topic_id: leader.topic_id,
        partition: partition.number,
        from: From {
            offset: partition.position.to_fetch()?.offset,
            leader_epoch: leader.epoch.max(-1),
            max_bytes: partition.intake.max_bytes,
        },
    })
}

fn bytes(count: i32) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn milliseconds(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
