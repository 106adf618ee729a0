//! The producer that an application holds.

mod builder;
mod cell;
mod custom;
mod deliveries;
mod error;
mod ledger;
mod memory;
mod permit;
mod pool;
mod sink;
mod slot;
#[cfg(test)]
mod tests;
mod topics;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use klamm_core::{Instant, ProducerHandle, planted, probe};

use klamm_protocol::Str;

pub use builder::ProducerBuilder;
pub use cell::Receipt;
pub use custom::TopicPartitions;
pub use deliveries::{Deliveries, Delivery};
pub use error::{SendError, TrySendError, Undelivered, UndeliveredPartition};
use ledger::Report;
use memory::Grant;
pub use permit::Permit;
use pool::NotPlaced;
pub(crate) use pool::Pool;
pub use sink::RecordSink;

use crate::{
    Record, RecordMetadata, budget::NoRoom, kafka::ClientHandle, operation::Operation,
    record::reserved_bytes, wait::lock,
};

/// Writes records.
///
/// Cheap to clone; all clones share one memory, one order a partition, and one producer id. Sending takes no lock
/// but that of the record's partition, so many threads may send at once.
///
/// Dropping the last clone begins to close the producer in the background: what was accepted is still delivered,
/// within the client's `close_timeout`. Use [`close`](Self::close) to wait for it and to learn what was not.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Arc<Pool>,
    client: Arc<ClientHandle>,
    /// Topics that [`Producer::try_send`] asked for, until somebody looks at the answer.
    asked_topics: Mutex<BTreeMap<Str, Arc<Operation>>>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("pool", &self.inner.pool).finish_non_exhaustive()
    }
}

impl Producer {
    pub(crate) fn new(pool: Arc<Pool>, client: Arc<ClientHandle>) -> Self {
        Self { inner: Arc::new(Inner { pool, client, asked_topics: Mutex::default() }) }
    }

    /// Writes a record and waits until it is acknowledged as configured.
    ///
    /// The record waits for others to share its batch, up to the producer's `linger`. To send many records, use
    /// [`enqueue`](Self::enqueue) and await the receipts later, or send from several tasks.
    ///
    /// Cancel safety: dropped before the record is accepted, it is not written; dropped afterwards, it is
    /// delivered unheard.
    ///
    /// # Errors
    ///
    /// [`SendError`]; its [`effect`](SendError::effect) tells whether the record may be in the log all the same.
    pub async fn send(&self, record: Record<'_>) -> Result<RecordMetadata, SendError> {
        self.enqueue(record).await?.await
    }

    /// Accepts a record: waits for the topic's metadata and for room in the producer's memory, if need be, not for
    /// the acknowledgement. That is the receipt's part. It waits as long as `max_block` in all.
    ///
    /// Cancel safety: dropped early, the record is not accepted. Where the record itself must not be lost then, use
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// The record was not accepted, and will not be written.
    pub async fn enqueue(&self, record: Record<'_>) -> Result<Receipt, SendError> {
        let mut granted = Granted::new(&self.inner);
        match self.inner.place(self.inner.topic_of(&record), &record, &mut granted.grant) {
            Ok(receipt) => Ok(receipt),
            Err(NotPlaced::Refused(error)) => Err(error),
            Err(blocked) => {
                let deadline = self.inner.block_until();
                self.inner.enqueue_blocked(&record, blocked, granted, deadline).await
            }
        }
    }

