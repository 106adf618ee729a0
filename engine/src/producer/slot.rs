//! One partition of one producer: the buffer behind its own lock, and the cells of its batches.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
};

use klamm_core::{
    PartitionIndex, planted, probe,
    producer::{
        AppendError, BatchId, Outcome, PartitionBuffer, Portion, ProduceError, ProduceErrorKind,
        ProducerConfig, SealResult, Signal, TakenBatch,
    },
};
use klamm_protocol::Str;

use super::{
    SendError,
    cell::{BatchCell, Part, Receipt},
    deliveries::Delivery,
    ledger::Ledger,
    memory::{Grant, Memory},
};
use crate::{Record, mailbox::Mailbox, observe::SendSpan, signals::Feed, wait::lock};

/// A batch that has no outcome yet.
#[derive(Debug)]
struct Pending {
    batch: BatchId,
    cell: Arc<BatchCell>,
    /// Bytes of the budget that are to be given back at the outcome.
    charged: usize,
    records: u32,
    /// Which flush tells of it, should it be lost.
    generation: u64,
    /// What became of a batch that was split.
    parts: Vec<Part>,
    span: SendSpan,
}

#[derive(Debug)]
struct State {
    buffer: PartitionBuffer,
    pending: VecDeque<Pending>,
    /// Bytes taken from the budget for records to come, so that the budget is not asked for each record.
    credit: usize,
    /// Where the last batch was sealed: as a rule the next one will be, too.
    route: Option<Arc<Mailbox>>,
    closed: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Slot {
    topic: Str,
    partition: i32,
    pub(super) index: PartitionIndex,
    feed: Feed,
    ledger: Arc<Ledger>,
    /// Batches that wait in the buffer: a hint, for those who choose a partition without its lock.
    waiting: AtomicU32,
    state: Mutex<State>,
}

/// A record was appended.
pub(super) struct Accepted {
    pub(super) receipt: Receipt,
    pub(super) signal: Signal,
    /// Whether the control plane is to be woken, once all locks are gone.
    pub(super) wakes: bool,
    /// By how much the batch grew, and how much still fits in.
    pub(super) bytes: usize,
    pub(super) room: usize,
    /// The connection that will want to know of the signal.
    pub(super) route: Option<Arc<Mailbox>>,
}

/// Why a record was not appended.
pub(super) enum Blocked {
    /// The memory has no room: this would do, whatever else happens meanwhile.
    Room(Grant),
    /// The record will never be accepted.
    Refused(AppendError),
    Closed,
}

impl Slot {
    pub(super) fn new(
        topic: Str,
        partition: i32,
        index: PartitionIndex,
        config: &ProducerConfig,
        feed: Feed,
        ledger: Arc<Ledger>,
    ) -> Self {
        let buffer = if planted!(OversizeBatch) {
            let batch_size = config.batch_size * 2;
            PartitionBuffer::new(&ProducerConfig { batch_size, ..config.clone() })
        } else {
            PartitionBuffer::new(config)
        };
        let state = State { buffer, pending: VecDeque::new(), credit: 0, route: None, closed: false };
        let waiting = AtomicU32::new(0);
        Self { topic, partition, index, feed, ledger, waiting, state: Mutex::new(state) }
    }

