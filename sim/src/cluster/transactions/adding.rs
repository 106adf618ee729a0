//! Partitions that become part of a transaction.

use klamm_core::Instant;
use klamm_protocol::ErrorCode;

use super::{Clock, Identity, Place, State, Transactions, Txn};

/// Who adds partitions to a transaction, or asks whether they are part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adding<'a> {
    pub(crate) id: &'a str,
    pub(crate) producer: Identity,
    /// Whether the client's version has the epoch rise with each transaction (KIP-890).
    pub(crate) is_bumping: bool,
}

impl Transactions {
    /// Adds partitions to a transaction, which begins if it has not.
    pub(crate) fn add(
        &mut self,
        clock: Clock,
        adding: &Adding<'_>,
        places: Vec<Place>,
    ) -> Result<(), ErrorCode> {
        let txn = self.known(clock.now, adding.id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        txn.check(adding.producer)?;
        let is_news = txn.state != State::Ongoing;
        if is_news || !places.iter().all(|place| txn.partitions.contains(place)) {
            txn.add(places, adding.is_bumping, clock);
        }
        if is_news {
            let (started, timeout, id) = (txn.started, txn.timeout, txn.id.clone());
            self.watch(started + timeout, id);
            self.tell(adding.id);
        }
        Ok(())
    }

    /// Whether a partition is part of a producer's transaction.
    pub(crate) fn verify(
        &self,
        now: Instant,
        adding: &Adding<'_>,
        place: &Place,
        not_part: ErrorCode,
    ) -> Result<(), ErrorCode> {
        let txn = self.get(now, adding.id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        txn.check(adding.producer)?;
        let is_part = txn.partitions.contains(place);
        if is_part { Ok(()) } else { Err(not_part) }
    }
}

impl Txn {
    /// Whether a producer is the current one and no transaction is being ended.
    fn check(&self, producer: Identity) -> Result<(), ErrorCode> {
        if self.producer.id != producer.id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if self.producer.epoch != producer.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        if self.state.is_ending() { Err(ErrorCode::CONCURRENT_TRANSACTIONS) } else { Ok(()) }
    }
}
