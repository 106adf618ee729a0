//! How the outcome of a batch reaches those who wait for its records.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use klamm_core::{planted, probe, producer::Acknowledged};
use klamm_protocol::Str;

use super::SendError;
use crate::{
    RecordMetadata,
    wait::{Registration, Waiters, poll_until},
};

/// What became of the records from `first` on, up to the next part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) first: u32,
    pub(super) result: Result<Acknowledged, SendError>,
}

/// One batch's outcome and those who wait for it: one for each batch, shared by its records.
#[derive(Debug)]
pub(super) struct BatchCell {
    topic: Str,
    partition: i32,
    outcome: OnceLock<Vec<Part>>,
    waiters: Waiters,
}

impl BatchCell {
    pub(super) fn new(topic: Str, partition: i32) -> Self {
        Self { topic, partition, outcome: OnceLock::new(), waiters: Waiters::default() }
    }

    /// Gives the outcome: the parts in the order of their first records. Only the first outcome counts.
    pub(super) fn complete(&self, parts: Vec<Part>, wakers: &mut Vec<Waker>) {
        if self.outcome.set(parts).is_ok() {
            self.waiters.take(wakers);
        }
    }

    pub(super) fn place(&self) -> (Str, i32) {
        (self.topic.clone(), self.partition)
    }

    /// `None` without an outcome; otherwise why the first of the records from `first` to `last` was lost, if one was.
    pub(super) fn first_error(&self, first: u32, last: u32) -> Option<Option<SendError>> {
        let parts = self.outcome.get()?;
        let ends = parts.iter().skip(1).map(|part| part.first).chain([u32::MAX]);
        let mine = parts.iter().zip(ends).filter(|(part, end)| part.first <= last && *end > first);
        Some(mine.filter_map(|(part, _)| part.result.as_ref().err()).next().cloned())
    }

    /// How far behind the first of its batch, or part, a record is.
    fn behind(index: u32) -> i64 {
        if planted!(OffsetOfFirst) { 0 } else { i64::from(index) }
    }

    fn result(&self, index: u32, timestamp: i64) -> Option<Result<RecordMetadata, SendError>> {
        let parts = self.outcome.get()?;
        let at = parts.partition_point(|part| part.first <= index).saturating_sub(1);
        let part = parts.get(at)?;
        Some(part.result.clone().map(|acknowledged| {
            RecordMetadata {
                topic: self.topic.clone(),
                partition: self.partition,
                offset: acknowledged
                    .base_offset
                    .map(|base| base + Self::behind(index - part.first) + i64::from(planted!(WrongOffset))),
                timestamp: acknowledged.log_append_time_ms.unwrap_or(timestamp),
            }
        }))
    }
}

/// The promise of an outcome for one record that a producer accepted.
///
/// It is a future. The record is delivered whether or not anybody waits: dropping the receipt cancels nothing.
/// Cancel safety: dropping it while waiting loses only the answer.
#[must_use = "only the receipt tells whether the record was written; drop it explicitly if that does not matter"]
pub struct Receipt {
    cell: Arc<BatchCell>,
    index: u32,
    timestamp: i64,
    registration: Registration,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("result", &self.try_get()).finish_non_exhaustive()
    }
}

impl Receipt {
    pub(super) fn new(cell: Arc<BatchCell>, index: u32, timestamp: i64) -> Self {
        Self { cell, index, timestamp, registration: Registration::default() }
    }

    /// The batch, and the record's place in it.
    pub(super) const fn place(&self) -> (&Arc<BatchCell>, u32) {
        (&self.cell, self.index)
    }

    /// That of a record that was not accepted.
    pub(super) fn refused(topic: Str, error: SendError) -> Self {
        let cell = BatchCell::new(topic, -1);
        cell.complete(vec![Part { first: 0, result: Err(error) }], &mut Vec::new());
        Self::new(Arc::new(cell), 0, -1)
    }

    /// The outcome, if it is there.
    #[must_use]
    pub fn try_get(&self) -> Option<Result<RecordMetadata, SendError>> {
        self.cell.result(self.index, self.timestamp)
    }

    /// The topic of the record.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.cell.topic
    }

    /// The partition of the record; -1 if a [`Permit`](crate::Permit) was given a record that was not accepted.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.cell.partition
    }
}

impl Future for Receipt {
    type Output = Result<RecordMetadata, SendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (cell, index, timestamp) = (&this.cell, this.index, this.timestamp);
        poll_until(&cell.waiters, &mut this.registration, context, || cell.result(index, timestamp))
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        probe!(ReceiptAbandoned, self.cell.outcome.get().is_none());
        self.cell.waiters.forget(&mut self.registration);
    }
}
