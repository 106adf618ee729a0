//! What a consumer and the streams of its partitions share.

use std::sync::{Arc, Mutex};

use klamm_core::{
    ConsumerId, Instant, PartitionIndex,
    consumer::{
        AssignmentEpoch, Chunk, Consumer, ConsumerEvent, Explanation, PartitionError, StartAt, Ticket,
    },
    group::HandedOut,
    probe,
};
use klamm_protocol::{Str, records::Scratch};

use super::{
    ConsumeError, Event, FetchedBatch, Inbox, Item, PartitionTrouble, StreamEnd,
    handed::offset_of,
    inbox::Lane,
    opened::{Limits, Opened, Reading, Rest},
};
use crate::{kafka::ClientHandle, observe::polling, shared::State, wait::lock};

/// See the [module](self).
pub(super) struct Inner {
    pub(super) id: ConsumerId,
    pub(super) inbox: Arc<Inbox>,
    pub(super) client: Arc<ClientHandle>,
    pub(super) reading: Reading,
    /// Whether what the application is done with is committed by itself, for a group of which it is no member.
    pub(super) commits: bool,
    /// Contexts of codecs that no reader uses at the moment: as many as ever read at once.
    scratches: Mutex<Vec<Scratch>>,
}

impl Inner {
    pub(super) fn new(
        id: ConsumerId,
        inbox: Arc<Inbox>,
        client: Arc<ClientHandle>,
        (reading, commits): (Reading, bool),
    ) -> Self {
        Self { id, inbox, client, reading, commits, scratches: Mutex::default() }
    }

    /// The client's number of a partition; `None` if it was never named.
    pub(super) fn index(&self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        self.client.shared.ask(|state| state.client.cluster().partitions().get(topic, partition))
    }

