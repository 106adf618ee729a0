//! What waits to be done where a connection is driven.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use klamm_core::{
    ProducerHandle,
    connection::Outgoing,
    producer::Seal,
    sasl::{Answer, Credentials},
};
use klamm_protocol::Str;

use crate::{producer::Pool, sync::Mutex, wait::lock};

/// One thing to do for a connection.
#[derive(Debug)]
pub(crate) enum Item {
    /// Submit a request.
    Send(Outgoing),
    /// Seal batches. They are asked for again by the producer if the connection is over.
    Seal {
        /// Whose.
        producer: ProducerHandle,
        /// Where they are.
        pool: Arc<Pool>,
        /// Which.
        seal: Seal,
    },
    /// Look after the signals of producers, as this is where they lead.
    Signals,
    /// Credentials that it asked for, or why there are none.
    Credentials(Result<Credentials, Str>),
    /// A message of its mechanism that it asked for, or why there is none.
    Answer(Result<Answer, Str>),
    /// Close the connection.
    Close,
}

/// The items for one connection, and who is to be woken for them.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    /// Puts an item in. The task's waker goes to `wakers`, to be woken when locks are gone.
    ///
    /// # Errors
    ///
    /// The connection is over: the item comes back.
    pub(crate) fn push(&self, item: Item, wakers: &mut Vec<Waker>) -> Result<(), Item> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(item);
        }
        state.items.push(item);
        wakers.extend(state.waker.take());
        Ok(())
    }

    /// Takes all items, by swapping in `empty`'s memory. Until the next [`poll`](Self::poll) nobody is woken.
    pub(crate) fn drain(&self, empty: &mut Vec<Item>) {
        debug_assert!(empty.is_empty());
        let mut state = lock(&self.state);
        std::mem::swap(&mut state.items, empty);
        state.waker = None;
    }

    /// Takes all items and accepts no more.
    pub(crate) fn close(&self) -> Vec<Item> {
        let mut state = lock(&self.state);
        state.closed = true;
        state.waker = None;
        std::mem::take(&mut state.items)
    }

    /// Ready if there are items; otherwise the waker is called for the next one.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if !state.items.is_empty() {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

/// A flag with one task that waits for it.
#[derive(Debug, Default)]
pub(crate) struct WakeFlag {
    state: Mutex<(bool, Option<Waker>)>,
}

impl WakeFlag {
    /// Raises the flag. The task's waker goes to `wakers`.
    pub(crate) fn raise(&self, wakers: &mut Vec<Waker>) {
        let mut state = lock(&self.state);
        state.0 = true;
        wakers.extend(state.1.take());
    }

    /// Lowers the flag.
    pub(crate) fn lower(&self) {
        lock(&self.state).0 = false;
    }

    /// Ready if the flag is up; otherwise the waker is called when it is raised.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.0 {
            return Poll::Ready(());
        }
        match &mut state.1 {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}
