//! Records of a group that are done with in any order.

use std::time::Duration;

use klamm_engine::{
    CommitError, CommittedOffsets, GroupReadError, GroupRecord, GroupRecordEvent, NotAssigned, PendingCommit,
    Revocation, StartAt, Str, block_on,
};

/// The records of a [`GroupConsumer`](crate::GroupConsumer), one by one, each to be acknowledged when it is done with. See
/// [`klamm_engine::GroupRecords`].
///
/// ```no_run
/// # fn work(_: &klamm_blocking::ConsumedRecord) {}
/// # fn example(kafka: &klamm_blocking::Kafka) -> Result<(), Box<dyn std::error::Error>> {
/// let records = kafka.group("billing").subscribe(["orders"]).build()?.into_records(1_000);
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| {
///             while let Ok(record) = records.next_record() {
///                 work(&record);
///                 if let Err(late) = record.ack() {
///                     eprintln!("{late}");
///                 }
///             }
///         });
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GroupRecords {
    pub(crate) inner: klamm_engine::GroupRecords,
}

impl GroupRecords {
    forward! { klamm_engine::GroupRecords:
        /// The next record or event, as they come.
        wait next() -> Result<GroupRecordEvent, GroupReadError>;
        /// As [`next`](Self::next), but gives up after `timeout` with `None`.
        within next_timeout = next() -> Result<Option<GroupRecordEvent>, GroupReadError>;
        /// The next record. Events are passed over: partitions that are to be given up are given up at once.
        wait next_record() -> Result<GroupRecord, GroupReadError>;
        /// The next record or event, if they are there, and if there is room for a record.
        get try_next() -> Option<Result<GroupRecordEvent, GroupReadError>>;
        /// Waits until all records of these partitions are acknowledged or dropped, but not beyond the time that the
        /// group waits for them.
        wait finished(revocation: &Revocation);
        /// Commits what is acknowledged, of each partition up to the first record that is not.
        wait commit() -> Result<(), CommitError>;
        /// As [`commit`](Self::commit), without waiting.
        now commit_later = commit() -> PendingCommit;
        /// The offset up to which the records of a partition are done with.
        get done_with(topic: &str, partition: i32) -> Option<i64>;
        /// How many records are with the application: handed out, and neither acknowledged nor dropped.
        get unacknowledged() -> usize;
        /// The consumer, to subscribe, seek, pause and ask.
        get consumer() -> &klamm_engine::GroupConsumer;
        /// Commits what is acknowledged, leaves the group, and closes the consumer, within this time.
        wait close(timeout: Duration);
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
        block_on(self.inner.consumer().committed(partitions))
    }

    /// Moves the position of a partition that is assigned. What was handed out of it before cannot be acknowledged any
    /// more.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        self.inner.consumer().seek(topic, partition, to)
    }

    /// The partitions that are read.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.inner.consumer().assignment()
    }
}
