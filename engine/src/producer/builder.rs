//! How a producer is configured.

use std::{sync::Arc, time::Duration};

use klamm_core::{
    Entropy,
    producer::{Acks, Codecs, ConfigError, ProducerConfig, partitioner::Partitioner},
    transaction::TransactionConfig,
};
use klamm_protocol::{
    Str,
    compression::{Compression, Compressor},
};

use super::{Pool, Producer, TopicPartitions, custom::Custom, pool::PoolConfig};
use crate::{InvalidConfig, Record, kafka::ClientHandle, signals::Feed};

/// Makes a [`Producer`]. Names and defaults are those of the Java client.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ProducerBuilder {
    client: Arc<ClientHandle>,
    config: ProducerConfig,
    own: PoolConfig,
    /// What was asked for; what follows from the other options otherwise.
    idempotent: Option<bool>,
    delivery_timeout: Option<Duration>,
}

impl ProducerBuilder {
    pub(crate) fn new(client: Arc<ClientHandle>) -> Self {
        let own = PoolConfig {
            partitioner: Partitioner::default(),
            custom: None,
            adaptive: true,
            rack: None,
            level: None,
            memory: 32 << 20,
            records: None,
            max_block: client.max_block,
            default_topic: Str::from(""),
        };
        let config = ProducerConfig::default();
        Self { client, config, own, idempotent: None, delivery_timeout: None }
    }

    /// Which replicas have to hold a record before it counts as written (`acks`). Default: [`Acks::All`]. Anything
    /// less turns idempotence off, unless that was asked for: then the two contradict each other.
    pub const fn acks(mut self, acks: Acks) -> Self {
        self.config.acks = acks;
        self
    }

