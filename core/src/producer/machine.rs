//! The control plane of producing.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use klamm_protocol::{ErrorCode, messages::AnyResponse};

use super::{
    BatchId, ConfigError, FlushId, Lost, ProduceErrorKind, ProducerConfig, ProducerOutput, SealResult,
    SealedPartition, Signal,
    batch::{Batch, Opened},
    broker::{Broker, Link, Round},
    partition::{Partition, Rules},
    progress::Progress,
    request::Sent,
    topics::Topics,
    transactional::Source,
};
use crate::{
    BrokerId, Deadlines, Entropy, Instant, Misbehaved, PartitionIndex, ProducerHandle, cluster::Cluster,
    earliest, metrics::ProducerMetrics,
};

/// The machine that turns batches into acknowledgements: see the [module](super).
#[derive(Debug)]
pub struct Producer {
    pub(super) handle: ProducerHandle,
    pub(super) config: ProducerConfig,
    pub(super) entropy: Entropy,
    pub(super) source: Source,
    /// By [`PartitionIndex`].
    pub(super) partitions: Vec<Option<Box<Partition>>>,
    pub(super) topics: Topics,
    pub(super) brokers: BTreeMap<BrokerId, Broker>,
    pub(super) sent: Sent,
    /// For each partition, when its oldest batch is too old or its backoff ends.
    pub(super) timers: Deadlines<PartitionIndex>,
    pub(super) progress: Progress,
    pub(super) news: News,
    /// Why nothing can be written any more.
    pub(super) fatal: Option<ErrorCode>,
}

/// What goes out and what has to be looked up.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) outputs: VecDeque<ProducerOutput>,
    /// Partitions whose leader was not looked up yet.
    pub(super) unresolved: BTreeSet<PartitionIndex>,
    /// The version of the cluster's metadata that leaders were taken from.
    pub(super) cluster_version: Option<u64>,
}

