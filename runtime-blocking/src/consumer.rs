//! The consumer.

use std::time::Duration;

use klamm_engine::{
    AdminError, CommitError, CommitOffset, CommittedOffsets, ConsumeError, Event, Explanation, FetchedBatch,
    Isolation, ListedOffset, NotAssigned, NotStreamed, OffsetReset, PendingCommit, PerItem, SeekError,
    Settings, StartAt, Str,
};

use crate::{Batches, PartitionStream, Records};

/// Reads the partitions that it is assigned. See [`klamm_engine::Consumer`].
#[derive(Debug)]
pub struct Consumer {
    inner: klamm_engine::Consumer,
}

impl Consumer {
    forward! { klamm_engine::Consumer:
        /// The next records or event, as they come.
        wait next() -> Result<Event, ConsumeError>;
        /// As [`next`](Self::next), but gives up after `timeout` with `None`.
        within next_timeout = next() -> Result<Option<Event>, ConsumeError>;
        /// The next records.
        wait next_batch() -> Result<FetchedBatch, ConsumeError>;
        /// As [`next_batch`](Self::next_batch), but gives up after `timeout` with `None`.
        within next_batch_timeout = next_batch() -> Result<Option<FetchedBatch>, ConsumeError>;
        /// The next records or event, if they are there.
        get try_next() -> Option<Result<Event, ConsumeError>>;
        /// Assigns partitions, in addition to those that are assigned.
        now assign(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32, StartAt)>);
        /// Takes partitions away. Nothing that was fetched of them is handed out any more.
        now unassign(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)>);
        /// Moves a partition's position. Nothing that was fetched before is handed out any more.
        now seek(topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned>;
        /// Moves a partition's position by so many offsets, forwards or back.
        now seek_by(topic: &str, partition: i32, offsets: i64) -> Result<(), SeekError>;
        /// Stops handing out records of these partitions, and fetching them. The position stays.
        now pause(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)>);
        /// Goes on with paused partitions.
        now resume(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)>);
        /// The offset of the next record of a partition that will be handed out; `None` while that is not known.
        get position(topic: &str, partition: i32) -> Option<i64>;
        /// The end of a partition, as the last fetch told it; `None` if there was none.
        get end_offset(topic: &str, partition: i32) -> Option<i64>;
        /// How many offsets lie between the position of a partition and its end; `None` while that is not known.
        get lag(topic: &str, partition: i32) -> Option<u64>;
        /// Why nothing comes from a partition: what it waits for next.
        get explain(topic: &str, partition: i32) -> Explanation;
        /// The partitions that are assigned.
        get assignment() -> Vec<(Str, i32)>;
        /// Asks for the first record of each partition that is not older than a timestamp. No position moves.
        wait offsets_for_times(
            of: impl IntoIterator<Item = (impl AsRef<str>, i32, i64)> + Send,
        ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError>;
        /// Asks for the oldest offset that each partition still has.
        wait beginning_offsets(
            of: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
        ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError>;
        /// Asks for the end of each partition, as far as this consumer may see.
        wait end_offsets(
            of: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
        ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError>;
        /// Commits the positions of all partitions for the consumer's group, which must have no members.
        wait commit() -> Result<(), CommitError>;
        /// As [`commit`](Self::commit), without waiting.
        now commit_later = commit() -> PendingCommit;
        /// Commits these offsets: each is that of the next record to read.
        wait commit_offsets(
            offsets: impl IntoIterator<Item = (impl AsRef<str>, i32, CommitOffset)>,
        ) -> Result<(), CommitError>;
        /// Looks up what the group has committed.
        wait committed(
            partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)> + Send,
        ) -> Result<CommittedOffsets, CommitError>;
        /// Closes the consumer. Calls that wait for records end with [`ConsumeError::Closed`].
        now close();
    }

    /// Batch after batch; over when the consumer is closed. Events are left out.
    #[must_use]
    pub fn batches(&self) -> Batches<&klamm_engine::Consumer> {
        Batches { inner: self.inner.batches() }
    }

    /// Record after record, each with bytes of its own; over when the consumer is closed. The positions move record by
    /// record. Events are left out. Batches are cheaper.
    #[must_use]
    pub fn records(&self) -> Records<&klamm_engine::Consumer> {
        Records { inner: self.inner.records() }
    }

    /// Reads an assigned partition for itself, on a thread of its own for instance: from now on nothing of it comes
    /// from this consumer's own [`next`](Self::next), until the stream is dropped.
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or has a stream already.
    pub fn partition_stream(&self, topic: &str, partition: i32) -> Result<PartitionStream, NotStreamed> {
        self.inner.partition_stream(topic, partition).map(|inner| PartitionStream { inner })
    }
}

/// Makes a [`Consumer`]. See [`klamm_engine::ConsumerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ConsumerBuilder {
    pub(crate) inner: klamm_engine::ConsumerBuilder,
}

impl ConsumerBuilder {
    options! { klamm_engine::ConsumerBuilder => Consumer:
        settings(settings: &Settings);
        assign(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32, StartAt)>);
        assign_matching(pattern: &str, start: StartAt);
        isolation(isolation: Isolation);
        offset_reset(reset: OffsetReset);
        client_rack(rack: impl AsRef<str>);
        fetch_min_bytes(bytes: i32);
        fetch_max_wait_ms(wait_ms: i32);
        fetch_max_bytes(bytes: i32);
        max_partition_fetch_bytes(bytes: i32);
        buffer_memory(bytes: usize);
        request_timeout(timeout: Duration);
        check_crcs(check: bool);
        max_decompressed_bytes(bytes: usize);
        max_poll_records(records: usize);
        max_poll_bytes(bytes: usize);
        control_records(keep: bool);
        group_id(id: impl AsRef<str>);
        auto_commit(interval: Option<Duration>);
    }
}
