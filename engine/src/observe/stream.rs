//! The queue between a client and somebody who looks on.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
    task::Waker,
};

use super::ClientEvent;
use crate::wait::{Waiters, lock, until};

/// What somebody who looks on wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventOptions {
    /// So many events are kept until they are taken; when there are more, the oldest are dropped and counted.
    /// Default: 1,024.
    pub capacity: usize,
    /// Each request that is answered: [`ClientEvent::Exchanged`]. Default: false.
    pub exchanges: bool,
    /// Each request and each answer with what it says: [`ClientEvent::Message`]. All messages are copied for that, their
    /// records aside, which are shared. Works only if it is asked for before the client connects:
    /// [`KafkaBuilder::events`](crate::KafkaBuilder::events). Default: false.
    pub messages: bool,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self { capacity: 1_024, exchanges: false, messages: false }
    }
}

impl EventOptions {
    /// As [`capacity`](Self::capacity).
    #[must_use]
    pub const fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// As [`exchanges`](Self::exchanges).
    #[must_use]
    pub const fn with_exchanges(self) -> Self {
        Self { exchanges: true, ..self }
    }

    /// As [`messages`](Self::messages).
    #[must_use]
    pub const fn with_messages(self) -> Self {
        Self { messages: true, ..self }
    }
}

/// Looks on at a client, from [`Kafka::events`](crate::Kafka::events) or
/// [`KafkaBuilder::events`](crate::KafkaBuilder::events): what interceptors, event callbacks and statistics callbacks
/// of other clients do, in the application's own time.
///
/// The client never waits for it: what is not taken in time is dropped, the oldest first, and counted.
pub struct Events {
    queue: Arc<Queue>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Queue {
    options: EventOptions,
    state: Mutex<State>,
    waiters: Waiters,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<ClientEvent>,
    dropped: u64,
    /// The client is closed.
    ended: bool,
    /// Nobody looks on any more.
    left: bool,
}

impl Events {
    /// A queue, and the handle to it.
    pub(crate) fn new(options: EventOptions) -> (Arc<Queue>, Self) {
        let queue = Arc::new(Queue { options, state: Mutex::default(), waiters: Waiters::default() });
        (Arc::clone(&queue), Self { queue })
    }

    /// The next event; `None` once the client is closed and all were taken.
    ///
    /// Cancel safety: safe, nothing is lost.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        until(&self.queue.waiters, || self.queue.take()).await
    }

    /// The next event, if it is there.
    pub fn try_next(&mut self) -> Option<ClientEvent> {
        self.queue.take().flatten()
    }

    /// How many events were dropped since the last call, because they were not taken in time.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut lock(&self.queue.state).dropped)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.left = true;
        let left = std::mem::take(&mut state.events);
        drop(state);
        drop(left);
    }
}

impl Queue {
    pub(crate) const fn options(&self) -> &EventOptions {
        &self.options
    }

    /// `None` if there may be one later.
    fn take(&self) -> Option<Option<ClientEvent>> {
        let mut state = lock(&self.state);
        match state.events.pop_front() {
            Some(event) => Some(Some(event)),
            None => state.ended.then_some(None),
        }
    }

    /// Puts an event in, if it is wanted. Returns whether anybody looks on.
    pub(super) fn push(&self, event: &ClientEvent, wakers: &mut Vec<Waker>) -> bool {
        let unwanted =
            event.is_exchange() && !self.options.exchanges || event.is_message() && !self.options.messages;
        let mut state = lock(&self.state);
        if state.left || unwanted {
            return !state.left;
        }
        if state.events.len() >= self.options.capacity.max(1) {
            state.events.pop_front();
            state.dropped += 1;
        }
        state.events.push_back(event.clone());
        drop(state);
        self.waiters.take(wakers);
        true
    }

    /// Nothing more will come.
    pub(super) fn end(&self, wakers: &mut Vec<Waker>) {
        lock(&self.state).ended = true;
        self.waiters.take(wakers);
    }
}
