//! What was fetched for a consumer and waits for its reader.

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use klamm_core::consumer::{AssignmentEpoch, Chunk, ConsumerEvent};

use crate::wait::{Waiters, lock};

/// One thing for the reader, in the order in which it came.
#[derive(Debug)]
pub(crate) enum Item {
    Chunk(Chunk),
    Event(AssignmentEpoch, ConsumerEvent),
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The consumer was closed.
    Closed,
    /// The driver is gone.
    Stopped,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    end: Option<End>,
}

/// See the [module](self). What it holds is bounded by the consumer's memory, which its chunks are charged to.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    pub(super) waiters: Waiters,
}

impl Inbox {
    pub(crate) fn deliver(&self, chunk: Chunk, wakers: &mut Vec<Waker>) {
        lock(&self.state).items.push_back(Item::Chunk(chunk));
        self.waiters.take(wakers);
    }

    pub(crate) fn event(&self, epoch: AssignmentEpoch, event: ConsumerEvent, wakers: &mut Vec<Waker>) {
        lock(&self.state).items.push_back(Item::Event(epoch, event));
        self.waiters.take(wakers);
    }

    pub(crate) fn stop(&self, wakers: &mut Vec<Waker>) {
        self.end(End::Stopped, wakers);
    }

    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        self.end(End::Closed, wakers);
    }

    fn end(&self, end: End, wakers: &mut Vec<Waker>) {
        let mut state = lock(&self.state);
        state.end.get_or_insert(end);
        state.items.clear();
        drop(state);
        self.waiters.take(wakers);
    }

    /// The next item, or the end.
    pub(super) fn pop(&self) -> Option<Result<Item, End>> {
        let mut state = lock(&self.state);
        match state.items.pop_front() {
            Some(item) => Some(Ok(item)),
            None => state.end.map(Err),
        }
    }
}
