//! The machine itself: what it holds, and how it moves on.

use alloc::{collections::VecDeque, vec::Vec};

use klamm_protocol::{ErrorCode, Str};

use super::{
    BatchFailure, TransactionConfig, TransactionError, TransactionErrorKind, TransactionOutput,
    TransactionStep,
    dialogue::Dialogue,
    scope::Scope,
    table::{Input, State},
    verdict::Verdict,
};
use crate::{Entropy, Instant, OperationId, PartitionIndex, ProducerHandle, earliest, producer::ProducerId};

/// What the brokers offer to transactional producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The finalized level of the feature `transaction.version`; 0 if there is none.
    pub transaction_version: i16,
    /// Whether a producer can get another epoch that knows its own (InitProducerId from version 3, KIP-360).
    pub renewal: bool,
}

/// Somebody waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) operation: OperationId,
    pub(super) deadline: Instant,
    pub(super) step: TransactionStep,
}

/// How far the end of the producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// By then at the latest.
    By(Instant),
    Over,
}

/// Who waits, and whether anybody will ever come again.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// For the producer id, or for a transaction to begin.
    pub(super) start: Vec<Wait>,
    /// For the end of the transaction.
    pub(super) end: Option<Wait>,
    /// Until when no transaction begins.
    pub(super) pause: Option<Instant>,
    pub(super) closing: Closing,
}

/// The producer id, and whether it can be used further.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    pub(super) id: Option<ProducerId>,
    /// Another epoch is needed before the next transaction.
    pub(super) renew: bool,
    /// It has its epoch from version 2 of the protocol.
    pub(super) implicit: bool,
}

/// The machine that carries out transactions: see the [module](super).
#[derive(Clone, Debug)]
pub struct Transaction {
    pub(super) handle: ProducerHandle,
    pub(super) config: TransactionConfig,
    pub(super) entropy: Entropy,
    pub(super) state: State,
    pub(super) name: Name,
    pub(super) offered: Offered,
    pub(super) scope: Scope,
    pub(super) dialogue: Dialogue,
    pub(super) waiting: Waiting,
    /// Why the transaction can only be aborted, or why nothing can be done any more.
    pub(super) failure: Option<TransactionError>,
    pub(super) outputs: VecDeque<TransactionOutput>,
}

