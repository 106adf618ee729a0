//! Rebalances told to a listener, outside every lock.

use klamm_core::group::{AssignedPartition, LostReason, TopicPartition};

use super::{GroupBatch, GroupConsumer, GroupEvent, GroupReadError, Revocation};

/// Hears of rebalances from [`GroupConsumer::next_with`]. Its calls never overlap.
pub trait RebalanceListener {
    /// These partitions are read from now on, in addition to those that already were.
    fn assigned(
        &mut self,
        consumer: &GroupConsumer,
        partitions: &[AssignedPartition],
    ) -> impl Future<Output = ()> + Send;

    /// These partitions are to be given up: they are once this is over.
    fn revoking(
        &mut self,
        consumer: &GroupConsumer,
        revocation: &Revocation,
    ) -> impl Future<Output = ()> + Send;

    /// These partitions belong to others by now.
    fn lost(
        &mut self,
        consumer: &GroupConsumer,
        partitions: &[TopicPartition],
        why: LostReason,
    ) -> impl Future<Output = ()> + Send;
}

impl GroupConsumer {
    /// The next records or event other than rebalances, which are told to `listener`.
    ///
    /// Cancel safety: a call of the listener that is under way is dropped with the future; what it was told of is not told
    /// again.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_with(
        &self,
        listener: &mut impl RebalanceListener,
    ) -> Result<GroupEvent, GroupReadError> {
        loop {
            match self.next().await? {
                GroupEvent::Assigned(partitions) => listener.assigned(self, &partitions).await,
                GroupEvent::Revoking(revocation) => {
                    listener.revoking(self, &revocation).await;
                    revocation.release();
                }
                GroupEvent::Lost { partitions, why } => listener.lost(self, &partitions, why).await,
                event => return Ok(event),
            }
        }
    }

    /// The next records; rebalances are told to `listener`, other events passed over.
    ///
    /// Cancel safety: as [`next_with`](Self::next_with).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_batch_with(
        &self,
        listener: &mut impl RebalanceListener,
    ) -> Result<GroupBatch, GroupReadError> {
        loop {
            if let GroupEvent::Batch(batch) = self.next_with(listener).await? {
                return Ok(batch);
            }
        }
    }
}
