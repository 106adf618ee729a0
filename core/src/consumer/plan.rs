//! What to ask a broker next.
//!
//! One fetch at a time is under way to a broker. It asks for every partition of which not too much is unread, so an
//! unread partition holds back no other; and because a long poll would hold that partition back once it is read,
//! the poll is only as long as the partition has been unread already.
//!
//! Which partitions those are is kept in the broker's [`Roster`], by [`Consumer::place`] for each partition that
//! changed: a fetch in an open session costs what changed since the last, however many partitions there are.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use klamm_protocol::{
    Str,
    messages::{AnyRequest, fetch::FetchRequest},
};

use super::{
    Asked, Consumer, ConsumerOutput, UnderWay,
    partition::Partition,
    roster::Roster,
    session::{From, Wanted},
};
use crate::{BrokerId, Instant, PartitionIndex, Purpose, Request, Target, Token};

/// The shortest long poll.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

impl Consumer {
    /// Asks a broker what there is to ask.
    pub(super) fn plan(&mut self, now: Instant, broker: BrokerId) {
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.wake_at = node.retry_at.filter(|at| *at > now && !self.closed);
        if node.wake_at.is_some() || self.closed {
            return self.leave_queue(broker);
        }
        let tight = self.budget.is_tight();
        probe!(MemoryTight, tight);
        if tight && self.budget.offer_sparse() {
            self.outputs.push_back(ConsumerOutput::Relieve);
        }
        if node.roster.tight != tight {
            node.roster.tight = tight;
            for index in node.roster.reading.clone() {
                self.place(now, index);
            }
        }
        self.retry_due(now, broker);
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.wake_at = node.roster.first_retry();
        let find = core::mem::take(&mut node.roster.find);
        let validate = core::mem::take(&mut node.roster.validate);
        self.ask_offsets(now, broker, find.into_iter().collect(), validate.into_iter().collect());
        self.ask_fetch(now, broker);
    }

    /// What failed may be tried again now.
    fn retry_due(&mut self, now: Instant, broker: BrokerId) {
        while let Some(index) = self.nodes.get(&broker).and_then(|node| node.roster.due(now)) {
            if let Some(partition) = self.partitions.get_mut(&index) {
                partition.failures.retry_at = None;
            }
            self.place(now, index);
        }
    }

    fn ask_fetch(&mut self, now: Instant, broker: BrokerId) {
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        if node.roster.ready.is_empty() || node.fetching.is_some() {
            return self.leave_queue(broker);
        }
        let wanted_bytes = node.roster.ready_bytes.min(bytes(self.config.fetch_max_bytes));
        let least = bytes(self.config.max_partition_fetch_bytes);
        let Some(granted) = self.budget.request(broker, wanted_bytes, least) else {
            if self.budget.lacks(least) {
                let bytes = self.config.buffer_bytes / 4;
                self.outputs.push_back(ConsumerOutput::MakeRoom { bytes });
            }
            return;
        };
        self.send_fetch(now, broker, granted);
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

    fn send_fetch(&mut self, now: Instant, broker: BrokerId, granted: usize) {
        let number = self.next_number();
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.fetching = Some(now);
        let have_ids = node.roster.ready_without_id == 0;
        let changed = core::mem::take(&mut node.roster.changed);
        let (indices, unwanted) = if node.session.prepare(have_ids) {
            self.outside.counts.full_fetches += 1;
            let mut all: Vec<PartitionIndex> = node.roster.ready.iter().copied().collect();
            node.turn = node.turn.wrapping_add(1);
            let turn = node.turn % all.len().max(1);
            all.rotate_left(turn);
            if node.unlimited {
                let mut room = Some(granted);
                let fits = |index: &&PartitionIndex| {
                    let wants =
                        self.partitions.get(index).map_or(0, |partition| bytes(partition.intake.max_bytes));
                    room = room.and_then(|room| room.checked_sub(wants));
                    room.is_some()
                };
                let fitting = all.iter().take_while(fits).count();
                // A broker that has become newer meanwhile opens a session with what is told now: the others follow.
                node.roster.changed.extend(all.drain(fitting.max(1).min(all.len())..));
            }
            (all, Vec::new())
        } else {
            changed.into_iter().partition(|index| node.roster.ready.contains(index))
        };
        let wait = longest_wait(now, &node.roster, milliseconds(self.config.fetch_max_wait_ms));
        let mut request = FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.fetch_min_bytes,
            max_bytes: i32::try_from(granted).unwrap_or(i32::MAX),
            isolation_level: if planted!(OpenReadable) { 0 } else { self.config.isolation.code() },
            rack_id: if node.rackless_until.is_some_and(|until| until > now) {
                Str::default()
            } else {
                self.config.client_rack.clone()
            },
            ..FetchRequest::default()
        };
        let partitions = &self.partitions;
        let wanted = indices.iter().filter_map(|index| wanted_of(*index, partitions.get(index)?));
        let max_version = node.session.build(wanted, &unwanted, &mut request);
        let timeout = wait + Duration::from_millis(self.config.request_timeout_ms.into());
        let under_way = UnderWay { broker, kind: Asked::Fetch { granted }, partitions: indices };
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
            Asked::Fetch { .. } | Asked::Close => Purpose::Fetch(self.id),
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
        if let Some(node) = self.nodes.get_mut(&under_way.broker) {
            node.under_way += 1;
        }
        self.requests.insert(number, under_way);
    }
}

/// How long a fetch may wait at its broker, so that it delays neither what will be read nor what will be tried again.
fn longest_wait(now: Instant, roster: &Roster, most: Duration) -> Duration {
    let unread_for = roster.last_blocked().map(|since| now.since(since));
    let retry_in = roster.first_retry().map(|at| at.since(now));
    let waits = unread_for.into_iter().chain(retry_in).map(|wait| wait.max(SHORTEST_WAIT));
    waits.fold(most, Duration::min)
}

fn wanted_of(index: PartitionIndex, partition: &Partition) -> Option<Wanted> {
    Some(Wanted {
        index,
        topic: partition.topic.clone(),
        topic_id: partition.leader?.topic_id,
        partition: partition.number,
        from: from_of(partition)?,
    })
}

/// From where to fetch a partition.
pub(super) fn from_of(partition: &Partition) -> Option<From> {
    Some(From {
        offset: partition.position.to_fetch()?.offset,
        leader_epoch: (partition.leader?.epoch - i32::from(planted!(EpochRegress, every 10))).max(-1),
        max_bytes: partition.intake.max_bytes,
    })
}

fn bytes(count: i32) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn milliseconds(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
