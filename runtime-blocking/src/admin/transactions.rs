//! Administration of transactions.

use klamm_engine::{
    AdminError, HangingTransaction, PartitionProducer, PerItem, Str, TransactionDescription,
    TransactionListings, block_on,
};

use super::Admin;

/// Transactions (KIP-664). See [`klamm_engine::Admin`] for deadlines and errors.
impl Admin {
    /// Lists the transactional ids of all brokers that the client may see; with `producer_ids`, only those that have one
    /// of these. Needs Kafka 3.0.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn list_transactions(
        &self,
        producer_ids: impl IntoIterator<Item = i64> + Send,
    ) -> Result<TransactionListings, AdminError> {
        block_on(self.inner.list_transactions(producer_ids))
    }

    /// Describes transactions: state, producer, partitions, since when. Needs Kafka 3.0.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn describe_transactions<T: AsRef<str>>(
        &self,
        transactional_ids: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, TransactionDescription>, AdminError> {
        block_on(self.inner.describe_transactions(transactional_ids))
    }

    /// Describes who writes to partitions, and where the open transaction of each begins. Needs Kafka 2.8.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn describe_producers<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), Vec<PartitionProducer>>, AdminError> {
        block_on(self.inner.describe_producers(partitions))
    }

    /// Aborts a transaction in one partition, past its coordinator. See [`klamm_engine::Admin::abort_transaction`].
    ///
    /// # Errors
    ///
    /// The leader did not answer, or refused.
    pub fn abort_transaction(&self, hanging: HangingTransaction) -> Result<(), AdminError> {
        block_on(self.inner.abort_transaction(hanging))
    }
}
