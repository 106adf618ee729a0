//! The producer.

use std::time::{Duration, Instant};

use klamm_engine::{
    Acks, Compression, Delivery, Partitioner, Record, RecordMetadata, SendError, Settings, TopicPartitions,
    Undelivered, block_on, block_on_until,
};

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

    accepting!(klamm_engine::Producer);

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

    forward! { klamm_engine::Producer:
        /// Waits until the metadata of a topic are there, so that sending to it does not have to.
        wait prepare(topic: &str) -> Result<(), SendError>;
        /// How many partitions a topic has; `None` while its metadata are not there.
        get partition_count(topic: &str) -> Option<usize>;
        /// Sends everything that was accepted before, and waits for all outcomes. The delivery timeout bounds that.
        wait flush() -> Result<(), Undelivered>;
        /// Gives up everything that was accepted and is not acknowledged. The producer can be used further.
        now abort() -> Result<(), Undelivered>;
        /// Closes the producer, also for its clones: delivers what was accepted, within the delivery timeout.
        wait close() -> Result<(), Undelivered>;
        /// As [`close`](Self::close), but gives up on what is not delivered after `timeout`.
        wait close_within(timeout: Duration) -> Result<(), Undelivered>;
        /// The bytes of the producer's memory that are in use.
        get memory_in_use() -> usize;
    }

    /// Looks on at what becomes of batches from now on: for measuring and auditing, beside the receipts.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        Deliveries { inner: self.inner.deliveries() }
    }
}

/// Looks on at the deliveries of a producer: an iterator that waits for the next one, and ends once the producer is
/// closed. See [`klamm_engine::Deliveries`].
#[derive(Debug)]
pub struct Deliveries {
    inner: klamm_engine::Deliveries,
}

impl Deliveries {
    forward! { klamm_engine::Deliveries:
        /// The next delivery, if it is there.
        now_mut try_next() -> Option<Delivery>;
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
    forward! { klamm_engine::Permit:
        /// The topic that the room was reserved for.
        get topic() -> &str;
        /// The bytes that a record may take: see [`Record::size`].
        get size() -> usize;
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
    pub(crate) inner: klamm_engine::Receipt,
}

impl Receipt {
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

    forward! { klamm_engine::Receipt:
        /// The outcome, if it is there.
        get try_get() -> Option<Result<RecordMetadata, SendError>>;
        /// The partition of the record; -1 if a [`Permit`] was given a record that was not accepted.
        get partition() -> i32;
    }
}

/// Makes a [`Producer`]. See [`klamm_engine::ProducerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ProducerBuilder {
    pub(crate) inner: klamm_engine::ProducerBuilder,
}

impl ProducerBuilder {
    options! { klamm_engine::ProducerBuilder => Producer:
        settings(settings: &Settings);
        acks(acks: Acks);
        idempotent(idempotent: bool);
        idempotence_optional(optional: bool);
        linger_ms(linger_ms: u64);
        linger(linger: Duration);
        manual_flush();
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
}
