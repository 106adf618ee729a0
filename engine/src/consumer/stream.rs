//! One partition, read for itself.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use klamm_core::{
    PartitionIndex,
    consumer::{Explanation, StartAt},
    group::Parting,
};
use klamm_protocol::Str;

use super::{
    ConsumeError, Event, FetchedBatch, NotAssigned, Records,
    inbox::Lane,
    inner::Inner,
    source::{Flow, Source, sealed::Sealed},
};
use crate::wait::{Registration, poll_until, until};

/// Why a [`PartitionStream`] gives nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The application unassigned the partition, or unsubscribed.
    Unassigned,
    /// The group gave the partition to another member, in good order.
    Revoked,
    /// The member lost the partition: another one may have it already.
    Lost,
    /// The consumer or its client was closed.
    Closed,
    /// The runtime that drove the client is gone.
    Stopped,
}

impl StreamEnd {
    /// How a group's reason shows.
    pub(crate) const fn of(parting: Parting) -> Self {
        match parting {
            Parting::Revoked => Self::Revoked,
            Parting::Lost => Self::Lost,
            Parting::Unsubscribed => Self::Unassigned,
            Parting::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unassigned => "the partition was unassigned",
            Self::Revoked => "the partition was revoked",
            Self::Lost => "the partition was lost to another member",
            Self::Closed => "the consumer is closed",
            Self::Stopped => "the runtime that drove the client is gone",
        })
    }
}

/// What comes of one partition of a [`Consumer`](super::Consumer), and of no other.
///
/// While it lives, the consumer's own [`next`](super::Consumer::next) leaves the partition out. Each stream goes at its
/// own pace: one that is not read holds at most about two fetches of its partition, and delays no other. It ends when the
/// partition or the consumer goes, and [`ended`](Self::ended) says why; nothing that waited is handed out then.
///
/// As a [`Stream`] it gives the records and leaves out the events, as [`next_batch`](Self::next_batch) does; it is over
/// after the end. Dropped early, it leaves the partition assigned: what it did not give comes from the consumer again.
pub struct PartitionStream {
    pub(super) inner: Arc<Inner>,
    pub(super) lane: Arc<Lane>,
    pub(super) index: PartitionIndex,
    topic: Str,
    partition: i32,
    registration: Registration,
}

impl fmt::Debug for PartitionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionStream")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl PartitionStream {
    pub(super) fn new(
        inner: Arc<Inner>,
        lane: Arc<Lane>,
        index: PartitionIndex,
        (topic, partition): (Str, i32),
    ) -> Self {
        Self { inner, lane, index, topic, partition, registration: Registration::default() }
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Str {
        &self.topic
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// The next records or event of the partition.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading failed, and waiting will not help: see [`ConsumeError::Partition`]; or the stream is over.
    pub async fn next(&self) -> Result<Event, ConsumeError> {
        until(&self.lane.waiters, || self.try_next()).await
    }

    /// The next records of the partition.
    ///
    /// Cancel safety: what is not returned stays for the next call; events are lost, see [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_batch(&self) -> Result<FetchedBatch, ConsumeError> {
        loop {
            if let Event::Batch(batch) = self.next().await? {
                return Ok(batch);
            }
        }
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<Event, ConsumeError>> {
        self.flow().try_next()
    }

    /// Record after record, each with bytes of its own.
    #[must_use]
    pub fn into_records(self) -> Records<Self> {
        Records::new(self)
    }

    /// Why it gives nothing more; `None` as long as it may.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.lane.end()
    }

    /// As [`Consumer::seek`](super::Consumer::seek).
    ///
    /// # Errors
    ///
    /// The stream is over.
    pub fn seek(&self, to: StartAt) -> Result<(), NotAssigned> {
        let done = (self.ended().is_none()).then(|| self.inner.seek(self.index, to)).flatten();
        done.ok_or_else(|| NotAssigned { topic: self.topic.clone(), partition: self.partition })
    }

    /// Stops fetching the partition until it is [resumed](Self::resume). The position stays.
    pub fn pause(&self) {
        if self.ended().is_none() {
            self.inner.command(&[self.index], klamm_core::consumer::Consumer::pause);
        }
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        if self.ended().is_none() {
            self.inner.command(&[self.index], klamm_core::consumer::Consumer::resume);
        }
    }

    /// The offset of the next record that will be handed out; `None` while that is not known, and after the end.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.inner.query(self.index, klamm_core::consumer::Consumer::position)
    }

    /// How many offsets lie between the position and the end of the partition; `None` while that is not known, and
    /// after the end.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.inner.query(self.index, klamm_core::consumer::Consumer::lag)
    }

    /// Why nothing comes: what the partition waits for next.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.inner.explain(Some(self.index))
    }
}

impl Sealed for PartitionStream {}

impl Source for PartitionStream {
    fn flow(&self) -> Flow<'_> {
        Flow { inner: &self.inner, lane: &self.lane }
    }
}

impl Stream for PartitionStream {
    type Item = Result<FetchedBatch, ConsumeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, lane, registration, .. } = &mut *self.get_mut();
        let flow = Flow { inner, lane };
        poll_until(&flow.lane.waiters, registration, context, || flow.try_next_batch())
    }
}

impl Drop for PartitionStream {
    fn drop(&mut self) {
        self.lane.waiters.forget(&mut self.registration);
        if self.ended().is_none() {
            self.inner.in_group(|group, _| group.read_apart(&(self.topic.clone(), self.partition), false));
        }
        self.inner.release(self.index, &self.lane);
    }
}
