//! What batches and records come from: a consumer, or one of its partitions.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use klamm_core::{
    consumer::{OwnedHeader, OwnedRecord},
    probe,
};
use klamm_protocol::{
    Str,
    records::{FromBytes, FromBytesError},
};

use super::{
    ConsumeError, Event, FetchedBatch, StreamEnd,
    inbox::{Found, Item, Lane},
    inner::Inner,
    opened::{Limits, Opened, Rest},
};
use crate::wait::{Registration, poll_until};

pub(super) mod sealed {
    /// Keeps [`Source`](super::Source) to this crate.
    pub trait Sealed {}
}

/// Where records come from: a [`Consumer`](super::Consumer) or a [`PartitionStream`](super::PartitionStream), owned or
/// borrowed.
pub trait Source: sealed::Sealed {
    /// What is to be read.
    #[doc(hidden)]
    fn flow(&self) -> Flow<'_>;
}

impl<S: Source> sealed::Sealed for &S {}

impl<S: Source> Source for &S {
    fn flow(&self) -> Flow<'_> {
        (**self).flow()
    }
}

/// A lane of a consumer, to read from.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    pub(super) inner: &'a Inner,
    pub(super) lane: &'a Lane,
}

impl fmt::Debug for Flow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").finish_non_exhaustive()
    }
}

/// What comes next, before records are taken.
enum Next {
    Rest(Rest),
    Event(Event),
}

impl Flow<'_> {
    /// The next records or event, if they are there.
    pub(super) fn try_next(&self) -> Option<Result<Event, ConsumeError>> {
        self.try_next_within(self.inner.reading.limits)
    }

    /// The next records, so many at most, or event, if they are there.
    pub(super) fn try_next_within(&self, limits: Limits) -> Option<Result<Event, ConsumeError>> {
        self.inner.ask(self.lane);
        loop {
            match self.pop()? {
                Ok(Item::Chunk(chunk)) if limits == Limits::NONE => {
                    let Some(opened) = self.inner.take(chunk) else { continue };
                    return Some(Ok(Event::Batch(opened)));
                }
                Ok(item) => match self.next_of(item) {
                    Some(Ok(Next::Rest(rest))) => {
                        let batch = self.cut(rest, limits);
                        if batch.is_some() {
                            return batch.map(Event::Batch).map(Ok);
                        }
                    }
                    Some(Ok(Next::Event(event))) => return Some(Ok(event)),
                    Some(Err(error)) => return Some(Err(error)),
                    None => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next records, if they are there; `Some(None)` when no more will come.
    pub(super) fn try_next_batch(&self) -> Option<Option<Result<FetchedBatch, ConsumeError>>> {
        loop {
            match self.try_next()? {
                Ok(Event::Batch(batch)) => return Some(Some(Ok(batch))),
                Ok(_) => {}
                Err(error) if error.is_fatal() => return Some(None),
                Err(error) => return Some(Some(Err(error))),
            }
        }
    }

    fn pop(&self) -> Option<Result<Item, ConsumeError>> {
        let Some(found) = self.lane.pop() else {
            if self.inner.inbox.spared_some() {
                self.inner.want_memory();
            }
            return None;
        };
        Some(match found {
            Found::Item(item) => Ok(item),
            Found::Aside => {
                self.inner.want(self.lane);
                return None;
            }
            Found::End(StreamEnd::Closed) => Err(ConsumeError::Closed),
            Found::End(StreamEnd::Stopped) => Err(ConsumeError::Stopped),
            Found::End(end) => Err(ConsumeError::Ended(end)),
        })
    }

    /// What an item brings, if it is still wanted. Nothing is taken yet.
    fn next_of(&self, item: Item) -> Option<Result<Next, ConsumeError>> {
        match item {
            Item::Rest(rest) => Some(Ok(Next::Rest(rest))),
            Item::Chunk(chunk) => self.inner.open(chunk).map(|rest| Ok(Next::Rest(rest))),
            Item::CommitFailed(error) => Some(Ok(Next::Event(Event::CommitFailed(error)))),
            Item::Event(epoch, event) => {
                let shown = self.inner.describe(epoch, event);
                probe!(EventDroppedAtHandOver, shown.is_none());
                shown.map(|event| event.map(Next::Event))
            }
        }
    }

    /// Hands out as much as may be at once. The rest goes back.
    fn cut(&self, rest: Rest, limits: Limits) -> Option<FetchedBatch> {
        let mut handed = None;
        let (batch, rest) =
            rest.cut(limits, |ticket, next, epoch| self.inner.advance((ticket, next, epoch), &mut handed))?;
        if let Some(rest) = rest {
            self.put_back(rest);
        }
        Some(batch.handed(handed))
    }

    fn put_back(&self, rest: Rest) {
        let mut wakers = Vec::new();
        self.lane.put_back(rest, &mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// The next records that are not taken yet, if they are there; `Some(None)` when no more will come.
    fn try_next_rest(&self) -> Option<Option<Result<Rest, ConsumeError>>> {
        loop {
            let Ok(item) = self.pop()? else { return Some(None) };
            match self.next_of(item) {
                Some(Ok(Next::Rest(rest))) => return Some(Some(Ok(rest))),
                Some(Err(error)) => return Some(Some(Err(error))),
                Some(Ok(Next::Event(_))) | None => {}
            }
        }
    }
}

/// The records of a [`Consumer`](super::Consumer) or of one partition, batch after batch: a [`Stream`].
///
/// Events are left out; it is over when the consumer is closed or the partition gone.
#[derive(Debug)]
pub struct Batches<S: Source> {
    source: S,
    registration: Registration,
}

impl<S: Source> Batches<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, registration: Registration::default() }
    }

    /// The next records; `None` when no more will come.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading a partition failed, and waiting will not help: see [`ConsumeError::Partition`].
    pub async fn next(&mut self) -> Option<Result<FetchedBatch, ConsumeError>> {
        let Self { source, registration } = self;
        let flow = source.flow();
        std::future::poll_fn(|context| {
            poll_until(&flow.lane.waiters, registration, context, || flow.try_next_batch())
        })
        .await
    }
}

impl<S: Source + Unpin> Stream for Batches<S> {
    type Item = Result<FetchedBatch, ConsumeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { source, registration } = self.get_mut();
        let flow = source.flow();
        poll_until(&flow.lane.waiters, registration, context, || flow.try_next_batch())
    }
}

impl<S: Source> Drop for Batches<S> {
    fn drop(&mut self) {
        self.source.flow().lane.waiters.forget(&mut self.registration);
    }
}

/// A record that owns its bytes, with the names of its partition.
///
/// The bytes are shared with the batch that it came from and keep that in memory; this is not counted against the
/// consumer's memory any more. Copy what is to be kept for long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumedRecord {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// Milliseconds since 1970; -1 if it has none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order; keys may repeat.
    pub headers: Vec<OwnedHeader>,
}

