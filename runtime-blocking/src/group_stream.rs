//! One partition of a consumer in a group, read for itself.

use std::time::{Duration, Instant};

use klamm_engine::{
    CommitError, CommitOffset, ConsumeError, Explanation, GroupBatch, GroupEvent, NotAssigned, PendingCommit,
    StartAt, Str, StreamEnd, block_on, block_on_until,
};

/// What comes of one partition of a [`GroupConsumer`](crate::GroupConsumer), and of no other. See
/// [`klamm_engine::GroupPartitionStream`].
///
/// As an iterator it gives the records and leaves out the events; it is over after the end.
#[derive(Debug)]
pub struct GroupPartitionStream {
    pub(crate) inner: klamm_engine::GroupPartitionStream,
}

impl GroupPartitionStream {
    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Str {
        self.inner.topic()
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.inner.partition()
    }

    /// The next records or event of the partition. What was handed out of it before, and was dropped, counts as done with.
    ///
    /// # Errors
    ///
    /// Reading failed for good (and goes on after a seek), or the stream is over.
    pub fn next_event(&self) -> Result<GroupEvent, ConsumeError> {
        block_on(self.inner.next())
    }

    /// As [`next_event`](Self::next_event), but gives up after `timeout` with `None`. Nothing is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn next_event_timeout(&self, timeout: Duration) -> Result<Option<GroupEvent>, ConsumeError> {
        block_on_until(self.inner.next(), Instant::now() + timeout).transpose()
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupEvent, ConsumeError>> {
        self.inner.try_next()
    }

    /// Why it gives nothing more; `None` as long as it may.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.inner.ended()
    }

    /// Commits everything that this stream has handed out, whether or not it was dropped.
    ///
    /// # Errors
    ///
    /// The stream is over, the coordinator refused, or did not answer within 60 s.
    pub fn commit(&self) -> Result<(), CommitError> {
        block_on(self.inner.commit())
    }

    /// As [`commit`](Self::commit), without waiting.
    pub fn commit_later(&self) -> PendingCommit {
        self.inner.commit()
    }

    /// Commits an offset: that of the next record to read.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn commit_offset(&self, offset: CommitOffset) -> Result<(), CommitError> {
        block_on(self.inner.commit_offset(offset))
    }

    /// Moves the position. Nothing that was fetched before is handed out any more.
    ///
    /// # Errors
    ///
    /// The stream is over.
    pub fn seek(&self, to: StartAt) -> Result<(), NotAssigned> {
        self.inner.seek(to)
    }

    /// Stops fetching the partition until it is [resumed](Self::resume). The position stays.
    pub fn pause(&self) {
        self.inner.pause();
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.inner.resume();
    }

    /// The offset of the next record that will be handed out; `None` while that is not known, and after the end.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.inner.position()
    }

    /// How many offsets lie between the position and the end of the partition; `None` while that is not known, and
    /// after the end.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.inner.lag()
    }

    /// Why nothing comes: what the partition waits for next.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.inner.explain()
    }
}

impl Iterator for GroupPartitionStream {
    type Item = Result<GroupBatch, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_event() {
                Ok(GroupEvent::Batch(batch)) => return Some(Ok(batch)),
                Ok(_) => {}
                Err(error) if error.is_fatal() => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
