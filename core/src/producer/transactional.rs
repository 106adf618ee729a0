//! Batches in a transaction.

use klamm_protocol::{ErrorCode, Str};

use super::{
    ProduceErrorKind, ProducerConfig, ProducerOutput,
    answer::Answer,
    identity::IdSource,
    machine::Producer,
    partition::{Enrolment, Partition},
    sequences::{ProducerId, Sequences},
    verdict::Verdict,
};
use crate::{Instant, PartitionIndex, transaction::BatchFailure};

/// What a transactional producer may do with batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing: no transaction is open.
    #[default]
    Between,
    /// Send them.
    Open,
    /// Only settle what is under way; `keep_sent`: and what was sent before.
    Abandoned { keep_sent: bool },
}

/// What a producer knows of its transaction.
#[derive(Debug, Default)]
pub(super) struct Enlisted {
    id: Option<ProducerId>,
    implicit: bool,
    phase: Phase,
    draining: bool,
}

impl Enlisted {
    /// Whether writing to a partition adds it to the transaction.
    pub(super) const fn is_implicit(&self) -> bool {
        self.implicit
    }
}

/// Where the producer id comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// There is none: the producer is not idempotent.
    None,
    /// The producer asks for it.
    Own(IdSource),
    /// The transaction has it.
    Transaction(Enlisted),
}

impl Source {
    pub(super) fn of(config: &ProducerConfig) -> Self {
        match (config.idempotent, &config.transactional_id) {
            (false, _) => Self::None,
            (true, None) => Self::Own(IdSource::new()),
            (true, Some(_)) => Self::Transaction(Enlisted::default()),
        }
    }

    pub(super) const fn ids(&self) -> Option<&IdSource> {
        if let Self::Own(ids) = self { Some(ids) } else { None }
    }

    pub(super) const fn ids_mut(&mut self) -> Option<&mut IdSource> {
        if let Self::Own(ids) = self { Some(ids) } else { None }
    }

    pub(super) const fn enlisted(&self) -> Option<&Enlisted> {
        if let Self::Transaction(enlisted) = self { Some(enlisted) } else { None }
    }

    pub(super) const fn enlisted_mut(&mut self) -> Option<&mut Enlisted> {
        if let Self::Transaction(enlisted) = self { Some(enlisted) } else { None }
    }

    pub(super) fn producer_id(&self) -> Option<ProducerId> {
        match self {
            Self::None => None,
            Self::Own(ids) => ids.current(),
            Self::Transaction(enlisted) => enlisted.id,
        }
    }
}

impl Producer {
    // Commands, by way of the transaction.

    /// A transaction begins: its batches carry this id. With `implicit`, writing to a partition adds it to the
    /// transaction (KIP-890).
    pub fn begin_transaction(&mut self, id: ProducerId, implicit: bool) {
        let Some(enlisted) = self.source.enlisted_mut() else { return };
        let renamed = enlisted.id != Some(id);
        *enlisted = Enlisted { id: Some(id), implicit, phase: Phase::Open, draining: false };
        for state in self.partitions.iter_mut().flatten() {
            state.enrolment = Enrolment::No;
            if renamed {
                state.sequences = Sequences::default();
                state.proven_on = None;
            }
        }
    }

    /// These partitions are in the transaction: what they have may be sent.
    pub fn handle_enrolled(&mut self, now: Instant, partitions: &[PartitionIndex]) {
        for index in partitions {
            if let Some(state) = self.partition_mut(*index) {
                state.enrolment = Enrolment::Done;
            }
            self.schedule(now, *index);
        }
    }

    /// Sends everything that was accepted so far: [`ProducerOutput::Drained`] once nothing is left, and no request is
    /// under way any more.
    pub fn drain(&mut self, now: Instant) {
        self.flush(now);
        if let Some(enlisted) = self.source.enlisted_mut() {
            enlisted.draining = true;
        }
    }

    /// The transaction is given up: what was not sent is dropped, and what comes later is too. Requests that are under
    /// way are still waited for, so that none of them arrives after the end of the transaction. With `keep_sent`, what
    /// was sent and not acknowledged is sent further until its outcome.
    pub fn abandon_transaction(&mut self, now: Instant, keep_sent: bool) {
        let Some(enlisted) = self.source.enlisted_mut() else { return };
        enlisted.phase = Phase::Abandoned { keep_sent };
        for index in self.known_partitions() {
            self.drop_unsent(now, index, keep_sent);
        }
    }

    /// Nothing of this producer will ever be written.
    pub fn doom(&mut self, now: Instant, code: ErrorCode) {
        if let Some(enlisted) = self.source.enlisted_mut() {
            enlisted.phase = Phase::Abandoned { keep_sent: false };
        }
        if self.fatal.is_none() {
            self.fail_for_good(now, code);
        }
    }

