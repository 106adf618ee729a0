//! The consumer that an application holds.

mod batch;
mod builder;
mod commits;
mod event;
mod handed;
mod inbox;
mod inner;
mod matching;
mod offsets;
mod opened;
mod source;
mod stream;

use std::{fmt, sync::Arc};

use klamm_core::{
    ConsumerId, PartitionIndex,
    consumer::{Explanation, StartAt},
};
use klamm_protocol::Str;

pub use batch::{BatchRecords, FetchedBatch};
pub use builder::ConsumerBuilder;
pub use event::{ConsumeError, Event, NotAssigned, NotStreamed, PartitionTrouble, SeekError};
pub(crate) use handed::offset_of;
pub(crate) use inbox::{Inbox, Item};
use inner::Inner;
use opened::Limits;
pub use source::{Batches, ConsumedRecord, Records, Source};
use source::{Flow, sealed::Sealed};
pub use stream::{PartitionStream, StreamEnd};

use crate::wait::{Waiters, until};

/// Reads the partitions that it is assigned.
///
/// Records are fetched ahead, within the consumer's memory; checksums, decompression and iteration happen where
/// they are read. Several threads may read from one consumer: each batch goes to one of them.
///
/// Dropping it closes it without waiting.
pub struct Consumer {
    inner: Arc<Inner>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl Consumer {
    const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// How the client names it.
    pub(crate) fn id(&self) -> ConsumerId {
        self.inner.id
    }

    /// The next records or event, as they come. The positions move when records are handed out.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading a partition failed, and waiting will not help: for instance, the user lacks the permission to read the topic.
    /// The other partitions go on after [`ConsumeError::Partition`]. Or the consumer is closed.
    pub async fn next(&self) -> Result<Event, ConsumeError> {
        until(&self.inner.inbox.common.waiters, || self.try_next()).await
    }

    /// The next records.
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

    /// The next record, as a batch of its own, or event, if they are there.
    pub(crate) fn try_next_record(&self) -> Option<Result<Event, ConsumeError>> {
        self.flow().try_next_within(Limits::ONE_RECORD)
    }

    /// Who waits for [`try_next_record`](Self::try_next_record).
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.inner.inbox.common.waiters
    }