    /// Writes several records, and waits until each is acknowledged or failed: the outcomes, in the records' order.
    ///
    /// The records of a partition keep their order. One that is refused does not hold back those behind it. Once one
    /// has waited `max_block` in vain for room, those behind it do not wait at all.
    ///
    /// Cancel safety: dropped early, what was accepted is delivered unheard, and the rest is not written.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub async fn send_batch<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Vec<Result<RecordMetadata, SendError>> {
        let mut outcomes = Vec::new();
        for accepted in self.enqueue_batch(records).await {
            outcomes.push(match accepted {
                Ok(receipt) => receipt.await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Accepts several records, as [`enqueue`](Self::enqueue) does with one: the receipts, in the records' order.
    ///
    /// The records of a partition keep their order. One that is refused does not hold back those behind it. Once one
    /// has waited `max_block` in vain for room, those behind it do not wait at all.
    ///
    /// Cancel safety: dropped early, what was accepted is delivered unheard, and the rest is not written.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub async fn enqueue_batch<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Vec<Result<Receipt, SendError>> {
        let mut receipts = Vec::new();
        let mut patient = true;
        for record in records {
            let mut granted = Granted::new(&self.inner);
            let placed = self.inner.place(self.inner.topic_of(&record), &record, &mut granted.grant);
            let accepted = match placed {
                Ok(receipt) => Ok(receipt),
                Err(NotPlaced::Refused(error)) => Err(error),
                Err(blocked) => {
                    let deadline = if patient { self.inner.block_until() } else { Instant::ZERO };
                    self.inner.enqueue_blocked(&record, blocked, granted, deadline).await
                }
            };
            patient &= !matches!(accepted, Err(SendError::NoRoom { .. }));
            receipts.push(accepted);
        }
        receipts
    }

    /// Keeps room for one record of at most `size` bytes (see [`Record::size`]) for a topic, and has its metadata:
    /// what sending may wait for is done, and [`Permit::send`] hands a record over without waiting and without fail.
    /// It waits as long as `max_block` in all. An empty name stands for the producer's default topic.
    ///
    /// So a record can be made, or taken from where it is, when it is sure to be accepted:
    ///
    /// ```
    /// # use klamm_engine::{Producer, Record, Receipt, SendError};
    /// # async fn example(producer: &Producer, queue: &mut Vec<String>) -> Result<(), SendError> {
    /// let permit = producer.reserve("orders", 1_000).await?;
    /// if let Some(order) = queue.pop() {
    ///     let receipt = permit.send(Record::to("orders").value(order));
    ///     receipt.await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel safety: dropped early, nothing is kept, and nothing is lost.
    ///
    /// # Errors
    ///
    /// There is no room, and never will be or has not been for too long; the topic cannot be had; or the producer is
    /// closed.
    pub async fn reserve(&self, topic: &str, size: usize) -> Result<Permit, SendError> {
        let inner = &self.inner;
        let topic = if topic.is_empty() { inner.pool.default_topic() } else { topic };
        let deadline = inner.block_until();
        if inner.pool.topics.find(topic).is_none() {
            inner.await_topic(topic, deadline).await?;
        }
        let mut granted = Granted::new(inner);
        let needed = inner.pool.memory.grant_of(reserved_bytes(size));
        inner.await_room(needed, &mut granted, deadline).await?;
        if inner.pool.is_closing() {
            return Err(SendError::Closed);
        }
        let granted = std::mem::take(&mut granted.grant);
        Ok(Permit { inner: Arc::clone(inner), topic: Str::copy_of(topic), granted, size })
    }

    /// This producer as a `Sink` of records.
    pub fn sink<'a>(&self) -> RecordSink<'a> {
        RecordSink::new(self.clone())
    }

    /// Accepts a record if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The record comes back: there is no room, the topic's metadata are not there yet (they are being asked for),
    /// or it will never be accepted.
    #[expect(clippy::result_large_err, reason = "the error gives the record back")]
    pub fn try_send<'a>(&self, record: Record<'a>) -> Result<Receipt, TrySendError<'a>> {
        let mut granted = Granted::new(&self.inner);
        let topic = self.inner.topic_of(&record);
        let mut placed = self.inner.place(topic, &record, &mut granted.grant);
        if matches!(placed, Err(NotPlaced::Topic)) {
            match self.inner.try_topic(topic) {
                Ok(true) => placed = self.inner.place(topic, &record, &mut granted.grant),
                Ok(false) => {}
                Err(error) => return Err(TrySendError::Refused(record, error)),
            }
        }
        match placed {
            Ok(receipt) => Ok(receipt),
            Err(NotPlaced::Refused(error)) => Err(TrySendError::Refused(record, error)),
            Err(NotPlaced::Topic) => Err(TrySendError::TopicPending(record)),
            Err(NotPlaced::Room(_)) => {
                self.inner.hurry();
                Err(TrySendError::Full(record))
            }
        }
    }

    /// Waits until the metadata of a topic are there, so that sending to it does not have to.
    ///
    /// Cancel safety: safe.
    ///
    /// # Errors
    ///
    /// The topic cannot be had.
    pub async fn prepare(&self, topic: &str) -> Result<(), SendError> {
        if self.inner.pool.topics.find(topic).is_some() {
            return Ok(());
        }
        self.inner.await_topic(topic, self.inner.block_until()).await
    }

