//! How a consumer is configured.

use std::{sync::Arc, time::Duration};

use klamm_core::{
    consumer::{ConsumerConfig, Isolation, OffsetReset, StartAt},
    group::GroupConfig,
};
use klamm_protocol::Str;

use super::{
    Consumer, Inbox,
    inner::Inner,
    matching::{self, Matching},
    opened::Reading,
};
use crate::{InvalidConfig, kafka::ClientHandle};

/// Makes a [`Consumer`]. Names and defaults are those of the Java client.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ConsumerBuilder {
    client: Arc<ClientHandle>,
    config: ConsumerConfig,
    partitions: Vec<(Str, i32, StartAt)>,
    pattern: Option<(String, StartAt)>,
    reading: Reading,
    group_id: Option<Str>,
    auto_commit: Option<Duration>,
}

impl ConsumerBuilder {
    pub(crate) fn new(client: Arc<ClientHandle>) -> Self {
        Self {
            client,
            config: ConsumerConfig::default(),
            partitions: Vec::new(),
            pattern: None,
            reading: Reading::default(),
            group_id: None,
            auto_commit: GroupConfig::new(Str::default()).auto_commit,
        }
    }

    /// The group for which offsets are committed (`group.id`), by [`Consumer::commit`] and [by
    /// themselves](Self::auto_commit), without being a member of it: that has to have no members. Reading begins where
    /// [`assign`](Self::assign) says, not at what is [committed](Consumer::committed). Default: none.
    pub fn group_id(mut self, id: impl AsRef<str>) -> Self {
        self.group_id = Some(Str::copy_of(id.as_ref()));
        self
    }

    /// How often what is done with is committed by itself, if there is a [group](Self::group_id)
    /// (`auto.commit.interval.ms`), also when partitions are unassigned and at the end; `None` for never
    /// (`enable.auto.commit`). A batch is done with when it was dropped and more was asked for since, of the stream if its
    /// partition has [one](Consumer::partition_stream); a record of a stream of [records](Consumer::records) when the
    /// next one is asked for. A commit that fails is told by [`Event::CommitFailed`](super::Event::CommitFailed).
    /// Default: 5 s.
    pub const fn auto_commit(mut self, interval: Option<Duration>) -> Self {
        self.auto_commit = interval;
        self
    }

    pub(crate) const fn has_group(&self) -> bool {
        self.group_id.is_some()
    }

    /// Assigns partitions: topic, partition, where to start. May be called more than once.
    pub fn assign<T: AsRef<str>>(mut self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) -> Self {
        let partitions = partitions.into_iter();
        self.partitions
            .extend(partitions.map(|(topic, partition, at)| (Str::copy_of(topic.as_ref()), partition, at)));
        self
    }

    /// Assigns all partitions of all topics whose whole name matches a regular expression (in the syntax of the crate
    /// [`regex-lite`](https://docs.rs/regex-lite)), from `start` on; topics that exist for the brokers only are left out.
    /// Topics and partitions that come later are assigned when the metadata tell of them, and read from their beginning.
    /// The last call counts.
    pub fn assign_matching(mut self, pattern: &str, start: StartAt) -> Self {
        self.pattern = Some((pattern.to_owned(), start));
        self
    }