impl Producer {
    /// A producer without batches. If it is idempotent, it asks for its producer id at once; with a transactional id it
    /// waits for [`begin_transaction`](Self::begin_transaction).
    ///
    /// # Errors
    ///
    /// The configuration contradicts itself.
    pub fn new(
        handle: ProducerHandle,
        config: ProducerConfig,
        entropy: Entropy,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            handle,
            source: Source::of(&config),
            config,
            entropy,
            partitions: Vec::new(),
            topics: Topics::default(),
            brokers: BTreeMap::new(),
            sent: Sent::default(),
            timers: Deadlines::new(),
            progress: Progress::default(),
            news: News::default(),
            fatal: None,
        })
    }

    // Inputs.

    /// An append to the buffer of `partition` gave this signal; quiet ones may be left out.
    pub fn handle_signal(&mut self, now: Instant, partition: PartitionIndex, batch: BatchId, signal: Signal) {
        if signal.is_quiet() {
            return;
        }
        self.open(now, partition, batch);
        let refused = match self.fatal {
            Some(code) => Some((ProduceErrorKind::Fatal, code)),
            None if self.progress.is_closed() => Some((ProduceErrorKind::Aborted, ErrorCode::NONE)),
            None => None,
        };
        if self.refuses_transactional(now, partition) {
            return;
        }
        if let Some((kind, code)) = refused {
            self.fail_partition(now, partition, kind, code);
            return;
        }
        if let Some(state) = self.partition_mut(partition) {
            state.unsealed.make_due(if signal.is_full() { batch.next() } else { batch });
        }
        self.schedule(now, partition);
    }

    /// A connection to `broker` for producing is up; the highest version of Produce that both sides know is
    /// `produce_version`.
    pub fn handle_ready(&mut self, _now: Instant, broker: BrokerId, produce_version: i16) {
        self.brokers.entry(broker).or_default().link = Link::Up(produce_version);
    }

    /// The connection to `broker` is gone or could not be opened. It is asked for again when there is something for
    /// it; pausing between attempts is the client's part. What becomes of requests in flight is told by
    /// [`handle_lost`](Self::handle_lost).
    pub fn handle_unready(&mut self, _now: Instant, broker: BrokerId) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.link = Link::Down;
        }
        for state in self.partitions.iter_mut().flatten() {
            state.connection_lost(broker);
        }
    }

    /// What became of a [`Seal`](super::Seal): one entry for each of its partitions.
    pub fn handle_sealed(
        &mut self,
        now: Instant,
        broker: BrokerId,
        partitions: impl IntoIterator<Item = SealedPartition>,
    ) {
        if let Some(broker) = self.brokers.get_mut(&broker).filter(|broker| broker.round == Round::Sealing) {
            broker.round = Round::Sealed;
        }
        for SealedPartition { partition, result } in partitions {
            self.take_sealed(now, partition, result);
            self.schedule(now, partition);
        }
    }

    /// The answer to a request: `number` is that of its [`Token::Producer`](crate::Token::Producer). An answer that
    /// is no longer awaited is ignored.
    ///
    /// # Errors
    ///
    /// The answer makes no sense. What it does not settle is handled as if the answer was lost.
    pub fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        match response {
            AnyResponse::Produce(response) => self.answered(now, number, response),
            AnyResponse::InitProducerId(response) => {
                self.id_answered(now, number, response);
                Ok(())
            }
            _ => {
                self.handle_lost(now, number, Lost::MaybeSent);
                Err(Misbehaved::Nonsense("a response of another kind than the producer's request"))
            }
        }
    }

    /// A request without acknowledgement (`acks=0`) was written.
    pub fn handle_written(&mut self, now: Instant, number: u64) {
        self.written(now, number);
    }

    /// A request will not be answered.
    pub fn handle_lost(&mut self, now: Instant, number: u64, lost: Lost) {
        if self.source.ids().is_some_and(|ids| ids.is_asked(number)) {
            self.id_lost(now, lost);
        } else {
            self.lost(now, number, lost);
        }
    }

    /// Time passes: batches expire, backoffs and lingering end.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pass_time(now);
    }

    // Commands.

    /// Sends everything that was accepted so far without waiting for more records.
    /// [`ProducerOutput::Flushed`] tells when all of it has its outcome.
    pub fn flush(&mut self, now: Instant) -> FlushId {
        probe!(FlushOverRetry, self.partitions.iter().flatten().any(|state| state.is_resending()));
        probe!(FlushBehindFlush, self.progress.is_flushing());
        let flush = self.progress.flush();
        self.end_all_lingering(now);
        flush
    }

    /// Sends what could be sent without waiting for more records, because memory is short. Unlike
    /// [`flush`](Self::flush) it promises nothing of what waits for other reasons, and nobody hears of its end.
    pub fn hurry(&mut self, now: Instant) {
        probe!(HurriedForMemory);
        self.end_all_lingering(now);
    }

    /// Ends everything that was accepted so far without acknowledgement: batches that were never sent have no
    /// effect, of others it is unknown.
    pub fn abort(&mut self, now: Instant) {
        self.fail_all(now, ProduceErrorKind::Aborted, ErrorCode::NONE);
    }

    /// Sends everything that was accepted so far and then closes: [`ProducerOutput::Closed`]. What is accepted
    /// later is still sent until then, and aborted afterwards.
    pub fn close(&mut self, now: Instant) {
        self.progress.close();
        self.end_all_lingering(now);
    }

    // Outputs.

    /// The next wish or piece of news. Leaders and topic ids are looked up in `cluster` whenever it has changed.
    pub fn poll(&mut self, now: Instant, cluster: &Cluster) -> Option<ProducerOutput> {
        self.pass_time(now);
        self.look_up(now, cluster);
        if let Some(output) = self.news.outputs.pop_front() {
            return Some(output);
        }
        self.ask_for_id(now);
        self.drive_brokers(now);
        self.judge_brokers(now);
        if let Some(output) = self.news.outputs.pop_front() {
            return Some(output);
        }
        if let Some(flush) = self.progress.poll_flushed() {
            return Some(ProducerOutput::Flushed(flush));
        }
        if self.poll_drained() {
            return Some(ProducerOutput::Drained);
        }
        self.progress.poll_closed().then_some(ProducerOutput::Closed)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lingering = self.brokers.values().filter_map(|broker| broker.linger_until).min();
        let judging = self.brokers.values().filter_map(|broker| self.judge_at(broker)).min();
        let next = earliest(earliest(self.timers.next(), lingering), judging);
        earliest(next, self.ask_for_id_at())
    }

    // Getters.

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &ProducerConfig {
        &self.config
    }

    /// Batches that have no outcome yet.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.progress.total()
    }

    /// What has been counted, and what stands now.
    #[must_use]
    pub fn metrics(&self) -> ProducerMetrics {
        ProducerMetrics {
            counts: self.progress.counts,
            batch_size: self.config.batch_size,
            outstanding_batches: self.progress.total(),
            requests_in_flight: u64::try_from(self.sent.requests.len()).unwrap_or(u64::MAX),
            ..ProducerMetrics::new(self.handle)
        }
    }

    /// Whether a broker takes what there is for it: false once it has taken nothing for `availability_timeout`.
    #[must_use]
    pub fn is_available(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_none_or(|broker| !broker.is_stuck)
    }

    /// Why nothing can be written any more, if that is so.
    #[must_use]
    pub const fn fatal(&self) -> Option<ErrorCode> {
        self.fatal
    }

    // Helpers.

    pub(super) fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(index.0 as usize)?.as_deref()
    }

    pub(super) fn partition_mut(&mut self, index: PartitionIndex) -> Option<&mut Partition> {
        self.partitions.get_mut(index.0 as usize)?.as_deref_mut()
    }

    /// The partitions that were ever written to.
    pub(super) fn known_partitions(&self) -> Vec<PartitionIndex> {
        let indexes = (0_u32..).zip(&self.partitions);
        indexes.filter(|(_, state)| state.is_some()).map(|(index, _)| PartitionIndex(index)).collect()
    }

    pub(super) fn rules(&self) -> Rules {
        Rules {
            idempotent: self.config.idempotent,
            max_in_flight: u32::try_from(self.config.max_in_flight).unwrap_or(u32::MAX)
                + u32::from(planted!(SixInFlight)),
            producer_id: self.source.producer_id(),
            transactional: self.source.enlisted().is_some(),
        }
    }

    /// Notes that `batch` and all before it were opened.
    fn open(&mut self, now: Instant, index: PartitionIndex, batch: BatchId) {
        let at = index.0 as usize;
        if self.partitions.len() <= at {
            self.partitions.resize_with(at + 1, || None);
        }
        let opened = Opened { at: now, generation: self.progress.current() };
        let Some(slot) = self.partitions.get_mut(at) else { return };
        let state = slot.get_or_insert_default();
        if state.leader.is_none() {
            self.news.unresolved.insert(index);
        }
        self.progress.opened(state.unsealed.open(batch, opened));
    }

    fn take_sealed(&mut self, now: Instant, index: PartitionIndex, result: SealResult) {
        let Some(state) = self.partition_mut(index) else { return };
        let asked = state.unsealed.end_sealing();
        match result {
            SealResult::Left => probe!(SealLeftForNext),
            SealResult::Empty => {
                if asked == Some(state.unsealed.first()) {
                    // The buffer does not hold what was signalled: there is nothing to wait for.
                    self.fail_oldest(index, ProduceErrorKind::Aborted, ErrorCode::NONE);
                }
            }
            // It has its outcome: it expired or was aborted while it was being sealed.
            SealResult::Sealed { batch, .. } if batch < state.unsealed.first() => {}
            SealResult::Sealed { batch, sealed } => {
                self.open(now, index, batch);
                while self.partition(index).is_some_and(|state| state.unsealed.first() < batch) {
                    self.fail_oldest(index, ProduceErrorKind::Aborted, ErrorCode::NONE);
                }
                self.progress.counts.sealed(sealed.count(), sealed.len(), sealed.plain_len());
                let Some(state) = self.partition_mut(index) else { return };
                if let Some((batch, opened)) = state.unsealed.pop() {
                    state.queue.push_back(Batch::new(batch, opened, sealed));
                }
            }
        }
    }
}
