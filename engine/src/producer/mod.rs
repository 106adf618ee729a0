//! The producer that an application holds.

mod builder;
mod cell;
mod error;
mod pool;
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

use klamm_core::{planted, probe};

use klamm_protocol::Str;

pub use builder::ProducerBuilder;
pub use cell::Receipt;
pub use error::{SendError, TrySendError, Undelivered};
use pool::NotPlaced;
pub(crate) use pool::Pool;

use crate::{Record, RecordMetadata, budget::NoRoom, kafka::ClientHandle, operation::Operation, wait::lock};

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
    /// the acknowledgement. That is the receipt's part.
    ///
    /// Cancel safety: dropped early, the record is not accepted.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and will not be written.
    pub async fn enqueue(&self, record: Record<'_>) -> Result<Receipt, SendError> {
        let mut granted = Granted { inner: &self.inner, bytes: 0 };
        loop {
            let needed = match self.inner.place(&record, &mut granted.bytes) {
                Ok(receipt) => return Ok(receipt),
                Err(NotPlaced::Refused(error)) => return Err(error),
                Err(NotPlaced::Topic) => {
                    self.inner.await_topic(record.topic()).await?;
                    continue;
                }
                Err(NotPlaced::Room(needed)) => needed,
            };
            probe!(RoomAwaited);
            // Who waits holds nothing that others wait for.
            granted.give_back();
            self.inner.hurry();
            match self.inner.pool.budget.take(needed).await {
                Ok(()) => granted.bytes += needed,
                Err(NoRoom::Closed) => return Err(SendError::Closed),
                Err(NoRoom::Never) => {
                    let memory = self.inner.pool.budget.total();
                    return Err(SendError::TooLargeForMemory { bytes: needed, memory });
                }
            }
        }
    }

    /// Accepts a record if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The record comes back: there is no room, the topic's metadata are not there yet (they are being asked for),
    /// or it will never be accepted.
    #[expect(clippy::result_large_err, reason = "the error gives the record back")]
    pub fn try_send<'a>(&self, record: Record<'a>) -> Result<Receipt, TrySendError<'a>> {
        let mut granted = Granted { inner: &self.inner, bytes: 0 };
        let mut placed = self.inner.place(&record, &mut granted.bytes);
        if matches!(placed, Err(NotPlaced::Topic)) {
            match self.inner.try_topic(record.topic()) {
                Ok(true) => placed = self.inner.place(&record, &mut granted.bytes),
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
        self.inner.await_topic(topic).await
    }

    /// How many partitions a topic has; `None` while its metadata are not there ([`prepare`](Self::prepare)).
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.inner.pool.topics.find(topic).map(|entry| entry.slots.len())
    }

    /// Sends everything that was accepted before, without waiting for more records, and waits for all outcomes.
    ///
    /// Cancel safety: dropped early, everything is still sent.
    ///
    /// # Errors
    ///
    /// Records, of those or of others accepted meanwhile, were not acknowledged. The receipts tell which.
    pub async fn flush(&self) -> Result<(), Undelivered> {
        let before = self.inner.pool.failed_records();
        let handle = self.inner.pool.handle();
        let flushed = self.inner.client.shared.operate(|client, now, id| client.flush(now, id, handle));
        // A driver that is gone has failed what was there.
        drop(flushed.wait().await);
        self.inner.undelivered(before)
    }

    /// Closes the producer, also for its clones: accepts no more records, delivers what was accepted, and waits for
    /// that as long as the delivery timeout at most.
    ///
    /// Cancel safety: dropped early, closing goes on.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged.
    pub async fn close(&self) -> Result<(), Undelivered> {
        self.close_within(self.inner.pool.config.delivery_timeout).await
    }

    /// As [`close`](Self::close), but gives up on what is not delivered after `timeout`.
    ///
    /// Cancel safety: dropped early, closing goes on.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged.
    pub async fn close_within(&self, timeout: Duration) -> Result<(), Undelivered> {
        let before = self.inner.pool.failed_records();
        self.inner.begin_close(timeout);
        self.inner.pool.until_closed().await;
        self.inner.undelivered(before)
    }

    /// The bytes of the producer's memory that are in use: what is buffered, in flight, or kept to be sent again.
    #[must_use]
    pub fn memory_in_use(&self) -> usize {
        self.inner.pool.budget.taken()
    }
}

impl Inner {
    fn place(&self, record: &Record<'_>, granted: &mut usize) -> Result<Receipt, NotPlaced> {
        let shared = &self.client.shared;
        let timestamp = record.named_timestamp().unwrap_or_else(|| shared.clock.wall_time().0);
        let accepted = self.pool.place(record, timestamp, granted)?;
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

    fn ask_topic(&self, topic: &Str) -> Arc<Operation> {
        let (handle, max_block) = (self.pool.handle(), self.client.max_block);
        self.client.shared.operate(|client, now, id| {
            client.await_topic(now, id, handle, topic, now + max_block);
        })
    }

    async fn await_topic(&self, topic: &str) -> Result<(), SendError> {
        let topic = Str::copy_of(topic);
        let answer = self.ask_topic(&topic).wait().await;
        self.pool.take_topic(&self.client.shared, topic, answer)
    }

    /// Whether a topic is there by now, without waiting for it: asks for it once, and says what came of that.
    fn try_topic(&self, topic: &str) -> Result<bool, SendError> {
        let asked = lock(&self.asked_topics).get(topic).cloned();
        let topic = Str::copy_of(topic);
        let asked = asked.unwrap_or_else(|| {
            let asked = self.ask_topic(&topic);
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

    fn undelivered(&self, before: u64) -> Result<(), Undelivered> {
        match self.pool.failed_records() - before {
            0 => Ok(()),
            records => Err(Undelivered { records, last_error: self.pool.last_error() }),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.begin_close(self.client.close_timeout);
    }
}

/// Bytes that were taken for a record that is not accepted yet.
struct Granted<'a> {
    inner: &'a Inner,
    bytes: usize,
}

impl Granted<'_> {
    fn give_back(&mut self) {
        self.inner.pool.budget.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
