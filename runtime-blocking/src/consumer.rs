//! The consumer.

use std::time::{Duration, Instant};

use klamm_engine::{
    AdminError, CommitError, CommitOffset, CommittedOffsets, ConsumeError, Event, Explanation, FetchedBatch,
    InvalidConfig, Isolation, ListedOffset, NotAssigned, NotStreamed, OffsetReset, PendingCommit, PerItem,
    SeekError, StartAt, Str, block_on, block_on_until,
};

use crate::{Batches, PartitionStream, Records, options};

/// Reads the partitions that it is assigned. See [`klamm_engine::Consumer`].
#[derive(Debug)]
pub struct Consumer {
    inner: klamm_engine::Consumer,
}

impl Consumer {
    /// The next records or event, as they come. The positions move when records are handed out.
    ///
    /// # Errors
    ///
    /// Reading a partition failed for good, or the consumer is closed.
    pub fn next(&self) -> Result<Event, ConsumeError> {
        block_on(self.inner.next())
    }

    /// As [`next`](Self::next), but gives up after `timeout` with `None`. Nothing is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_timeout(&self, timeout: Duration) -> Result<Option<Event>, ConsumeError> {
        block_on_until(self.inner.next(), Instant::now() + timeout).transpose()
    }

    /// The next records.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_batch(&self) -> Result<FetchedBatch, ConsumeError> {
        block_on(self.inner.next_batch())
    }

    /// As [`next_batch`](Self::next_batch), but gives up after `timeout` with `None`. No record is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_batch_timeout(&self, timeout: Duration) -> Result<Option<FetchedBatch>, ConsumeError> {
        block_on_until(self.inner.next_batch(), Instant::now() + timeout).transpose()
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<Event, ConsumeError>> {
        self.inner.try_next()
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

    /// Assigns partitions, in addition to those that are assigned.
    pub fn assign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) {
        self.inner.assign(partitions);
    }

    /// Takes partitions away. Nothing that was fetched of them is handed out any more.
    pub fn unassign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.unassign(partitions);
    }

    /// Moves a partition's position. Nothing that was fetched before is handed out any more.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        self.inner.seek(topic, partition, to)
    }

    /// Moves a partition's position by so many offsets, forwards or back, but not before the oldest record that the
    /// broker still has, nor beyond the end. Where it came to is told by [`Event::Reset`].
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or where it is is not known yet.
    pub fn seek_by(&self, topic: &str, partition: i32, offsets: i64) -> Result<(), SeekError> {
        self.inner.seek_by(topic, partition, offsets)
    }

    /// Stops handing out records of these partitions, and fetching them. The position stays.
    pub fn pause<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.pause(partitions);
    }

    /// Goes on with paused partitions.
    pub fn resume<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.resume(partitions);
    }

    /// The offset of the next record of a partition that will be handed out; `None` while that is not known.
    #[must_use]
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.inner.position(topic, partition)
    }

    /// The end of a partition, as the last fetch told it; `None` if there was none.
    #[must_use]
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.inner.end_offset(topic, partition)
    }

    /// How many offsets lie between the position of a partition and its end; `None` while that is not known.
    #[must_use]
    pub fn lag(&self, topic: &str, partition: i32) -> Option<u64> {
        self.inner.lag(topic, partition)
    }

    /// Why nothing comes from a partition: what it waits for next.
    #[must_use]
    pub fn explain(&self, topic: &str, partition: i32) -> Explanation {
        self.inner.explain(topic, partition)
    }

    /// The partitions that are assigned.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.inner.assignment()
    }

    /// Asks for the first record of each partition whose timestamp (milliseconds since 1970) is not before the one
    /// given; its offset is `None` if there is no such record. No position moves.
    ///
    /// # Errors
    ///
    /// No broker answered within 60 s.
    pub fn offsets_for_times<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32, i64)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        block_on(self.inner.offsets_for_times(of))
    }

    /// Asks for the oldest offset that each partition still has.
    ///
    /// # Errors
    ///
    /// As [`offsets_for_times`](Self::offsets_for_times).
    pub fn beginning_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        block_on(self.inner.beginning_offsets(of))
    }

    /// Asks for the end of each partition, as far as this consumer may see. What the last fetch told of it is
    /// [`end_offset`](Self::end_offset), which asks nobody.
    ///
    /// # Errors
    ///
    /// As [`offsets_for_times`](Self::offsets_for_times).
    pub fn end_offsets<T: AsRef<str>>(
        &self,
        of: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ListedOffset>, AdminError> {
        block_on(self.inner.end_offsets(of))
    }

    /// Commits the positions of all partitions for the group of
    /// [`group_id`](klamm_engine::ConsumerBuilder::group_id), which must have no members.
    ///
    /// # Errors
    ///
    /// The consumer has no group, its coordinator refused, or did not answer within 60 s.
    pub fn commit(&self) -> Result<(), CommitError> {
        block_on(self.inner.commit())
    }

    /// As [`commit`](Self::commit), without waiting.
    pub fn commit_later(&self) -> PendingCommit {
        self.inner.commit()
    }

    /// Commits these offsets: each is that of the next record to read.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn commit_offsets<T: AsRef<str>>(
        &self,
        offsets: impl IntoIterator<Item = (T, i32, CommitOffset)>,
    ) -> Result<(), CommitError> {
        block_on(self.inner.commit_offsets(offsets))
    }

    /// Looks up what the group has committed.
    ///
    /// # Errors
    ///
    /// The consumer has no group, or its coordinator did not answer within 60 s, or refused.
    pub fn committed<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<CommittedOffsets, CommitError> {
        block_on(self.inner.committed(partitions))
    }

    /// Closes the consumer. Calls that wait for records end with [`ConsumeError::Closed`].
    pub fn close(&self) {
        self.inner.close();
    }
}

/// Makes a [`Consumer`]. See [`klamm_engine::ConsumerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ConsumerBuilder {
    inner: klamm_engine::ConsumerBuilder,
}

impl ConsumerBuilder {
    pub(crate) const fn new(inner: klamm_engine::ConsumerBuilder) -> Self {
        Self { inner }
    }

    options! { klamm_engine::ConsumerBuilder:
        settings(settings: &klamm_engine::Settings);
        isolation(isolation: Isolation);
        offset_reset(reset: OffsetReset);
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
    }

    /// Where this client is (`client.rack`), to read from a replica in the same rack (KIP-392). Default: none.
    pub fn client_rack(mut self, rack: impl AsRef<str>) -> Self {
        self.inner = self.inner.client_rack(rack);
        self
    }

    /// Assigns partitions: topic, partition, where to start. May be called more than once.
    pub fn assign<T: AsRef<str>>(mut self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) -> Self {
        self.inner = self.inner.assign(partitions);
        self
    }

    /// Assigns all partitions of all topics whose whole name matches. See
    /// [`klamm_engine::ConsumerBuilder::assign_matching`].
    pub fn assign_matching(mut self, pattern: &str, start: StartAt) -> Self {
        self.inner = self.inner.assign_matching(pattern, start);
        self
    }

    /// Makes the consumer, which begins to fetch at once what it is assigned.
    ///
    /// # Errors
    ///
    /// An option makes no sense or the client is closed.
    pub fn build(self) -> Result<Consumer, InvalidConfig> {
        self.inner.build().map(|inner| Consumer { inner })
    }
}
