//! The consumer in a group.

use std::time::Duration;

use klamm_engine::{
    CommitError, CommitOffset, CommittedOffsets, Explanation, GroupBatch, GroupEvent, GroupMetadata,
    GroupProtocol, GroupReadError, InvalidConfig, Isolation, NotAssigned, NotStreamed, OffsetReset,
    PendingCommit, Settings, StartAt, Str, assignor::Strategy,
};

use crate::{GroupPartitionStream, GroupRecords};

/// Reads, as a member of a group, the partitions that the group assigns to it. See [`klamm_engine::GroupConsumer`].
#[derive(Debug)]
pub struct GroupConsumer {
    pub(crate) inner: klamm_engine::GroupConsumer,
}

impl GroupConsumer {
    forward! { klamm_engine::GroupConsumer:
        /// The next records or event, as they come. What was handed out before, and was dropped, counts as done with.
        wait next() -> Result<GroupEvent, GroupReadError>;
        /// As [`next`](Self::next), but gives up after `timeout` with `None`.
        within next_timeout = next() -> Result<Option<GroupEvent>, GroupReadError>;
        /// The next records. Events are passed over: partitions that are to be given up are given up at once.
        wait next_batch() -> Result<GroupBatch, GroupReadError>;
        /// As [`next_batch`](Self::next_batch), but gives up after `timeout` with `None`.
        within next_batch_timeout = next_batch() -> Result<Option<GroupBatch>, GroupReadError>;
        /// The next records or event, if they are there.
        get try_next() -> Option<Result<GroupEvent, GroupReadError>>;
        /// Subscribes to these topics, instead of what was subscribed to before. None: leaves the group.
        now subscribe(topics: impl IntoIterator<Item = impl AsRef<str>>);
        /// Subscribes to all topics whose names match a regular expression, instead of what was subscribed to before.
        now subscribe_pattern(pattern: &str) -> Result<(), InvalidConfig>;
        /// Leaves the group, and reads nothing any more. Nothing is committed by that.
        now unsubscribe();
        /// Asks the group to rebalance, for this reason.
        now enforce_rebalance(reason: &str);
        /// What a transaction has to know of this member.
        get group_metadata() -> Option<GroupMetadata>;
        /// Commits everything that was handed out so far, whether or not it was dropped.
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
        /// Moves the position of a partition that is assigned.
        now seek(topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned>;
        /// Stops handing out records of these partitions, and fetching them. That ends when they are given up.
        now pause(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)>);
        /// Goes on with paused partitions.
        now resume(partitions: impl IntoIterator<Item = (impl AsRef<str>, i32)>);
        /// The offset of the next record of a partition that will be handed out; `None` while that is not known.
        get position(topic: &str, partition: i32) -> Option<i64>;
        /// How many offsets lie between the position of a partition and its end; `None` while that is not known.
        get lag(topic: &str, partition: i32) -> Option<u64>;
        /// Why nothing comes from a partition: what it waits for next.
        get explain(topic: &str, partition: i32) -> Explanation;
        /// The partitions that are read.
        get assignment() -> Vec<(Str, i32)>;
        /// Commits what is done with, leaves the group, and closes the consumer, within this time.
        wait close(timeout: Duration);
        /// As [`close`](Self::close); a static member leaves too.
        wait close_and_leave(timeout: Duration);
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
}

/// Makes a [`GroupConsumer`]. See [`klamm_engine::GroupConsumerBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct GroupConsumerBuilder {
    pub(crate) inner: klamm_engine::GroupConsumerBuilder,
}

impl GroupConsumerBuilder {
    options! { klamm_engine::GroupConsumerBuilder => GroupConsumer:
        settings(settings: &Settings);
        subscribe(topics: impl IntoIterator<Item = impl AsRef<str>>);
        subscribe_pattern(pattern: impl Into<String>);
        reading(set: impl FnOnce(klamm_engine::ConsumerBuilder) -> klamm_engine::ConsumerBuilder);
        offset_reset(reset: OffsetReset);
        isolation(isolation: Isolation);
        client_rack(rack: impl AsRef<str>);
        instance_id(id: impl AsRef<str>);
        protocol(protocol: GroupProtocol);
        fall_back_to_classic(fall_back: bool);
        remote_assignor(name: impl AsRef<str>);
        assignors(assignors: impl IntoIterator<Item = impl Into<Strategy>>);
        session_timeout(timeout: Duration);
        heartbeat_interval(interval: Duration);
        max_poll_interval(interval: Duration);
        auto_commit(interval: Option<Duration>);
        exclude_internal_topics(exclude: bool);
        request_timeout(timeout: Duration);
        retry_backoff(initial: Duration, max: Duration);
    }
}
