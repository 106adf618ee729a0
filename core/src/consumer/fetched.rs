//! What a fetch brought.

use klamm_protocol::{
    ErrorCode,
    messages::fetch::{FetchResponse, PartitionData},
};

use super::{
    Aborted, Asked, Chunk, Consumer, ConsumerEvent, ConsumerOutput, Isolation, LeaderHint,
    PartitionErrorKind, Ticket, UnderWay,
    headers::{self, Walk},
    position::At,
    session::Verdict,
};
use crate::{BrokerId, Instant, PartitionIndex};

/// Fetch before this version returns no batch that is larger than what was asked for (KIP-74).
const FIRST_WITH_WHOLE_BATCHES: i16 = 3;

/// What the partitions of one response share.
struct Reply<'a> {
    number: u64,
    version: i16,
    response: &'a FetchResponse,
    chunks: usize,
}

impl Consumer {
    /// A fetch is answered.
    pub(super) fn handle_fetched(
        &mut self,
        now: Instant,
        number: u64,
        request: &UnderWay,
        version: i16,
        response: &FetchResponse,
    ) {
        let Some(node) = self.nodes.get_mut(&request.broker) else { return };
        node.unlimited = version < FIRST_WITH_WHOLE_BATCHES;
        match node.session.handle_response(version, response) {
            Verdict::Use => {}
            Verdict::Drop => {
                self.outside.counts.session_misses += 1;
                return self.refuse(now, number, request);
            }
            Verdict::Refused(code) => {
                self.outside.counts.session_misses += 1;
                if code == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR {
                    let topics = request.partitions.iter().filter_map(|index| self.partitions.get(index));
                    self.topics.refresh.extend(topics.map(|partition| partition.topic.clone()));
                }
                return self.refuse(now, number, request);
            }
        }
        let since = node.fetching.take();
        self.outside.counts.fetched(since.map(|since| now.since(since)));
        self.node_succeeded(request.broker);
        let mut reply = Reply { number, version, response, chunks: 0 };
        let mut total = 0usize;
        for topic in &response.responses {
            for data in &topic.partitions {
                total = total.saturating_add(data.records.as_ref().map_or(0, |records| records.len()));
                let Some(node) = self.nodes.get_mut(&request.broker) else { continue };
                let Some(index) = node.session.partition(topic, data.partition_index) else { continue };
                self.agenda.partitions.insert(index);
                if self.partitions.get(&index).is_some_and(|partition| partition.awaits(number)) {
                    self.handle_partition(now, index, &mut reply, data);
                } else {
                    probe!(FetchAnswerStale, self.partitions.contains_key(&index));
                    probe!(FetchAnswerUnassigned, !self.partitions.contains_key(&index));
                    node.session.mark_stale(index);
                    // Who leads does not depend on the position.
                    self.hint(index, response, data);
                }
            }
        }
        self.outside.counts.empty_fetches += u64::from(reply.chunks == 0);
        self.budget.hold(number, total, reply.chunks);
        self.nothing_new(number, request);
        self.leave_old_replica(request.broker, number);
    }

    /// The response is of no use as a whole. The first time that may be a session that is over; then there is
    /// a delay.
    fn refuse(&mut self, now: Instant, number: u64, request: &UnderWay) {
        let Some(node) = self.nodes.get_mut(&request.broker) else { return };
        node.fetching = None;
        node.failures = node.failures.saturating_add(1);
        let failures = node.failures;
        if failures > 1 {
            self.delay_node(now, request.broker, failures - 1);
        }
        self.leave_old_replica(request.broker, number);
    }

    /// A fetch was not answered.
    pub(super) fn fetch_failed(&mut self, now: Instant, broker: BrokerId) {
        let Some(node) = self.nodes.get_mut(&broker) else { return };
        node.fetching = None;
        node.session.handle_lost();
        node.failures = node.failures.saturating_add(1);
        let failures = node.failures;
        self.delay_node(now, broker, failures);
    }

    fn delay_node(&mut self, now: Instant, broker: BrokerId, failures: u32) {
        let delay = self.backoff(failures);
        if let Some(node) = self.nodes.get_mut(&broker) {
            node.retry_at = Some(now + delay);
        }
    }

    pub(super) fn node_succeeded(&mut self, broker: BrokerId) {
        if let Some(node) = self.nodes.get_mut(&broker) {
            node.failures = 0;
            node.retry_at = None;
        }
    }

    /// Partitions that were told to the broker and are not in the response: there is nothing new.
    fn nothing_new(&mut self, number: u64, request: &UnderWay) {
        debug_assert!(matches!(request.kind, Asked::Fetch { .. }), "only fetches are answered with data");
        for index in &request.partitions {
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            if partition.awaits(number) && partition.heard != number {
                partition.succeeded();
                self.check_end(*index);
            }
        }
    }

    fn handle_partition(
        &mut self,
        now: Instant,
        index: PartitionIndex,
        reply: &mut Reply<'_>,
        data: &PartitionData,
    ) {
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        partition.heard = reply.number;
        match data.error_code {
            ErrorCode::NONE => {
                partition.ends.high_watermark = data.high_watermark;
                partition.ends.last_stable = data.last_stable_offset;
                partition.ends.log_start = data.log_start_offset;
                let leader = partition.leader.map(|leader| leader.broker);
                let replica = BrokerId(data.preferred_read_replica);
                if replica.0 >= 0 && Some(replica) != leader {
                    self.follow(now, index, replica);
                    if data.records.as_ref().is_none_or(|records| records.is_empty()) {
                        // That is no sign of success: the replica may fail again and again.
                        return self.check_end(index);
                    }
                }
                self.take_in(now, index, reply, data);
            }
            ErrorCode::OFFSET_OUT_OF_RANGE if self.replica_out_of_range(now, index) => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => self.out_of_range(now, index),
            code => {
                self.hint(index, reply.response, data);
                self.fail(now, index, code);
            }
        }
    }

