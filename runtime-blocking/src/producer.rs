//! The producer.

use std::time::{Duration, Instant};

use klamm_engine::{
    Acks, Compression, Delivery, InvalidConfig, Partitioner, Record, RecordMetadata, SendError,
    TopicPartitions, TrySendError, Undelivered, block_on, block_on_until,
};

use crate::options;

/// Writes records. See [`klamm_engine::Producer`].
#[derive(Clone, Debug)]
pub struct Producer {
    inner: klamm_engine::Producer,
}

impl Producer {
    /// Writes a record and waits until it is acknowledged as configured. To send many records, use
    /// [`enqueue`](Self::enqueue) and wait for the receipts later, or [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`SendError`]; its [`effect`](SendError::effect) tells whether the record may be in the log all the same.
    pub fn send(&self, record: Record<'_>) -> Result<RecordMetadata, SendError> {
        self.enqueue(record)?.wait()
    }

    /// Accepts a record: waits for the topic's metadata and for room in the producer's memory, if need be, not for
    /// the acknowledgement. That is the receipt's part.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and will not be written.
    pub fn enqueue(&self, record: Record<'_>) -> Result<Receipt, SendError> {
        block_on(self.inner.enqueue(record)).map(|inner| Receipt { inner })
    }

    /// Writes several records, and waits until each is acknowledged or failed: the outcomes, in the records' order.
    /// See [`klamm_engine::Producer::send_batch`].
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub fn send_batch<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Vec<Result<RecordMetadata, SendError>> {
        block_on(self.inner.send_batch(records))
    }

    /// Accepts several records: the receipts, in the records' order. See
    /// [`klamm_engine::Producer::enqueue_batch`].
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub fn enqueue_batch<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Vec<Result<Receipt, SendError>> {
        let accepted = block_on(self.inner.enqueue_batch(records));
        accepted.into_iter().map(|accepted| accepted.map(|inner| Receipt { inner })).collect()
    }

    /// Keeps room for one record of at most `size` bytes for a topic, and has its metadata: [`Permit::send`] then
    /// hands a record over without waiting and without fail. See [`klamm_engine::Producer::reserve`].
    ///
    /// # Errors
    ///
    /// There is no room, and never will be or has not been for too long; the topic cannot be had; or the producer is
    /// closed.
    pub fn reserve(&self, topic: &str, size: usize) -> Result<Permit, SendError> {
        block_on(self.inner.reserve(topic, size)).map(|inner| Permit { inner })
    }

    /// Accepts a record if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The record comes back.
    #[expect(clippy::result_large_err, reason = "the error gives the record back")]
    pub fn try_send<'a>(&self, record: Record<'a>) -> Result<Receipt, TrySendError<'a>> {
        self.inner.try_send(record).map(|inner| Receipt { inner })
    }

    /// Waits until the metadata of a topic are there, so that sending to it does not have to.
    ///
    /// # Errors
    ///
    /// The topic cannot be had.
    pub fn prepare(&self, topic: &str) -> Result<(), SendError> {
        block_on(self.inner.prepare(topic))
    }

    /// How many partitions a topic has; `None` while its metadata are not there.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.inner.partition_count(topic)
    }

    /// Sends everything that was accepted before, without waiting for more records, and waits for all outcomes. The
    /// delivery timeout bounds that.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, of those that were accepted before this and of which no earlier flush told:
    /// how many, where, and why.
    pub fn flush(&self) -> Result<(), Undelivered> {
        block_on(self.inner.flush())
    }

    /// Gives up everything that was accepted and is not acknowledged: what was not sent yet is not written, what is
    /// under way may be. The receipts tell which is which. The producer can be used further.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, of those that were accepted before this and of which no flush told.
    pub fn abort(&self) -> Result<(), Undelivered> {
        self.inner.abort()
    }

    /// Closes the producer, also for its clones: accepts no more records, delivers what was accepted, and waits for
    /// that as long as the delivery timeout at most.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them: how many, where, and how many may be written all the
    /// same.
    pub fn close(&self) -> Result<(), Undelivered> {
        block_on(self.inner.close())
    }

    /// As [`close`](Self::close), but gives up on what is not delivered after `timeout`.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them: how many, where, and how many may be written all the
    /// same.
    pub fn close_within(&self, timeout: Duration) -> Result<(), Undelivered> {
        block_on(self.inner.close_within(timeout))
    }

    /// Looks on at what becomes of batches from now on: for measuring and auditing, beside the receipts.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        Deliveries { inner: self.inner.deliveries() }
    }

    /// The bytes of the producer's memory that are in use.
    #[must_use]
    pub fn memory_in_use(&self) -> usize {
        self.inner.memory_in_use()
    }
}