impl Transaction {
    /// For the producer of this handle. Its requests carry `Token::Transaction(handle, number)`. Nothing is asked before
    /// a command.
    #[must_use]
    pub const fn new(handle: ProducerHandle, config: TransactionConfig, entropy: Entropy) -> Self {
        Self {
            handle,
            entropy,
            state: State::New,
            name: Name { id: None, renew: false, implicit: false },
            offered: Offered { transaction_version: 0, renewal: false },
            scope: Scope::new(false),
            dialogue: Dialogue::new(&config),
            waiting: Waiting { start: Vec::new(), end: None, pause: None, closing: Closing::No },
            failure: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    // Inputs. The answers of brokers are in `answers`.

    /// What the brokers offer, as far as is known by now. The next transaction goes by it.
    pub const fn handle_offered(&mut self, offered: Offered) {
        self.offered = offered;
    }

    /// The producer has something for this partition, which is not in the transaction.
    pub fn handle_wanted(&mut self, index: PartitionIndex, topic: &Str, partition: i32) {
        if matches!(self.state, State::Open | State::Flushing) {
            self.scope.wanted.insert((topic.clone(), partition), index);
        }
    }

    /// A batch of the transaction was not written.
    pub fn handle_batch_failed(&mut self, failure: BatchFailure) {
        let BatchFailure { code, was_sent, is_fatal } = failure;
        let verdict = Verdict::of(TransactionStep::Produce, code);
        let error = |kind| TransactionError::new(kind, TransactionStep::Produce, code);
        match verdict {
            Verdict::Fenced => self.die(error(TransactionErrorKind::Fenced)),
            Verdict::AbortAndRenew => self.fail(error(TransactionErrorKind::Abortable), true),
            _ if is_fatal => self.die(error(TransactionErrorKind::Fatal)),
            _ => self.fail(error(TransactionErrorKind::Abortable), was_sent),
        }
    }

    /// The answer to [`TransactionOutput::Drain`]: the producer has nothing left, and nothing under way.
    pub const fn handle_drained(&mut self) {
        self.scope.is_drained = true;
    }

    /// Time passes.
    pub fn handle_timeout(&mut self, now: Instant) {
        let expired: Vec<Wait> =
            self.waiting.start.iter().filter(|wait| wait.deadline <= now).copied().collect();
        self.waiting.start.retain(|wait| wait.deadline > now);
        for wait in expired {
            let error = TransactionError::new(TransactionErrorKind::TimedOut, wait.step, ErrorCode::NONE);
            self.answer(wait.operation, Err(error));
        }
        if self.scope.offsets.front().is_some_and(|offsets| offsets.deadline <= now) {
            let step = TransactionStep::SendOffsets;
            self.fail(TransactionError::new(TransactionErrorKind::TimedOut, step, ErrorCode::NONE), false);
        }
        if let Some(wait) = self.waiting.end.take_if(|wait| wait.deadline <= now) {
            self.end_timed_out(wait);
        }
        if matches!(self.waiting.closing, Closing::By(deadline) if deadline <= now) {
            self.die(TransactionError::closed(TransactionStep::Abort));
        }
    }

    // Outputs.

    /// The next wish or piece of news.
    pub fn poll(&mut self, now: Instant) -> Option<TransactionOutput> {
        self.waiting.pause.take_if(|until| *until <= now);
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if self.waiting.closing == Closing::Over || !(self.move_on() || self.ask(now)) {
                return None;
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll`](Self::poll) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.waiting.closing == Closing::Over {
            return None;
        }
        let start = self.waiting.start.iter().map(|wait| wait.deadline).min();
        let end = self.waiting.end.map(|wait| wait.deadline);
        let offsets = self.scope.offsets.front().map(|offsets| offsets.deadline);
        let closing = match self.waiting.closing {
            Closing::By(deadline) => Some(deadline),
            Closing::No | Closing::Over => None,
        };
        let pause = self.waiting.pause.filter(|_| self.next_begins());
        [start, end, offsets, closing, pause, self.ask_timeout()].into_iter().fold(None, earliest)
    }

    // Getters.

    /// The producer id and epoch, once there is one.
    #[must_use]
    pub const fn producer_id(&self) -> Option<ProducerId> {
        self.name.id
    }

    /// Why the transaction that is open can only be aborted, or why nothing can be done any more.
    #[must_use]
    pub const fn failure(&self) -> Option<&TransactionError> {
        self.failure.as_ref()
    }

    /// Whether version 2 of the protocol is used (KIP-890), by the last transaction that was begun.
    #[must_use]
    pub const fn is_implicit(&self) -> bool {
        self.scope.implicit
    }

    // Helpers.

    pub(super) fn step(&mut self, input: Input) -> bool {
        match self.state.after(input).filter(|_| self.waiting.closing != Closing::Over) {
            Some(next) => {
                self.state = next;
                true
            }
            None => false,
        }
    }

    pub(super) fn answer(&mut self, operation: OperationId, result: Result<(), TransactionError>) {
        self.outputs.push_back(TransactionOutput::Done { operation, result });
    }

    /// Takes the next step that needs no answer; returns whether there was one.
    fn move_on(&mut self) -> bool {
        match self.state {
            State::New if self.waiting.closing == Closing::No => {
                !self.waiting.start.is_empty() && self.step(Input::Init)
            }
            State::Ready if self.waiting.closing == Closing::No => self.move_on_ready(),
            State::Flushing if self.is_drained() && self.scope.offsets.is_empty() => self.drained(),
            State::Draining if self.is_drained() => self.drained(),
            state if state.is_at_rest() && matches!(self.waiting.closing, Closing::By(_)) => {
                self.waiting.closing = Closing::Over;
                self.outputs.push_back(TransactionOutput::Closed);
                true
            }
            _ => false,
        }
    }

    /// Whether a transaction is what is to be started next.
    fn next_begins(&self) -> bool {
        self.waiting.start.first().is_some_and(|wait| wait.step == TransactionStep::Begin)
    }

    const fn is_drained(&self) -> bool {
        self.scope.is_drained && self.dialogue.under_way.is_none()
    }

    fn drained(&mut self) -> bool {
        let stepped = self.step(Input::Drained);
        if self.scope.is_empty() && !planted!(EmptyEnded) {
            // The coordinator has never heard of this transaction: to end it would be an error.
            self.ended();
        }
        stepped
    }

    fn move_on_ready(&mut self) -> bool {
        let implicit = self.offered.transaction_version >= 2;
        let begins = self.waiting.start.iter().any(|wait| wait.step == TransactionStep::Begin);
        // What was written under this epoch by the rules of version 1 could be taken for part of the next transaction.
        let switches = begins && implicit && !self.name.implicit;
        if self.name.renew || switches {
            if self.offered.renewal {
                return self.step(Input::Init);
            }
            let (kind, step) = (TransactionErrorKind::Fatal, TransactionStep::Initialise);
            self.die(TransactionError::new(kind, step, ErrorCode::UNSUPPORTED_VERSION));
            return true;
        }
        let Some(id) = self.name.id else { return false };
        let Some(wait) = self.waiting.start.first().copied() else { return false };
        if self.waiting.pause.is_some() && self.next_begins() {
            return false;
        }
        self.waiting.start.remove(0);
        if wait.step == TransactionStep::Begin {
            self.step(Input::Begin);
            self.name.implicit = implicit;
            self.scope = Scope::new(implicit);
            self.outputs.push_back(TransactionOutput::Begun { id, implicit });
        }
        self.answer(wait.operation, Ok(()));
        true
    }
}