    /// How many partitions a topic has; `None` while its metadata are not there ([`prepare`](Self::prepare)).
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.inner.pool.topics.find(topic).map(|entry| entry.slots.len())
    }

    /// Sends everything that was accepted before, without waiting for more records, and waits for all outcomes. The
    /// delivery timeout bounds that.
    ///
    /// Cancel safety: dropped early, everything is still sent, and the next flush tells what became of it.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, of those that were accepted before this and of which no earlier flush told:
    /// how many, where, and why.
    pub async fn flush(&self) -> Result<(), Undelivered> {
        let report = self.inner.pool.ledger.begin();
        self.await_all().await;
        report.end()
    }

    /// Gives up everything that was accepted and is not acknowledged: what was not sent yet is not written, what is
    /// under way may be. The receipts tell which is which. The producer can be used further.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, of those that were accepted before this and of which no flush told: how many,
    /// where, and how many may be written all the same.
    pub fn abort(&self) -> Result<(), Undelivered> {
        let report = self.inner.pool.ledger.begin();
        let handle = self.inner.pool.handle();
        self.inner.client.shared.with(|state, now| state.client.abort_producer(now, handle));
        report.end()
    }

    /// Closes the producer, also for its clones: accepts no more records, delivers what was accepted, and waits for
    /// that as long as the delivery timeout at most.
    ///
    /// Cancel safety: dropped early, closing goes on.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them: how many, where, and how many may be written all the
    /// same.
    pub async fn close(&self) -> Result<(), Undelivered> {
        self.close_within(self.inner.pool.config.delivery_timeout).await
    }

    /// As [`close`](Self::close), but gives up on what is not delivered after `timeout`.
    ///
    /// Cancel safety: dropped early, closing goes on.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them: how many, where, and how many may be written all the
    /// same.
    pub async fn close_within(&self, timeout: Duration) -> Result<(), Undelivered> {
        self.inner.begin_close(timeout);
        self.inner.pool.until_closed().await;
        self.inner.report().end()
    }

    /// Looks on at what becomes of batches from now on: for measuring and auditing, beside the receipts.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        self.inner.pool.watch()
    }

    /// The bytes of the producer's memory that are in use: what is buffered, in flight, or kept to be sent again.
    #[must_use]
    pub fn memory_in_use(&self) -> usize {
        self.inner.pool.memory.bytes.taken()
    }
}

impl Producer {
    pub(crate) fn handle(&self) -> ProducerHandle {
        self.inner.pool.handle()
    }

    pub(crate) fn client(&self) -> &ClientHandle {
        &self.inner.client
    }

    pub(crate) fn max_block(&self) -> Duration {
        self.inner.pool.max_block()
    }

    /// Sends everything that was accepted before, and waits for all outcomes; who tells of them is another matter.
    async fn await_all(&self) {
        let handle = self.inner.pool.handle();
        let flushed = self.inner.client.shared.operate(|client, now, id| client.flush(now, id, handle));
        // A driver that is gone has failed what was there.
        drop(flushed.wait().await);
    }
}

