//! What a scenario sees of a client: plain blocking calls, the same for every adapter.
//!
//! An asynchronous adapter is driven by its own runtime under each call, so one text of a scenario exercises the real
//! futures of each; concurrency within a scenario comes from threads.

use std::time::{Duration, Instant};

use klamm_engine::{ClientEvent, Metrics};

use crate::Outcome;
use crate::members::{Member, MemberSettings, RecordReader};
use crate::transactions::{Transactional, TransactionalSettings};

/// A codec, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Codec {
    /// No compression.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Snappy in xerial framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// Every codec, and none.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];
}

/// How a scenario wants its producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerSettings {
    /// What the batches are compressed with.
    pub codec: Codec,
    /// How long an open batch waits for more records, in milliseconds.
    pub linger_ms: u32,
    /// Until when a record must be acknowledged.
    pub delivery_timeout: Duration,
    /// Whether batches carry a producer id and sequence numbers.
    pub idempotent: bool,
    /// Which partition a record goes to that names none: a partitioner's name.
    pub partitioner: &'static str,
    /// The bytes that may be buffered and in flight.
    pub buffer_memory: usize,
    /// How long handing over waits for metadata and room.
    pub max_block: Duration,
    /// Codecs by preference, instead of the one.
    pub codecs: Vec<Codec>,
    /// Where it is: records without a key go to leaders there.
    pub rack: &'static str,
    /// The application's own partitioner: where records without a key go.
    pub pick: Option<i32>,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            linger_ms: 5,
            delivery_timeout: Duration::from_secs(120),
            idempotent: true,
            partitioner: "murmur2_random",
            buffer_memory: 32 << 20,
            max_block: Duration::from_secs(60),
            codecs: Vec::new(),
            rack: "",
            pick: None,
        }
    }
}

/// A header: its name, and its value or null.
pub type Header = (String, Option<Vec<u8>>);

/// A record to send.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// Which partition; by the partitioner when there is none.
    pub partition: Option<i32>,
    /// The key, which may be null.
    pub key: Option<Vec<u8>>,
    /// The value, which may be null.
    pub value: Option<Vec<u8>>,
    /// The headers in their order, names repeated or not.
    pub headers: Vec<Header>,
    /// When it was made, in milliseconds since the epoch; now when there is none.
    pub timestamp_ms: Option<i64>,
}

impl Message {
    /// A record for a topic, without key, value and headers.
    #[must_use]
    pub fn to(topic: &str) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// This partition.
    #[must_use]
    pub fn partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// This key.
    #[must_use]
    pub fn key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// This value.
    #[must_use]
    pub fn value(self, value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.into(), value.map(<[u8]>::to_vec)));
        self
    }

    /// This time of making, in milliseconds since the epoch.
    #[must_use]
    pub fn timestamp_ms(self, timestamp_ms: i64) -> Self {
        Self { timestamp_ms: Some(timestamp_ms), ..self }
    }
}

/// Where an acknowledged record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset in it; -1 when the cluster did not say.
    pub offset: i64,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// From which topic.
    pub topic: String,
    /// From which partition.
    pub partition: i32,
    /// At which offset.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 when the record has none.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<Header>,
}

/// A record that was handed over and is on its way.
pub trait Pending: Send {
    /// Waits for its acknowledgement.
    ///
    /// # Errors
    /// When the record was not acknowledged.
    fn wait(self: Box<Self>) -> Outcome<Place>;
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: i32,
    /// How many records.
    pub records: u32,
    /// What they took in memory, compressed if they are.
    pub bytes: usize,
    /// The offset of the first; none if they were not acknowledged.
    pub offset: Option<i64>,
}

/// Looks on at what becomes of a producer's batches.
pub trait Deliveries {
    /// The next; none when the producer is closed.
    fn next(&mut self) -> Option<Delivered>;
}

/// A producer, usable from several threads.
pub trait Producer: Send + Sync {
    /// Sends a record and waits for its acknowledgement.
    ///
    /// # Errors
    /// When the record was not acknowledged.
    fn send(&self, message: &Message) -> Outcome<Place>;

    /// Hands a record over.
    ///
    /// # Errors
    /// When the record is refused at once.
    fn enqueue(&self, message: &Message) -> Outcome<Box<dyn Pending>>;

