//! Records of a group that are done with in any order.

use std::time::{Duration, Instant};

use klamm_engine::{
    CommitError, CommittedOffsets, GroupReadError, GroupRecord, GroupRecordEvent, NotAssigned, PendingCommit,
    Revocation, StartAt, Str, block_on, block_on_until,
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
    /// The next record or event, as they come.
    ///
    /// # Errors
    ///
    /// As [`GroupConsumer::next`](crate::GroupConsumer::next).
    pub fn next(&self) -> Result<GroupRecordEvent, GroupReadError> {
        block_on(self.inner.next())
    }

    /// As [`next`](Self::next), but gives up after `timeout` with `None`. Nothing is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_timeout(&self, timeout: Duration) -> Result<Option<GroupRecordEvent>, GroupReadError> {
        block_on_until(self.inner.next(), Instant::now() + timeout).transpose()
    }

    /// The next record. Events are passed over: partitions that are to be given up are given up at once.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_record(&self) -> Result<GroupRecord, GroupReadError> {
        block_on(self.inner.next_record())
    }

    /// The next record or event, if they are there, and if there is room for a record.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupRecordEvent, GroupReadError>> {
        self.inner.try_next()
    }

    /// Waits until all records of these partitions are acknowledged or dropped, but not beyond the time that the group
    /// waits for them.
    pub fn finished(&self, revocation: &Revocation) {
        block_on(self.inner.finished(revocation));
    }

    /// Commits what is acknowledged, of each partition up to the first record that is not.
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

    /// As [`klamm_engine::GroupRecords::done_with`].
    #[must_use]
    pub fn done_with(&self, topic: &str, partition: i32) -> Option<i64> {
        self.inner.done_with(topic, partition)
    }

    /// How many records are with the application: handed out, and neither acknowledged nor dropped.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.inner.unacknowledged()
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

    /// The consumer, to subscribe, seek, pause and ask.
    #[must_use]
    pub const fn consumer(&self) -> &klamm_engine::GroupConsumer {
        self.inner.consumer()
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

    /// As [`GroupConsumer::close`](crate::GroupConsumer::close): commits what is acknowledged.
    pub fn close(&self, timeout: Duration) {
        block_on(self.inner.close(timeout));
    }
}
