//! Records of a group that are done with in any order, each when the application says so.

mod record;
#[cfg(test)]
mod tests;
mod window;

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use klamm_protocol::Str;

pub use self::record::{GroupRecord, NotAcknowledged};
use self::window::{Found, Slot, Window};
use super::{GroupConsumer, GroupEvent, GroupReadError, PendingCommit, Polling, Registered, Revocation};
use crate::{
    Event,
    wait::{Registration, poll_until},
};

impl GroupConsumer {
    /// Hands out record after record from now on, each to be [acknowledged](GroupRecord::ack) when it is done with, in any
    /// order: what is committed never lies beyond a record that is not.
    ///
    /// No more than `max_unacknowledged` records (at least 1) are with the application at a time.
    #[must_use]
    pub fn into_records(self, max_unacknowledged: usize) -> GroupRecords {
        GroupRecords { consumer: self, window: Arc::new(Window::new(max_unacknowledged)) }
    }
}

/// What comes next for the reader of [`GroupRecords`].
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupRecordEvent {
    /// A record.
    Record(GroupRecord),
    /// A record was dropped without having been acknowledged. Nothing from it on is committed by itself, and nothing that is
    /// acknowledged of its partition counts, until the application [seeks](GroupConsumer::seek): to the record, to get it and
    /// those after it again, or beyond it. Without that, whoever is assigned the partition next begins with it. Told of the
    /// first such record of a partition, and of earlier ones if they follow.
    Abandoned {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
    },
    /// What the group or a partition says; never [`GroupEvent::Batch`].
    Group(GroupEvent),
}

/// The records of a [`GroupConsumer`], one by one, for work that is done in any order: by many tasks or threads, each
/// record by whoever takes it.
///
/// A record is done with when it is [acknowledged](GroupRecord::ack), and not before. Of each partition is committed what
/// comes before the first record that is not: automatically, by [`commit`](Self::commit), when the partition is given up,
/// and by closing. So each record is worked on at least once, whoever dies.
///
/// *Bound.* When `max_unacknowledged` records are with the application, no more are handed out until one is acknowledged
/// or dropped; events still are. Such a call is no sign of life: if nothing is acknowledged within
/// [`max_poll_interval`](super::GroupConsumerBuilder::max_poll_interval), others take over.
///
/// *Rebalances.* As long as a [`Revocation`] is held, what is acknowledged of its partitions counts, and
/// [`finished`](Self::finished) waits for that. Afterwards acknowledging is refused: others have these records, too.
///
/// Several threads may read from one of these: each record goes to one of them.
///
/// ```no_run
/// # async fn work(_: &klamm_engine::ConsumedRecord) {}
/// # fn spawn(_: impl Future<Output = ()> + Send + 'static) {}
/// # async fn example<R>(kafka: klamm_engine::Kafka<R>) -> Result<(), Box<dyn std::error::Error>> {
/// use klamm_engine::{GroupEvent, GroupRecordEvent};
///
/// let records = kafka.group("billing").subscribe(["orders"]).build()?.into_records(1_000);
/// loop {
///     match records.next().await? {
///         GroupRecordEvent::Record(record) => spawn(async move {
///             work(&record).await;
///             if let Err(late) = record.ack() {
///                 eprintln!("{late}");
///             }
///         }),
///         GroupRecordEvent::Group(GroupEvent::Revoking(revocation)) => records.finished(&revocation).await,
///         GroupRecordEvent::Abandoned { topic, partition, offset } => {
///             return Err(format!("a task gave up on {topic}/{partition}/{offset}").into());
///         }
///         _ => {}
///     }
/// }
/// # }
/// ```
pub struct GroupRecords {
    consumer: GroupConsumer,
    window: Arc<Window>,
}

impl fmt::Debug for GroupRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupRecords").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

impl GroupRecords {
    /// The next record or event, as they come.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// As [`GroupConsumer::next`].
    pub async fn next(&self) -> Result<GroupRecordEvent, GroupReadError> {
        let mut wait = Wait::new(self);
        poll_fn(|context| wait.poll(context)).await
    }

