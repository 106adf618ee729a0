//! How a producer of transactions is configured.

use std::{sync::Arc, time::Duration};

use klamm_core::transaction::TransactionConfig;
use klamm_protocol::Str;

use super::Transactional;
use crate::{InvalidConfig, ProducerBuilder, kafka::ClientHandle};

/// Makes a [`Transactional`]. Names and defaults are those of the Java client.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct TransactionalBuilder {
    producer: ProducerBuilder,
    config: TransactionConfig,
}

impl TransactionalBuilder {
    pub(crate) fn new(client: Arc<ClientHandle>, transactional_id: &str) -> Self {
        let config = TransactionConfig::new(Str::copy_of(transactional_id));
        Self { producer: ProducerBuilder::new(client), config }
    }

    /// After how long the coordinator aborts a transaction that was not ended (`transaction.timeout.ms`). Default: 60 s.
    /// Brokers allow 15 min if nothing else was configured. Those before 4.0 fence a producer that was too late, as they
    /// do Java's: another one has to be made with its transactional id.
    pub const fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How long beginning, committing, aborting and sending offsets may take, and a record may wait for metadata and for
    /// room (`max.block.ms`). Default: that of the client, which is 60 s if nothing else was said.
    pub fn max_block(mut self, timeout: Duration) -> Self {
        self.producer = self.producer.max_block(timeout);
        self
    }

    /// How long a broker may take to answer (`request.timeout.ms`). Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self.producer = self.producer.request_timeout(timeout);
        self
    }

    /// Sets the options of writing: compression, batches, partitioner, and so on.
    pub fn producing(mut self, set: impl FnOnce(ProducerBuilder) -> ProducerBuilder) -> Self {
        self.producer = set(self.producer);
        self
    }

    /// Makes the producer. Nothing is sent before the first transaction, or [`Transactional::init`].
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed: which, and what to do.
    pub fn build(self) -> Result<Transactional, InvalidConfig> {
        let Self { producer, config } = self;
        let id = String::from(&*config.transactional_id);
        if id.is_empty() {
            return Err(InvalidConfig::new("transactional_id", "it is empty: give each producer its own"));
        }
        if config.timeout.is_zero() {
            return Err(InvalidConfig::new("transaction_timeout", "give more than 0"));
        }
        Ok(Transactional::new(producer.build_transactional(config)?, id))
    }
}
