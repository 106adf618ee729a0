//! How transactions fail and end.

use alloc::vec::Vec;

use klamm_protocol::ErrorCode;

use super::{
    Transaction, TransactionError, TransactionErrorKind, TransactionOutput, TransactionStep,
    dialogue::{Asked, UnderWay},
    machine::Wait,
    scope::Scope,
    table::{Input, State},
};
use crate::{Effect, producer::ProducerId};

impl Transaction {
    /// Something of the transaction failed: it can only be aborted. With `renew`, another epoch is needed after that.
    pub(super) fn fail(&mut self, error: TransactionError, renew: bool) {
        if matches!(self.state, State::New | State::Starting | State::Ready | State::InDoubt | State::Dead) {
            return;
        }
        self.name.renew |= renew;
        if !self.step(Input::Fail) {
            return;
        }
        probe!(TransactionFailed);
        self.drop_pending(&error);
        self.failure = Some(error);
        self.abandon_batches();
        if self.state == State::Draining {
            self.drain();
        }
    }

    /// Nothing can be done any more.
    pub(super) fn die(&mut self, error: TransactionError) {
        let unsure = self.is_end_unsure();
        if !self.step(Input::Fatal) {
            return;
        }
        probe!(TransactionFenced, error.fenced());
        self.dialogue.under_way = None;
        let error = if unsure { error.with_effect(Effect::Unknown) } else { error };
        self.drop_pending(&error);
        for wait in core::mem::take(&mut self.waiting.start) {
            self.answer(wait.operation, Err(error.clone()));
        }
        if let Some(wait) = self.waiting.end.take() {
            self.answer(wait.operation, Err(error.clone()));
        }
        let code = error.code;
        // What the next one is told is not about the transaction that ended here.
        self.failure = Some(error);
        self.scope = Scope::new(self.scope.implicit);
        self.outputs.push_back(TransactionOutput::Doomed(code));
    }

    /// The transaction is ended, or there was nothing to end.
    pub(super) fn ended(&mut self) {
        let committed = self.state == State::Committing;
        if !self.step(Input::Ended) {
            return;
        }
        let failure = self.failure.take();
        self.scope = Scope::new(self.scope.implicit);
        self.dialogue.succeeded();
        let Some(wait) = self.waiting.end.take() else { return };
        let failed_commit = !committed && wait.step == TransactionStep::Commit;
        let result = match failure {
            Some(error) if failed_commit => Err(error),
            _ => Ok(()),
        };
        self.answer(wait.operation, result);
    }

    /// Takes the id and epoch that the end of a transaction brought (KIP-890).
    pub(super) const fn renamed(&mut self, id: ProducerId) {
        if id.id >= 0 && id.epoch >= 0 {
            self.name.id = Some(id);
            self.name.renew = false;
        }
    }

    /// Nobody waits any longer for the end of the transaction.
    pub(super) fn end_timed_out(&mut self, wait: Wait) {
        let error = TransactionError::new(TransactionErrorKind::TimedOut, wait.step, ErrorCode::NONE);
        match self.state {
            State::Committing if self.is_end_unsure() => {
                probe!(CommitInDoubt);
                self.step(Input::Doubt);
                self.scope.end_unsure = true;
                let is_end = |under_way: &mut UnderWay| matches!(under_way.asked, Asked::End { .. });
                drop(self.dialogue.under_way.take_if(is_end));
                let doubt = TransactionError::new(TransactionErrorKind::InDoubt, wait.step, ErrorCode::NONE);
                self.answer(wait.operation, Err(doubt));
            }
            State::Flushing | State::Committing => {
                self.fail(error.clone(), false);
                self.answer(wait.operation, Err(error));
            }
            // It goes on being aborted; the next transaction waits for that.
            _ => {
                let failure = self.failure.clone().filter(|_| wait.step == TransactionStep::Commit);
                self.answer(wait.operation, Err(failure.unwrap_or(error)));
            }
        }
    }

    /// Whether the coordinator may have been told to commit.
    pub(super) fn is_end_unsure(&self) -> bool {
        let is_end = |asked: &Asked| *asked == Asked::End { commit: true };
        self.scope.end_unsure
            || self.dialogue.under_way.as_ref().is_some_and(|under_way| is_end(&under_way.asked))
    }

    /// Ends an open transaction without the application.
    pub(super) fn give_up(&mut self) {
        if self.step(Input::Abort) {
            let step = TransactionStep::Abort;
            self.dialogue.retry_at = None;
            self.drop_pending(&TransactionError::new(TransactionErrorKind::Abortable, step, ErrorCode::NONE));
            self.abandon_batches();
            self.drain();
        }
    }

    /// What is not in the transaction yet will never be.
    fn drop_pending(&mut self, error: &TransactionError) {
        self.scope.wanted.clear();
        let offsets: Vec<_> = self.scope.offsets.drain(..).collect();
        for offsets in offsets {
            self.answer(offsets.operation, Err(error.clone()));
        }
    }

    fn abandon_batches(&mut self) {
        // Where another epoch cannot be had, a gap in the sequence numbers is the end.
        let keep_sent = !self.offered.renewal;
        self.outputs.push_back(TransactionOutput::Abandon { keep_sent });
    }

    pub(super) fn drain(&mut self) {
        self.scope.is_drained = false;
        self.outputs.push_back(TransactionOutput::Drain);
    }
}
