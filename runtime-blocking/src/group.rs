//! The consumer in a group.

use std::time::{Duration, Instant};

use klamm_engine::{
    CommitError, CommitOffset, CommittedOffsets, ConsumerBuilder, Explanation, GroupBatch, GroupEvent,
    GroupMetadata, GroupProtocol, GroupReadError, InvalidConfig, Isolation, NotAssigned, NotStreamed,
    OffsetReset, PendingCommit, StartAt, Str, assignor::Strategy, block_on, block_on_until,
};

use crate::{GroupPartitionStream, GroupRecords, options};

/// Reads, as a member of a group, the partitions that the group assigns to it. See [`klamm_engine::GroupConsumer`].
#[derive(Debug)]
pub struct GroupConsumer {
    inner: klamm_engine::GroupConsumer,
}

impl GroupConsumer {
    pub(crate) fn into_inner(self) -> klamm_engine::GroupConsumer {
        self.inner
    }

    /// The next records or event, as they come. What was handed out before, and was dropped, counts as done with.
    ///
    /// # Errors
    ///
    /// Reading a partition failed for good, the membership failed for good, or the consumer is closed.
    pub fn next(&self) -> Result<GroupEvent, GroupReadError> {
        block_on(self.inner.next())
    }

    /// As [`next`](Self::next), but gives up after `timeout` with `None`. Nothing is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_timeout(&self, timeout: Duration) -> Result<Option<GroupEvent>, GroupReadError> {
        block_on_until(self.inner.next(), Instant::now() + timeout).transpose()
    }

    /// The next records. Events are passed over: partitions that are to be given up are given up at once.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_batch(&self) -> Result<GroupBatch, GroupReadError> {
        block_on(self.inner.next_batch())
    }

    /// As [`next_batch`](Self::next_batch), but gives up after `timeout` with `None`. No record is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_batch_timeout(&self, timeout: Duration) -> Result<Option<GroupBatch>, GroupReadError> {
        block_on_until(self.inner.next_batch(), Instant::now() + timeout).transpose()
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupEvent, GroupReadError>> {
        self.inner.try_next()
    }

    /// Subscribes to these topics, instead of what was subscribed to before. None: leaves the group.
    pub fn subscribe<T: AsRef<str>>(&self, topics: impl IntoIterator<Item = T>) {
        self.inner.subscribe(topics);
    }

    /// Subscribes to all topics whose names match a regular expression, instead of what was subscribed to before.
    ///
    /// # Errors
    ///
    /// The expression makes no sense.
    pub fn subscribe_pattern(&self, pattern: &str) -> Result<(), InvalidConfig> {
        self.inner.subscribe_pattern(pattern)
    }

    /// Leaves the group, and reads nothing any more. Nothing is committed by that.
    pub fn unsubscribe(&self) {
        self.inner.unsubscribe();
    }

    /// Asks the group to rebalance, for this reason.
    pub fn enforce_rebalance(&self, reason: &str) {
        self.inner.enforce_rebalance(reason);
    }

    /// What a transaction has to know of this member.
    #[must_use]
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.inner.group_metadata()
    }

    /// Commits everything that was handed out so far, whether or not it was dropped.
    ///
    /// # Errors
    ///
    /// The coordinator refused, or did not answer within 60 s.
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
    /// The coordinator did not answer within 60 s, or refused.
    pub fn committed<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<CommittedOffsets, CommitError> {
        block_on(self.inner.committed(partitions))
    }

    /// Reads an assigned partition for itself. It ends when the group takes the partition away.
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or has a stream already.
    pub fn partition_stream(&self, topic: &str, partition: i32) -> Result<GroupPartitionStream, NotStreamed> {
        self.inner.partition_stream(topic, partition).map(|inner| GroupPartitionStream { inner })
    }

    /// Hands out record after record from now on, each to be acknowledged when it is done with, in any order. No more
    /// than `max_unacknowledged` (at least 1) are with the application at a time.
    #[must_use]
    pub fn into_records(self, max_unacknowledged: usize) -> GroupRecords {
        GroupRecords { inner: self.inner.into_records(max_unacknowledged) }
    }

    /// Moves the position of a partition that is assigned.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        self.inner.seek(topic, partition, to)
    }

    /// Stops handing out records of these partitions, and fetching them. That ends when they are given up.
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

    /// The partitions that are read.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.inner.assignment()
    }

    /// Commits what is done with, leaves the group, and closes the consumer, within this time. A static member does not
    /// leave: it may be back before its session ends.
    pub fn close(&self, timeout: Duration) {
        block_on(self.inner.close(timeout));
    }

    /// As [`close`](Self::close); a static member leaves too.
    pub fn close_and_leave(&self, timeout: Duration) {
        block_on(self.inner.close_and_leave(timeout));
    }
}

/// Makes a [`GroupConsumer`]. See [`klamm_engine::GroupConsumerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct GroupConsumerBuilder {
    inner: klamm_engine::GroupConsumerBuilder,
}

impl GroupConsumerBuilder {
    pub(crate) const fn new(inner: klamm_engine::GroupConsumerBuilder) -> Self {
        Self { inner }
    }

    options! { klamm_engine::GroupConsumerBuilder:
        settings(settings: &klamm_engine::Settings);
        subscribe_pattern(pattern: impl Into<String>);
        reading(set: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder);
        offset_reset(reset: OffsetReset);
        isolation(isolation: Isolation);
        client_rack(rack: impl AsRef<str>);
        instance_id(id: impl AsRef<str>);
        protocol(protocol: GroupProtocol);
        fall_back_to_classic(fall_back: bool);
        remote_assignor(name: impl AsRef<str>);
        session_timeout(timeout: Duration);
        heartbeat_interval(interval: Duration);
        max_poll_interval(interval: Duration);
        auto_commit(interval: Option<Duration>);
        exclude_internal_topics(exclude: bool);
        request_timeout(timeout: Duration);
    }

    /// Subscribes to these topics from the start. May be called more than once.
    pub fn subscribe<T: AsRef<str>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.inner = self.inner.subscribe(topics);
        self
    }

    /// As [`klamm_engine::GroupConsumerBuilder::assignors`].
    pub fn assignors<S: Into<Strategy>>(mut self, assignors: impl IntoIterator<Item = S>) -> Self {
        self.inner = self.inner.assignors(assignors);
        self
    }

    /// As [`klamm_engine::GroupConsumerBuilder::retry_backoff`].
    pub fn retry_backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.inner = self.inner.retry_backoff(initial, max);
        self
    }

    /// Makes the consumer, which begins to join at once if it subscribes to anything.
    ///
    /// # Errors
    ///
    /// An option makes no sense or the client is closed.
    pub fn build(self) -> Result<GroupConsumer, InvalidConfig> {
        self.inner.build().map(|inner| GroupConsumer { inner })
    }
}
