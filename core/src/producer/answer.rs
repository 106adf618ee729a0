//! What becomes of batches whose request is answered, or is not.

use core::time::Duration;

use klamm_protocol::{
    ErrorCode,
    compression::Compressor,
    messages::produce::{PartitionProduceResponse, ProduceResponse},
};

use super::{
    Acknowledged, Acks, LeaderHint, Lost, ProduceError, ProduceErrorKind, ProducerOutput,
    batch::{Batch, BatchKey},
    machine::Producer,
    request::{SentBatch, SentRequest},
    verdict::Verdict,
};
use crate::{
    Backoff, BrokerId, Effect, Instant, Misbehaved, PartitionIndex,
    cluster::{Address, Broker, Leader},
};

/// The pauses before a batch is sent again that the end of the transaction before keeps out.
const COMPLETING: Backoff = Backoff { initial: Duration::from_millis(5), max: Duration::from_millis(100) };

/// One batch's part of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) verdict: Verdict,
    pub(super) code: ErrorCode,
    pub(super) acknowledged: Acknowledged,
    pub(super) log_start_offset: i64,
    /// The broker's own words, if it answered.
    pub(super) told: Option<&'a PartitionProduceResponse>,
}

impl<'a> Answer<'a> {
    const fn new(verdict: Verdict, code: ErrorCode) -> Self {
        let acknowledged = Acknowledged { base_offset: None, log_append_time_ms: None };
        Self { verdict, code, acknowledged, log_start_offset: -1, told: None }
    }

    fn of(response: &'a PartitionProduceResponse) -> Self {
        let known = |value: i64| (value >= 0).then_some(value);
        let acknowledged = Acknowledged {
            base_offset: known(response.base_offset),
            log_append_time_ms: known(response.log_append_time_ms),
        };
        Self {
            verdict: Verdict::of(response.error_code),
            code: response.error_code,
            acknowledged,
            log_start_offset: response.log_start_offset,
            told: Some(response),
        }
    }
}

impl Producer {
    pub(super) fn answered(
        &mut self,
        now: Instant,
        number: u64,
        response: &ProduceResponse,
    ) -> Result<(), Misbehaved> {
        let Some(mut sent) = self.take_request(number) else { return Ok(()) };
        let mut foreign = false;
        for topic in &response.responses {
            let name = self.topics.find(&topic.name, topic.topic_id);
            for answer in &topic.partition_responses {
                let at = name.and_then(|name| {
                    sent.batches.binary_search_by_key(&(name, answer.index), |batch| batch.name).ok()
                });
                let Some(at) = at else {
                    foreign = true;
                    continue;
                };
                let batch = sent.batches.remove(at);
                self.hint(batch.partition, answer, response);
                self.settle(now, (sent.broker, number), batch, Answer::of(answer));
            }
        }
        let unanswered = !sent.batches.is_empty();
        let answer = Answer::new(Verdict::RetryUnsure, ErrorCode::NETWORK_EXCEPTION);
        self.settle_all(now, number, sent, answer);
        if foreign || unanswered {
            return Err(Misbehaved::Nonsense("a produce response with other partitions than the request"));
        }
        Ok(())
    }

    pub(super) fn written(&mut self, now: Instant, number: u64) {
        probe!(UnacknowledgedWritten);
        if let Some(sent) = self.take_request(number) {
            self.settle_all(now, number, sent, Answer::new(Verdict::Acknowledged, ErrorCode::NONE));
        }
    }

    pub(super) fn lost(&mut self, now: Instant, number: u64, lost: Lost) {
        let answer = match lost {
            _ if planted!(LostAck) => Answer::new(Verdict::Acknowledged, ErrorCode::NONE),
            Lost::NotSent => Answer::new(Verdict::Retry, ErrorCode::NETWORK_EXCEPTION),
            Lost::MaybeSent => Answer::new(Verdict::RetryUnsure, ErrorCode::NETWORK_EXCEPTION),
            Lost::Unsupported => {
                Answer::new(Verdict::Fail(ProduceErrorKind::Unsupported), ErrorCode::UNSUPPORTED_VERSION)
            }
        };
        if let Some(sent) = self.take_request(number) {
            self.settle_all(now, number, sent, answer);
        }
    }

