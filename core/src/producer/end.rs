//! How batches end.

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{ErrorCode, Str, messages::produce::PartitionProduceResponse};

use super::{
    Acknowledged, BatchId, Outcome, Portion, ProduceError, ProduceErrorKind, ProducerOutput, batch::Batch,
    machine::Producer,
};
use crate::{Effect, Instant, PartitionIndex};

/// Records of a refused batch that follow each other and are told the same.
struct Reason {
    first: u32,
    count: u32,
    kind: ProduceErrorKind,
    words: Option<Str>,
}

/// What a broker says of the records of a batch of `count`, all of them in order; nothing if it names none.
fn reasons(count: u32, told: &PartitionProduceResponse) -> Vec<Reason> {
    let named: BTreeMap<u32, &Option<Str>> = told
        .record_errors
        .iter()
        .filter_map(|record| {
            let at = u32::try_from(record.batch_index).ok().filter(|at| *at < count)?;
            Some((at, &record.batch_index_error_message))
        })
        .collect();
    let mut reasons = Vec::new();
    let mut next = 0;
    let beside = |first: u32, until: u32| {
        let (kind, words) = (ProduceErrorKind::BesideInvalidRecord, told.error_message.clone());
        (first < until).then(|| Reason { first, count: until - first, kind, words })
    };
    for (at, words) in &named {
        reasons.extend(beside(next, *at));
        let words = (*words).clone().or_else(|| told.error_message.clone());
        reasons.push(Reason { first: *at, count: 1, kind: ProduceErrorKind::InvalidRecord, words });
        next = at + 1;
    }
    if !named.is_empty() {
        reasons.extend(beside(next, count));
    }
    reasons
}

impl Producer {
    pub(super) fn report(
        &mut self,
        partition: PartitionIndex,
        batch: BatchId,
        portion: Portion,
        result: Result<Acknowledged, ProduceError>,
    ) {
        self.report_with(Outcome { partition, batch, portion, result }, None);
    }

    fn report_with(&mut self, outcome: Outcome, reason: Option<Str>) {
        self.news.outputs.push_back(ProducerOutput::Outcome { outcome, reason });
    }

    /// Takes the batch at `at` out of the queue, for its outcome to be reported. Also says whether nothing else of the
    /// same batch is left.
    fn take_ended(&mut self, index: PartitionIndex, at: usize, is_ok: bool) -> Option<(Batch, bool)> {
        let state = self.partition_mut(index)?;
        let batch = state.queue.remove(at)?;
        let last = !state.queue.iter().any(|other| other.key.batch == batch.key.batch);
        if last {
            self.progress.ended(batch.opened.generation);
        }
        self.progress.counts.ended(batch.sealed.count(), is_ok);
        Some((batch, last))
    }

    pub(super) fn acknowledge(&mut self, index: PartitionIndex, at: usize, acknowledged: Acknowledged) {
        let Some((batch, last)) = self.take_ended(index, at, true) else { return };
        self.report(index, batch.key.batch, batch.portion(last), Ok(acknowledged));
    }

    /// Gives up the batch at `at` of the queue.
    ///
    /// The broker may have taken a batch that was sent, now or later. If the next one took its sequence, the broker
    /// could mistake that for a resend and acknowledge it without writing it. So whatever was sent and is given up
    /// ends the partition's epoch. In a transaction it ends the transaction, which has the epoch.
    pub(super) fn fail(&mut self, index: PartitionIndex, at: usize, kind: ProduceErrorKind, code: ErrorCode) {
        let Some((batch, last, error)) = self.give_up(index, at, kind, code) else { return };
        self.report(index, batch.key.batch, batch.portion(last), Err(error));
    }