    /// Which records of transactions are visible (`isolation.level`). Default: [`Isolation::ReadUncommitted`].
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.config.isolation = isolation;
        self
    }

    /// What to do when a position does not exist (`auto.offset.reset`). Default: [`OffsetReset::Latest`].
    pub const fn offset_reset(mut self, reset: OffsetReset) -> Self {
        self.config.offset_reset = reset;
        self
    }

    /// Where this client is (`client.rack`): brokers whose `replica.selector.class` chooses by rack then let it read from
    /// a replica in the same rack, not only from leaders (KIP-392). Default: none.
    pub fn client_rack(mut self, rack: impl AsRef<str>) -> Self {
        self.config.client_rack = Str::copy_of(rack.as_ref());
        self
    }

    /// A broker answers a fetch as soon as it has this many bytes (`fetch.min.bytes`). Default: 1.
    pub const fn fetch_min_bytes(mut self, bytes: i32) -> Self {
        self.config.fetch_min_bytes = bytes;
        self
    }

    /// A broker answers a fetch after this time at the latest, in milliseconds (`fetch.max.wait.ms`). Default: 500.
    pub const fn fetch_max_wait_ms(mut self, wait_ms: i32) -> Self {
        self.config.fetch_max_wait_ms = wait_ms;
        self
    }

    /// The most that one fetch asks for (`fetch.max.bytes`). Default: 50 MiB.
    pub const fn fetch_max_bytes(mut self, bytes: i32) -> Self {
        self.config.fetch_max_bytes = bytes;
        self
    }

    /// The most that one fetch asks for of one partition (`max.partition.fetch.bytes`). Default: 1 MiB.
    pub const fn max_partition_fetch_bytes(mut self, bytes: i32) -> Self {
        self.config.max_partition_fetch_bytes = bytes;
        self
    }

    /// The bytes that may be requested, waiting or handed out, those that were decompressed included. Batches that the
    /// application keeps count; nothing more is fetched while they use it up. It is exceeded by one batch of a broker,
    /// and by what the batch that is read last is decompressed into. Default: 64 MiB.
    pub const fn buffer_memory(mut self, bytes: usize) -> Self {
        self.config.buffer_bytes = bytes;
        self
    }

    /// How long a broker may take to answer, for a fetch beyond its waiting time (`request.timeout.ms`). Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// Whether checksums are verified (`check.crcs`). Default: true.
    pub const fn check_crcs(mut self, check: bool) -> Self {
        self.reading.options.check_crc = check;
        self
    }

    /// The most that one compressed batch of a broker may be decompressed into, in bytes; a batch that is larger is
    /// reported as corrupt. Default: 128 MiB.
    pub const fn max_decompressed_bytes(mut self, bytes: usize) -> Self {
        self.reading.options.max_decompressed_bytes = bytes;
        self
    }

    /// The most records that are handed out at once (`max.poll.records`), but at least one. Default: no limit, as a batch
    /// is what was fetched of one partition, at most [`max_partition_fetch_bytes`](Self::max_partition_fetch_bytes).
    pub const fn max_poll_records(mut self, records: usize) -> Self {
        self.reading.limits.records = records;
        self
    }

    /// The most bytes of keys, values and headers that are handed out at once, but at least one record. Default: no
    /// limit, as for [`max_poll_records`](Self::max_poll_records).
    pub const fn max_poll_bytes(mut self, bytes: usize) -> Self {
        self.reading.limits.bytes = bytes;
        self
    }

    /// Whether the markers that end transactions are kept, for
    /// [`FetchedBatch::control_records`](super::FetchedBatch::control_records). Default: false.
    pub const fn control_records(mut self, keep: bool) -> Self {
        self.reading.control = keep;
        self
    }

    /// Makes the consumer, which begins to fetch at once what it is assigned.
    ///
    /// # Errors
    ///
    /// An option makes no sense or the client is closed: which, and what to do.
    pub fn build(self) -> Result<Consumer, InvalidConfig> {
        let Self { client, config, partitions, pattern, reading, group_id, auto_commit } = self;
        config.validate().map_err(|error| InvalidConfig::new(error.option, error.cure))?;
        let group = group_id.map(|id| GroupConfig { auto_commit, ..GroupConfig::committing(id) });
        let commits = group.as_ref().is_some_and(|group| group.auto_commit.is_some());
        if let Some(group) = &group {
            group.validate().map_err(|error| InvalidConfig::new(error.option, error.cure))?;
        }
        if let Some((topic, partition, _)) = partitions.iter().find(|(_, partition, _)| *partition < 0) {
            return Err(InvalidConfig::new(
                "assign",
                format!("topic {topic} cannot have a partition {partition}: from 0 on"),
            ));
        }
        let inbox = Arc::new(Inbox::default());
        let matching = pattern.is_some();
        if let Some((pattern, start)) = pattern {
            let pattern = matching::parse(&pattern)
                .map_err(|error| InvalidConfig::new("assign_matching", format!("{pattern}: {error}")))?;
            inbox.set_matching(Matching::new(pattern, start));
        }
        let id = client.shared.with(|state, now| {
            if state.stopped || state.client.is_closing() {
                return None;
            }
            let id = state.client.create_consumer(config);
            state.consumers.insert(id, Arc::clone(&inbox));
            if let Some(group) = group {
                state.client.create_group(now, id, group);
            }
            state.client.assign(now, id, partitions);
            if matching {
                state.client.want_all_topics(id);
                inbox.match_topics(&mut state.client, now, id);
            }
            Some(id)
        });
        match id {
            Some(id) => Ok(Consumer::new(Arc::new(Inner::new(id, inbox, client, (reading, commits))))),
            None => Err(InvalidConfig::new("consumer", "the client is closed")),
        }
    }
}