/// Looks on at the deliveries of a producer: an iterator that waits for the next one, and ends once the producer is
/// closed. See [`klamm_engine::Deliveries`].
#[derive(Debug)]
pub struct Deliveries {
    inner: klamm_engine::Deliveries,
}

impl Deliveries {
    /// The next delivery, if it is there.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.inner.try_next()
    }
}

impl Iterator for Deliveries {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        block_on(self.inner.next())
    }
}

/// Room for one record in a producer's memory, from [`Producer::reserve`]. Dropping it gives the room back.
#[derive(Debug)]
#[must_use = "a permit holds room in the producer's memory until it is used or dropped"]
pub struct Permit {
    inner: klamm_engine::Permit,
}

impl Permit {
    /// The topic that the room was reserved for.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.inner.topic()
    }

    /// The bytes that a record may take: see [`Record::size`].
    #[must_use]
    pub const fn size(&self) -> usize {
        self.inner.size()
    }

    /// Hands a record over, without waiting and without fail. What speaks against the record is the outcome of the
    /// receipt, at once.
    pub fn send(self, record: Record<'_>) -> Receipt {
        Receipt { inner: self.inner.send(record) }
    }
}

/// The promise of an outcome for one record that a producer accepted.
///
/// The record is delivered whether or not anybody waits: dropping the receipt cancels nothing.
#[derive(Debug)]
#[must_use = "only the receipt tells whether the record was written; drop it explicitly if that does not matter"]
pub struct Receipt {
    inner: klamm_engine::Receipt,
}

impl Receipt {
    pub(crate) const fn new(inner: klamm_engine::Receipt) -> Self {
        Self { inner }
    }

    /// Waits for the outcome. It comes by the producer's delivery timeout.
    ///
    /// # Errors
    ///
    /// The record was not acknowledged.
    pub fn wait(self) -> Result<RecordMetadata, SendError> {
        block_on(self.inner)
    }

    /// Waits for the outcome as long as `timeout`; gives the receipt back if there is none.
    ///
    /// # Errors
    ///
    /// There is no outcome yet.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Result<RecordMetadata, SendError>, Self> {
        let deadline = Instant::now() + timeout;
        match block_on_until(&mut self.inner, deadline) {
            Some(outcome) => Ok(outcome),
            None => Err(self),
        }
    }

    /// The outcome, if it is there.
    #[must_use]
    pub fn try_get(&self) -> Option<Result<RecordMetadata, SendError>> {
        self.inner.try_get()
    }

    /// The partition of the record; -1 if a [`Permit`] was given a record that was not accepted.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.inner.partition()
    }
}

/// Makes a [`Producer`]. See [`klamm_engine::ProducerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ProducerBuilder {
    inner: klamm_engine::ProducerBuilder,
}

impl ProducerBuilder {
    pub(crate) const fn new(inner: klamm_engine::ProducerBuilder) -> Self {
        Self { inner }
    }

    options! { klamm_engine::ProducerBuilder:
        settings(settings: &klamm_engine::Settings);
        acks(acks: Acks);
        idempotent(idempotent: bool);
        idempotence_optional(optional: bool);
        linger_ms(linger_ms: u64);
        linger(linger: Duration);
        batch_size(bytes: usize);
        compression(compression: Compression);
        compression_level(level: i32);
        compression_preference(codecs: impl IntoIterator<Item = Compression>);
        partitioner(partitioner: Partitioner);
        adaptive_partitioning(adaptive: bool);
        availability_timeout(timeout: Duration);
        partitioner_rack(rack: impl Into<String>);
        partition_by(pick: impl Fn(&Record<'_>, TopicPartitions<'_>) -> Option<i32> + Send + Sync + 'static);
        max_request_size(bytes: usize);
        max_in_flight(requests: usize);
        buffer_memory(bytes: usize);
        buffer_records(records: usize);
        max_block(timeout: Duration);
        default_topic(topic: impl Into<String>);
        delivery_timeout(timeout: Duration);
        request_timeout(timeout: Duration);
        retries(retries: u32);
    }

    /// As [`klamm_engine::ProducerBuilder::manual_flush`].
    pub fn manual_flush(mut self) -> Self {
        self.inner = self.inner.manual_flush();
        self
    }

    /// Makes the producer. Nothing is sent before the first record.
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed.
    pub fn build(self) -> Result<Producer, InvalidConfig> {
        self.inner.build().map(|inner| Producer { inner })
    }
}
