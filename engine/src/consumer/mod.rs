//! The consumer that an application holds.

mod batch;
mod builder;
mod event;
mod inbox;
mod offsets;

use std::{fmt, sync::Arc};

use klamm_core::{
    ConsumerId, PartitionIndex,
    consumer::{ConsumerEvent, Explanation, PartitionError, StartAt},
    probe,
};
use klamm_protocol::Str;

pub use batch::FetchedBatch;
use batch::Reading;
pub use builder::ConsumerBuilder;
pub use event::{ConsumeError, Event, NotAssigned, PartitionTrouble};
pub(crate) use inbox::Inbox;
use inbox::{End, Item};

use crate::{kafka::ClientHandle, shared::State, wait::until};

/// Reads the partitions that it is assigned.
///
/// Records are fetched ahead, within the consumer's memory; checksums, decompression and iteration happen where
/// they are read. Several threads may read from one consumer: each batch goes to one of them.
///
/// Dropping it closes it without waiting.
pub struct Consumer {
    id: ConsumerId,
    inbox: Arc<Inbox>,
    client: Arc<ClientHandle>,
    reading: Reading,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Consumer {
    const fn new(id: ConsumerId, inbox: Arc<Inbox>, client: Arc<ClientHandle>, reading: Reading) -> Self {
        Self { id, inbox, client, reading }
    }

    /// The next records or event, as they come. The positions move when records are handed out.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading a partition failed for good, or the consumer is closed. After [`ConsumeError::Partition`] the other
    /// partitions go on.
    pub async fn next(&self) -> Result<Event, ConsumeError> {
        until(&self.inbox.waiters, || self.try_next()).await
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
        loop {
            let next = match self.inbox.pop()? {
                Ok(Item::Chunk(chunk)) => self.take(chunk).map(Event::Batch).map(Ok),
                Ok(Item::Event(epoch, event)) => self.client.shared.ask(|state| {
                    let index = partition_of(&event)?;
                    let current = state.client.consumer(self.id)?.is_event_current(epoch, &event);
                    probe!(EventDroppedAtHandOver, !current);
                    current.then(|| self.describe(state, index, event)).flatten()
                }),
                Err(End::Closed) => Some(Err(ConsumeError::Closed)),
                Err(End::Stopped) => Some(Err(ConsumeError::Stopped)),
            };
            if next.is_some() {
                return next;
            }
        }
    }

    /// Assigns partitions, in addition to those that are assigned.
    pub fn assign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) {
        let partitions = partitions
            .into_iter()
            .map(|(topic, partition, at)| (Str::copy_of(topic.as_ref()), partition, at));
        let partitions: Vec<_> = partitions.collect();
        self.client.shared.with(|state, now| state.client.assign(now, self.id, partitions));
    }

