//! A producer as a sink of records.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_sink::Sink;
use klamm_protocol::Str;

use super::{Producer, Receipt, SendError, cell::BatchCell};
use crate::Record;

type Accepting<'a> = Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>>;

/// A producer as a `Sink` of records, from [`Producer::sink`].
///
/// It is ready when the record before was accepted, which waits for metadata and for room in the producer's memory.
/// Flushing, and closing likewise, waits until all records that it took have their outcome; the producer stays open.
/// A record that is not accepted, or not acknowledged, is an error of the next call, the first one of them; records
/// may be sent further after it.
///
/// Cancel safety: giving a wait up loses nothing; what the sink took is sent when the sink is polled further, or was
/// sent already. Dropping the sink drops a record that is not accepted yet.
#[must_use = "a sink does nothing unless records are sent into it"]
pub struct RecordSink<'a> {
    producer: Producer,
    /// The record that waits to be accepted.
    accepting: Option<Accepting<'a>>,
    flushing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    sent: Sent,
}

impl fmt::Debug for RecordSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSink").field("producer", &self.producer).finish_non_exhaustive()
    }
}

impl RecordSink<'_> {
    pub(super) fn new(producer: Producer) -> Self {
        Self { producer, accepting: None, flushing: None, sent: Sent::default() }
    }

    /// The producer behind it.
    #[must_use]
    pub const fn producer(&self) -> &Producer {
        &self.producer
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if let Some(accepting) = &mut self.accepting {
            let accepted = ready!(accepting.as_mut().poll(context));
            self.accepting = None;
            self.sent.add(&accepted?);
        }
        Poll::Ready(Ok(()))
    }
}

impl<'a> Sink<Record<'a>> for RecordSink<'a> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        ready!(this.poll_accept(context))?;
        Poll::Ready(this.sent.take_loss())
    }

    fn start_send(self: Pin<&mut Self>, record: Record<'a>) -> Result<(), SendError> {
        let this = self.get_mut();
        match this.producer.try_send(record) {
            Ok(receipt) => this.sent.add(&receipt),
            Err(refused) if refused.is_retriable() => {
                let (producer, record) = (this.producer.clone(), refused.into_record());
                this.accepting = Some(Box::pin(async move { producer.enqueue(record).await }));
            }
            Err(refused) => return Err(refused.into_error()),
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        ready!(this.poll_accept(context))?;
        if this.flushing.is_none() && this.sent.is_pending() {
            let producer = this.producer.clone();
            this.flushing = Some(Box::pin(async move { producer.await_all().await }));
        }
        if let Some(flushing) = &mut this.flushing {
            ready!(flushing.as_mut().poll(context));
            this.flushing = None;
        }
        this.sent.look();
        Poll::Ready(this.sent.take_loss())
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(context)
    }
}

/// The batches that hold the records of one sink, until their outcome is seen.
#[derive(Default)]
struct Sent {
    /// The newest of each partition.
    open: BTreeMap<(Str, i32), Mine>,
    /// Older ones.
    closed: Vec<Mine>,
    /// They are all looked at when there are so many of them, so each is a few times at most.
    look_at: usize,
    loss: Option<SendError>,
}

/// The records of one sink in one batch.
struct Mine {
    cell: Arc<BatchCell>,
    first: u32,
    last: u32,
}

impl Sent {
    fn add(&mut self, receipt: &Receipt) {
        let (cell, index) = receipt.place();
        let mine = Mine { cell: Arc::clone(cell), first: index, last: index };
        match self.open.get_mut(&cell.place()) {
            Some(open) if Arc::ptr_eq(&open.cell, cell) => open.last = index,
            Some(open) => {
                let before = std::mem::replace(open, mine);
                if !self.settle(&before) {
                    self.closed.push(before);
                }
            }
            None => drop(self.open.insert(cell.place(), mine)),
        }
        if self.closed.len() >= self.look_at.max(64) {
            self.look();
            self.look_at = 2 * self.closed.len();
        }
    }

    /// Takes note of an outcome; false if there is none.
    fn settle(&mut self, mine: &Mine) -> bool {
        let Some(lost) = mine.cell.first_error(mine.first, mine.last) else { return false };
        if self.loss.is_none() {
            self.loss = lost;
        }
        true
    }

    fn is_pending(&self) -> bool {
        !self.open.is_empty() || !self.closed.is_empty()
    }

    /// Lets go of what has its outcome.
    fn look(&mut self) {
        let (mut open, mut closed) = (std::mem::take(&mut self.open), std::mem::take(&mut self.closed));
        closed.retain(|mine| !self.settle(mine));
        open.retain(|_, mine| !self.settle(mine));
        (self.open, self.closed) = (open, closed);
    }

    fn take_loss(&mut self) -> Result<(), SendError> {
        self.loss.take().map_or(Ok(()), Err)
    }
}