    /// The same for a batch that a broker refused and said why, of some of its records or of all (KIP-467). The
    /// records that it does not name are told that others were the reason.
    pub(super) fn fail_as_told(
        &mut self,
        index: PartitionIndex,
        at: usize,
        kind: ProduceErrorKind,
        told: &PartitionProduceResponse,
    ) {
        let Some((batch, last, error)) = self.give_up(index, at, kind, told.error_code) else { return };
        let outcome = Outcome {
            partition: index,
            batch: batch.key.batch,
            portion: batch.portion(last),
            result: Err(error),
        };
        let reasons = reasons(batch.sealed.count().unsigned_abs(), told);
        let Some((at_end, before)) = reasons.split_last() else {
            return self.report_with(outcome, told.error_message.clone());
        };
        let parts = before.iter().map(|reason| (reason, false)).chain([(at_end, last)]);
        for (reason, last) in parts {
            let portion = Portion::Part { first: batch.key.first + reason.first, count: reason.count, last };
            let result = Err(ProduceError { kind: reason.kind, ..error });
            self.report_with(Outcome { portion, result, ..outcome }, reason.words.clone());
        }
    }

    /// What every failure of a batch means to its partition and transaction. Gives the batch, taken out of the queue,
    /// and its error.
    fn give_up(
        &mut self,
        index: PartitionIndex,
        at: usize,
        kind: ProduceErrorKind,
        code: ErrorCode,
    ) -> Option<(Batch, bool, ProduceError)> {
        let in_transaction = self.source.enlisted().is_some();
        let state = self.partition_mut(index)?;
        let batch = state.queue.get(at)?;
        probe!(FailedUnsure, batch.unsure);
        probe!(FailedInFlight, batch.in_flight.is_some());
        probe!(FailedUnsent, batch.identity.is_none());
        let effect = batch.effect();
        let code = if code.is_ok() { batch.last_code } else { code };
        let was_sent = batch.identity.is_some();
        if was_sent && !in_transaction {
            state.sequences.renew();
        }
        self.hurt(kind, code, was_sent);
        let (batch, last) = self.take_ended(index, at, false)?;
        Some((batch, last, ProduceError { kind, effect, code }))
    }

    /// Gives up the oldest batch of a partition, sealed or not.
    pub(super) fn fail_oldest(&mut self, index: PartitionIndex, kind: ProduceErrorKind, code: ErrorCode) {
        let Some(state) = self.partition_mut(index) else { return };
        if !state.queue.is_empty() {
            self.fail(index, 0, kind, code);
            return;
        }
        self.fail_unsealed(index, kind, code);
    }

    /// Gives up the oldest batch of a partition that is not sealed.
    pub(super) fn fail_unsealed(&mut self, index: PartitionIndex, kind: ProduceErrorKind, code: ErrorCode) {
        let Some(state) = self.partition_mut(index) else { return };
        let Some((batch, opened)) = state.unsealed.pop() else { return };
        probe!(ExpiredUnsealed, kind == ProduceErrorKind::TimedOut);
        self.progress.counts.failed_batches += 1;
        self.progress.ended(opened.generation);
        self.hurt(kind, code, false);
        let error = ProduceError { kind, effect: Effect::None, code };
        self.report(index, batch, Portion::Whole, Err(error));
        self.news.outputs.push_back(ProducerOutput::Discard { partition: index, through: batch });
    }

    /// Gives up all batches of a partition.
    pub(super) fn fail_partition(
        &mut self,
        now: Instant,
        index: PartitionIndex,
        kind: ProduceErrorKind,
        code: ErrorCode,
    ) {
        while self.partition(index).is_some_and(|state| !state.is_idle()) {
            self.fail_oldest(index, kind, code);
        }
        self.schedule(now, index);
    }

    /// Gives up all batches.
    pub(super) fn fail_all(&mut self, now: Instant, kind: ProduceErrorKind, code: ErrorCode) {
        for index in self.known_partitions() {
            self.fail_partition(now, index, kind, code);
        }
    }

    /// Gives up all batches, and all that will come.
    pub(super) fn fail_for_good(&mut self, now: Instant, code: ErrorCode) {
        self.fatal = Some(code);
        self.fail_all(now, ProduceErrorKind::Fatal, code);
    }
}