    /// Whether the broker recognises a retried batch, so that no record is written twice (`enable.idempotence`).
    /// Needs [`Acks::All`], at most 5 requests in flight, and brokers from 0.11. Default: true, where the
    /// other options allow it.
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }

    /// Whether to do without idempotence where the brokers are too old for it (before 0.11), instead of failing.
    /// Default: false.
    pub const fn idempotence_optional(mut self, optional: bool) -> Self {
        self.config.idempotence_optional = optional;
        self
    }

    /// How long a batch waits for more records, in milliseconds (`linger.ms`). Default: 5.
    pub const fn linger_ms(self, linger_ms: u64) -> Self {
        self.linger(Duration::from_millis(linger_ms))
    }

    /// How long a batch waits for more records (`linger.ms`). Default: 5 ms.
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.config.linger = linger;
        self
    }

    /// The uncompressed size in bytes at which a batch is full (`batch.size`). Default: 16,384.
    pub const fn batch_size(mut self, bytes: usize) -> Self {
        self.config.batch_size = bytes;
        self
    }

    /// The codec (`compression.type`). Default: none. Where a broker is too old for zstd (before 2.1), batches are not
    /// compressed.
    pub fn compression(self, compression: Compression) -> Self {
        self.compression_preference([compression])
    }

    /// Codecs by preference: the first that a broker takes is used. All take all but zstd, which is for brokers from
    /// 2.1. After the last comes none at all.
    pub fn compression_preference(mut self, codecs: impl IntoIterator<Item = Compression>) -> Self {
        self.config.compression = Codecs::by_preference(codecs);
        self
    }

    /// The level of the codec, of the first one by preference (`compression.gzip.level` and so on). Default: the
    /// codec's own.
    pub const fn compression_level(mut self, level: i32) -> Self {
        self.own.level = Some(level);
        self
    }

    /// Which partition a record goes to that names none (`partitioner.class`). Default: [`Partitioner::JAVA`].
    pub const fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.own.partitioner = partitioner;
        self
    }

    /// Asks the application for the partition of each record that names none; where it has no answer (`None`), the
    /// [`partitioner`](Self::partitioner) decides. It is called on the thread that sends, once for each attempt to
    /// place the record, and no lock is held meanwhile; it should be quick.
    ///
    /// ```
    /// # use klamm_engine::ProducerBuilder;
    /// # fn example(builder: ProducerBuilder) -> ProducerBuilder {
    /// builder.partition_by(|record, partitions| (record.topic() == "audit").then_some(partitions.count() - 1))
    /// # }
    /// ```
    pub fn partition_by(
        mut self,
        pick: impl Fn(&Record<'_>, TopicPartitions<'_>) -> Option<i32> + Send + Sync + 'static,
    ) -> Self {
        self.own.custom = Some(Custom::new(pick));
        self
    }

    /// Whether records without a key go less often to partitions that more batches wait for
    /// (`partitioner.adaptive.partitioning.enable`, KIP-794). Default: true.
    pub const fn adaptive_partitioning(mut self, adaptive: bool) -> Self {
        self.own.adaptive = adaptive;
        self
    }

    /// After how long without taking anything that waits for it a broker is avoided by records without a key
    /// (`partitioner.availability.timeout.ms`, KIP-794). Default: 0, which is never.
    pub const fn availability_timeout(mut self, timeout: Duration) -> Self {
        self.config.availability_timeout = timeout;
        self
    }

    /// Records without a key go to partitions whose leader is in this rack, as long as there are some that can be
    /// written to (`client.rack` and `partitioner.rack.aware`, KIP-1123). Default: none.
    pub fn partitioner_rack(mut self, rack: impl Into<String>) -> Self {
        self.own.rack = Some(Str::from(rack.into())).filter(|rack| !rack.is_empty());
        self
    }

    /// The most bytes of one request, and of one record (`max.request.size`). Default: 1,048,576.
    pub const fn max_request_size(mut self, bytes: usize) -> Self {
        self.config.max_request_size = bytes;
        self
    }

    /// Requests that may await an answer on one connection (`max.in.flight.requests.per.connection`). Default: 5.
    pub const fn max_in_flight(mut self, requests: usize) -> Self {
        self.config.max_in_flight = requests;
        self
    }

    /// The bytes that may be buffered and in flight (`buffer.memory`). Default: 32 MiB. Sending waits when they are
    /// used up.
    pub const fn buffer_memory(mut self, bytes: usize) -> Self {
        self.own.memory = bytes;
        self
    }

    /// How long after it was accepted a record has its outcome at the latest (`delivery.timeout.ms`). Default: 120 s.
    pub const fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.delivery_timeout = Some(timeout);
        self
    }

    /// How many records may be buffered and in flight, beside the bytes. Default: any number.
    pub const fn buffer_records(mut self, records: usize) -> Self {
        self.own.records = Some(records);
        self
    }

    /// How long a call waits for the metadata of a topic and for room in the memory, together (`max.block.ms`).
    /// Default: that of the client, which is 60 s if nothing else was said.
    pub const fn max_block(mut self, timeout: Duration) -> Self {
        self.own.max_block = timeout;
        self
    }

    /// The topic of records that name none ([`Record::new`](crate::Record::new)). Default: none.
    pub fn default_topic(mut self, topic: impl Into<String>) -> Self {
        self.own.default_topic = Str::from(topic.into());
        self
    }

    /// No batch waits for a time: one that is full leaves, others when [`flush`](Producer::flush) or
    /// [`close`](Producer::close) is called or memory is short; and before their delivery timeout makes it too late.
    pub const fn manual_flush(self) -> Self {
        self.linger(ProducerConfig::UNTIL_FLUSHED)
    }

    /// How long a broker may take to answer (`request.timeout.ms`). Default: 30 s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// How often a batch is sent again that a broker refused (`retries`). Default: as often as the delivery timeout
    /// allows.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.config.retries = retries;
        self
    }

    /// Makes the producer. Nothing is sent before the first record.
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed: which, and what to do.
    pub fn build(self) -> Result<Producer, InvalidConfig> {
        self.build_with(None)
    }

    /// Makes the producer of transactions.
    pub(crate) fn build_transactional(
        self,
        transactions: TransactionConfig,
    ) -> Result<Producer, InvalidConfig> {
        self.build_with(Some(transactions))
    }

    fn build_with(mut self, transactions: Option<TransactionConfig>) -> Result<Producer, InvalidConfig> {
        self.resolve();
        if let Some(level) = self.own.level {
            Compressor::check_level(self.config.compression.first(), level)
                .map_err(|error| InvalidConfig::new("compression_level", error))?;
        }
        let (memory, least) = (self.own.memory, self.config.batch_size.max(1024));
        if memory < least {
            let cure = format!("{memory} bytes hold no batch: give at least {least}, the size of one");
            return Err(InvalidConfig::new("buffer_memory", cure));
        }
        if self.own.records == Some(0) {
            return Err(InvalidConfig::new("buffer_records", "no record could be sent: give at least 1"));
        }
        let Self { client, config, own, .. } = self;
        let shared = Arc::clone(&client.shared);
        let pool = shared.with(|state, now| {
            if state.stopped || state.client.is_closing() {
                return Err(InvalidConfig::new("producer", "the client is closed"));
            }
            let made = match transactions {
                None => state.client.create_producer(now, config.clone()),
                Some(transactions) => state.client.create_transactional(now, config.clone(), transactions),
            };
            let handle = made.map_err(|error| InvalidConfig::new(option_of(&error), error))?;
            let entropy = Entropy::new(client.seed).fork(u64::from(handle.0));
            let feed = Feed::new(handle, Arc::clone(&shared.signals));
            let pool = Arc::new(Pool::new(feed, config, own, entropy));
            state.producers.insert(handle, Arc::clone(&pool));
            Ok(pool)
        })?;
        Ok(Producer::new(pool, client))
    }

    /// Fills in what follows from other options. What was asked for is left as it is, and refused if it contradicts
    /// them.
    fn resolve(&mut self) {
        let config = &mut self.config;
        let allowed = config.acks == Acks::All && (1..=5).contains(&config.max_in_flight);
        config.idempotent = self.idempotent.unwrap_or(allowed);
        let linger =
            if config.linger == ProducerConfig::UNTIL_FLUSHED { Duration::ZERO } else { config.linger };
        let at_least = linger.saturating_add(config.request_timeout);
        config.delivery_timeout =
            self.delivery_timeout.unwrap_or_else(|| config.delivery_timeout.max(at_least));
    }
}

/// The option of the builder that an error is about.
const fn option_of(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::IdempotenceNeedsAllAcks => "acks",
        ConfigError::IdempotenceInFlight { .. } | ConfigError::NothingInFlight => "max_in_flight",
        ConfigError::DeliveryTimeoutTooShort { .. } => "delivery_timeout",
        ConfigError::RequestTooSmall { .. } => "max_request_size",
        ConfigError::TransactionsNeedIdempotence => "idempotent",
        _ => "producer",
    }
}
