//! A byte budget: what is buffered, in flight and handed out stays below a promise.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use klamm_core::{Instant, probe};

use crate::{sync::Mutex, wait::lock};

/// A number of bytes that are shared out, first come first served.
#[derive(Debug)]
pub(crate) struct Budget {
    total: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    next_ticket: u64,
    queue: VecDeque<Waiter>,
    /// Nobody in the queue gives up before this.
    earliest: Instant,
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    bytes: usize,
    /// Whether `bytes` have been taken for this waiter, who has yet to fetch them.
    granted: bool,
    /// When it gives up.
    deadline: Instant,
    waker: Waker,
}

/// Why there is no room and will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// More was asked for than the whole budget.
    Never,
    /// The budget was closed.
    Closed,
    /// There was none until the deadline.
    TimedOut,
}

impl Budget {
    pub(crate) fn new(total: usize) -> Self {
        let (queue, earliest) = (VecDeque::new(), Instant::MAX);
        let state = State { free: total, next_ticket: 0, queue, earliest, closed: false };
        Self { total, state: Mutex::new(state) }
    }

    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// Takes `bytes` if they are free and nobody waits.
    pub(crate) fn try_take(&self, bytes: usize) -> bool {
        let mut state = lock(&self.state);
        if state.somebody_waits() || state.free < bytes {
            return false;
        }
        state.free -= bytes;
        true
    }

    /// Gives `bytes` back and serves those who wait, in their order.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut wakers = Vec::new();
        self.release(bytes, &mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// As [`give_back`](Self::give_back), for callers that hold a lock: they wake when they have let go of it.
    pub(crate) fn release(&self, bytes: usize, wakers: &mut Vec<Waker>) {
        if bytes == 0 {
            return;
        }
        let mut state = lock(&self.state);
        state.free = (state.free + bytes).min(self.total);
        state.grant(wakers);
    }

    /// Waits for `bytes`, until [`expire`](Self::expire) is called at `deadline` or later.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize, deadline: Instant) -> Take {
        Take { budget: Arc::clone(self), bytes, deadline, ticket: None, done: false }
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        Some(lock(&self.state).earliest).filter(|at| *at < Instant::MAX)
    }

    /// Ends the waits whose deadline has come.
    pub(crate) fn expire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        let mut state = lock(&self.state);
        if state.earliest > now {
            return;
        }
        state.queue.retain(|waiter| {
            let is_over = !waiter.granted && waiter.deadline <= now;
            if is_over {
                wakers.push(waiter.waker.clone());
            }
            !is_over
        });
        let waiting = state.queue.iter().filter(|waiter| !waiter.granted);
        state.earliest = waiting.map(|waiter| waiter.deadline).min().unwrap_or(Instant::MAX);
        // Those behind may be content with what there is.
        state.grant(wakers);
    }

    /// Ends all waits, now and later.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut state = lock(&self.state);
        state.closed = true;
        wakers.extend(state.queue.iter().map(|waiter| waiter.waker.clone()));
    }

    /// The bytes that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.total - lock(&self.state).free
    }
}

impl State {
    /// Serves waiters from the front until one does not fit: a large request is not overtaken for ever.
    fn grant(&mut self, wakers: &mut Vec<Waker>) {
        for waiter in self.queue.iter_mut().filter(|waiter| !waiter.granted) {
            if waiter.bytes > self.free {
                break;
            }
            self.free -= waiter.bytes;
            waiter.granted = true;
            wakers.push(waiter.waker.clone());
        }
    }

    /// Whether somebody has not been served: those who have, but have not looked yet, hold nobody up.
    fn somebody_waits(&self) -> bool {
        self.queue.back().is_some_and(|waiter| !waiter.granted)
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.queue.iter().position(|waiter| waiter.ticket == ticket)
    }
}

/// A wait for room. Once it is ready the bytes are the caller's, to be given back.
///
/// Cancel safety: dropped early, it gives back what it was granted and its place in the queue.
#[derive(Debug)]
pub(crate) struct Take {
    budget: Arc<Budget>,
    bytes: usize,
    deadline: Instant,
    ticket: Option<u64>,
    done: bool,
}

impl Future for Take {
    type Output = Result<(), NoRoom>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let budget = Arc::clone(&self.budget);
        let mut state = lock(&budget.state);
        if state.closed {
            return Poll::Ready(Err(NoRoom::Closed));
        }
        if self.bytes > budget.total {
            self.done = true;
            return Poll::Ready(Err(NoRoom::Never));
        }
        let Some(ticket) = self.ticket else {
            if !state.somebody_waits() && state.free >= self.bytes {
                state.free -= self.bytes;
                self.done = true;
                return Poll::Ready(Ok(()));
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let (bytes, deadline, waker) = (self.bytes, self.deadline, context.waker().clone());
            state.queue.push_back(Waiter { ticket, bytes, granted: false, deadline, waker });
            state.earliest = state.earliest.min(deadline);
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        let Some(position) = state.position(ticket) else {
            probe!(RoomWaitTimedOut);
            self.done = true;
            return Poll::Ready(Err(NoRoom::TimedOut));
        };
        if state.queue[position].granted {
            probe!(RoomGrantedInTurn);
            state.queue.remove(position);
            self.done = true;
            return Poll::Ready(Ok(()));
        }
        state.queue[position].waker.clone_from(context.waker());
        Poll::Pending
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.filter(|_| !self.done) else { return };
        let mut wakers = Vec::new();
        {
            let mut state = lock(&self.budget.state);
            let Some(position) = state.position(ticket) else { return };
            if let Some(waiter) = state.queue.remove(position) {
                if waiter.granted {
                    probe!(RoomGrantReturned);
                    state.free += waiter.bytes;
                }
                state.grant(&mut wakers);
            }
        }
        for waker in wakers {
            waker.wake();
        }
    }
}