    /// Encodes a record into the open batch. `granted` was taken from the memory for it before.
    ///
    /// If that fails, `granted` stays the caller's, and grows by what an empty partition no longer needs: the caller
    /// gives it back once it holds no lock. So nobody who waits for room holds any, and no two can wait for each other.
    pub(super) fn append(
        &self,
        memory: &Memory,
        quantum: usize,
        record: &Record<'_>,
        timestamp: i64,
        granted: &mut Grant,
    ) -> Result<Accepted, Blocked> {
        let bound = record.reserved_bytes();
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Blocked::Closed);
        }
        let missing = bound.saturating_sub(state.credit + granted.bytes);
        if missing > 0 {
            let ample = missing.max(quantum);
            let Some(taken) = [ample, missing].into_iter().find(|bytes| memory.bytes.try_take(*bytes)) else {
                granted.bytes += state.idle_credit();
                return Err(Blocked::Room(memory.grant_of(bound)));
            };
            state.credit += taken;
        }
        if !memory.take_record(granted) {
            granted.bytes += state.idle_credit();
            return Err(Blocked::Room(memory.grant_of(bound)));
        }
        state.credit += std::mem::take(&mut granted.bytes);
        let appended = match record.with_ref(timestamp, |record| state.buffer.append(record)) {
            Ok(appended) => appended,
            Err(error) => {
                granted.bytes += state.idle_credit();
                return Err(Blocked::Refused(error));
            }
        };
        granted.records = 0;
        state.credit -= appended.bytes.min(state.credit);
        if state.pending.back().is_none_or(|pending| pending.batch != appended.batch) {
            self.waiting.store(u32::try_from(state.buffer.batches()).unwrap_or(u32::MAX), Ordering::Relaxed);
            state.pending.push_back(Pending {
                batch: appended.batch,
                cell: Arc::new(BatchCell::new(self.topic.clone(), self.partition)),
                charged: 0,
                records: 0,
                generation: self.ledger.generation(),
                parts: Vec::new(),
                span: SendSpan::default(),
            });
        }
        let Some(pending) = state.pending.back_mut() else { return Err(Blocked::Closed) };
        pending.charged += appended.bytes;
        pending.records += 1;
        let receipt = Receipt::new(Arc::clone(&pending.cell), appended.index, timestamp);
        let (signal, bytes, room) = (appended.signal, appended.bytes, appended.room);
        let wakes = !signal.is_quiet() && self.feed.tell(self.index, appended.batch, signal);
        let route = if wakes { state.route.clone() } else { None };
        Ok(Accepted { receipt, signal, wakes, bytes, room, route })
    }

    /// How many batches wait in the buffer: as it was a moment ago.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes the next batch out, if it makes no more than `max_bytes`, for the connection of `route`.
    pub(super) fn take(
        &self,
        memory: &Memory,
        max_bytes: usize,
        route: &Arc<Mailbox>,
    ) -> Result<TakenBatch, SealResult> {
        let mut state = lock(&self.state);
        if state.buffer.next_len() > max_bytes {
            return Err(SealResult::Left);
        }
        if state.route.as_ref().is_none_or(|known| !Arc::ptr_eq(known, route)) {
            state.route = Some(Arc::clone(route));
        }
        let taken = state.buffer.take().ok_or(SealResult::Empty);
        let pending = |taken: &TakenBatch| state.pending.iter().find(|pending| pending.batch == taken.batch);
        let records = taken.as_ref().ok().and_then(pending).map(|pending| pending.records);
        self.waiting.store(u32::try_from(state.buffer.batches()).unwrap_or(u32::MAX), Ordering::Relaxed);
        let freed = state.idle_credit();
        drop(state);
        memory.bytes.give_back(freed);
        if let (true, Ok(taken), Some(records)) = (SendSpan::ARE_MADE, &taken, records) {
            let _unused = self.keep(taken.batch, SendSpan::begin(&self.topic, self.partition, records));
        }
        taken
    }

    /// Keeps the span of a batch. If the batch was given up meanwhile it comes back, to be dropped without a lock.
    fn keep(&self, batch: BatchId, span: SendSpan) -> SendSpan {
        let mut state = lock(&self.state);
        match state.pending.iter_mut().find(|pending| pending.batch == batch) {
            Some(pending) => std::mem::replace(&mut pending.span, span),
            None => span,
        }
    }

    /// A batch now takes `len` bytes instead of `plain_len`.
    pub(super) fn compressed(&self, memory: &Memory, batch: BatchId, plain_len: usize, len: usize) {
        let Some(saved) = plain_len.checked_sub(len).filter(|saved| *saved > 0) else { return };
        let freed = {
            let mut state = lock(&self.state);
            let Some(pending) = state.pending.iter_mut().find(|pending| pending.batch == batch) else {
                return;
            };
            let freed = saved.min(pending.charged);
            pending.charged -= freed;
            freed
        };
        memory.bytes.give_back(freed);
    }

    /// Drops batches whose outcome was reported.
    pub(super) fn discard(&self, memory: &Memory, through: BatchId, wakers: &mut Vec<Waker>) {
        let mut state = lock(&self.state);
        state.buffer.discard(through);
        self.waiting.store(u32::try_from(state.buffer.batches()).unwrap_or(u32::MAX), Ordering::Relaxed);
        let freed = state.idle_credit();
        drop(state);
        memory.bytes.release(freed, wakers);
    }

    /// A batch, or a part of it, has its outcome.
    pub(super) fn settle(
        &self,
        memory: &Memory,
        outcome: &Outcome,
        context: Option<&Arc<str>>,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = lock(&self.state);
        let Some(at) = state.pending.iter().position(|pending| pending.batch == outcome.batch) else {
            return;
        };
        let (first, count) = match outcome.portion {
            Portion::Whole => (0, state.pending[at].records),
            Portion::Part { first, count, .. } => {
                probe!(PartSettled);
                (first, count)
            }
        };
        let result = outcome.result.map_err(|error| SendError::Produce {
            topic: self.topic.clone(),
            partition: self.partition,
            error,
            context: context.cloned(),
        });
        if let Err(error) = &result {
            let place = (self.topic.clone(), self.partition);
            self.ledger.lost(state.pending[at].generation, place, u64::from(count), error);
            if planted!(OutcomeNever) {
                return;
            }
        }
        if self.ledger.watchers.is_watched() {
            let delivery = Delivery {
                topic: self.topic.clone(),
                partition: self.partition,
                records: count,
                bytes: state.pending[at].charged,
                result: result.clone().map(|acknowledged| acknowledged.base_offset),
                missed: 0,
            };
            self.ledger.watchers.tell(&delivery, wakers);
        }
        state.pending[at].parts.push(Part { first, result });
        if outcome.portion.is_last()
            && let Some(mut pending) = state.pending.remove(at)
        {
            drop(state);
            pending.parts.sort_by_key(|part| part.first);
            let failed = pending.parts.iter().find_map(|part| part.result.as_ref().err());
            let first = pending.parts.first().and_then(|part| part.result.as_ref().ok()?.base_offset);
            pending.span.end(failed.map_or(Ok(first), Err), wakers);
            pending.cell.complete(pending.parts, wakers);
            memory.release_records(pending.records, wakers);
            let was_aborted = |error: ProduceError| error.kind == ProduceErrorKind::Aborted;
            let is_kept = planted!(AbortKeepsMemory) && outcome.result.is_err_and(was_aborted);
            if !planted!(BudgetLeak, every 3) && !is_kept {
                memory.bytes.release(pending.charged, wakers);
            }
        }
    }

    /// Accepts no more, and ends what has no outcome.
    pub(super) fn close(&self, memory: &Memory, error: &SendError, wakers: &mut Vec<Waker>) -> u64 {
        let mut state = lock(&self.state);
        state.closed = true;
        state.route = None;
        let mut records = 0;
        let mut freed = std::mem::take(&mut state.credit);
        for mut pending in std::mem::take(&mut state.pending) {
            pending.span.end(Err(error), wakers);
            records += u64::from(pending.records);
            freed += pending.charged;
            memory.release_records(pending.records, wakers);
            let place = (self.topic.clone(), self.partition);
            self.ledger.lost(pending.generation, place, u64::from(pending.records), error);
            pending.cell.complete(vec![Part { first: 0, result: Err(error.clone()) }], wakers);
        }
        while state.buffer.take().is_some() {}
        drop(state);
        memory.bytes.release(freed, wakers);
        records
    }
}

impl State {
    /// What is to be given back to the budget: an empty partition holds nothing of it.
    fn idle_credit(&mut self) -> usize {
        if self.buffer.is_empty() { std::mem::take(&mut self.credit) } else { 0 }
    }
}
