//! What a consumer is told once, and where a partition starts.

use core::{fmt, time::Duration};

use klamm_protocol::Str;

/// Which records of transactions are visible (`isolation.level`; KIP-98).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Everything below the high watermark, also what a transaction aborts later. Kafka's default.
    #[default]
    ReadUncommitted,
    /// Only what is committed: nothing at or above the last stable offset, nothing that was aborted.
    ReadCommitted,
}

impl Isolation {
    /// The number that Fetch and ListOffsets carry.
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// What to do with a partition that has no valid position (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    /// Continue with the oldest record that the broker still has.
    Earliest,
    /// Continue with what is written from now on. Kafka's default.
    #[default]
    Latest,
    /// Continue with the first record whose timestamp (milliseconds since 1970) is not before this one; with
    /// what is written from now on if there is none.
    Timestamp(i64),
    /// Continue with the first record that is not older than this (`by_duration`, KIP-1106); with what is written
    /// from now on if there is none.
    Duration(Duration),
    /// Report it and stop the partition until it is sought.
    None,
}

/// Where to read a partition from: at its assignment, or by a seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// The oldest record that the broker still has.
    Earliest,
    /// What is written from now on. With [`Isolation::ReadCommitted`] that is the last stable offset.
    Latest,
    /// The first record whose timestamp (milliseconds since 1970) is not before this one; [`StartAt::Latest`]
    /// if there is none.
    Timestamp(i64),
    /// The first record that is not older than this when the leader is asked (KIP-1106); [`StartAt::Latest`] if there
    /// is none.
    Duration(Duration),
    /// So many offsets after the oldest record that the broker still has, but not after the end.
    AfterEarliest(u64),
    /// So many offsets before the end, but not before the oldest record that the broker still has.
    BeforeLatest(u64),
    /// This offset. If it does not exist, [`ConsumerConfig::offset_reset`] decides.
    Offset(i64),
    /// This offset, and the leader epoch of the record before it: whether the log was truncated below it
    /// meanwhile is asked first (KIP-320).
    OffsetAndEpoch {
        /// The offset of the next record to read.
        offset: i64,
        /// The leader epoch of the record before that, as a committed offset carries it.
        leader_epoch: i32,
    },
}

/// The options of a consumer. Names, meanings and defaults are those of the Java client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Which records of transactions are visible. Default: [`Isolation::ReadUncommitted`].
    pub isolation: Isolation,
    /// What to do with a partition that has no valid position. Default: [`OffsetReset::Latest`].
    pub offset_reset: OffsetReset,
    /// A broker answers a fetch as soon as it has this many bytes. Default: 1.
    pub fetch_min_bytes: i32,
    /// A broker answers a fetch after this time at the latest, in milliseconds. Default: 500.
    pub fetch_max_wait_ms: i32,
    /// The most that one fetch asks for, in bytes. A batch larger than this is still returned, alone.
    /// Default: 50 MiB.
    pub fetch_max_bytes: i32,
    /// The most that one fetch asks for of one partition, in bytes. A batch larger than this is still returned.
    /// Default: 1 MiB.
    pub max_partition_fetch_bytes: i32,
    /// The most that is requested, waiting or handed out and not yet returned, in bytes as fetched and as decompressed.
    /// It is exceeded by one batch a broker at most, when that batch alone is larger than what was asked for, and by
    /// what the chunk that is read last is decompressed into. Default: 64 MiB.
    pub buffer_bytes: usize,
    /// Where this client is (`client.rack`): brokers whose `replica.selector.class` chooses by rack then let it read
    /// from a replica in the same rack (KIP-392, from Kafka 2.4 on). Default: empty, so leaders serve everything.
    pub client_rack: Str,
    /// For how long a partition is read from the replica that its leader named before the leader is asked again.
    /// [`Client`](crate::client::Client) makes it what its metadata's age is (`metadata.max.age.ms`). Default: 5 min.
    pub replica_max_age: Duration,
    /// How long the first repetition of a failed request waits, in milliseconds; each further one waits twice as
    /// long. Default: 100.
    pub retry_backoff_ms: u32,
    /// How long a repetition waits at most, in milliseconds. Default: 1,000.
    pub retry_backoff_max_ms: u32,
    /// How long a broker may take to answer, in milliseconds; for a fetch, beyond
    /// [`ConsumerConfig::fetch_max_wait_ms`]. Default: 30,000.
    pub request_timeout_ms: u32,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            isolation: Isolation::ReadUncommitted,
            offset_reset: OffsetReset::Latest,
            fetch_min_bytes: 1,
            fetch_max_wait_ms: 500,
            fetch_max_bytes: 50 * 1024 * 1024,
            max_partition_fetch_bytes: 1024 * 1024,
            buffer_bytes: 64 * 1024 * 1024,
            client_rack: Str::default(),
            replica_max_age: Duration::from_secs(300),
            retry_backoff_ms: 100,
            retry_backoff_max_ms: 1_000,
            request_timeout_ms: 30_000,
        }
    }
}

impl ConsumerConfig {
    /// Checks that the values make sense together.
    ///
    /// # Errors
    ///
    /// The first option that does not, and what is wrong with it.
    pub const fn validate(&self) -> Result<(), InvalidConfig> {
        if self.fetch_min_bytes < 0 {
            return Err(InvalidConfig { option: "fetch_min_bytes", cure: "give 0 or more" });
        }
        if self.fetch_max_wait_ms < 0 {
            return Err(InvalidConfig { option: "fetch_max_wait_ms", cure: "give 0 or more" });
        }
        if self.fetch_max_bytes < 1024 {
            return Err(InvalidConfig { option: "fetch_max_bytes", cure: "give 1024 or more" });
        }
        if self.max_partition_fetch_bytes < 1 {
            return Err(InvalidConfig { option: "max_partition_fetch_bytes", cure: "give 1 or more" });
        }
        if self.buffer_bytes < 1024 {
            return Err(InvalidConfig { option: "buffer_bytes", cure: "give 1024 or more" });
        }
        if self.retry_backoff_ms == 0 || self.retry_backoff_max_ms < self.retry_backoff_ms {
            return Err(InvalidConfig {
                option: "retry_backoff_max_ms",
                cure: "give at least retry_backoff_ms, and both above 0",
            });
        }
        if self.request_timeout_ms == 0 {
            return Err(InvalidConfig { option: "request_timeout_ms", cure: "give 1 or more" });
        }
        Ok(())
    }
}

/// An option of a consumer that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    /// The field of [`ConsumerConfig`].
    pub option: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consumer option {}: {}", self.option, self.cure)
    }
}

impl core::error::Error for InvalidConfig {}