impl Inner {
    /// The topic that a record is for.
    fn topic_of<'r>(&'r self, record: &'r Record<'_>) -> &'r str {
        match record.topic() {
            "" => self.pool.default_topic(),
            topic => topic,
        }
    }

    fn place(&self, topic: &str, record: &Record<'_>, granted: &mut Grant) -> Result<Receipt, NotPlaced> {
        let shared = &self.client.shared;
        let timestamp = record.named_timestamp().unwrap_or_else(|| shared.clock.wall_time().0);
        let accepted = self.pool.place(topic, record, timestamp, granted)?;
        if accepted.wakes {
            // A batch that may leave at once is for its connection. One that waits for others is for the timer.
            let leaves = accepted.signal.is_full() || self.pool.config.linger.is_zero();
            shared.wake_for_signals(accepted.route.as_deref().filter(|_| leaves));
        }
        if planted!(RefusedButSent, every 20) {
            return Err(NotPlaced::Refused(SendError::Closed));
        }
        Ok(accepted.receipt)
    }

    /// When a call that begins to wait now gives up.
    fn block_until(&self) -> Instant {
        self.client.shared.clock.now() + self.pool.max_block()
    }

    /// Accepts a record that has to wait.
    async fn enqueue_blocked(
        &self,
        record: &Record<'_>,
        mut blocked: NotPlaced,
        mut granted: Granted<'_>,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        loop {
            match blocked {
                NotPlaced::Refused(error) => return Err(error),
                NotPlaced::Topic => self.await_topic(self.topic_of(record), deadline).await?,
                NotPlaced::Room(needed) => {
                    probe!(RoomAwaited);
                    self.await_room(needed, &mut granted, deadline).await?;
                }
            }
            match self.place(self.topic_of(record), record, &mut granted.grant) {
                Ok(receipt) => return Ok(receipt),
                Err(again) => blocked = again,
            }
        }
    }

    /// Waits for room in the memory.
    async fn await_room(
        &self,
        needed: Grant,
        granted: &mut Granted<'_>,
        deadline: Instant,
    ) -> Result<(), SendError> {
        // Who waits holds nothing that others wait for.
        granted.give_back();
        let (memory, shared) = (&self.pool.memory, &self.client.shared);
        if memory.try_take(needed, &mut granted.grant) {
            return Ok(());
        }
        self.hurry();
        let waited = if deadline > shared.clock.now() {
            memory.take(shared, needed, &mut granted.grant, deadline).await
        } else {
            Err(NoRoom::TimedOut)
        };
        waited.map_err(|why| self.no_room(why, needed.bytes))
    }

    fn no_room(&self, why: NoRoom, bytes: usize) -> SendError {
        let memory = self.pool.memory.bytes.total();
        match why {
            NoRoom::Closed => SendError::Closed,
            NoRoom::Never => SendError::TooLargeForMemory { bytes, memory },
            _ if bytes > memory => SendError::TooLargeForMemory { bytes, memory },
            NoRoom::TimedOut => {
                let context = self.client.shared.ask(|state| state.client.diagnosis()).map(Arc::from);
                SendError::NoRoom { bytes, memory, max_block: self.pool.max_block(), context }
            }
        }
    }

    fn ask_topic(&self, topic: &Str, deadline: Instant) -> Arc<Operation> {
        let handle = self.pool.handle();
        self.client.shared.operate(|client, now, id| client.await_topic(now, id, handle, topic, deadline))
    }

    async fn await_topic(&self, topic: &str, deadline: Instant) -> Result<(), SendError> {
        let topic = Str::copy_of(topic);
        let answer = self.ask_topic(&topic, deadline).wait().await;
        self.pool.take_topic(&self.client.shared, topic, answer)
    }

    /// Whether a topic is there by now, without waiting for it: asks for it once, and says what came of that.
    fn try_topic(&self, topic: &str) -> Result<bool, SendError> {
        let asked = lock(&self.asked_topics).get(topic).cloned();
        let topic = Str::copy_of(topic);
        let asked = asked.unwrap_or_else(|| {
            let asked = self.ask_topic(&topic, self.block_until());
            lock(&self.asked_topics).insert(topic.clone(), Arc::clone(&asked));
            asked
        });
        let Some(answer) = asked.try_take() else { return Ok(false) };
        lock(&self.asked_topics).remove(&*topic);
        self.pool.take_topic(&self.client.shared, topic, answer)?;
        Ok(true)
    }

    /// Memory is short: what is buffered is sent now.
    fn hurry(&self) {
        // Batches that wait for a moment only are on their way by themselves.
        if self.pool.config.linger <= Duration::from_millis(50) {
            return;
        }
        let handle = self.pool.handle();
        self.client.shared.with(|state, now| state.client.hurry(now, handle));
    }

    fn begin_close(&self, timeout: Duration) {
        let mut wakers = Vec::new();
        self.pool.begin_close(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
        let handle = self.pool.handle();
        self.client.shared.with(|state, now| state.client.close_producer(now, handle, now + timeout));
    }

    /// Of all that was accepted.
    fn report(&self) -> Report<'_> {
        self.pool.ledger.begin()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.begin_close(self.client.close_timeout);
    }
}

/// What was taken from the memory for a record that is not accepted yet.
struct Granted<'a> {
    inner: &'a Inner,
    grant: Grant,
}

impl<'a> Granted<'a> {
    fn new(inner: &'a Inner) -> Self {
        Self { inner, grant: Grant::default() }
    }

    fn give_back(&mut self) {
        self.inner.pool.memory.give_back(&mut self.grant);
    }
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