    /// Those of them that were ever named.
    pub(super) fn indices<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)>,
    ) -> Vec<PartitionIndex> {
        let partitions: Vec<(T, i32)> = partitions.into_iter().collect();
        self.client.shared.ask(|state| {
            let numbers = state.client.cluster().partitions();
            let indices =
                partitions.iter().filter_map(|(topic, partition)| numbers.get(topic.as_ref(), *partition));
            indices.collect()
        })
    }

    pub(super) fn command(
        &self,
        partitions: &[PartitionIndex],
        command: impl FnOnce(&mut Consumer, Instant, &[PartitionIndex]),
    ) {
        self.client.shared.with(|state, now| {
            if let Some(consumer) = state.client.consumer_mut(self.id) {
                command(consumer, now, partitions);
            }
        });
    }

    pub(super) fn query<R>(
        &self,
        partition: PartitionIndex,
        query: impl FnOnce(&Consumer, PartitionIndex) -> Option<R>,
    ) -> Option<R> {
        self.client.shared.ask(|state| query(state.client.consumer(self.id)?, partition))
    }

    /// Nothing if the partition is not assigned.
    pub(super) fn seek(&self, partition: PartitionIndex, to: StartAt) -> Option<()> {
        self.client.shared.with(|state, now| {
            state.client.consumer_mut(self.id)?.seek(now, partition, to).ok()?;
            self.sought(state, now, partition, offset_of(to));
            Some(())
        })
    }

    pub(super) fn explain(&self, partition: Option<PartitionIndex>) -> Explanation {
        let now = self.client.shared.clock.now();
        self.client.shared.ask(|state| match (state.client.consumer(self.id), partition) {
            (None, _) => Explanation::Closed,
            (Some(consumer), Some(partition)) => consumer.explain(now, partition),
            (Some(_), None) => Explanation::NotAssigned,
        })
    }

    /// Takes partitions away. Their streams end for this reason.
    pub(super) fn unassign(&self, partitions: &[PartitionIndex], why: StreamEnd) {
        let mut wakers = Vec::new();
        let left = self.client.shared.with(|state, now| {
            let left = self.inbox.end_lanes(partitions, why, &mut wakers);
            let Some(consumer) = state.client.consumer_mut(self.id) else { return left };
            consumer.unassign(now, partitions);
            left.iter().filter_map(Item::ticket).for_each(|ticket| consumer.handle_consumed(now, ticket));
            self.unassigned(state, now, partitions);
            left
        });
        drop(left);
        for waker in wakers {
            waker.wake();
        }
    }

    /// The reader of a lane, of which what it had was set aside, waits for it.
    pub(super) fn want(&self, lane: &Lane) {
        self.client.shared.with(|state, now| {
            let partition = self.inbox.partition_of(lane);
            if let Some((partition, consumer)) = partition.zip(state.client.consumer_mut(self.id)) {
                consumer.want(now, partition);
            }
        });
    }

    /// A reader finds nothing, and memory was short because of others who were woken and did not come.
    pub(super) fn want_memory(&self) {
        self.inbox.spare_nobody();
        self.client.shared.with(|state, now| {
            if let Some(consumer) = state.client.consumer_mut(self.id) {
                consumer.want_memory(now);
            }
        });
    }

    /// A stream of a partition is dropped.
    pub(super) fn release(&self, partition: PartitionIndex, lane: &Arc<Lane>) {
        let mut wakers = Vec::new();
        self.client.shared.with(|state, now| {
            self.inbox.release(partition, lane, &mut wakers);
            if let Some(consumer) = state.client.consumer_mut(self.id) {
                consumer.want(now, partition);
            }
        });
        for waker in wakers {
            waker.wake();
        }
    }

    pub(super) fn close(&self) {
        let timeout = self.client.close_timeout;
        self.client.shared.with(|state, now| {
            // What was asked to be committed still is.
            state.client.close_group(now, self.id, false, now + timeout, None);
            state.client.close_consumer(now, self.id);
            state.consumers.remove(&self.id);
        });
        let mut wakers = Vec::new();
        drop(self.inbox.close(&mut wakers));
        for waker in wakers {
            waker.wake();
        }
    }

    /// Takes a chunk as a whole, if it is still wanted, and opens it.
    pub(super) fn take(&self, chunk: Chunk) -> Option<FetchedBatch> {
        let mut handed = None;
        let name = self.name_if(&chunk, |state, now| {
            let to = (chunk.ticket, chunk.next_offset, chunk.leader_epoch);
            self.take_part(state, now, to, &mut handed)
        })?;
        let rest = Rest::all(self.opened(name, chunk));
        rest.cut(Limits::NONE, |_, _, _| true).map(|(batch, _)| batch.handed(handed))
    }

    /// Opens a chunk if it is still wanted. Nothing is taken yet.
    pub(super) fn open(&self, chunk: Chunk) -> Option<Rest> {
        let name = self.name_if(&chunk, |state, _| {
            let consumer = state.client.consumer(self.id);
            consumer.is_some_and(|all| all.is_current(chunk.ticket.partition, chunk.ticket.epoch))
        })?;
        Some(Rest::all(self.opened(name, chunk)))
    }

    fn opened(&self, name: (Str, i32), chunk: Chunk) -> Opened {
        let mut scratch = lock(&self.scratches).pop().unwrap_or_default();
        let shared = Arc::clone(&self.client.shared);
        let (topic, partition, offset) = (name.0.clone(), name.1, chunk.from_offset);
        let opened = polling(
            (&self.client.shared, self.id),
            (&topic, partition, offset),
            || Opened::new(shared, self.id, name, chunk, (&self.reading, &mut scratch)),
            |opened| opened.batches.iter().map(|batch| batch.iter().count()).sum(),
        );
        if opened.decompressed > 0 {
            lock(&self.scratches).push(scratch);
        }
        opened
    }

    /// The name of a chunk's partition, if the chunk is still wanted. If not, its memory is given back.
    fn name_if(&self, chunk: &Chunk, wanted: impl FnOnce(&mut State, Instant) -> bool) -> Option<(Str, i32)> {
        self.client.shared.with(|state, now| {
            state.client.consumer(self.id)?;
            if !wanted(state, now) {
                probe!(ChunkDroppedAtHandOver);
                state.client.consumer_mut(self.id)?.handle_consumed(now, chunk.ticket);
                return None;
            }
            let name = state.client.cluster().partitions().name(chunk.ticket.partition);
            name.map(|(topic, partition)| (topic.clone(), partition))
        })
    }

    /// Moves a position: to an offset, after a record of this leader epoch. Returns whether what lies before it is still
    /// wanted; `handed` is what it is handed out as.
    pub(super) fn advance(&self, to: (Ticket, i64, i32), handed: &mut Option<HandedOut>) -> bool {
        let shared = &self.client.shared;
        if self.commits {
            shared.with(|state, now| self.take_part(state, now, to, handed))
        } else {
            shared.change(|state| self.advance_to(state, to))
        }
    }

    /// The same of a record: it is given back at once, and so done with when more is asked for.
    pub(super) fn advance_by_record(&self, to: (Ticket, i64, i32)) -> bool {
        let shared = &self.client.shared;
        if !self.commits {
            return shared.change(|state| self.advance_to(state, to));
        }
        shared.with(|state, now| {
            let mut handed = None;
            let taken = self.take_part(state, now, to, &mut handed);
            if let Some(id) = handed {
                self.give_back(state, to.0.partition, id);
            }
            taken
        })
    }

    fn take_part(
        &self,
        state: &mut State,
        now: Instant,
        to: (Ticket, i64, i32),
        handed: &mut Option<HandedOut>,
    ) -> bool {
        let taken = self.advance_to(state, to);
        if taken {
            *handed = self.hand_out(state, now, to);
        }
        taken
    }

    fn advance_to(&self, state: &mut State, (ticket, next_offset, leader_epoch): (Ticket, i64, i32)) -> bool {
        let consumer = state.client.consumer_mut(self.id);
        consumer.is_some_and(|all| all.take(ticket.partition, ticket.epoch, next_offset, leader_epoch))
    }

    /// Puts names to an event, if it is still to be shown.
    pub(super) fn describe(
        &self,
        epoch: AssignmentEpoch,
        event: ConsumerEvent,
    ) -> Option<Result<Event, ConsumeError>> {
        self.client.shared.ask(|state| {
            let current = state.client.consumer(self.id)?.is_event_current(epoch, &event);
            if current { describe(state, event) } else { None }
        })
    }
}

fn describe(state: &State, event: ConsumerEvent) -> Option<Result<Event, ConsumeError>> {
    let (topic, partition) = state.client.cluster().partitions().name(event.partition())?;
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
            if !retrying || kind.is_refusal() {
                return Some(Err(ConsumeError::Partition(trouble)));
            }
            Event::Trouble(trouble)
        }
        _ => return None,
    }))
}