    /// Takes partitions away. Nothing that was fetched of them is handed out any more.
    pub fn unassign<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.command(partitions, |state, now, id, indices| {
            if let Some(consumer) = state.client.consumer_mut(id) {
                consumer.unassign(now, indices);
            }
        });
    }

    /// Moves a partition's position. Nothing that was fetched before is handed out any more.
    ///
    /// # Errors
    ///
    /// The partition is not assigned.
    pub fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), NotAssigned> {
        let done = self.client.shared.with(|state, now| {
            let index = state.client.cluster().partitions().get(topic, partition)?;
            state.client.consumer_mut(self.id)?.seek(now, index, to).ok()
        });
        done.ok_or_else(|| NotAssigned { topic: Str::copy_of(topic), partition })
    }

    /// Stops handing out records of these partitions, and fetching them. The position stays.
    pub fn pause<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.command(partitions, |state, now, id, indices| {
            if let Some(consumer) = state.client.consumer_mut(id) {
                consumer.pause(now, indices);
            }
        });
    }

    /// Goes on with paused partitions.
    pub fn resume<T: AsRef<str>>(&self, partitions: impl IntoIterator<Item = (T, i32)>) {
        self.command(partitions, |state, now, id, indices| {
            if let Some(consumer) = state.client.consumer_mut(id) {
                consumer.resume(now, indices);
            }
        });
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
        let now = self.client.shared.clock.now();
        self.client.shared.ask(|state| {
            let Some(consumer) = state.client.consumer(self.id) else { return Explanation::Closed };
            match state.client.cluster().partitions().get(topic, partition) {
                Some(index) => consumer.explain(now, index),
                None => Explanation::NotAssigned,
            }
        })
    }

    /// The partitions that are assigned.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Str, i32)> {
        self.client.shared.ask(|state| {
            let Some(consumer) = state.client.consumer(self.id) else { return Vec::new() };
            let partitions = state.client.cluster().partitions();
            let name = |index| partitions.name(index).map(|(topic, partition)| (topic.clone(), partition));
            consumer.assignment().filter_map(name).collect()
        })
    }

    /// Closes the consumer. Calls of [`next`](Self::next) end with [`ConsumeError::Closed`].
    pub fn close(&self) {
        self.client.shared.with(|state, now| {
            state.client.close_consumer(now, self.id);
            state.consumers.remove(&self.id);
        });
        let mut wakers = Vec::new();
        self.inbox.close(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// Takes a chunk if it is still wanted.
    fn take(&self, chunk: klamm_core::consumer::Chunk) -> Option<FetchedBatch> {
        let ticket = chunk.ticket;
        let name = self.client.shared.with(|state, now| {
            let consumer = state.client.consumer_mut(self.id)?;
            if !consumer.take(ticket.partition, ticket.epoch, chunk.next_offset, chunk.leader_epoch) {
                probe!(ChunkDroppedAtHandOver);
                consumer.handle_consumed(now, ticket);
                return None;
            }
            let name = state.client.cluster().partitions().name(ticket.partition);
            name.map(|(topic, partition)| (topic.clone(), partition))
        })?;
        Some(FetchedBatch::open(Arc::clone(&self.client.shared), self.id, name, chunk, self.reading))
    }

    /// Puts names to an event.
    fn describe(
        &self,
        state: &State,
        index: PartitionIndex,
        event: ConsumerEvent,
    ) -> Option<Result<Event, ConsumeError>> {
        let (topic, partition) = state.client.cluster().partitions().name(index)?;
        let topic = topic.clone();
        Some(Ok(match event {
            ConsumerEvent::EndOfPartition { offset, .. } => Event::End { topic, partition, offset },
            ConsumerEvent::Reset { from, to, why, .. } => Event::Reset { topic, partition, from, to, why },
            ConsumerEvent::Truncated { position, diverged_at, continues, .. } => {
                Event::Truncated { topic, partition, position, diverged_at, continues }
            }
            ConsumerEvent::PartitionError(PartitionError { kind, offset, retrying, .. }) => {
                let context = state.client.diagnosis();
                let trouble = PartitionTrouble { topic, partition, kind, offset, retrying, context };
                if !retrying {
                    return Some(Err(ConsumeError::Partition(trouble)));
                }
                Event::Trouble(trouble)
            }
            _ => return None,
        }))
    }

    fn command<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)>,
        command: impl FnOnce(&mut State, klamm_core::Instant, ConsumerId, &[PartitionIndex]),
    ) {
        let partitions: Vec<(T, i32)> = partitions.into_iter().collect();
        self.client.shared.with(|state, now| {
            let numbers = state.client.cluster().partitions();
            let indices =
                partitions.iter().filter_map(|(topic, partition)| numbers.get(topic.as_ref(), *partition));
            let indices: Vec<_> = indices.collect();
            command(state, now, self.id, &indices);
        });
    }

    fn query<R>(
        &self,
        topic: &str,
        partition: i32,
        query: impl FnOnce(&klamm_core::consumer::Consumer, PartitionIndex) -> Option<R>,
    ) -> Option<R> {
        self.client.shared.ask(|state| {
            let index = state.client.cluster().partitions().get(topic, partition)?;
            query(state.client.consumer(self.id)?, index)
        })
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The partition that an event is about.
const fn partition_of(event: &ConsumerEvent) -> Option<PartitionIndex> {
    match event {
        ConsumerEvent::PartitionError(error) => Some(error.partition),
        ConsumerEvent::Reset { partition, .. }
        | ConsumerEvent::Truncated { partition, .. }
        | ConsumerEvent::EndOfPartition { partition, .. } => Some(*partition),
        _ => None,
    }
}