    /// Sends records and waits for their acknowledgements, one by one.
    fn send_batch(&self, messages: &[Message]) -> Vec<Outcome<Place>>;

    /// Reserves room for this many bytes, makes the message then, and hands it over.
    ///
    /// # Errors
    /// When there is no room.
    fn reserve(&self, topic: &str, bytes: usize, make: &dyn Fn() -> Message) -> Outcome<Box<dyn Pending>>;

    /// Looks on at what becomes of batches from now on.
    fn deliveries(&self) -> Box<dyn Deliveries>;

    /// Gives up what is not acknowledged; how many records that were.
    fn abort(&self) -> u64;

    /// Waits until every record that was handed over has its outcome.
    ///
    /// # Errors
    /// When the client ended before.
    fn flush(&self) -> Outcome<()>;

    /// Ends the producer in good order.
    ///
    /// # Errors
    /// When records were left undelivered.
    fn close(self: Box<Self>) -> Outcome<()>;

    /// Ends the producer within this time; how many records were not delivered to which partitions.
    fn close_within(self: Box<Self>, timeout: Duration) -> Vec<(i32, u64)>;
}

/// How a scenario wants its consumer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConsumerSettings {
    /// The most records of a batch.
    pub max_poll_records: Option<usize>,
    /// The expression for the topics whose partitions are consumed from their beginning, beside those that are named.
    pub pattern: Option<String>,
    /// Whether only records of committed transactions are read.
    pub read_committed: bool,
    /// The group that it commits for, without being a member.
    pub group: Option<String>,
    /// How often it does so by itself, in milliseconds, if it does.
    pub auto_commit_ms: Option<u64>,
    /// Its memory in bytes, if it is not to be as by default.
    pub buffer_memory: Option<usize>,
}

/// One partition of a consumer.
pub trait PartitionStream: Send {
    /// The next records; none after the end.
    ///
    /// # Errors
    /// When the partition cannot be read.
    fn next_batch(&mut self) -> Outcome<Option<Vec<Received>>>;

    /// Goes on at this offset.
    ///
    /// # Errors
    /// When it is over.
    fn seek(&mut self, offset: i64) -> Outcome<()>;

    /// Why it is over, if it is.
    fn ended(&self) -> Option<String>;

    /// Commits what it gave.
    ///
    /// # Errors
    /// When it was not committed, among others because it is over or of no group.
    fn commit(&mut self) -> Outcome<()> {
        Err("it is of no group".into())
    }
}

/// A consumer of the partitions it was given.
pub trait Consumer: Send {
    /// The next records, of one partition; waits until there are some.
    ///
    /// # Errors
    /// When a partition cannot be read.
    fn next_batch(&mut self) -> Outcome<Vec<Received>>;

    /// Goes on at this offset of a partition.
    ///
    /// # Errors
    /// When the partition is not one of its own.
    fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<()>;

    /// Goes on so many offsets from where a partition is.
    ///
    /// # Errors
    /// When the partition is not one of its own.
    fn seek_by(&mut self, topic: &str, partition: i32, offsets: i64) -> Outcome<()>;

    /// So many records, one by one.
    ///
    /// # Errors
    /// When a partition cannot be read.
    fn records(&mut self, count: usize) -> Outcome<Vec<Received>>;

    /// Reads a partition for itself.
    ///
    /// # Errors
    /// When that is not possible.
    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>>;

    /// Takes a partition away.
    fn unassign(&mut self, topic: &str, partition: i32);

    /// Commits where it is in all partitions.
    ///
    /// # Errors
    /// When it was not committed.
    fn commit(&mut self) -> Outcome<()>;

    /// What its group has committed of a partition.
    ///
    /// # Errors
    /// When it cannot be had.
    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>>;

    /// The broker that the next records of a partition will come from; none while that is open.
    fn source(&self, topic: &str, partition: i32) -> Option<i32>;
}

/// A connected client.
pub trait Client: Send + Sync {
    /// A producer.
    ///
    /// # Errors
    /// When the settings contradict each other.
    fn producer(&self, settings: &ProducerSettings) -> Outcome<Box<dyn Producer>>;

