//! How batches end.

use klamm_protocol::ErrorCode;

use super::{
    Acknowledged, BatchId, Outcome, Portion, ProduceError, ProduceErrorKind, ProducerOutput,
    machine::Producer,
};
use crate::{Effect, Instant, PartitionIndex};

impl Producer {
    pub(super) fn report(
        &mut self,
        partition: PartitionIndex,
        batch: BatchId,
        portion: Portion,
        result: Result<Acknowledged, ProduceError>,
    ) {
        self.news.outputs.push_back(ProducerOutput::Outcome(Outcome { partition, batch, portion, result }));
    }

    /// Takes the batch at `at` out of the queue and reports its outcome.
    fn end(&mut self, index: PartitionIndex, at: usize, result: Result<Acknowledged, ProduceError>) {
        let Some(state) = self.partition_mut(index) else { return };
        let Some(batch) = state.queue.remove(at) else { return };
        let last = !state.queue.iter().any(|other| other.key.batch == batch.key.batch);
        if last {
            self.progress.ended(batch.opened.generation);
        }
        self.progress.counts.ended(batch.sealed.count(), result.is_ok());
        self.report(index, batch.key.batch, batch.portion(last), result);
    }

    pub(super) fn acknowledge(&mut self, index: PartitionIndex, at: usize, acknowledged: Acknowledged) {
        self.end(index, at, Ok(acknowledged));
    }

    /// Gives up the batch at `at` of the queue.
    ///
    /// The broker may have taken a batch that was sent, now or later. If the next one took its sequence, the broker
    /// could mistake that for a resend and acknowledge it without writing it. So whatever was sent and is given up
    /// ends the partition's epoch. In a transaction it ends the transaction, which has the epoch.
    pub(super) fn fail(&mut self, index: PartitionIndex, at: usize, kind: ProduceErrorKind, code: ErrorCode) {
        let in_transaction = self.source.enlisted().is_some();
        let Some(state) = self.partition_mut(index) else { return };
        let Some(batch) = state.queue.get(at) else { return };
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
        self.end(index, at, Err(ProduceError { kind, effect, code }));
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