    /// The broker does not have the offset. While what was read ahead is not handed out, that is put off: it is
    /// still good, and the position is still before it.
    fn out_of_range(&mut self, now: Instant, index: PartitionIndex) {
        let policy = self.config.offset_reset;
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let consumed = partition.position.consumed().map(|at| at.offset);
        if partition.position.to_fetch().map(|at| at.offset) != consumed {
            probe!(OutOfRangePutOff);
            return self.retry_later(now, index);
        }
        probe!(ResetOutOfRange, policy != super::OffsetReset::None);
        probe!(StoppedOutOfRange, policy == super::OffsetReset::None);
        if !partition.position.out_of_range(policy) {
            self.report(index, PartitionErrorKind::OutOfRange);
        }
    }

    /// Passes on who leads a partition, if the broker said (KIP-951).
    fn hint(&mut self, index: PartitionIndex, response: &FetchResponse, data: &PartitionData) {
        if !matches!(data.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH) {
            return;
        }
        let (leader_id, epoch) = (data.current_leader.leader_id, data.current_leader.leader_epoch);
        let known = self.partitions.get(&index).and_then(|partition| partition.leader);
        if leader_id < 0 || known.is_some_and(|known| epoch <= known.epoch) {
            return;
        }
        let node = response.node_endpoints.iter().find(|node| node.node_id == leader_id);
        let endpoint = node.and_then(|node| Some((node.host.clone(), u16::try_from(node.port).ok()?)));
        let broker = BrokerId(leader_id);
        self.outputs.push_back(ConsumerOutput::LeaderHint(LeaderHint {
            partition: index,
            broker,
            epoch,
            endpoint,
        }));
    }

    /// Takes in the batches of one partition, if there are any.
    fn take_in(&mut self, now: Instant, index: PartitionIndex, reply: &mut Reply<'_>, data: &PartitionData) {
        let records = data.records.clone().unwrap_or_default().into_bytes();
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let Some(from) = partition.position.to_fetch() else { return };
        if records.is_empty() {
            partition.succeeded();
            return self.check_end(index);
        }
        let walk = headers::walk(&records);
        let Walk::Batches { next, len, records: count } = walk else {
            return self.no_batch(now, index, reply.version, &walk);
        };
        if next.offset <= from.offset {
            self.retry_later(now, index);
            return self.report(index, PartitionErrorKind::NoProgress);
        }
        let more_to_come = next.offset < data.high_watermark;
        let skipped = i64::from(more_to_come && planted!(SkipAtChunkEnd, every 3));
        self.outside.counts.records += count;
        self.outside.counts.bytes += len as u64;
        partition.succeeded();
        if !planted!(RereadChunk, every 5) {
            partition.position.fetched(At { offset: next.offset + skipped, ..next });
        }
        partition.intake.held = partition.intake.held.saturating_add(records.len());
        let ticket =
            Ticket { partition: index, epoch: partition.epoch, response: reply.number, bytes: records.len() };
        let aborted = match self.config.isolation {
            Isolation::ReadCommitted if !planted!(AbortedReadable) => {
                data.aborted_transactions.as_deref().unwrap_or_default()
            }
            _ => &[],
        };
        self.outputs.push_back(ConsumerOutput::Deliver(Chunk {
            ticket,
            from_offset: from.offset,
            next_offset: next.offset,
            leader_epoch: next.epoch,
            data: records.slice(..len),
            isolation: self.config.isolation,
            aborted: aborted
                .iter()
                .map(|each| Aborted { producer_id: each.producer_id, first_offset: each.first_offset })
                .collect(),
            high_watermark: data.high_watermark,
            last_stable_offset: data.last_stable_offset,
            log_start_offset: data.log_start_offset,
        }));
        reply.chunks += 1;
        self.check_end(index);
    }

    /// There are bytes, but no whole batch. An old broker cuts off what is larger than was asked for.
    fn no_batch(&mut self, now: Instant, index: PartitionIndex, version: i16, walk: &Walk) {
        let most = self.config.fetch_max_bytes;
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let kind = match walk {
            Walk::Cut { needed } if version < FIRST_WITH_WHOLE_BATCHES => {
                let asked = partition.intake.max_bytes;
                if asked < most {
                    probe!(CutBatchAskedAgain);
                    let needed = needed.and_then(|needed| i32::try_from(needed).ok()).unwrap_or(0);
                    partition.intake.max_bytes = asked.saturating_mul(2).max(needed).min(most);
                    return;
                }
                PartitionErrorKind::BatchTooLarge
            }
            Walk::Corrupt => PartitionErrorKind::Corrupt,
            Walk::Cut { .. } | Walk::Batches { .. } => PartitionErrorKind::NoProgress,
        };
        self.retry_later(now, index);
        self.report(index, kind);
    }

    /// Reports the end of the partition, once for each end.
    fn check_end(&mut self, index: PartitionIndex) {
        let isolation = self.config.isolation;
        let Some(partition) = self.partitions.get_mut(&index) else { return };
        let (Some(at), Some(end)) = (partition.position.to_fetch(), partition.ends.visible(isolation)) else {
            return;
        };
        if at.offset >= end && partition.ends.reported != Some(at.offset) {
            partition.ends.reported = Some(at.offset);
            let offset = at.offset;
            self.event(index, ConsumerEvent::EndOfPartition { partition: index, offset });
        }
    }
}
