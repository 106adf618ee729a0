//! Administration of transactions.

use std::collections::BTreeMap;

use klamm_core::{
    BrokerId,
    admin::{
        AdminCommand, AdminError, AdminReply, HangingTransaction, PartitionProducer, TransactionDescription,
        TransactionListing, TransactionsCommand, TransactionsReply,
    },
};
use klamm_protocol::Str;

use super::{Admin, PerItem, strings, unanswered};

/// The transactional ids of a cluster, as far as its brokers told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionListings {
    /// By id.
    pub transactions: BTreeMap<Str, TransactionListing>,
    /// The brokers that did not tell what they coordinate, and why.
    pub failed: BTreeMap<BrokerId, AdminError>,
}

/// Transactions (KIP-664). See [`Admin`] for deadlines, errors and cancel safety.
impl Admin {
    /// Lists the transactional ids of all brokers that the client may see; with `producer_ids`, only those that have one
    /// of these. Needs Kafka 3.0.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn list_transactions(
        &self,
        producer_ids: impl IntoIterator<Item = i64> + Send,
    ) -> Result<TransactionListings, AdminError> {
        let command = TransactionsCommand::List { producer_ids: producer_ids.into_iter().collect() };
        let TransactionsReply::List(answers) = self.of_transactions(command).await? else {
            return Err(unanswered());
        };
        let mut listings = TransactionListings::default();
        for (broker, answer) in answers {
            match answer {
                Ok(listed) => {
                    let by_id = listed.into_iter().map(|each| (each.transactional_id.clone(), each));
                    listings.transactions.extend(by_id);
                }
                Err(error) => drop(listings.failed.insert(broker, error)),
            }
        }
        Ok(listings)
    }

    /// Describes transactions: state, producer, partitions, since when. Needs Kafka 3.0.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn describe_transactions<T: AsRef<str>>(
        &self,
        transactional_ids: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, TransactionDescription>, AdminError> {
        let command = TransactionsCommand::Describe { ids: strings(transactional_ids) };
        match self.of_transactions(command).await? {
            TransactionsReply::Describe(described) => Ok(described),
            _ => Err(unanswered()),
        }
    }

    /// Describes who writes to partitions, and where the open transaction of each begins. Needs Kafka 2.8.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn describe_producers<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), Vec<PartitionProducer>>, AdminError> {
        let partitions = partitions.into_iter().map(|(topic, at)| (Str::copy_of(topic.as_ref()), at));
        let command = TransactionsCommand::DescribeProducers { partitions: partitions.collect() };
        match self.of_transactions(command).await? {
            TransactionsReply::DescribeProducers(described) => Ok(described),
            _ => Err(unanswered()),
        }
    }

    /// Aborts a transaction in one partition, past its coordinator: for one that hangs there and that no coordinator
    /// knows of any more. To abort one that a coordinator knows, make a producer with its transactional id.
    ///
    /// # Errors
    ///
    /// The leader did not answer, or refused.
    pub async fn abort_transaction(&self, hanging: HangingTransaction) -> Result<(), AdminError> {
        match self.of_transactions(TransactionsCommand::Abort(hanging)).await? {
            TransactionsReply::Abort(aborted) => aborted.into_values().next().ok_or_else(unanswered)?,
            _ => Err(unanswered()),
        }
    }

    async fn of_transactions(&self, command: TransactionsCommand) -> Result<TransactionsReply, AdminError> {
        match self.run(AdminCommand::Transactions(command)).await? {
            AdminReply::Transactions(reply) => Ok(reply),
            _ => Err(unanswered()),
        }
    }
}
