//! The decision how a transaction ends.

use klamm_protocol::{ErrorCode, Str};

use super::state::{Prepared, is_exhausted};
use super::{Clock, Identity, ProducerIds, State, Transactions, Txn};

/// How a transaction is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) commit: bool,
    /// Whether the client's version has the epoch rise with each transaction (KIP-890).
    pub(crate) is_bumping: bool,
}

/// What a request to end a transaction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// It is ended. `is_empty`: nothing was ever added to it.
    End { is_empty: bool },
    /// It has been already.
    Known,
}

impl Transactions {
    /// Ends a transaction; returns who the producer is from now on.
    pub(crate) fn end(
        &mut self,
        clock: Clock,
        id: &Str,
        (producer, ending): (Identity, Ending),
        ids: &mut ProducerIds,
    ) -> Result<Identity, ErrorCode> {
        let txn = self.known(clock.now, id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        let decision = if ending.is_bumping {
            txn.decide_bumping(producer, ending.commit)?
        } else {
            txn.decide(producer, ending.commit)?
        };
        let Decision::End { is_empty } = decision else { return Ok(txn.producer) };
        let is_last = ending.is_bumping && is_exhausted(txn.producer.epoch);
        let next_id = is_last.then(|| ids.draw().id);
        let told = self.decide(clock, id, ending, is_empty, next_id);
        Ok(told.unwrap_or(producer))
    }

    /// Decides how a transaction ends, and has its markers written. Returns who the producer is from then on.
    pub(super) fn decide(
        &mut self,
        clock: Clock,
        id: &str,
        ending: Ending,
        is_empty: bool,
        next_id: Option<i64>,
    ) -> Option<Identity> {
        let txn = self.by_id.get_mut(id)?;
        let Ending { commit, is_bumping } = ending;
        txn.prepare(Prepared { commit, is_bumping, is_empty, next_id }, clock);
        let told = next_id.map_or(txn.producer, |id| Identity { id, epoch: 0 });
        self.tell(id);
        self.send_markers(clock.now, id);
        Some(told)
    }
}

impl Txn {
    /// A client whose epoch stays the same.
    fn decide(&self, producer: Identity, commit: bool) -> Result<Decision, ErrorCode> {
        if self.producer.id != producer.id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if self.producer.epoch != producer.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(Decision::End { is_empty: false }),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Decision::Known),
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    /// A client whose epoch rises with each transaction: with the epoch before, it asks again.
    fn decide_bumping(&self, producer: Identity, commit: bool) -> Result<Decision, ErrorCode> {
        let was_bumped = self.is_bumping && self.producer.epoch.checked_sub(1) == Some(producer.epoch);
        let got_new_id = self.is_bumping
            && self.others.previous_id == Some(producer.id)
            && is_exhausted(producer.epoch)
            && self.producer.epoch == 0;
        if self.producer.id != producer.id && !got_new_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        let is_current = producer.epoch == self.producer.epoch;
        let is_repeated = was_bumped || got_new_id;
        let is_valid = match self.state {
            State::Ongoing | State::Empty => is_current,
            State::PrepareCommit | State::PrepareAbort => was_bumped,
            State::CompleteCommit | State::CompleteAbort => is_repeated || is_current,
        };
        if !is_valid {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(Decision::End { is_empty: false }),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if is_repeated => {
                Ok(Decision::Known)
            }
            // A transaction to which nothing was added, as far as the coordinator knows, can be aborted only.
            (State::CompleteCommit | State::CompleteAbort | State::Empty, false) if !is_repeated => {
                Ok(Decision::End { is_empty: true })
            }
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }
}