    fn take_request(&mut self, number: u64) -> Option<SentRequest> {
        let sent = self.sent.requests.remove(&number)?;
        if let Some(broker) = self.brokers.get_mut(&sent.broker) {
            broker.in_flight = broker.in_flight.saturating_sub(1);
        }
        Some(sent)
    }

    fn settle_all(&mut self, now: Instant, number: u64, sent: SentRequest, answer: Answer<'_>) {
        for batch in sent.batches {
            self.settle(now, (sent.broker, number), batch, answer);
        }
    }

    /// Acts on the answer to one batch.
    fn settle(
        &mut self,
        now: Instant,
        (broker, number): (BrokerId, u64),
        sent: SentBatch,
        answer: Answer<'_>,
    ) {
        let index = sent.partition;
        let Some(state) = self.partition_mut(index) else { return };
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(at) = state.find(sent.key, number) {
            match answer.verdict {
                Verdict::Acknowledged | Verdict::Duplicate => {
                    if state.leader.is_some_and(|leader| leader.broker == broker) {
                        state.proven_on = Some(broker);
                    }
                    probe!(ResendAcknowledged, state.queue.get(at).is_some_and(|batch| batch.unsure));
                    let acknowledged = match answer.verdict {
                        Verdict::Duplicate => Acknowledged { base_offset: None, ..answer.acknowledged },
                        _ => answer.acknowledged,
                    };
                    self.acknowledge(index, at, acknowledged);
                }
                _ => {
                    state.put_back(at);
                    self.refused(now, index, at, answer);
                }
            }
        } else {
            probe!(AnswerTooLate);
            #[cfg(feature = "planted-bugs")]
            assert!(!planted!(PanicOnLateAnswer), "an answer came too late");
        }
        self.schedule(now, index);
    }

    /// Acts on an answer that is no acknowledgement, after the batch was put back into the queue at `at`.
    fn refused(&mut self, now: Instant, index: PartitionIndex, at: usize, answer: Answer<'_>) {
        let (idempotent, waits) = (self.config.idempotent, self.config.acks == Acks::All);
        let Some(state) = self.partition_mut(index) else { return };
        let Some(batch) = state.queue.get_mut(at) else { return };
        batch.last_code = answer.code;
        batch.doubtful |= waits && answer.verdict == Verdict::RetryElsewhere;
        if answer.verdict.is_unsure() {
            batch.unsure = true;
            if planted!(DuplicateOnRetry) {
                batch.identity = None;
            }
            if planted!(UnknownTwice) {
                batch.identity = None;
                let (batch, portion) = (batch.key.batch, batch.portion(true));
                let kind = ProduceErrorKind::TimedOut;
                let error = ProduceError { kind, effect: Effect::Unknown, code: answer.code };
                self.report(index, batch, portion, Err(error));
                return self.retry(now, index, at);
            }
        }
        let answer = if self.source.enlisted().is_some() {
            let Some(answer) = self.in_transaction(index, at, answer) else { return };
            answer
        } else {
            answer
        };
        let Some(state) = self.partition_mut(index) else { return };
        let Some(batch) = state.queue.get_mut(at) else { return };
        match answer.verdict {
            // One behind a batch that was refused is always out of order.
            Verdict::OutOfOrder | Verdict::UnknownProducer if idempotent && at > 0 => {
                probe!(RefusedBehindRefused);
            }
            // The broker does not recognise a part of what it has as a whole.
            Verdict::OutOfOrder if idempotent && batch.split && batch.unsure => {
                self.fail(index, at, ProduceErrorKind::Refused, answer.code);
            }
            Verdict::UnknownProducer if idempotent && answer.log_start_offset < 0 => {
                probe!(UnknownProducerRetried);
                self.retry(now, index, at);
            }
            Verdict::OutOfOrder | Verdict::UnknownProducer if idempotent => {
                state.begin_epoch();
                self.retry(now, index, at);
            }
            Verdict::OutOfOrder | Verdict::UnknownProducer | Verdict::FailUnsure => {
                self.fail(index, at, ProduceErrorKind::Refused, answer.code);
            }
            Verdict::TooLarge => self.split(index, at, answer.code),
            Verdict::Fail(kind) => match answer.told {
                Some(told) => self.fail_as_told(index, at, kind, told),
                None => self.fail(index, at, kind, answer.code),
            },
            Verdict::Fatal => self.fail_for_good(now, answer.code),
            Verdict::RetryElsewhere | Verdict::RetryUnsure => {
                self.news.outputs.push_back(ProducerOutput::WantLeader(index));
                self.retry(now, index, at);
            }
            Verdict::Retry | Verdict::Acknowledged | Verdict::Duplicate => self.retry(now, index, at),
        }
    }

