//! The transactions of a client's producers.

use alloc::collections::BTreeMap;

use klamm_protocol::{ApiKey, Str, messages::AnyResponse};

use super::{Action, Client, Done, producers::Producers, route};
use crate::{
    Instant, Misbehaved, OperationId, ProducerHandle,
    connection::ApiVersions,
    producer::{ConfigError, Producer, ProducerConfig, ProducerOutput},
    transaction::{
        Offered, Transaction, TransactionCommand, TransactionConfig, TransactionError, TransactionOutput,
        TransactionStep,
    },
};

/// The first version of InitProducerId that takes the epoch so far (KIP-360).
const RENEWAL_VERSION: i16 = 3;

/// What the brokers offer to transactional producers, as the newest of them told it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offers {
    pub(super) offered: Offered,
    features_epoch: i64,
}

impl Offers {
    pub(super) const fn new() -> Self {
        Self { offered: Offered { transaction_version: 0, renewal: false }, features_epoch: -1 }
    }

    /// Takes over what a broker says. Of the features, what was finalized last holds.
    fn learn(&mut self, versions: &ApiVersions) {
        let init = versions.version(ApiKey::INIT_PRODUCER_ID);
        self.offered.renewal = init.is_some_and(|version| version >= RENEWAL_VERSION);
        if versions.features_epoch() >= self.features_epoch {
            self.features_epoch = versions.features_epoch();
            self.offered.transaction_version = versions.feature("transaction.version").unwrap_or(0);
        }
    }
}

impl Producers {
    /// A broker told what it offers.
    pub(super) fn handle_offered(&mut self, versions: &ApiVersions) {
        self.offers.learn(versions);
        for transaction in self.table.values_mut().filter_map(|entry| entry.transaction.as_mut()) {
            transaction.handle_offered(self.offers.offered);
        }
    }

    fn transaction(&mut self, handle: ProducerHandle) -> Option<&mut Transaction> {
        self.table.get_mut(&handle)?.transaction.as_mut()
    }

    pub(super) fn handle_transaction_response(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        number: u64,
        response: &AnyResponse,
    ) -> Result<(), Misbehaved> {
        let transaction = self.transaction(handle);
        transaction.map_or(Ok(()), |transaction| transaction.handle_response(now, number, response))
    }

    pub(super) fn handle_transaction_lost(
        &mut self,
        now: Instant,
        handle: ProducerHandle,
        number: u64,
        why: &route::Lost,
    ) {
        if let Some(transaction) = self.transaction(handle) {
            transaction.handle_lost(now, number, why.is_written(), why.is_unsupported());
        }
    }
}

impl Client {
    /// Makes a transactional producer. Its records need a transaction: see [`Client::transact`].
    ///
    /// # Errors
    ///
    /// The configuration contradicts itself.
    pub fn create_transactional(
        &mut self,
        now: Instant,
        config: ProducerConfig,
        transactions: TransactionConfig,
    ) -> Result<ProducerHandle, ConfigError> {
        let (handle, entropy) = self.next_producer();
        let config =
            ProducerConfig { transactional_id: Some(transactions.transactional_id.clone()), ..config };
        let mut transaction = Transaction::new(handle, transactions, entropy.fork(1));
        transaction.handle_offered(self.producers.offers.offered);
        let producer = Producer::new(handle, config, entropy)?;
        Ok(self.add_producer(now, producer, Some(transaction)))
    }

    /// The transactions of a producer, to ask them.
    #[must_use]
    pub fn transaction(&self, handle: ProducerHandle) -> Option<&Transaction> {
        self.producers.table.get(&handle)?.transaction.as_ref()
    }

    /// Takes a step of a transaction: [`Done::Transaction`] by `deadline`.
    pub fn transact(
        &mut self,
        operation: OperationId,
        handle: ProducerHandle,
        command: TransactionCommand,
        deadline: Instant,
    ) {
        let topic_ids = self.topic_ids(&command);
        match self.producers.transaction(handle) {
            Some(transaction) => transaction.start(operation, command, deadline, topic_ids),
            None => {
                let result = Err(TransactionError::closed(TransactionStep::Begin));
                self.actions.push_back(Action::Done { operation, result: Done::Transaction(result) });
            }
        }
    }

    /// Gives up the transaction of a producer, if one is open: it is aborted in the background.
    pub fn abandon_transaction(&mut self, handle: ProducerHandle) {
        if let Some(transaction) = self.producers.transaction(handle) {
            transaction.abandon();
        }
    }

    fn topic_ids(&self, command: &TransactionCommand) -> BTreeMap<Str, klamm_protocol::Uuid> {
        let TransactionCommand::SendOffsets { offsets, .. } = command else { return BTreeMap::new() };
        let known = offsets.keys().filter_map(|(name, _)| {
            let topic = self.cluster.topic(name)?;
            Some((name.clone(), topic.id))
        });
        known.collect()
    }

    /// Carries out one wish of a transaction; returns whether there was one.
    pub(super) fn poll_transactions(&mut self, now: Instant) -> bool {
        let entries = self.producers.table.iter_mut();
        let output = entries
            .filter_map(|(handle, entry)| Some((*handle, entry.transaction.as_mut()?.poll(now)?)))
            .next();
        let Some((handle, output)) = output else { return false };
        if let TransactionOutput::Request(request) = output {
            self.route(now, *request);
            return true;
        }
        let Some(entry) = self.producers.table.get_mut(&handle) else { return true };
        match output {
            TransactionOutput::Begun { id, implicit } => entry.producer.begin_transaction(id, implicit),
            TransactionOutput::Enrolled(partitions) => entry.producer.handle_enrolled(now, &partitions),
            TransactionOutput::Drain => entry.producer.drain(now),
            TransactionOutput::Abandon { keep_sent } => entry.producer.abandon_transaction(now, keep_sent),
            TransactionOutput::Doomed(code) => entry.producer.doom(now, code),
            TransactionOutput::Done { operation, mut result } => {
                if let Err(error) = &mut result
                    && error.context.is_none()
                {
                    error.context = self.diagnosis.describe();
                }
                self.actions.push_back(Action::Done { operation, result: Done::Transaction(result) });
            }
            TransactionOutput::Closed => {
                entry.transaction = None;
                if entry.is_closed {
                    self.producer_closed(handle);
                }
            }
            // A request was routed above.
            TransactionOutput::Request(_) => {}
        }
        true
    }

    /// Tells a transaction what its producer says.
    pub(super) fn tell_transaction(&mut self, handle: ProducerHandle, output: &ProducerOutput) {
        let Some(transaction) = self.producers.transaction(handle) else { return };
        match output {
            ProducerOutput::Enrol { partition, topic, number } => {
                transaction.handle_wanted(*partition, topic, *number);
            }
            ProducerOutput::BatchFailed(failure) => transaction.handle_batch_failed(*failure),
            ProducerOutput::Drained => transaction.handle_drained(),
            _ => {}
        }
    }
}