    /// The next record. Events are passed over: partitions that are to be given up are given up at once.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_record(&self) -> Result<GroupRecord, GroupReadError> {
        loop {
            if let GroupRecordEvent::Record(record) = self.next().await? {
                return Ok(record);
            }
        }
    }

    /// The next record or event, if they are there, and if there is room for a record.
    #[must_use]
    pub fn try_next(&self) -> Option<Result<GroupRecordEvent, GroupReadError>> {
        if let Some(event) = self.consumer.inbox.pop(self.consumer.client.shared.clock.now()) {
            return Some(self.consumer.tell(event).map(GroupRecordEvent::Group));
        }
        match self.window.look(true)? {
            Found::Abandoned((topic, partition), offset) => {
                Some(Ok(GroupRecordEvent::Abandoned { topic, partition, offset }))
            }
            Found::Slot(slot) => {
                let _polling = Polling::begin(&self.consumer);
                self.read(&mut Some(slot))
            }
        }
    }

    /// Waits until all records of these partitions are acknowledged or dropped, but not beyond the time that the group
    /// waits for them. No record is handed out by that.
    ///
    /// Cancel safety: nothing is lost.
    pub async fn finished(&self, revocation: &Revocation) {
        let mut waits = Waits::new(self);
        poll_fn(|context| waits.poll_finished(context, revocation)).await;
    }

    /// Commits what is acknowledged, of each partition up to the first record that is not. It is sent whether or not the
    /// future is awaited.
    pub fn commit(&self) -> PendingCommit {
        self.consumer.commit()
    }

    /// The offset of the first record of a partition that is not acknowledged, or of the one after all that are: what is
    /// or will be committed. `None` as long as nothing was acknowledged, and the partition is read from where the group had committed.
    #[must_use]
    pub fn done_with(&self, topic: &str, partition: i32) -> Option<i64> {
        let partition = (Str::copy_of(topic), partition);
        let client = &self.consumer.client;
        client.shared.ask(|state| state.client.group(self.consumer.id)?.done_with(&partition))
    }

    /// How many records are with the application: handed out, and neither acknowledged nor dropped.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.window.len()
    }

    /// The consumer, to subscribe, seek, pause and ask. What is read from it directly is not to be acknowledged.
    #[must_use]
    pub const fn consumer(&self) -> &GroupConsumer {
        &self.consumer
    }

    /// As [`GroupConsumer::close`]: commits what is acknowledged. Acknowledging is refused afterwards.
    ///
    /// Cancel safety: dropped early, closing goes on.
    pub async fn close(&self, timeout: Duration) {
        self.consumer.close(timeout).await;
    }

    /// Puts the next record into a slot.
    fn read(&self, slot: &mut Option<Slot>) -> Option<Result<GroupRecordEvent, GroupReadError>> {
        loop {
            let batch = match self.consumer.consumer.try_next_record()? {
                Ok(Event::Batch(batch)) => batch,
                Ok(event) => return Some(Ok(GroupRecordEvent::Group(GroupEvent::Partition(event)))),
                Err(error) => return Some(Err(error.into())),
            };
            let partition = (batch.topic().clone(), batch.partition());
            let first = batch.first();
            let epoch = first.as_ref().and_then(|(_, epoch)| *epoch).or_else(|| batch.leader_epoch());
            let client = &self.consumer.client;
            let id = client.shared.with(|state, now| {
                let group = state.client.group_mut(self.consumer.id)?;
                let id = group.hand_out_record(now, &partition, batch.next_offset(), epoch);
                if first.is_none() {
                    // Markers, or what was aborted: there is nothing to be done with.
                    group.acknowledge(&partition, id);
                }
                Some(id)
            });
            let Some(id) = id else { return Some(Err(crate::ConsumeError::Closed.into())) };
            if let Some((record, mut slot)) = first.map(|(record, _)| record).zip(slot.take()) {
                slot.fill(partition);
                let client = Arc::clone(client);
                let record = GroupRecord::new((record, batch), client, self.consumer.id, id, slot);
                return Some(Ok(GroupRecordEvent::Record(record)));
            }
        }
    }
}

/// A call that waits. Forgets its registrations when dropped.
struct Waits<'a> {
    of: &'a GroupRecords,
    told: Registered<'a>,
    window: Registration,
    records: Registration,
}

impl<'a> Waits<'a> {
    fn new(of: &'a GroupRecords) -> Self {
        let told = Registered { of: &of.consumer, registration: Registration::default() };
        Self { of, told, window: Registration::default(), records: Registration::default() }
    }

    fn poll_finished(&mut self, context: &Context<'_>, revocation: &Revocation) -> Poll<()> {
        let GroupRecords { consumer, window } = self.of;
        let over = || {
            let over = window.has_none_of(revocation.partitions())
                || revocation.time_left().is_zero()
                || consumer.consumer.is_over();
            over.then_some(())
        };
        // That time is over is told by the group; that the consumer is closed, to who waits for records.
        let told = &mut self.told.registration;
        if poll_until(&window.waiters, &mut self.window, context, over).is_ready()
            || poll_until(&consumer.inbox.waiters, told, context, over).is_ready()
        {
            return Poll::Ready(());
        }
        poll_until(consumer.consumer.waiters(), &mut self.records, context, over)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.of.window.waiters.forget(&mut self.window);
        self.of.consumer.consumer.waiters().forget(&mut self.records);
    }
}

/// A call that waits for a record.
struct Wait<'a> {
    waits: Waits<'a>,
    slot: Option<Slot>,
    /// From when on there is room.
    polling: Option<Polling<'a>>,
}

impl<'a> Wait<'a> {
    fn new(of: &'a GroupRecords) -> Self {
        Self { waits: Waits::new(of), slot: None, polling: None }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<GroupRecordEvent, GroupReadError>> {
        let of = self.waits.of;
        let waiters = of.consumer.consumer.waiters();
        if let Poll::Ready(event) = self.waits.told.poll(context) {
            return Poll::Ready(of.consumer.tell(event).map(GroupRecordEvent::Group));
        }
        loop {
            let wants_slot = self.slot.is_none();
            let look = || of.window.look(wants_slot);
            match poll_until(&of.window.waiters, &mut self.waits.window, context, look) {
                Poll::Ready(Found::Slot(slot)) => self.slot = Some(slot),
                Poll::Ready(Found::Abandoned((topic, partition), offset)) => {
                    return Poll::Ready(Ok(GroupRecordEvent::Abandoned { topic, partition, offset }));
                }
                Poll::Pending if self.slot.is_none() => {
                    let ended = || of.consumer.consumer.is_over().then(|| of.read(&mut None)).flatten();
                    return poll_until(waiters, &mut self.waits.records, context, ended);
                }
                Poll::Pending => break,
            }
        }
        self.polling.get_or_insert_with(|| Polling::begin(&of.consumer));
        poll_until(waiters, &mut self.waits.records, context, || of.read(&mut self.slot))
    }
}