impl ConsumedRecord {
    pub(super) fn new(opened: &Opened, record: OwnedRecord) -> Self {
        let OwnedRecord { offset, timestamp, key, value, headers } = record;
        let (topic, partition) = (opened.topic.clone(), opened.partition);
        Self { topic, partition, offset, timestamp, key, value, headers }
    }

    /// The key as a value of another type: see [`FromBytes`].
    ///
    /// # Errors
    ///
    /// The bytes are none of that type.
    pub fn key_as<'a, T: FromBytes<'a>>(&'a self) -> Result<T, FromBytesError> {
        T::from_bytes(self.key.as_deref())
    }

    /// The value as one of another type: see [`FromBytes`].
    ///
    /// # Errors
    ///
    /// The bytes are none of that type.
    pub fn value_as<'a, T: FromBytes<'a>>(&'a self) -> Result<T, FromBytesError> {
        T::from_bytes(self.value.as_deref())
    }
}

/// The records of a [`Consumer`](super::Consumer) or of one partition, one after the other: a [`Stream`].
///
/// The position of a partition moves record by record. Events are left out; it is over when the consumer is closed or
/// the partition gone. Dropped early, what it did not give comes from where it came from again.
#[derive(Debug)]
pub struct Records<S: Source> {
    source: S,
    registration: Registration,
    rest: Option<Rest>,
}

impl<S: Source> Records<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, registration: Registration::default(), rest: None }
    }

    /// The next record; `None` when no more will come.
    ///
    /// Cancel safety: what is not returned stays for the next call.
    ///
    /// # Errors
    ///
    /// Reading a partition failed, and waiting will not help: see [`ConsumeError::Partition`].
    pub async fn next(&mut self) -> Option<Result<ConsumedRecord, ConsumeError>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Result<ConsumedRecord, ConsumeError>>> {
        let Self { source, registration, rest } = self;
        let flow = source.flow();
        poll_until(&flow.lane.waiters, registration, context, || flow.try_next_record(rest))
    }
}

impl Flow<'_> {
    /// The next record, if it is there. `rest` is what is open.
    fn try_next_record(
        &self,
        rest: &mut Option<Rest>,
    ) -> Option<Option<Result<ConsumedRecord, ConsumeError>>> {
        self.inner.ask(self.lane);
        loop {
            if let Some(open) = rest {
                let advance = |ticket, next, epoch| self.inner.advance_by_record((ticket, next, epoch));
                if self.lane.end().is_none()
                    && let Some(record) = open.next(advance)
                {
                    return Some(Some(Ok(record)));
                }
                *rest = None;
            }
            match self.try_next_rest()? {
                Some(Ok(next)) => *rest = Some(next),
                Some(Err(error)) => return Some(Some(Err(error))),
                None => return Some(None),
            }
        }
    }
}

impl<S: Source + Unpin> Stream for Records<S> {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

impl<S: Source> Drop for Records<S> {
    fn drop(&mut self) {
        let flow = self.source.flow();
        flow.lane.waiters.forget(&mut self.registration);
        if let Some(rest) = self.rest.take() {
            flow.put_back(rest);
        }
    }
}
