//! What becomes of the transaction after an answer, or without one.

use alloc::{collections::BTreeMap, string::String};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyResponse, add_partitions_to_txn::AddPartitionsToTxnResponse, end_txn::EndTxnResponse,
        find_coordinator::FindCoordinatorResponse, init_producer_id::InitProducerIdResponse,
        txn_offset_commit::TxnOffsetCommitResponse,
    },
};

use super::{
    Transaction, TransactionError, TransactionErrorKind, TransactionOutput, TransactionStep,
    dialogue::{Asked, UnderWay},
    table::Input,
    verdict::Verdict,
};
use crate::{Instant, Misbehaved, group::TopicPartition, producer::ProducerId, whereabouts::Found};

impl Transaction {
    /// Takes an answer. `number` is that of its token; an unknown one is ignored.
    ///
    /// # Errors
    ///
    /// The answer is none to the request: nonsense, which costs the connection. The request is repeated.
    pub fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        let Some(under_way) = self.take_under_way(number) else { return Ok(()) };
        match (&under_way.asked, response) {
            (Asked::Coordinator | Asked::GroupCoordinator(_), AnyResponse::FindCoordinator(response)) => {
                self.found(now, &under_way, response);
            }
            (Asked::Init, AnyResponse::InitProducerId(response)) => self.named(now, &under_way, response),
            (Asked::Partitions(asked), AnyResponse::AddPartitionsToTxn(response)) => {
                return self.partitions_added(now, &under_way, asked, response);
            }
            (Asked::Group(group), AnyResponse::AddOffsetsToTxn(response)) => {
                if self.judge(now, &under_way, response.error_code) {
                    self.scope.groups.insert(group.clone());
                }
            }
            (Asked::Offsets, AnyResponse::TxnOffsetCommit(response)) => {
                return self.offsets_sent(now, &under_way, response);
            }
            (Asked::End { commit }, AnyResponse::EndTxn(response)) => {
                self.end_answered(now, &under_way, *commit, response);
            }
            _ => {
                self.unanswered(now, &under_way, true);
                return Err(Misbehaved::Nonsense("an answer to another request"));
            }
        }
        Ok(())
    }

    /// Takes the news that a request will get no answer: whether a byte of it had left, and whether the broker cannot
    /// understand it. `number` is that of its token; an unknown one is ignored.
    pub fn handle_lost(&mut self, now: Instant, number: u64, written: bool, unsupported: bool) {
        let Some(under_way) = self.take_under_way(number) else { return };
        if !unsupported {
            return self.unanswered(now, &under_way, written);
        }
        let step = under_way.asked.step();
        let error = |kind| TransactionError::new(kind, step, ErrorCode::UNSUPPORTED_VERSION);
        match under_way.asked {
            Asked::Offsets if !self.dialogue.anonymous => {
                probe!(MemberUntold);
                self.dialogue.anonymous = true;
            }
            Asked::Coordinator if self.name.id.is_none() => {
                self.dialogue.coordinator.handle_lost(now, number, &mut self.entropy);
                self.refused(&error(TransactionErrorKind::Refused));
            }
            Asked::Init if self.name.id.is_none() => self.refused(&error(TransactionErrorKind::Refused)),
            _ => self.die(error(TransactionErrorKind::Fatal)),
        }
    }

    fn take_under_way(&mut self, number: u64) -> Option<UnderWay> {
        self.dialogue.under_way.take_if(|under_way| under_way.number == number)
    }

    /// No answer: it is asked again.
    fn unanswered(&mut self, now: Instant, under_way: &UnderWay, written: bool) {
        match &under_way.asked {
            Asked::Coordinator => {
                return self.dialogue.coordinator.handle_lost(now, under_way.number, &mut self.entropy);
            }
            Asked::GroupCoordinator(group) => {
                if let Some(group) = self.dialogue.groups.get_mut(group) {
                    group.handle_lost(now, under_way.number, &mut self.entropy);
                }
                return;
            }
            Asked::Partitions(_) | Asked::Group(_) | Asked::Offsets => self.scope.maybe_more |= written,
            Asked::End { commit: true } => {
                probe!(CommitUnanswered, written);
                self.scope.end_unsure |= written;
            }
            Asked::Init | Asked::End { commit: false } => {}
        }
        self.elsewhere(now, under_way);
        self.dialogue.retry(now, &self.config, false, &mut self.entropy);
    }

    /// The broker is no coordinator any more.
    fn elsewhere(&mut self, now: Instant, under_way: &UnderWay) {
        let group = self.scope.offsets.front().map(|offsets| offsets.group.group_id.clone());
        self.dialogue.lost(now, under_way, group.as_ref(), &mut self.entropy);
    }

    /// Acts on what an answer says: true if it is done.
    fn judge(&mut self, now: Instant, under_way: &UnderWay, code: ErrorCode) -> bool {
        let step = under_way.asked.step();
        let error = |kind| TransactionError::new(kind, step, code);
        match Verdict::of(step, code) {
            Verdict::Done => {
                self.proved(under_way);
                return true;
            }
            Verdict::Retry => self.dialogue.retry(now, &self.config, false, &mut self.entropy),
            Verdict::RetrySoon => {
                probe!(TransactionStillCompleting);
                self.dialogue.retry(now, &self.config, true, &mut self.entropy);
            }
            Verdict::Elsewhere => {
                probe!(TransactionCoordinatorMoved);
                self.elsewhere(now, under_way);
            }
            Verdict::Abort => self.fail(error(TransactionErrorKind::Abortable), false),
            // Without a way to another epoch it makes no difference whose the new one is.
            Verdict::AbortAndRenew if !self.offered.renewal => {
                let is_epoch = code == ErrorCode::INVALID_PRODUCER_EPOCH;
                let kind = if is_epoch { TransactionErrorKind::Fenced } else { TransactionErrorKind::Fatal };
                self.die(error(kind));
            }
            Verdict::AbortAndRenew => self.fail(error(TransactionErrorKind::Abortable), true),
            Verdict::Fenced => self.die(error(TransactionErrorKind::Fenced)),
            Verdict::Refused => self.refused(&error(TransactionErrorKind::Refused)),
            Verdict::Fatal => self.die(error(TransactionErrorKind::Fatal)),
        }
        false
    }

    fn proved(&mut self, under_way: &UnderWay) {
        self.dialogue.succeeded();
        if under_way.asked == Asked::Offsets {
            for group in self.dialogue.groups.values_mut() {
                group.proved();
            }
        } else {
            self.dialogue.coordinator.proved();
        }
    }

    fn found(&mut self, now: Instant, under_way: &UnderWay, response: &FindCoordinatorResponse) {
        let whereabouts = match &under_way.asked {
            Asked::GroupCoordinator(group) => self.dialogue.groups.get_mut(group),
            _ => Some(&mut self.dialogue.coordinator),
        };
        let Some(whereabouts) = whereabouts else { return };
        let found = whereabouts.handle_response(now, under_way.number, response, &mut self.entropy);
        let Found::Refused { code, message } = found else { return };
        let error = |kind| TransactionError::new(kind, TransactionStep::FindCoordinator, code);
        let is_group = matches!(under_way.asked, Asked::GroupCoordinator(_));
        if is_group {
            self.fail(error(TransactionErrorKind::Abortable).because(message), false);
        } else if self.state.after(Input::Refuse).is_some() {
            self.refused(&error(TransactionErrorKind::Refused).because(message));
        } else {
            self.die(error(TransactionErrorKind::Fatal).because(message));
        }
    }

    /// There is no producer id to be had until something is changed.
    fn refused(&mut self, error: &TransactionError) {
        self.step(Input::Refuse);
        for wait in core::mem::take(&mut self.waiting.start) {
            self.answer(wait.operation, Err(error.clone()));
        }
    }

    fn named(&mut self, now: Instant, under_way: &UnderWay, response: &InitProducerIdResponse) {
        let code = response.error_code;
        match Verdict::of(TransactionStep::Initialise, code) {
            Verdict::Done if response.producer_id >= 0 && response.producer_epoch >= 0 => {
                self.proved(under_way);
                probe!(TransactionEpochRenewed, self.name.id.is_some());
                self.renamed(ProducerId { id: response.producer_id, epoch: response.producer_epoch });
                self.name.implicit = self.offered.transaction_version >= 2;
                self.step(Input::Named);
            }
            Verdict::Done => self.dialogue.retry(now, &self.config, false, &mut self.entropy),
            // There is no transaction that could be aborted.
            Verdict::Abort | Verdict::AbortAndRenew => {
                let (kind, step) = (TransactionErrorKind::Fatal, TransactionStep::Initialise);
                self.die(TransactionError::new(kind, step, code));
            }
            _ => {
                self.judge(now, under_way, code);
            }
        }
    }

    fn partitions_added(
        &mut self,
        now: Instant,
        under_way: &UnderWay,
        asked: &[TopicPartition],
        response: &AddPartitionsToTxnResponse,
    ) -> Result<(), Misbehaved> {
        let answers = response.results_by_topic_v3_and_below.iter().flat_map(|topic| {
            let each = topic.results_by_partition.iter();
            each.map(|each| ((topic.name.clone(), each.partition_index), each.partition_error_code))
        });
        let answers: BTreeMap<TopicPartition, ErrorCode> = answers.collect();
        if asked.iter().any(|partition| !answers.contains_key(partition)) {
            self.unanswered(now, under_way, true);
            return Err(Misbehaved::Nonsense("an answer without all of the partitions"));
        }
        // All are added, or none is. What some were refused for, the others were not attempted for.
        let refusals = || answers.iter().filter(|(_, code)| code.is_error());
        let not_attempted = ErrorCode::OPERATION_NOT_ATTEMPTED;
        let refusal = refusals().find(|(_, code)| **code != not_attempted).or_else(|| refusals().next());
        match refusal {
            None => {
                self.judge(now, under_way, ErrorCode::NONE);
                let indices = self.scope.enrol(asked);
                if !indices.is_empty() {
                    self.outputs.push_back(TransactionOutput::Enrolled(indices));
                }
            }
            Some((_, code)) => {
                self.judge(now, under_way, *code);
            }
        }
        Ok(())
    }

    fn offsets_sent(
        &mut self,
        now: Instant,
        under_way: &UnderWay,
        response: &TxnOffsetCommitResponse,
    ) -> Result<(), Misbehaved> {
        let Some(offsets) = self.scope.offsets.front_mut() else { return Ok(()) };
        let mut worst = ErrorCode::NONE;
        let before = offsets.left.len();
        for topic in &response.topics {
            let by_id = || offsets.topic_ids.iter().find(|(_, id)| **id == topic.topic_id);
            let name: Option<Str> = match topic.name.is_empty() {
                true => by_id().map(|(name, _)| name.clone()),
                false => Some(topic.name.clone()),
            };
            let Some(name) = name else { continue };
            for each in &topic.partitions {
                if each.error_code.is_ok() {
                    offsets.left.remove(&(name.clone(), each.partition_index));
                } else if !worst.is_error() || worst.is_retriable() {
                    worst = each.error_code;
                }
            }
        }
        let (left, operation) = (offsets.left.len(), offsets.operation);
        if left > 0 && worst.is_ok() {
            self.unanswered(now, under_way, true);
            return match left < before {
                true => Ok(()),
                false => Err(Misbehaved::Nonsense("an answer without the partitions")),
            };
        }
        if self.judge(now, under_way, worst) {
            self.scope.offsets.pop_front();
            self.answer(operation, Ok(()));
        }
        Ok(())
    }

    fn end_answered(&mut self, now: Instant, under_way: &UnderWay, commit: bool, response: &EndTxnResponse) {
        let code = response.error_code;
        let verdict = Verdict::of(under_way.asked.step(), code);
        let next = ProducerId { id: response.producer_id, epoch: response.producer_epoch };
        match verdict {
            Verdict::Done => {
                self.proved(under_way);
                self.renamed(next);
                self.waiting.pause = Some(now + self.config.completing_pause);
                self.ended();
            }
            Verdict::Fenced if planted!(FencedGoesOn) => self.ended(),
            // The coordinator did something, or nothing.
            Verdict::Retry if code == ErrorCode::UNKNOWN_SERVER_ERROR => {
                self.scope.end_unsure |= commit;
                self.judge(now, under_way, code);
            }
            // Its timeout passed: the coordinator has aborted it, and would know the end of its own epoch otherwise.
            Verdict::Fatal if commit && code == ErrorCode::INVALID_TXN_STATE && self.scope.implicit => {
                let (kind, step) = (TransactionErrorKind::Abortable, TransactionStep::Commit);
                self.fail(TransactionError::new(kind, step, code), false);
            }
            // Nothing of this epoch can be open: the coordinator, or another producer, has ended it.
            Verdict::AbortAndRenew if !commit && self.offered.renewal => {
                self.name.renew = true;
                self.ended();
            }
            // What the first attempt did is over and forgotten.
            Verdict::AbortAndRenew | Verdict::Abort if self.scope.end_unsure => {
                let (kind, step) = (TransactionErrorKind::Fatal, TransactionStep::Commit);
                self.die(
                    TransactionError::new(kind, step, code)
                        .because(String::from("an earlier attempt was not answered")),
                );
            }
            Verdict::Fatal if !commit && code == ErrorCode::INVALID_TXN_STATE && !self.scope.is_certain() => {
                // There was nothing to end; what may still be under way must not begin it.
                probe!(NothingToEnd);
                self.name.renew = true;
                self.ended();
            }
            _ => {
                self.judge(now, under_way, code);
            }
        }
    }
}