    /// A consumer of these partitions of a topic, from their beginning.
    ///
    /// # Errors
    /// When it cannot be made.
    fn consumer(&self, topic: &str, partitions: &[i32]) -> Outcome<Box<dyn Consumer>> {
        self.consumer_in("", topic, partitions)
    }

    /// The same, in a rack.
    ///
    /// # Errors
    /// When it cannot be made.
    fn consumer_in(&self, rack: &str, topic: &str, partitions: &[i32]) -> Outcome<Box<dyn Consumer>>;

    /// A member of a group.
    ///
    /// # Errors
    /// When the settings contradict each other.
    fn member(&self, settings: &MemberSettings) -> Outcome<Box<dyn Member>>;

    /// A member of a group that acknowledges record by record, and has no more than `max` at a time.
    ///
    /// # Errors
    /// When the settings contradict each other.
    fn record_reader(&self, settings: &MemberSettings, max: usize) -> Outcome<Box<dyn RecordReader>>;

    /// A producer of transactions.
    ///
    /// # Errors
    /// When the settings contradict each other.
    fn transactional(&self, settings: &TransactionalSettings) -> Outcome<Box<dyn Transactional>>;

    /// Reads as a member of a group and writes each record to a topic, exactly once, until `is_over`, which is asked
    /// after each transaction and when there is nothing to read.
    ///
    /// # Errors
    /// When it does not go on.
    fn copy_exactly_once(
        &self,
        settings: &MemberSettings,
        transactional_id: &str,
        to: &str,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Outcome<()>;

    /// A consumer of these partitions of a topic, from their beginning, made like this.
    ///
    /// # Errors
    /// When it cannot be made.
    fn consumer_with(
        &self,
        settings: &ConsumerSettings,
        topic: &str,
        partitions: &[i32],
    ) -> Outcome<Box<dyn Consumer>>;

    /// Creates a topic.
    ///
    /// # Errors
    /// What the cluster says.
    fn create_topic(&self, topic: &str, partitions: i32, replication: i16) -> Outcome<()> {
        self.create_topic_with(topic, partitions, replication, &[])
    }

    /// Creates a topic that is configured otherwise than by default.
    ///
    /// # Errors
    /// What the cluster says.
    fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) -> Outcome<()>;

    /// All that it has counted.
    fn metrics(&self) -> Metrics;

    /// Takes what happens in it from now on, event by event, as far as it is there; with each exchange if that is wanted.
    fn events(&self, exchanges: bool) -> Box<dyn FnMut() -> Option<ClientEvent>>;

    /// Why brokers cannot be reached, if one cannot.
    fn diagnosis(&self) -> Option<String>;

    /// Deletes a topic.
    ///
    /// # Errors
    /// What the cluster says.
    fn delete_topic(&self, topic: &str) -> Outcome<()>;

    /// The names of all topics.
    ///
    /// # Errors
    /// What the cluster says.
    fn list_topics(&self) -> Outcome<Vec<String>>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// What the cluster says, for instance that there is no such topic.
    fn partitions(&self, topic: &str) -> Outcome<usize>;
}

/// Reads until `count` records are there.
///
/// # Errors
/// As [`Consumer::next_batch`].
pub fn read(consumer: &mut dyn Consumer, count: usize) -> Outcome<Vec<Received>> {
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(consumer.next_batch()?);
    }
    Ok(received)
}

/// Makes a topic, writes to it and reads it, record by record for so long, at least once.
///
/// # Errors
/// As [`Producer::send`] and [`Consumer::next_batch`].
///
/// # Panics
/// What is read skips or repeats.
pub fn transfer(client: &dyn Client, topic: &str, time: Duration) -> Outcome<()> {
    client.create_topic(topic, 1, 1)?;
    let producer = client.producer(&ProducerSettings::default())?;
    let mut consumer = client.consumer(topic, &[0])?;
    let begun = Instant::now();
    let mut next = 0_i64;
    while next == 0 || begun.elapsed() < time {
        producer.send(&Message::to(topic).value("v"))?;
        for record in read(&mut *consumer, 1)? {
            assert_eq!(record.offset, next, "it skips or repeats");
            next += 1;
        }
    }
    Ok(())
}