    /// Sends the batch at `at` again after a pause, unless it was tried often enough.
    fn retry(&mut self, now: Instant, index: PartitionIndex, at: usize) {
        let (retries, backoff) = (self.config.retries, self.config.backoff);
        let Some(state) = self.partitions.get_mut(index.0 as usize).and_then(Option::as_mut) else { return };
        let Some(batch) = state.queue.get_mut(at) else { return };
        batch.refusals = batch.refusals.saturating_add(1);
        // What may be in the log is not given up: only a further answer can tell.
        if batch.refusals > retries && !batch.unsure {
            probe!(RetriesExhausted);
            let code = batch.last_code;
            self.fail(index, at, ProduceErrorKind::Refused, code);
        } else {
            self.progress.counts.retries += 1;
            if at == 0 {
                // The transaction before is being completed, which takes no longer than writing a marker a partition.
                let completing = batch.last_code == ErrorCode::CONCURRENT_TRANSACTIONS;
                let backoff = if completing { COMPLETING } else { backoff };
                state.retry_at = Some(now + backoff.delay(batch.refusals, &mut self.entropy));
            }
        }
    }

    /// Splits the batch at `at`, which the broker found too large. Its parts have the sequence numbers that their
    /// records had before.
    fn split(&mut self, index: PartitionIndex, at: usize, code: ErrorCode) {
        let Some(state) = self.partition_mut(index) else { return };
        let Some(batch) = state.queue.get(at) else { return };
        let mut compressor = Compressor::new(batch.sealed.compression());
        let parts = match batch.sealed.split(usize::MAX, &mut compressor) {
            Ok(parts) if parts.len() > 1 => parts,
            _ => {
                probe!(RecordTooLarge);
                self.fail(index, at, ProduceErrorKind::TooLarge, code);
                return;
            }
        };
        probe!(BatchSplit);
        self.progress.counts.splits += 1;
        let Some(state) = self.partition_mut(index) else { return };
        let Some(whole) = state.queue.remove(at) else { return };
        let mut first = 0;
        for (part_at, sealed) in (at..).zip(parts) {
            let count = sealed.count();
            let identity = whole.identity.map(|identity| identity.after(first));
            let key = BatchKey { first: whole.key.first + first.unsigned_abs(), ..whole.key };
            first += count;
            let part = Batch {
                key,
                split: true,
                identity,
                unsure: whole.unsure,
                doubtful: whole.doubtful,
                denied: whole.denied,
                ..Batch::new(key.batch, whole.opened, sealed)
            };
            state.queue.insert(part_at, part);
        }
    }

    /// Passes on what an answer says of the partition's leader (KIP-951).
    fn hint(
        &mut self,
        partition: PartitionIndex,
        answer: &PartitionProduceResponse,
        response: &ProduceResponse,
    ) {
        let current = &answer.current_leader;
        if answer.error_code.is_ok() || current.leader_id < 0 || current.leader_epoch < 0 {
            return;
        }
        let endpoint = response.node_endpoints.iter().find(|node| node.node_id == current.leader_id);
        let endpoint = endpoint.and_then(|node| {
            let address = Address { host: node.host.clone(), port: u16::try_from(node.port).ok()? };
            Some(Broker { id: BrokerId(node.node_id), address, rack: node.rack.clone() })
        });
        let leader = Leader { broker: BrokerId(current.leader_id), epoch: current.leader_epoch };
        self.news.outputs.push_back(ProducerOutput::Leader(LeaderHint { partition, leader, endpoint }));
    }
}
