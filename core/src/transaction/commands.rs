//! What the application wants.

use alloc::vec::Vec;

use klamm_protocol::ErrorCode;

use super::{
    Transaction, TransactionCommand, TransactionError, TransactionErrorKind, TransactionStep,
    machine::{Closing, Wait},
    output::TopicIds,
    scope::Offsets,
    table::{Input, State},
};
use crate::{Instant, OperationId};

impl TransactionCommand {
    const fn step(&self) -> TransactionStep {
        match self {
            Self::Init => TransactionStep::Initialise,
            Self::Begin => TransactionStep::Begin,
            Self::SendOffsets { .. } => TransactionStep::SendOffsets,
            Self::Commit | Self::Resume => TransactionStep::Commit,
            Self::Abort => TransactionStep::Abort,
        }
    }
}

impl Transaction {
    /// Starts what the application wants: [`TransactionOutput::Done`](super::TransactionOutput::Done) for `operation` by
    /// `deadline`. `topic_ids` are those of the topics whose offsets are sent, as far as they are known.
    pub fn start(
        &mut self,
        operation: OperationId,
        command: TransactionCommand,
        deadline: Instant,
        topic_ids: TopicIds,
    ) {
        let step = command.step();
        let wait = Wait { operation, deadline, step };
        let resumes = matches!(command, TransactionCommand::Resume);
        if let Err(error) = self.check(step, resumes) {
            return self.answer(operation, Err(error));
        }
        match command {
            TransactionCommand::Init => self.waiting.start.push(wait),
            TransactionCommand::Begin => {
                if matches!(self.state, State::Open | State::Failed) {
                    probe!(TransactionLeftOpen);
                    self.give_up();
                }
                self.supersede_begins();
                self.waiting.start.push(wait);
            }
            TransactionCommand::SendOffsets { offsets, .. } if offsets.is_empty() => {
                self.answer(operation, Ok(()));
            }
            TransactionCommand::SendOffsets { group, offsets } => {
                let offsets = Offsets { operation, deadline, group, left: offsets, topic_ids };
                self.scope.offsets.push_back(offsets);
            }
            TransactionCommand::Commit => {
                let failed = self.state == State::Failed;
                self.step(Input::Commit);
                self.waiting.end = Some(wait);
                if failed {
                    probe!(FailedTransactionCommitted);
                }
                self.drain();
            }
            TransactionCommand::Abort => {
                self.give_up();
                self.waiting.end = Some(wait);
            }
            TransactionCommand::Resume => {
                self.step(Input::Resume);
                self.dialogue.succeeded();
                self.waiting.end = Some(wait);
            }
        }
    }

    /// Who waited for an earlier transaction to begin does not any more: there is one at a time, and served first it would
    /// be open with nobody to end it, so that the one behind it would never begin.
    fn supersede_begins(&mut self) {
        let (begins, others) =
            self.waiting.start.drain(..).partition(|wait| wait.step == TransactionStep::Begin);
        self.waiting.start = others;
        for wait in Vec::into_iter(begins) {
            let kind = TransactionErrorKind::Misuse;
            self.answer(wait.operation, Err(TransactionError::new(kind, wait.step, ErrorCode::NONE)));
        }
    }

    /// Whether this can be done now.
    fn check(&self, step: TransactionStep, resumes: bool) -> Result<(), TransactionError> {
        if self.waiting.closing != Closing::No {
            return Err(TransactionError::closed(step));
        }
        let in_doubt = self.state == State::InDoubt;
        let possible = match (step, self.state) {
            (_, State::Dead) => return Err(self.present_failure(step)),
            (TransactionStep::SendOffsets, State::Failed) => return Err(self.present_failure(step)),
            (TransactionStep::Begin | TransactionStep::Initialise, State::InDoubt) => false,
            (TransactionStep::Begin | TransactionStep::Initialise, _) => true,
            (TransactionStep::SendOffsets, state) => state == State::Open,
            (TransactionStep::Abort, state) => matches!(state, State::Open | State::Failed),
            (TransactionStep::Commit, state) if resumes => state == State::InDoubt,
            (TransactionStep::Commit, state) => matches!(state, State::Open | State::Failed),
            _ => false,
        };
        match (possible, in_doubt) {
            (true, _) => Ok(()),
            (false, true) => {
                let kind = TransactionErrorKind::InDoubt;
                Err(TransactionError::new(kind, TransactionStep::Commit, ErrorCode::NONE))
            }
            (false, false) => Err(TransactionError::new(TransactionErrorKind::Misuse, step, ErrorCode::NONE)),
        }
    }

    fn present_failure(&self, step: TransactionStep) -> TransactionError {
        let misuse = || TransactionError::new(TransactionErrorKind::Misuse, step, ErrorCode::NONE);
        self.failure.clone().unwrap_or_else(misuse)
    }

    /// Gives up the transaction that is open, if one is: it is aborted, and nobody waits for that.
    pub fn abandon(&mut self) {
        if matches!(self.state, State::Open | State::Failed) {
            probe!(TransactionAbandoned);
            self.give_up();
        }
    }

    /// Closes it: a transaction that is open is aborted, by `deadline` at the latest.
    /// [`TransactionOutput::Closed`](super::TransactionOutput::Closed) is the last output.
    pub fn close(&mut self, deadline: Instant) {
        match &mut self.waiting.closing {
            Closing::No => self.waiting.closing = Closing::By(deadline),
            Closing::By(earlier) => *earlier = deadline.min(*earlier),
            Closing::Over => return,
        }
        for wait in core::mem::take(&mut self.waiting.start) {
            self.answer(wait.operation, Err(TransactionError::closed(wait.step)));
        }
        self.give_up();
    }
}