    /// Whether it was closed, or its client stopped.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.inbox.common.end().is_some()
    }

    /// Batch after batch, as a [`Stream`](futures_core::Stream). [`into_batches`](Self::into_batches) borrows nothing.
    #[must_use]
    pub fn batches(&self) -> Batches<&Self> {
        Batches::new(self)
    }

    /// As [`batches`](Self::batches), and the consumer goes with the stream.
    #[must_use]
    pub fn into_batches(self) -> Batches<Self> {
        Batches::new(self)
    }

    /// Record after record, each with bytes of its own, as a [`Stream`](futures_core::Stream).
    /// [`into_records`](Self::into_records) borrows nothing.
    ///
    /// This costs a few reference counts and two short locks a record; batches cost neither.
    #[must_use]
    pub fn records(&self) -> Records<&Self> {
        Records::new(self)
    }

    /// As [`records`](Self::records), and the consumer goes with the stream.
    #[must_use]
    pub fn into_records(self) -> Records<Self> {
        Records::new(self)
    }

    /// Reads an assigned partition for itself: from now on nothing of it comes from this consumer's own
    /// [`next`](Self::next), until the stream is dropped.
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or has a stream already.
    pub fn partition_stream(&self, topic: &str, partition: i32) -> Result<PartitionStream, NotStreamed> {
        let refused = |assigned| NotStreamed { topic: Str::copy_of(topic), partition, assigned };
        let (index, lane) = self.inner.client.shared.ask(|state| {
            let index = state.client.cluster().partitions().get(topic, partition);
            let consumer = state.client.consumer(self.inner.id);
            let assigned = |index: &PartitionIndex| consumer.is_some_and(|all| all.is_assigned(*index));
            let index = index.filter(assigned).ok_or_else(|| refused(false))?;
            Ok((index, self.inner.inbox.claim(index).ok_or_else(|| refused(true))?))
        })?;
        self.inner.in_group(|group, _| group.read_apart(&(Str::copy_of(topic), partition), true));
        Ok(PartitionStream::new(Arc::clone(&self.inner), lane, index, (Str::copy_of(topic), partition)))
    }

    /// Assigns partitions, in addition to those that are assigned.
    pub fn assign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) {
        let partitions = partitions
            .into_iter()
            .map(|(topic, partition, at)| (Str::copy_of(topic.as_ref()), partition, at));
        let partitions: Vec<_> = partitions.collect();
        self.inner.assign(partitions);
    }

    /// Takes partitions away. Nothing that was fetched of them is handed out any more, and their streams end with
    /// [`StreamEnd::Unassigned`].
    pub fn unassign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.unassign(&self.inner.indices(partitions), StreamEnd::Unassigned);
    }

    /// Moves a partition's position. Nothing that was fetched before is handed out any more.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        let done = self.inner.index(topic, partition).and_then(|index| self.inner.seek(index, to));
        done.ok_or_else(|| NotAssigned { topic: Str::copy_of(topic), partition })
    }

    /// Moves a partition's position by so many offsets, forwards or back, but not before the oldest record that the
    /// broker still has, nor beyond the end. Where it came to is told by [`Event::Reset`]. Offsets that compaction or
    /// transactions left out count.
    ///
    /// # Errors
    ///
    /// The partition is not assigned, or where it is is not known yet.
    pub fn seek_by(&self, topic: &str, partition: i32, offsets: i64) -> Result<(), SeekError> {
        let done = self.inner.index(topic, partition).and_then(|index| {
            self.inner.client.shared.with(|state, now| {
                let sought = state.client.consumer_mut(self.inner.id)?.seek_by(now, index, offsets);
                if sought.is_ok() {
                    self.inner.sought(state, now, index, None);
                }
                Some(sought)
            })
        });
        match done {
            Some(Ok(())) => Ok(()),
            Some(Err(klamm_core::consumer::SeekError::NoPosition(_))) => {
                Err(SeekError::NoPosition { topic: Str::copy_of(topic), partition })
            }
            _ => Err(SeekError::NotAssigned(NotAssigned { topic: Str::copy_of(topic), partition })),
        }
    }

    /// Stops handing out records of these partitions, and fetching them. The position stays.
    pub fn pause<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.command(&self.inner.indices(partitions), klamm_core::consumer::Consumer::pause);
    }

    /// Goes on with paused partitions.
    pub fn resume<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.inner.command(&self.inner.indices(partitions), klamm_core::consumer::Consumer::resume);
    }

    /// The offset of the next record of a partition that will be handed out; `None` while that is not known.
    #[must_use]
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.query(topic, partition, klamm_core::consumer::Consumer::position)
    }

    /// The end of a partition, as the last fetch told it; `None` if there was none.
    #[must_use]
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.query(topic, partition, klamm_core::consumer::Consumer::end_offset)
    }

    /// How many offsets lie between the position of a partition and its end; `None` while that is not known.
    #[must_use]
    pub fn lag(&self, topic: &str, partition: i32) -> Option<u64> {
        self.query(topic, partition, klamm_core::consumer::Consumer::lag)
    }

    /// Why nothing comes from a partition: what it waits for next.
    #[must_use]
    pub fn explain(&self, topic: &str, partition: i32) -> Explanation {
        self.inner.explain(self.inner.index(topic, partition))
    }

    /// The partitions that are assigned.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.inner.client.shared.ask(|state| {
            let Some(consumer) = state.client.consumer(self.inner.id) else { return Vec::new() };
            let partitions = state.client.cluster().partitions();
            let name = |index| partitions.name(index).map(|(topic, partition)| (topic.clone(), partition));
            consumer.assignment().filter_map(name).collect()
        })
    }

    /// Closes the consumer. Calls of [`next`](Self::next) end with [`ConsumeError::Closed`], streams of partitions with
    /// [`StreamEnd::Closed`].
    pub fn close(&self) {
        self.inner.close();
    }

    fn query<R>(
        &self,
        topic: &str,
        partition: i32,
        query: impl FnOnce(&klamm_core::consumer::Consumer, PartitionIndex) -> Option<R>,
    ) -> Option<R> {
        self.inner.query(self.inner.index(topic, partition)?, query)
    }
}

impl Sealed for Consumer {}

impl Source for Consumer {
    fn flow(&self) -> Flow<'_> {
        Flow { inner: &self.inner, lane: &self.inner.inbox.common }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.close();
    }
}
