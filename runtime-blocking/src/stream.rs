//! Batches and records as iterators that block.

use std::time::{Duration, Instant};

use klamm_engine::{
    ConsumeError, ConsumedRecord, Event, Explanation, FetchedBatch, NotAssigned, Source, StartAt, Str,
    StreamEnd, block_on, block_on_until,
};

/// Batch after batch, of a consumer or of one partition. Ends when no more will come.
#[derive(Debug)]
pub struct Batches<S: Source> {
    pub(crate) inner: klamm_engine::Batches<S>,
}

impl<S: Source> Iterator for Batches<S> {
    type Item = Result<FetchedBatch, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

/// Record after record, of a consumer or of one partition. Ends when no more will come.
#[derive(Debug)]
pub struct Records<S: Source> {
    pub(crate) inner: klamm_engine::Records<S>,
}

impl<S: Source> Iterator for Records<S> {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

/// What comes of one partition of a [`Consumer`](crate::Consumer), and of no other. See
/// [`klamm_engine::PartitionStream`].
///
/// As an iterator it gives the records and leaves out the events; it is over after the end.
#[derive(Debug)]
pub struct PartitionStream {
    pub(crate) inner: klamm_engine::PartitionStream,
}

impl PartitionStream {
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

    /// The next records or event of the partition.
    ///
    /// # Errors
    ///
    /// Reading failed for good (and goes on after a seek), or the stream is over.
    pub fn next_event(&self) -> Result<Event, ConsumeError> {
        block_on(self.inner.next())
    }

    /// As [`next_event`](Self::next_event), but gives up after `timeout` with `None`. Nothing is lost by that.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn next_event_timeout(&self, timeout: Duration) -> Result<Option<Event>, ConsumeError> {
        block_on_until(self.inner.next(), Instant::now() + timeout).transpose()
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<Event, ConsumeError>> {
        self.inner.try_next()
    }

    /// Record after record, each with bytes of its own.
    #[must_use]
    pub fn into_records(self) -> Records<klamm_engine::PartitionStream> {
        Records { inner: self.inner.into_records() }
    }

    /// Why it gives nothing more; `None` as long as it may.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.inner.ended()
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

impl Iterator for PartitionStream {
    type Item = Result<FetchedBatch, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_event() {
                Ok(Event::Batch(batch)) => return Some(Ok(batch)),
                Ok(_) => {}
                Err(error) if error.is_fatal() => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