    // Helpers.

    /// Whether a signal comes where no transaction takes records: they are dropped then.
    pub(super) fn refuses_transactional(&mut self, now: Instant, index: PartitionIndex) -> bool {
        let phase = self.source.enlisted().map(|enlisted| enlisted.phase);
        if self.fatal.is_some() || self.progress.is_closed() || matches!(phase, None | Some(Phase::Open)) {
            return false;
        }
        probe!(RecordAfterTransactionFailed);
        self.drop_unsent(now, index, true);
        true
    }

    /// Tells the transaction that a batch failed. What is dropped because it is given up tells nothing new, unless it
    /// leaves a gap in the sequence numbers.
    pub(super) fn hurt(&mut self, kind: ProduceErrorKind, code: ErrorCode, was_sent: bool) {
        let Some(enlisted) = self.source.enlisted() else { return };
        if enlisted.phase == Phase::Between || enlisted.phase != Phase::Open && !was_sent {
            return;
        }
        let is_fatal = kind == ProduceErrorKind::Fatal;
        let failure = BatchFailure { code, was_sent, is_fatal };
        self.news.outputs.push_back(ProducerOutput::BatchFailed(failure));
    }

    /// Wants the partition to be in the transaction, once its name is known.
    pub(super) fn enrol(&mut self, index: PartitionIndex) {
        let is_open = self.source.enlisted().is_some_and(|enlisted| enlisted.phase == Phase::Open);
        let Some(state) = self.partition_mut(index).filter(|_| is_open) else { return };
        let Some((topic, number)) = state.name.filter(|_| state.enrolment == Enrolment::No) else { return };
        state.enrolment = Enrolment::Asked;
        let Some(topic) = self.topics.get(topic).map(|topic| topic.name.clone()) else { return };
        self.want_enrolment(index, topic, number);
    }

    fn want_enrolment(&mut self, partition: PartitionIndex, topic: Str, number: i32) {
        self.news.outputs.push_back(ProducerOutput::Enrol { partition, topic, number });
    }

    /// What to make of an answer that is no acknowledgement; `None` if it is dealt with.
    ///
    /// A gap in a partition's sequence numbers cannot be got over within a transaction: another epoch would be another
    /// transaction.
    pub(super) fn in_transaction<'a>(
        &mut self,
        index: PartitionIndex,
        at: usize,
        answer: Answer<'a>,
    ) -> Option<Answer<'a>> {
        let phase = self.source.enlisted().map(|enlisted| enlisted.phase)?;
        if matches!(phase, Phase::Abandoned { keep_sent: false }) && answer.verdict != Verdict::Fatal {
            self.fail(index, at, ProduceErrorKind::Aborted, answer.code);
            return None;
        }
        match answer.verdict {
            Verdict::OutOfOrder | Verdict::UnknownProducer if at == 0 => {
                let forgotten = answer.verdict == Verdict::UnknownProducer && answer.log_start_offset < 0;
                let verdict =
                    if forgotten { Verdict::Retry } else { Verdict::Fail(ProduceErrorKind::Refused) };
                Some(Answer { verdict, ..answer })
            }
            // The id expired at the coordinator: the next transaction gets another one.
            Verdict::Fatal if answer.code == ErrorCode::INVALID_PRODUCER_ID_MAPPING => {
                Some(Answer { verdict: Verdict::Fail(ProduceErrorKind::Refused), ..answer })
            }
            _ => Some(answer),
        }
    }

    /// Drops what is not under way. With `keep_sent`, what was sent before is kept.
    fn drop_unsent(&mut self, now: Instant, index: PartitionIndex, keep_sent: bool) {
        let is_dropped = |state: &Partition, at: usize| {
            let batch = state.queue.get(at);
            batch.is_some_and(|batch| batch.is_waiting() && !(keep_sent && batch.identity.is_some()))
        };
        let queued = self.partition(index).map_or(0, |state| state.queue.len());
        for at in (0..queued).rev() {
            if self.partition(index).is_some_and(|state| is_dropped(state, at)) {
                self.fail(index, at, ProduceErrorKind::Aborted, ErrorCode::NONE);
            }
        }
        while self.partition(index).is_some_and(|state| !state.unsealed.is_empty()) {
            self.fail_unsealed(index, ProduceErrorKind::Aborted, ErrorCode::NONE);
        }
        self.schedule(now, index);
    }

    /// Whether nothing is left and nothing is under way. True once a drain.
    pub(super) fn poll_drained(&mut self) -> bool {
        let is_idle = self.progress.total() == 0 && self.sent.requests.is_empty();
        let Some(enlisted) = self.source.enlisted_mut() else { return false };
        let is_drained = enlisted.draining && is_idle;
        if is_drained {
            enlisted.draining = false;
            enlisted.phase = Phase::Between;
        }
        is_drained
    }
}
