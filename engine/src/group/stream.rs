//! One partition of a consumer in a group, read for itself.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use klamm_core::{
    ConsumerId, Instant, OperationId,
    consumer::{Explanation, StartAt},
    group::{CommitErrorKind, CommitOffset, Group, TopicPartition},
};
use klamm_protocol::Str;

use super::{API_TIMEOUT, GroupBatch, GroupEvent, PendingCommit};
use crate::{
    ConsumeError, Event, FetchedBatch, NotAssigned, PartitionStream, StreamEnd, consumer::offset_of,
    kafka::ClientHandle, observe::CommitSpan,
};

/// What comes of one partition of a [`GroupConsumer`](super::GroupConsumer), and of no other.
///
/// Each stream goes at its own pace: one that is not read delays no other. It ends when the group takes the partition away,
/// and [`ended`](Self::ended) says why: [`Revoked`](StreamEnd::Revoked), [`Lost`](StreamEnd::Lost) or
/// [`Closed`](StreamEnd::Closed); nothing that waited is handed out then, and what this stream is asked to commit is refused,
/// even if the member has the same partition again by then. What is to be committed of a revoked partition is committed while
/// the [`Revocation`](super::Revocation) is held, by the consumer: automatically, if that is on, as far as batches were
/// dropped.
///
/// Rebalances are told by the consumer's own [`next`](super::GroupConsumer::next), which has to be awaited all the time, and
/// is what counts for [`max_poll_interval`](super::GroupConsumerBuilder::max_poll_interval).
///
/// As a [`Stream`] it gives the records and leaves out the events, as [`next_batch`](Self::next_batch) does; it is over
/// after the end. Dropped early, it leaves the partition assigned: what it did not give comes from the consumer again.
pub struct GroupPartitionStream {
    stream: PartitionStream,
    client: Arc<ClientHandle>,
    consumer: ConsumerId,
    name: TopicPartition,
}

impl fmt::Debug for GroupPartitionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupPartitionStream").field("partition", &self.name).finish_non_exhaustive()
    }
}

impl GroupPartitionStream {
    pub(super) fn new(stream: PartitionStream, client: Arc<ClientHandle>, consumer: ConsumerId) -> Self {
        let name = (stream.topic().clone(), stream.partition());
        let stream = Self { stream, client, consumer, name };
        stream.in_group(|group, _, name| group.read_apart(name, true));
        stream
    }

    /// Works on the group, as long as the partition is the stream's.
    fn in_group<R>(&self, work: impl FnOnce(&mut Group, Instant, &TopicPartition) -> R) -> Option<R> {
        self.client.shared.with(|state, now| {
            let group = state.client.group_mut(self.consumer)?;
            self.stream.ended().is_none().then(|| work(group, now, &self.name))
        })
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Str {
        self.stream.topic()
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.stream.partition()
    }

    /// The next records or event of the partition: [`GroupEvent::Batch`] or [`GroupEvent::Partition`]. What was handed out of
    /// it before, and was dropped, counts as done with.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading failed, and waiting will not help: see [`ConsumeError::Partition`]; or the stream is over.
    pub async fn next(&self) -> Result<GroupEvent, ConsumeError> {
        self.ask();
        let event = self.stream.next().await?;
        Ok(self.hand_out(event))
    }

    /// The next records of the partition.
    ///
    /// Cancel safety: what is not returned stays for the next call; events are lost, see [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_batch(&self) -> Result<GroupBatch, ConsumeError> {
        loop {
            if let GroupEvent::Batch(batch) = self.next().await? {
                return Ok(batch);
            }
        }
    }

    /// The next records or event, if they are there.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupEvent, ConsumeError>> {
        self.ask();
        Some(self.stream.try_next()?.map(|event| self.hand_out(event)))
    }

    fn ask(&self) {
        self.in_group(|group, _, name| group.ask_apart(name));
    }

    fn hand_out(&self, event: Event) -> GroupEvent {
        match event {
            Event::Batch(batch) => GroupEvent::Batch(self.batch(batch)),
            event => GroupEvent::Partition(event),
        }
    }

    fn batch(&self, batch: FetchedBatch) -> GroupBatch {
        // If it was taken away meanwhile, the group does not know the partition, or this batch of it, and minds neither.
        let id = self.client.shared.with(|state, now| {
            let group = state.client.group_mut(self.consumer);
            group.map(|group| group.hand_out(now, &self.name, batch.next_offset(), batch.leader_epoch()))
        });
        GroupBatch::new(batch, id)
    }

    /// Why it gives nothing more; `None` as long as it may.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.stream.ended()
    }

    /// Commits everything that this stream has handed out, whether or not it was dropped. It is sent whether or not the
    /// future is awaited. After the end it is refused: the partition may belong to another member.
    pub fn commit(&self) -> PendingCommit {
        self.committing(|group, now, operation, name| {
            group.commit_partition(now, operation, name, now + API_TIMEOUT);
        })
    }

    /// Commits an offset: that of the next record to read. Otherwise as [`commit`](Self::commit).
    pub fn commit_offset(&self, offset: CommitOffset) -> PendingCommit {
        self.committing(|group, now, operation, name| {
            let offsets = [(name.clone(), offset)].into();
            group.commit(now, operation, offsets, now + API_TIMEOUT);
        })
    }

    fn committing(
        &self,
        commit: impl FnOnce(&mut Group, Instant, OperationId, &TopicPartition),
    ) -> PendingCommit {
        let span = CommitSpan::begin(&self.client.shared, self.consumer);
        let operation = self.client.shared.try_operate(|client, now, operation| {
            let group = client.group_mut(self.consumer)?;
            match self.stream.ended() {
                None => commit(group, now, operation, &self.name),
                Some(StreamEnd::Closed | StreamEnd::Stopped) => {
                    group.refuse_commit(operation, CommitErrorKind::Closed);
                }
                Some(_) => group.refuse_commit(operation, CommitErrorKind::NotAssigned),
            }
            Some(())
        });
        PendingCommit::new(operation, CommitErrorKind::Closed, span)
    }

    /// As [`GroupConsumer::seek`](super::GroupConsumer::seek).
    ///
    /// # Errors
    ///
    /// The stream is over.
    pub fn seek(&self, to: StartAt) -> Result<(), NotAssigned> {
        self.stream.seek(to)?;
        self.in_group(|group, now, name| group.sought(now, name, offset_of(to)));
        Ok(())
    }

    /// Stops fetching the partition until it is [resumed](Self::resume). The position stays.
    pub fn pause(&self) {
        self.stream.pause();
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.stream.resume();
    }

    /// The offset of the next record that will be handed out; `None` while that is not known, and after the end.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.stream.position()
    }

    /// How many offsets lie between the position and the end of the partition; `None` while that is not known, and
    /// after the end.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.stream.lag()
    }

    /// Why nothing comes: what the partition waits for next.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.stream.explain()
    }
}

impl Stream for GroupPartitionStream {
    type Item = Result<GroupBatch, ConsumeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.ask();
        Pin::new(&mut this.stream)
            .poll_next(context)
            .map(|batch| batch.map(|batch| batch.map(|batch| this.batch(batch))))
    }
}

impl Drop for GroupPartitionStream {
    fn drop(&mut self) {
        self.in_group(|group, _, name| group.read_apart(name, false));
    }
}
