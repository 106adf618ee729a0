//! Handing out producer ids and epochs.

use std::time::Duration;

use klamm_protocol::{ErrorCode, Str};

use super::state::{NO_EPOCH, is_exhausted};
use super::{Clock, Ending, Identity, ProducerIds, State, Transactions, Txn};

/// Who wants a producer id.
#[derive(Debug)]
pub(crate) struct Init<'a> {
    pub(crate) id: &'a Str,
    pub(crate) timeout_ms: i32,
    /// Who it is already, if it says so (KIP-360).
    pub(crate) expected: Option<Identity>,
}

impl Transactions {
    /// How long a transaction may take, if it may.
    pub(crate) fn timeout(&self, timeout_ms: i32) -> Result<Duration, ErrorCode> {
        let timeout = u64::try_from(timeout_ms).map(Duration::from_millis).unwrap_or_default();
        let is_valid = !timeout.is_zero() && timeout <= self.config.max_timeout;
        if is_valid { Ok(timeout) } else { Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT) }
    }

    /// Hands a producer id out, with an epoch that fences everybody who had an earlier one.
    pub(crate) fn init(
        &mut self,
        clock: Clock,
        init: &Init<'_>,
        ids: &mut ProducerIds,
    ) -> Result<Identity, ErrorCode> {
        let timeout = self.timeout(init.timeout_ms)?;
        if self.known(clock.now, init.id).is_none() {
            let new = ids.draw();
            let mut txn = Txn::new(Str::copy_of(init.id), new.id, timeout, clock);
            // An epoch that a fault wants is that of the first answer.
            txn.producer.epoch = new.epoch - 1;
            self.by_id.insert(txn.id.clone(), txn);
        }
        let Some(txn) = self.by_id.get_mut(init.id) else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        if !init.expected.is_none_or(|expected| txn.may_be(expected)) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match txn.state {
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Ongoing => {
                // The epoch of this abort is never told to anybody: who asks again gets the next one.
                self.fence(clock, init.id);
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                txn.renew(init.expected, ids)?;
                (txn.timeout, txn.started_ms, txn.updated) = (timeout, -1, clock.now);
                txn.state = State::Empty;
                let producer = txn.producer;
                self.tell(init.id);
                Ok(producer)
            }
        }
    }

    /// Aborts an ongoing transaction under an epoch that its producer does not have.
    pub(super) fn fence(&mut self, clock: Clock, id: &Str) {
        let Some(txn) = self.by_id.get_mut(id) else { return };
        let is_bumping = txn.is_bumping;
        if !is_bumping {
            txn.others.last_epoch = txn.producer.epoch;
            txn.producer.epoch = txn.producer.epoch.saturating_add(1);
        }
        self.decide(clock, id, Ending { commit: false, is_bumping }, false, None);
    }
}

impl Txn {
    /// Whether a producer that says who it is may be the one with this transactional id.
    const fn may_be(&self, expected: Identity) -> bool {
        let was_before = match self.others.previous_id {
            Some(previous) => expected.id == previous && is_exhausted(expected.epoch),
            None => false,
        };
        self.producer.epoch == NO_EPOCH || expected.id == self.producer.id || was_before
    }

    /// Gives the producer its next epoch, or a new id if there is none; the same again if it asks again.
    fn renew(&mut self, expected: Option<Identity>, ids: &mut ProducerIds) -> Result<(), ErrorCode> {
        let epoch = self.producer.epoch;
        if is_exhausted(epoch) && expected.is_none_or(|expected| expected.epoch == epoch) {
            self.others.previous_id = Some(self.producer.id);
            self.others.last_epoch = if expected.is_some() { epoch } else { NO_EPOCH };
            self.producer = ids.draw();
            return Ok(());
        }
        match expected {
            None => self.others.last_epoch = NO_EPOCH,
            Some(expected) if epoch == NO_EPOCH || expected.epoch == epoch => self.others.last_epoch = epoch,
            // It asks again.
            Some(expected) if expected.epoch == self.others.last_epoch => return Ok(()),
            Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
        }
        self.producer.epoch = epoch.saturating_add(1);
        Ok(())
    }
}
